"""``--check`` as a process: its table, its exit code, and what goes where."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from tests.core.syncing import (
    BY_DEFAULT,
    EXECUTABLE,
    NAMES,
    NO_TOKENS,
    catalog_of,
    run_tap,
    settings,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator


def test_the_table_of_both_services(tiny: Simulator, tmp_path: Path) -> None:
    outcome = run_tap("--check", config=settings(tiny), folder=tmp_path)
    assert outcome.code == 0
    lines = [line.decode() for line in outcome.lines]
    for name in NAMES:
        (row,) = (line for line in lines if line.startswith(f"{name} "))
        assert row.split()[1:3] == ["yes" if name in BY_DEFAULT else "no", "readable"]
    assert lines[-1] == "Everything that is selected can be read"
    sums = [line for line in lines if line.startswith(("A first sync", "A next sync"))]
    assert len(sums) == 4
    assert all(" requests" in line for line in sums)
    text = "\n".join([*lines, *outcome.log])
    assert tiny.dbt_token not in text
    assert tiny.pulumi_token not in text


def test_a_refusal_is_in_the_exit_code_of_what_is_selected(tiny: Simulator, tmp_path: Path) -> None:
    tiny.settings(forbid=["dbt_jobs", "pulumi_organization_teams"])
    outcome = run_tap("--check", config=settings(tiny), folder=tmp_path)
    assert outcome.code == 1
    text = b"\n".join(outcome.lines).decode()
    _, _, changes = text.partition("What to change, or which streams to deselect:\n")
    assert len(changes.splitlines()) == 2
    assert "the token probably lacks the permission to read jobs; Account Viewer has it" in changes
    assert "team:list" in changes
    assert not outcome.says("WARNING"), "all is in the table"
    catalog = catalog_of(["dbt_runs", "pulumi_stacks"])
    others = run_tap("--check", config=settings(tiny), catalog=catalog, folder=tmp_path)
    assert others.code == 0


def test_json_is_alone_on_standard_output(tiny: Simulator, tmp_path: Path) -> None:
    outcome = run_tap("--check=json", config=settings(tiny, "dbt"), folder=tmp_path)
    assert outcome.code == 0
    told = json.loads(b"\n".join(outcome.lines))
    assert told["ok"] is True
    assert told["not_asked"] == ["pulumi"]
    assert [service["service"] for service in told["services"]] == ["dbt"]
    names = [stream["stream"] for stream in told["streams"]]
    assert sorted(names) == [name for name in sorted(NAMES) if name.startswith("dbt_")]


def test_a_check_needs_a_token_as_a_sync_does(tmp_path: Path) -> None:
    outcome = run_tap("--check", config={}, folder=tmp_path)
    assert outcome.code == 1
    assert outcome.lines == []
    assert outcome.says("ERROR", "no token: set dbt_token")


def test_another_form_is_a_mistake(tmp_path: Path) -> None:
    outcome = run_tap("--check=xml", config={}, folder=tmp_path)
    assert outcome.code
    assert outcome.lines == []
    assert not outcome.says("Traceback")


def test_help_tells_of_it() -> None:
    text = b"\n".join(run_tap("--help").lines)
    assert b"--check" in text
    assert b"--check=json" in text


def test_a_signal_ends_it(tiny: Simulator, tmp_path: Path) -> None:
    tiny.settings(latency_ms=400)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(settings(tiny)))
    process = subprocess.Popen(
        [EXECUTABLE, "--config", path, "--check"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=NO_TOKENS,
    )
    while not tiny.requests():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert out == b""
    assert b"Traceback" not in log
