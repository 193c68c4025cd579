"""Singer records of one stream to Arrow tables: typed decoding in one pass, column by column."""

from __future__ import annotations

import re
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pyarrow as pa

from target_dlt.decoding import decode_exactly, spelled
from target_dlt.errors import BadRecordError, LoaderError, MissingKeyError
from target_dlt.messages.schema import other_spellings
from target_dlt.rows.arrays import KEY_CHECKS, NULL, RAW, build_runs
from target_dlt.rows.chunks import Chunk, Column
from target_dlt.rows.compiling import compile_record
from target_dlt.rows.own import DELETED_AT, VERSION, tells_deletions
from target_dlt.rows.rare import RareColumns
from target_dlt.rows.sealing import ChunkColumns, misfit
from target_dlt.rows.values import MisfitError, beyond, infer_type, to_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from target_dlt.messages.schema import DataType, StreamSchema
    from target_dlt.names import Path
    from target_dlt.rows.sealing import Beside

_HALF_PAIR = re.compile("[\ud800-\udfff]")
# A chunk is made of at most so many fields, null or not: a row has one for each compiled column.
_MOST_FIELDS = 2_000_000


class RecordBuffer:
    """Takes the RECORD lines of one stream and turns them into Arrow chunks.

    Record keys outside the schema get a column of the type of their first value that is not null
    (objects and arrays: JSON), unless the schema says `additionalProperties: false`. Those that
    come often are compiled into the type of the records, at intervals that double; the rare ones
    are kept beside the rows. A value that its column cannot hold exactly goes to a variant column
    of its own type, named as dlt names them (`amount__v_text`), and leaves NULL in the column
    itself; of a key, both become one column that holds both, see `StreamPlan`. Where the messages
    carry a version, the rows get it in a column of the loader's own; see `rows.own`.

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
        self._rare = RareColumns()
        # Of rare columns, and misfits.
        self._beside: Beside = {}
        self._version: int | None = None
        # From which row on which version holds.
        self._versions: dict[int, int | None] = {}
        self._own: list[Mapping[str, Any]] = []
        self._compile()

    def __len__(self) -> int:
        """Count the rows that were not handed over."""
        return self.records

    @property
    def records(self) -> int:
        """How many records were taken and not handed over, at any moment a signal may come."""
        return len(self.rows) + self._sealing + sum(chunk.size for chunk in self.chunks)

    def _compile(self) -> None:
        self._check_names([*self.columns, *self._always_null])
        compiled = compile_record(self.schema, self.columns, self._always_null)
        self._compiled = [Column(name, kind) for name, kind in self.columns.items()]
        self._fields = compiled.fields
        self._record, self._decode = compiled.record, compiled.decode
        self._decode_bare = compiled.decode_bare
        self._key_checks = compiled.key_checks
        self._most_rows = _MOST_FIELDS // (compiled.width + 1) + 1

    def add(self, line: bytes) -> None:
        """Take one RECORD line.

        Raises:
            ValueError: If it is not JSON.
            BadRecordError: If it holds no record, or no value for a key property.
        """
        if self._validate is not None:
            self._add_slowly(line)
            return
        if len(self.rows) >= self._most_rows:
            self.seal()
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

    def take_bare(self, record: bytes, version: int | None) -> bool:
        """Take a record that stands alone, unless it is one to look into; tell whether it was."""
        if self._validate is not None:
            return False
        try:
            if not record.isascii():
                record.decode()
            row = self._decode_bare(record)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if self._key_checks and not self._fits(row):
            return False
        if len(self.rows) >= self._most_rows:
            self.seal()
        if version != self._version:
            self._turn_to(version)
        self.rows.append(row)
        return True

    def _turn_to(self, version: int | None) -> None:
        self._version = self._versions[len(self.rows)] = version

    def _fits(self, record: Any) -> bool:
        """Parse keys now that the column would parse: a wrong one is told with its line."""
        for attribute, check in self._key_checks:
            value = getattr(record, attribute)
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
        # Before the row is taken: `fill_own` comes behind it.
        if len(self.rows) >= self._most_rows:
            self.seal()
        if self._validate is not None:
            self._validate(record)
        for name in self.schema.keys:
            if record.get(name) is None:
                record = self._with_key(record, name)
        self._learn(record)
        if isinstance(record.get(DELETED_AT), (dict, list)) and self._reads_deletions():
            raise BadRecordError(self._odd_sign())
        row, beside = self._typed(record, texts)
        for column, field in beside:
            self._beside.setdefault(column, {})[len(self.rows)] = field
        if version != self._version:
            self._turn_to(version)
        self.rows.append(row)

    def _typed(
        self, record: dict[str, Any], texts: Mapping[str, msgspec.Raw]
    ) -> tuple[Any, list[tuple[Column, Any]]]:
        """Make a row of a record, and fields of those values that are kept beside it."""
        values: dict[str, Any] = {name: record[name] for name in self.schema.ids}
        for key in self.schema.keys:  # their fields have no default
            values[self._fields[key]] = NULL if self.columns[key] in RAW else None
        beside: list[tuple[Column, Any]] = []
        for name, value in record.items():
            rare = self._rare.get(name)
            kind = rare.type if rare else self.columns.get(name)
            if value is None or kind is None:
                continue
            if kind in RAW and name in texts and name not in self.schema.keys:
                field: Any = texts[name]  # as in the fast lane
            else:
                try:
                    field = self._to_field(name, kind, value)
                except (MisfitError, OverflowError):
                    beside.append(misfit(name, self._key_beyond(name, value)))
                    continue
            if rare:
                beside.append((rare, field))
            else:
                values[self._fields[name]] = field
        return self._record(**values), beside

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
        known, ids, nulls = self._fields, self.schema.ids, self._always_null
        taken = None if self.schema.keeps_unknown else self.schema.keys
        unknown = [
            name
            for name, value in record.items()
            if not (name in known or name in ids or (value is None and name in nulls))
            and (taken is None or name in taken)
        ]
        if not unknown:
            return
        self._check_names(unknown)
        for name in unknown:
            value = record[name]
            if value is not None and name not in self._rare:
                self._rare[name] = Column(name, self._type_of(name, value))
        often = self._rare.count(unknown)
        often += [name for name in unknown if name in self._rare and self._is_looked_at(name)]
        if often:
            self._compile_more(often)

    def _is_looked_at(self, name: str) -> bool:
        """Tell whether the values are more than data, and so in the rows."""
        return name in self.schema.keys or self._is_sign(name)

    def _is_sign(self, name: str) -> bool:
        return self._tells_deletions and name == DELETED_AT

    def _type_of(self, name: str, value: Any) -> DataType:
        if self._is_sign(name):
            return "timestamp"
        declared = self.schema.columns.get(name)  # since the buffer was made
        return declared or infer_type(value)

    def _compile_more(self, names: Iterable[str]) -> None:
        self.seal()
        found = [self._rare.pop(name) for name in names if name in self._rare]
        self.columns.update((column.name, column.type) for column in found)
        if self.schema.keeps_unknown:
            self._always_null = {*self._always_null, *names} - self.columns.keys()
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

    def seal(self) -> None:
        """Turn the rows taken so far into a chunk."""
        if not self.rows:
            return
        rows = self.rows
        self._sealing, self.rows = len(rows), []
        beside, self._beside = self._beside, {}
        made = ChunkColumns(len(rows), beside)
        for column in self._compiled:
            if not self._is_sign(column.name):
                made.add(column, list(map(attrgetter(self._fields[column.name]), rows)))
        self._add_own(made, rows)
        made.add_beside()
        arrays = made.arrays
        names = [f"c{index}" for index in range(len(arrays))]
        names += self.schema.ids
        arrays += [pa.array(map(attrgetter(name), rows), pa.string()) for name in self.schema.ids]
        if not arrays:  # a table has its length from its columns
            arrays, names = [pa.nulls(len(rows))], ["nothing"]
        table = pa.Table.from_arrays(arrays, names=names)
        schema = self.schema
        self.chunks.append(
            Chunk(
                tuple(made.columns),
                lambda: table,
                len(rows),
                schema.columns,
                self._path,
                schema.spelled,
            )
        )
        self._sealing = 0

    def _add_own(self, made: ChunkColumns, rows: list[Any]) -> None:
        """Build the loader's own columns behind those of the properties."""
        own, self._own = self._own, []
        for name in own[0] if own else ():
            column = Column(name, self.schema.own[name], own=True)
            made.add(column, [values[name] for values in own])
        if self._reads_deletions():
            fields = list(map(attrgetter(self._fields[DELETED_AT]), rows))
            try:
                made.add_deletions(self.columns[DELETED_AT], fields)
            except MisfitError:
                raise LoaderError(self._odd_sign()) from None
        if self._versions:
            made.add_runs(
                Column(VERSION, "bigint", own=True),
                build_runs("bigint", self._versions, len(rows)),
            )
        self._versions = {} if self._version is None else {0: self._version}

    def take_chunks(self) -> list[Chunk]:
        """Hand over the sealed chunks."""
        chunks, self.chunks = self.chunks, []
        return chunks
