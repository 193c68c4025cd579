"""Singer messages from lines of bytes.

Follows the Singer specification: one JSON object per line, `type` says which message it is. Record
lines are recognised by their beginning and handed on undecoded: the stream's typed decoder reads
the whole line in one pass.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerReader

from target_dlt.decoding import Int64, decode_exactly
from target_dlt.errors import BadMessageError, BadRecordError, LoaderError
from target_dlt.messages.unpacking import byte_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_RECORD_LINE = re.compile(rb'\{\s*"type"\s*:\s*"RECORD"\s*,\s*"stream"\s*:\s*"([^"\\]+)"\s*,')
_MAX_SHOWN = 60
_READ_BYTES = 1 << 20
_NO_PREFIX = b"\xff"  # begins no text in UTF-8


class Message(msgspec.Struct, kw_only=True):
    """Any Singer message but a RECORD; parts stay JSON text where they are passed on as such."""

    type: str
    stream: str | None = None
    schema: dict[str, Any] | None = None
    key_properties: list[str] | None = None
    value: msgspec.Raw = msgspec.Raw()
    version: Int64 | None = None
    encoding: dict[str, Any] | None = None
    manifest: list[str] | None = None


class _Head(msgspec.Struct):
    """What a message says it is: all that is read of a RECORD here."""

    type: str
    stream: str | None = None


class MessageHandler(Protocol):
    """What the reader hands its messages to."""

    def record_lane(self, stream: str) -> Callable[[bytes], None]:
        """Answer the function that takes a stream's RECORD lines."""

    def message(self, message: Message) -> None:
        """Take any other message."""

    def bad_record(self, line: bytes, number: int, error: BadRecordError) -> None:
        """Take a RECORD line that the stream's lane refused, or raise."""

    def progress(self, read_bytes: int) -> None:
        """Learn how much was read, now and then."""


class SingerLineReader(GenericSingerReader[bytes]):
    """Reads lines for the SDK's `Target`, past the dictionaries of its own reader.

    Args:
        handler: Takes the messages.
    """

    report_bytes = 1 << 20

    def __init__(self, handler: MessageHandler) -> None:
        super().__init__()
        self._handler = handler

    @property
    def default_input(self) -> IO[bytes]:
        """Standard input, as bytes, read in large pieces."""
        if sys.stdin is None:
            raise LoaderError("standard input is closed: pipe a tap's messages into it")
        return open(sys.stdin.fileno(), "rb", _READ_BYTES, closefd=False)

    def deserialize_json(self, line: bytes) -> dict[str, Any]:
        """Decode one line, for callers that want a dictionary."""
        decoded = decode_exactly(line)
        if not isinstance(decoded, dict):
            raise BadMessageError("a message is a JSON object")
        return decoded

    def process_lines(
        self,
        file_input: IO[Any] | None,
        callbacks: Mapping[str, Callable[[dict[str, Any]], None]],  # noqa: ARG002
    ) -> Counter[str]:
        """Read all lines and hand their messages on.

        Args:
            file_input: The lines, text or bytes; standard input if None.
            callbacks: Not used: the SDK's functions take dictionaries.

        Returns:
            The number of messages by type.

        Raises:
            BadMessageError: With the number of the line in front.
            LoaderError: If what was read cannot be loaded.
        """
        counts: Counter[str] = Counter()
        lines = enumerate(_whole(file_input or self.default_input), 1)
        while (refused := self._until_refused(lines, counts)) is not None:
            counts["RECORD"] += 1
            self._handler.bad_record(*refused)
        return counts

    def _until_refused(
        self, lines: Iterable[tuple[int, bytes]], counts: Counter[str]
    ) -> tuple[bytes, int, BadRecordError] | None:
        """Read on; answer the next record that is refused, with its line, or None at the end."""
        line, number = b"", 0
        unreported = 0
        prefix = _NO_PREFIX
        take: Callable[[bytes], None] = _refuse
        try:
            for number, line in lines:  # noqa: B007
                if line.startswith(prefix):
                    take(line)
                    counts["RECORD"] += 1
                elif match := _RECORD_LINE.match(line):
                    prefix = match.group()
                    take = self._handler.record_lane(match.group(1).decode())
                    take(line)
                    counts["RECORD"] += 1
                elif line.strip():
                    counts[self._other(line)] += 1
                    prefix = _NO_PREFIX
                unreported += len(line)
                if unreported >= self.report_bytes:
                    self._handler.progress(unreported)
                    unreported = 0
        except BadRecordError as error:
            error.line = number
            self._handler.progress(unreported + len(line))
            return line, number, error
        except BadMessageError as error:
            error.line = number
            raise
        except (ValueError, ArithmeticError, RecursionError) as error:
            bad = BadMessageError(_why(line, error))
            bad.line = number
            raise bad from error
        self._handler.progress(unreported)
        return None

    def _other(self, line: bytes) -> str:
        """Handle a line that does not begin as a RECORD usually does; answer its type."""
        try:
            head = msgspec.json.decode(line, type=_Head)
        except msgspec.DecodeError:
            head = msgspec.convert(self.deserialize_json(line), _Head)
        if head.type == "RECORD":
            if not head.stream:
                raise BadMessageError("a RECORD without a stream")
            self._handler.record_lane(head.stream)(line)
        else:
            self._handler.message(self._message(line))
        return head.type

    def _message(self, line: bytes) -> Message:
        try:
            return msgspec.json.decode(line, type=Message)
        except msgspec.DecodeError:
            return msgspec.convert(self._plain(line), Message)

    def _plain(self, line: bytes) -> dict[str, Any]:
        plain = self.deserialize_json(line)
        if "value" in plain:  # again, because only Python's own JSON writes what it alone reads
            plain["value"] = msgspec.Raw(json.dumps(json.loads(line)["value"]).encode())
        return plain


def _whole(source: IO[Any]) -> Iterator[bytes]:
    try:
        yield from byte_lines(source)
    except (OSError, EOFError, zlib.error) as error:
        raise BadMessageError(f"the input cannot be read to its end: {error}") from error


def _refuse(line: bytes) -> None:
    raise BadMessageError(f"not a message: {line[:_MAX_SHOWN]!r}")


def _why(line: bytes, error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"not a Singer message: {error}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    shown = line[:_MAX_SHOWN].decode("utf-8", "replace").strip()
    return f"not valid JSON ({error}): {shown}"
