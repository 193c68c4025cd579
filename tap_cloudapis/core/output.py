"""Singer messages on standard output: encoded by msgspec, buffered, never cut in two."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import enc_hook
from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage
from singer_sdk.singerlib.json import serialize_json

from tap_cloudapis.core.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class BufferedSingerWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages to stdout; RECORD messages are buffered.

    Everything else is flushed at once, and the tap flushes before it waits for the network,
    so that a target gets every record as soon as the tap has nothing better to do.
    """

    def __init__(self) -> None:
        super().__init__()
        self._buffer = bytearray()
        self.bytes_written = 0
        #: How many writes have come to their end.
        self.writes = 0

    def serialize_message(self, message: Message) -> bytes:
        """Encode a message as a line without its newline."""
        return encode(message.to_dict())

    def write_message(self, message: Message) -> None:
        """Write a message; anything but a RECORD is flushed at once."""
        self.write_line(self.serialize_message(message))
        if not isinstance(message, RecordMessage):
            self.flush()

    def write_line(self, line: bytes) -> None:
        """Add an encoded message to the buffer."""
        self._buffer += line
        self._buffer += b"\n"
        self.bytes_written += len(line) + 1
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()

    def write_record(self, before: bytes, record: Mapping[str, Any], after: bytes) -> None:
        """Add a RECORD to the buffer, encoded in place.

        Args:
            before: The line up to the record.
            record: The record.
            after: The rest of the line, with its newline.
        """
        buffer = self._buffer
        begin = len(buffer)
        buffer += before
        try:
            _encoder.encode_into(record, buffer, -1)
        except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
            # Half a line must not stay, even if this fails again.
            del buffer[begin:]
            buffer += before + encode(record)
        buffer += after
        self.bytes_written += len(buffer) - begin
        if len(buffer) >= BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held back, whole lines only, through to the operating system.

        ``sys.stdout`` is looked up each time, because tests exchange it, and its raw form is
        written to in a loop, because with ``PYTHONUNBUFFERED`` a signal can cut a write short.

        Raises:
            OutputError: When standard output is closed or full, or nobody reads it any more.
        """
        if not self._buffer:
            return
        data, self._buffer = self._buffer, bytearray()
        if sys.stdout is None:
            msg = "cannot write to standard output: it is closed"
            raise OutputError(msg)
        try:
            self._write(data)
        except BrokenPipeError:
            msg = "the target closed the pipe before the end of the sync"
            raise OutputError(msg) from None
        except OSError as exc:
            msg = f"cannot write to standard output: {exc.strerror or exc}"
            raise OutputError(msg) from None
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
