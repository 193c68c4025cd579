"""Singer records of one stream to Arrow tables: typed decoding in one pass, column by column."""

from __future__ import annotations

import re
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pyarrow as pa

from target_dlt.decoding import Int64, decode_exactly, spelled
from target_dlt.errors import BadRecordError, LoaderError, MissingKeyError
from target_dlt.messages.schema import other_spellings
from target_dlt.rows.arrays import BUILDERS, KEY_CHECKS, NULL, RAW, build_sparse
from target_dlt.rows.chunks import Chunk, Column
from target_dlt.rows.own import DELETED_AT, VERSION, deletions, tells_deletions
from target_dlt.rows.values import MisfitError, beyond, infer_type, to_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from target_dlt.messages.schema import DataType, StreamSchema
    from target_dlt.names import Path

_FIELD_TYPES: Mapping[DataType, Any] = {
    "bigint": Int64,
    "bool": bool,
    "text": str,
    "timestamp": str,
    "date": str,
    "time": str,
}
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_UNESCAPED = re.compile(r'[^"\\\x00-\x1f]*')


class RecordBuffer:
    """Takes the RECORD lines of one stream and turns them into Arrow chunks.

    Record keys outside the schema get a column of the type of their first value that is not null
    (objects and arrays: JSON), unless the schema says `additionalProperties: false`. A value that
    its column cannot hold exactly goes to a variant column of its own type, named as dlt names
    them (`amount__v_text`), and leaves NULL in the column itself; of a key, both become one column
    that holds both, see `StreamPlan`. Where the messages carry a version, the rows get it in a
    column of the loader's own; see `rows.own`.

    Args:
        schema: What the SCHEMA message says.
        validate: Called with each decoded record; raises BadRecordError for those to refuse.
        path: Where in the records the rows are, as in `Chunk`.
    """

    def __init__(
        self,
        schema: StreamSchema,
        validate: Callable[[Any], None] | None = None,
        path: Path = (),
    ) -> None:
        self.schema = schema
        self._validate = validate
        self._path = path
        self.columns: dict[str, DataType] = dict(schema.columns)
        self._tells_deletions = tells_deletions(schema, path)
        if self._tells_deletions and self.columns.get(DELETED_AT) == "json":
            self.columns[DELETED_AT] = "timestamp"
        self.rows: list[Any] = []
        self.chunks: list[Chunk] = []
        self._sealing = 0
        self._always_null: set[str] = set()
        self._misfits: dict[Column, dict[int, Any]] = {}
        self._version: int | None = None
        self._own: list[Mapping[str, Any]] = []
        self._key_checks: list[tuple[str, Callable[[Any], object]]] = []
        self._compile()

    def __len__(self) -> int:
        """Count the rows that are in no chunk yet."""
        return len(self.rows)

    @property
    def records(self) -> int:
        """How many records were taken and not handed over, at any moment a signal may come."""
        return len(self.rows) + self._sealing + sum(len(chunk.table) for chunk in self.chunks)

    def _compile(self) -> None:
        fields: list[tuple[str, Any, Any]] = []
        names: dict[str, str] = {}
        for index, (name, kind) in enumerate(self.columns.items()):
            names[f"f{index}"] = name
            fields.append(self._field(f"f{index}", name, kind))
        self._key_checks = [
            (f"f{index}", check)
            for index, (name, kind) in enumerate(self.columns.items())
            if name in self.schema.keys and (check := KEY_CHECKS.get(kind)) is not None
        ]
        for index, name in enumerate(sorted(self._always_null), len(fields)):
            names[f"f{index}"] = name
            fields.append((f"f{index}", None, None))
        self._check_names(names.values())
        # The first record that is looked into says of which type a key is that has none yet.
        has_keys = self.columns.keys() >= set(self.schema.keys)
        fields += [(name, str, msgspec.NODEFAULT) for name in self.schema.ids]
        # msgspec compares names as they are spelled in JSON, so there must be no escape in them.
        decodable = has_keys and all(map(_UNESCAPED.fullmatch, names.values()))
        self._record = msgspec.defstruct(
            "Record",
            fields,
            rename=names if decodable else None,
            forbid_unknown_fields=self.schema.keeps_unknown,
            kw_only=True,
            gc=False,
        )
        message = msgspec.defstruct(
            "Message", [("record", self._record), ("version", Int64 | None, None)], gc=False
        )
        self._decode: Callable[[bytes], Any] = (
            msgspec.json.Decoder(message).decode if decodable else _leave_to_the_slow_lane
        )

    def _field(self, field: str, name: str, kind: DataType) -> tuple[str, Any, Any]:
        is_key = name in self.schema.keys
        if kind in RAW:
            return (field, msgspec.Raw, NULL)
        type_ = _FIELD_TYPES[kind]
        return (field, type_, msgspec.NODEFAULT) if is_key else (field, type_ | None, None)

    def add(self, line: bytes) -> None:
        """Take one RECORD line.

        Raises:
            ValueError: If it is not JSON.
            BadRecordError: If it holds no record, or no value for a key property.
        """
        if self._validate is not None:
            self._add_slowly(line)
            return
        if not line.isascii():
            line.decode()  # what stays JSON text is not looked at by the decoder
        try:
            message = self._decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._add_slowly(line)
            return
        if self._key_checks and not self._fits(message.record):
            self._add_slowly(line)
            return
        if message.version != self._version:
            self._turn_to(message.version)
        self.rows.append(message.record)

    def _turn_to(self, version: int | None) -> None:
        """Begin a new chunk: all rows of a chunk are of one version."""
        self.seal()
        self._version = version

    def _fits(self, record: Any) -> bool:
        """Parse keys now that the column would parse: a wrong one is told with its line."""
        for field, check in self._key_checks:
            value = getattr(record, field)
            if value == NULL:  # only JSON texts can be: others are required by the decoder
                return False
            try:
                check(value)
            except (MisfitError, OverflowError):
                return False
        return True

    def _add_slowly(self, line: bytes) -> None:
        message = decode_exactly(line)
        record, version = message.get("record"), self._version_of(message)
        self.add_record(record, version, spelled(line) if isinstance(record, dict) else {})

    def _version_of(self, message: Mapping[str, Any]) -> int | None:
        version = message.get("version")
        try:
            return None if version is None else cast("int", to_field("bigint", version))
        except MisfitError:
            raise BadRecordError(
                f"stream {self.schema.stream!r}: the version of a RECORD is no number of 64 bits"
            ) from None

    def add_record(
        self,
        record: Any,
        version: int | None = None,
        texts: Mapping[str, msgspec.Raw] = MappingProxyType({}),
    ) -> None:
        """Take one record, decoded as `decode_exactly` does it.

        Args:
            record: An object by property name.
            version: What the tap calls the version of its table.
            texts: How values are spelled, by property name, where this is known.

        Raises:
            BadRecordError: If it is no object, or has no value for a key property.
        """
        if not isinstance(record, dict):
            raise BadRecordError(f"stream {self.schema.stream!r}: a RECORD without a record")
        if self._validate is not None:
            self._validate(record)
        for name in self.schema.keys:
            if record.get(name) is None:
                record = self._with_key(record, name)
        self._learn(record)
        if isinstance(record.get(DELETED_AT), (dict, list)) and self._reads_deletions():
            raise BadRecordError(self._odd_sign())
        if version != self._version:
            self._turn_to(version)
        values: dict[str, Any] = {}
        misfits: list[tuple[Column, Any]] = []
        for index, (name, kind) in enumerate(self.columns.items()):
            value = record.get(name)
            values[f"f{index}"] = NULL if kind in RAW else None
            if value is None:
                continue
            if (
                kind in RAW and name in texts and name not in self.schema.keys
            ):  # as in the fast lane
                values[f"f{index}"] = texts[name]
                continue
            try:
                values[f"f{index}"] = self._to_field(name, kind, value)
            except (MisfitError, OverflowError):
                misfits.append(self._misfit(name, self._key_beyond(name, value)))
        row = self._record(**values, **{name: record[name] for name in self.schema.ids})
        for column, field in misfits:
            self._misfits.setdefault(column, {})[len(self.rows)] = field
        self.rows.append(row)

    def _with_key(self, record: dict[str, Any], key: str) -> dict[str, Any]:
        """Take the key from where the record, unlike the schema, spells it otherwise."""
        unknown = (name for name in record if name not in self.schema.columns)
        found = [name for name in other_spellings(key, unknown) if record[name] is not None]
        if len(found) != 1:
            raise self._no_key(key)
        return {key if name == found[0] else name: record[name] for name in record if name != key}

    def _to_field(self, name: str, kind: DataType, value: Any) -> Any:
        field = to_field(kind, value)
        if name in self.schema.keys and (check := KEY_CHECKS.get(kind)) is not None:
            check(field)
        return field

    def _key_beyond(self, name: str, value: Any) -> Any:
        """Answer a value that its column does not hold; of a key, only if it is right all the same.

        The schema may say too little of a key: integers of more than 64 bits, say.
        """
        if name not in self.schema.keys or name not in self.schema.columns:
            return value
        try:
            return beyond(self.columns[name], value)
        except (MisfitError, OverflowError):
            raise self._wrong_key(name) from None

    def fill_own(self, values: Mapping[str, Any]) -> None:
        """Fill columns of the loader's own in the row that was taken last.

        Args:
            values: By name, the same names for every row of a stream; see `StreamSchema.own`.
        """
        self._own.append(values)

    def _reads_deletions(self) -> bool:
        return self._tells_deletions and DELETED_AT in self.columns

    def _odd_sign(self) -> str:
        return (
            f"stream {self.schema.stream!r}: {DELETED_AT!r} of a record is an object or an array, "
            "which says neither that the row is deleted nor that it lives"
        )

    def _learn(self, record: dict[str, Any]) -> None:
        """Make columns of the keys outside the schema, before the record that brings them."""
        taken = None if self.schema.keeps_unknown else self.schema.keys
        known = {*self.columns, *self.schema.ids}
        unknown = [
            name for name in record if name not in known and (taken is None or name in taken)
        ]
        found = {n: infer_type(record[n]) for n in unknown if record[n] is not None}
        if self._tells_deletions and DELETED_AT in found:
            found[DELETED_AT] = "timestamp"
        nulls = {n for n in unknown if record[n] is None} - self._always_null
        if not found and not nulls:
            return
        self._check_names(unknown)
        self.seal()
        self.columns.update(found)
        self._always_null = (self._always_null | nulls) - self.columns.keys()
        self._compile()

    def _check_names(self, names: Iterable[str]) -> None:
        for name in names:
            if not name.isascii() and _HALF_PAIR.search(name):
                raise BadRecordError(
                    f"stream {self.schema.stream!r}: the name {name!r} has half a surrogate pair"
                )

    def _no_key(self, name: str) -> MissingKeyError:
        return MissingKeyError(
            f"stream {self.schema.stream!r}: a record has no value for its key {name!r}"
        )

    def _wrong_key(self, name: str) -> BadRecordError:
        return BadRecordError(
            f"stream {self.schema.stream!r}: a value of the key {name!r} "
            f"is not of its type, {self.columns[name]}"
        )

    def _misfit(self, name: str, value: Any) -> tuple[Column, Any]:
        """Answer the variant column of a value, and the field that holds it there."""
        kind = infer_type(value)
        return Column(name, kind, variant=True), to_field(kind, value)

    def seal(self) -> None:
        """Turn the rows taken so far into a chunk."""
        if not self.rows:
            return
        rows = self.rows
        self._sealing, self.rows = len(rows), []
        arrays: list[pa.Array] = []
        for index, (name, kind) in enumerate(self.columns.items()):
            field = f"f{index}"
            built, misfits = BUILDERS[kind](list(map(attrgetter(field), rows)))
            for position, value in misfits.items():
                column, found = self._misfit(name, value)
                self._misfits.setdefault(column, {})[position] = found
            arrays.append(built)
        columns = [Column(name, kind) for name, kind in self.columns.items()]
        self._build_own(columns, arrays, rows)
        for column, fields in self._misfits.items():
            arrays.append(build_sparse(column.type, fields, len(rows)))
            columns.append(column)
        self._misfits = {}
        names = [f"c{index}" for index in range(len(arrays))]
        names += self.schema.ids
        arrays += [pa.array(map(attrgetter(name), rows), pa.string()) for name in self.schema.ids]
        table = pa.Table.from_arrays(arrays, names=names)
        self.chunks.append(Chunk(tuple(columns), table, self._path, self.schema.spelled))
        self._sealing = 0

    def _build_own(self, columns: list[Column], arrays: list[pa.Array], rows: list[Any]) -> None:
        """Build the loader's own columns behind those of the properties."""
        own, self._own = self._own, []
        for name in own[0] if own else ():
            kind = self.schema.own[name]
            built, misfits = BUILDERS[kind]([values[name] for values in own])
            for position, value in misfits.items():
                column, found = self._misfit(name, value)
                self._misfits.setdefault(column, {})[position] = found
            arrays.append(built)
            columns.append(Column(name, kind, own=True))
        if self._reads_deletions():
            self._build_deletions(columns, arrays, rows)
        if self._version is not None:
            arrays.append(pa.repeat(pa.scalar(self._version, pa.int64()), len(rows)))
            columns.append(Column(VERSION, "bigint", own=True))

    def _build_deletions(
        self, columns: list[Column], arrays: list[pa.Array], rows: list[Any]
    ) -> None:
        place, kind = list(self.columns).index(DELETED_AT), self.columns[DELETED_AT]
        misfits: dict[int, Any] = {}
        for column, found in self._misfits.items():
            if column.name == DELETED_AT:
                misfits |= found
        fields = list(map(attrgetter(f"f{place}"), rows))
        try:
            built = deletions(kind, arrays[place], fields, misfits)
        except MisfitError:
            raise LoaderError(self._odd_sign()) from None
        own = Column(DELETED_AT, "timestamp", own=True)
        if kind == "timestamp":
            columns[place], arrays[place] = own, built
        else:
            columns.append(own)
            arrays.append(built)

    def take_chunks(self) -> list[Chunk]:
        """Hand over the sealed chunks."""
        chunks, self.chunks = self.chunks, []
        return chunks


def _leave_to_the_slow_lane(_line: bytes) -> Any:
    raise msgspec.ValidationError
