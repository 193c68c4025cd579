"""Lines of bytes from what holds them, by its first bytes: gzip or plain, with a mark or without.

What a writer says of its compression is not always so, and a pipe says nothing.
"""

from __future__ import annotations

import gzip
import io
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_READ_BYTES = 1 << 20


def byte_lines(source: IO[Any]) -> Iterable[bytes]:
    """Iterate over lines of bytes.

    Args:
        source: A file of text or bytes, which may be gzip.

    Returns:
        The lines, without the byte order mark that some editors begin a text with.
    """
    binary = getattr(source, "buffer", source)
    lines = iter(binary)
    first = next(lines, b"")
    if isinstance(first, str):
        lines = (line.encode("utf-8", "surrogatepass") for line in lines)
        first = first.encode("utf-8", "surrogatepass")
    elif first.startswith(_GZIP):
        packed = cast("IO[bytes]", _Rejoined(first, lines))
        return byte_lines(io.BufferedReader(gzip.GzipFile(fileobj=packed), _READ_BYTES))
    return chain([first.removeprefix(_BYTE_ORDER_MARK)], lines)


class _Rejoined(io.RawIOBase):
    """A file of which the first line was read already."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._held, self._rest = memoryview(first), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._held:
            self._held = memoryview(next(self._rest, b""))
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count
