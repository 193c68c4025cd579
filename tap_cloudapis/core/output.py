"""Singer messages on standard output: encoded by msgspec, buffered, never cut in two.

Records go into files instead where the settings ask for BATCH messages; see
:mod:`~tap_cloudapis.core.batches`.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import msgspec
from singer_sdk.contrib.msgspec import enc_hook
from singer_sdk.helpers._state import StateWriter
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage
from singer_sdk.singerlib.json import serialize_json

from tap_cloudapis.core.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: Bytes of RECORD messages that are held back before they are written.
BUFFER_BYTES = 64 * 1024
#: Seconds between two STATE messages in the middle of a stream.
STATE_INTERVAL = 5.0
#: How many times the size of the last STATE is written before the next one. States grow while they
#: are first made, so this is more than the 20 that keep their share at one part in twenty.
STATE_SHARE = 33

_encoder = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number")


def encode(value: Any) -> bytes:
    """Encode a message or a part of one, losslessly.

    Args:
        value: JSON values, decimals and datetimes. What msgspec refuses (a lone surrogate) is
            encoded by the SDK's own, slower encoder.

    Returns:
        JSON in UTF-8, without a newline.
    """
    try:
        return _encoder.encode(value)
    except (ValueError, TypeError, msgspec.MsgspecError):
        return serialize_json(value).encode()


def encode_onto(buffer: bytearray, before: bytes, value: Any, after: bytes) -> int:
    """Add a line to a buffer, its value encoded in place.

    Args:
        buffer: Where the line goes.
        before: The line up to the value.
        value: As :func:`encode` takes it.
        after: The rest of the line, with its newline.

    Returns:
        The length of the line in bytes.
    """
    begin = len(buffer)
    buffer += before
    try:
        _encoder.encode_into(value, buffer, -1)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        # Half a line must not stay, even if this fails again.
        del buffer[begin:]
        buffer += before + encode(value)
    buffer += after
    return len(buffer) - begin


class Envelope:
    """What a RECORD message says of its record.

    Args:
        stream: The name of the stream.
        version: The version of its table, if it has one.
        time: When the record was extracted.

    Attributes:
        before: A RECORD line up to the record.
        after: The rest of the line.
    """

    __slots__ = ("after", "before", "stream", "time", "version")

    def __init__(self, stream: str, version: int | None, time: datetime) -> None:
        self.stream = stream
        self.version = version
        self.time = time
        said = b"" if version is None else b',"version":%d' % version
        self.before = b'{"type":"RECORD","stream":%b,"record":' % encode(stream)
        self.after = b'%b,"time_extracted":"%b"}\n' % (said, time.isoformat().encode())


class RecordFiles(Protocol):
    """Takes records in place of standard output."""

    def add(self, envelope: Envelope, record: Mapping[str, Any]) -> int:
        """Take a record, and give back its length in bytes."""

    def hand_over(self) -> None:
        """Announce all records that were taken."""

    def end(self) -> None:
        """Tidy up: nothing more is written."""


class BufferedSingerWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages to stdout; RECORD messages are buffered.

    Everything else is flushed at once, and the tap flushes before it waits for the network,
    so that a target gets every record as soon as the tap has nothing better to do.

    Attributes:
        files: Where records go in place of standard output, if they do.
    """

    def __init__(self) -> None:
        super().__init__()
        self._buffer = bytearray()
        self._failed: OutputError | None = None
        self.files: RecordFiles | None = None
        self.bytes_written = 0
        #: Whether nothing is written at all.
        self.is_silent = False
        #: How many writes have come to their end.
        self.writes = 0

    def serialize_message(self, message: Message) -> bytes:
        """Encode a message as a line without its newline."""
        return encode(message.to_dict())

    def write_message(self, message: Message) -> None:
        """Write a message; anything but a RECORD is flushed at once."""
        if not isinstance(message, RecordMessage):
            self.write_line(self.serialize_message(message))
            self.flush()
        elif self.files is None:
            self._add(self.serialize_message(message))
        else:
            extracted = message.time_extracted or utc_now()
            envelope = Envelope(message.stream, message.version, extracted)
            self.bytes_written += self.files.add(envelope, message.record)

    def write_line(self, line: bytes) -> None:
        """Add an encoded message that is no RECORD to the buffer, behind all records before it."""
        if self.files is not None:
            self.files.hand_over()
        self._add(line)

    def write_record(self, envelope: Envelope, record: Mapping[str, Any]) -> None:
        """Add a record: a RECORD line to the buffer, encoded in place, or one in a file."""
        if self.files is not None:
            self.bytes_written += self.files.add(envelope, record)
            return
        buffer = self._buffer
        self.bytes_written += encode_onto(buffer, envelope.before, record, envelope.after)
        if len(buffer) >= BUFFER_BYTES:
            self.flush()

    def announce(self, line: bytes) -> None:
        """Write the message of a file that is complete, at once."""
        self._add(line)
        self.flush()

    def finish(self) -> None:
        """Write all that is held back, in files and in the buffer, at the end of a sync."""
        if self.files is not None:
            self.files.hand_over()
        self.flush()
        if self.files is not None:
            self.files.end()

    def _add(self, line: bytes) -> None:
        self._buffer += line
        self._buffer += b"\n"
        self.bytes_written += len(line) + 1
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()

    def fail(self, why: str) -> NoReturn:
        """End all output: a STATE that came later would speak of what was not written.

        Raises:
            OutputError: Now, and at every write from now on.
        """
        self._failed = OutputError(why)
        raise self._failed from None

    def flush(self) -> None:
        """Write what is held back, whole lines only, through to the operating system.

        ``sys.stdout`` is looked up each time, because tests exchange it, and its raw form is
        written to in a loop, because with ``PYTHONUNBUFFERED`` a signal can cut a write short.

        Raises:
            OutputError: When standard output is closed or full, or nobody reads it any more.
        """
        if self._failed is not None:
            raise self._failed
        if not self._buffer:
            return
        data, self._buffer = self._buffer, bytearray()
        if self.is_silent:
            return
        if sys.stdout is None:
            self.fail("cannot write to standard output: it is closed")
        try:
            self._write(data)
        except BrokenPipeError:
            self.fail("the target closed the pipe before the end of the sync")
        except OSError as exc:
            self.fail(f"cannot write to standard output: {exc.strerror or exc}")
        self.writes += 1

    @staticmethod
    def _write(data: bytearray) -> None:
        stream = getattr(sys.stdout, "buffer", None)
        if stream is None:
            sys.stdout.write(data.decode())
        else:
            view = memoryview(data)
            while view:
                view = view[stream.write(view) or 0 :]
        sys.stdout.flush()


class ThrottledStateWriter(StateWriter):
    """Writes STATE when it is due, not at the end of each of thousands of contexts.

    STATE is due some seconds after the last one, once the records since then are much larger than
    the state itself; and when it is forced, at the end of a stream and of the sync. The SDK's
    writer compares and copies the whole state each time: its cost grows with the square of the
    number of contexts.
    """

    def __init__(self, message_writer: BufferedSingerWriter) -> None:
        super().__init__(message_writer)
        self._writer = message_writer
        self._last_line = b""
        self._last_time = time.monotonic()
        self._last_bytes = 0

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Write the state if one is due and it has changed."""
        if self.is_due():
            self.force_state(state)

    def is_due(self) -> bool:
        """Whether enough time and enough records have passed since the last STATE."""
        written = self._writer.bytes_written - self._last_bytes
        return (
            written >= STATE_SHARE * len(self._last_line)
            and time.monotonic() - self._last_time >= STATE_INTERVAL
        )

    def force_state(self, state: Mapping[str, Any]) -> None:
        """Write the state now, if it differs from the last one written."""
        line = encode({"type": "STATE", "value": state})
        self._last_time = time.monotonic()
        if line != self._last_line:
            self._writer.write_line(line)
            self._last_line = line
        self._writer.flush()
        self._last_bytes = self._writer.bytes_written
