"""What the database has decides, not what dlt's schema says of it: no cast changes a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_dlt.errors import LoaderError
from tests.loader.comparing import check_cell, check_loaded, check_stored, read
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    BOOLEAN,
    DATE,
    DECIMAL,
    ENGINES,
    INTEGER,
    MOMENT,
    NUMBER,
    OBJECT,
    STRING,
    TIME,
    dlt_pipeline,
    execute,
    load,
    load_dlt,
    query,
    record,
    schema,
    state,
    typed,
)
from tests.loader.warehouses import Delta, DuckDB, Iceberg, Postgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.loader.warehouses import Warehouse

ID = {"id": INTEGER}
#: Types of columns that somebody, or another pipeline, may have made.
SQL_TYPES = [
    "TINYINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL(10,1)",
    "DECIMAL(18,3)",
    "DECIMAL(38,0)",
    "DECIMAL(38,9)",
    "DECIMAL(38,20)",
    "BOOLEAN",
    "VARCHAR",
    "ENUM('plain', 'x')",
    "UUID",
    "JSON",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_NS",
    "TIMESTAMPTZ",
    "INTERVAL",
    "INTEGER[]",
    "STRUCT(a INTEGER)",
    "BLOB",
]
WEI = typed("integer", maximum=2**80)
#: A declaration and values of it, that another type would round, cut or read otherwise.
VALUES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "bigint": (INTEGER, [300, 2**53 + 1, -(2**63)]),
    "double": (NUMBER, [2.5, 9.99, -0.125, 1e300]),
    "decimal": (DECIMAL, ["2.55", "123456789.123456789"]),
    "wei": (WEI, [2**70, 7]),
    "bool": (BOOLEAN, [True, False]),
    "text": (STRING, ["plain", "7", "2026-01-02", "123E4567-E89B-12D3-A456-426614174000"]),
    "timestamp": (MOMENT, ["2026-01-02T13:14:15.000001Z", "2026-01-02T23:00:00-05:00"]),
    "date": (DATE, ["2026-01-02"]),
    "time": (TIME, ["13:14:15.000001"]),
    "json": (OBJECT, [{"a": 1.5}, [1], "plain", 7]),
}


def rows(kind: str, first_id: int = 1) -> list[str]:
    declared, values = VALUES[kind]
    lines = [record("t", id=n, v=value) for n, value in enumerate(values, first_id)]
    return [schema("t", {**ID, "v": declared}, ["id"]), *lines, state(kind)]


def value_of(kind: str, number: int) -> Any:
    values = VALUES[kind][1]
    return values[number % len(values)]


def pairs(side: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A column for each pair of declarations: those of one side, and rows with values of them."""
    kinds = {f"{one}_{other}": (one, other)[side] for one in VALUES for other in VALUES}
    declared = {name: VALUES[kind][0] for name, kind in kinds.items()}
    rows = [{name: value_of(kind, n) for name, kind in kinds.items()} for n in range(4)]
    return declared, rows


@pytest.mark.parametrize("engine", ENGINES)
def test_columns_of_any_type_that_somebody_made(tmp_path: Path, engine: str) -> None:
    """Each type of column with values of each declaration."""
    path = tmp_path / "a.duckdb"
    places = [(n, sql, kind) for n, sql in enumerate(SQL_TYPES) for kind in VALUES]
    names = {(sql, kind): f"{kind}_{n}" for n, sql, kind in places}
    load(path, [schema("t", {**ID, **dict.fromkeys(names.values(), INTEGER)}, ["id"]), state(0)])
    execute(
        path,
        *(
            f"ALTER TABLE t DROP {name}; ALTER TABLE t ADD COLUMN {name} {sql}"
            for (sql, _), name in names.items()
        ),
    )
    declared = {name: VALUES[kind][0] for (_, kind), name in names.items()}
    records = [
        {
            "id": n,
            **{name: value_of(kind, n) for (_, kind), name in names.items()},
        }
        for n in range(4)
    ]
    load(
        path,
        [schema("t", {**ID, **declared}, ["id"]), *(record("t", **r) for r in records), state(1)],
        engine=engine,
    )
    found, kinds = read(path, "t", "id")
    for expected, row in zip(records, found, strict=True):
        for name, value in expected.items():
            check_cell(name, value, row, kinds, name)


@pytest.mark.parametrize("change", ["renamed", "another pipeline", "no schema"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_that_the_schema_does_not_know(tmp_path: Path, engine: str, change: str) -> None:
    """Each declaration in a column of each other one."""
    path = tmp_path / "dev.duckdb"

    def lines(side: int) -> list[str]:
        declared, values = pairs(side)
        rows = [record("t", id=10 * side + n, **row) for n, row in enumerate(values)]
        return [schema("t", {**ID, **declared}, ["id"]), *rows, state(side)]

    config: dict[str, Any] = {"engine": engine, "default_target_schema": "raw"}
    load(path, lines(0), **config)
    if change == "renamed":
        path = path.rename(tmp_path / "prod.duckdb")
    elif change == "another pipeline":
        config["pipeline_name"] = "second"
    else:
        execute(path, "DROP TABLE raw._dlt_version")
    load(path, lines(1), **config)
    check_loaded(path, [*lines(0), *lines(1)], "raw")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_of_a_pipeline_of_dlt(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "shop.duckdb"
    pipeline = dlt_pipeline(path, "other", "raw", tmp_path / "dlt")
    pipeline.run([{"id": 1, "v": 5}], table_name="t", primary_key="id", write_disposition="merge")
    more = rows("double", 2)
    load(path, more, engine=engine, default_target_schema="raw")
    assert query(path, "SELECT v FROM raw.t ORDER BY id") == [
        (5.0,),
        (2.5,),
        (9.99,),
        (-0.125,),
        (1e300,),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_schema_says_afterwards_what_is_there(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    load(path, rows("double"), engine=engine)
    execute(path, "ALTER TABLE t ALTER v TYPE VARCHAR")
    load(path, rows("double", 10), engine=engine)
    (document,) = query(path, "FROM _dlt_version SELECT schema ORDER BY inserted_at DESC LIMIT 1")
    assert json.loads(document[0])["tables"]["t"]["columns"]["v"]["data_type"] == "text"
    assert query(path, "SELECT typeof(v) FROM main.t LIMIT 1") == [("VARCHAR",)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("CREATE TABLE raw.t (id BIGINT, v VARCHAR)", "no table of a dlt dataset"),
        ("CREATE VIEW raw.t AS SELECT 1 AS id", "is a view"),
        (
            "CREATE VIEW raw.t AS SELECT 1 AS id, 'a' AS _dlt_id, 'b' AS _dlt_load_id",
            "is a view",
        ),
    ],
)
def test_what_no_pipeline_made_is_refused_before_anything_is_written(
    tmp_path: Path, engine: str, made: str, words: str
) -> None:
    path = tmp_path / "a.duckdb"
    other = [schema("other", ID, ["id"]), record("other", id=1), state(0)]
    execute(path, "CREATE SCHEMA raw", made)
    with pytest.raises(LoaderError, match=words) as caught:
        load(path, [*other, *rows("text")], engine=engine, default_target_schema="raw")
    assert "stream 't': 't' is there already" in str(caught.value)
    assert "\n" not in str(caught.value)
    tables = query(
        path, "SELECT table_name FROM information_schema.tables WHERE table_name='other'"
    )
    assert tables == []


def test_a_table_of_arrays_that_no_pipeline_made_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    execute(path, "CREATE TABLE t__tags (id BIGINT)")
    lines = [schema("t", ID, ["id"]), record("t", id=1, tags=["a"]), state(1)]
    with pytest.raises(LoaderError, match="'t__tags' is there already and is no table of a dlt"):
        load(path, lines, nesting="tables")
    assert ("t",) not in query(path, "SELECT table_name FROM information_schema.tables")


@pytest.mark.parametrize("engine", ENGINES)
def test_values_of_the_database_are_for_nobodys_columns_only(tmp_path: Path, engine: str) -> None:
    """A property that a record lacks is NULL; a column that no property has keeps its default."""
    path = tmp_path / "a.duckdb"
    head = schema("t", {**ID, "v": STRING}, ["id"])
    load(path, [head, record("t", id=1, v="a"), state(1)], engine=engine)
    execute(
        path,
        "ALTER TABLE t ALTER v SET DEFAULT 'wrong'",
        "ALTER TABLE t ADD COLUMN region VARCHAR DEFAULT 'eu'",
    )
    load(path, [head, record("t", id=2), state(2)], engine=engine)
    assert query(path, "SELECT v, region FROM t ORDER BY id") == [("a", "eu"), (None, "eu")]


def test_values_of_the_database_are_not_for_the_items_of_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    items = {"type": "array", "items": {"type": "object", "properties": {"v": STRING, "n": STRING}}}
    head = schema("t", {**ID, "items": items}, ["id"])
    load(path, [head, record("t", id=1, items=[{"v": "a"}])], nesting="tables")
    execute(path, "ALTER TABLE t__items ALTER v SET DEFAULT 'wrong'")
    load(path, [head, record("t", id=2, items=[{"n": "b"}])], nesting="tables")
    assert query(path, "SELECT v, n FROM t__items ORDER BY n") == [(None, "b"), ("a", None)]


DROPPED = {
    "v": ("ALTER TABLE IF EXISTS raw.t DROP COLUMN IF EXISTS v",),
    "v made anew": (
        "ALTER TABLE IF EXISTS raw.t DROP COLUMN IF EXISTS v",
        "ALTER TABLE IF EXISTS raw.t ADD COLUMN v VARCHAR",
    ),
    "_dlt_version": ("DROP TABLE IF EXISTS raw._dlt_version",),
    "t": ("DROP TABLE IF EXISTS raw.t",),
}
SCALARS = ["bigint", "double", "decimal", "wei", "bool", "text", "timestamp", "date", "json"]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, str, int]]:
    """What happens to a table: loads of a kind by a pipeline, and columns changed by hand."""
    first = ("load", draw(st.sampled_from(SCALARS)), 0)
    event = st.one_of(
        st.tuples(st.just("load"), st.sampled_from(SCALARS), st.integers(0, 1)),
        st.tuples(st.just("alter"), st.sampled_from(SQL_TYPES), st.just(0)),
        st.tuples(st.just("drop"), st.sampled_from(sorted(DROPPED)), st.just(0)),
    )
    return [first, *draw(st.lists(event, min_size=1, max_size=4))]


@pytest.mark.parametrize("dropped", sorted(DROPPED))
@pytest.mark.parametrize("kinds", [("date", "timestamp"), ("bigint", "double"), ("text", "text")])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_dropped_is_made_anew(
    tmp_path: Path, engine: str, kinds: tuple[str, str], dropped: str
) -> None:
    """In the table in which dlt stages rows, too."""
    path = tmp_path / "a.duckdb"
    for number, kind in enumerate(kinds):
        load(path, rows(kind, 100 * number), engine=engine, default_target_schema="raw")
        if not number:
            execute(path, *DROPPED[dropped])
    found, types = read(path, "(FROM raw.t WHERE id >= 100)", "id")
    for value, row in zip(VALUES[kinds[1]][1], found, strict=True):
        check_cell("v", value, row, types, dropped)


@pytest.mark.parametrize("engine", ENGINES)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories())
def test_whatever_happened_to_a_table(
    tmp_path_factory: pytest.TempPathFactory, engine: str, history: list[tuple[str, str, int]]
) -> None:
    """Each load stores its values exactly, or says why not and stores none of them."""
    path = tmp_path_factory.mktemp("history") / "a.duckdb"
    for number, (what, kind, pipeline) in enumerate(history, 1):
        if what == "alter":
            try:
                execute(path, f"ALTER TABLE raw.t ALTER v TYPE {kind}")
            except duckdb.Error:  # it is not there, or the values that are do not let it be
                continue
        elif what == "drop":
            execute(path, *DROPPED[kind])
        else:
            lines = rows(kind, 100 * number)
            load(
                path,
                lines,
                engine=engine,
                default_target_schema="raw",
                pipeline_name=f"pipeline_{pipeline}",
            )
            found, kinds = read(path, f"(FROM raw.t WHERE id >= {100 * number})", "id")
            values = VALUES[kind][1]
            assert len(found) == len(values)
            for value, row in zip(values, found, strict=True):
                check_cell("v", value, row, kinds, history)


@pytest.mark.parametrize(
    "name", [pytest.param("postgres", marks=needs_postgres), "duckdb", "delta", "iceberg"]
)
def test_another_pipeline_in_any_warehouse(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    """Each declaration in a column of each other one."""
    make: dict[str, Callable[[], Warehouse]] = {
        "postgres": lambda: Postgres.new(request.getfixturevalue("server")),
        "duckdb": lambda: DuckDB(tmp_path),
        "delta": lambda: Delta(tmp_path),
        "iceberg": lambda: Iceberg(tmp_path),
    }
    warehouse = make[name]()
    records: dict[int, dict[str, Any]] = {}
    for side in (0, 1):
        declared, values = pairs(side)
        lines = [record("t", id=10 * side + n, **row) for n, row in enumerate(values)]
        records.update({10 * side + n: row for n, row in enumerate(values)})
        load_dlt(
            [schema("t", {**ID, **declared}, ["id"]), *lines, state(side)],
            pipeline_name=f"pipeline_{side}",
            default_target_schema="raw",
            **warehouse.config,
        )
    found = {row["id"]: row for row in warehouse.rows("t")}
    assert found.keys() == records.keys()
    for number, expected in records.items():
        check_stored(expected, found[number])
