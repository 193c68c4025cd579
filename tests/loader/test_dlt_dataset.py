"""The file is a dlt dataset: read by dlt's own tools, and gone on with by dlt's pipelines."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.common.schema import Schema

from target_dlt.errors import LoaderError
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    DECIMAL,
    INTEGER,
    MOMENT,
    STRING,
    dlt_attach,
    dlt_pipeline,
    fails_on_duckdb_2,
    load,
    load_dlt,
    query,
    read_by_dlt,
    record,
    schema,
    state,
    typed,
)
from tests.loader.test_duckdb_versions import number_of
from tests.loader.warehouses import DuckDB, Postgres, plain

if TYPE_CHECKING:
    from tests.loader.warehouses import Database

ROOT = Path(__file__).parents[2]
PROPERTIES = {"id": INTEGER, "name": STRING, "at": MOMENT, "tree": typed("object")}
STREAM = [
    schema("Runs", PROPERTIES, ["id"]),
    record("Runs", id=1, name="a", at="2026-01-02T03:04:05Z", tree={"b": 1}),
    record("Runs", id=2, name="b"),
    state({"bookmarks": {"Runs": {"id": 2}}}),
]


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def attach(path, name, dataset, folder):
    return dlt_attach(path, name, dataset, folder / "pipelines")


@pytest.mark.parametrize(
    ("file", "setting", "dataset", "name"),
    [
        ("sales", None, "main", "sales"),
        ("sales", "raw", "raw", "sales"),
        ("cloudapis", "cloudapis", "cloudapis", "cloudapis"),
        ("CloudAPIs", "CloudAPIs", "cloud_ap_is", "CloudAPIs"),
        ("Sales", "sales", "sales", "Sales"),
        ("main", None, "main", "main"),
        ("my.data-file", "My-Data", "my_data", "my_data-file"),
    ],
)
def test_attach_reads_everything_back(folder, file, setting, dataset, name):
    path = folder / f"{file}.duckdb"
    config = {} if setting is None else {"default_target_schema": setting}
    for _ in range(2):
        load(path, STREAM, **config)
    pipeline = attach(path, name, dataset, folder)
    assert pipeline.state["sources"]["singer"]["state"] == {"bookmarks": {"Runs": {"id": 2}}}
    assert {"runs", "_dlt_loads", "_dlt_version"} <= set(pipeline.dataset().tables)
    rows = read_by_dlt(pipeline.dataset().runs)
    assert [(row["id"], row["name"], row["tree"]) for row in rows] == [
        (1, "a", '{"b": 1}'),
        (2, "b", None),
    ]
    assert rows[0]["at"].isoformat() == "2026-01-02T03:04:05+00:00"
    loads = read_by_dlt(pipeline.dataset()["_dlt_loads"])
    assert {row["_dlt_load_id"] for row in rows} <= {load["load_id"] for load in loads}
    assert len({row["_dlt_id"] for row in rows}) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{14}", row["_dlt_id"]) for row in rows)
    counted = read_by_dlt(pipeline.dataset().row_counts())
    assert counted == [{"table_name": "runs", "row_count": 2}]


def test_the_ways_in_which_dlt_reads_a_table(folder):
    path = folder / "sales.duckdb"
    load(path, STREAM)
    dataset = attach(path, "sales", "main", folder).dataset()
    assert [batch.num_rows for batch in dataset.runs.iter_arrow(chunk_size=1)] == [1, 1]
    chosen = dataset.runs.select("id", "name").where("id", "eq", 2).order_by("id").limit(1)
    assert chosen.fetchall() == [(2, "b")]
    assert dataset("SELECT tree->>'b' FROM runs WHERE id = 1").fetchall() == [("1",)]
    assert dataset.runs.select("id").max().fetchscalar() == 2
    command = [
        str(Path(sys.executable).parent / "dlt"),
        *("pipeline", "--pipelines-dir", str(folder / "pipelines"), "sales", "info"),
    ]
    environment = {
        **os.environ,
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DESTINATION__DUCKDB__CREDENTIALS": str(path),
    }
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env=environment
    ).stdout
    assert "default_schema_name: sales" in told
    assert "runs with 1 table(s)" in told


def test_a_schema_named_as_its_file_is_found_in_sql(folder):
    path = folder / "cloudapis.duckdb"
    load(path, STREAM, default_target_schema="cloudapis")
    assert query(path, "SELECT count(*) FROM cloudapis.runs") == [(2,)]


def test_a_file_that_has_a_schema_of_its_own_name_is_refused(folder):
    import duckdb  # noqa: PLC0415

    path = folder / "cloudapis.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA cloudapis.cloudapis")
    with pytest.raises(LoaderError, match="choose another default_target_schema"):
        load(path, STREAM, default_target_schema="cloudapis")


def test_a_later_dlt_pipeline_merges_into_our_tables(folder):
    path = folder / "sales.duckdb"
    load(path, STREAM)
    pipeline = dlt_pipeline(path, "sales", "main", folder / "other")
    rows = [{"id": 2, "name": "changed"}, {"id": 3, "name": "new", "more": 5}]
    pipeline.run(rows, table_name="runs", write_disposition="merge")
    load(path, [STREAM[0], record("Runs", id=1, name="again"), state({"n": 2})])
    assert query(path, "SELECT id, name, more FROM runs ORDER BY id") == [
        (1, "again", None),
        (2, "changed", None),
        (3, "new", 5),
    ]
    assert query(path, "SELECT count(*) FROM _dlt_loads") == [(3,)]
    restored = attach(path, "sales", "main", folder)
    assert restored.state["sources"]["singer"]["state"] == {"n": 2}
    assert set(restored.default_schema.get_table_columns("runs")) >= {"id", "name", "more"}


def test_columns_of_a_dlt_pipeline_that_hold_less_are_widened(folder):
    """Precision is a hint of dlt's that no Singer schema has: 1.239 must not become 1.24."""
    path = folder / "sales.duckdb"
    pipeline = dlt_pipeline(path, "sales", "main", folder / "theirs")
    narrow = dlt.resource(
        [{"id": 1, "price": Decimal("1.25"), "small": 7, "unseen": None}],
        name="t",
        write_disposition="merge",
        primary_key="id",
        columns={
            "price": {"data_type": "decimal", "precision": 10, "scale": 2},
            "small": {"data_type": "bigint", "precision": 32},
        },
    )
    pipeline.run(narrow)
    properties = {"id": INTEGER, "price": DECIMAL, "small": INTEGER, "unseen": STRING}
    rows = [record("t", id=2, price="1.239", small=2**40, unseen="x")]
    load(path, [schema("t", properties, ["id"]), *rows])
    expected = [(1, Decimal("1.25"), 7, None), (2, Decimal("1.239"), 2**40, "x")]
    assert query(path, "SELECT id, price, small, unseen FROM t ORDER BY id") == expected
    stored = attach(path, "sales", "main", folder).default_schema.get_table_columns("t")
    assert (stored["price"]["precision"], stored["price"]["scale"]) == (38, 9)
    assert "precision" not in stored["small"]


def test_our_stored_documents_are_those_of_a_dlt_pipeline(folder):
    """Contract: the system tables have the columns and the contents that dlt itself writes."""
    ours, theirs = folder / "ours.duckdb", folder / "theirs.duckdb"
    load(ours, STREAM, pipeline_name="same")
    pipeline = dlt_pipeline(theirs, "same", "main", folder / "pipelines")
    pipeline.run(
        [{"id": 1, "name": "a"}], table_name="runs", write_disposition="merge", primary_key="id"
    )
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE schema_name = 'main' AND table_name LIKE '\\_dlt%' ESCAPE '\\' ORDER BY ALL"
    )
    assert query(ours, columns) == query(theirs, columns)
    for sql in (
        "SELECT schema_name, status FROM _dlt_loads",
        "SELECT pipeline_name, engine_version, version FROM _dlt_pipeline_state",
        "SELECT schema_name, engine_version FROM _dlt_version",
    ):
        assert query(ours, sql) == query(theirs, sql)
    documents = [_stored_schema(path) for path in (ours, theirs)]
    for system in ("_dlt_loads", "_dlt_version", "_dlt_pipeline_state"):
        ours_, theirs_ = (_types(document.tables[system]) for document in documents)
        assert ours_ == theirs_
    our_table, their_table = (document.tables["runs"] for document in documents)
    assert our_table["write_disposition"] == their_table["write_disposition"]
    assert our_table["x-normalizer"] == their_table["x-normalizer"]
    for column in ("id", "name"):
        assert our_table["columns"][column] == their_table["columns"][column]


def _types(table):
    return {name: (c["data_type"], c["nullable"]) for name, c in table["columns"].items()}


def _stored_schema(path):
    import json  # noqa: PLC0415

    ((text, version_hash),) = query(path, "SELECT schema, version_hash FROM _dlt_version")
    schema = Schema.from_stored_schema(json.loads(text))
    assert schema.version_hash == version_hash
    return schema


def test_what_was_dropped_by_hand_is_made_again(folder):
    import duckdb  # noqa: PLC0415

    path = folder / "sales.duckdb"
    load(path, STREAM)
    with duckdb.connect(str(path)) as connection:
        connection.execute("DROP TABLE runs")
    load(path, STREAM)
    assert query(path, "SELECT count(*) FROM runs") == [(2,)]


def test_two_pipelines_share_a_dataset(folder):
    path = folder / "sales.duckdb"
    load(path, STREAM, pipeline_name="one")
    load(path, [schema("other", {"id": INTEGER}), record("other", id=1)], pipeline_name="two")
    load(path, STREAM, pipeline_name="one")
    assert query(path, "SELECT count(*) FROM runs") == [(2,)]
    assert set(attach(path, "one", "main", folder).default_schema.data_table_names()) == {"runs"}
    assert set(attach(path, "two", "main", folder).default_schema.data_table_names()) == {"other"}


def documented(file, heading, language="python"):
    """The programs of a language below a heading of the docs, up to the next heading."""
    text = ROOT.joinpath(file).read_text()
    (section,) = re.findall(rf"^#+ {heading}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def execute(program):
    names: dict[str, Any] = {}
    exec(compile(program, "docs", "exec"), names)  # noqa: S102 (our own text)
    return names


def dbt_runs(*numbers, **more):
    """The stream of the docs, with more columns than it had, if any are given."""
    rows = [record("dbt_runs", id=number, **more) for number in numbers]
    return [schema("dbt_runs", {"id": INTEGER, **dict.fromkeys(more, STRING)}, ["id"]), *rows]


@fails_on_duckdb_2(AttributeError)
@pytest.mark.parametrize(
    ("place", "path", "dataset"),
    [
        (("README.md", "Try it"), "output/demo.duckdb", "demo"),
        (("docs/loader.md", "Reading it with dlt"), "output/warehouse.duckdb", "raw"),
    ],
)
def test_the_documented_way_to_read_sees_this_folder_as_it_is(
    folder, monkeypatch, place, path, dataset
):
    monkeypatch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
    program = documented(*place)[0]
    for number in (1, 2):
        here = folder / str(number)
        here.mkdir()
        monkeypatch.chdir(here)
        load(here / path, dbt_runs(number), default_target_schema=dataset)
        assert execute(program)["runs"]["id"].to_pylist() == [number]
        more = [*dbt_runs(9, new="x"), schema("other", {"id": INTEGER}), record("other", id=1)]
        load(here / path, more, default_target_schema=dataset)
        names = execute(program)
        assert sorted(names["runs"].select(["id", "new"]).to_pylist(), key=itemgetter("id")) == [
            {"id": number, "new": None},
            {"id": 9, "new": "x"},
        ]
        assert set(names["dataset"].tables) >= {"dbt_runs", "other"}
        assert "new" in names["dataset"].schema.get_table_columns("dbt_runs")
    assert not (folder / "dlt").exists()


def test_the_documented_way_to_attach_follows_the_state(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
    path = folder / "output" / "warehouse.duckdb"
    _, program = documented("docs/loader.md", "Reading it with dlt")
    for number in (1, 2):
        messages = [*dbt_runs(number, **{f"c{number}": "x"}), state({"n": number})]
        load(path, messages, default_target_schema="raw")
        names = execute(program)
        assert names["state"] == {"n": number}
        columns = names["pipeline"].default_schema.get_table_columns("dbt_runs")
        assert f"c{number}" in columns
    load(path, dbt_runs(3, c3="x"), default_target_schema="raw")
    names["pipeline"].drop()
    columns = execute(program)["pipeline"].default_schema.get_table_columns("dbt_runs")
    assert "c3" in columns


ITEM = {
    "type": "object",
    "properties": {
        "price": DECIMAL,
        "at": MOMENT,
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
ORDERS = [
    schema("orders", {"id": INTEGER, "items": {"type": "array", "items": ITEM}}, ["id"]),
    record("orders", id=1, items=[{"price": "1.25", "tags": ["a", "b"]}, {"tags": []}]),
    record("orders", id=2, items=[{"at": "2026-01-02T03:04:05Z", "tags": ["c"]}]),
    record("orders", id=3, items=[]),
]


@pytest.mark.parametrize("kind", ["duckdb", pytest.param("postgres", marks=needs_postgres)])
def test_the_documented_way_to_another_destination(folder, monkeypatch, request, kind):
    """All rows, ids, types and parents arrive, and the dataset is gone on with there."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
    (program,) = documented("docs/loader.md", "When one machine is outgrown")
    assert 'destination="postgres"' in program
    assert "chunk_size=50_000" in program
    program = program.replace("chunk_size=50_000", "chunk_size=1")  # tables of several chunks
    warehouse: Database
    destination: Any = "postgres"
    if kind == "postgres":
        warehouse = Postgres.new(request.getfixturevalue("server"))
        for name, value in warehouse.config["destination_config"]["credentials"].items():
            monkeypatch.setenv(f"DESTINATION__POSTGRES__CREDENTIALS__{name.upper()}", str(value))
    else:
        warehouse = DuckDB(folder)
        destination = dlt.destinations.duckdb(str(warehouse.path))
        program = program.replace('"postgres"', f"dlt.destinations.duckdb({str(warehouse.path)!r})")
    path = folder / "output" / "warehouse.duckdb"
    load(path, STREAM, default_target_schema="raw")
    _, attach_first = documented("docs/loader.md", "Reading it with dlt")
    execute(attach_first)  # dlt's copy of what there is now must not be what is moved
    load(path, ORDERS, default_target_schema="raw", nesting="tables")

    execute(program)
    there = dlt.dataset(destination, "raw")
    here = dlt.dataset(dlt.destinations.duckdb(str(path)), "raw")
    names = ["orders", "orders__items", "orders__items__tags", "runs"]
    assert sorted(here.schema.data_table_names()) == names
    assert sorted(there.schema.data_table_names()) == names
    for name in names:
        assert _by_id(warehouse.rows(name)) == _by_id(read_by_dlt(here[name]))
        ours, theirs = (dataset.schema.get_table(name) for dataset in (here, there))
        assert theirs["columns"] == ours["columns"]
        assert theirs.get("parent") == ours.get("parent")
        assert theirs.get("resource") == ours.get("resource")
    assert dict(theirs)["x-singer-stream"] == "Runs"
    assert _tables_that_give_ids(there) == {"orders", "runs"}

    pipeline = dlt.pipeline(
        "warehouse", destination=destination, dataset_name="raw", pipelines_dir=str(folder / "next")
    )
    changed = [{"id": 1, "items": [{"price": Decimal(2), "tags": ["d"]}]}]
    pipeline.run(changed, table_name="orders", write_disposition="merge")
    load_dlt([*STREAM[:2], ORDERS[0], ORDERS[2]], **warehouse.config, pipeline_name="warehouse")
    assert sorted(row["id"] for row in warehouse.rows("runs")) == [1, 2]
    orders = {row["id"]: plain(row["items"]) for row in warehouse.rows("orders")}
    assert orders == {1: None, 2: [{"at": "2026-01-02T03:04:05Z", "tags": ["c"]}], 3: None}
    assert [row["price"] for row in warehouse.rows("orders__items")] == [2]
    assert [row["value"] for row in warehouse.rows("orders__items__tags")] == ["d"]


def _by_id(rows):
    return {row["_dlt_id"]: {name: plain(value) for name, value in row.items()} for row in rows}


def _tables_that_give_ids(dataset):
    """The tables whose row ids dlt puts into `_dlt_root_id` of the tables below them."""
    return set(dataset.schema.to_dict()["normalizers"]["json"]["config"]["propagation"]["tables"])


def test_the_documented_way_to_compact_a_file(folder, monkeypatch):
    import duckdb  # noqa: PLC0415

    (program,) = documented("docs/loader.md", "Compacting a file", "sql")
    monkeypatch.chdir(folder)
    path = folder / "output" / "warehouse.duckdb"
    items = schema("Runs", {**PROPERTIES, "items": typed("array")}, ["id"])
    digits = random.Random(1)  # noqa: S311 (text that DuckDB cannot make small)
    texts = [f"{digits.getrandbits(1_000_000):x}" for _ in range(8)]
    rows = [record("Runs", id=n, name=text, items=[1, 2]) for n, text in enumerate(texts)]
    for some in (rows, rows[2:]):  # two old rows stay beside six that are gone
        load(path, [items, *some], nesting="tables", default_target_schema="raw")
    with duckdb.connect() as connection:
        connection.execute(program)
    compact = folder / "output" / "compact.duckdb"
    assert compact.stat().st_size < path.stat().st_size
    assert number_of(compact) == number_of(path)
    compact.rename(path)
    load(path, [items, rows[0], state(9)], nesting="tables", default_target_schema="raw")
    assert query(path, "SELECT count(*) FROM raw.runs__items") == [(16,)]
    restored = attach(path, "warehouse", "raw", folder)
    assert restored.state["sources"]["singer"]["state"] == 9
