"""Records on their way into tables of another shape than they come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from target_dlt.decoding import (
    UnfitError,
    decode_exactly,
    decode_quickly,
    encode_exactly,
    encode_quickly,
)
from target_dlt.errors import BadRecordError
from target_dlt.rows.arrow import RecordBuffer
from target_dlt.shaping.flattening import Flattener

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_dlt.dlt_internals import KnownTables
    from target_dlt.messages.schema import StreamSchema
    from target_dlt.names import Path
    from target_dlt.rows.chunks import Chunk
    from target_dlt.shaping.flattening import FlatteningOptions
    from target_dlt.shaping.metadata import RowMetadata

Validate = Callable[[Any], None]


class Shape(Protocol):
    """What becomes of the records of one stream."""

    schema: StreamSchema

    def rows(self, record: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Make rows of a record: first its own, then those of tables below; see `Chunk.path`."""

    def schema_of(self, path: Path) -> StreamSchema:
        """The table of rows under a path."""


class DecodedRecords(ABC):
    """A lane's side that looks into records: decodes lines for `take`, and encodes them again.

    Attributes:
        stream: Name of the stream.
    """

    stream: str

    def add(self, line: bytes) -> None:
        """Take one RECORD line; see `RecordBuffer.add`."""
        try:
            message = decode_quickly(line)
        except UnfitError:
            self._take(decode_exactly(line), encode_exactly)
        else:
            self._take(message, encode_quickly)

    def take_bare(self, record: bytes, version: int | None) -> bool:  # noqa: ARG002
        """Take no record without its message, which may have a say in what becomes of it."""
        return False

    def add_record(self, record: Any, version: int | None = None) -> None:
        """Take one decoded record; see `RecordBuffer.add_record`."""
        self._take({"record": record, "version": version}, encode_exactly)

    def _take(self, message: dict[str, Any], encode: Callable[[Any], bytes]) -> None:
        record = message.get("record")
        if not isinstance(record, dict):
            raise BadRecordError(f"stream {self.stream!r}: a RECORD without a record")
        self.take(record, message, encode)

    @abstractmethod
    def take(
        self, record: dict[str, Any], message: Mapping[str, Any], encode: Callable[[Any], bytes]
    ) -> None:
        """Take one record.

        Args:
            record: The record.
            message: The message it came in.
            encode: Encodes a message as exactly as this one was decoded.
        """


class Lane(Protocol):
    """The way of one stream's records into chunks; `RecordBuffer` is the plain one."""

    @property
    def schema(self) -> StreamSchema:
        """The stream's own table."""

    def add(self, line: bytes) -> None:
        """Take one RECORD line; see `RecordBuffer.add`."""

    def take_bare(self, record: bytes, version: int | None) -> bool:
        """Take a record without its message; see `RecordBuffer.take_bare`."""

    def add_record(self, record: Any, version: int | None = None) -> None:
        """Take one decoded record; see `RecordBuffer.add_record`."""

    def __len__(self) -> int:
        """Count the rows that were not handed over."""

    @property
    def records(self) -> int:
        """How many records were taken and not handed over."""

    def seal(self) -> None:
        """Turn the rows taken so far into chunks."""

    def take_chunks(self) -> Iterable[Chunk]:
        """Hand over the sealed chunks."""


class _AsIs:
    """Records that keep their shape."""

    def __init__(self, schema: StreamSchema) -> None:
        self.schema = schema

    def rows(self, record: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
        yield (), dict(record)

    def schema_of(self, path: Path) -> StreamSchema:  # noqa: ARG002
        return self.schema


class ShapedBuffer(DecodedRecords):
    """Takes the RECORD lines of one stream and turns them into Arrow chunks of other shape.

    Args:
        shape: What becomes of each record.
        metadata: Adds columns to the records' own rows.
        validate: Called with each record as it comes; raises BadRecordError for those to refuse.
    """

    def __init__(
        self, shape: Shape, metadata: RowMetadata | None, validate: Validate | None
    ) -> None:
        self._shape = shape
        self._metadata = metadata
        self._validate = validate
        self.schema = shape.schema if metadata is None else metadata.declared(shape.schema)
        self.stream = self.schema.stream
        self._buffers: dict[Path, RecordBuffer] = {}

    def __len__(self) -> int:
        return sum(len(buffer) for buffer in self._buffers.values())

    @property
    def records(self) -> int:
        """How many records were taken and not handed over."""
        own = self._buffers.get(())
        return own.records if own else 0

    def take(
        self, record: dict[str, Any], message: Mapping[str, Any], encode: Callable[[Any], bytes]
    ) -> None:
        """Take one record; see `DecodedRecords`."""
        if self._validate is not None:
            self._validate(record)
        rows = self._shape.rows(record)
        path, row = next(rows)
        buffer = self._buffer(path)
        # If it is refused, nothing below it is taken.
        buffer.add(encode({"record": row, "version": message.get("version")}))
        if self._metadata is not None:
            buffer.fill_own(self._metadata.values(message))
        for path, row in rows:
            self._buffer(path).add(encode({"record": row}))

    def _buffer(self, path: Path) -> RecordBuffer:
        buffer = self._buffers.get(path)
        if buffer is None:
            schema = self._shape.schema_of(path) if path else self.schema
            buffer = self._buffers[path] = RecordBuffer(schema, path=path)
        return buffer

    def seal(self) -> None:
        """Turn the rows taken so far into chunks."""
        for buffer in self._buffers.values():
            buffer.seal()

    def take_chunks(self) -> Iterator[Chunk]:
        """Hand over the sealed chunks."""
        for buffer in self._buffers.values():
            yield from buffer.take_chunks()


@dataclass(frozen=True)
class Shaping:
    """In which shape records are loaded; see the settings of the target.

    Attributes:
        flattening: How far objects become columns `a__b`.
        unnests: Whether objects become columns and arrays become tables, all of them.
        metadata: Adds columns to the rows.
    """

    flattening: FlatteningOptions | None = None
    unnests: bool = False
    metadata: RowMetadata | None = None

    def lane(
        self,
        schema: StreamSchema,
        validate: Validate | None,
        known_tables: Callable[[str], KnownTables],
    ) -> Lane:
        """Make the way of a stream's records.

        Args:
            schema: The stream.
            validate: See `ShapedBuffer`.
            known_tables: Reads what the dataset has of a stream; called only to unnest.
        """
        shape: Shape | None = None
        if self.unnests:
            from target_dlt.shaping.unnesting import Unnester  # noqa: PLC0415 (imports dlt)

            shape = Unnester(schema, known_tables(schema.stream))
        elif self.flattening is not None:
            shape = Flattener(schema, self.flattening)
        elif self.metadata is None:
            return RecordBuffer(schema, validate)
        return ShapedBuffer(shape or _AsIs(schema), self.metadata, validate)
