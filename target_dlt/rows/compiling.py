"""The type of a stream's records, as the decoder fills it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from target_dlt.decoding import Int64
from target_dlt.rows.arrays import KEY_CHECKS, NULL, RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from target_dlt.messages.schema import DataType, StreamSchema

_FIELD_TYPES: Mapping[DataType, Any] = {
    "bigint": Int64,
    "bool": bool,
    "text": str,
    "timestamp": str,
    "date": str,
    "time": str,
}
_UNESCAPED = re.compile(r'[^"\\\x00-\x1f]*')


@dataclass(frozen=True)
class Compiled:
    """How RECORD lines become rows.

    Attributes:
        fields: By property, the name of the row's field.
        width: How many fields a row has.
        record: Makes a row of values by field.
        decode: Decodes a line into a message with `record` and `version`, or raises what msgspec
            raises: then the record is one to look into.
        decode_bare: Decodes a record that stands alone in the same way.
        key_checks: The fields of keys whose text must pass a check, see `KEY_CHECKS`.
    """

    fields: Mapping[str, str]
    width: int
    record: Callable[..., Any]
    decode: Callable[[bytes], Any]
    decode_bare: Callable[[bytes], Any]
    key_checks: list[tuple[str, Callable[[Any], object]]]


def compile_record(
    schema: StreamSchema, columns: Mapping[str, DataType], nulls: Iterable[str]
) -> Compiled:
    """Make the type of records.

    Args:
        schema: The stream.
        columns: Properties that are fields, by name.
        nulls: Other properties, which may be there without a value.
    """
    of = {name: f"f{index}" for index, name in enumerate(columns)}
    names = {given: name for name, given in of.items()}
    fields = [_field(of[name], kind, name in schema.keys) for name, kind in columns.items()]
    checks = [
        (of[name], check)
        for name, kind in columns.items()
        if name in schema.keys and (check := KEY_CHECKS.get(kind)) is not None
    ]
    for index, name in enumerate(sorted(nulls), len(fields)):
        names[f"f{index}"] = name
        fields.append((f"f{index}", None, None))
    width = len(fields)
    # The first record that is looked into says of which type a key is that has none yet.
    has_keys = columns.keys() >= set(schema.keys)
    fields += [(name, str, msgspec.NODEFAULT) for name in schema.ids]
    # msgspec compares names as they are spelled in JSON, so there must be no escape in them.
    decodable = has_keys and all(map(_UNESCAPED.fullmatch, names.values()))
    record = msgspec.defstruct(
        "Record",
        fields,
        rename=names if decodable else None,
        forbid_unknown_fields=schema.keeps_unknown,
        kw_only=True,
        gc=False,
    )
    message = msgspec.defstruct(
        "Message", [("record", record), ("version", Int64 | None, None)], gc=False
    )
    decode, decode_bare = (
        msgspec.json.Decoder(kind).decode if decodable else _leave_to_the_slow_lane
        for kind in (message, record)
    )
    return Compiled(of, width, record, decode, decode_bare, checks)


def _field(name: str, kind: DataType, is_key: bool) -> tuple[str, Any, Any]:
    if kind in RAW:
        return (name, msgspec.Raw, NULL)
    type_ = _FIELD_TYPES[kind]
    return (name, type_, msgspec.NODEFAULT) if is_key else (name, type_ | None, None)


def _leave_to_the_slow_lane(_line: bytes) -> Any:
    raise msgspec.ValidationError
