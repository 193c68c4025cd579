"""`meltano run`, as a user types it: the demo twice, another target, runs that break off."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest

from tests.conftest import TINY
from tests.core.syncing import BY_DEFAULT, KEYS, KINDS, discover, settings, sync
from tests.meltano.projects import BIN, Project
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

Table = dict[tuple[Any, ...], dict[str, Any]]
Tables = dict[str, Table]

FIRST = "2026-07-02T00:00:00Z"
LATER = "2026-07-02T09:00:00Z"
#: How large the demo's world is here.
SIZES = ("--dbt-runs", "120", "--pulumi-stacks", "20", "--pulumi-updates", "6")
ENDED = {10, 20, 30}  # success, error, cancelled
INCREMENTAL = ("dbt_runs", "pulumi_stack_updates")

#: What may be in the `.env` of someone who has accounts of their own.
DOTENV = """\
TAP_CLOUDAPIS_DBT_TOKEN=fake-of-a-foreign-account
TAP_CLOUDAPIS_DBT_URL=foreign.example.com
TAP_CLOUDAPIS_DBT_ACCOUNT_IDS=[1]
TAP_CLOUDAPIS_DBT_PROJECT_IDS=[1]
TAP_CLOUDAPIS_DBT_JOB_IDS=[1]
TAP_CLOUDAPIS_PULUMI_TOKEN=fake-of-a-foreign-organization
TAP_CLOUDAPIS_PULUMI_URL=foreign.example.com
TAP_CLOUDAPIS_PULUMI_ORGANIZATIONS=["foreign"]
TAP_CLOUDAPIS_START_DATE=2026-07-02
TAP_CLOUDAPIS_EMIT_ACTIVATE_VERSION_MESSAGES=true
TAP_CLOUDAPIS_FLATTENING_ENABLED=true
TAP_CLOUDAPIS_FLATTENING_MAX_DEPTH=1
TAP_CLOUDAPIS_STREAM_MAPS={"dbt_runs": "__NULL__"}
TAP_CLOUDAPIS__SELECT=["dbt_accounts.id"]
TAP_CLOUDAPIS__SELECT_FILTER=["dbt_accounts"]
TAP_CLOUDAPIS__METADATA={"dbt_runs": {"selected": false}}
TARGET_DUCKDB_PATH=foreign.duckdb
TARGET_DUCKDB_FILEPATH=foreign.duckdb
TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA=foreign
TARGET_DUCKDB_PIPELINE_NAME=foreign
TARGET_DUCKDB_ENGINE=package
TARGET_DUCKDB_NESTING=tables
TARGET_DUCKDB_DATA_FLATTENING_MAX_LEVEL=1
TARGET_DUCKDB_SCHEMA_MAPPING={"dbt_runs": {"target_schema": "foreign"}}
TARGET_DUCKDB_SETTINGS={"threads": 1}
TARGET_DUCKDB_LOAD_METHOD=append-only
TARGET_DUCKDB_ON_TYPE_CHANGE=error
TARGET_DUCKDB_ON_BAD_RECORD=quarantine
TARGET_DUCKDB_VALIDATE_RECORDS=true
TARGET_DUCKDB_ADD_METADATA_COLUMNS=true
TARGET_DUCKDB_ADD_RECORD_METADATA=true
TARGET_DUCKDB_FLATTENING_ENABLED=true
TARGET_DUCKDB_FLATTENING_MAX_DEPTH=1
TARGET_DUCKDB_STREAM_MAPS={"dbt_runs": "__NULL__"}
"""


@dataclass
class Demo:
    """What the demo loaded in two runs of one project, with a hostile `.env`, and what is true.

    Attributes:
        database: The DuckDB file.
        printed: What Meltano printed in the first run.
        loaded: After each run, the rows by stream and key, as far as the truth knows the columns.
        true: The same, as the simulator tells it.
    """

    database: Path
    printed: str
    loaded: tuple[Tables, Tables]
    true: tuple[Tables, Tables]


def test_the_demo_run_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test: as several, in several processes, each of these would run the demo again."""
    demo = run_demo_twice(tmp_path)
    assert_the_first_run_loads_all_that_is_true(demo)
    assert_the_demo_is_deaf_to_the_settings_of_others_and_says_so(demo)
    assert_the_second_run_brings_what_is_new_and_changed_and_loses_nothing(demo)
    assert_the_second_run_ends_what_the_first_one_saw_open(demo)
    assert_the_tables_are_a_dataset_of_dlt(demo, monkeypatch)


def run_demo_twice(folder: Path) -> Demo:
    project, database = Project(folder), folder / "output/demo.duckdb"
    (folder / ".env").write_text(DOTENV, "utf-8")
    before = (folder / "meltano.yml").read_text("utf-8")
    printed, loaded, true = [], [], []
    for now in (FIRST, LATER):
        options = " ".join(("--now", now, *SIZES))
        printed.append(project.meltano("run", "demo", CLOUDAPIS_SIMULATOR_OPTIONS=options))
        streams = truth(now)
        true.append({name: by_key(entry["rows"], entry["key"]) for name, entry in streams.items()})
        loaded.append(read(database, "demo", streams))
    assert (folder / "meltano.yml").read_text("utf-8") == before
    return Demo(database, printed[0], (loaded[0], loaded[1]), (true[0], true[1]))


def truth(now: str) -> dict[str, Any]:
    chosen = [word for name in BY_DEFAULT for word in ("--stream", name)]
    command = [str(BIN / "cloudapis-simulator"), "truth", "--now", now, *SIZES, *chosen]
    streams: dict[str, Any] = json.loads(subprocess.check_output(command))["streams"]
    return streams


def read(database: Path, dataset: str, streams: dict[str, Any]) -> Tables:
    """Read from the tables what the truth has: those streams, those columns."""
    tables = {}
    with duckdb.connect(database, read_only=True) as connection:
        for name, entry in streams.items():
            columns = list(entry["rows"][0])
            found = connection.table(f"{dataset}.{name}").select(*columns)
            kinds = [str(kind) for kind in found.types]
            rows = [
                dict(zip(columns, map(plain, values, kinds), strict=True))
                for values in found.fetchall()
            ]
            tables[name] = by_key(rows, entry["key"])
    return tables


def by_key(rows: list[dict[str, Any]], key: list[str]) -> Table:
    table = {tuple(row[column] for column in key): row for row in rows}
    assert len(table) == len(rows), "a key is there twice"
    return table


def plain(value: object, kind: str) -> object:
    """A value as the truth has it: times and dates as text, JSON as what it says."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    if isinstance(value, date):
        return value.isoformat()
    return json.loads(value) if kind == "JSON" and isinstance(value, str) else value


def assert_the_first_run_loads_all_that_is_true(demo: Demo) -> None:
    for name, rows in demo.true[0].items():
        assert demo.loaded[0][name] == rows, name


def assert_the_demo_is_deaf_to_the_settings_of_others_and_says_so(demo: Demo) -> None:
    names = (
        "dbt_account_ids, dbt_job_ids, dbt_project_ids, dbt_token, dbt_url, pulumi_organizations, "
        "pulumi_token, pulumi_url, start_date"
    )
    (line,) = [line for line in demo.printed.splitlines() if "ignores" in line]
    assert line.rstrip().endswith(f"The demo reads all of its simulator, and ignores {names}")
    folder = demo.database.parents[1]
    assert not list(folder.rglob("foreign*"))
    assert [path.name for path in (folder / "output").glob("*.duckdb")] == ["demo.duckdb"]
    columns = {name for (name,) in columns_of(demo.database)}
    assert not {name for name in columns if name.startswith("_sdc_")}


def columns_of(database: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(database, read_only=True) as connection:
        return connection.sql("SELECT DISTINCT column_name FROM duckdb_columns()").fetchall()


def assert_the_second_run_brings_what_is_new_and_changed_and_loses_nothing(demo: Demo) -> None:
    for name, rows in demo.true[1].items():
        loaded, before = demo.loaded[1][name], demo.true[0][name]
        if getattr(KINDS[name], "in_slots", False):
            # Read when its stack has changed, or when it is its turn: as it was or as it is.
            assert all(row in (before.get(key), rows.get(key)) for key, row in loaded.items()), name
            continue
        assert loaded.keys() == rows.keys() | before.keys(), name
        assert {key: loaded[key] for key in rows} == rows, name
    for name in INCREMENTAL:
        assert demo.loaded[1][name].keys() > demo.loaded[0][name].keys()


def assert_the_second_run_ends_what_the_first_one_saw_open(demo: Demo) -> None:
    runs, updates = ([tables[name] for tables in demo.loaded] for name in INCREMENTAL)
    opened = {key for key, run in runs[0].items() if run["status"] not in ENDED}
    assert {key for key in opened if runs[1][key]["status"] in ENDED}
    opened = {key for key, update in updates[0].items() if update["end_time"] is None}
    assert {key for key in opened if updates[1][key]["end_time"]}


def assert_the_tables_are_a_dataset_of_dlt(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    pipeline = dlt.attach(
        pipeline_name="demo",
        destination=dlt.destinations.duckdb(str(demo.database)),
        dataset_name="demo",
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
        project.meltano("run", "tap-cloudapis", "target-jsonl", **variables(simulator))
        streams = simulator.truths(*BY_DEFAULT)
    for name, stream in streams.items():
        lines = (tmp_path / f"output/{name}.jsonl").read_text("utf-8").splitlines()
        rows = by_key([json.loads(line) for line in lines], stream["key"])
        assert rows.keys() == by_key(stream["rows"], stream["key"]).keys()


def variables(simulator: Simulator) -> dict[str, str]:
    """The tap's settings for a simulator."""
    chosen = settings(simulator).items()
    return {f"TAP_CLOUDAPIS_{name.upper()}": str(value) for name, value in chosen}


def test_runs_that_break_off_are_gone_on_with(tmp_path: Path) -> None:
    """In one run the target is killed, in the next one the tap is ended, the third one is whole.

    An answer that does not come holds up the tap in the middle of the first two.
    """
    project, database = Project(tmp_path), tmp_path / "output/cloudapis.duckdb"
    run = ("run", "tap-cloudapis", "target-duckdb")
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps(discover()), "utf-8")
    loaded: Tables = {}
    with Simulator(now=END_OF_HISTORY, **TINY) as simulator:
        streams = simulator.truths(*BY_DEFAULT)
        true = {name: by_key(entry["rows"], entry["key"]) for name, entry in streams.items()}
        order = keys_in_order(simulator)
        how = {
            **variables(simulator),
            "TAP_CLOUDAPIS__CATALOG": str(catalog),  # spares Meltano the discovery
            "TARGET_DUCKDB_BATCH_SIZE_ROWS": "1",
        }
        for plugin, signum, failure in (
            ("target-duckdb", signal.SIGKILL, "Loader failed"),
            ("tap-cloudapis", signal.SIGTERM, "Extractor failed"),
        ):
            simulator.clear_requests()
            simulator.faults([{"path": "/prod/updates$", "status": "hang"}])
            code, log = project.interrupted(plugin, signum, "Committed", *run, **how)
            assert code == 1, log
            assert failure in log
            assert_resumed(simulator, loaded)
            before, loaded = loaded, read_what_is_there(database, streams)
            keys = {(name, key) for name, rows in loaded.items() for key in rows}
            assert keys == set(order[: len(keys)])
            assert 0 < len(keys) < len(order)
            assert all(loaded[name].keys() >= rows.keys() for name, rows in before.items())
            for name, rows in loaded.items():
                assert rows == {key: true[name][key] for key in rows}, name
            simulator.clear_faults()
        simulator.clear_requests()
        project.meltano(*run, **how)
        assert_resumed(simulator, loaded)
        assert read_what_is_there(database, streams) == true


def keys_in_order(simulator: Simulator) -> list[tuple[str, tuple[Any, ...]]]:
    """What an undisturbed sync sends, as streams and keys."""
    outcome = sync(settings(simulator), select=BY_DEFAULT)
    records = [message for message in outcome.messages if "record" in message]
    return [
        (message["stream"], tuple(message["record"][name] for name in KEYS[message["stream"]]))
        for message in records
    ]


def read_what_is_there(database: Path, streams: dict[str, Any]) -> Tables:
    """Read the tables that were made; no row may be of a load that dlt does not know."""
    with duckdb.connect(database, read_only=True) as connection:
        made = {name for (name,) in connection.sql("SELECT name FROM (SHOW ALL TABLES)").fetchall()}
        loads = set(connection.table("cloudapis._dlt_loads").select("load_id").fetchall())
        for name in streams.keys() & made:
            rows = connection.table(f"cloudapis.{name}").select("_dlt_load_id").fetchall()
            assert set(rows) <= loads, name
    return read(
        database, "cloudapis", {name: entry for name, entry in streams.items() if name in made}
    )


def assert_resumed(simulator: Simulator, loaded: Tables) -> None:
    """Nothing was asked for that was loaded before and cannot have changed."""
    requests = simulator.requests()
    if "dbt_runs" in loaded:
        asked = [entry["query"] for entry in requests if entry["stream"] == "dbt_runs"]
        assert asked
        narrow = {"id__gt", "pk__in", "finished_at__range", "status__in"}
        assert all(narrow & query.keys() for query in asked)
    updates = loaded.get("pulumi_stack_updates", {})
    still_open = {key[:3] for key, update in updates.items() if update["end_time"] is None}
    for stack in loaded.get("pulumi_stacks", {}).keys() - still_open:
        path = f"/api/stacks/{'/'.join(stack)}/updates"
        assert path not in {entry["path"] for entry in requests}
