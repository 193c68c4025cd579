"""Which column of a table takes which values: the same for every engine."""

from __future__ import annotations

import logging
import os
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.decoding import decode_exactly
from target_dlt.dlt_internals import (
    NESTED_COLUMNS,
    ROOT_ID,
    ROW_ID,
    DatasetSchema,
    Table,
    TableColumn,
)
from target_dlt.engines.base import StreamLoad
from target_dlt.engines.owned import OWN_PREFIX, has_column, own_columns
from target_dlt.engines.spellings import Spellings
from target_dlt.errors import LoaderError
from target_dlt.messages.schema import StreamSchema, fits, wider_type
from target_dlt.rows.arrays import ARROW_TYPES
from target_dlt.rows.arrow import Chunk, Column
from target_dlt.rows.own import DELETED_AT, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_dlt.engines.base import Rules
    from target_dlt.messages.schema import DataType
    from target_dlt.names import Path

LOGGER = logging.getLogger("target_dlt")
EXACT_IN_DOUBLE = 2**53


class Database(Protocol):
    """Changes columns that the database has already; before the commit's rows are written."""

    def widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:
        """Change a column's type, where dlt stages rows for the table as well.

        Returns:
            Whether it was changed; it is not if a value it holds would be lost, or if something
            that depends on the column, such as a view, does not let it be.
        """

    def allow_null(self, table: Table, column: TableColumn) -> None:
        """Let a column that was part of a key hold NULL."""


class StreamPlan:
    """One stream's way into its table, within one commit.

    Makes every column that the chunks need in the dataset's schema, and widens in the database
    those that are too narrow.

    Args:
        dataset: The dataset's schema; it has the table afterwards.
        database: What the dataset is in.
        load: What the commit brings.
        rules: What to do where column and values differ.
        table: Where the rows go.

    Attributes:
        load: What the commit brings.
        table: The table and all its columns.
        keys: Names of the key columns; empty for a table that is appended to.
        version: The column of the tap's version of its table, if rows of older versions are to go.
        deleted_at: The column that marks rows which are gone, if the table has one.

    Raises:
        LoaderError: If a column cannot hold its values and may not be changed.
    """

    def __init__(
        self,
        dataset: DatasetSchema,
        database: Database,
        load: StreamLoad,
        rules: Rules,
        table: Table,
    ) -> None:
        self.load = load
        self._dataset = dataset
        self._database = database
        self._on_type_change = rules.on_type_change
        self.table = table
        self.version: TableColumn | None = None
        is_new = self.table.is_new
        self._own = own_columns(self.table, load, rules)
        self._spellings = Spellings(dataset, self.table, load)
        self._keys = dict.fromkeys(map(self._spellings, load.schema.keys))
        self._make_columns()
        if load.activations:
            self.version = self.table.of_loader(VERSION)
        self.deleted_at = self.table.of_loader(DELETED_AT)
        self._mark_keys(is_new=is_new)
        sources = [self.table.of_source(key) for key in self._keys]
        self.keys = [column.name for column in sources if column is not None]
        dataset.stage(self.table)

    def _make_columns(self) -> None:
        for chunk in self.load.chunks:
            for column in chunk.columns:
                self._column_for(column)
        for name, kind in self.load.schema.columns.items():
            if has_column(self.table, self.load, name, kind):
                self._column_for(Column(name, kind))
        for name, kind in self._own.items():
            self._column_for(Column(name, kind, own=True))
        for chunk in self.load.chunks:
            for column, values in zip(chunk.columns, chunk.table.columns, strict=False):
                if _overflows(column, self._column_for(column), values):
                    self._column_for(Column(column.name, "bigint", variant=True))

    def _mark_keys(self, *, is_new: bool) -> None:
        for column in self.table.columns.values():
            if self.table.parent is not None and column.name in NESTED_COLUMNS:
                column.nullable = not is_new and column.nullable
                continue
            column.key = column.source in self._keys and not (column.variant or column.own)
            if is_new and column.key:
                column.nullable = False
            if not column.key and not column.nullable:
                self._database.allow_null(self.table, column)
                column.nullable = True

    def _column_for(self, column: Column) -> TableColumn:
        """Find, widen or make the column that takes a chunk's column."""
        kind = self._dataset.column_type(column.type)
        if column.own:
            existing, column = self.table.of_loader(column.name), replace(column, type=kind)
        else:
            source = self._spellings(column.name)
            existing = self._of_source(source)
            # Another spelling of a property does not say of which type it is.
            is_stray = source != column.name and existing and not fits(kind, existing.type)
            column = Column(source, kind, column.variant or bool(is_stray))
        is_key = column.name in self._keys and not column.own
        if existing is not None and (is_key or not column.variant):
            if _holds(existing, column) and not existing.narrow:
                return existing
            may_widen = self._on_type_change == "widen" or (is_key and not existing.stored)
            # Of a key there is no column beside; what no schema says is as its values are.
            may_be_text = is_key and (column.variant or column.name not in self.load.schema.columns)
            for wider in _wider_types(existing, column, may_be_text) if may_widen else ():
                if self._widen(existing, wider):
                    return existing
            if is_key:
                raise LoaderError(
                    f"stream {self.table.stream!r}: key {column.name!r} is now {column.type}, "
                    f"but its column is {existing.type}"
                )
        is_variant = column.variant or existing is not None
        if is_variant and self._on_type_change == "error":
            raise LoaderError(
                f"stream {self.table.stream!r}: {column.name!r} has values of type "
                f"{column.type}, which its column does not hold, and on_type_change is 'error'"
            )
        variant_type: DataType | None = column.type if is_variant else None
        found = self.table.of_source(column.name, variant_type=variant_type) if is_variant else None
        return found or self._add(column, variant_type)

    def _of_source(self, source: str) -> TableColumn | None:
        found = self.table.of_source(source)
        if found is not None and found.own is None and found.name.startswith(OWN_PREFIX):
            found.own = False
        return found

    def _add(self, column: Column, variant_type: DataType | None) -> TableColumn:
        reserved = () if column.own else self._own
        spelled = column.name if column.own else self._spellings.spelled(column.name)
        name = self._dataset.column_name(self.table, column.name, spelled, variant_type, reserved)
        if variant_type is not None:
            LOGGER.warning(
                "stream %r: values of %r that its column cannot hold go to column %r",
                self.table.stream,
                column.name,
                name,
            )
        elif name.rpartition("_")[2].isdigit() and name.rpartition("_")[0] in {
            *self.table.columns,
            *reserved,
        }:
            LOGGER.warning(
                "stream %r: the name of %s%r is taken; its column is %r",
                self.table.stream,
                "the loader's own " if column.own else "",
                column.name,
                name,
            )
        is_variant = variant_type is not None
        added = TableColumn(name, column.type, column.name, variant=is_variant, stored=False)
        if column.own or (name.startswith(OWN_PREFIX) and not is_variant):
            added.own = column.own
        self.table.columns[name] = added
        return added

    def _widen(self, column: TableColumn, wider: DataType) -> bool:
        if column.stored:
            if column.wide or not self._database.widen(self.table, column, wider):
                return False
            LOGGER.info("stream %r: column %r is now %s", self.table.stream, column.name, wider)
        column.type, column.narrow = wider, False
        return True

    def batch(self, chunks: Sequence[Chunk]) -> pa.Table:
        """Give chunks the names and types of the table, and each row an id.

        Args:
            chunks: At least one of the load's chunks.

        Returns:
            Their rows, in order, in the columns that they have.
        """
        rows = pa.concat_tables(
            [self._conform(chunk) for chunk in chunks], promote_options="default"
        )
        if ROW_ID in rows.column_names:
            return rows
        return rows.append_column(ROW_ID, _row_ids(len(rows)))

    def _conform(self, chunk: Chunk) -> pa.Table:
        ids = self.load.schema.ids
        arrays: dict[str, pa.ChunkedArray] = {name: chunk.table.column(name) for name in ids}
        for column, values in zip(chunk.columns, chunk.table.columns, strict=False):
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
            large = pc.if_else(exact, null, values)
            yield variant.name, _cast(large, column.type, variant.type)
            values = pc.if_else(exact, values, null)
        yield target.name, _cast(values, column.type, target.type)


def _holds(existing: TableColumn, column: Column) -> bool:
    """Tell whether a column holds the values of a chunk's, or all but those it sets aside."""
    if column.variant and existing.type == "double":  # these have been set aside
        return column.type == "double"
    return fits(column.type, existing.type)


def _wider_types(existing: TableColumn, column: Column, may_be_text: bool) -> Iterator[DataType]:
    """Which types a column can be given so that it holds a chunk's, too."""
    if _holds(existing, column):
        yield existing.type
    elif wider := wider_type(existing.type, column.type):
        yield wider
    if may_be_text and existing.type != "text":
        yield "text"


def _is_exact_in_double(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(
        pc.greater_equal(values, -EXACT_IN_DOUBLE), pc.less_equal(values, EXACT_IN_DOUBLE)
    )


def _overflows(column: Column, target: TableColumn, values: pa.ChunkedArray) -> bool:
    """Tell whether integers that only a bigint holds are on their way into a double column."""
    if column.type != "bigint" or target.type != "double":
        return False
    return not pc.all(_is_exact_in_double(values), min_count=0).as_py()


def _cast(values: pa.ChunkedArray, kind: DataType, wanted: DataType) -> pa.ChunkedArray:
    if kind == wanted:
        return values
    if (kind, wanted) == ("json", "text"):
        return _plain_strings(values)
    if (kind, wanted) == ("timestamp", "text"):
        return pc.strftime(values, format="%Y-%m-%dT%H:%M:%SZ")
    return values.cast(ARROW_TYPES[wanted])


def _plain_strings(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take JSON strings out of their quotes, as a text column holds strings; others stay JSON."""
    if not pc.any(pc.starts_with(values, '"'), min_count=0).as_py():
        return values
    texts = [
        decode_exactly(text.encode()) if text and text[0] == '"' else text
        for text in values.to_pylist()
    ]
    return pa.chunked_array([pa.array(texts, values.type)])


def _row_ids(count: int) -> pa.StringArray:
    """Make ids as dlt makes them, 14 base64 characters of randomness, all at once."""
    width = 14
    text = b64encode(os.urandom((count + 1) // 2 * 21))
    offsets = pa.array(range(0, count * width + 1, width), pa.int32()).buffers()[1]
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(text))


def plan_nested(
    dataset: DatasetSchema, database: Database, own: StreamPlan, rules: Rules
) -> list[StreamPlan]:
    """Plan the tables of a stream's arrays, each after its parent.

    Args:
        dataset: The dataset's schema; it has the tables afterwards.
        database: What the dataset is in.
        own: The plan of the stream's own table.
        rules: What to do where column and values differ.
    """
    plans: list[StreamPlan] = []
    tables: dict[Path, Table] = {(): own.table}
    in_use = {*own.load.schema.lists, *own.load.nested}
    for path in sorted(own.load.nested, key=len):
        beside = {one[-1] for one in in_use if one[:-1] == path[:-1]}
        table = dataset.nested_table_of(tables[path[:-1]].name, path[-1], beside)
        tables[path] = table
        columns: dict[str, DataType] = {}
        if own.keys and (table.is_new or table.of_source(ROOT_ID)):
            columns[ROOT_ID] = "text"  # where dlt's merges look for it
        schema = StreamSchema(
            own.load.schema.stream, columns, (), keeps_unknown=True, ids=(ROW_ID, ROOT_ID)
        )
        load = StreamLoad(schema, own.load.nested[path])
        plans.append(StreamPlan(dataset, database, load, rules, table))
    return plans
