"""JSON values as a column can hold them exactly: the slow lane of the loader.

Most records never come here: they are decoded straight into typed fields. What does come here is
what those refuse: a value of another type than declared, a number outside the type's range, NaN,
half a surrogate pair. One rule holds for all: a column takes a value only if it keeps it exactly;
any other value is a misfit and gets a column of its own type.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from target_dlt.decoding import BIGINT, as_utf8, decode_exactly, is_exact_double, to_json
from target_dlt.messages.digits import DECIMALS, DEFAULT, MOST_DIGITS, OF_BIGINT, Digits, plain_type

if TYPE_CHECKING:
    from target_dlt.messages.schema import DataType

_MICROSECOND_DIGITS = 6
#: The space before an offset, as in `2026-01-31 10:42:16 +00:00`.
_GAP = re.compile(r"(?<=\d) (?=[Zz]$|[+-]\d\d(?::?\d\d)?$)")
#: The digits of a second.
_FINE = re.compile(r"(?<=[.,])(\d{6})(\d+)")
#: So many digits no key has: 1e999999999 is a short text and a long integer.
_LONGEST_KEY = 1000
_NON_FINITE = {"nan": b"nan", "inf": b"inf", "-inf": b"-inf"}


class MisfitError(ValueError):
    """The value is not exactly representable in the column's type."""


def infer_type(value: Any) -> DataType:
    """Choose the type of a column that is not declared, from its first value (not null)."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _infer_number(value)
    scalars: dict[type, DataType] = {bool: "bool", float: "double", str: "text"}
    return scalars.get(type(value), "json")


def _infer_number(value: int | Decimal) -> DataType:
    if isinstance(value, int):
        if value in BIGINT:
            return "bigint"
        return "wei" if abs(value) < 10**MOST_DIGITS else "text"
    if is_exact_double(value):
        return "double"
    return "decimal" if _is_exact_decimal(value, DEFAULT) else "text"


def _is_exact_decimal(number: Decimal, column: Digits) -> bool:
    if not number.is_finite():
        return False
    if not number:
        return True
    _, digits, exponent = number.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    exponent = int(exponent) + len(digits) - len(significant)
    return -exponent <= column.scale and len(significant) + exponent <= column.whole


def to_field(kind: DataType, value: Any) -> Any:
    """Turn a decoded value into what the typed record of that column holds.

    Args:
        kind: Type of the column.
        value: A decoded value, not None.

    Returns:
        `int`, `bool` or `str`; JSON text in bytes for numbers with a fraction and for JSON.

    Raises:
        MisfitError: If the type of the value excludes the column; what only a closer look at the
            text can tell is found when the column is built.
    """
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    is_text = isinstance(value, str)
    field: Any
    if kind == "json" or (kind in DECIMALS and (is_number or is_text)):
        field = to_json(value)
    elif kind == "text":
        field = as_utf8(value) if is_text else to_json(value).decode()
    elif kind == "bigint" and is_number:
        field = _to_bigint(value)
    elif kind == "double" and is_number:
        field = _NON_FINITE.get(str(value)) or to_json(value)
    elif kind in {"timestamp", "date", "time"} and is_text:
        field = as_utf8(value)
    elif kind == "bool" and isinstance(value, bool):
        field = value
    else:
        raise MisfitError
    return field


def _to_bigint(value: float | Decimal) -> int:
    if isinstance(value, int):
        whole = value
    # The exponent first: 1e999999999 is a short text and a long integer.
    elif isinstance(value, Decimal) and value.adjusted() < OF_BIGINT.precision and value % 1 == 0:
        whole = int(value)
    else:
        raise MisfitError
    if whole not in BIGINT:
        raise MisfitError
    return whole


def beyond(kind: DataType, value: Any) -> Any:
    """Answer a value of a column's type that is beyond what the column holds, spelled in one way.

    Args:
        kind: Type of the column.
        value: A decoded value that does not fit.

    Raises:
        MisfitError: If it is of another type.
    """
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if kind in {"bigint", "wei"} and is_number and Decimal(value).adjusted() < _LONGEST_KEY:
        if value == Decimal(value).to_integral_value():
            return int(value)
    elif kind == "double" and is_number:
        return value
    elif plain_type(kind) == "decimal" and (is_number or isinstance(value, str)):
        try:
            if Decimal(value).is_finite():
                return value
        except InvalidOperation:
            pass
    elif kind in {"timestamp", "time"} and isinstance(value, str):
        return _finer(kind, value)
    raise MisfitError


def _finer(kind: DataType, text: str) -> str:
    """Spell a time of more digits than microseconds have: a point in time is in UTC."""
    found = _FINE.search(text)
    if found is None:
        raise MisfitError
    shorter = text[: found.start(2)] + text[found.end(2) :]
    digits = found[1] + found[2].rstrip("0")
    if kind == "time":
        return f"{parse_time(shorter):%H:%M:%S}.{digits}"
    moment = parse_timestamp(shorter).astimezone(UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='seconds')}.{digits}Z"


def plain_text(number: Decimal) -> str:
    """Write a number without an exponent, and without zeros at its end."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_double(text: bytes) -> float:
    """Read the JSON text of a number column; see `to_field` for the non-finite ones."""
    if text in _NON_FINITE.values():
        return float(text)
    try:
        number = Decimal(text.decode())
    except (InvalidOperation, UnicodeDecodeError):
        raise MisfitError from None
    if not is_exact_double(number):
        raise MisfitError
    return float(number)


def parse_decimal(text: bytes, column: Digits) -> Decimal:
    """Read the JSON text of a decimal column: a number, or a string that holds one."""
    written = decode_exactly(text) if text.startswith(b'"') else text.decode()
    # Decimal takes 1_000 and the digits of other scripts, too.
    if not written.isascii() or "_" in written:
        raise MisfitError
    try:
        number = Decimal(written)
    except InvalidOperation:
        raise MisfitError from None
    if not _is_exact_decimal(number, column):
        raise MisfitError
    return number


def parse_timestamp(text: str) -> datetime:
    """Read a point in time; without an offset it is UTC, as the Singer specification has it."""
    parsed: datetime = _parse(text, datetime)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def parse_date(text: str) -> date:
    """Read a calendar date; a point in time is a date only at midnight UTC."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        moment = parse_timestamp(text).astimezone(UTC)
    if moment.time() != time():
        raise MisfitError
    return moment.date()


def parse_time(text: str) -> time:
    """Read a time of day without an offset."""
    parsed: time = _parse(text, time)
    # Python 3.14 reads 24:00 as 00:00.
    if parsed.tzinfo is not None or text.startswith(("24", "T24")):
        raise MisfitError
    return parsed


def _parse(text: str, kind: Any) -> Any:
    try:
        parsed = kind.fromisoformat(_GAP.sub("", text).replace("z", "Z"))
    except ValueError:
        raise MisfitError from None
    # fromisoformat cuts what is finer than a microsecond.
    fraction = text.replace(",", ".").partition(".")[2]
    digits = fraction[: next((i for i, c in enumerate(fraction) if not c.isdigit()), None)]
    if digits[_MICROSECOND_DIGITS:].strip("0"):
        raise MisfitError
    return parsed
