"""What a dataset has for a stream: its tables and their columns, by names final in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dlt.common.normalizers.json.relational import DataItemNormalizer

from target_dlt.messages.digits import MOST_WIDE_DIGITS, is_decimal, joined, plain_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_dlt.messages.schema import DataType
    from target_dlt.names import Path

LOAD_ID = "_dlt_load_id"
ROW_ID = "_dlt_id"
PARENT_ID: str = DataItemNormalizer.C_DLT_PARENT_ID
ROOT_ID: str = DataItemNormalizer.C_DLT_ROOT_ID
LIST_INDEX: str = DataItemNormalizer.C_DLT_LIST_IDX
VALUE: str = DataItemNormalizer.C_VALUE
# What the rows of an array are known by, with the hints by which dlt finds them.
NESTED_COLUMNS: Mapping[str, dict[str, bool]] = {
    ROOT_ID: {"root_key": True},
    PARENT_ID: {"parent_key": True},
    LIST_INDEX: {},
}


@dataclass
class TableColumn:
    """A column as the dataset's schema has it.

    Attributes:
        stored: Whether the database has it; else this commit makes it.
        narrow: Whether it holds less than columns made here: another dlt pipeline, or somebody,
            made it so.
        wide: Whether it holds more.
        naive: Whether it holds points in time without saying that they are in UTC.
        limits: dlt's hints of what it holds, if it is narrow, wide or naive.
        other: The database's type, if it holds no values of any type that there is here.
        has_default: Whether the database has a value for rows that do not name the column.
        held: Types of the values that a column of text has had, beside text.
        spelled: For which of these types every value in the table has its one spelling.
        own: Whether it is one of the loader's own (true) or a property's (false); None where
            nobody has said so.
    """

    name: str
    type: DataType
    source: str
    variant: bool = False
    key: bool = False
    nullable: bool = True
    stored: bool = True
    narrow: bool = False
    wide: bool = False
    naive: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)
    other: str = ""
    has_default: bool = False
    held: set[DataType] = field(default_factory=set)
    spelled: frozenset[DataType] = frozenset()
    own: bool | None = None

    def make_room(self, kind: DataType) -> bool:
        """Let a column of decimals without a bound take those of a type.

        Its own type, by which dlt stages rows for it, is of as many digits as it was filled with.

        Args:
            kind: The type of the values.

        Returns:
            Whether it takes them, and is of another type now.
        """
        if not (self.wide and is_decimal(self.type)):
            return False
        wider = joined((self.type, kind), most=MOST_WIDE_DIGITS)
        if wider in {None, self.type}:
            return False
        self.type = wider
        return True


@dataclass
class Table:
    """A table as the dataset's schema has it, by names final in the database.

    Attributes:
        name: Its name.
        stream: The stream; of the table of an array, what its name should be.
        columns: By name, without those of every table.
        parent: The table whose rows have the arrays, if this is the table of an array.
        array: What the arrays are called, then, if the name of the table does not say it; see
            `names.source_of`.
        format: The format it is stored in, if the destination has several and it is stored.
        is_new: Whether this commit makes the table.
        is_incomplete: Whether the database lacks columns that the schema has.
        contract: dlt's contract of it: `evolve` or another mode for `tables`, `columns` and
            `data_type`.
        strangers: Columns that the database has and the schema does not, by name; a property whose
            column should have that name takes it over.
        descriptions: What is said of the table, by an empty name, and of columns, by theirs.
        redescribed: The names of those of which something else was said before.
    """

    name: str
    stream: str
    columns: dict[str, TableColumn] = field(default_factory=dict)
    parent: str | None = None
    array: str | None = None
    format: str | None = None
    is_new: bool = True
    is_incomplete: bool = False
    contract: Mapping[str, str] = field(default_factory=dict)
    strangers: dict[str, TableColumn] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    redescribed: set[str] = field(default_factory=set)

    def describe(self, name: str, text: str) -> None:
        """Say what is in the table, or in a column of it.

        Args:
            name: The column; empty for the table.
            text: What is said.
        """
        if self.descriptions.get(name) != text:
            self.descriptions[name] = text
            self.redescribed.add(name)

    def of_source(self, source: str) -> TableColumn | None:
        """Find the column that holds a property."""
        for column in self.columns.values():
            if column.source == source and not column.variant and not column.own:
                return column
        return None

    def variants(self, source: str, kind: DataType) -> list[TableColumn]:
        """Find the columns of the values of a property that are of another type, by that type."""
        return [
            column
            for column in self.columns.values()
            if column.source == source
            and column.variant
            and plain_type(column.type) == plain_type(kind)
        ]

    def of_loader(self, name: str) -> TableColumn | None:
        """Find one of the loader's own columns."""
        found = (c for c in self.columns.values() if c.own and c.source == name)
        return next(found, None)

    def hand_over(self, source: str, other: str) -> None:
        """Let the columns of a property be those of another one from now on."""
        for column in self.columns.values():
            if column.source == source and not column.own:
                column.source = other


@dataclass(frozen=True)
class KnownTables:
    """What the dataset has of a stream, that decides how its records are unnested.

    Attributes:
        name: Name of the stream's table.
        json_columns: By path of table, the names of columns in which JSON stays as it is.
        naming: The dataset's naming convention; None for dlt's default.
    """

    name: str
    json_columns: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    naming: Any = None
