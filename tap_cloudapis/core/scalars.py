"""Values of another type than their column is declared with, and what they mean.

Services change the types of ids and figures between versions; a column keeps its own.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TYPES: dict[type, str] = {
    str: "string",
    int: "integer",
    bool: "boolean",
    Decimal: "number",
    dict: "object",
    list: "array",
}
_BOOLEAN = frozenset({"boolean", "null"})
_NOT_BOOLEAN = (bool, float, Decimal, dict, list)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_WHOLE_WITH_ZEROS = re.compile(r"([+-]?\d+)(?:\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
#: Numbers with more digits before the point, or after it, are written with an exponent.
_MOST_DIGITS = 400


def types_of(definition: Mapping[str, Any]) -> frozenset[str]:
    """The JSON types that a definition allows; empty where it does not say."""
    types = definition.get("type") or ()
    return frozenset([types] if isinstance(types, str) else types)


def converter(types: frozenset[str], kind: type) -> Callable[[Any], Any] | None:
    """Say how a value of a type becomes one that a column is declared with.

    Args:
        types: The JSON types of the column.
        kind: The Python type of the value.

    Returns:
        A function that gives ``None`` for a value that it cannot read; ``None`` where the value
        can stay.
    """
    given = _TYPES.get(kind)
    accepted = types | {"integer"} if "number" in types else types
    if given is None or not types or given in accepted:
        return None
    if "boolean" in types:
        return to_boolean if types <= _BOOLEAN else None
    readers = _READERS.get(given, {})
    return next((readers[name] for name in readers if name in types), _unreadable)


def to_boolean(value: Any) -> Any:
    """Make of a value in a boolean column what the SDK makes of it: it leaves fractions alone."""
    return value if value is None or isinstance(value, _NOT_BOOLEAN) else value != 0


def _unreadable(_: Any) -> None:
    """An object is no number, and a flag is none either."""


def to_text(value: Any) -> str | None:
    """Write a number, or a boolean, as it came."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal) and abs(value.adjusted()) < _MOST_DIGITS:
        return f"{value:f}"
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python writes
        return None


def to_integer(value: Any) -> int | None:
    """Read a whole number that came as text, or with a point."""
    if isinstance(value, str):
        match = _WHOLE_WITH_ZEROS.fullmatch(value.strip())
        return None if match is None else _int(match[1])
    if value.adjusted() >= _MOST_DIGITS or value != value.to_integral_value():
        return None
    return int(value)


def to_number(value: str) -> int | Decimal | None:
    """Read a number that came as text."""
    text = value.strip()
    if _WHOLE.fullmatch(text):
        return _int(text)
    try:
        return Decimal(text) if _NUMBER.fullmatch(text) else None
    except ArithmeticError:
        return None


def _int(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:  # more digits than Python reads
        return None


#: What reads a value of a type, by the type of its column, the one that loses least first.
_READERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "string": {"number": to_number, "integer": to_integer},
    "integer": {"string": to_text},
    "number": {"string": to_text, "integer": to_integer},
    "boolean": {"string": to_text},
}


def is_text(value: str) -> bool:
    """Whether UTF-8 can hold a text: half a surrogate pair has no place in a URL or a table."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
