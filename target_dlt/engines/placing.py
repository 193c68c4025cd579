"""Rows of chunks in the columns of their table, so many at a time as memory holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.dlt_internals import ROW_ID
from target_dlt.engines.casting import cast, fitting, row_ids
from target_dlt.messages.digits import plain_type
from target_dlt.rows.arrays import whole
from target_dlt.rows.spelling import speller

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from target_dlt.dlt_internals import TableColumn
    from target_dlt.messages.schema import DataType
    from target_dlt.rows.chunks import Chunk, Column

# So many cells are laid out at a time, with or without a value, on their way into a table.
_MOST_CELLS = 16_000_000
# And so many bytes, but for the rows of a single chunk.
_MOST_BYTES = 128 << 20


class Placing:
    """Gives chunks of one stream the names and types of its table.

    Args:
        column_for: Answers the column that takes a chunk's.
        keys: Names of the key columns.
        spelled: By key column, the types of its values that are spelled in one way.
        ids: Names of dlt's ids that the rows bring.
    """

    def __init__(
        self,
        column_for: Callable[[Column], TableColumn],
        keys: Sequence[str],
        spelled: Mapping[str, Collection[DataType]],
        ids: Sequence[str],
    ) -> None:
        self._column_for = column_for
        self._keys = keys
        self._spelled = spelled
        self._ids = ids

    def batches(
        self, chunks: Iterable[Chunk], taken: pa.BooleanArray | None = None
    ) -> Iterator[pa.Table]:
        """Lay out rows, each with an id.

        Args:
            chunks: Some of the load's chunks.
            taken: Which of their rows to take; None for all.

        Yields:
            The rows, in order, in the columns that have a value in one of them.
        """
        done = 0
        for rows in self._batches(chunks):
            yield rows if taken is None else rows.filter(taken.slice(done, len(rows)))
            done += len(rows)

    def _batches(self, chunks: Iterable[Chunk]) -> Iterator[pa.Table]:
        waiting: list[pa.Table] = []
        names: set[str] = set()
        count = size = 0
        for piece in self._pieces(chunks):
            cells = (count + len(piece)) * len(names.union(piece.column_names))
            added = piece.nbytes
            if waiting and (cells > _MOST_CELLS or size + added > _MOST_BYTES):
                yield pa.concat_tables(waiting, promote_options="default")
                waiting, names, count, size = [], set(), 0, 0
            waiting.append(piece)
            names.update(piece.column_names)
            count += len(piece)
            size += added
        if waiting:
            yield pa.concat_tables(waiting, promote_options="default")

    def key_rows(self, chunks: Iterable[Chunk]) -> pa.Table:
        """Lay out the keys of rows alone, as `batches` does it."""
        tables = [
            pa.table(self._placed(chunk.columns, chunk.table, self._is_of_key)).select(self._keys)
            for chunk in chunks
        ]
        return pa.concat_tables(tables)

    def _is_of_key(self, column: Column) -> bool:
        return self._column_for(column).name in self._keys

    def _pieces(self, chunks: Iterable[Chunk]) -> Iterator[pa.Table]:
        for chunk in chunks:
            table = chunk.table
            most_rows = _MOST_CELLS // (len(chunk.columns) + 1) + 1
            for start in range(0, chunk.size, most_rows):
                rows = table.slice(start, most_rows)
                arrays: dict[str, Any] = {name: rows.column(name) for name in self._ids}
                arrays |= self._placed(chunk.columns, rows)
                if ROW_ID not in arrays:
                    arrays[ROW_ID] = row_ids(len(rows))
                yield pa.table(arrays)

    def _placed(
        self,
        columns: Iterable[Column],
        rows: pa.Table,
        is_wanted: Callable[[Column], bool] = lambda _: True,
    ) -> dict[str, pa.ChunkedArray]:
        arrays: dict[str, pa.ChunkedArray] = {}
        for column, compact in zip(columns, rows.columns, strict=False):
            if not is_wanted(column):
                continue
            values = whole(compact)
            if values.null_count == len(values):  # of a part of the chunk
                continue
            for name, array in self._place(column, values):
                arrays[name] = pc.coalesce(arrays[name], array) if name in arrays else array
        return arrays

    def _place(
        self, column: Column, values: pa.ChunkedArray
    ) -> Iterator[tuple[str, pa.ChunkedArray]]:
        target = self._column_for(column)
        if (fits_in := fitting(column, target, values)) is not None:
            variant = self._column_for(replace(column, variant=True))
            null = pa.scalar(None, values.type)
            beyond = pc.if_else(fits_in, null, values)
            yield variant.name, cast(beyond, column.type, variant.type)
            values = pc.if_else(fits_in, values, null)
        values = cast(values, column.type, target.type)
        if types := self._spelled.get(target.name):
            spell = speller(types, of=plain_type(column.type))
            texts = (text and spell(text) for text in values.to_pylist())
            values = pa.chunked_array([pa.array(texts, pa.string())])
        yield target.name, values
