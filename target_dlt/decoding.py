"""JSON decoded and encoded without losing a digit."""

from __future__ import annotations

import json
import math
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
import simplejson  # type: ignore[import-untyped]

#: The numbers that 64 bits hold.
BIGINT = range(-(2**63), 2**63)
Int64 = Annotated[int, msgspec.Meta(ge=BIGINT.start, le=BIGINT.stop - 1)]
_encode = msgspec.json.Encoder(decimal_format="number").encode


class UnfitError(ValueError):
    """The text is not strict JSON; it may be what Python writes."""


def _integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # longer than the interpreter converts
        return Decimal(text)


def _fraction(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:  # its exponent is beyond what can be computed
        return text


_loads = json.JSONDecoder(parse_float=_fraction, parse_int=_integer).decode


def decode_exactly(text: bytes) -> Any:
    """Decode JSON as any writer may have written it, without losing a digit.

    Args:
        text: One JSON document in UTF-8; NaN and Infinity are taken as Python writes them.

    Returns:
        Plain values; fractions are `Decimal`, non-finite numbers `float`, and numbers with an
        exponent beyond what `Decimal` can hold the text that they are written as.

    Raises:
        ValueError: If it is not JSON.
        RecursionError: If it is nested too deeply.
    """
    return _loads(text.decode("utf-8").strip())


_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def decode_quickly(text: bytes) -> Any:
    """Decode strict JSON several times faster than, and to the same values as, `decode_exactly`.

    Raises:
        UnfitError: If it is not JSON as msgspec takes it, or holds a number beyond `Decimal`.
    """
    try:
        return _decode(text)
    except (msgspec.DecodeError, InvalidOperation, UnicodeDecodeError, RecursionError) as error:
        raise UnfitError from error


def encode_quickly(value: Any) -> bytes:
    """Encode a value that `decode_quickly` decoded; nothing of it changes."""
    return _encode(value)


def encode_exactly(value: Any) -> bytes:
    """Encode a value so that `decode_exactly` decodes the same; it may not be strict JSON."""
    text: str = simplejson.dumps(value, use_decimal=True, allow_nan=True)
    return text.encode()


def to_json(value: Any) -> bytes:
    """Encode a decoded value as strict JSON: non-finite numbers as strings, half a surrogate
    pair as its escape sequence spelled out.
    """  # noqa: D205
    return _encode(_strict(value))


def storable(value: Any) -> Any:
    """Make of a decoded value what dlt's encoder of state takes: numbers beyond 64 bits or doubles
    stay `Decimal`, others become plain; texts and non-finite numbers as in `to_json`.
    """  # noqa: D205
    if isinstance(value, dict):
        return {as_utf8(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, Decimal):
        return float(value) if is_exact_double(value) else value
    if isinstance(value, int) and value not in BIGINT:
        return Decimal(value)
    return _strict(value)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {as_utf8(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    if isinstance(value, str):
        return as_utf8(value)
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)  # NaN, Infinity, -Infinity
    return value


def as_utf8(value: str) -> str:
    """A text that UTF-8 can hold: half a surrogate pair is spelled out as its escape sequence."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def is_exact_double(number: Decimal) -> bool:
    """Tell whether a decimal number comes back the same from the double it is read as."""
    as_double = float(number)
    return math.isfinite(as_double) and Decimal(repr(as_double)) == number
