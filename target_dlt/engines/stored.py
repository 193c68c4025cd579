"""What a database really has of a table, whatever dlt's schema says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from target_dlt.dlt_internals import LOAD_ID, PARENT_ID, ROW_ID, TableColumn
from target_dlt.errors import LoaderError
from target_dlt.messages.digits import (
    MOST_DIGITS,
    MOST_WIDE_DIGITS,
    Digits,
    decimal_type,
    is_decimal,
    plain_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_dlt.dlt_internals import KnownTables, Table
    from target_dlt.messages.schema import DataType
    from target_dlt.names import Path

_COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type, c.numeric_precision, c.numeric_scale,
    c.datetime_precision, c.character_maximum_length, c.is_nullable, c.column_default, t.table_type
FROM information_schema.columns c
JOIN information_schema.tables t USING (table_catalog, table_schema, table_name)
WHERE c.table_catalog = current_database() AND c.table_schema = %s
ORDER BY c.table_name, c.ordinal_position
"""


@dataclass(frozen=True)
class StoredColumn:
    """A column as the database has it.

    Attributes:
        sql_type: The database's name of its type.
        type: The type of the values it holds exactly; None for a type that none here is like.
        narrow: Whether it holds fewer values than columns made here do.
        wide: Whether it holds more.
        naive: Whether it holds points in time without saying that they are in UTC.
        limits: dlt's hints of what it holds.
        also: Other types whose values are kept in it in the same form.
        nullable: Whether it takes NULL.
        has_default: Whether it is filled in where a row names no value for it.
        name: As the database spells it.
    """

    sql_type: str
    type: DataType | None
    narrow: bool = False
    wide: bool = False
    naive: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)
    also: frozenset[DataType] = frozenset()
    nullable: bool = True
    has_default: bool = False
    name: str = ""


@dataclass(frozen=True)
class StoredTable:
    """A table as the database has it.

    Attributes:
        columns: By name, as `fold` gives it.
        kind: What the database calls it: `BASE TABLE`, `VIEW` ...
        fold: Makes the names equal that the database takes for the same.
        format: The format of a table of files.
    """

    columns: Mapping[str, StoredColumn] = field(default_factory=dict)
    kind: str = ""
    fold: Callable[[str], str] = str
    format: str | None = None

    def column(self, name: str) -> StoredColumn | None:
        """Find a column."""
        return self.columns.get(self.fold(name))


@dataclass(frozen=True)
class _SqlType:
    """What is read off a type's name alone."""

    type: DataType
    narrow: bool = False
    wide: bool = False
    naive: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)


def _integer(bits: int) -> _SqlType:
    return _SqlType("bigint", narrow=bits < 64, wide=bits > 64, limits={"precision": bits})  # noqa: PLR2004


def _naive(digits: int) -> _SqlType:
    limits = {"timezone": False, "precision": digits}
    return _SqlType("timestamp", digits < 6, digits > 6, naive=True, limits=limits)  # noqa: PLR2004


_TYPES: Mapping[str, Mapping[str, _SqlType]] = {
    "duckdb": {
        "TINYINT": _integer(8),
        "SMALLINT": _integer(16),
        "INTEGER": _integer(32),
        "BIGINT": _SqlType("bigint"),
        "HUGEINT": _integer(128),
        "UTINYINT": _SqlType("bigint", narrow=True),
        "USMALLINT": _SqlType("bigint", narrow=True),
        "UINTEGER": _SqlType("bigint", narrow=True),
        "UBIGINT": _SqlType("bigint", narrow=True),
        "FLOAT": _SqlType("double", narrow=True),
        "DOUBLE": _SqlType("double"),
        "BOOLEAN": _SqlType("bool"),
        "VARCHAR": _SqlType("text"),
        "UUID": _SqlType("text", narrow=True),
        "JSON": _SqlType("json"),
        "DATE": _SqlType("date"),
        "TIME": _SqlType("time"),
        "TIMESTAMP WITH TIME ZONE": _SqlType("timestamp"),
        "TIMESTAMP_S": _naive(0),
        "TIMESTAMP_MS": _naive(3),
        "TIMESTAMP": _SqlType("timestamp", naive=True, limits={"timezone": False}),
        "TIMESTAMP_NS": _naive(9),
    },
    "postgres": {
        "smallint": _integer(16),
        "integer": _integer(32),
        "bigint": _SqlType("bigint"),
        "real": _SqlType("double", narrow=True),
        "double precision": _SqlType("double"),
        "boolean": _SqlType("bool"),
        "text": _SqlType("text"),
        "character varying": _SqlType("text"),
        "character": _SqlType("text", narrow=True),
        "uuid": _SqlType("text", narrow=True),
        "json": _SqlType("json"),
        "jsonb": _SqlType("json"),
        "date": _SqlType("date"),
        "time without time zone": _SqlType("time"),
        "timestamp with time zone": _SqlType("timestamp"),
        "timestamp without time zone": _SqlType(
            "timestamp", naive=True, limits={"timezone": False}
        ),
    },
}
#: Databases whose columns are read; a lake of DuckDB's has its types.
READABLE: Mapping[str, str] = {"duckdb": "duckdb", "ducklake": "duckdb", "postgres": "postgres"}
_ARROW_TYPES = (
    (pa.types.is_boolean, _SqlType("bool")),
    (pa.types.is_string, _SqlType("text")),
    (pa.types.is_large_string, _SqlType("text")),
    (pa.types.is_string_view, _SqlType("text")),
    (pa.types.is_date32, _SqlType("date")),
    (pa.types.is_time64, _SqlType("time")),
)
_ENUM = re.compile(r"ENUM\(|USER-DEFINED$")
_DECIMAL = re.compile(r"DECIMAL\(|numeric$")
_MICROSECONDS = 6
#: How a database finds a name that is quoted.
_FOLDS: Mapping[str, Callable[[str], str]] = {"duckdb": str.lower, "ducklake": str.lower}


def read_tables(kind: str, sql: Any) -> dict[str, StoredTable]:
    """Read the columns of all tables of a dataset.

    Args:
        kind: dlt's name of the database: one of `READABLE`.
        sql: dlt's open SQL client of the dataset.

    Returns:
        The tables and views, by name.
    """
    fold = fold_of(kind)
    columns: dict[str, dict[str, StoredColumn]] = {}
    kinds: dict[str, str] = {}
    for table, name, *found, table_kind in sql.execute_sql(_COLUMNS, sql.dataset_name):
        column = replace(_column(_TYPES[READABLE[kind]], *found), name=name)
        columns.setdefault(fold(table), {})[fold(name)] = column
        kinds[fold(table)] = table_kind
    return {table: StoredTable(found, kinds[table], fold) for table, found in columns.items()}


def fold_of(kind: str) -> Callable[[str], str]:
    """How a database, by dlt's name of it, tells names apart."""
    return _FOLDS.get(kind, str)


def _column(  # noqa: PLR0913, PLR0917 - the columns of a row
    types: Mapping[str, _SqlType],
    sql_type: str,
    precision: int | None,
    scale: int | None,
    second_digits: int | None,
    length: int | None,
    nullable: str,
    default: str | None,
) -> StoredColumn:
    """Tell what a column holds by its row in the information schema."""
    known = types.get(sql_type)
    if _ENUM.match(sql_type):
        known = _SqlType("text", narrow=True)
    elif _DECIMAL.match(sql_type):
        known = _decimal(precision, scale)
    elif known is not None and known.type in {"timestamp", "time"} and second_digits is not None:
        if second_digits < _MICROSECONDS:
            limits = {**known.limits, "precision": second_digits}
            known = _SqlType(known.type, narrow=True, naive=known.naive, limits=limits)
    elif length is not None:
        known = _SqlType("text", narrow=True, limits={"precision": length})
    known_parts: dict[str, Any] = {} if known is None else vars(known)
    return StoredColumn(
        sql_type,
        **{"type": None, **known_parts},
        nullable=nullable == "YES",
        has_default=default is not None,
    )


def read_arrow(schema: pa.Schema, table_format: str) -> StoredTable:
    """Read the columns of a table of files by its Arrow schema.

    Args:
        schema: Its columns.
        table_format: Its format.
    """
    columns = {f.name: _arrow_column(f.type, nullable=f.nullable) for f in schema}
    return StoredTable(columns, format=table_format)


def _arrow_column(kind: pa.DataType, *, nullable: bool) -> StoredColumn:
    known: _SqlType | None = None
    if pa.types.is_integer(kind):
        is_own = pa.types.is_signed_integer(kind) and kind.bit_width == 64  # noqa: PLR2004
        known = _SqlType("bigint", narrow=not is_own)
    elif pa.types.is_floating(kind):
        known = _SqlType("double", narrow=kind.bit_width < 64)  # noqa: PLR2004
    elif pa.types.is_decimal(kind):
        known = _decimal(kind.precision, kind.scale)
    elif pa.types.is_timestamp(kind):
        known = _SqlType("timestamp", narrow=kind.unit in {"s", "ms"}, naive=kind.tz is None)
    else:
        known = next((t for is_kind, t in _ARROW_TYPES if is_kind(kind)), None)
    also: frozenset[DataType] = frozenset({"json"} if known and known.type == "text" else ())
    known_parts: dict[str, Any] = {} if known is None else vars(known)
    return StoredColumn(str(kind), **{"type": None, **known_parts}, also=also, nullable=nullable)


def _decimal(precision: int | None, scale: int | None) -> _SqlType | None:
    if precision is None or scale is None:  # PostgreSQL's numeric without a bound
        return _SqlType("decimal", wide=True)
    if not 0 <= scale <= precision:  # PostgreSQL's hundreds, or hundredths of nothing else
        return None
    if precision > MOST_WIDE_DIGITS:
        # No value here has more than these, on either side of the point.
        whole, scale = min(precision - scale, MOST_DIGITS), min(scale, MOST_DIGITS)
        precision = whole + scale
    return _SqlType(decimal_type(Digits(precision, scale)))


def check_origin(stream: str, table: Table, stored: StoredTable) -> None:
    """Refuse a table that no dlt pipeline made.

    Raises:
        LoaderError: If the database has such a table, or something else, under that name.
    """
    if not stored.columns:
        return
    needed = {ROW_ID, PARENT_ID} if table.parent else {ROW_ID, LOAD_ID}
    missing = sorted(needed - stored.columns.keys())
    if "VIEW" in stored.kind:
        what = "is a view"
    elif missing:
        what = f"is no table of a dlt dataset (it has no column {missing[0]!r})"
    else:
        return
    raise LoaderError(
        f"stream {stream!r}: {table.name!r} is there already and {what}: choose another "
        "default_target_schema or path, or rename it"
    )


def json_columns(
    known: KnownTables, stored: Mapping[str, StoredTable]
) -> Mapping[Path, frozenset[str]]:
    """Add the columns of JSON that a stream's table has in a database, whatever the schema says.

    Args:
        known: What the schema says of the stream.
        stored: The tables of the database, by name.
    """
    found = stored.get(known.name, StoredTable()).columns
    own = {name for name, column in found.items() if column.type == "json"}
    return {**known.json_columns, (): known.json_columns.get((), frozenset()) | own}


def reconcile(table: Table, stored: StoredTable) -> bool:
    """Bring what the schema says of a table in line with what the database has.

    Columns that the schema does not know are somebody's, until a property needs their name; but
    all are taken over of a table that it does not know at all.

    Args:
        table: The table as dlt's schema has it; changed in place.
        stored: The table as the database has it.

    Returns:
        Whether the schema was wrong about a column, or did not know the table.
    """
    table.format = table.format or stored.format
    table.is_new = table.is_new and not stored.columns
    is_known = bool(table.columns)
    # Another pipeline may stage rows for a table that is new to this one.
    was_wrong = not is_known
    for column in table.columns.values():
        found = stored.column(column.name)
        if found is None:
            column.stored, table.is_incomplete, was_wrong = False, True, True
        else:
            is_as_known = _is_known_as(column.type, found)
            was_wrong |= not is_as_known or found.narrow != column.narrow
            _take_over(column, found)
    names = {*map(stored.fold, table.columns), LOAD_ID, ROW_ID}
    for key, found in stored.columns.items():
        if key in names:
            continue
        name = found.name or key
        owner, _, variant_type = name.rpartition("__v_")
        is_variant = stored.fold(owner) in stored.columns and variant_type == plain_type(
            found.type or "text"
        )
        known = table.columns.get(owner)
        source = (known.source if known else owner) if is_variant else name
        column = TableColumn(name, "text", source, variant=is_variant, nullable=found.nullable)
        _take_over(column, found)
        if is_known or found.has_default or column.other:
            table.strangers[key] = column
        else:
            table.columns[name] = column
    return was_wrong


def _is_known_as(kind: DataType, found: StoredColumn) -> bool:
    """Tell whether a column is of the type that the schema says; one without a bound is of any."""
    is_unbound = found.type == "decimal" and found.wide and is_decimal(kind)
    return kind == found.type or kind in found.also or is_unbound


def _take_over(column: TableColumn, found: StoredColumn) -> None:
    if found.type is None:
        column.other = found.sql_type
    elif not _is_known_as(column.type, found):
        # Such as one that was widened in a load which ended before the schema was stored.
        column.held.add(plain_type(column.type))
        column.type = found.type
    column.narrow, column.wide, column.naive = found.narrow, found.wide, found.naive
    column.limits = dict(found.limits)
    column.has_default = found.has_default
    # Where somebody else forbids NULL, that is for the database to say of a row.
    column.nullable = column.nullable or found.nullable


def check_unchanged(table: Table, stored: StoredTable | None) -> None:
    """Refuse to write into columns that are not as the rows were made for.

    Every value would still find its way in, but by a cast that may change it.

    Args:
        table: As the rows were made for it.
        stored: As the database has it, in the transaction that writes the rows.

    Raises:
        LoaderError: If a column is another.
    """
    if stored is None:
        return
    for column in table.columns.values():
        found = stored.column(column.name)
        is_same = found is not None and found.type == column.type
        if not column.other and not (is_same and found and found.narrow <= column.narrow):
            what = found.sql_type if found else "not there"
            raise LoaderError(
                f"stream {table.stream!r}: column {column.name!r} of {table.name!r} is "
                f"{what}, but its values were made for {column.type}: it was changed meanwhile; "
                "run the load again"
            )
