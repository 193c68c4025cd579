"""Values on their way into a column of another type, none of which may change."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.decoding import decode_exactly
from target_dlt.rows.arrays import ARROW_TYPES, whole
from target_dlt.rows.values import BIGINT_DIGITS

if TYPE_CHECKING:
    from target_dlt.dlt_internals import TableColumn
    from target_dlt.messages.schema import DataType
    from target_dlt.rows.chunks import Column

EXACT_IN_DOUBLE = 2**53


def bound_of(column: Column, target: TableColumn) -> int | None:
    """Answer the greatest number, of either sign, of which all below are held exactly.

    Args:
        column: What the values are.
        target: The column; by its type it holds them, or nearly all of them.

    Returns:
        The number; None if all values of the type are held.
    """
    most = None
    if (column.type, target.type) == ("bigint", "double"):
        most = EXACT_IN_DOUBLE
    elif target.type == "decimal" and target.wide and not target.narrow and target.limits:
        digits = target.limits["precision"] - target.limits["scale"]
        own = ARROW_TYPES[column.type]
        if digits < (BIGINT_DIGITS if column.type == "bigint" else own.precision - own.scale):
            most = 10**digits - 1
    return most


def fitting(values: pa.ChunkedArray, most: int) -> pa.ChunkedArray | None:
    """Tell which numbers are within a bound; None if all are.

    Args:
        values: The numbers, with or without their gaps; see `whole`.
        most: The greatest one, of either sign.
    """
    values = whole(values)
    least, greatest = (pa.scalar(bound, values.type) for bound in (-most, most))
    fits = pc.and_(pc.greater_equal(values, least), pc.less_equal(values, greatest))
    return None if pc.all(fits, min_count=0).as_py() else fits


def cast(values: pa.ChunkedArray, kind: DataType, wanted: DataType) -> pa.ChunkedArray:
    """Give values the type of a column that holds them exactly."""
    if kind == wanted:
        return values
    if (kind, wanted) == ("json", "text"):
        return _plain_strings(values)
    if (kind, wanted) == ("decimal", "text"):
        return pc.replace_substring_regex(values.cast(pa.string()), r"\.?0+$", "")
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
