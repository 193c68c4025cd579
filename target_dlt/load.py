"""One load: from messages to commits."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from target_dlt.decoding import as_utf8, decode_exactly
from target_dlt.engines.base import Activation, StreamLoad
from target_dlt.errors import BadMessageError, BadRecordError, RecordBeforeSchemaError
from target_dlt.messages.json_schema import without_nulls
from target_dlt.messages.schema import StreamSchema, parse_schema
from target_dlt.messages.state import CommitPolicy, StateKeeper
from target_dlt.rows import quarantine
from target_dlt.rows.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from target_dlt.dlt_internals import KnownTables
    from target_dlt.engines.base import Engine, NestingEngine
    from target_dlt.messages.batch_files import LoadedFiles, Removed
    from target_dlt.messages.lines import Message
    from target_dlt.shaping.lanes import Lane, Shaping
    from target_dlt.shaping.mapping import MappedLane, StreamMapper

LOGGER = logging.getLogger("target_dlt")
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Options:
    """How to load; see the settings of the target.

    Attributes:
        make_engine: Makes the engine, when it is first needed; it is given a function to call
            again and again while it waits, which may raise to give up. If records are unnested,
            it is a `NestingEngine`.
        mapper: Changes streams and records before all else; None if nothing is to be changed.
        shaping: In which shape records are loaded.
        activates: Whether ACTIVATE_VERSION messages are heeded.
        removes_files: Which files of BATCH messages are removed once they are loaded.
    """

    make_engine: Callable[[Callable[[], None]], Engine]
    batch_size_rows: int
    replaces: bool
    quarantines: bool
    primary_key_required: bool
    validate_records: bool
    temp_dir: Path | None
    mapper: StreamMapper | None
    shaping: Shaping
    activates: bool
    removes_files: Removed


@contextmanager
def _told(stream: str) -> Iterator[None]:
    """Tell in one line what a schema is not as JSON schemas are."""
    try:
        yield
    except (ValueError, TypeError, AttributeError) as error:
        raise BadMessageError(f"stream {stream!r}: {error}") from error


class Load:
    """Takes the messages of one run and commits them.

    Rows are collected over all streams and committed at the first STATE message that is due, and
    at the end of the input. A STATE goes to standard output when a commit holds every record that
    was read before it.

    Attributes:
        chunk_bytes: Bytes of messages that are turned into Arrow at a time.
        memory_bytes: Arrow data kept in memory between commits.
        is_committing: Whether a commit is under way; it must not be interrupted.
        stop: Called after a commit, and while one waits for the file; a signal that came meanwhile
            ends the process here.
    """

    chunk_bytes = 8 * _MEBIBYTE
    memory_bytes = 128 * _MEBIBYTE

    def __init__(self, options: Options) -> None:
        self._options = options
        self._schemas: dict[str, StreamSchema] = {}
        self._lanes: dict[str, Lane] = {}
        self._new_schemas: dict[str, StreamSchema] = {}
        self._replaced: set[str] = set()
        self._activations: dict[str, list[Activation]] = {}
        self._spool = Spool(self.memory_bytes, options.temp_dir)
        self._policy = CommitPolicy(options.batch_size_rows)
        self._state = StateKeeper()
        self._unsealed_bytes = 0
        self._untaken_bytes = 0
        self._commit_bytes = 0
        self._quarantine = quarantine.Quarantine(partial(self._spool.add, quarantine.PLACE))
        self._refused = 0
        self._rows: Counter[str] = Counter()
        self._engine: Engine | None = None
        self._files: LoadedFiles | None = None
        self.is_committing = False
        self.stop: Callable[[], None] = lambda: None

    def record_lane(self, stream: str) -> Callable[[bytes], None]:
        """Answer the function that takes a stream's RECORD lines.

        Raises:
            RecordBeforeSchemaError: If the stream has had no SCHEMA.
        """
        return self._lane(stream, "RECORD").add

    def _lane(self, stream: str, kind: str) -> Lane | MappedLane:
        mapper = self._options.mapper
        if not (stream in self._lanes if mapper is None else mapper.knows(stream)):
            raise RecordBeforeSchemaError(f"stream {stream!r}: a {kind} before its SCHEMA")
        return self._lanes[stream] if mapper is None else mapper.lane(stream, self._lanes)

    def bad_record(self, line: bytes, number: int, error: BadRecordError) -> None:
        """Keep a record that cannot become a row, or end the load with its error.

        Raises:
            BadRecordError: The given error, unless bad records are quarantined.
        """
        if not self._options.quarantines:
            raise error
        message = decode_exactly(line)
        self._set_aside(message["stream"], number, error, message.get("record"))

    def _set_aside(self, stream: str, number: int, error: BadRecordError, record: Any) -> None:
        self._policy.add(1, 0)
        self._refused += 1  # first: a signal may come as soon as it is told
        self._quarantine.add(stream, number, error, record)

    def message(self, message: Message) -> None:
        """Take any message but a RECORD.

        Raises:
            BadMessageError: If the message is incomplete, unknown or not supported.
        """
        handlers: dict[str, Callable[[Message], None]] = {
            "SCHEMA": self._schema,
            "STATE": self._take_state,
            "ACTIVATE_VERSION": self._activate_version,
            "BATCH": self._batch,
        }
        handler = handlers.get(message.type)
        if handler is None:
            raise BadMessageError(f"a message of unknown type {message.type!r}")
        handler(message)

    def _schema(self, message: Message) -> None:
        stream = message.stream
        if not stream or message.schema is None:
            raise BadMessageError('a SCHEMA needs "stream" and "schema"')
        if as_utf8(stream) != stream:
            raise BadMessageError(f"the name of stream {stream!r} has half a surrogate pair")
        mapper = self._options.mapper
        document = without_nulls(message.schema)
        if mapper is None:
            self._open(stream, document, message.key_properties)
            return
        with _told(stream):
            described = parse_schema(stream, document, message.key_properties)
        for mapped in mapper.schemas(described):
            self._open(*mapped)

    def _open(self, stream: str, document: dict[str, Any], keys: list[str] | None) -> None:
        """Take the records of a stream as a schema describes them, from now on."""
        with _told(stream):
            schema = parse_schema(stream, document, keys)
        known = self._schemas.get(stream)
        if known == schema:
            return
        if known is not None:
            self._seal(stream)
            if known.keys != schema.keys and self._spool.chunks(stream):
                self._commit()  # rows are merged by the key they came with
        with _told(stream):
            self._lanes[stream] = self._make_lane(schema)
        self._schemas[stream] = schema
        self._new_schemas[stream] = schema

    def _make_lane(self, schema: StreamSchema) -> Lane:
        if self._options.primary_key_required and not schema.keys:
            raise BadMessageError(
                f"stream {schema.stream!r}: no key_properties, and primary_key_required is true"
            )
        validate = None
        if self._options.validate_records:
            from target_dlt.shaping.validation import record_validator  # noqa: PLC0415

            validate = record_validator(schema)
        return self._options.shaping.lane(schema, validate, self._known_tables)

    def _known_tables(self, stream: str) -> KnownTables:
        return cast("NestingEngine", self._open_engine()).known_tables(stream)

    def _open_engine(self) -> Engine:
        if self._engine is None:
            self._engine = self._options.make_engine(
                lambda: self.stop()  # noqa: PLW0108 (it is set when a signal comes)
            )
        return self._engine

    def _take_state(self, message: Message) -> None:
        if not (value := bytes(message.value)):
            raise BadMessageError('a STATE needs "value"')
        self._state.take(value)
        if self._policy.is_due(sum(map(len, self._lanes.values()))):
            self._commit()

    def _activate_version(self, message: Message) -> None:
        stream = message.stream
        if not stream or message.version is None:
            raise BadMessageError('an ACTIVATE_VERSION needs "stream" and "version"')
        self._lane(stream, "ACTIVATE_VERSION")
        if not self._options.activates:
            return
        mapper = self._options.mapper
        for name in [stream] if mapper is None else mapper.streams(stream):
            self._seal(name)
            activation = Activation(message.version, len(self._spool.chunks(name)))
            self._activations.setdefault(name, []).append(activation)

    def _batch(self, message: Message) -> None:
        from target_dlt.messages.batch import add_file  # noqa: PLC0415
        from target_dlt.messages.batch_files import BatchFile, LoadedFiles  # noqa: PLC0415

        stream = message.stream
        if not stream or message.encoding is None or message.manifest is None:
            raise BadMessageError('a BATCH needs "stream", "encoding" and "manifest"')
        lane = self._lane(stream, "BATCH")

        def on_bad(number: int, error: BadRecordError, record: Any) -> None:
            if not self._options.quarantines:
                raise BadMessageError(f"record {number} of a BATCH: {error.message}") from error
            self._set_aside(stream, number, error, record)

        if self._files is None:
            self._files = LoadedFiles(self._options.removes_files)
        for url in message.manifest:
            file = BatchFile.at(url)
            for size in add_file(lane, file, message.encoding, message.version, on_bad=on_bad):
                self.progress(size)
            self._files.add(file)

    def progress(self, read_bytes: int) -> None:
        """Turn what was read into Arrow once there is enough of it."""
        self._unsealed_bytes += read_bytes
        self._commit_bytes += read_bytes
        self._policy.add(0, read_bytes)
        self._untaken_bytes += read_bytes
        if self._unsealed_bytes >= self.chunk_bytes:
            self._seal_all()
        elif self._untaken_bytes >= _MEBIBYTE:
            for stream in self._lanes:
                self._take_chunks(stream)
            self._untaken_bytes = 0

    def _seal_all(self) -> None:
        for stream in self._lanes:
            self._seal(stream)
        self._quarantine.seal()
        self._unsealed_bytes = self._untaken_bytes = 0

    def _seal(self, stream: str) -> None:
        self._lanes[stream].seal()
        self._take_chunks(stream)

    def _take_chunks(self, stream: str) -> None:
        for chunk in self._lanes[stream].take_chunks():
            self._policy.add(chunk.size, 0)
            self._spool.add(stream, chunk)

    def finish(self) -> None:
        """Commit what is left, and sum up."""
        self._seal_all()
        if self._new_schemas or self._activations or self._state.is_pending or self._has_rows():
            self._commit()
        if self._files is not None:
            self._files.finish()
        if self._engine is not None:
            self._sum_up(self._engine.place)

    def _sum_up(self, place: str) -> None:
        lines = [
            (stream if stream.isprintable() else repr(stream), rows)
            for stream, rows in sorted(self._rows.items())
        ]
        width = max((len(name) for name, _ in lines), default=0)
        for name, rows in lines:
            LOGGER.info("%-*s %11s rows", width, name, f"{rows:,}")
        refused = self._rows[quarantine.SCHEMA.stream]
        LOGGER.info(
            "Loaded %s rows into %s%s",
            f"{sum(self._rows.values()) - refused:,}",
            place,
            f", {refused:,} records quarantined" if refused else "",
        )

    @property
    def uncommitted(self) -> int:
        """How many records were taken since the last commit."""
        kept = [chunk for stream in self._lanes for chunk in self._spool.chunks(stream)]
        unsealed = sum(lane.records for lane in self._lanes.values())
        return sum(chunk.size for chunk in kept) + unsealed + self._refused

    def discard(self) -> None:
        """Drop what is not committed, temporary files too."""
        self._spool.clear()
        if self._engine is not None:
            self._engine.discard()

    def _has_rows(self) -> bool:
        return any(map(self._spool.chunks, [quarantine.PLACE, *self._lanes]))

    def _commit(self) -> None:
        started = time.monotonic()
        self._seal_all()
        engine = self._open_engine()
        loads = [
            StreamLoad(
                lane.schema,
                chunks,
                self._activations.get(stream, ()),
                replaces=self._options.replaces and stream not in self._replaced,
                nested=self._spool.nested_chunks(stream),
            )
            for stream, lane in self._lanes.items()
            if (chunks := self._spool.chunks(stream))
            or stream in self._new_schemas
            or stream in self._activations
        ]
        if refused := self._spool.chunks(quarantine.PLACE):
            loads.append(StreamLoad(quarantine.SCHEMA, refused))
        self.is_committing = True
        try:
            engine.commit(loads, self._state.value, self._state.emit)
            self._replaced.update(load.schema.stream for load in loads)
            self._account(loads, time.monotonic() - started)
        finally:
            self.is_committing = False
        self.stop()

    def _account(self, loads: Sequence[StreamLoad], seconds: float) -> None:
        rows = 0
        for load in loads:
            count = sum(chunk.size for chunk in load.chunks)
            self._rows[load.schema.stream] += count
            rows += count
        LOGGER.info(
            "Committed %s rows (%.1f MiB of messages) in %.1f s, %s rows/s",
            f"{rows:,}",
            self._commit_bytes / _MEBIBYTE,
            seconds,
            f"{rows / max(seconds, 1e-3):,.0f}",
        )
        self._spool.clear()
        if self._files is not None:
            self._files.committed()
        self._refused = 0
        self._new_schemas.clear()
        self._activations.clear()
        self._commit_bytes = 0
        self._policy.reset()
