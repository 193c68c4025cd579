"""What is refused, what fails, and how a run ends before its end."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.dlt import SyncIncompleteError, cloudapis
from tap_cloudapis.dlt.channel import MOST_ROWS, Batch, Channel, Stopped
from tests.core.syncing import settings
from tests.dlt_source.support import Warehouse, source_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

LISTS = ("dbt_projects", "dbt_jobs", "dbt_runs")


def running() -> list[str]:
    return [t.name for t in threading.enumerate() if "tap-cloudapis" in t.name and t.is_alive()]


def test_what_is_refused_is_skipped_and_told(
    tiny: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny.settings(forbid=["dbt_projects"])
    ours = Warehouse(tmp_path)
    with caplog.at_level(logging.INFO, "tap-cloudapis"):
        ours.pipeline().run(source_of(tiny, *LISTS, service="dbt"))
    lines = [record.getMessage() for record in caplog.records]
    warnings = [line for line in lines if line.startswith("dbt_projects: skipped")]
    assert len(warnings) == 1
    assert any(line.startswith("INCOMPLETE: 1 of 3 streams (dbt_projects") for line in lines)
    assert ours.count("dbt_runs") == len(tiny.rows("dbt_runs"))


@pytest.mark.usefixtures("impatient")
def test_what_fails_makes_the_run_fail_once_all_else_is_loaded(
    tiny: Simulator, tmp_path: Path
) -> None:
    tiny.faults([{"path": "/jobs/", "status": 500, "times": 100}])
    ours = Warehouse(tmp_path)
    pipeline = ours.pipeline()
    with pytest.raises(SyncIncompleteError, match=r"dbt_jobs: .*500") as failed:
        pipeline.run(source_of(tiny, *LISTS, service="dbt"))
    assert len(failed.value.errors) == 1
    assert "\n" not in str(failed.value)
    for table in ("dbt_projects", "dbt_runs"):
        assert ours.count(table) == len(tiny.rows(table))
    # The same pipeline, and the same steps one by one.
    tiny.clear_faults()
    tiny.clear_requests()
    pipeline.extract(source_of(tiny, *LISTS, service="dbt"))
    pipeline.normalize()
    pipeline.load()
    assert ours.count("dbt_jobs") == len(tiny.rows("dbt_jobs"))


@pytest.mark.usefixtures("impatient")
def test_what_fails_without_a_pipeline_fails_at_its_end(tiny: Simulator) -> None:
    tiny.faults([{"path": "/jobs/", "status": 500, "times": 100}])
    taken = []
    with pytest.raises(Exception, match=r"dbt_jobs: .*500"):
        taken += list(source_of(tiny, *LISTS, service="dbt"))


def test_a_token_that_is_refused_is_told_without_it(tiny: Simulator, tmp_path: Path) -> None:
    source = source_of(tiny, *LISTS, service="dbt", dbt_token="dbtc_not-the-right-one")  # noqa: S106
    with pytest.raises(
        SyncIncompleteError, match="does not accept the value of dbt_token"
    ) as failed:
        Warehouse(tmp_path).pipeline().run(source)
    assert "not-the-right-one" not in str(failed.value)


def test_without_a_token_nothing_is_read(tmp_path: Path) -> None:
    source = cloudapis()
    assert "dbt_runs" in source.selected_resources
    with pytest.raises(PipelineStepFailed, match=r"no token: .*SOURCES__CLOUDAPIS__DBT_TOKEN"):
        Warehouse(tmp_path).pipeline().run(source)
    assert not running()


def test_rows_do_not_get_two_ids(
    tiny: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Warehouse(tmp_path)
    monkeypatch.setenv("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID", "true")
    ours.pipeline().run(source_of(tiny, "dbt_jobs", service="dbt"))
    assert ours.count("dbt_jobs") == len(tiny.rows("dbt_jobs"))
    monkeypatch.setenv("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID", "true")
    with pytest.raises(PipelineStepFailed, match="add_dlt_id must be off"):
        ours.pipeline().run(source_of(tiny, "dbt_jobs", service="dbt"))


def test_a_service_without_a_token_is_not_selected(tiny: Simulator, tmp_path: Path) -> None:
    source = source_of(tiny, service="dbt")
    assert all(name.startswith("dbt_") for name in source.selected_resources)
    with pytest.raises(PipelineStepFailed, match="pulumi_stacks: pulumi_token is not set"):
        Warehouse(tmp_path).pipeline().run(source.with_resources("pulumi_stacks", "dbt_jobs"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"dbt_tokn": "a"}, "there is no setting dbt_tokn; did you mean dbt_token?"),
        ({"concurrency": 0}, "concurrency must be at least 1"),
        ({"on_forbidden": "shout"}, "on_forbidden must be one of skip, fail"),
    ],
)
def test_settings_that_cannot_be_used(given: dict[str, Any], told: str) -> None:
    with pytest.raises(TapError) as failed:
        cloudapis(**given)
    assert str(failed.value) == told


def test_settings_come_from_where_dlt_looks_for_them(
    tiny: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = [row["id"] for row in tiny.rows("dbt_accounts")]
    for name, value in settings(tiny, "dbt", dbt_account_ids=accounts).items():
        text = json.dumps(value) if isinstance(value, list) else str(value)
        monkeypatch.setenv(f"SOURCES__CLOUDAPIS__{name.upper()}", text)
    monkeypatch.setenv("SOURCES__CLOUDAPIS__PULUMI_TOKEN", "<configure me>")
    # The tap's own variables are not the source's.
    monkeypatch.setenv("TAP_CLOUDAPIS_CONCURRENCY", "none")
    ours = Warehouse(tmp_path)
    ours.pipeline().run(cloudapis().with_resources("dbt_jobs"))
    assert ours.count("dbt_jobs") == len(tiny.rows("dbt_jobs"))


def test_nothing_is_said_twice_and_no_token_is_kept(
    tiny: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tiny.dbt_token
    monkeypatch.setenv("SOURCES__CLOUDAPIS__DBT_TOKEN", token)
    program = f"""
import logging, dlt
from tap_cloudapis.dlt import cloudapis
logging.basicConfig(level=logging.INFO)
pipeline = dlt.pipeline("p", pipelines_dir={str(tmp_path)!r}, dataset_name="d",
                        destination=dlt.destinations.duckdb({str(tmp_path / "f.duckdb")!r}))
for _ in range(2):
    pipeline.run(cloudapis(dbt_url={tiny.dbt_url!r}).with_resources("dbt_runs", "dbt_jobs"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert sum("total " in line for line in lines) == 2
    assert not [line for line in lines if "WARNING" in line]
    assert token not in done.stderr
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > 5
    assert not [path for path in kept if token.encode() in path.read_bytes()]


def test_threads_end_when_the_pipeline_does(tiny: Simulator) -> None:
    tiny.settings(latency_ms=20)
    before = set(running())
    tables = iter(source_of(tiny, *LISTS, service="dbt"))
    next(tables)
    del tables
    deadline = time.monotonic() + 20
    while set(running()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(running()) - before


def test_ctrl_c_ends_the_process(tiny: Simulator, tmp_path: Path) -> None:
    """With a pipeline under way, in a moment, and with nothing loaded."""
    tiny.settings(latency_ms=300)
    program = f"""
import os, signal, threading, dlt
from tap_cloudapis.dlt import cloudapis
pipeline = dlt.pipeline("p", pipelines_dir={str(tmp_path)!r},
                        destination=dlt.destinations.duckdb({str(tmp_path / "f.duckdb")!r}))
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    pipeline.run(cloudapis(**{settings(tiny)!r}))
except BaseException as exc:
    print(type(exc).__name__, [t.name for t in threading.enumerate() if t.name == "tap-cloudapis"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.endswith(" []\n"), done
    assert "SIGINT" not in done.stderr


def test_the_tap_waits_for_those_who_take_its_records() -> None:
    channel = Channel()
    added = [0]

    def add() -> None:
        try:
            while True:
                channel.add("s", {"id": added[0]}, 100)
                added[0] += 1
        except Stopped:
            added.append(-1)

    thread = threading.Thread(target=add, daemon=True)
    thread.start()
    taken: list[Batch] = []
    while len(taken) < 20:
        if (batch := channel.take("s")) is not None:
            taken.append(batch)
            assert added[0] - sum(len(each.rows) for each in taken) <= 2 * MOST_ROWS
        else:
            time.sleep(0.001)
    ids = [row["id"] for batch in taken for row in batch.rows]
    assert ids == list(range(len(ids)))
    channel.stop()
    thread.join(10)
    assert added[-1] == -1


def test_records_that_are_large_make_small_tables() -> None:
    channel = Channel()
    for number in range(64):
        channel.add(f"stream {number % 8}", {"id": number}, 1 << 20)
        assert sum(bool(channel.take(f"stream {n}")) for n in range(8)) <= 8
    channel.flush()
    left = [channel.take(f"stream {n}") for n in range(8)]
    assert all(batch is None or len(batch.rows) <= 8 for batch in left)
