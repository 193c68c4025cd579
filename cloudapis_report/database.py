"""The database that has the models: a DuckDB file, or whatever dlt opens."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

from cloudapis_report.errors import ReportError, printable
from cloudapis_report.words import clean, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Row = dict[str, Any]
#: In these dialects the queries are written.
_OWN_DIALECTS = ("duckdb", "postgres")
#: No text of the page is longer, whatever somebody wrote into a message: the page has a budget.
LONGEST = 200


class Database:
    """An open database.

    Attributes:
        name: What to call it in a message.
        dialect: The dialect that sqlglot spells queries in.
    """

    def __init__(self, name: str, dialect: str, fetch: Callable[[str], tuple[Any, Any]]) -> None:
        """Take an open connection.

        Args:
            name: What to call it; without secrets.
            dialect: As sqlglot names it.
            fetch: Runs a query; returns the cursor's description and all rows.
        """
        self.name = name
        self.dialect = dialect
        self._fetch = fetch

    def rows(self, sql: str) -> list[Row]:
        """Run a query and return its rows, texts cleaned and cut, numbers as Python has them.

        Raises:
            ReportError: If the database refuses it.
        """
        if self.dialect not in _OWN_DIALECTS:
            import sqlglot  # noqa: PLC0415 - slow to import, and for other databases only

            (sql,) = sqlglot.transpile(sql, read="postgres", write=self.dialect)
        try:
            description, found = self._fetch(sql)
        except Exception as exc:
            raise ReportError(f"{self.name} refuses a query: {_first_line(exc)}") from exc
        names = [column[0].lower() for column in description]
        return [dict(zip(names, map(_plain, row), strict=True)) for row in found]

    def tables(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Find tables and views by their names.

        Args:
            names: In lower case.

        Returns:
            By schema and name, the table as a query names it.
        """
        wanted = ", ".join(f"'{name}'" for name in names)
        found = self.rows(
            "select table_catalog as c, table_schema as s, table_name as t "  # noqa: S608
            "from information_schema.tables "
            f"where lower(table_name) in ({wanted}) order by table_schema, table_name"
        )
        # To DuckDB, a schema that has the name of the file is ambiguous without the latter.
        parts = "cst" if self.dialect == "duckdb" else "st"
        tables: dict[str, dict[str, str]] = {}
        for row in found:
            quoted = ".".join(f'"{row[part]}"' for part in parts)
            tables.setdefault(row["s"], {})[row["t"].lower()] = quoted
        return tables


@contextmanager
def duckdb_file(path: Path) -> Iterator[Database]:
    """Open a DuckDB file, read-only.

    Raises:
        ReportError: If there is none, or if it cannot be opened.
    """
    if not path.is_file():
        raise ReportError(
            f"{path} is no file: give the DuckDB file that the models are in, "
            "such as output/cloudapis.duckdb"
        )
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as exc:
        raise ReportError(f"{path} cannot be opened by DuckDB: {_first_line(exc)}") from exc
    with connection:
        connection.execute("SET TimeZone = 'UTC'")

        def fetch(sql: str) -> tuple[Any, Any]:
            cursor = connection.execute(sql)
            return cursor.description, cursor.fetchall()

        yield Database(str(path), "duckdb", fetch)


@contextmanager
def destination(name: str) -> Iterator[Database]:
    """Open a database by dlt's name for it; its credentials come from where dlt looks for them.

    Raises:
        ReportError: If dlt does not know it, lacks something, or cannot connect.
    """
    import dlt  # noqa: PLC0415 - a second of imports, which a DuckDB file does without

    with tempfile.TemporaryDirectory(prefix="cloudapis-report-") as folder:
        try:
            # The dataset is only named: queries name their schemas, and nothing is written.
            pipeline = dlt.pipeline(
                "cloudapis_report",
                pipelines_dir=folder,
                destination=name,
                dataset_name="cloudapis_report",
            )
            client = pipeline.sql_client()
            dialect = client.capabilities.sqlglot_dialect or name
            client.open_connection()
        except Exception as exc:
            why = _without_secrets(_first_line(exc))
            if "additional dependencies" in why:
                why = f"its packages are not installed: pip install 'dlt[{name}]' beside this"
            raise ReportError(
                f"dlt cannot open {name!r}: {why}; credentials are looked for in "
                f"DESTINATION__{name.upper()}__CREDENTIALS and in .dlt/secrets.toml"
            ) from exc
        try:
            if dialect == "postgres":
                client.execute_sql("SET TIME ZONE 'UTC'")

            def fetch(sql: str) -> tuple[Any, Any]:
                with client.execute_query(sql) as cursor:
                    return cursor.description, cursor.fetchall()

            yield Database(name, dialect, fetch)
        finally:
            client.close_connection()


def _plain(value: Any) -> Any:
    """Return a value of the database as charts take it."""
    if isinstance(value, str):
        return short(clean(value), LONGEST)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _without_secrets(text: str) -> str:
    """Take out of a driver's message what may be of a password: all before an `@`, and more."""
    for name, value in os.environ.items():
        if value and re.search("CREDENTIALS|PASSWORD|TOKEN|SECRET", name.upper()):
            text = text.replace(value, "***")
    return re.sub(r"\S.*@", "***@", text)


def _first_line(exc: BaseException) -> str:
    """Return what an error says first."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return printable(lines[0] if lines else type(exc).__name__)
