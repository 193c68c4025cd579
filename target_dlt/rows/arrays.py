"""Decoded values of one type to an Arrow array; those that it cannot hold are handed back."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.decoding import decode_exactly
from target_dlt.messages.digits import DECIMALS, MOST_DIGITS, digits_of
from target_dlt.rows.of_types import OfTypes
from target_dlt.rows.values import (
    MisfitError,
    parse_date,
    parse_decimal,
    parse_double,
    parse_time,
    parse_timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_dlt.messages.schema import DataType


def _arrow_decimal(kind: DataType) -> pa.DataType:
    digits = digits_of(kind)
    assert digits is not None  # noqa: S101 (it is a type of decimals)
    return (pa.decimal128 if digits.precision <= MOST_DIGITS else pa.decimal256)(*digits)


ARROW_TYPES: Mapping[DataType, pa.DataType] = OfTypes(
    {
        "bigint": pa.int64(),
        "double": pa.float64(),
        "decimal": _arrow_decimal("decimal"),
        "wei": _arrow_decimal("wei"),
        "bool": pa.bool_(),
        "text": pa.string(),
        "timestamp": pa.timestamp("us", "UTC"),
        "date": pa.date32(),
        "time": pa.time64("us"),
        "json": pa.string(),
    },
    _arrow_decimal,
)
# Numbers with a fraction are kept as text until they are known to fit; JSON for good.
RAW: frozenset[DataType] = DECIMALS.union(("double", "json"))
NULL = msgspec.Raw(b"null")
# Up to this many characters, every decimal number without an exponent is an exact double.
_SAFE_DIGITS = 15
_YEAR_ZERO = "0000"  # which Arrow reads, but Python does not
# Where fewer values than one in so many are there, the gaps between them are not stored.
_SPARSE = 8
Built = tuple[pa.Array, dict[int, Any]]


def build(kind: DataType, fields: list[Any]) -> Built:
    """Make an array of fields as `to_field` makes them.

    Returns:
        The array, as long as the list; with few values in it their gaps take no room (see `whole`).
        And what the type cannot hold exactly, by position: decoded, and null in the array.
    """
    built, misfits = _BUILDERS[kind](fields)
    if 0 < (len(built) - built.null_count) * _SPARSE < len(built):
        built = pc.run_end_encode(built)
    return built, misfits


def build_sparse(kind: DataType, found: Mapping[int, Any], length: int) -> Built:
    """Make an array of a length with fields at some of its positions; else as `build`."""
    positions = sorted(found)
    if len(positions) * _SPARSE >= length:
        fields: list[Any] = [NULL if kind in RAW else None] * length
        for position, field in found.items():
            fields[position] = field
        return build(kind, fields)
    values, odd = _BUILDERS[kind]([found[position] for position in positions])
    misfits = {positions[index]: value for index, value in odd.items()}
    ends: list[int] = []
    taken: list[int | None] = []
    for index, position in enumerate(positions):
        if position > (ends[-1] if ends else 0):
            ends.append(position)
            taken.append(None)
        ends.append(position + 1)
        taken.append(index)
    if ends[-1] < length:
        ends.append(length)
        taken.append(None)
    runs = values.take(pa.array(taken, pa.int64()))
    return pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), runs), misfits


def build_runs(kind: DataType, found: Mapping[int, Any], length: int) -> pa.Array:
    """Make an array of a length with values that each hold from a position on."""
    starts = [start for start in {0: None, **found} if start < length]
    values = pa.array(map(found.get, starts), ARROW_TYPES[kind])
    return pa.RunEndEncodedArray.from_arrays(pa.array([*starts[1:], length], pa.int32()), values)


def has_values(built: pa.Array) -> bool:
    """Tell whether an array has anything but nulls."""
    values = built.values if pa.types.is_run_end_encoded(built.type) else built
    return bool(values.null_count < len(values))


def whole(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Answer a column with its gaps, whether they are stored or not."""
    return pc.run_end_decode(values) if pa.types.is_run_end_encoded(values.type) else values


def _build_plain(kind: DataType) -> Callable[[list[Any]], Built]:
    arrow_type = ARROW_TYPES[kind]

    def build(values: list[Any]) -> Built:
        return pa.array(values, arrow_type), {}

    return build


def _build_json(raws: Sequence[Any]) -> Built:
    """Join JSON texts into one buffer: no string object per value."""
    data = b"".join(raws)
    offsets = pa.py_buffer(array("i", accumulate(map(len, raws), initial=0)))
    texts = pa.StringArray.from_buffers(len(raws), offsets, pa.py_buffer(data))
    if b"null" not in data:
        return texts, {}
    is_value = pc.not_equal(texts, "null").buffers()[1]
    return pa.StringArray.from_buffers(len(raws), offsets, pa.py_buffer(data), is_value), {}


def _build_double(raws: Sequence[Any]) -> Built:
    texts, _ = _build_json(raws)
    if texts.null_count != len(texts):
        longest = pc.max(pc.binary_length(texts)).as_py()
        if (
            longest <= _SAFE_DIGITS
            and not pc.any(pc.match_substring_regex(texts, "[^0-9.-]")).as_py()
        ):
            return texts.cast(pa.float64()), {}
    return _build_each(raws, parse_double, "double")


def _build_decimals(kind: DataType) -> Callable[[Sequence[Any]], Built]:
    digits = digits_of(kind)
    assert digits is not None  # noqa: S101 (it is a type of decimals)
    fraction = rf"(\.[0-9]{{1,{digits.scale}}})?" if digits.scale else ""
    plain = rf'^"?-?[0-9]{{1,{digits.whole}}}{fraction}"?$'

    def build(raws: Sequence[Any]) -> Built:
        texts, _ = _build_json(raws)
        if digits.whole and pc.all(pc.match_substring_regex(texts, plain), min_count=0).as_py():
            return pc.utf8_trim(texts, '"').cast(ARROW_TYPES[kind]), {}
        return _build_each(raws, lambda text: parse_decimal(text, digits), kind)

    return build


def _build_each(raws: Sequence[Any], parse: Callable[[bytes], Any], kind: DataType) -> Built:
    values: list[Any] = []
    misfits: dict[int, Any] = {}
    for position, raw in enumerate(map(bytes, raws)):
        value = None
        if raw != b"null":
            try:
                value = parse(raw)
            except MisfitError:
                misfits[position] = decode_exactly(raw)
        values.append(value)
    return pa.array(values, ARROW_TYPES[kind]), misfits


def _build_temporal(
    kind: DataType, parse: Callable[[str], Any], *, castable: bool = True
) -> Callable[[list[str | None]], Built]:
    arrow_type = ARROW_TYPES[kind]

    def build(values: list[str | None]) -> Built:
        if castable:
            texts = pa.array(values, pa.string())
            try:
                cast = texts.cast(arrow_type)
            except pa.ArrowInvalid:
                pass
            else:
                if not pc.any(pc.starts_with(texts, _YEAR_ZERO)).as_py():
                    return cast, {}
        parsed: list[Any] = []
        misfits: dict[int, Any] = {}
        for position, value in enumerate(values):
            try:
                parsed.append(None if value is None else parse(value))
            except (MisfitError, OverflowError):
                parsed.append(None)
                misfits[position] = value
        return pa.array(parsed, arrow_type), misfits

    return build


_BUILDERS: Mapping[DataType, Callable[[list[Any]], Built]] = OfTypes(
    {
        "bigint": _build_plain("bigint"),
        "bool": _build_plain("bool"),
        "text": _build_plain("text"),
        "json": _build_json,
        "double": _build_double,
        "decimal": _build_decimals("decimal"),
        "wei": _build_decimals("wei"),
        "timestamp": _build_temporal("timestamp", parse_timestamp),
        "date": _build_temporal("date", parse_date),
        "time": _build_temporal("time", parse_time, castable=False),
    },
    _build_decimals,
)


def _check_decimals(kind: DataType) -> Callable[[Any], object]:
    digits = digits_of(kind)
    assert digits is not None  # noqa: S101 (it is a type of decimals)
    return lambda raw: parse_decimal(bytes(raw), digits)


# What a key's text must pass beyond JSON's own types; None of these is parsed while decoding.
KEY_CHECKS: Mapping[DataType, Callable[[Any], object]] = OfTypes(
    {
        "json": bytes,
        "double": lambda raw: parse_double(bytes(raw)),
        "decimal": _check_decimals("decimal"),
        "wei": _check_decimals("wei"),
        "timestamp": parse_timestamp,
        "date": parse_date,
        "time": parse_time,
    },
    _check_decimals,
)
