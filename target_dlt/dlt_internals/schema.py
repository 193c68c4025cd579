"""A dlt schema as tables of streams."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from dlt.common.schema.utils import (
    dlt_id_column,
    dlt_load_id_column,
    get_merge_strategy,
    get_nested_tables,
    new_table,
)

from target_dlt.dlt_internals.naming import SEPARATOR, Naming, Spelling
from target_dlt.dlt_internals.tables import (
    LOAD_ID,
    NESTED_COLUMNS,
    PARENT_ID,
    ROW_ID,
    KnownTables,
    Table,
    TableColumn,
)
from target_dlt.errors import LoaderError
from target_dlt.messages.digits import Digits, decimal_type, digits_of, is_decimal, plain_type
from target_dlt.names import path_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from dlt.common.schema import Schema

    from target_dlt.messages.schema import DataType
    from target_dlt.names import Path

# The one strategy of dlt's merges in which the ids of rows are random, as here.
_RANDOM_IDS = "delete-insert"
# What columns of ours hold without a hint: bits, digits of a second.
_PRECISIONS = {"bigint": 64, "timestamp": 6, "time": 6}
# The names of the source, so that the same name finds the same column or table in every run.
_SOURCE_COLUMN = "x-singer-property"
_SOURCE_TABLE = "x-singer-stream"
_SOURCE_ARRAY = "x-singer-array"
# Whose a column is, where its name is one that the loader gives to columns of its own.
_OWNER = "x-singer-owner"
_OWNERS: Mapping[bool, str] = {True: "loader", False: "source"}
# The types whose values have one spelling in a key, see `TableColumn.spelled`.
_SPELLED = "x-singer-spelled"


class DatasetSchema:
    """The dataset's schema as tables of streams; names are final in the database.

    A column or table belongs to the property or stream that used it last. Another spelling of its
    name goes on with it, if what it belongs to is not in use beside.

    Attributes:
        spelling: Tells which names are one.

    Args:
        schema: dlt's schema; changed in place.
        as_text: Types whose new columns are columns of text instead.
        has_case: Whether the database tells upper from lower case in names.
        file_format: In which format files are loaded, where that decides about columns.
        table_format: Format of the tables, where the destination has several.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        as_text: Collection[DataType] = (),
        has_case: bool = False,
        file_format: str | None = None,
        table_format: str | None = None,
    ) -> None:
        self._schema = schema
        self._as_text = as_text
        hints = {"file_format": file_format, "table_format": table_format}
        self._hints = {name: value for name, value in hints.items() if value}
        self.spelling = Spelling(schema.naming, has_case=has_case)

    @property
    def names(self) -> list[str]:
        """The names of all tables but dlt's own."""
        return [str(table["name"]) for table in self._schema.data_tables()]

    def table_of(self, stream: str, base: str | None = None, in_use: Collection[str] = ()) -> Table:
        """Find the table of a stream, or a fresh name for one.

        Two streams of one run whose names normalise to the same table get two tables: the second
        one's name ends in a number.

        Args:
            stream: Name of the stream.
            base: What to make the table's name of, if it is not that.
            in_use: The streams whose tables are theirs alone.
        """
        wanted = self.wanted_name(base or stream)
        prefix = self._schema._dlt_tables_prefix  # noqa: SLF001
        if wanted.startswith(prefix):
            wanted = f"singer{wanted}"  # else dlt would take it for a table of its own
        found: list[str] = []
        for name, table in self._schema.tables.items():
            if table.get("parent") or name.startswith(prefix):
                continue
            owner = self.owner_of(name)
            if (owner or name) == stream:
                return self._read_table(name, stream)
            if (owner or name) not in in_use and (
                self.spelling(owner) == self.spelling(stream)
                if owner
                else self.spelling.cased(name) == self.spelling.cased(wanted)
            ):
                found.append(name)
        if not found:
            return self._new_table(wanted, stream)
        return self._read_table(min(found, key=lambda name: (name != wanted, name)), stream)

    def owner_of(self, table: str) -> str:
        """The stream that a table belongs to; empty if no stream was loaded into it."""
        return str(self._schema.tables.get(table, {}).get(_SOURCE_TABLE, ""))

    def nested_table_of(self, parent: str, array: str, in_use: Collection[str] = ()) -> Table:
        """Find the table of arrays, or a fresh name for one.

        Args:
            parent: Name of the table whose rows have the arrays.
            array: What they are called there; see `names.source_of`.
            in_use: What the other arrays of these rows are called.
        """
        key = Naming(self._schema.naming).list_key(path_of(array))
        wanted = str(self._schema.naming.shorten_fragments(parent, key))
        owners = {
            str(table["name"]): str(table.get(_SOURCE_ARRAY, key))
            for table in self._children(parent)
            if table.get(_SOURCE_TABLE, table["name"]) == wanted
        }
        name = next((name for name in owners if owners[name] == array), None)
        if name is None:
            free = (name for name, owner in owners.items() if owner not in in_use)
            name = min(free, key=lambda name: (name != wanted, name), default=None)
        if name is None:
            table = self._new_table(wanted, wanted, parent)
        else:
            table = self._read_table(name, wanted, parent)
        table.array = None if array == key else array
        return table

    def _new_table(self, wanted: str, stream: str, parent: str | None = None) -> Table:
        name = self._free_name(wanted, self._schema.tables)
        contract = self._schema.resolve_contract_settings_for_table(parent or name)
        return Table(name, stream, parent=parent, contract=cast("Any", contract))

    def _children(self, parent: str) -> list[Any]:
        return [table for table in self._schema.tables.values() if table.get("parent") == parent]

    def nested_tables(self, root: str) -> list[tuple[str, str]]:
        """List the tables of arrays below a table, each with its parent, parents first."""
        found = get_nested_tables(self._schema.tables, root, include_self=False)
        return [(str(t["name"]), str(t["parent"])) for t in found if PARENT_ID in t["columns"]]

    def known_tables(self, stream: str, base: str | None = None) -> KnownTables:
        """Tell what decides how the records of a stream are unnested.

        Args:
            stream: Name of the stream.
            base: What to make the table's name of, if it is not that.

        Raises:
            LoaderError: If dlt merges the stream's table in a way that unnesting cannot follow.
        """
        name = self.table_of(stream, base).name
        known = name in self._schema.tables
        strategy = get_merge_strategy(self._schema.tables, name) if known else None
        if strategy not in {None, _RANDOM_IDS}:
            raise LoaderError(
                f"stream {stream!r}: table {name!r} is merged by dlt's strategy {strategy!r}, "
                "whose ids of rows are hashes; nesting 'tables' cannot go on with it"
            )
        return KnownTables(name, dict(self._json_columns(name, ())), self._schema.naming)

    def _json_columns(self, name: str, path: Path) -> Iterator[tuple[Path, frozenset[str]]]:
        columns = self._schema.tables.get(name, {}).get("columns", {})
        yield path, frozenset(c for c, hints in columns.items() if hints.get("data_type") == "json")
        for child in self._children(name):
            wanted = str(child.get(_SOURCE_TABLE, child["name"]))
            yield from self._json_columns(
                child["name"], (*path, wanted.removeprefix(f"{name}{SEPARATOR}"))
            )

    def _read_table(self, name: str, stream: str, parent: str | None = None) -> Table:
        columns = {
            column: TableColumn(
                column,
                _type_of(hints),
                str(hints.get(_SOURCE_COLUMN, column)),
                variant=bool(hints.get("variant")),
                key=bool(hints.get("primary_key")),
                nullable=bool(hints.get("nullable", True)),
                narrow=_is_narrow(hints),
                wide=_is_wide(hints),
                naive=hints["data_type"] == "timestamp" and hints.get("timezone") is False,
                own={owner: own for own, owner in _OWNERS.items()}.get(str(hints.get(_OWNER))),
                held={*_spelled(hints)},
                spelled=_spelled(hints),
            )
            for column, hints in self._schema.get_table_columns(name).items()
            if column not in {LOAD_ID, ROW_ID}
        }
        self._own_variants(columns)
        return Table(
            name,
            stream,
            columns,
            parent,
            format=self._schema.tables[name].get("table_format"),
            is_new=False,
            contract=cast("Any", self._schema.resolve_contract_settings_for_table(name)),
            descriptions=self._descriptions(name),
        )

    def _descriptions(self, name: str) -> dict[str, str]:
        known = self._schema.tables[name]
        prefix = self._schema._dlt_tables_prefix  # noqa: SLF001
        # Those of its own columns dlt writes by itself, where it writes any.
        of_data = {c: v for c, v in known["columns"].items() if not c.startswith(prefix)}
        named: dict[str, Any] = {"": known, **of_data}
        return {key: str(said) for key in named if (said := named[key].get("description"))}

    def _own_variants(self, columns: Mapping[str, TableColumn]) -> None:
        """Find the properties of variant columns that dlt's own pipelines made."""
        unknown = {
            name for name, column in columns.items() if column.variant and column.source == name
        }
        if not unknown:
            return
        for owner in [column for column in columns.values() if not column.variant]:
            for kind in {plain_type(columns[name].type) for name in unknown}:
                name = self._schema.naming.shorten_fragments(owner.name, f"v_{kind}")
                if name in unknown and plain_type(columns[name].type) == kind:
                    columns[name].source = owner.source

    def column_name(
        self,
        table: Table,
        source: str,
        spelled: str,
        variant_type: DataType | None = None,
        reserved: Collection[str] = (),
    ) -> str:
        """Make the name of a new column by dlt's naming convention, free in its table.

        Args:
            table: Where it is to be.
            source: The property that it is for, or what the loader calls its own column.
            spelled: What to make the name of.
            variant_type: The type of its values, if others are in another column.
            reserved: Names that are for others.
        """
        wanted = self.wanted_name(spelled)
        if variant_type is not None:
            owner = table.of_source(source)
            wanted = f"{owner.name if owner else wanted}__v_{plain_type(variant_type)}"
        return self._free_name(wanted, {*table.columns, *reserved, LOAD_ID, ROW_ID})

    def column_type(self, kind: DataType) -> DataType:
        """Choose the type of a new column for values of a type."""
        return "text" if plain_type(kind) in self._as_text else kind

    def wanted_name(self, name: str) -> str:
        """Make the name of a column or table by dlt's naming convention."""
        try:
            return str(self._schema.naming.normalize_path(name)) or "_"
        except ValueError:  # nothing of the name is left
            return "_"

    def _free_name(self, wanted: str, taken: Iterable[str]) -> str:
        """Number a name that is taken, and shorten it as dlt does to what the destination takes."""
        naming, used = self._schema.naming, set(map(self.spelling.cased, taken))
        for number in count(1):
            name = wanted if number == 1 else f"{wanted}_{number}"
            if naming.max_length:
                name = naming.shorten_identifier(name, name, naming.max_length)
            if self.spelling.cased(name) not in used:
                return name
        raise AssertionError

    def stage(self, table: Table) -> None:
        """Take a table, new or changed, into the schema."""
        hints = [
            _hints(column) | (NESTED_COLUMNS.get(column.name, {}) if table.parent else {})
            for column in table.columns.values()
            if not column.other
        ]
        known = self._schema.tables.get(table.name, {}).get("columns", {})
        partial: Any
        if table.parent is None:
            merges = any(column.key for column in table.columns.values())
            partial = new_table(
                table.name,
                write_disposition="merge" if merges else "append",
                columns=[*hints, *_missing(known, dlt_load_id_column(), dlt_id_column())],
                resource=table.name,
            )
        else:
            partial = new_table(
                table.name,
                parent_table_name=table.parent,
                columns=[*hints, *_missing(known, dlt_id_column())],
            )
        if table.parent is None or table.stream != table.name:
            partial[_SOURCE_TABLE] = table.stream
        for name, text in table.descriptions.items():
            described = partial["columns"].get(name) if name else partial
            if described is not None:
                described["description"] = text
        partial.update(self._hints)
        partial["x-normalizer"] = {"seen-data": True}
        self._schema.update_table(partial, normalize_identifiers=False)
        whole = cast("dict[str, Any]", self._schema.tables[table.name])
        whole.pop(_SOURCE_ARRAY, None)
        if table.array is not None:
            whole[_SOURCE_ARRAY] = table.array
        for column in table.columns.values():
            if column.other:
                continue
            stored = self._schema.tables[table.name]["columns"][column.name]
            stored["data_type"] = plain_type(column.type)
            stored["nullable"] = column.nullable
            if not column.key:
                stored.pop("primary_key", None)
            if column.source == column.name:
                cast("dict[str, Any]", stored).pop(_SOURCE_COLUMN, None)
            if not is_decimal(column.type) and not (column.narrow or column.wide):
                stored.pop("precision", None)
                stored.pop("scale", None)
            if column.type != "timestamp":
                stored.pop("timezone", None)


def _type_of(hints: Any) -> DataType:
    kind = cast("DataType", hints["data_type"])
    if "precision" in hints and is_decimal(kind):
        return decimal_type(Digits(hints["precision"], hints.get("scale") or 0))
    return kind


def _is_narrow(hints: Any) -> bool:
    most = _PRECISIONS.get(hints["data_type"], math.inf)
    return not is_decimal(hints["data_type"]) and hints.get("precision", most) < most


def _is_wide(hints: Any) -> bool:
    most = _PRECISIONS.get(hints["data_type"], math.inf)
    return not is_decimal(hints["data_type"]) and hints.get("precision", most) > most


def _spelled(hints: Any) -> frozenset[DataType]:
    return frozenset(hints.get(_SPELLED, ()))


def _hints(column: TableColumn) -> Any:
    hints: dict[str, Any] = {
        "name": column.name,
        "data_type": plain_type(column.type),
        "nullable": column.nullable,
    }
    if is_decimal(column.type) and (digits := digits_of(column.type)):
        hints |= digits._asdict()
    elif column.narrow or column.wide or column.naive:
        hints |= column.limits
    if column.source != column.name:
        hints[_SOURCE_COLUMN] = column.source
    if column.spelled:
        hints[_SPELLED] = sorted(column.spelled)
    if column.variant:
        hints["variant"] = True
    if column.key:
        hints["primary_key"] = True
    if column.own is not None:
        hints[_OWNER] = _OWNERS[column.own]
    return hints


def _missing(known: Mapping[str, Any], *columns: Any) -> Sequence[Any]:
    return [column for column in columns if column["name"] not in known]
