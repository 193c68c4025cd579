"""The models on what the tap has read and the loaders have loaded: DuckDB and PostgreSQL agree."""

from __future__ import annotations

import math
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg2
import pytest
import yaml

from tests.loader.postgres import needs_postgres, server
from tests.models.conftest import VARIABLES, load
from tests.models.dbt import PROJECT, Place
from tests.models.tables import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

#: What PostgreSQL calls DuckDB's types.
TYPES = {
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp without time zone",
}


def tables_of(database: Path) -> list[str]:
    found = rows_of(
        database,
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'insight' "
        "AND table_name NOT IN ('platform__tests') ORDER BY ALL",
    )
    return [row["table_name"] for row in found]


def test_every_model_has_rows_and_tells_what_each_column_is(database: Path) -> None:
    documented = {}
    for path in PROJECT.glob("models/*/*.yml"):
        for model in yaml.safe_load(path.read_text("utf-8")).get("models", []):
            assert model["description"]
            assert all(column["description"] for column in model["columns"])
            documented[model["name"]] = [column["name"] for column in model["columns"]]
    found = rows_of(
        database,
        "SELECT table_name, list(column_name ORDER BY column_index) AS columns "
        "FROM duckdb_columns() WHERE schema_name = 'insight' AND table_name <> 'platform__tests' "
        "GROUP BY ALL",
    )
    assert {row["table_name"]: row["columns"] for row in found} == documented
    for table in tables_of(database):
        assert rows_of(database, f"FROM {table} LIMIT 1"), table


@contextmanager
def connected(credentials: dict[str, object]) -> Iterator[Any]:
    names = {"username": "user", "database": "dbname"}
    how = {names.get(name, name): value for name, value in credentials.items()}
    connection = psycopg2.connect(**how)
    try:
        yield connection.cursor()
    finally:
        connection.close()


def plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-6)
    return bool(one == other)


@needs_postgres
def test_postgres_comes_to_the_same(messages: bytes, database: Path, tmp_path: Path) -> None:
    with server() as credentials:
        user, password = (quote(str(credentials[it]), safe="") for it in ("username", "password"))
        host = f"{credentials['host']}:{credentials['port']}"
        url = f"postgresql://{user}:{password}@{host}/{credentials['database']}"
        where = {"destination": "postgres", "destination_config": {"credentials": url}}
        load(messages, "target-dlt", tmp_path / "config.json", where)
        printed = Place.postgres(tmp_path, credentials).must("build", **VARIABLES)
        assert "WARN=0 ERROR=0 SKIP=0" in printed
        with connected(credentials) as cursor:
            for table in tables_of(database):
                assert_same(table, database, cursor)


def assert_same(table: str, database: Path, cursor: Any) -> None:
    """Both have the same columns of the same types, and the same rows."""
    told = rows_of(database, f"DESCRIBE {table}")
    columns = {row["column_name"]: TYPES[row["column_type"]] for row in told}
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'insight' AND table_name = %s",
        (table,),
    )
    assert dict(cursor.fetchall()) == columns, table
    cursor.execute(f"SELECT {', '.join(columns)} FROM insight.{table}")  # noqa: S608

    def in_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        # By what is exact: a number that is almost the same must not move its row.
        return sorted(rows, key=lambda row: repr([it for it in row if not isinstance(it, float)]))

    theirs = in_order([tuple(map(plain, row)) for row in cursor.fetchall()])
    ours = in_order([tuple(row.values()) for row in rows_of(database, f"FROM {table}")])
    assert len(ours) == len(theirs), table
    for one, other in zip(ours, theirs, strict=True):
        differing = {
            name: (ours_, theirs_)
            for name, ours_, theirs_ in zip(columns, one, other, strict=True)
            if not alike(ours_, theirs_)
        }
        assert not differing, table
