"""The loader's own columns: which version a row is of, and when it was found to be gone.

They hold what the messages say, and nothing else. Where the source has a property of such a name,
as a table has that another Singer loader filled, it is data and gets another column. One property
is more than that: by `_sdc_deleted_at` taps that read a log say that a row was deleted.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.decoding import decode_exactly
from target_dlt.rows.arrays import ARROW_TYPES
from target_dlt.rows.values import MisfitError, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_dlt.messages.schema import DataType, StreamSchema
    from target_dlt.names import Path

#: The column of what the tap calls the version of its table, as other Singer loaders name it.
VERSION = "_sdc_table_version"
#: When a row was deleted, or found to be of an older version; as they name it, too.
DELETED_AT = "_sdc_deleted_at"
# What a text says of a row that lives, beside a number that does: nothing, no, or nothing as some
# writers spell it.
_LIVES = frozenset({"", "false", "null", "none", "nat"})


def tells_deletions(schema: StreamSchema, path: Path = ()) -> bool:
    """Tell whether a property `_sdc_deleted_at` of these rows would say which of them are gone.

    Args:
        schema: The rows' table.
        path: Where in the records the rows are: items of arrays say nothing of their record.
    """
    return not path and DELETED_AT not in schema.keys


def is_only_sign(name: str, kind: DataType) -> bool:
    """Tell whether a property is `_sdc_deleted_at` and needs no column of its own.

    Declared as a point in time, or not at all, it has what the loader's own column holds; other
    values become variants. Declared as anything else it is data as well.
    """
    return name == DELETED_AT and kind in {"timestamp", "json"}


def deletions(
    kind: DataType, built: pa.Array, fields: Sequence[Any], misfits: Mapping[int, Any]
) -> pa.Array:
    """Make the column that says when rows were deleted.

    A value that says that the row is deleted, but by no point in time, is told with the time it is
    now: nobody can know its unit or format.

    Args:
        kind: Type of the property.
        built: The column of its values.
        fields: Its values as the typed records hold them.
        misfits: By position, values that its column does not hold.

    Raises:
        MisfitError: If an object or array is among them.
    """
    moment = ARROW_TYPES["timestamp"]
    signs = dict(misfits)
    if kind != "timestamp":
        built = pa.nulls(len(fields), moment)
        signs = {n: field for n, field in enumerate(fields) if field is not None} | signs
    now = datetime.now(UTC)
    found = {position: _moment(sign, now) for position, sign in signs.items()}
    if not any(found.values()):
        return built
    return pc.coalesce(built, pa.array(map(found.get, range(len(fields))), moment))


def _moment(field: Any, now: datetime) -> datetime | None:
    """Read when a row was deleted; None if it lives."""
    value = field
    if isinstance(field, (bytes, msgspec.Raw)):
        try:
            value = decode_exactly(bytes(field))
        except ValueError:  # a number that is not finite, as `to_field` spells it
            value = bytes(field).decode()
    if isinstance(value, (dict, list)):
        raise MisfitError
    if isinstance(value, (bool, int, float, Decimal)):
        return now if _is_something(value) else None
    text = "" if value is None else str(value).strip()
    if text.lower() in _LIVES:
        return None
    with suppress(ValueError):
        return now if _is_something(float(text)) else None
    try:
        return parse_timestamp(text).astimezone(UTC)
    except (MisfitError, OverflowError):
        return now


def _is_something(number: float | Decimal) -> bool:
    return bool(number) and number == number  # noqa: PLR0124 (NaN is not; an int may be huge)
