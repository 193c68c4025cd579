"""Lines of bytes from what holds them, by its first bytes: gzip or plain, with a mark or without.

What a writer says of its compression is not always so, and a pipe says nothing.
"""

from __future__ import annotations

import gzip
import io
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_READ_BYTES = 1 << 20


def byte_lines(source: IO[Any]) -> Iterable[bytes]:
    """Iterate over lines of bytes.

    Args:
        source: A file of text or bytes, which may be gzip; it stays open.

    Returns:
        The lines, without the byte order mark that some editors begin a text with.
    """
    binary: Any = getattr(source, "buffer", source)
    if isinstance(binary, io.TextIOBase):
        lines = (line.encode("utf-8", "surrogatepass") for line in binary)
        return chain([next(lines, b"").removeprefix(_BYTE_ORDER_MARK)], lines)
    while (first := _first_bytes(binary)).startswith(_GZIP):
        unpacked = gzip.GzipFile(fileobj=cast("IO[bytes]", _Rejoined(first, binary)))
        binary = io.BufferedReader(_Rejoined(b"", unpacked), _READ_BYTES)
    return chain(io.BytesIO(first.removeprefix(_BYTE_ORDER_MARK) + binary.readline()), binary)


def _first_bytes(binary: IO[bytes]) -> bytes:
    """Read as many as tell; `peek` would be content with one that a pipe holds."""
    first = b""
    while (missing := len(_BYTE_ORDER_MARK) - len(first)) and (more := binary.read(missing)):
        first += more
    return first


class _Rejoined(io.RawIOBase):
    """A file of which the first bytes were read already; it never waits for more than it has."""

    def __init__(self, first: bytes, rest: Any) -> None:
        self._first = first
        # Not `readinto1`, which reads on to fill a buffer that is larger than its own.
        self._read_rest: Callable[[int], bytes | None]
        self._read_rest = getattr(rest, "read1", None) or rest.read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        found, self._first = self._first[: len(buffer)], self._first[len(buffer) :]
        if not found:
            more = self._read_rest(len(buffer))
            if more is None:
                return None
            found = more
        buffer[: len(found)] = found
        return len(found)
