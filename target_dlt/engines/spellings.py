"""Which table a stream has, and which column a property, where names are one to the dataset.

What a table or column belongs to is in the dataset's schema. It always wins. Another spelling of
the name goes on with a column whose property is neither in the schema of the stream nor in the
records of the commit. Two properties are two columns if the schema has both, or one record.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from target_dlt.errors import LoaderError
from target_dlt.rows.arrays import whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import pyarrow as pa

    from target_dlt.dlt_internals import DatasetSchema, Table, TableColumn
    from target_dlt.engines.base import StreamLoad


LOGGER = logging.getLogger("target_dlt")
#: A column of a chunk, by the chunk's number.
_Values = tuple[int, "pa.ChunkedArray"]
#: Which rows of chunks have a value, by the chunk's number.
_Rows = dict[int, "pa.ChunkedArray"]


class StreamTables:
    """The tables of the streams of one run."""

    def __init__(self) -> None:
        self._streams: set[str] = set()
        self._went_to: dict[str, str] = {}

    def know(self, loads: Iterable[StreamLoad]) -> None:
        """Take note of the streams of a commit, before any of their tables is asked for."""
        self._streams.update(load.schema.stream for load in loads)

    def of(self, dataset: DatasetSchema, stream: str, base: str | None = None) -> Table:
        """Find the table of a stream, or a fresh name for one; see `DatasetSchema.table_of`.

        Raises:
            LoaderError: If it went to another stream earlier in this run.
        """
        if other := self._went_to.get(stream):
            raise LoaderError(
                f"stream {stream!r}: stream {other!r}, whose name is the same to the dataset, "
                "went on with its table earlier in this run: rename one of them (stream_maps)"
            )
        table = dataset.table_of(stream, base, self._streams)
        owner = dataset.owner_of(table.name)
        if owner not in {"", stream}:
            LOGGER.warning(
                "stream %r goes on with table %r, which was that of stream %r",
                stream,
                table.name,
                owner,
            )
            self._went_to[owner] = stream
        return table


class Spellings:
    """What the properties of one commit are called by which the table's columns go on with them.

    Args:
        dataset: The dataset's schema.
        table: The table; columns that go on with another property are that one's afterwards.
        load: What the commit brings; the loader's own columns are no properties.
    """

    def __init__(self, dataset: DatasetSchema, table: Table, load: StreamLoad) -> None:
        self._dataset = dataset
        self._table = table
        schema = load.schema
        self._spelled = dict(schema.spelled)
        for chunk in load.chunks:
            if chunk.spelled is not schema.spelled:
                self._spelled.update(chunk.spelled)
        self._same: dict[str, str] = {}
        owned = {column.source for column in table.columns.values() if not column.own}
        declared = {*schema.columns, *owned.intersection(schema.ids), *schema.keys}
        self._brought = [
            (chunk, frozenset(column.name for column in chunk.columns if not column.own))
            for chunk in load.chunks
        ]
        names = declared.union(*(found for _, found in self._brought))
        for earlier in {id(chunk.declared): chunk.declared for chunk in load.chunks}.values():
            names.update(earlier)
        if names <= owned:
            return
        alike: dict[str, list[str]] = {}
        for name in sorted(names):
            alike.setdefault(dataset.spelling(self.spelled(name)), []).append(name)
        for group in alike.values():
            if len(group) > 1:
                self._join(group, declared, owned)
        new = names - owned - self._same.keys()
        self._take_over(sorted(new, key=lambda name: (name not in schema.keys, name)), names)

    def spelled(self, name: str) -> str:
        """What to make the name of a property's column of."""
        return self._spelled.get(name, name)

    def __call__(self, name: str) -> str:
        """The property in whose column the values of a property are."""
        return self._same.get(name, name)

    def _join(
        self, group: Sequence[str], declared: Collection[str], owned: Collection[str]
    ) -> None:
        """Find those of one name that go without a column, as no record has them beside others."""
        values = self._values_of(group)
        apart: dict[str, _Rows] = {}
        for name in sorted(group, key=lambda name: (name not in declared, name not in owned)):
            here = _rows(values.get(name, ()))
            found = None
            if name not in declared and name not in owned:
                found = next((one for one in apart if not _meet(here, apart[one])), None)
            if found is None:
                apart[name] = here
            else:
                _unite(apart[found], here)
                self._same[name] = found

    def _values_of(self, group: Sequence[str]) -> dict[str, list[_Values]]:
        """Find by property its values in those chunks that have several of a group."""
        found: dict[str, list[_Values]] = {}
        for index, (chunk, brought) in enumerate(self._brought):
            if len(together := brought.intersection(group)) > 1:
                for column, values in zip(chunk.columns, chunk.table.columns, strict=False):
                    if column.name in together and not column.own:
                        found.setdefault(column.name, []).append((index, values))
        return found

    def _take_over(self, new: Sequence[str], names: Collection[str]) -> None:
        """Let properties without a column go on with one whose property is no longer there."""
        dataset, spelling = self._dataset, self._dataset.spelling
        free: dict[str, list[TableColumn]] = {}
        for column in self._table.columns.values():
            if column.variant or column.own or column.source in names:
                continue
            keys = {spelling(column.source)}
            if column.source == column.name:  # it may be all that is left of a long one
                keys.add(spelling.cased(column.name))
            for key in keys:
                free.setdefault(key, []).append(column)
        for name in new if free else ():
            spelled = self.spelled(name)
            wanted = dataset.wanted_name(spelled)
            keys = {spelling(name), spelling(spelled), spelling.cased(wanted)}
            found = [
                column for key in keys for column in free.get(key, ()) if column.source not in names
            ]
            if found:
                column = min(found, key=lambda one: (one.name != wanted, one.name))
                if column.source not in {name, spelled, column.name}:
                    LOGGER.info(
                        "stream %r: property %r goes on in column %r, which was that of %r",
                        self._table.stream,
                        name,
                        column.name,
                        column.source,
                    )
                self._table.hand_over(column.source, name)


def _rows(values: Iterable[_Values]) -> _Rows:
    """Tell which rows have a value of a property."""
    rows: _Rows = {}
    for index, compact in values:
        _unite(rows, {index: pc.is_valid(whole(compact))})
    return rows


def _unite(rows: _Rows, more: _Rows) -> None:
    for index, there in more.items():
        rows[index] = pc.or_(rows[index], there) if index in rows else there


def _meet(here: _Rows, there: _Rows) -> bool:
    """Tell whether a row has values of both."""
    return any(
        pc.any(pc.and_(here[index], there[index])).as_py() for index in here.keys() & there.keys()
    )
