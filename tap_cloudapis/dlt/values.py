"""Values of one property as an Arrow array, each exactly as it is, in a column that holds it.

A value that a column of its type cannot hold is handed back: it goes into a variant column, as in
dlt (``amount__v_text``), and is never cut, rounded or dropped.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from tap_cloudapis.core.output import encode
from tap_cloudapis.core.scalars import types_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: dlt's data types of what JSON can hold.
Kind = Literal["text", "bigint", "double", "bool", "timestamp", "date", "json"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: An array, and by position what its type cannot hold: null in the array.
Built = tuple[pa.Array, dict[int, Any]]

ARROW_TYPES: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "json": pa.string(),
}
_SCALARS: Mapping[str, Kind] = {
    "string": "text",
    "integer": "bigint",
    "number": "double",
    "boolean": "bool",
}
_FORMATS: Mapping[str, Kind] = {"date-time": "timestamp", "date": "date"}
_BIGINT = range(-(2**63), 2**63)
#: More digits of a second than a microsecond has.
_FINER = 7


def kind_of(definition: Mapping[str, Any]) -> Kind:
    """The type of the column that holds all that the JSON schema of a property allows."""
    kinds = {_SCALARS.get(name, "json") for name in types_of(definition) - {"null"}}
    if len(kinds) != 1:
        return "double" if kinds == {"bigint", "double"} else "json"
    kind = kinds.pop()
    return _FORMATS.get(definition.get("format", ""), kind) if kind == "text" else kind


def infer(value: Any) -> Kind:
    """The type of a column for a value that is in no schema, or does not fit its column."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "bigint" if value in _BIGINT else "text"
    if isinstance(value, (float, Decimal)):
        return "text" if _exact_double(value) is None else "double"
    return "text" if isinstance(value, str) else "json"


def build(kind: Kind, values: Sequence[Any]) -> Built:
    """Make an array of values.

    Args:
        kind: The type of the column.
        values: As JSON decodes them; objects and arrays as JSON in bytes.
    """
    types = set(map(type, values)) - {type(None)}
    if types <= _PLAIN[kind]:
        try:
            array = pa.array(values, pa.string() if kind in _FORMATS.values() else _arrow(kind))
            if kind not in _FORMATS.values():
                return array, {}
            if not pc.any(pc.starts_with(array, "0000")).as_py():  # which Python has no year for
                return array.cast(_arrow(kind)), {}
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
            pass  # one by one, then
    convert = _CONVERTERS[kind]
    made: list[Any] = []
    misfits: dict[int, Any] = {}
    for position, value in enumerate(values):
        held = None if value is None else convert(value)
        if held is None and value is not None:
            misfits[position] = value
        made.append(held)
    return pa.array(made, _arrow(kind)), misfits


def _arrow(kind: Kind) -> pa.DataType:
    return ARROW_TYPES[kind]


#: The Python types whose values Arrow takes as they are.
_PLAIN: Mapping[Kind, frozenset[type]] = {
    "text": frozenset({str}),
    "bigint": frozenset({int}),
    "double": frozenset(),
    "bool": frozenset({bool}),
    "timestamp": frozenset({str}),
    "date": frozenset({str}),
    "json": frozenset({bytes}),
}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return _json(value).decode()


def _json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else encode(value)


def _bigint(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        whole = int(value)
    except (ValueError, OverflowError):  # NaN and the infinite
        return None
    return whole if whole == value and whole in _BIGINT else None


def _exact_double(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    exact = Decimal(repr(number)) == value if isinstance(value, Decimal) else number == value
    return number if exact and math.isfinite(number) else None


def _bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _timestamp(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    digits = value.partition(".")[2].rstrip("Zz")
    if len(digits.partition("+")[0].partition("-")[0]) >= _FINER:
        return None  # Python would cut it
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


_CONVERTERS: Mapping[Kind, Callable[[Any], Any]] = {
    "text": _text,
    "bigint": _bigint,
    "double": _exact_double,
    "bool": _bool,
    "timestamp": _timestamp,
    "date": _date,
    "json": _json,
}
