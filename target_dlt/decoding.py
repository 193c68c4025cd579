"""JSON decoded and encoded without losing a digit."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


_decoder = json.JSONDecoder(parse_float=_fraction, parse_int=_integer)


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
    return _decoder.decode(text.decode("utf-8").strip())


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
    """Encode a value so that `decode_exactly` decodes the same; it may not be strict JSON.

    What is strict JSON is spelled as `encode_quickly` spells it.
    """
    if (text := _encode_strict(value)) is not None:
        return text
    if isinstance(value, dict):
        items = (encode_exactly(str(k)) + b":" + encode_exactly(v) for k, v in value.items())
        return b"{" + b",".join(items) + b"}"
    if isinstance(value, (list, tuple)):
        return b"[" + b",".join(map(encode_exactly, value)) + b"]"
    is_odd = isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value))
    return json.dumps(value).encode() if is_odd else _encode(value)


def _encode_strict(value: Any) -> bytes | None:
    """Encode what is strict JSON already, however deep; answer None for all else."""
    try:
        text = _encode(value)
        return text if _decode(text) == value else None  # NaN has become null
    except (msgspec.DecodeError, ArithmeticError, UnicodeError, RecursionError):
        return None


class _Spelled(msgspec.Struct):
    record: dict[str, msgspec.Raw] = {}


_decode_spelled = msgspec.json.Decoder(_Spelled).decode
_skip = msgspec.json.Decoder(msgspec.Raw).decode
_BLANKS = re.compile(r"[ \t\n\r]*")  # always matches


def spelled(line: bytes) -> Mapping[str, msgspec.Raw]:
    """Find how the values of a record are spelled in its message.

    Args:
        line: A message that `decode_exactly` has decoded.

    Returns:
        The JSON text of each value of its record, by key; those that are not strict are left out.
    """
    try:
        return _decode_spelled(line).record
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = line.decode()
    found: dict[str, msgspec.Raw] = {}
    places = {name: begin for name, begin, _ in _members(text, text.index("{"))}
    for name, begin, end in _members(text, places["record"]):
        value = text[begin:end].encode()
        found.pop(name, None)
        if is_strict(value):
            found[name] = msgspec.Raw(value)
    return found


def _members(text: str, index: int) -> Iterator[tuple[str, int, int]]:
    """Walk through the object at a place of a text: each key, and where its value is."""

    def after_blanks(index: int) -> int:
        return _BLANKS.match(text, index).end()  # type: ignore[union-attr]

    index = after_blanks(index + 1)
    while text[index] != "}":
        name, end = _decoder.raw_decode(text, index)
        begin = after_blanks(after_blanks(end) + 1)
        _, end = _decoder.raw_decode(text, begin)
        yield name, begin, end
        index = after_blanks(end)
        if text[index] == ",":
            index = after_blanks(index + 1)


def is_strict(text: bytes) -> bool:
    """Tell whether a text is one value of strict JSON, as the typed decoders take it."""
    try:
        _skip(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def to_json(value: Any) -> bytes:
    """Encode a decoded value as strict JSON: non-finite numbers as strings, half a surrogate
    pair as its escape sequence spelled out.
    """  # noqa: D205
    text = _encode_strict(value) if isinstance(value, (dict, list)) else None
    return _encode(_strict(value)) if text is None else text


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
