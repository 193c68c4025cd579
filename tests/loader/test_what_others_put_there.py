"""What users and dlt pipelines put on the tables is part of the destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest

from target_dlt.errors import LoaderError
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    ENGINES,
    INTEGER,
    NUMBER,
    STRING,
    activate,
    dlt_pipeline,
    load,
    load_dlt,
    query,
    record,
    schema,
    state,
    versioned,
)
from tests.loader.warehouses import Postgres

if TYPE_CHECKING:
    from pathlib import Path

HEAD = schema("t", {"id": INTEGER, "name": STRING}, ["id"])
COUNT = 3000  # more than DuckDB handles at a time
INDEXES = {
    "one": ["CREATE UNIQUE INDEX one ON t(id)"],
    "several": ["CREATE UNIQUE INDEX one ON t(id)", "CREATE UNIQUE INDEX two ON t(name, id)"],
    "an expression": ["CREATE UNIQUE INDEX one ON t((id * 2))"],
    "a key": ["ALTER TABLE t ADD PRIMARY KEY (id)"],
    "not unique": ["CREATE INDEX one ON t(name)"],
}


def rows(name: str) -> list[str]:
    return [HEAD, *(record("t", id=n, name=name) for n in range(COUNT)), state(name)]


@pytest.mark.parametrize("index", INDEXES)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("load_method", ["upsert", "overwrite"])
def test_rows_are_replaced_under_an_index(
    tmp_path: Path, engine: str, load_method: str, index: str
) -> None:
    path = tmp_path / "a.duckdb"
    config: dict[str, Any] = {"engine": engine, "load_method": load_method}
    load(path, rows("old"), **config)
    with duckdb.connect(str(path)) as connection:
        for statement in INDEXES[index]:
            connection.execute(statement)
    for name in ("new", "newer"):
        load(path, rows(name), **config)
        found = query(path, "SELECT name, count(DISTINCT id), count(*) FROM t GROUP BY name")
        assert found == [(name, COUNT, COUNT)]


@pytest.mark.parametrize("hard_delete", [True, False])
def test_rows_of_older_versions_go_under_a_unique_index(tmp_path: Path, hard_delete: bool) -> None:
    path = tmp_path / "a.duckdb"
    for version in (1, 2):
        lines = [versioned("t", version, id=n, name="a") for n in range(version, version + 2)]
        load(path, [HEAD, *lines, activate("t", version), state(version)], hard_delete=hard_delete)
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS one ON t(id)")
    condition = "" if hard_delete else "WHERE _sdc_deleted_at IS NULL"
    assert query(path, f"SELECT id FROM t {condition} ORDER BY id") == [(2,), (3,)]  # noqa: S608


def test_arrays_are_replaced_under_a_unique_index(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    head = schema("t", {"id": INTEGER}, ["id"])
    for value in ("a", "b"):
        lines = [record("t", id=n, tags=[value] * 2) for n in range(3)]
        load(path, [head, *lines, state(value)], nesting="tables")
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS one ON t__tags(_dlt_id)")
    assert query(path, "SELECT value, count(*) FROM t__tags GROUP BY value") == [("b", 6)]


CONTRACTS: dict[str, tuple[dict[str, str], list[str], str]] = {
    "a new column": (
        {"columns": "freeze"},
        [schema("t", {"id": INTEGER, "n": INTEGER, "more": STRING}, ["id"]), record("t", id=2)],
        "'more' has no column yet.*columns: freeze",
    ),
    "a new column that is to be left out": (
        {"columns": "discard_value"},
        [schema("t", {"id": INTEGER, "n": INTEGER, "more": STRING}, ["id"]), record("t", id=2)],
        "'more' has no column yet.*columns: discard_value",
    ),
    "a column that is to be widened": (
        {"data_type": "freeze"},
        [schema("t", {"id": INTEGER, "n": NUMBER}, ["id"]), record("t", id=2, n=1.5)],
        "'n' has values of type double.*data_type: freeze",
    ),
    "a variant": (
        {"data_type": "freeze"},
        [schema("t", {"id": INTEGER, "n": INTEGER}, ["id"]), record("t", id=2, n="x")],
        "'n' has values of type text.*data_type: freeze",
    ),
}


@pytest.mark.parametrize("case", CONTRACTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_contract_of_dlt_is_heeded(tmp_path: Path, engine: str, case: str) -> None:
    contract, lines, error = CONTRACTS[case]
    path = tmp_path / "shop.duckdb"
    pipeline = dlt_pipeline(path, "shop", "raw", tmp_path / "dlt")
    pipeline.run(
        [{"id": 1, "n": 5}],
        table_name="t",
        primary_key="id",
        write_disposition="merge",
        schema_contract=contract,  # type: ignore[arg-type]
    )
    config: dict[str, Any] = {"engine": engine, "default_target_schema": "raw"}
    with pytest.raises(LoaderError, match=f"stream 't': {error}") as caught:
        load(path, [*lines, state(1)], **config)
    assert "\n" not in str(caught.value)
    assert query(path, "SELECT id FROM raw.t") == [(1,)]
    # What changes nothing is loaded.
    head = schema("t", {"id": INTEGER, "n": INTEGER}, ["id"])
    load(path, [head, record("t", id=2, n=7), state(2)], **config)
    assert query(path, "SELECT id, n FROM raw.t ORDER BY id") == [(1, 5), (2, 7)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_contract_about_tables_is_heeded(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "shop.duckdb"
    pipeline = dlt_pipeline(path, "shop", "raw", tmp_path / "dlt")
    pipeline.run([{"id": 1}], table_name="t")
    pipeline.default_schema.set_schema_contract({"tables": "freeze"})
    pipeline.sync_schema()
    with pytest.raises(LoaderError, match=r"stream 'u': its table is new.*tables: freeze"):
        load(
            path,
            [schema("u", {"id": INTEGER}), record("u", id=1), state(1)],
            engine=engine,
            default_target_schema="raw",
        )


@needs_postgres
@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("CREATE TABLE raw.t (id bigint)", "is no table of a dlt dataset"),
        ("CREATE VIEW raw.t AS SELECT 1 AS id", "is a view"),
    ],
)
def test_what_no_pipeline_made_is_refused_in_postgres(
    server: dict[str, object], made: str, words: str
) -> None:
    warehouse = Postgres.new(server)
    warehouse.execute(f"CREATE SCHEMA raw; {made}")
    with pytest.raises(LoaderError, match=f"stream 't': 't' is there already and {words}"):
        load_dlt(rows("a"), default_target_schema="raw", **warehouse.config)


@needs_postgres
def test_rows_are_replaced_under_an_index_of_postgres(server: dict[str, object]) -> None:
    warehouse = Postgres.new(server)
    for name in ("old", "new"):
        load_dlt(rows(name), default_target_schema="raw", **warehouse.config)
        warehouse.execute("CREATE UNIQUE INDEX IF NOT EXISTS one ON raw.t(id)")
    found = warehouse.rows("t")
    assert len(found) == COUNT
    assert {row["name"] for row in found} == {"new"}


@needs_postgres
@pytest.mark.parametrize("case", CONTRACTS)
def test_a_contract_of_dlt_is_heeded_in_postgres(
    server: dict[str, object], tmp_path: Path, case: str
) -> None:
    contract, lines, error = CONTRACTS[case]
    warehouse = Postgres.new(server)
    credentials = warehouse.config["destination_config"]["credentials"]
    dlt.pipeline(
        "shop",
        destination=dlt.destinations.postgres({"drivername": "postgresql", **credentials}),
        dataset_name="raw",
        pipelines_dir=str(tmp_path / "dlt"),
    ).run(
        [{"id": 1, "n": 5}],
        table_name="t",
        primary_key="id",
        write_disposition="merge",
        schema_contract=contract,  # type: ignore[arg-type]
    )
    config = {"default_target_schema": "raw", "pipeline_name": "shop", **warehouse.config}
    with pytest.raises(LoaderError, match=f"stream 't': {error}"):
        load_dlt([*lines, state(1)], **config)
    assert [row["id"] for row in warehouse.rows("t")] == [1]
