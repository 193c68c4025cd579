"""Singer records of one stream to Arrow tables: typed decoding in one pass, column by column."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.errors import BadMessageError, MissingKeyError
from target_dlt.values import (
    DECIMAL_PRECISION,
    DECIMAL_SCALE,
    MisfitError,
    decode_exactly,
    infer_type,
    parse_date,
    parse_decimal,
    parse_double,
    parse_time,
    parse_timestamp,
    to_field,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_dlt.schema import DataType, StreamSchema

ARROW_TYPES: Mapping[DataType, pa.DataType] = {
    "bigint": pa.int64(),
    "double": pa.float64(),
    "decimal": pa.decimal128(DECIMAL_PRECISION, DECIMAL_SCALE),
    "wei": pa.decimal128(DECIMAL_PRECISION, 0),
    "bool": pa.bool_(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "json": pa.string(),
}
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
# Numbers with a fraction are kept as text until they are known to fit; JSON for good.
_RAW: frozenset[DataType] = frozenset({"double", "decimal", "wei", "json"})
_FIELD_TYPES: Mapping[DataType, Any] = {
    "bigint": _Int64,
    "bool": bool,
    "text": str,
    "timestamp": str,
    "date": str,
    "time": str,
}
_NULL = msgspec.Raw(b"null")
# Up to this many characters, every decimal number without an exponent is an exact double.
_SAFE_DIGITS = 15


@dataclass(frozen=True)
class Column:
    """A column of a chunk: property name, type, and whether it holds the misfits of that name."""

    name: str
    type: DataType
    variant: bool = False


@dataclass(frozen=True)
class Chunk:
    """Rows of one stream in Arrow; the n-th column of the table is the n-th of `columns`."""

    columns: tuple[Column, ...]
    table: pa.Table


class RecordBuffer:
    """Takes the RECORD lines of one stream and turns them into Arrow chunks.

    Record keys outside the schema get a column of the type of their first value that is not null
    (objects and arrays: JSON), unless the schema says `additionalProperties: false`. A value that
    its column cannot hold exactly goes to a variant column of its own type, named as dlt names
    them (`amount__v_text`), and leaves NULL in the column itself.
    """

    def __init__(self, schema: StreamSchema) -> None:
        self.schema = schema
        self.columns: dict[str, DataType] = dict(schema.columns)
        self.rows: list[Any] = []
        self.chunks: list[Chunk] = []
        self._always_null: set[str] = set()
        self._misfits: dict[Column, dict[int, Any]] = {}
        self._compile()

    def _compile(self) -> None:
        fields: list[tuple[str, Any, Any]] = []
        names: dict[str, str] = {}
        for index, (name, kind) in enumerate(self.columns.items()):
            names[f"f{index}"] = name
            fields.append(self._field(f"f{index}", name, kind))
        for index, name in enumerate(sorted(self._always_null), len(fields)):
            names[f"f{index}"] = name
            fields.append((f"f{index}", None, None))
        self._record = msgspec.defstruct(
            "Record",
            fields,
            rename=names,
            forbid_unknown_fields=self.schema.keeps_unknown,
            kw_only=True,
            gc=False,
        )
        message = msgspec.defstruct("Message", [("record", self._record)], gc=False)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(message).decode

    def _field(self, field: str, name: str, kind: DataType) -> tuple[str, Any, Any]:
        is_key = name in self.schema.keys
        if kind in _RAW:
            return (field, msgspec.Raw, _NULL)
        type_ = _FIELD_TYPES[kind]
        return (field, type_, msgspec.NODEFAULT) if is_key else (field, type_ | None, None)

    def add(self, line: bytes) -> None:
        """Take one RECORD line.

        Raises:
            ValueError: If it is not JSON.
            BadMessageError: If it holds no record, or no value for a key property.
        """
        try:
            self.rows.append(self._decode(line).record)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._add_slowly(line)

    def _add_slowly(self, line: bytes) -> None:
        message = decode_exactly(line)
        record = message.get("record")
        if not isinstance(record, dict):
            raise BadMessageError(f"stream {self.schema.stream!r}: a RECORD without a record")
        self._learn(record)
        row = len(self.rows)
        values: dict[str, Any] = {}
        for index, (name, kind) in enumerate(self.columns.items()):
            value = record.get(name)
            if value is None:
                self._require(name, present=False)
                values[f"f{index}"] = _NULL if kind in _RAW else None
                continue
            try:
                values[f"f{index}"] = to_field(kind, value)
            except MisfitError:
                self._set_aside(name, row, value)
                values[f"f{index}"] = _NULL if kind in _RAW else None
        self.rows.append(self._record(**values))

    def _learn(self, record: dict[str, Any]) -> None:
        """Make columns of the keys outside the schema, before the record that brings them."""
        if not self.schema.keeps_unknown:
            return
        unknown = [name for name in record if name not in self.columns]
        found = {n: infer_type(record[n]) for n in unknown if record[n] is not None}
        nulls = {n for n in unknown if record[n] is None} - self._always_null
        if not found and not nulls:
            return
        self.seal()
        self.columns.update(found)
        self._always_null = (self._always_null | nulls) - self.columns.keys()
        self._compile()

    def _require(self, name: str, *, present: bool) -> None:
        if not present and name in self.schema.keys:
            raise MissingKeyError(
                f"stream {self.schema.stream!r}: a record has no value for its key {name!r}"
            )

    def _set_aside(self, name: str, row: int, value: Any) -> None:
        if name in self.schema.keys:
            raise BadMessageError(
                f"stream {self.schema.stream!r}: a value of the key {name!r} "
                f"is not of its type, {self.columns[name]}"
            )
        column = Column(name, infer_type(value), variant=True)
        self._misfits.setdefault(column, {})[row] = value

    def seal(self) -> None:
        """Turn the rows taken so far into a chunk."""
        if not self.rows:
            return
        rows, self.rows = self.rows, []
        arrays: list[pa.Array] = []
        for index, (name, kind) in enumerate(self.columns.items()):
            field = f"f{index}"
            built, misfits = _BUILDERS[kind](list(map(attrgetter(field), rows)))
            for position, value in misfits.items():
                self._set_aside(name, position, value)
            if name in self.schema.keys and built.null_count:
                self._require(name, present=False)
            arrays.append(built)
        columns = [Column(name, kind) for name, kind in self.columns.items()]
        for column, values in self._misfits.items():
            arrays.append(_build_sparse(column.type, values, len(rows)))
            columns.append(column)
        self._misfits = {}
        names = [f"c{index}" for index in range(len(arrays))]
        self.chunks.append(Chunk(tuple(columns), pa.Table.from_arrays(arrays, names=names)))

    def take_chunks(self) -> list[Chunk]:
        """Hand over the sealed chunks."""
        chunks, self.chunks = self.chunks, []
        return chunks


Built = tuple[pa.Array, dict[int, Any]]


def _build_sparse(kind: DataType, values: Mapping[int, Any], length: int) -> pa.Array:
    empty = _NULL if kind in _RAW else None
    fields = [empty] * length
    for position, value in values.items():
        fields[position] = to_field(kind, value)
    return _BUILDERS[kind](fields)[0]


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


def _build_decimal(raws: Sequence[Any]) -> Built:
    return _build_each(raws, lambda text: parse_decimal(text, DECIMAL_SCALE), "decimal")


def _build_wei(raws: Sequence[Any]) -> Built:
    return _build_each(raws, lambda text: parse_decimal(text, 0), "wei")


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
            try:
                return pa.array(values, pa.string()).cast(arrow_type), {}
            except pa.ArrowInvalid:
                pass
        parsed: list[Any] = []
        misfits: dict[int, Any] = {}
        for position, value in enumerate(values):
            try:
                parsed.append(None if value is None else parse(value))
            except (MisfitError, OverflowError):  # noqa: PERF203
                parsed.append(None)
                misfits[position] = value
        return pa.array(parsed, arrow_type), misfits

    return build


_BUILDERS: Mapping[DataType, Callable[[list[Any]], Built]] = {
    "bigint": _build_plain("bigint"),
    "bool": _build_plain("bool"),
    "text": _build_plain("text"),
    "json": _build_json,
    "double": _build_double,
    "decimal": _build_decimal,
    "wei": _build_wei,
    "timestamp": _build_temporal("timestamp", parse_timestamp),
    "date": _build_temporal("date", parse_date),
    "time": _build_temporal("time", parse_time, castable=False),
}
