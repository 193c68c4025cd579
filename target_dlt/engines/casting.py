"""Values on their way into a column of another type, none of which may change."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.decoding import decode_exactly, is_exact_double
from target_dlt.messages.digits import OF_BIGINT, digits_of, is_decimal
from target_dlt.rows.arrays import ARROW_TYPES, whole
from target_dlt.rows.values import plain_text

if TYPE_CHECKING:
    from target_dlt.dlt_internals import TableColumn
    from target_dlt.messages.digits import Digits
    from target_dlt.messages.schema import DataType
    from target_dlt.rows.chunks import Column

EXACT_IN_DOUBLE = 2**53
_ARROW_INTEGERS = pa.decimal128(*OF_BIGINT)
#: Decimal numbers of so many digits are exact in a double.
_DOUBLE_DIGITS = 15


def takes_all(column: Column, target: TableColumn) -> bool:
    """Tell whether a column holds all values of a chunk's exactly, by their types."""
    if (column.type, target.type) == ("bigint", "double"):
        return False
    own, has = digits_of(column.type), digits_of(target.type)
    if own is None or target.type == "double":
        return own is None
    return has is None or not is_decimal(target.type) or has.hold(own)


def fitting(column: Column, target: TableColumn, values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Tell which numbers a column holds exactly.

    Args:
        column: What the values are.
        target: The column; by its type it holds them, or nearly all of them.
        values: The numbers, with or without their gaps; see `whole`.

    Returns:
        Whether each fits; None if all do.
    """
    if takes_all(column, target):
        return None
    values = whole(values)
    own, has = digits_of(column.type), digits_of(target.type)
    if column.type == "bigint" and target.type == "double":
        return _within(values, EXACT_IN_DOUBLE)
    if own is None or has is None:
        return None if own is None else _exact_in_double(values, own)
    fits = None
    if has.whole < own.whole:
        fits = _within(values, 10**has.whole, including=False)
    if has.scale < own.scale:
        cut = pc.round(values, ndigits=has.scale, round_mode="towards_zero")
        is_short = pc.equal(cut, values)
        fits = is_short if fits is None else pc.and_(fits, is_short)
    return None if fits is None or pc.all(fits, min_count=0).as_py() else fits


def _within(
    values: pa.ChunkedArray, most: int, *, including: bool = True
) -> pa.ChunkedArray | None:
    """Tell which numbers are not beyond a bound; None if none is."""
    compare = (pc.greater_equal, pc.less_equal) if including else (pc.greater, pc.less)
    least, greatest = (pa.scalar(bound, values.type) for bound in (-most, most))
    fits = pc.and_(compare[0](values, least), compare[1](values, greatest))
    return None if pc.all(fits, min_count=0).as_py() else fits


def _exact_in_double(values: pa.ChunkedArray, own: Digits) -> pa.ChunkedArray | None:
    """Tell which decimals come back the same from a double; None if all do."""
    if own.scale < _DOUBLE_DIGITS:
        bound = 10 ** min(own.whole, _DOUBLE_DIGITS - own.scale) - 1
        if _within(values, bound) is None:
            return None
    fits = [number is None or is_exact_double(number) for number in values.to_pylist()]
    return None if all(fits) else pa.chunked_array([pa.array(fits, pa.bool_())])


def cast(values: pa.ChunkedArray, kind: DataType, wanted: DataType) -> pa.ChunkedArray:
    """Give values the type of a column that holds them exactly."""
    if kind == wanted:
        return values
    if (kind, wanted) == ("json", "text"):
        return _plain_strings(values)
    if kind == "bigint" and is_decimal(wanted):  # Arrow asks for room for the largest one
        return values.cast(_ARROW_INTEGERS).cast(ARROW_TYPES[wanted])
    if is_decimal(kind) and wanted in {"text", "double"}:
        # Neither does Arrow write all of them plainly, nor read them as the nearest double.
        texts = [None if number is None else plain_text(number) for number in values.to_pylist()]
        written = pa.chunked_array([pa.array(texts, pa.string())])
        return written.cast(ARROW_TYPES[wanted])
    if (kind, wanted) == ("timestamp", "text"):
        return pc.strftime(values, format="%Y-%m-%dT%H:%M:%SZ")
    return values.cast(ARROW_TYPES[wanted])


def _plain_strings(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take JSON strings out of their quotes, as a text column holds strings; others stay JSON."""
    if not pc.any(pc.starts_with(values, '"'), min_count=0).as_py():
        return values
    texts = [
        decode_exactly(text.encode()) if text and text[0] == '"' else text
        for text in values.to_pylist()
    ]
    return pa.chunked_array([pa.array(texts, values.type)])


def row_ids(count: int) -> pa.StringArray:
    """Make ids as dlt makes them, 14 base64 characters of randomness, all at once."""
    width = 14
    text = b64encode(os.urandom((count + 1) // 2 * 21))
    offsets = pa.array(range(0, count * width + 1, width), pa.int32()).buffers()[1]
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(text))
