"""Rows and columns that a destination has already: what dlt's packages leave to their author.

dlt adds rows and merges them by key. What it does not do is done here, in the way each kind of
destination can: change a column's type, delete or mark rows that are gone, and clear away what a
load left that never completed.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from target_dlt.dlt_internals import (
    LOAD_ID,
    DestinationUndefinedEntity,
    load_ids_in_name,
    open_table,
    types_not_taken,
)
from target_dlt.engines.columns import SqlColumns
from target_dlt.engines.descriptions import LONGEST, Comments
from target_dlt.engines.stored import StoredTable, read_arrow
from target_dlt.errors import LoaderError
from target_dlt.rows.arrays import ARROW_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from target_dlt.dlt_internals import Pipeline, Table, TableColumn
    from target_dlt.engines.base import TableFormat
    from target_dlt.messages.schema import DataType


class Storage(ABC):
    """The tables of one dataset; a `planning.Database`, too.

    Args:
        pipeline: Its destination and dataset are known.
        schema_name: Name of dlt's schema of the tables.

    Attributes:
        merges: Whether rows can be replaced by key.
        as_text: Types whose values are loaded into columns of text.
        has_case: Whether names differ by case.
        longest_description: How many characters a description may have.
    """

    merges = True
    longest_description = 1_000  # BigQuery takes no more
    as_text: Collection[DataType] = ()

    def __init__(self, pipeline: Pipeline, schema_name: str) -> None:
        self._pipeline = pipeline
        self._schema_name = schema_name
        self.has_case = bool(pipeline.destination.capabilities().has_case_sensitive_identifiers)

    def _client(self) -> Any:
        return self._pipeline.destination_client(self._schema_name)

    def add_columns(self, table: Table) -> None:  # noqa: B027 (dlt itself does it in most)
        """Add the new columns of a table before rows come, where dlt does not do so in time."""

    def comment(self, tables: Sequence[Table]) -> None:  # noqa: B027 (few have comments)
        """Write the descriptions of tables and columns as comments, where dlt does not."""

    def stored(self, table: str) -> StoredTable | None:  # noqa: ARG002
        """See `planning.Database`."""
        return None

    def drop_staging(self, table: Table) -> None:  # noqa: B027 (only databases have such tables)
        """See `planning.Database`."""

    def forget(self) -> None:  # noqa: B027 (there is nothing to forget in most)
        """Read the tables anew when they are next asked for."""

    @abstractmethod
    def widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:
        """See `planning.Database`."""

    @abstractmethod
    def allow_null(self, table: Table, column: TableColumn) -> None:
        """See `planning.Database`."""

    @abstractmethod
    def respell(self, table: Table, column: TableColumn, spell: Callable[[str], str]) -> None:
        """See `planning.Database`."""

    @abstractmethod
    def completed_loads(self) -> set[str]:
        """The ids of the loads that dlt completed."""

    @abstractmethod
    def loads_of(self, table: str) -> set[str]:
        """The ids of the loads that the rows of a table came with."""

    def remove_loads(self, table: str, load_ids: Collection[str]) -> None:
        """Delete the rows that came with some loads."""
        if load_ids:
            self.delete(table, f"{self.quote(LOAD_ID)} IN ({quoted_list(load_ids)})")

    @abstractmethod
    def quote(self, name: str) -> str:
        """Quote a column's name for the conditions below, which are plain SQL."""

    @abstractmethod
    def delete(self, table: str, where: str) -> None:
        """Delete rows.

        Raises:
            CannotChangeRowsError: If this is not possible here.
        """

    @abstractmethod
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


class _Sql(Storage):
    """Tables of a database, changed by SQL."""

    def __init__(self, pipeline: Pipeline, schema_name: str) -> None:
        super().__init__(pipeline, schema_name)
        kind = pipeline.destination.destination_type.rpartition(".")[2]
        self._columns = SqlColumns(kind, self._client)
        self._comments = Comments(kind)
        if self._comments.are_known:
            self.longest_description = LONGEST
        as_text = types_not_taken(pipeline.destination, ARROW_TYPES, "parquet")
        if kind == "sqlalchemy":  # it would encode JSON given as text a second time
            as_text.add("json")
        self.as_text = as_text

    def comment(self, tables: Sequence[Table]) -> None:
        self._comments.write(self._client, tables)

    def stored(self, table: str) -> StoredTable | None:
        return self._columns.stored(table)

    def forget(self) -> None:
        self._columns.forget()

    def widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:
        return self._columns.widen(table, column, wider)

    def drop_staging(self, table: Table) -> None:
        self._columns.drop_staging(table)

    def allow_null(self, table: Table, column: TableColumn) -> None:
        self._columns.allow_null(table, column)

    def respell(self, table: Table, column: TableColumn, spell: Callable[[str], str]) -> None:
        self._columns.respell(table, column, spell)

    def completed_loads(self) -> set[str]:
        return self._values("_dlt_loads", "load_id")

    def loads_of(self, table: str) -> set[str]:
        return self._values(table, LOAD_ID)

    def _values(self, table: str, column: str) -> set[str]:
        with self._sql() as sql:
            name = sql.make_qualified_table_name(table)
            query = f"SELECT DISTINCT {sql.escape_column_name(column)} FROM {name}"  # noqa: S608
            try:
                return {row[0] for row in sql.execute_sql(query)}
            except DestinationUndefinedEntity:
                return set()

    def _sql(self) -> Any:
        return self._pipeline.sql_client(self._schema_name)

    def quote(self, name: str) -> str:
        return str(self._sql().escape_column_name(name))

    def delete(self, table: str, where: str) -> None:
        with self._sql() as sql:
            name = sql.make_qualified_table_name(table)
            sql.execute_sql(f"DELETE FROM {name} WHERE {where}")  # noqa: S608

    def mark(self, table: str, column: str, where: str) -> None:
        with self._sql() as sql:
            name, marked = sql.make_qualified_table_name(table), sql.escape_column_name(column)
            sql.execute_sql(f"UPDATE {name} SET {marked} = CURRENT_TIMESTAMP WHERE {where}")  # noqa: S608


class _Filesystem(Storage):
    """What the tables in a bucket or folder have in common, whatever their format."""

    def _files(self, table: str) -> list[str]:
        try:
            files: list[str] = self._client().list_table_files(table)
        except DestinationUndefinedEntity:
            return []
        return files

    def completed_loads(self) -> set[str]:
        return set().union(*map(load_ids_in_name, self._files("_dlt_loads")))

    def quote(self, name: str) -> str:
        return f'"{name}"'

    def widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:  # noqa: ARG002
        return False

    def allow_null(self, table: Table, column: TableColumn) -> None:
        """Nothing to do: our files say of no column that it is never NULL."""


class _Files(_Filesystem):
    """Parquet files: each is of one load, and its name says of which (unless `layout` hides it)."""

    merges = False

    def loads_of(self, table: str) -> set[str]:
        return set().union(*map(load_ids_in_name, self._files(table)))

    def remove_loads(self, table: str, load_ids: Collection[str]) -> None:
        client = self._client()
        for file in self._files(table):
            if load_ids_in_name(file) & set(load_ids):
                client.fs_client.rm_file(file)

    def respell(self, table: Table, column: TableColumn, spell: Callable[[str], str]) -> None:
        """Nothing to do: no row is looked for by its key."""

    def delete(self, table: str, where: str) -> None:  # noqa: ARG002
        raise CannotChangeRowsError("Parquet files are never changed")

    def mark(self, table: str, column: str, where: str) -> None:  # noqa: ARG002
        raise CannotChangeRowsError("Parquet files are never changed")


class _OpenTables(_Filesystem):
    """Tables of files with a log of their changes, by which rows can be replaced."""

    table_format: TableFormat

    def _table(self, name: str) -> Any:
        return open_table(self._client(), self.table_format, name)

    def loads_of(self, table: str) -> set[str]:
        try:
            found = self._table(table)
        except DestinationUndefinedEntity:
            return set()
        return set(self._values(found, LOAD_ID).unique().to_pylist())

    def stored(self, table: str) -> StoredTable | None:
        try:
            found = self._table(table)
        except DestinationUndefinedEntity:
            return StoredTable()
        return read_arrow(self._schema_of(found), self.table_format)

    @abstractmethod
    def _schema_of(self, table: Any) -> pa.Schema:
        """Read the types of a table's columns."""

    def respell(self, table: Table, column: TableColumn, spell: Callable[[str], str]) -> None:
        try:
            found = self._table(table.name)
        except DestinationUndefinedEntity:
            return
        values = self._values(found, column.name).unique().to_pylist()
        if any(value is not None and spell(value) != value for value in values):
            raise LoaderError(
                f"stream {table.stream!r}: the key {column.source!r} has values that were of "
                "another type, and the rows that are there cannot be told from those that come: "
                "load into another schema"
            )

    @abstractmethod
    def _values(self, table: Any, column: str) -> pa.ChunkedArray:
        """Read one column."""


class _Delta(_OpenTables):
    """Delta tables, changed by the deltalake library; the format has no times of day."""

    as_text = frozenset({"time"})
    table_format = "delta"

    def _values(self, table: Any, column: str) -> pa.ChunkedArray:
        return table.to_pyarrow_table(columns=[column])[column]

    def _schema_of(self, table: Any) -> pa.Schema:
        return pa.schema(table.schema().to_arrow())

    def delete(self, table: str, where: str) -> None:
        self._table(table).delete(where)

    def mark(self, table: str, column: str, where: str) -> None:
        self._table(table).update(new_values={column: datetime.now(UTC)}, predicate=where)


class _Iceberg(_OpenTables):
    """Iceberg tables, changed by pyiceberg: rows to mark are read and written anew."""

    table_format = "iceberg"

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

    def _values(self, table: Any, column: str) -> pa.ChunkedArray:
        return table.scan(selected_fields=(column,)).to_arrow()[column]

    def _schema_of(self, table: Any) -> pa.Schema:
        return table.schema().as_arrow()

    def delete(self, table: str, where: str) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Delete operation did not match")
            self._table(table).delete(where)

    def mark(self, table: str, column: str, where: str) -> None:
        iceberg = self._table(table)
        rows = iceberg.scan(row_filter=where).to_arrow()
        now = pa.repeat(pa.scalar(datetime.now(UTC), ARROW_TYPES["timestamp"]), len(rows))
        position = rows.column_names.index(column)
        iceberg.overwrite(rows.set_column(position, column, now), overwrite_filter=where)
