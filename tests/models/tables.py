"""Tables of a loader, made by hand: only the columns that the rows have."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Row = dict[str, Any]


def at(text: str) -> datetime:
    """A time in UTC: in October 2026, as in `10 22:30`, or in another month, as in `3-29 0:30`."""
    day, clock = text.split()
    month, _, number = day.rpartition("-")
    hour, minute = clock.split(":")
    return datetime(2026, int(month or 10), int(number), int(hour), int(minute), tzinfo=UTC)


def utc(text: str) -> datetime:
    """The same as the models have it: without a zone."""
    return at(text).replace(tzinfo=None)


_KINDS: dict[type, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: "VARCHAR",
    datetime: "TIMESTAMP WITH TIME ZONE",
    date: "DATE",
    dict: "JSON",
    list: "JSON",
}


def write(database: Path, tables: Mapping[str, Sequence[Row]], schema: str = "raw") -> None:
    """Make a DuckDB file with these tables.

    Args:
        database: The file.
        tables: The rows of each stream. A column has the type of its first value.
        schema: Where they are put.
    """
    with duckdb.connect(database) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for name, rows in tables.items():
            columns = list(dict.fromkeys(column for row in rows for column in row))
            kinds = {column: _kind(column, rows) for column in columns}
            told = ", ".join(f'"{column}" {kind}' for column, kind in kinds.items())
            connection.execute(f"CREATE TABLE {schema}.{name} ({told})")
            marks = ", ".join("?" for _ in columns)
            connection.executemany(
                f"INSERT INTO {schema}.{name} VALUES ({marks})",  # noqa: S608
                [[_plain(row.get(column)) for column in columns] for row in rows],
            )


def _kind(column: str, rows: Sequence[Row]) -> str:
    return next(_KINDS[type(row[column])] for row in rows if row.get(column) is not None)


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (dict, list)) else value


def rows_of(database: Path, query: str) -> list[Row]:
    """What a query on the models finds; they need no schema before their names."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET search_path = 'insight,raw'")
        found = connection.sql(query)
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def one(ask: Any, query: str) -> Row:
    """The only row that a query finds."""
    (row,) = ask(query)
    return dict(row)
