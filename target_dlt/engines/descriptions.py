"""What schemas say of streams and properties: in dlt's schema, and as comments of databases."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import duckdb

from target_dlt.decoding import as_utf8
from target_dlt.dlt_internals import DatabaseException
from target_dlt.messages.json_schema import alternatives, properties_of
from target_dlt.names import path_of, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from target_dlt.dlt_internals import Table
    from target_dlt.messages.json_schema import JSONSchema
    from target_dlt.messages.schema import StreamSchema
    from target_dlt.names import Path

LOGGER = logging.getLogger("target_dlt")
#: How many characters a description may have where it is written as a comment here.
LONGEST = 10_000
_UNIONS = ("allOf", "anyOf", "oneOf")
#: The key under which an array has its items, if these are arrays.
_LIST = "list"
#: What comments there are: the name of a table, of a column or NULL, and the text.
_OF_DUCKDB = """
SELECT table_name, NULL, comment FROM duckdb_tables()
WHERE database_name = current_database() AND schema_name = %s AND comment IS NOT NULL
UNION ALL
SELECT table_name, column_name, comment FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = %s AND comment IS NOT NULL
"""
_COMMENTS = {
    "duckdb": _OF_DUCKDB,
    "ducklake": _OF_DUCKDB,
    "postgres": """
SELECT c.relname, a.attname, d.description
FROM pg_description d
JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE n.nspname IN (%s, %s)
""",
}


def describe(table: Table, schema: StreamSchema, most: int) -> None:
    """Take over what a schema says of a stream and its properties.

    What it says no longer, or of what is not in the table, stays as it was.

    Args:
        table: The table and all its columns; changed in place.
        schema: The table's.
        most: How many characters a description may have.
    """
    if text := _text(_of_root(schema.document), most):
        table.describe("", text)
    found = dict(_of_properties(schema.properties, ()))
    for column in table.columns.values() if found else ():
        if not (column.variant or column.own) and (text := _text(found.get(column.source), most)):
            table.describe(column.name, text)


def schema_of_list(schema: StreamSchema, path: Path) -> tuple[JSONSchema, JSONSchema]:
    """Find what is declared of the arrays in a table below.

    Args:
        schema: The stream's.
        path: The keys of the tables that lead there.

    Returns:
        The schema of the arrays, and the properties of their items.
    """
    node: Any = {}
    properties: Mapping[str, Any] = schema.properties
    for array in path:
        if array == _LIST and array not in properties:
            node = node.get("items")
        else:
            *parents, last = path_of(array)
            for key in parents:
                properties = _properties(properties.get(key))
            node = properties.get(last)
        node = node if isinstance(node, dict) else {}
        properties = _properties(node.get("items"))
    return node, properties


def _properties(node: Any) -> Mapping[str, Any]:
    try:
        return properties_of(node) if isinstance(node, dict) else {}
    except ValueError:  # told where it matters
        return {}


def _of_root(document: JSONSchema) -> Any:
    found = document.get("description")
    try:
        return found or next(
            (
                node["description"]
                for _, node in alternatives(document, document)
                if node.get("description")
            ),
            None,
        )
    except ValueError:
        return None


def _of_properties(properties: Mapping[str, Any], above: Path) -> Iterator[tuple[str, Any]]:
    for key, sub in properties.items():
        if not isinstance(sub, dict):
            continue
        path = (*above, key)
        parts = [part for union in _UNIONS for part in _parts(sub, union)]
        found = (part.get("description") for part in (sub, *parts))
        yield source_of(path), next(filter(None, found), None)
        yield from _of_properties(_properties(sub), path)


def _parts(schema: Mapping[str, Any], union: str) -> list[Any]:
    parts = schema.get(union)
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _text(found: Any, most: int) -> str:
    if not isinstance(found, str):
        return ""
    text = as_utf8(found).replace("\0", "").strip()
    return text if len(text) <= most else f"{text[: most - 1]}…"


class Comments:
    """Writes descriptions as comments on tables and columns, where the database is known to do so.

    A comment is written where a description is new, and where there is none. One that somebody
    wrote stays until then.

    Args:
        kind: dlt's name of the database.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._seen: dict[str, int] = {}

    @property
    def are_known(self) -> bool:
        """Whether comments are written here."""
        return self._kind in _COMMENTS

    def write(
        self, open_client: Callable[[], AbstractContextManager[Any]], tables: Sequence[Table]
    ) -> None:
        """Write what has not been written in this run; what cannot be is told, and no error.

        Args:
            open_client: Opens dlt's client of the dataset, if there is anything to write.
            tables: They are in the database.
        """
        due = [table for table in tables if self._is_due(table)] if self.are_known else ()
        if not due:
            return
        try:
            with open_client() as client:
                _execute(self._kind, client.sql_client, self._statements(client.sql_client, due))
        except (DatabaseException, duckdb.Error) as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        what = str(error).strip().splitlines() or [type(error).__name__]
        LOGGER.warning("descriptions could not be written as comments: %s", what[0])

    def _is_due(self, table: Table) -> bool:
        count = len(table.descriptions)
        is_due = bool(table.redescribed) or self._seen.get(table.name, 0) < count
        self._seen[table.name] = count
        return is_due

    def _statements(self, sql: Any, tables: Sequence[Table]) -> list[tuple[str, str]]:
        rows = sql.execute_sql(_COMMENTS[self._kind], sql.dataset_name, sql.dataset_name)
        there = {(table.lower(), (column or "").lower()) for table, column, _ in rows}
        found: list[tuple[str, str]] = []
        for table in tables:
            qualified = sql.make_qualified_table_name(table.name)
            for name, text in table.descriptions.items():
                if name in table.redescribed or (table.name.lower(), name.lower()) not in there:
                    place = f"{qualified}.{sql.escape_column_name(name)}" if name else qualified
                    what = "COLUMN" if name else "TABLE"
                    found.append((f"COMMENT ON {what} {place} IS ", text))
        return found


def _execute(kind: str, sql: Any, statements: Sequence[tuple[str, str]]) -> None:
    """Run all of them in one transaction: each one would be written to the disk by itself."""
    if not statements:
        return
    if kind == "postgres":  # psycopg2 puts the values in
        text = ";".join(f"{statement.replace('%', '%%')}%s" for statement, _ in statements)
        sql.execute_sql(text, *(value for _, value in statements))
        return
    quoted = (
        f"{statement}'{value.replace(chr(39), chr(39) * 2)}'" for statement, value in statements
    )
    connection = sql.native_connection
    connection.execute("BEGIN")
    try:
        connection.execute(";".join(quoted))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
