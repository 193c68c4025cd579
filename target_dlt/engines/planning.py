"""Which column of a table takes which values: the same for every engine."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from target_dlt.dlt_internals import (
    NESTED_COLUMNS,
    ROOT_ID,
    ROW_ID,
    DatasetSchema,
    Table,
    TableColumn,
)
from target_dlt.engines.base import StreamLoad
from target_dlt.engines.casting import fitting, takes_all
from target_dlt.engines.descriptions import describe, schema_of_list
from target_dlt.engines.owned import OWN_PREFIX, has_column, own_columns
from target_dlt.engines.placing import Placing
from target_dlt.engines.spellings import Spellings
from target_dlt.engines.stored import check_origin, reconcile
from target_dlt.errors import LoaderError
from target_dlt.messages.digits import column_type, plain_type
from target_dlt.messages.schema import StreamSchema, fits, fits_mostly, wider_type
from target_dlt.rows.chunks import Column
from target_dlt.rows.own import DELETED_AT, VERSION
from target_dlt.rows.spelling import AMBIGUOUS, speller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_dlt.engines.base import Rules
    from target_dlt.engines.stored import StoredTable
    from target_dlt.messages.schema import DataType
    from target_dlt.names import Path

LOGGER = logging.getLogger("target_dlt")


class Database(Protocol):
    """Changes columns that the database has already; before the commit's rows are written.

    Attributes:
        longest_description: How many characters a description may have.
    """

    longest_description: int

    def stored(self, table: str) -> StoredTable | None:
        """Read what the database has of a table; None if only dlt's schema tells."""

    def widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:
        """Change a column's type, where dlt stages rows for the table as well.

        Returns:
            Whether it was changed; it is not if a value it holds would be lost, or if something
            that depends on the column, such as a view, does not let it be.
        """

    def drop_staging(self, table: Table) -> None:
        """Drop the table in which dlt stages rows for a table: it is made anew, of its types."""

    def allow_null(self, table: Table, column: TableColumn) -> None:
        """Let a column that was part of a key hold NULL."""

    def respell(self, table: Table, column: TableColumn, spell: Callable[[str], str]) -> None:
        """Give the values of a key of text or JSON another spelling.

        Raises:
            LoaderError: If some would have another one, and they cannot be changed.
        """


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
        rows: Lays out the rows of the load's chunks.

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
        self._found: dict[Column, TableColumn] = {}
        self._on_type_change = rules.on_type_change
        self.table = table
        self.version: TableColumn | None = None
        self._widened: dict[str, DataType] = {}
        if (stored := database.stored(table.name)) is not None:
            check_origin(load.schema.stream, table, stored)
            if reconcile(table, stored):
                database.drop_staging(table)
        is_new = self.table.is_new
        if is_new:
            self._must_allow("tables", "its table is new")
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
        spelled: dict[str, set[DataType]] = {}
        if rules.load_method != "append-only":
            found = (column for column in sources if column is not None)
            spelled.update(self._spelled(column) for column in found)
        self.rows = Placing(self._column_for, self.keys, spelled, load.schema.ids)
        describe(self.table, load.schema, database.longest_description)
        dataset.stage(self.table)

    def _spelled(self, column: TableColumn) -> tuple[str, set[DataType]]:
        """Have the values of a key spelled in one way, so that equal ones are found.

        Returns:
            The column, and the types of the values that are spelled.
        """
        types: set[DataType] = set()
        if column.type == "json":
            types.add("json")
        elif column.type == "text":
            types |= column.held & AMBIGUOUS
        if types != column.spelled and column.stored and not self.load.replaces:
            of = self._widened.get(column.name, column.type)
            self._database.respell(self.table, column, speller(types, of=plain_type(of)))
        column.spelled = frozenset(types)
        return column.name, types

    def _make_columns(self) -> None:
        declared: Mapping[str, DataType] = {}
        for chunk in self.load.chunks:
            if chunk.declared is not declared:
                declared = chunk.declared
                self._make_declared(declared)
            for column in chunk.columns:
                self._column_for(column)
        self._make_declared(self.load.schema.columns)
        for name, kind in self._own.items():
            self._column_for(Column(name, kind, own=True))
        self._make_variants()

    def _make_variants(self) -> None:
        """Make columns for what those that hold nearly all values of a type do not hold."""
        partly = {column for column, target in self._found.items() if not takes_all(column, target)}
        for chunk in self.load.chunks:
            if partly.isdisjoint(chunk.columns):
                continue
            table = chunk.table  # it may have to be read from the disk
            for index, column in enumerate(chunk.columns):
                if column not in partly:
                    continue
                if fitting(column, self._column_for(column), table.column(index)) is not None:
                    self._column_for(replace(column, variant=True))
                    partly.remove(column)

    def _make_declared(self, columns: Mapping[str, DataType]) -> None:
        for name, kind in columns.items():
            if has_column(self.table, self.load, name, kind):
                self._column_for(Column(name, kind))

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
        found = self._found.get(column)
        if found is None:
            found = self._found[column] = self._decide(column)
        return found

    def _decide(self, column: Column) -> TableColumn:
        kind = self._dataset.column_type(column.type)
        if column.own:
            existing, column = self.table.of_loader(column.name), replace(column, type=kind)
        else:
            source = self._spellings(column.name)
            existing = self._of_source(source)
            # Another spelling of a property does not say of which type it is.
            is_stray = source != column.name and existing and not fits_mostly(kind, existing.type)
            column = Column(source, kind, column.variant or bool(is_stray))
        is_key = column.name in self._keys and not column.own
        if existing is not None and (is_key or not column.variant):
            if self._takes(existing, column, is_key=is_key):
                return existing
            if is_key:
                raise LoaderError(
                    f"stream {self.table.stream!r}: key {column.name!r} is now {column.type}, "
                    f"but its column is {existing.other or existing.type}"
                )
        is_variant = column.variant or existing is not None
        if is_variant and self._on_type_change == "error":
            raise LoaderError(
                f"stream {self.table.stream!r}: {column.name!r} has values of type "
                f"{column.type}, which its column does not hold, and on_type_change is 'error'"
            )
        variant_type: DataType | None = column.type if is_variant else None
        for found in self.table.variants(column.name, column.type) if is_variant else ():
            if fits(column.type, found.type) and not found.narrow:
                return found
            wider = wider_type(found.type, column.type) or found.type
            if fits(column.type, wider) and self._widen(found, wider):
                return found
        return self._add(column, variant_type)

    def _takes(self, existing: TableColumn, column: Column, *, is_key: bool) -> bool:
        """Tell whether a property's column takes a chunk's; it is widened if that is needed."""
        if existing.make_room(column.type):
            self._database.drop_staging(self.table)
        if _holds(existing, column) and not existing.narrow:
            existing.held.add(plain_type(column.type))
            return True
        may_widen = self._on_type_change == "widen" or (is_key and not existing.stored)
        # Of a key there is no column beside; what no schema says is as its values are.
        may_be_text = is_key and (column.variant or column.name not in self.load.schema.columns)
        wider_types = _wider_types(existing, column, may_be_text) if may_widen else ()
        if any(self._widen(existing, wider) for wider in wider_types):
            return True
        # Numbers of too many digits are set aside one by one.
        is_odd = existing.other or existing.narrow or column.variant
        return not is_odd and fits_mostly(column.type, existing.type)

    def _of_source(self, source: str) -> TableColumn | None:
        found = self.table.of_source(source)
        if found is not None and found.own is None and found.name.startswith(OWN_PREFIX):
            found.own = False
        return found

    def _must_allow(self, entity: str, what: str) -> None:
        """Heed the contract that the owner of a dlt dataset has made of its schema.

        Raises:
            LoaderError: If it does not let the schema change.
        """
        mode = self.table.contract.get(entity, "evolve")
        if mode != "evolve":
            raise LoaderError(
                f"stream {self.table.stream!r}: {what}, which dlt's schema contract of table "
                f"{self.table.name!r} forbids ({entity}: {mode})"
            )

    def _add(self, column: Column, variant_type: DataType | None) -> TableColumn:
        reserved = () if column.own else self._own
        spelled = column.name if column.own else self._spellings.spelled(column.name)
        name = self._dataset.column_name(self.table, column.name, spelled, variant_type, reserved)
        key = self._dataset.spelling.cased(name)
        stranger = None if column.own else self.table.strangers.pop(key, None)
        if stranger is not None:
            self.table.columns[stranger.name] = replace(
                stranger, source=column.name, variant=variant_type is not None
            )
            return self._column_for(column)
        if variant_type is not None:
            self._must_allow("data_type", f"{column.name!r} has values of type {column.type}")
        elif not self.table.is_new:
            self._must_allow("columns", f"{column.name!r} has no column yet")
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
        added = TableColumn(
            name, column_type(column.type), column.name, variant=is_variant, stored=False
        )
        if column.own or (name.startswith(OWN_PREFIX) and not is_variant):
            added.own = column.own
        self.table.columns[name] = added
        return added

    def _widen(self, column: TableColumn, wider: DataType) -> bool:
        if column.stored:
            self._must_allow("data_type", f"{column.source!r} has values of type {wider}")
            if column.wide or not self._database.widen(self.table, column, wider):
                return False
            LOGGER.info("stream %r: column %r is now %s", self.table.stream, column.name, wider)
            self._widened[column.name] = column.type
        column.held.add(plain_type(column.type))
        column.type, column.narrow = wider, False
        return True


def _holds(existing: TableColumn, column: Column) -> bool:
    """Tell whether a column holds the values of a chunk's, or all but those it sets aside."""
    if existing.other:
        return False
    if column.variant and existing.type == "double":  # these have been set aside
        return column.type == "double"
    return fits(column.type, existing.type)


def _wider_types(existing: TableColumn, column: Column, may_be_text: bool) -> Iterator[DataType]:
    """Which types a column can be given so that it holds a chunk's, too."""
    if existing.other:
        return
    if _holds(existing, column):
        yield existing.type
    elif wider := wider_type(existing.type, column.type):
        yield wider
    if may_be_text and existing.type != "text":
        yield "text"


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
        document, properties = schema_of_list(own.load.schema, path)
        schema = StreamSchema(
            own.load.schema.stream,
            columns,
            keys=(),
            keeps_unknown=True,
            document=document,
            properties=properties,
            ids=(ROW_ID, ROOT_ID),
        )
        load = StreamLoad(schema, own.load.nested[path])
        plans.append(StreamPlan(dataset, database, load, rules, table))
    return plans
