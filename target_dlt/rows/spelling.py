"""One spelling for each value of a key, so that rows are found by value.

A key that a tap has sent as numbers, moments or JSON and that its column holds as text would else
have several: `10.0` and `10.000000000`, `2026-01-02T03:04:05Z` and `2026-01-02T03:04:05.000000Z`.
"""

from __future__ import annotations

import re
from datetime import UTC, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_dlt.decoding import decode_exactly, to_json
from target_dlt.rows.values import MisfitError, parse_time, parse_timestamp, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from target_dlt.messages.schema import DataType

#: Types of which one value can be spelled in several ways as text.
AMBIGUOUS: frozenset[DataType] = frozenset(
    {"double", "decimal", "timestamp", "date", "time", "json"}
)
_NUMBERS: frozenset[DataType] = frozenset({"double", "decimal"})
_NUMERIC = _NUMBERS | {"json"}
_NESTED = ("{", "[")
#: As JSON has them; no exponent, since `1e5` may be the beginning of a hash. `007` is no number.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_FLOAT = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:$|[T ])", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d", re.ASCII)
#: Powers of ten that are written out.
_MOST_DIGITS = 400


def speller(types: Collection[DataType], *, of: DataType = "text") -> Callable[[str], str]:
    """Make the function that spells the values of a key.

    Args:
        types: The ambiguous types that the key's values have had.
        of: The type of the values that the texts are of: all are JSON, or numbers, or any text.

    Returns:
        Gives the one spelling of a text; texts that are no value of these types stay.
    """
    found = frozenset(types)

    def spell(text: str) -> str:
        if of == "json":
            return _json(text)
        if of in _NUMBERS and _FLOAT.fullmatch(text):
            return _plain(Decimal(text))
        if found & _NUMERIC and _NUMBER.fullmatch(text):
            return _plain(Decimal(text))
        if found & {"timestamp", "date"} and _MOMENT.match(text):
            return _moment(text, dates="timestamp" not in found)
        if "time" in found and _TIME.match(text):
            return _time(text)
        return _json(text) if "json" in found and text[:1] in _NESTED else text

    return spell


def _plain(number: Decimal) -> str:
    if not number:
        return "0"
    if abs(number.adjusted()) > _MOST_DIGITS:
        return str(number)
    return plain_text(number)


def _moment(text: str, *, dates: bool) -> str:
    try:
        moment = parse_timestamp(text).astimezone(UTC)
    except (MisfitError, OverflowError):
        return text
    if dates and moment.time() == time():
        return moment.date().isoformat()
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _time(text: str) -> str:
    try:
        return parse_time(text).isoformat()
    except MisfitError:
        return text


def _json(text: str) -> str:
    try:
        return to_json(_ordered(decode_exactly(text.encode()))).decode()
    except (ValueError, RecursionError):  # text that is no JSON, or nothing to look into
        return text


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return list(map(_ordered, value))
    if isinstance(value, Decimal) and abs(value.adjusted()) <= _MOST_DIGITS:
        return int(value) if value == value.to_integral_value() else value.normalize()
    return value
