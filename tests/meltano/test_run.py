"""`meltano run`, as a user types it: the demo twice, and the tap with another target."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest

from tests.meltano.projects import BIN, Project
from tests.simulator_process import Simulator

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

Table = dict[tuple[Any, ...], dict[str, Any]]
Tables = dict[str, Table]

FIRST = "2026-07-02T00:00:00Z"
LATER = "2026-07-02T09:00:00Z"
ENDED = {10, 20, 30}  # success, error, cancelled
INCREMENTAL = ("dbt_runs", "pulumi_stack_updates")


@dataclass
class Demo:
    """What the demo loaded in two runs of one project, and what is true.

    Attributes:
        database: The DuckDB file.
        loaded: After each run, the rows by stream and key, as far as the truth knows the columns.
        true: The same, as the simulator tells it.
    """

    database: Path
    loaded: tuple[Tables, Tables]
    true: tuple[Tables, Tables]


@pytest.fixture(scope="module", name="demo")
def demo_run_twice(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    project, database = Project(folder), folder / "output/cloudapis.duckdb"
    before = (folder / "meltano.yml").read_text("utf-8")
    loaded, true = [], []
    for now in (FIRST, LATER):
        project.meltano("run", "demo", CLOUDAPIS_SIMULATOR_OPTIONS=f"--now {now}")
        streams = truth(now)
        true.append({name: by_key(entry["rows"], entry["key"]) for name, entry in streams.items()})
        loaded.append(read(database, streams))
    assert (folder / "meltano.yml").read_text("utf-8") == before
    return Demo(database, (loaded[0], loaded[1]), (true[0], true[1]))


def truth(now: str) -> dict[str, Any]:
    command = [str(BIN / "cloudapis-simulator"), "truth", "--now", now]
    streams: dict[str, Any] = json.loads(subprocess.check_output(command))["streams"]
    return streams


def read(database: Path, streams: dict[str, Any]) -> Tables:
    """Read from the tables what the truth has: those streams, those columns."""
    tables = {}
    with duckdb.connect(database, read_only=True) as connection:
        for name, entry in streams.items():
            columns = list(entry["rows"][0])
            found = connection.table(f"cloudapis.{name}").select(*columns).fetchall()
            rows = [dict(zip(columns, map(plain, values), strict=True)) for values in found]
            tables[name] = by_key(rows, entry["key"])
    return tables


def by_key(rows: list[dict[str, Any]], key: list[str]) -> Table:
    table = {tuple(row[column] for column in key): row for row in rows}
    assert len(table) == len(rows), "a key is there twice"
    return table


def plain(value: object) -> object:
    """A value as the truth has it: a timestamp in RFC 3339."""
    if isinstance(value, datetime):
        return f"{value.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S.%fZ}"
    return value


def test_the_first_run_loads_all_that_is_true(demo: Demo) -> None:
    for name, rows in demo.true[0].items():
        assert demo.loaded[0][name] == rows, name


def test_the_second_run_brings_what_is_new_and_changed_and_loses_nothing(demo: Demo) -> None:
    for name, rows in demo.true[1].items():
        loaded = demo.loaded[1][name]
        assert loaded.keys() == rows.keys() | demo.true[0][name].keys(), name
        assert {key: loaded[key] for key in rows} == rows, name
    for name in INCREMENTAL:
        assert demo.loaded[1][name].keys() > demo.loaded[0][name].keys()


def test_the_second_run_ends_what_the_first_one_saw_open(demo: Demo) -> None:
    runs, updates = ([tables[name] for tables in demo.loaded] for name in INCREMENTAL)
    opened = {key for key, run in runs[0].items() if run["status"] not in ENDED}
    assert {key for key in opened if runs[1][key]["status"] in ENDED}
    opened = {key for key, update in updates[0].items() if update["end_time"] is None}
    assert {key for key in opened if updates[1][key]["end_time"]}


def test_the_tables_are_a_dataset_of_dlt(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    pipeline = dlt.attach(
        pipeline_name="cloudapis",
        destination=dlt.destinations.duckdb(str(demo.database)),
        dataset_name="cloudapis",
        pipelines_dir=str(demo.database.parent / "pipelines"),
    )
    dataset = pipeline.dataset()
    assert dataset.dbt_runs.arrow().num_rows == len(demo.loaded[1]["dbt_runs"])
    loads = dataset["_dlt_loads"].select("schema_name", "status").fetchall()
    assert len(loads) >= 2
    assert set(loads) == {(pipeline.default_schema_name, 0)}
    assert dataset["_dlt_version"].fetchall()
    assert dataset["_dlt_pipeline_state"].fetchall()


def test_the_tap_runs_with_another_target(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "output").mkdir()
    with Simulator(now=FIRST, dbt_runs=60, pulumi_stacks=5) as simulator:
        project.meltano(
            *("run", "tap-cloudapis", "target-jsonl"),
            TAP_CLOUDAPIS_DBT_URL=simulator.dbt_url,
            TAP_CLOUDAPIS_DBT_TOKEN=simulator.dbt_token,
            TAP_CLOUDAPIS_PULUMI_URL=simulator.pulumi_url,
            TAP_CLOUDAPIS_PULUMI_TOKEN=simulator.pulumi_token,
        )
        streams = simulator.truth()["streams"]
    for name, stream in streams.items():
        lines = (tmp_path / f"output/{name}.jsonl").read_text("utf-8").splitlines()
        rows = by_key([json.loads(line) for line in lines], stream["key"])
        assert rows.keys() == by_key(stream["rows"], stream["key"]).keys()
