"""Commits of Arrow chunks to a DuckDB file: one transaction for rows, state and load."""

from __future__ import annotations

import logging
import os
import time
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.arrow import ARROW_TYPES, VERSION, Chunk, Column
from target_dlt.dlt_internals import (
    LOAD_ID,
    ROW_ID,
    DatabaseException,
    Dataset,
    Table,
    TableColumn,
    new_load_id,
    normalize_dataset_name,
)
from target_dlt.errors import LoaderError
from target_dlt.schema import StreamSchema, fits, wider_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from target_dlt.schema import DataType

LOGGER = logging.getLogger("target-duckdb")
LoadMethod = Literal["upsert", "append-only", "overwrite"]
OnTypeChange = Literal["widen", "variant", "error"]

_LOCK_WAIT_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.25
_DEFAULT_SCHEMA = "main"
_CHECKPOINT = "16MB"
# Inserting from Arrow is serial: more threads only cost CPU time.
_CONFIG = {"threads": "1"}
_SQL_TYPES = {
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "decimal": "DECIMAL(38,9)",
    "wei": "DECIMAL(38,0)",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
}
_EXACT_IN_DOUBLE = 2**53
# When a row was found to be of an older version, as other Singer loaders name it.
DELETED_AT = "_sdc_deleted_at"
_ISO_UTC = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Activation:
    """From here on the rows of a version, and those that this run brought, are all there are.

    Attributes:
        version: The version; rows of older ones, or of none and another run, are gone.
        after: How many of the commit's chunks of the stream came before.
    """

    version: int
    after: int


@dataclass(frozen=True)
class StreamLoad:
    """What one commit brings of one stream; no chunks: only the table is made."""

    schema: StreamSchema
    chunks: Sequence[Chunk]
    activations: Sequence[Activation] = ()
    replaces: bool = False


class DuckDBEngine:
    """Writes commits into one dlt dataset of one DuckDB file.

    The file is locked only while a commit runs; the commit waits for another process that holds
    it. All tables and columns are made before the transaction begins, so the transaction holds
    nothing but rows, the pipeline's state and the load.

    Args:
        path: The DuckDB file; it and its folders are created.
        dataset_name: Name of the DuckDB schema. If it is the file's own catalog name, which
            DuckDB could not tell apart in `name.table`, the tables are put into the catalog's
            main schema: `name.table` and `dlt.attach(dataset_name=name)` then find them there.
        pipeline_name: dlt's name for the pipeline.
        memory_limit: DuckDB's limit, such as "1GB".
        load_method: What becomes of rows whose key is already there.
        hard_delete: Whether rows of older versions are deleted; else they are marked.
        on_type_change: What becomes of values that an existing column cannot hold: it is widened
            if nothing is lost, else they go to a variant column; always the latter; an error.
        on_wait: Called again and again while the file is in use; may raise to give up.
    """

    def __init__(  # noqa: PLR0913
        self,
        path: Path,
        dataset_name: str,
        pipeline_name: str,
        *,
        memory_limit: str,
        load_method: LoadMethod,
        hard_delete: bool,
        on_type_change: OnTypeChange,
        on_wait: Callable[[], None],
    ) -> None:
        self._path = path
        self._dataset_name = normalize_dataset_name(dataset_name)
        self._pipeline_name = pipeline_name
        self._memory_limit = memory_limit
        self._load_method = load_method
        self._hard_delete = hard_delete
        self._on_type_change = on_type_change
        self._load_ids: list[str] = []
        self._on_wait = on_wait

    @contextmanager
    def open(self) -> Iterator[Dataset]:
        """Open the file for one commit, as soon as no other process holds it.

        Raises:
            LoaderError: If the file cannot be opened or written.
        """
        connection = self._connect()
        try:
            schema = self._schema_in(connection)
            dataset = Dataset(connection, self._pipeline_name, self._dataset_name, schema)
            try:
                yield dataset
            finally:
                dataset.close()
        except (duckdb.Error, DatabaseException) as error:
            raise LoaderError(f"{self._path}: {_first_line(error)}") from error
        finally:
            connection.close()

    def commit(self, dataset: Dataset, loads: Sequence[StreamLoad], state: Any) -> None:
        """Write all rows and the state they complete, or nothing.

        Args:
            dataset: The opened dataset.
            loads: The streams' chunks, in order of arrival within a stream.
            state: The STATE value to store with them; None if there is none.
        """
        tables = [
            _Loading(dataset, load, self._on_type_change, hard_delete=self._hard_delete)
            for load in loads
        ]
        dataset.apply()
        # dlt defers checkpoints; done at once they spare writing large commits to the WAL as well.
        dataset.connection.execute(f"SET checkpoint_threshold = '{_CHECKPOINT}'")
        load_id = new_load_id()
        self._load_ids.append(load_id)
        connection = dataset.connection
        connection.begin()
        try:
            for table in tables:
                table.write(self._load_ids, self._load_method)
            dataset.record_load(load_id, state)
            connection.commit()
        except BaseException:
            _roll_back(connection)
            raise

    def _connect(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        waiting = False
        while True:
            try:
                connection = duckdb.connect(
                    str(self._path), config={"memory_limit": self._memory_limit, **_CONFIG}
                )
            except duckdb.Error as error:  # noqa: PERF203
                if "Could not set lock" not in str(error):
                    raise LoaderError(f"cannot open {self._path}: {_first_line(error)}") from error
                if time.monotonic() > deadline:
                    raise LoaderError(
                        f"{self._path} is in use by another process: {_first_line(error)}"
                    ) from error
                if not waiting:
                    LOGGER.warning(
                        "%s is in use by another process; waiting up to %d s for it",
                        self._path,
                        _LOCK_WAIT_SECONDS,
                    )
                    waiting = True
                time.sleep(_LOCK_POLL_SECONDS)
                self._on_wait()
            else:
                opened = "SELECT path FROM duckdb_databases() WHERE NOT internal"
                if connection.execute(opened).fetchall() == [(None,)]:
                    # By its ending the file is of another format, which DuckDB opens as a view.
                    raise LoaderError(f"{self._path} is not a DuckDB file: choose another path")
                connection.execute("SET timezone = 'UTC'")
                return connection

    def _schema_in(self, connection: duckdb.DuckDBPyConnection) -> str:
        (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
        if str(catalog).lower() != self._dataset_name.lower():
            return self._dataset_name
        taken = connection.execute(
            "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name ILIKE ?",
            [catalog, self._dataset_name],
        ).fetchall()
        if taken:
            raise LoaderError(
                f"{self._path} has a schema of the file's own name, {self._dataset_name!r}, which "
                "DuckDB cannot tell apart: choose another default_target_schema or path"
            )
        return _DEFAULT_SCHEMA


class _Loading:
    """One stream's way into its table, within one commit."""

    def __init__(
        self,
        dataset: Dataset,
        load: StreamLoad,
        on_type_change: OnTypeChange,
        *,
        hard_delete: bool,
    ) -> None:
        self._dataset = dataset
        self._load = load
        self._on_type_change = on_type_change
        self._hard_delete = hard_delete
        self._table: Table = dataset.table_of(load.schema.stream)
        self._plan()

    def _plan(self) -> None:
        """Make every column the chunks need; widen those that are too narrow."""
        schema = self._load.schema
        is_new = not self._table.columns
        for chunk in self._load.chunks:
            for column in chunk.columns:
                self._column_for(column)
        for name, kind in schema.columns.items():
            self._column_for(Column(name, kind))
        for chunk in self._load.chunks:
            for column, values in zip(chunk.columns, chunk.table.columns, strict=True):
                if _overflows(column, self._column_for(column), values):
                    self._column_for(Column(column.name, "bigint", variant=True))
        if self._load.activations:
            self._version = self._column_for(Column(VERSION, "bigint"))
            if not self._hard_delete:
                self._deleted_at = self._column_for(Column(DELETED_AT, "timestamp"))
        for made in self._table.columns.values():
            made.key = made.source in schema.keys and not made.variant
            if is_new and made.key:
                made.nullable = False
            if not made.key and not made.nullable:
                self._alter(made, "DROP NOT NULL")
                made.nullable = True
        self._keys = [found.name for key in schema.keys if (found := self._table.of_source(key))]
        self._dataset.stage(self._table)

    def _column_for(self, column: Column) -> TableColumn:
        """Find, widen or make the column that takes a chunk's column."""
        existing = self._table.of_source(column.name)
        if existing is not None and not column.variant:
            if fits(column.type, existing.type):
                return existing
            wider = None
            if self._on_type_change == "widen":
                wider = wider_type(existing.type, column.type)
            if wider is not None and self._can_widen(existing, wider):
                self._widen(existing, wider)
                return existing
            if column.name in self._load.schema.keys:
                raise LoaderError(
                    f"stream {self._table.stream!r}: key {column.name!r} is now {column.type}, "
                    f"but its column is {existing.type}"
                )
        is_variant = column.variant or existing is not None
        if is_variant and self._on_type_change == "error":
            raise LoaderError(
                f"stream {self._table.stream!r}: {column.name!r} has values of type "
                f"{column.type}, which its column does not hold, and on_type_change is 'error'"
            )
        variant_type: DataType | None = column.type if is_variant else None
        found = self._table.of_source(column.name, variant_type=variant_type)
        return found or self._add(column, variant_type)

    def _add(self, column: Column, variant_type: DataType | None) -> TableColumn:
        name = self._dataset.column_name(self._table, column.name, variant_type=variant_type)
        if variant_type is not None:
            LOGGER.warning(
                "stream %r: values of %r that its column cannot hold go to column %r",
                self._table.stream,
                column.name,
                name,
            )
        elif name.rpartition("_")[2].isdigit() and name.rpartition("_")[0] in self._table.columns:
            LOGGER.warning(
                "stream %r: the name of %r is taken; its column is %r",
                self._table.stream,
                column.name,
                name,
            )
        is_variant = variant_type is not None
        added = TableColumn(name, column.type, column.name, variant=is_variant, stored=False)
        self._table.columns[name] = added
        return added

    def _can_widen(self, column: TableColumn, wider: DataType) -> bool:
        if (column.type, wider) != ("bigint", "double") or not column.stored:
            return True
        query = (
            f"SELECT 1 FROM {self._dataset.qualified(self._table.name)} "  # noqa: S608
            f"WHERE {_quote(column.name)} NOT BETWEEN {-_EXACT_IN_DOUBLE} AND {_EXACT_IN_DOUBLE} "
            "LIMIT 1"
        )
        return not self._dataset.connection.execute(query).fetchall()

    def _widen(self, column: TableColumn, wider: DataType) -> None:
        if not column.stored:
            column.type = wider
            return
        LOGGER.info("stream %r: column %r becomes %s", self._table.stream, column.name, wider)
        using = ""
        if (column.type, wider) == ("timestamp", "text"):
            using = f" USING strftime({_quote(column.name)} AT TIME ZONE 'UTC', '{_ISO_UTC}')"
        self._alter(column, f"TYPE {_SQL_TYPES[wider]}{using}")
        column.type = wider
        self._drop_staging()

    def _alter(self, column: TableColumn, change: str) -> None:
        self._dataset.connection.execute(
            f"ALTER TABLE {self._dataset.qualified(self._table.name)} "
            f"ALTER COLUMN {_quote(column.name)} {change}"
        )

    def _drop_staging(self) -> None:
        """Drop the staging twin: dlt never alters its types and would narrow later merges."""
        connection = self._dataset.connection
        staging = self._dataset.staging_name
        found = {
            row[0]
            for row in connection.execute(
                "SELECT table_name FROM duckdb_tables() "
                "WHERE schema_name = ? AND database_name = current_database()",
                [staging],
            ).fetchall()
        }
        if self._table.name in found:
            connection.execute(f"DROP TABLE {self._dataset.staging_qualified(self._table.name)}")
        if self._dataset.version_table in found:
            versions = self._dataset.staging_qualified(self._dataset.version_table)
            connection.execute(f"DELETE FROM {versions}")  # noqa: S608

    def write(self, load_ids: Sequence[str], method: LoadMethod) -> None:
        """Write chunks and activations, in order, in the open transaction.

        Args:
            load_ids: The ids of this run's loads; the last one is this load.
            method: What becomes of rows whose key is already there.
        """
        target = self._dataset.qualified(self._table.name)
        if self._load.replaces:
            self._dataset.connection.execute(f"DELETE FROM {target}")  # noqa: S608
        written = 0
        for activation in self._load.activations:
            self._insert(self._load.chunks[written : activation.after], load_ids[-1], method)
            self._activate(activation.version, load_ids)
            written = activation.after
        self._insert(self._load.chunks[written:], load_ids[-1], method)
        mark = self._table.of_source(DELETED_AT)
        if self._hard_delete and mark is not None:
            gone = f"{_quote(mark.name)} IS NOT NULL"
            self._dataset.connection.execute(f"DELETE FROM {target} WHERE {gone}")  # noqa: S608

    def _activate(self, version: int, load_ids: Sequence[str]) -> None:
        """Delete or mark what is older; rows without a version unless this run brought them."""
        target = self._dataset.qualified(self._table.name)
        column = _quote(self._version.name)
        older = f"({column} < ? OR {column} IS NULL AND {_quote(LOAD_ID)} NOT IN ?)"
        if self._hard_delete:
            change = f"DELETE FROM {target} WHERE {older}"  # noqa: S608
        else:
            mark = _quote(self._deleted_at.name)
            change = f"UPDATE {target} SET {mark} = now() WHERE {mark} IS NULL AND {older}"  # noqa: S608
        self._dataset.connection.execute(change, [version, list(load_ids)])

    def _insert(self, chunks: Sequence[Chunk], load_id: str, method: LoadMethod) -> None:
        if not chunks:
            return
        target = self._dataset.qualified(self._table.name)
        connection = self._dataset.connection
        batch = pa.concat_tables(
            [self._conform(chunk) for chunk in chunks], promote_options="default"
        )
        names = batch.column_names
        batch = batch.append_column(ROW_ID, _row_ids(len(batch)))
        connection.register("_batch", batch)
        try:
            where = ""
            if self._keys and method != "append-only":
                where = self._delete_older(connection, batch, target)
            columns = ", ".join(map(_quote, [*names, ROW_ID]))
            connection.execute(
                f"INSERT INTO {target} ({columns}, {_quote(LOAD_ID)}) "  # noqa: S608
                f"SELECT {columns}, ? FROM _batch{where}",
                [load_id],
            )
        finally:
            connection.unregister("_batch")

    def _delete_older(
        self, connection: duckdb.DuckDBPyConnection, batch: pa.Table, target: str
    ) -> str:
        """Delete what the batch replaces; answer which of its rows to take: the last of a key."""
        keys = ", ".join(map(_quote, self._keys))
        (distinct,) = connection.execute(
            f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM _batch)"  # noqa: S608
        ).fetchall()[0]
        matches = " AND ".join(f"t.{_quote(key)} = b.{_quote(key)}" for key in self._keys)
        connection.execute(f"DELETE FROM {target} t USING _batch b WHERE {matches}")  # noqa: S608
        if distinct == len(batch):
            return ""
        order = pa.array(range(len(batch)), pa.int64())
        connection.register("_batch", batch.append_column("_order", order))
        return f" WHERE _order IN (SELECT max(_order) FROM _batch GROUP BY {keys})"  # noqa: S608

    def _conform(self, chunk: Chunk) -> pa.Table:
        """Give a chunk the names and types of the table."""
        arrays: dict[str, pa.ChunkedArray] = {}
        for column, values in zip(chunk.columns, chunk.table.columns, strict=True):
            for name, array in self._place(column, values):
                arrays[name] = pc.coalesce(arrays[name], array) if name in arrays else array
        return pa.table(arrays)

    def _place(
        self, column: Column, values: pa.ChunkedArray
    ) -> Iterator[tuple[str, pa.ChunkedArray]]:
        target = self._column_for(column)
        if _overflows(column, target, values):
            variant = self._column_for(Column(column.name, "bigint", variant=True))
            exact, null = _is_exact_in_double(values), pa.scalar(None, pa.int64())
            yield variant.name, pc.if_else(exact, null, values)
            values = pc.if_else(exact, values, null)
        yield target.name, _cast(values, column.type, target.type)


def _is_exact_in_double(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(
        pc.greater_equal(values, -_EXACT_IN_DOUBLE), pc.less_equal(values, _EXACT_IN_DOUBLE)
    )


def _overflows(column: Column, target: TableColumn, values: pa.ChunkedArray) -> bool:
    """Tell whether integers that only a bigint holds are on their way into a double column."""
    if column.type != "bigint" or target.type != "double":
        return False
    return not pc.all(_is_exact_in_double(values), min_count=0).as_py()


def _cast(values: pa.ChunkedArray, kind: DataType, wanted: DataType) -> pa.ChunkedArray:
    if kind == wanted or (kind, wanted) == ("json", "text"):
        return values
    if (kind, wanted) == ("timestamp", "text"):
        return pc.strftime(values, format="%Y-%m-%dT%H:%M:%SZ")
    return values.cast(ARROW_TYPES[wanted])


def _row_ids(count: int) -> pa.StringArray:
    """Make ids as dlt makes them, 14 base64 characters of randomness, all at once."""
    width = 14
    text = b64encode(os.urandom((count + 1) // 2 * 21))
    offsets = pa.array(range(0, count * width + 1, width), pa.int32()).buffers()[1]
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(text))


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:  # the failed statement may have ended the transaction
        LOGGER.debug("The transaction is over already")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
