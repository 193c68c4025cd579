"""Columns that a database has already, changed by SQL so that they keep every value they hold."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_dlt.dlt_internals import DatabaseException, drop_staging_twin
from target_dlt.engines.casting import EXACT_IN_DOUBLE
from target_dlt.engines.descriptions import LONGEST
from target_dlt.engines.stored import READABLE, StoredTable, fold_of, read_tables
from target_dlt.messages.digits import digits_of, is_decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from target_dlt.dlt_internals import Table, TableColumn
    from target_dlt.messages.schema import DataType

LOGGER = logging.getLogger("target_dlt")
#: Values that are spelled anew by one statement.
_AT_ONCE = 1000


@dataclass(frozen=True)
class _Dialect:
    """What a database calls types, and how it writes those values as text that a cast does not."""

    types: Mapping[DataType, str]
    decimal: str
    timestamp_as_text: str
    json_as_text: str  # a string in JSON stands in quotes

    def _sql_type(self, kind: DataType) -> str:
        digits = digits_of(kind)
        if digits is None or not is_decimal(kind):
            return self.types[kind]
        return f"{self.decimal}({digits.precision},{digits.scale})"

    def change(self, name: str, column: TableColumn, wider: DataType) -> str:
        """Write the change of a column's type.

        Args:
            name: The column's name, quoted.
            column: The column as it is.
            wider: The type it is to have.
        """
        wanted = self._sql_type(wider)
        value = f"CAST({name} AS {wanted})"
        if (column.type, wider) == ("timestamp", "text"):
            in_utc = name if column.naive else f"{name} AT TIME ZONE 'UTC'"
            value = self.timestamp_as_text.format(in_utc)
        elif is_decimal(column.type) and wider == "text":
            value = (
                f"CASE WHEN position('.' IN {value}) > 0 "
                f"THEN rtrim(rtrim({value}, '0'), '.') ELSE {value} END"
            )
        elif (column.type, wider) == ("json", "text"):
            value = self.json_as_text.format(name)
        elif (column.type, wider) == ("date", "timestamp"):
            value = f"CAST({name} AS TIMESTAMP) AT TIME ZONE 'UTC'"
        elif column.naive:  # it stays so: its values are in UTC, whatever the session's zone
            wanted, value = "TIMESTAMP", f"CAST({name} AS TIMESTAMP)"
        return f"TYPE {wanted} USING {value}"


_DIALECTS = {
    "duckdb": _Dialect(
        {
            "bigint": "BIGINT",
            "double": "DOUBLE",
            "text": "VARCHAR",
            "timestamp": "TIMESTAMP WITH TIME ZONE",
            "time": "TIME",
        },
        "DECIMAL",
        "strftime({0}, '%Y-%m-%dT%H:%M:%S.%fZ')",
        "CASE json_type({0}) WHEN 'VARCHAR' THEN {0} ->> '$' ELSE CAST({0} AS VARCHAR) END",
    ),
    "postgres": _Dialect(
        {
            "bigint": "bigint",
            "double": "double precision",
            "text": "varchar",
            "timestamp": "timestamp with time zone",
            "time": "time without time zone",
        },
        "numeric",
        """to_char({0}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
        "CASE json_typeof(CAST({0} AS json)) WHEN 'string' THEN CAST({0} AS json) #>> '{{}}' "
        "ELSE CAST({0} AS varchar) END",
    ),
}


class SqlColumns:
    """The columns of one dataset's tables; see `planning.Database`.

    Types are changed only in the databases whose changes are known to be exact.

    Args:
        kind: dlt's name of the database.
        open_client: Opens dlt's client of the dataset.
    """

    longest_description = LONGEST

    def __init__(self, kind: str, open_client: Callable[[], AbstractContextManager[Any]]) -> None:
        self._kind = kind
        self._dialect = _DIALECTS.get(kind)
        self._open_client = open_client
        self._tables: dict[str, StoredTable] | None = None

    def stored(self, table: str) -> StoredTable | None:
        """Read what the database has of a table; see `planning.Database`."""
        if self._kind not in READABLE:
            return None
        return self.tables.get(fold_of(self._kind)(table), StoredTable())

    @property
    def tables(self) -> Mapping[str, StoredTable]:
        """All the tables of the dataset; of a database whose types are known."""
        if self._tables is None:
            with self._open_client() as client:
                self._tables = read_tables(self._kind, client.sql_client)
        return self._tables

    def forget(self) -> None:
        """Read the tables anew when they are next asked for."""
        self._tables = None

    def widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:
        """Change a column's type, and drop the staging twin of its table, if no value is lost."""
        if self._dialect is None:
            return False
        with self._open_client() as client:
            if (column.type, wider) == ("bigint", "double") and _has_large(client, table, column):
                return False
            name = client.sql_client.escape_column_name(column.name)
            try:
                _alter(client.sql_client, table, name, self._dialect.change(name, column, wider))
            except DatabaseException as error:
                LOGGER.warning(
                    "stream %r: column %r cannot become %s: %s",
                    table.stream,
                    column.name,
                    wider,
                    str(error).strip().splitlines()[0],
                )
                return False
            drop_staging_twin(client, table.name)
        return True

    def respell(self, table: Table, column: TableColumn, spell: Callable[[str], str]) -> None:
        """Spell the values of a key anew; see `planning.Database`."""
        with self._open_client() as client:
            is_known = self._dialect is not None
            _respell(client.sql_client, table.name, column.name, spell, is_known=is_known)

    def drop_staging(self, table: Table) -> None:
        """Drop the staging twin of a table; see `planning.Database`."""
        with self._open_client() as client:
            drop_staging_twin(client, table.name)

    def allow_null(self, table: Table, column: TableColumn) -> None:
        """Let a column that was part of a key hold NULL."""
        with self._open_client() as client:
            name = client.sql_client.escape_column_name(column.name)
            _alter(client.sql_client, table, name, "DROP NOT NULL")
            drop_staging_twin(client, table.name)


def _respell(
    sql: Any, table: str, column: str, spell: Callable[[str], str], *, is_known: bool
) -> None:
    qualified, name = sql.make_qualified_table_name(table), sql.escape_column_name(column)
    rows = sql.execute_sql(f"SELECT DISTINCT {name} FROM {qualified} WHERE {name} IS NOT NULL")  # noqa: S608
    changed = [(old, new) for (old,) in rows if (new := spell(old)) != old]
    for begin in range(0, len(changed), _AT_ONCE):
        pairs = changed[begin : begin + _AT_ONCE]
        texts = [text for pair in pairs for text in pair]
        if is_known:
            values = ", ".join(["(%s, %s)"] * len(pairs))
            change = (
                f"SET {name} = m.new FROM (VALUES {values}) AS m(old, new) WHERE {name} = m.old"
            )
        else:  # in SQL that every database has
            change = f"SET {name} = CASE {name} {'WHEN %s THEN %s ' * len(pairs)}ELSE {name} END"
        sql.execute_sql(f"UPDATE {qualified} {change}", *texts)


def _has_large(client: Any, table: Table, column: TableColumn) -> bool:
    """Tell whether a column of integers holds some that a double does not."""
    sql = client.sql_client
    rows = sql.execute_sql(
        f"SELECT 1 FROM {sql.make_qualified_table_name(table.name)} "  # noqa: S608
        f"WHERE {sql.escape_column_name(column.name)} "
        f"NOT BETWEEN {-EXACT_IN_DOUBLE} AND {EXACT_IN_DOUBLE} LIMIT 1"
    )
    return bool(rows)


def _alter(sql: Any, table: Table, name: str, change: str) -> None:
    qualified = sql.make_qualified_table_name(table.name)
    sql.execute_sql(f"ALTER TABLE {qualified} ALTER COLUMN {name} {change}")
