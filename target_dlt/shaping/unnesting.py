"""Nested records as rows of several tables, by the rules of dlt's relational normalizer.

Objects become columns `a__b`, arrays become tables `parent__list` whose rows name their parent.
Follows dlt 1.31 (`dlt.common.normalizers.json.relational`), to whose rows the tests compare these.
Here no value is lost where dlt gives two keys one name: they have a column, or table, each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_dlt.dlt_internals import (
    LIST_INDEX,
    LOAD_ID,
    PARENT_ID,
    ROOT_ID,
    ROW_ID,
    VALUE,
    KnownTables,
    Naming,
    nested_row_id,
    new_row_id,
)
from target_dlt.messages.schema import StreamSchema
from target_dlt.names import Level, source_of
from target_dlt.shaping.declared import Declarations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_dlt.messages.schema import DataType
    from target_dlt.names import Path
    from target_dlt.shaping.declared import Kind, Place

_SYSTEM = frozenset({LOAD_ID, ROW_ID, PARENT_ID, ROOT_ID, LIST_INDEX})
_LIST = "list"  # the key that dlt puts a list under which is an item of a list


Row = dict[str, Any]


class _Table:
    """One of the tables that the records of a stream go to.

    Args:
        path: See `Chunk.path`.
        names: What each array on the path adds to the name of its table.

    Attributes:
        paths: Those of all tables of the stream; shared by them.
        columns: Those that are declared and laid out; more are when a record first needs them.
        late: By their kind and the keys that lead there, the places that are declared and not laid
            out yet.
    """

    def __init__(self, path: Path, names: Path, known: KnownTables, naming: Naming) -> None:
        self.path = path
        self.paths: set[Path] = set()
        self._names = names
        self.name = naming.table(known.name, names)
        self.columns: dict[str, DataType] = {}
        if path:
            self.columns = {PARENT_ID: "text", LIST_INDEX: "bigint"}
        self.late: dict[tuple[Kind, Path], list[Place]] = {}
        self._known = known
        self._naming = naming
        self._json = known.json_columns.get(names, frozenset())
        self._lists: dict[Path, _Table] = {}
        self.level = Level(naming.source, _SYSTEM)

    def keeps_json(self, path: Path) -> bool:
        """Tell whether an object or array under a path of keys stays in its column."""
        return bool(self._json) and self._naming.column(path) in self._json

    def list_table(self, path: Path) -> _Table:
        """The table of the arrays under a path of keys."""
        table = self._lists.get(path)
        if table is None:
            own, name = (*self.path, source_of(path)), self._naming.list_key(path)
            table = _Table(own, (*self._names, name), self._known, self._naming)
            while any(table.name == other.name for other in self._lists.values()):
                table.name += "_2"  # the ids of rows are made of it
            table.paths = self.paths
            table.paths.add(own)
            self._lists[path] = table
        return table

    def below(self, path: Path) -> _Table:
        """The table that a relative path leads to."""
        if not path:
            return self
        inner = next(table for table in self._lists.values() if table.path[-1] == path[0])
        return inner.below(path[1:])


class Unnester:
    """Makes rows of the records of one stream.

    Args:
        schema: The stream as its SCHEMA message describes it.
        known: What the dataset has of the stream.

    Attributes:
        schema: The stream's own table: its objects are laid out, its arrays are not in it.
    """

    def __init__(self, schema: StreamSchema, known: KnownTables) -> None:
        naming = Naming(known.naming)
        # A key is compared as a whole, so it stays one column.
        keys = {naming.column((key,)) for key in schema.keys if schema.columns.get(key) == "json"}
        kept = known.json_columns.get((), frozenset()) | keys
        known = replace(known, json_columns={**known.json_columns, (): kept})
        properties = schema.properties
        self._root = _Table((), (), known, naming)
        # A key may be a nested property, such as `a__b`.
        nested_keys = [key for key in schema.keys if key not in properties]
        self._root.level = Level(naming.source, _SYSTEM, nested_keys)
        self._declared = None if schema.keeps_unknown else {*properties, *schema.keys}
        self._declarations = Declarations(properties, schema.document)
        self._declare(self._root, self._root.level, self._declarations.root)
        level = self._root.level
        self.schema: StreamSchema = replace(
            schema,
            columns=self._root.columns,
            keys=tuple(level[key] if key in properties else key for key in schema.keys),
            ids=(ROW_ID,),
            keeps_unknown=True,  # what is not to be kept is left out of the rows
            spelled=level.spelled,
            lists=self._root.paths,
        )

    def schema_of(self, path: Path) -> StreamSchema:
        """The table of rows, as the stream's schema describes it.

        Args:
            path: What `rows` says of the rows.
        """
        if not path:
            return self.schema
        table = self._root.below(path)
        return StreamSchema(
            self.schema.stream,
            table.columns,
            keys=(),
            keeps_unknown=True,
            ids=(ROW_ID, ROOT_ID),
            spelled=table.level.spelled,
        )

    def _declare(self, table: _Table, level: Level, place: Place) -> None:
        """Name and type the columns of what is declared, before a record brings other keys.

        Args:
            table: What they are columns of.
            level: Where in the table the objects are.
            place: What is declared of the objects, or of the arrays whose items the rows are.
        """
        is_list = place.kind == "array"
        for key, values in self._declarations.members(place):
            path = (*level.path, _LIST if is_list else key)
            places: dict[Kind, Path] = {"object": level.path if is_list else path, "array": path}
            if not is_list and table.keeps_json(path):
                table.columns[level[key]] = values.type
                continue
            if values.scalar is not None:
                table.columns[level[VALUE if is_list else key]] = values.scalar
            for inner in place.below[key]:
                if inner.is_laid_out:
                    self._enter(table, places[inner.kind], inner)
                else:
                    table.late.setdefault((inner.kind, places[inner.kind]), []).append(inner)

    def _enter(self, table: _Table, path: Path, place: Place) -> None:
        """Lay out what is declared of the objects or arrays under a path of a table's keys."""
        if place.kind == "array":
            table = table.list_table(path)
            path = ()
        level = table.level
        for key in path:
            level = level.below(key)
        self._declare(table, level, place)

    def _lay_out_late(self, table: _Table, kind: Kind, path: Path) -> None:
        """Lay out what is declared where now the first object or array has come."""
        for place in table.late.pop((kind, path), ()):
            self._declarations.lay_out(place)
            self._enter(table, path, place)

    def rows(self, record: Mapping[str, Any]) -> Iterator[tuple[Path, Row]]:
        """Make rows of a record.

        Args:
            record: A decoded record.

        Yields:
            The path of a table below the stream's own, which is empty, and a row by property of
            `schema_of`: first the record's own row, then those of its arrays.
        """
        if self._declared is not None:
            record = {key: record[key] for key in record if key in self._declared}
        row, lists = self._lay_out(self._root, record)
        row_id = row[ROW_ID] = new_row_id()
        yield (), row
        for table, items in lists:
            yield from self._items(table, items, row_id, row_id)

    def _items(
        self, table: _Table, items: list[Any], parent_id: str, root_id: str
    ) -> Iterator[tuple[Path, Row]]:
        for index, item in enumerate(items):
            lists: list[tuple[_Table, list[Any]]] = []
            if type(item) is dict:
                if table.late:
                    self._lay_out_late(table, "object", ())
                row, lists = self._lay_out(table, item)
            elif type(item) is list:
                row, lists = self._lay_out(table, {_LIST: item})
            else:
                row = {table.level[VALUE]: item}
            row_id = nested_row_id(parent_id, table.name, index)
            row.update({ROW_ID: row_id, PARENT_ID: parent_id, ROOT_ID: root_id, LIST_INDEX: index})
            yield table.path, row
            for inner, values in lists:
                yield from self._items(inner, values, row_id, root_id)

    def _lay_out(
        self, table: _Table, record: Mapping[str, Any]
    ) -> tuple[Row, list[tuple[_Table, list[Any]]]]:
        row: Row = {}
        lists: list[tuple[_Table, list[Any]]] = []
        waiting: list[tuple[Mapping[str, Any], Level]] = [(record, table.level)]
        while waiting:
            node, level = waiting.pop()
            for key, value in node.items():
                kind = type(value)
                if (kind is not dict and kind is not list) or table.keeps_json((*level.path, key)):
                    row[level[key]] = value
                    continue
                if table.late:
                    nested: Kind = "object" if kind is dict else "array"
                    self._lay_out_late(table, nested, (*level.path, key))
                if kind is dict:
                    waiting.append((value, level.below(key)))
                else:
                    lists.append((table.list_table((*level.path, key)), value))
        return row, lists
