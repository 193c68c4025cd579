"""target-dlt on real destinations: what is loaded, replaced, widened, removed; both engines."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dlt
import pytest

from benchmarks.loader.records import make_record, properties
from target_dlt.errors import LoaderError
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    DATE,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    activate,
    load,
    load_dlt,
    read_by_dlt,
    record,
    schema,
    state,
    typed,
    versioned,
)
from tests.loader.warehouses import Delta, DuckDB, Files, Iceberg, Postgres, Warehouse, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

in_postgres = pytest.param("postgres", marks=needs_postgres)
with_sql = pytest.mark.parametrize("kind", ["duckdb", in_postgres])
in_duckdb = pytest.mark.parametrize("kind", ["duckdb"])
that_merge = pytest.mark.parametrize("kind", ["duckdb", in_postgres, "delta", "iceberg"])
everywhere = pytest.mark.parametrize("kind", ["duckdb", in_postgres, "delta", "iceberg", "files"])
T = schema("t", {"id": INTEGER, "text": STRING}, ["id"])
K = schema("k", {"text": STRING})


@pytest.fixture
def warehouse(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Warehouse:
    if kind == "postgres":
        return Postgres.new(request.getfixturevalue("server"))
    kinds: Mapping[str, Callable[[Path], Warehouse]] = {
        "duckdb": DuckDB,
        "delta": Delta,
        "iceberg": Iceberg,
        "files": Files,
    }
    return kinds[kind](tmp_path)


def wide(numbers: range, seed: int) -> dict[int, dict[str, Any]]:
    chance = random.Random(seed)  # noqa: S311
    made = [make_record(number, chance) for number in numbers]
    return {row["id"]: row for row in made}


def same(row: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a loaded row has the record's values, cell by cell, and nothing else."""
    ours = {name: plain(value) for name, value in row.items() if not name.startswith("_dlt")}
    theirs = {
        name: datetime.fromisoformat(value) if "moment" in name else value
        for name, value in expected.items()
    }
    return ours == theirs


@that_merge
def test_wide_records_are_replaced_by_key_and_read_back_equal(warehouse):
    first, second = wide(range(300), seed=1), wide(range(270, 330), seed=2)
    for records in (first, second):
        messages = [schema("wide", properties(), ["id"])]
        messages += [record("wide", **row) for row in records.values()]
        load_dlt(messages, **warehouse.config)
    expected = first | second
    rows = {row["id"]: row for row in warehouse.rows("wide")}
    assert len(warehouse.rows("wide")) == len(rows) == len(expected)
    assert all(same(rows[key], expected[key]) for key in expected)
    ids = [row["_dlt_id"] for row in rows.values()]
    assert len(set(ids)) == len(ids)


@everywhere
def test_rows_are_added_after_those_of_a_load_that_never_completed_are_removed(
    warehouse, capsys, tmp_path
):
    for n in (1, 2):
        texts = [record("k", text=text) for text in ("", "x", None)]
        load_dlt([K, *texts, state({"n": n})], **warehouse.config)
        if n == 1:
            warehouse.copy_rows("k", "9999999999.5")
            assert len(warehouse.rows("k")) == 6
    assert capsys.readouterr().out == '{"n": 1}\n{"n": 2}\n'
    rows = warehouse.rows("k")
    assert sorted((row["text"] for row in rows), key=str) == ["", "", None, None, "x", "x"]
    assert "9999999999.5" not in {row["_dlt_load_id"] for row in rows}
    pipeline = _restored(warehouse, tmp_path)
    assert pipeline.state["sources"]["singer"] == {"state": {"n": 2}}
    assert pipeline.default_schema.data_table_names() == ["k"]


@in_duckdb
def test_states_come_out_package_by_package(warehouse, capsys):
    messages = [T]
    for n in range(3):
        messages += [record("t", id=n), state(n)]
    load_dlt([*messages, record("t", id=0, text="again")], **warehouse.config, batch_size_rows=1)
    assert capsys.readouterr().out == "0\n1\n2\n"
    assert len(warehouse.rows("_dlt_loads")) == 4
    assert {row["id"]: row["text"] for row in warehouse.rows("t")} == {0: "again", 1: None, 2: None}


def _restored(warehouse: Warehouse, folder: Path) -> dlt.Pipeline:
    """The pipeline as dlt finds it where it never was."""
    name, options = warehouse.config["destination"], warehouse.config["destination_config"]
    return dlt.attach(
        "raw",
        pipelines_dir=str(folder / "elsewhere"),
        destination=dlt.destination(name, **options),
        dataset_name="raw",
    )


def test_both_engines_go_on_with_what_the_other_wrote(tmp_path):
    path, alone = tmp_path / "both.duckdb", tmp_path / "alone.duckdb"
    engines = ["duckdb", "package", "duckdb", "package"]
    for n, engine in enumerate(engines):
        messages = [
            schema("t", {"id": INTEGER, "value": NUMBER if n > 1 else INTEGER}, ["id"]),
            *(record("t", id=key, value=key * 10 + n + (0.5 if n > 1 else 0)) for key in (n, 9)),
            *([record("t", id=100 + n, **{f"New {n}": {"deep": n}})]),
            K,
            record("k", text=str(n)),
            state({"n": n}),
        ]
        load(path, messages, default_target_schema="raw", pipeline_name="p", engine=engine)
        load(alone, messages, default_target_schema="raw", pipeline_name="p")
    both = _attached(path, tmp_path / "pipelines")
    one = _attached(alone, tmp_path / "pipelines")
    for table, columns in {"t": "id, value, new_0, new_1, new_2, new_3", "k": "text"}.items():
        query = f"SELECT {columns} FROM raw.{table} ORDER BY ALL"  # noqa: S608
        with both.sql_client() as client, one.sql_client() as other:
            assert client.execute_sql(query) == other.execute_sql(query)
    assert both.state["sources"] == one.state["sources"] == {"singer": {"state": {"n": 3}}}
    with both.sql_client() as client:
        assert client.execute_sql("SELECT count(*), sum(status) FROM raw._dlt_loads") == [(4, 0)]
        orphans = "SELECT 1 FROM raw.t WHERE _dlt_load_id NOT IN (SELECT load_id FROM _dlt_loads)"
        assert client.execute_sql(orphans) == []
    assert len(read_by_dlt(both.dataset().t)) == 9
    tables = both.default_schema.tables
    assert {c: tables["t"]["columns"][c]["data_type"] for c in ("id", "value", "new_0")} == {
        "id": "bigint",
        "value": "double",
        "new_0": "json",
    }


def _attached(path: Path, folder: Path) -> dlt.Pipeline:
    destination = dlt.destinations.duckdb(str(path))
    pipelines = str(folder / path.stem)
    return dlt.attach("p", pipelines_dir=pipelines, destination=destination, dataset_name="raw")


@with_sql
def test_columns_are_widened_in_the_table_and_where_merges_are_staged(warehouse):
    first: dict[str, tuple[Any, Any, Any]] = {
        "count": (INTEGER, 2**53, float(2**53)),
        "big": (INTEGER, 2**53 + 1, 2**53 + 1),
        "day": (DATE, "2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        "at": (MOMENT, "2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05.000000Z"),
        "flag": (typed("boolean"), True, "true"),
        "tree": (typed("object"), {"a": 1.50}, '{"a": 1.5}'),
        "word": (typed("object", "string"), "pine", "pine"),
    }
    second: dict[str, tuple[Any, Any, Any]] = {
        "count": (NUMBER, 1.5, 1.5),
        "big": (NUMBER, 1.5, None),
        "day": (MOMENT, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        "at": (STRING, "soon", "soon"),
        "flag": (STRING, "maybe", "maybe"),
        "tree": (STRING, "oak", "oak"),
        "word": (STRING, "fir", "fir"),
    }
    for key, columns in enumerate([first, first, second], 1):
        types = {name: column[0] for name, column in columns.items()}
        values = {name: column[1] for name, column in columns.items()}
        messages = [schema("t", {"id": INTEGER, **types}, ["id"]), record("t", id=key, **values)]
        load_dlt(messages, **warehouse.config)
    rows = {row["id"]: row for row in warehouse.rows("t")}
    for key, columns in {2: first, 3: second}.items():
        for name, column in columns.items():
            assert (name, rows[key][name]) == (name, column[2])
    assert [rows[key]["big__v_double"] for key in (2, 3)] == [None, 1.5]


@that_merge
def test_a_table_changes_beside_a_stream_without_rows(warehouse):
    """The empty stream's table is made before the package, which must know the changes, too."""
    first = schema("t", {"id": INTEGER, "n": INTEGER, "day": DATE}, ["id"])
    load_dlt([first, record("t", id=1, n=5, day="2026-01-02")], **warehouse.config)
    second = schema("t", {"id": INTEGER, "n": NUMBER, "day": MOMENT, "z": NUMBER}, ["id"])
    for key in (2, 3):
        row = record("t", id=key, n=2.5, day="2026-01-02T13:14:15Z", z=0.5)
        load_dlt([second, row, schema("empty", {"x": STRING}, ["x"])], **warehouse.config)
    found = sorted(warehouse.rows("t"), key=lambda row: row["id"])
    moment = datetime(2026, 1, 2, 13, 14, 15, tzinfo=UTC)
    for row in found[1:]:
        assert row.get("n__v_double", row["n"]) == 2.5
        assert (row.get("day__v_timestamp", row["day"]), row["z"]) == (moment, 0.5)
    assert (found[0]["n"], found[0]["z"]) == (5, None)


@needs_postgres
def test_times_without_a_zone_stay_in_utc_in_any_session(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PGTZ", "America/New_York")
    warehouse = Postgres.new(server)
    at = {"data_type": "timestamp", "timezone": False}
    columns: Any = {
        "id": {"data_type": "bigint", "primary_key": True},
        "coarse": {**at, "precision": 3},
        "at": {**at},
        "later_text": {**at},
    }
    pipeline = dlt.pipeline(
        "raw",
        pipelines_dir=str(tmp_path),
        destination=dlt.destinations.postgres(
            warehouse.config["destination_config"]["credentials"]
        ),
        dataset_name="raw",
    )
    moment = datetime(2026, 1, 2, 3, 4, 5, 123000, tzinfo=UTC)
    times = ("coarse", "at", "later_text")
    pipeline.run(
        [{"id": 1, **dict.fromkeys(times, moment)}],
        table_name="t",
        write_disposition="merge",
        columns=columns,
    )
    kinds = {"id": INTEGER, "coarse": MOMENT, "at": MOMENT, "later_text": STRING}
    text = "2026-01-02T03:04:05.123456Z"
    for key in (2, 3):
        messages = [schema("t", kinds, ["id"]), record("t", id=key, **dict.fromkeys(times, text))]
        load_dlt(messages, **warehouse.config)
    rows = {row["id"]: [row[name] for name in times] for row in warehouse.rows("t")}
    naive = moment.replace(tzinfo=None)
    assert rows[1] == [naive, naive, "2026-01-02T03:04:05.123000Z"]
    exact = naive.replace(microsecond=123456)
    assert rows[2] == rows[3] == [exact, exact, text]


@with_sql
def test_values_get_a_column_of_their_own_where_a_view_or_an_index_is_in_the_way(warehouse, caplog):
    load_dlt(
        [schema("t", {"id": INTEGER, "n": INTEGER}, ["id"]), record("t", id=1, n=7)],
        **warehouse.config,
    )
    warehouse.execute(
        "CREATE VIEW raw.v AS SELECT n FROM raw.t"
        if isinstance(warehouse, Postgres)
        else "CREATE INDEX i ON raw.t (n)"
    )
    later = [schema("t", {"id": INTEGER, "n": NUMBER}, ["id"]), record("t", id=2, n=1.5)]
    load_dlt(later, **warehouse.config)
    assert "stream 't': column 'n' cannot become double: " in caplog.text
    rows = {row["id"]: (row["n"], row["n__v_double"]) for row in warehouse.rows("t")}
    assert rows == {1: (7, None), 2: (None, 1.5)}


@with_sql
def test_a_column_is_not_widened_twice_after_a_kill(warehouse):
    """A process may die after the database has changed a column, before the schema is stored."""

    def messages(key, kind, at):
        columns = {"id": INTEGER, "moment": kind}
        return [schema("t", columns, ["id"]), record("t", id=key, moment=at)]

    load_dlt(messages(1, MOMENT, "2026-01-02T03:04:05Z"), **warehouse.config)
    warehouse.execute("ALTER TABLE raw.t ALTER COLUMN moment TYPE varchar USING 'as it was'")
    load_dlt(messages(2, STRING, "soon"), **warehouse.config)
    assert [row["moment"] for row in warehouse.rows("t")] == ["as it was", "soon"]


@pytest.mark.parametrize("kind", ["delta"])
def test_values_of_another_type_get_a_column_where_none_can_be_widened(warehouse):
    load_dlt(
        [schema("t", {"id": INTEGER, "n": INTEGER}, ["id"]), record("t", id=1, n=7)],
        **warehouse.config,
    )
    later = [schema("t", {"id": INTEGER, "n": NUMBER}, ["id"]), record("t", id=2, n=1.5)]
    load_dlt([*later, record("t", id=3, n=2)], **warehouse.config)
    rows = {row["id"]: (row["n"], row["n__v_double"]) for row in warehouse.rows("t")}
    assert rows == {1: (7, None), 2: (None, 1.5), 3: (None, 2.0)}


@pytest.mark.parametrize("kind", [in_postgres, "delta", "iceberg"])
def test_rows_of_older_versions_are_marked_or_deleted(warehouse):
    columns = schema("t", {"id": INTEGER, "_sdc_deleted_at": MOMENT}, ["id"])
    load_dlt(
        [columns, record("t", id=0), *(versioned("t", 1, id=n) for n in (1, 2))], **warehouse.config
    )
    newer = [versioned("t", 2, id=2), versioned("t", 2, id=3), activate("t", 2)]
    load_dlt([columns, *newer, record("t", id=4)], **warehouse.config)
    marks = {row["id"]: row["_sdc_deleted_at"] for row in warehouse.rows("t")}
    assert [key for key in sorted(marks) if marks[key]] == [0, 1]
    assert set(marks) == {0, 1, 2, 3, 4}
    assert abs((datetime.now(UTC) - marks[1]).total_seconds()) < 3600
    gone = versioned("t", 3, id=3, _sdc_deleted_at="2026-01-01T00:00:00Z")
    latest = [versioned("t", 3, id=1), gone, activate("t", 3)]
    load_dlt([columns, *latest], **warehouse.config, hard_delete=True)
    assert [row["id"] for row in warehouse.rows("t")] == [1]


@pytest.mark.parametrize("kind", [in_postgres, "iceberg"])
def test_overwrite_leaves_what_this_run_brought(warehouse):
    config = {**warehouse.config, "load_method": "overwrite", "batch_size_rows": 1}
    old = [T, K, record("t", id=1, text="old"), record("k", text="x")]
    new = [T, K, record("t", id=2, text="new"), state(2), record("t", id=4, text="new"), state(4)]
    for messages in (old, new):
        load_dlt(messages, **config)
    assert {(row["id"], row["text"]) for row in warehouse.rows("t")} == {(2, "new"), (4, "new")}
    assert warehouse.rows("k") == []


@pytest.mark.parametrize("kind", ["files"])
def test_parquet_files_are_only_added_to_and_say_so(warehouse, caplog):
    with pytest.raises(LoaderError, match="cannot be replaced by key: set table_format to delta"):
        load_dlt([T, record("t", id=1)], **warehouse.config)
    messages = [T, versioned("t", 1, id=1), activate("t", 1)]
    for _ in range(2):
        load_dlt(messages, **warehouse.config, load_method="append-only")
    assert [row["id"] for row in warehouse.rows("t")] == [1, 1]
    assert "stream 't': rows that are gone stay as they are" in caplog.text
    for text in ("old", "new"):
        load_dlt([K, record("k", text=text)], **warehouse.config, load_method="overwrite")
    assert [row["text"] for row in warehouse.rows("k")] == ["new"]


@pytest.mark.parametrize("kind", ["delta"])
def test_tables_of_another_format_are_not_mixed(warehouse):
    load_dlt([T, record("t", id=1)], **warehouse.config)
    with pytest.raises(LoaderError, match="the format of its table is 'delta'"):
        load_dlt([T, record("t", id=2)], **{**warehouse.config, "table_format": "iceberg"})
    assert [row["id"] for row in warehouse.rows("t")] == [1]


@pytest.mark.parametrize("kind", [in_postgres])
def test_names_longer_than_the_database_has_them_stay_apart(warehouse, tmp_path):
    names = [f"{'long' * 20}_{n}" for n in range(2)]
    messages = [schema(names[0], {"id": INTEGER, **dict.fromkeys(names, INTEGER)}, ["id"])]
    for key in (1, 2):
        row = {"id": key, names[0]: key, names[1]: f"misfit {key}" if key == 2 else -key}
        load_dlt([*messages, record(names[0], **row)], **warehouse.config)
    pipeline = _restored(warehouse, tmp_path)
    (table,) = pipeline.default_schema.data_table_names()
    rows = {row.pop("id"): row for row in warehouse.rows(table)}
    values = [
        [value for name, value in row.items() if not name.startswith("_dlt")]
        for row in rows.values()
    ]
    assert sorted(values, key=str) == [[1, -1, None], [2, None, "misfit 2"]]


@in_duckdb
@pytest.mark.parametrize("loads", [1, 2])
def test_the_first_load_of_all_is_cleared_away_if_it_never_completed(warehouse, loads):
    for _ in range(loads):
        load_dlt([K, record("k", text="x")], **warehouse.config)
    warehouse.execute("DELETE FROM raw._dlt_loads")
    load_dlt([T, record("t", id=1)], **warehouse.config)
    assert len(warehouse.rows("k")) == (0 if loads == 1 else 2)  # two: dlt was made to forget


@in_duckdb
def test_rows_whose_loads_dlt_has_forgotten_stay(warehouse):
    load_dlt([K, record("k", text="known")], **warehouse.config)
    warehouse.copy_rows("k", "1000000000.5")
    load_dlt([K, record("k", text="new")], **warehouse.config)
    assert sorted(row["text"] for row in warehouse.rows("k")) == ["known", "known", "new"]
