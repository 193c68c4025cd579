"""Rows and columns that a destination has already: what dlt's packages leave to their author.

dlt adds rows and merges them by key. What it does not do is done here, in the way each kind of
destination can: change a column's type, delete or mark rows that are gone, and clear away what a
load left that never completed.
"""

from __future__ import annotations

import re
import warnings
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from target_dlt.arrow import ARROW_TYPES
from target_dlt.dlt_internals import LOAD_ID, DestinationUndefinedEntity, types_not_taken
from target_dlt.engines.planning import EXACT_IN_DOUBLE, Database
from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Collection

    from target_dlt.dlt_internals import Pipeline, Table, TableColumn
    from target_dlt.engines.base import TableFormat
    from target_dlt.schema import DataType

_LOAD_ID_IN_NAME = re.compile(r"\d{10}\.\d+")
_TYPES = {
    "duckdb": {
        "double": "DOUBLE",
        "decimal": "DECIMAL(38,9)",
        "wei": "DECIMAL(38,0)",
        "text": "VARCHAR",
        "timestamp": "TIMESTAMP WITH TIME ZONE",
    },
    "postgres": {
        "double": "double precision",
        "decimal": "numeric(38,9)",
        "wei": "numeric(38,0)",
        "text": "varchar",
        "timestamp": "timestamp with time zone",
    },
}
_TIMESTAMP_AS_TEXT = {
    "duckdb": "strftime({} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')",
    "postgres": """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
}


class Storage(Database, Protocol):
    """The tables of one dataset.

    Attributes:
        merges: Whether rows can be replaced by key.
        as_text: Types whose values are loaded into columns of text.
    """

    merges: bool
    as_text: Collection[DataType]

    def add_columns(self, table: Table) -> None:
        """Add the new columns of a table, where that must be done before rows come."""

    def completed_loads(self) -> set[str]:
        """The ids of the loads that dlt completed."""

    def loads_of(self, table: str) -> set[str]:
        """The ids of the loads that the rows of a table came with."""

    def remove_loads(self, table: str, load_ids: Collection[str]) -> None:
        """Delete the rows that came with some loads."""

    def quote(self, name: str) -> str:
        """Quote a column's name for the conditions below, which are plain SQL."""

    def delete(self, table: str, where: str) -> None:
        """Delete rows.

        Raises:
            CannotChangeRowsError: If this is not possible here.
        """

    def mark(self, table: str, column: str, where: str) -> None:
        """Set a timestamp column to the time it is now.

        Raises:
            CannotChangeRowsError: If this is not possible here.
        """


class CannotChangeRowsError(LoaderError):
    """The destination takes rows and never changes them."""


def storage_of(pipeline: Pipeline, schema_name: str, table_format: TableFormat | None) -> Storage:
    """Choose the way in which a destination's rows can be changed.

    Args:
        pipeline: Its destination and dataset are known.
        schema_name: Name of dlt's schema of the tables.
        table_format: Format of the tables, if the destination has several.

    Returns:
        The storage; nothing is asked of the destination yet.
    """
    if pipeline.destination.destination_type.endswith(".filesystem"):
        if table_format == "delta":
            return _Delta(pipeline, schema_name)
        return (
            _Iceberg(pipeline, schema_name)
            if table_format == "iceberg"
            else _Files(pipeline, schema_name)
        )
    return _Sql(pipeline, schema_name)


def quoted_list(values: Collection[str]) -> str:
    """Write load ids, which are digits and dots, as a list in SQL."""
    return ", ".join(f"'{value}'" for value in sorted(values))


class _Sql:
    """Tables of a database, changed by SQL; types only where their change is known to be exact."""

    merges = True

    def __init__(self, pipeline: Pipeline, schema_name: str) -> None:
        self._pipeline = pipeline
        self._schema_name = schema_name
        self._kind = pipeline.destination.destination_type.rpartition(".")[2]
        as_text = types_not_taken(pipeline.destination, ARROW_TYPES, "parquet")
        if self._kind == "sqlalchemy":  # it would encode JSON given as text a second time
            as_text.add("json")
        self.as_text: Collection[DataType] = as_text

    def _client(self) -> Any:
        return self._pipeline.sql_client(self._schema_name)

    def add_columns(self, table: Table) -> None:
        """Nothing to do: dlt does."""

    def completed_loads(self) -> set[str]:
        return self._column("_dlt_loads", "load_id")

    def loads_of(self, table: str) -> set[str]:
        return self._column(table, LOAD_ID)

    def _column(self, table: str, column: str) -> set[str]:
        with self._client() as client:
            name = client.make_qualified_table_name(table)
            sql = f"SELECT DISTINCT {client.escape_column_name(column)} FROM {name}"  # noqa: S608
            try:
                return {row[0] for row in client.execute_sql(sql)}
            except DestinationUndefinedEntity:
                return set()

    def remove_loads(self, table: str, load_ids: Collection[str]) -> None:
        if load_ids:
            self.delete(table, f"{self.quote(LOAD_ID)} IN ({quoted_list(load_ids)})")

    def quote(self, name: str) -> str:
        return str(self._client().escape_column_name(name))

    def delete(self, table: str, where: str) -> None:
        with self._client() as client:
            name = client.make_qualified_table_name(table)
            client.execute_sql(f"DELETE FROM {name} WHERE {where}")  # noqa: S608

    def mark(self, table: str, column: str, where: str) -> None:
        with self._client() as client:
            name = client.make_qualified_table_name(table)
            client.execute_sql(
                f"UPDATE {name} SET {self.quote(column)} = CURRENT_TIMESTAMP WHERE {where}"  # noqa: S608
            )

    def can_widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:
        if self._kind not in _TYPES:
            return False
        if (column.type, wider) != ("bigint", "double"):
            return True
        with self._client() as client:
            name = client.make_qualified_table_name(table.name)
            rows = client.execute_sql(
                f"SELECT 1 FROM {name} WHERE {self.quote(column.name)} "  # noqa: S608
                f"NOT BETWEEN {-EXACT_IN_DOUBLE} AND {EXACT_IN_DOUBLE} LIMIT 1"
            )
        return not rows

    def widen(self, table: Table, column: TableColumn, wider: DataType) -> None:
        name, wanted = self.quote(column.name), _TYPES[self._kind][wider]
        using = f"CAST({name} AS {wanted})"
        if (column.type, wider) == ("timestamp", "text"):
            using = _TIMESTAMP_AS_TEXT[self._kind].format(name)
        elif (column.type, wider) == ("date", "timestamp"):
            using = f"CAST({name} AS TIMESTAMP) AT TIME ZONE 'UTC'"
        self._alter(table, column, f"TYPE {wanted} USING {using}")
        self._drop_staging(table)

    def allow_null(self, table: Table, column: TableColumn) -> None:
        self._alter(table, column, "DROP NOT NULL")
        self._drop_staging(table)

    def _alter(self, table: Table, column: TableColumn, change: str) -> None:
        with self._client() as client:
            name = client.make_qualified_table_name(table.name)
            client.execute_sql(
                f"ALTER TABLE {name} ALTER COLUMN {self.quote(column.name)} {change}"
            )

    def _drop_staging(self, table: Table) -> None:
        """Drop the staging twin: dlt never alters its columns and would narrow later merges."""
        with self._client() as client, client.with_staging_dataset():
            try:
                versions = client.make_qualified_table_name("_dlt_version")
                client.execute_sql(f"DELETE FROM {versions}")  # noqa: S608
            except DestinationUndefinedEntity:
                return  # no merge has been here
            twin = client.make_qualified_table_name(table.name)
            client.execute_sql(f"DROP TABLE IF EXISTS {twin}")


class _Filesystem:
    """What the tables in a bucket or folder have in common, whatever their format."""

    merges = True
    as_text: Collection[DataType] = ()

    def __init__(self, pipeline: Pipeline, schema_name: str) -> None:
        self._pipeline = pipeline
        self._schema_name = schema_name

    def _client(self) -> Any:
        return self._pipeline.destination_client(self._schema_name)

    def add_columns(self, table: Table) -> None:
        """Nothing to do: dlt does, or each file has its own."""

    def _files(self, table: str) -> list[str]:
        try:
            files: list[str] = self._client().list_table_files(table)
        except DestinationUndefinedEntity:
            return []
        return files

    def completed_loads(self) -> set[str]:
        return set().union(*map(_load_ids_in, self._files("_dlt_loads")))

    def quote(self, name: str) -> str:
        return f'"{name}"'

    def can_widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:  # noqa: ARG002
        return False

    def widen(self, table: Table, column: TableColumn, wider: DataType) -> None:
        raise NotImplementedError

    def allow_null(self, table: Table, column: TableColumn) -> None:
        """Nothing to do: our files say of no column that it is never NULL."""


class _Files(_Filesystem):
    """Parquet files: each is of one load, and its name says of which (unless `layout` hides it)."""

    merges = False

    def loads_of(self, table: str) -> set[str]:
        return set().union(*map(_load_ids_in, self._files(table)))

    def remove_loads(self, table: str, load_ids: Collection[str]) -> None:
        client = self._client()
        for file in self._files(table):
            if _load_ids_in(file) & set(load_ids):
                client.fs_client.rm_file(file)

    def delete(self, table: str, where: str) -> None:  # noqa: ARG002
        raise CannotChangeRowsError("Parquet files are never changed")

    def mark(self, table: str, column: str, where: str) -> None:  # noqa: ARG002
        raise CannotChangeRowsError("Parquet files are never changed")


class _Delta(_Filesystem):
    """Delta tables, changed by the deltalake library; the format has no times of day."""

    as_text: Collection[DataType] = frozenset({"time"})

    def _table(self, name: str) -> Any:
        return self._client().load_open_table("delta", name)

    def loads_of(self, table: str) -> set[str]:
        try:
            rows = self._table(table).to_pyarrow_table(columns=[LOAD_ID])
        except DestinationUndefinedEntity:
            return set()
        return set(rows[LOAD_ID].unique().to_pylist())

    def remove_loads(self, table: str, load_ids: Collection[str]) -> None:
        if load_ids:
            self.delete(table, f"{self.quote(LOAD_ID)} IN ({quoted_list(load_ids)})")

    def delete(self, table: str, where: str) -> None:
        self._table(table).delete(where)

    def mark(self, table: str, column: str, where: str) -> None:
        self._table(table).update(new_values={column: datetime.now(timezone.utc)}, predicate=where)


class _Iceberg(_Filesystem):
    """Iceberg tables, changed by pyiceberg: rows to mark are read and written anew."""

    def _table(self, name: str) -> Any:
        return self._client().load_open_table("iceberg", name)

    def add_columns(self, table: Table) -> None:
        """Add columns with a snapshot of their own: an upsert compares with the last one's."""
        new = {c.name: ARROW_TYPES[c.type] for c in table.columns.values() if not c.stored}
        if not new:
            return
        try:
            iceberg = self._table(table.name)
        except DestinationUndefinedEntity:
            return
        with iceberg.update_schema() as update:
            update.union_by_name(pa.schema(new))
        iceberg.append(iceberg.schema().as_arrow().empty_table())

    def loads_of(self, table: str) -> set[str]:
        try:
            rows = self._table(table).scan(selected_fields=(LOAD_ID,)).to_arrow()
        except DestinationUndefinedEntity:
            return set()
        return set(rows[LOAD_ID].unique().to_pylist())

    def remove_loads(self, table: str, load_ids: Collection[str]) -> None:
        if load_ids:
            self.delete(table, f"{self.quote(LOAD_ID)} IN ({quoted_list(load_ids)})")

    def delete(self, table: str, where: str) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Delete operation did not match")
            self._table(table).delete(where)

    def mark(self, table: str, column: str, where: str) -> None:
        iceberg = self._table(table)
        rows = iceberg.scan(row_filter=where).to_arrow()
        now = pa.repeat(pa.scalar(datetime.now(timezone.utc), ARROW_TYPES["timestamp"]), len(rows))
        position = rows.column_names.index(column)
        iceberg.overwrite(rows.set_column(position, column, now), overwrite_filter=where)


def _load_ids_in(path: str) -> set[str]:
    return set(_LOAD_ID_IN_NAME.findall(path.replace("\\", "/").rpartition("/")[2]))
