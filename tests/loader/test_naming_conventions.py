"""A dataset's names are made by one of dlt's conventions, which it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_dlt.errors import LoaderError
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    ENGINES,
    INTEGER,
    NUMBER,
    STRING,
    column_types,
    dlt_attach,
    dlt_pipeline,
    execute,
    load,
    load_dlt,
    problems,
    query,
    record,
    run,
    schema,
    state,
)
from tests.loader.warehouses import Delta, Postgres

if TYPE_CHECKING:
    from pathlib import Path

#: What `dbtRuns`, `createdAt` and `Größe (m²)` become, and `created_at` beside the second one.
NAMES = {
    "snake_case": ["dbt_runs", "created_at", "gre_mx", "created_at_2"],
    "duck_case": ["dbtRuns", "createdAt", "Größe (m²)", "created_at"],
    "sql_ci_v1": ["dbtruns", "createdat", "gr_e_m", "created_at"],
}


def lines(first: int, value: Any = "a", **more: Any) -> list[str]:
    kinds = {"Id": INTEGER, "createdAt": STRING, "Größe (m²)": NUMBER, **more}
    row = {"Id": first, "createdAt": value, "Größe (m²)": 1.5, "extraKey": 7}
    return [
        schema("dbtRuns", kinds, ["Id"]),
        record("dbtRuns", **row),
        record("dbtRuns", **{**row, "Id": 0}),
        state(first),
    ]


def names_in(path: Path) -> tuple[list[str], list[str]]:
    """The tables of a dataset `raw`, and the columns of the only one of a stream."""
    found = query(
        path,
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE schema_name = 'raw' AND NOT starts_with(table_name, '_dlt')",
    )
    columns = [name for _, name in found if not name.startswith("_dlt")]
    return sorted({table for table, _ in found}), columns


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("convention", sorted(NAMES))
def test_a_new_dataset_is_named_by_it_and_goes_on_so(
    tmp_path: Path, engine: str, convention: str
) -> None:
    path = tmp_path / "a.duckdb"
    config: dict[str, Any] = {"engine": engine, "default_target_schema": "raw"}
    load(path, lines(1), naming_convention=convention, **config)
    table, created, _, _ = NAMES[convention]
    tables, columns = names_in(path)
    assert tables == [table]
    assert created in columns
    before = set(columns)
    # Whether or not it is set again, and by either engine.
    load(path, lines(2), **config)
    other = {**config, "engine": "package" if engine == "duckdb" else "duckdb"}
    load(path, lines(3), naming_convention=convention, **other)
    tables, columns = names_in(path)
    assert (tables, set(columns)) == ([table], before)
    rows = query(path, f'SELECT "{created}" FROM raw."{table}"')  # noqa: S608
    assert rows == [("a",)] * 4
    pipeline = dlt_attach(path, "a", "raw", tmp_path / "dlt")
    assert pipeline.default_schema.get_table(table)["columns"][created]["data_type"] == "text"
    pipeline.run([{"Id": 9, "createdAt": "theirs"}], table_name=table, write_disposition="append")
    load(path, lines(4), **config)
    tables, columns = names_in(path)
    assert (tables, set(columns)) == ([table], before)
    assert len(query(path, f'SELECT 1 FROM raw."{table}"')) == 6  # noqa: S608


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("convention", sorted(NAMES))
def test_a_file_that_was_renamed_goes_on_by_its_convention(
    tmp_path: Path, engine: str, convention: str
) -> None:
    path = tmp_path / "dev.duckdb"
    config: dict[str, Any] = {"engine": engine, "default_target_schema": "raw"}
    load(path, lines(1), naming_convention=convention, **config)
    tables, columns = names_in(path)
    path = path.rename(tmp_path / "prod.duckdb")
    with pytest.raises(LoaderError, match="were named by") as caught:
        load(path, lines(2), naming_convention=_another(convention), **config)
    assert "\n" not in str(caught.value)
    load(path, lines(2), **config)
    tables_then, columns_then = names_in(path)
    assert (tables_then, set(columns_then)) == (tables, set(columns))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_that_somebody_added_is_found_by_its_case(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    config: dict[str, Any] = {"engine": engine, "default_target_schema": "raw"}
    load(path, lines(1), naming_convention="duck_case", **config)
    (table,), columns = names_in(path)
    execute(path, f'ALTER TABLE raw."{table}" ADD COLUMN "newOne" BIGINT')
    load(path, lines(2, newOne=INTEGER), **config)
    found = names_in(path)[1]
    assert found.count("newOne") == 1
    assert len(found) == len(columns) + 1


def _another(convention: str) -> str:
    return "duck_case" if convention == "snake_case" else "snake_case"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("convention", sorted(NAMES))
def test_another_one_is_refused_where_there_are_tables(
    tmp_path: Path, engine: str, convention: str
) -> None:
    path = tmp_path / "a.duckdb"
    config: dict[str, Any] = {"engine": engine, "default_target_schema": "raw"}
    load(path, lines(1), naming_convention=convention, **config)
    result = run(
        config={"path": str(path), "naming_convention": _another(convention), **config},
        folder=tmp_path,
        messages=lines(2),
    )
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = problems(result.stderr)
    assert f"the tables of dataset 'raw' were named by '{convention}'" in line
    assert len(query(path, f'SELECT 1 FROM raw."{NAMES[convention][0]}"')) == 2  # noqa: S608


@pytest.mark.parametrize("engine", ENGINES)
def test_another_one_is_heeded_where_there_is_no_table_yet(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    config: dict[str, Any] = {"engine": engine, "default_target_schema": "raw"}
    load(path, [state(0)], **config)
    load(path, lines(1), naming_convention="duck_case", **config)
    load(path, lines(2), **config)
    assert names_in(path)[0] == ["dbtRuns"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dataset_of_a_dlt_pipeline_keeps_its_own(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.duckdb"
    monkeypatch.setenv("SCHEMA__NAMING", "duck_case")
    pipeline = dlt_pipeline(path, "other", "raw", tmp_path / "dlt")
    pipeline.run([{"Id": 5, "createdAt": "theirs"}], table_name="dbtRuns", primary_key="Id")
    monkeypatch.delenv("SCHEMA__NAMING")
    load(path, lines(1), engine=engine, default_target_schema="raw")
    assert names_in(path)[0] == ["dbtRuns"]
    assert names_in(path)[1].count("createdAt") == 1
    rows = query(path, 'SELECT "createdAt" FROM raw."dbtRuns" ORDER BY "Id"')
    assert rows == [("a",), ("a",), ("theirs",)]


@pytest.mark.parametrize("convention", sorted(NAMES))
@pytest.mark.parametrize("engine", ENGINES)
def test_a_property_keeps_its_column(tmp_path: Path, engine: str, convention: str) -> None:
    """Whatever comes beside it, in whatever order; the recorded source names decide."""
    path = tmp_path / "a.duckdb"
    config: dict[str, Any] = {"engine": engine, "naming_convention": convention}

    def one(names: list[str], number: int) -> list[str]:
        row = {name: f"{name} {number}" for name in names}
        kinds = {"id": INTEGER, **dict.fromkeys(names, STRING)}
        return [schema("t", kinds, ["id"]), record("t", id=number, **row), state(number)]

    load(path, one(["createdAt"], 1), **config)
    load(path, one(["created_at", "createdAt", "CREATEDAT"], 2), **config)
    load(path, one(["CREATEDAT", "createdAt", "created_at"], 3), **config)
    load(path, one(["createdAt"], 4), **config)
    columns = [name for name in column_types(path, "t") if name != "id"]
    assert len(columns) == len({name.lower() for name in columns}) == 3
    listed = ", ".join(f'"{name}"' for name in columns)
    rows = query(path, f"SELECT {listed} FROM t ORDER BY id")  # noqa: S608
    assert [
        len({text.split()[0] for text in column if text}) for column in zip(*rows, strict=True)
    ] == [1] * 3
    assert sum(text is not None for row in rows for text in row) == 8


@pytest.mark.parametrize("convention", sorted(NAMES))
def test_tables_of_arrays(tmp_path: Path, convention: str) -> None:
    path = tmp_path / "a.duckdb"
    head = schema("dbtRuns", {"id": INTEGER}, ["id"])
    rows = [{"userInfo": {"firstName": "a"}, "lineItems": [{"unitPrice": 1, "subItems": [1]}]}] * 2
    for number, row in enumerate(rows):
        sent = [head, record("dbtRuns", id=1, **row), state(number)]
        load(path, sent, nesting="tables", naming_convention=convention)
    table, user, items, price, below = {
        "snake_case": (
            "dbt_runs",
            "user_info__first_name",
            "line_items",
            "unit_price",
            "sub_items",
        ),
        "duck_case": ("dbtRuns", "userInfo__firstName", "lineItems", "unitPrice", "subItems"),
        "sql_ci_v1": ("dbtruns", "userinfo__firstname", "lineitems", "unitprice", "subitems"),
    }[convention]
    assert query(path, f'SELECT "{user}" FROM "{table}"') == [("a",)]  # noqa: S608
    assert query(path, f'SELECT "{price}" FROM "{table}__{items}"') == [(1,)]  # noqa: S608
    assert query(path, f'SELECT value FROM "{table}__{items}__{below}"') == [(1,)]  # noqa: S608


@needs_postgres
@pytest.mark.parametrize("convention", sorted(NAMES))
def test_postgres(server: dict[str, object], convention: str) -> None:
    place = Postgres.new(server)
    load_dlt(lines(1), naming_convention=convention, **place.config)
    load_dlt(lines(2), **place.config)
    table, created, _, _ = NAMES[convention]
    rows = place.rows(table)
    assert [row[created] for row in rows] == ["a"] * 3
    with pytest.raises(LoaderError, match="were named by"):
        load_dlt(lines(3), naming_convention=_another(convention), **place.config)


def test_a_lake(tmp_path: Path) -> None:
    place = Delta(tmp_path)
    load_dlt(lines(1), naming_convention="duck_case", **place.config)
    load_dlt(lines(2), **place.config)
    assert [row["createdAt"] for row in place.rows("dbtRuns")] == ["a"] * 3
    with pytest.raises(LoaderError, match="were named by 'duck_case'"):
        load_dlt(lines(3), naming_convention="sql_ci_v1", **place.config)


@pytest.mark.parametrize("name", ["My Raw", "Raw", "a__b", "raw_"])
def test_names_of_datasets_must_be_the_same_by_all(tmp_path: Path, name: str) -> None:
    config: dict[str, Any] = {"naming_convention": "duck_case", "default_target_schema": name}
    with pytest.raises(LoaderError, match="with 'naming_convention', the name of a schema is of"):
        load(tmp_path / "a.duckdb", lines(1), **config)
