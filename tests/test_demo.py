"""The tap on its simulator, as a process: deaf to what is set for accounts of one's own."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.demo import WORLD
from tests.core.syncing import BY_DEFAULT, EXECUTABLE, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.syncing import Record

OPTIONS = (
    "--now 2026-07-01 --dbt-jobs 3 --dbt-runs 12 --pulumi-orgs 2 --pulumi-stacks 4 "
    "--pulumi-updates 3"
)
NARROW = {
    "dbt_token": "fake-of-a-foreign-account",
    "dbt_url": "foreign.example.com",
    "dbt_account_ids": [1],
    "dbt_project_ids": [1],
    "dbt_job_ids": [1],
    "dbt_requests_per_minute": 1,
    "pulumi_token": "fake-of-a-foreign-organization",
    "pulumi_url": "foreign.example.com",
    "pulumi_organizations": ["foreign"],
    "start_date": "2026-06-30",
}


def run_demo(folder: Path, *arguments: str, **variables: str) -> Outcome:
    done = subprocess.run(
        [EXECUTABLE.with_name("tap-cloudapis-demo"), *arguments],
        cwd=folder,
        env={**os.environ, "CLOUDAPIS_SIMULATOR_OPTIONS": OPTIONS, **variables},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.splitlines(), done.stderr.decode().splitlines())


@pytest.fixture(scope="module", name="plain")
def without_settings(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    outcome = run_demo(tmp_path_factory.mktemp("plain"))
    assert outcome.code == 0, outcome.log
    assert not outcome.logged("ignores")
    assert all(outcome.records(name) for name in BY_DEFAULT)
    return outcome


def without_ports(records: dict[tuple[Any, ...], Record]) -> dict[tuple[Any, ...], Record]:
    """Records without the address that differs from one simulator to the next."""
    return {key: {**record, "run_url": None} for key, record in records.items()}


def texts() -> dict[str, str]:
    """The narrow settings as variables of the demo."""
    values = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in NARROW.items()
    }
    return {f"TAP_CLOUDAPIS_DEMO_{name.upper()}": value for name, value in values.items()}


@pytest.mark.parametrize("place", ["config", "environment", "dotenv"])
def test_what_narrows_is_ignored_wherever_it_comes_from(
    plain: Outcome, tmp_path: Path, place: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(NARROW))
    if place == "config":
        outcome = run_demo(tmp_path, "--config", "config.json")
    elif place == "environment":
        outcome = run_demo(tmp_path, "--config=ENV", **texts())
    else:
        lines = [f"{name}='{value}'\n" for name, value in texts().items()]
        (tmp_path / ".env").write_text("".join(lines))
        outcome = run_demo(tmp_path, "--config=ENV", CLOUDAPIS_DOTENV="on")
    assert outcome.code == 0, outcome.log
    ignored = outcome.logged("INFO", "ignores")
    assert len(ignored) == 1
    assert ignored[0].endswith(f"ignores {', '.join(sorted(NARROW))}")
    for name in BY_DEFAULT:
        assert without_ports(outcome.latest(name)) == without_ports(plain.latest(name))


def test_how_to_read_is_still_the_users_choice(plain: Outcome, tmp_path: Path) -> None:
    config = {
        "concurrency": 1,
        "stream_maps": {"dbt_runs": {"account_id": "account_id", "id": "id", "__else__": None}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    outcome = run_demo(tmp_path, "--config", "config.json")
    assert outcome.code == 0, outcome.log
    assert not outcome.logged("ignores")
    assert outcome.latest("dbt_runs").keys() == plain.latest("dbt_runs").keys()
    assert all(record.keys() == {"account_id", "id"} for record in outcome.records("dbt_runs"))


@pytest.mark.slow
@pytest.mark.parametrize("now", ["2026-07-01", "2026-11-26T16:00:00", "2027-11-26T16:00:00"])
def test_the_usual_world_is_as_large_on_any_day(now: str, tmp_path: Path) -> None:
    world = f"{shlex.join(WORLD)} --now {now}"
    outcome = run_demo(tmp_path, CLOUDAPIS_SIMULATOR_OPTIONS=world)
    assert outcome.code == 0, outcome.log
    assert 3_790 <= len(outcome.latest("dbt_runs")) <= 3_810
    assert 500 < len(outcome.latest("pulumi_stack_updates")) < 1_200
    # Small enough to end in seconds, whatever the day: what it costs is counted, not timed.
    (total,) = re.findall(
        r"total +([\d,]+) rows +([\d,]+) requests +([\d,]+) retries", "\n".join(outcome.log)
    )
    rows, requests, retries = (int(number.replace(",", "")) for number in total)
    assert retries == 0  # the budgets of the services are out of its reach
    assert rows < 15_000
    assert requests < 2_500


def test_without_a_simulator_there_is_no_token(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(NARROW))
    outcome = run_demo(tmp_path, "--about", "--config", "config.json", "--test")
    assert outcome.code == 1
    assert outcome.logged("ERROR", "no token")
