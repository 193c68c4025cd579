"""Decimal numbers: how many digits a column of them has, as a part of its type.

`decimal` has those that dlt gives it by default, and `wei` none after the point; the type of any
other column of decimals is written with them, `decimal(12,2)`. Values that are sent as numbers, not
as texts of them, are of a type `number(12,2)`: in a column of doubles, too, they are what they are.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: dlt's types; those of decimals of other digits are written as said above.
DataType = Literal[
    "bigint", "double", "decimal", "wei", "bool", "text", "timestamp", "date", "time", "json"
]
#: As many digits as DuckDB and most other databases have.
MOST_DIGITS = 38
#: As many as Arrow's wider decimals have, for columns of others that hold more than ours.
MOST_WIDE_DIGITS = 2 * MOST_DIGITS
#: Where nobody says how many digits are before the point, there must be room for these.
_LEAST_WHOLE = 9
_NAMES_OF_DECIMALS = frozenset({"decimal", "wei"})
_NUMBER = "number"
_WRITTEN = re.compile(rf"(?:decimal|{_NUMBER})\((\d+),(\d+)\)")


class Digits(NamedTuple):
    """The digits of a decimal number: all of them, and those after the point."""

    precision: int
    scale: int

    @property
    def whole(self) -> int:
        """Those before the point."""
        return self.precision - self.scale

    def hold(self, other: Digits) -> bool:
        """Tell whether every number of other digits has no more than these."""
        return self.whole >= other.whole and self.scale >= other.scale


#: Those of a bigint, and those that dlt gives decimals by default.
OF_BIGINT, DEFAULT = Digits(19, 0), Digits(MOST_DIGITS, 9)
_NAMED: Mapping[str, Digits] = {
    "bigint": OF_BIGINT,
    "decimal": DEFAULT,
    "wei": Digits(MOST_DIGITS, 0),
}
_NAMES = {digits: name for name, digits in _NAMED.items() if name in _NAMES_OF_DECIMALS}


def plain_type(kind: DataType) -> DataType:
    """The type without its digits, as dlt calls it."""
    return cast("DataType", column_type(kind).partition("(")[0])


def column_type(kind: DataType) -> DataType:
    """The type of a new column of values of a type."""
    digits = digits_of(kind) if is_number(kind) else None
    return decimal_type(digits) if digits else kind


def is_number(kind: DataType) -> bool:
    """Tell whether values of a type were sent as numbers of declared digits."""
    return kind.startswith(_NUMBER)


def number_type(digits: Digits) -> DataType:
    """The type of values that are sent as numbers of so many digits."""
    return cast("DataType", f"{_NUMBER}({digits.precision},{digits.scale})")


def is_decimal(kind: DataType) -> bool:
    """Tell whether a type is one of decimals."""
    return plain_type(kind) in _NAMES_OF_DECIMALS


def digits_of(kind: DataType) -> Digits | None:
    """The digits of a type whose numbers are exact; None for any other type."""
    if found := _WRITTEN.fullmatch(kind):
        return Digits(int(found[1]), int(found[2]))
    return _NAMED.get(kind)


def decimal_type(digits: Digits) -> DataType:
    """The type of decimals of so many digits."""
    return cast("DataType", _NAMES.get(digits, f"decimal({digits.precision},{digits.scale})"))


def joined(kinds: Iterable[DataType], most: int = MOST_DIGITS) -> DataType | None:
    """Find the decimals that hold all numbers of several types.

    Args:
        kinds: The types.
        most: How many digits there may be.

    Returns:
        Their type; None if one of the types is not of exact numbers, or there are too many digits.
    """
    found = [digits_of(kind) for kind in kinds]
    known = [digits for digits in found if digits is not None]
    if len(known) < len(found):
        return None
    scale = max(digits.scale for digits in known)
    precision = max(digits.whole for digits in known) + scale
    return decimal_type(Digits(precision, scale)) if precision <= most else None


def declared_digits(schema: Mapping[str, Any]) -> Digits | None:
    """Read the digits that a schema of numbers says there are.

    It says so by `precision` and `scale`, as the Meltano SDK writes them beside the format
    `x-singer.decimal`, or by `multipleOf`. How large a number may be (`maximum`) is for its source
    to change, and no reason to have a column of fewer digits.

    Returns:
        The digits; None if nothing is said, or more than a column can have.
    """
    precision, scale = _count(schema.get("precision")), _count(schema.get("scale"))
    if precision is None and scale is None:
        scale = _places(schema.get("multipleOf"))
        if scale is None:
            return None
    scale = scale or 0
    if scale < 0:  # as Oracle says that numbers are hundreds
        precision, scale = None if precision is None else precision - scale, 0
    if precision is not None and 0 < max(precision, scale) <= MOST_DIGITS:
        return Digits(max(precision, scale), scale)
    if scale > MOST_DIGITS - _LEAST_WHOLE:
        return None
    return Digits(MOST_DIGITS, scale)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _places(step: Any) -> int | None:
    """Count the digits after the point of the numbers that `multipleOf` allows."""
    if isinstance(step, bool) or not isinstance(step, (int, float, Decimal, str)):
        return None
    try:
        number = Decimal(str(step))
    except InvalidOperation:
        return None
    if not number.is_finite() or number <= 0:
        return None
    return max(0, -int(number.normalize().as_tuple().exponent))


#: All types of decimals that values here have: quicker to look into than the type's text.
DECIMALS: frozenset[DataType] = frozenset(
    make(Digits(precision, scale))
    for make in (decimal_type, number_type)
    for precision in range(1, MOST_DIGITS + 1)
    for scale in range(precision + 1)
)
