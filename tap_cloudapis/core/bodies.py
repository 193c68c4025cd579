"""The body of an answer: read within a bound of bytes, and looked at before it is decoded."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from urllib3.exceptions import DecodeError, HTTPError
from urllib3.response import HTTPResponse

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes that are unpacked in one step: a thousandth of that may have come over the wire.
STEP = 1 << 16
#: Bytes that are read of an error's body; its reason stands at the beginning.
ERROR_BYTES = 1 << 16
#: How often a body may have been packed.
MAX_CODINGS = 5

#: How a JSON value may begin, and how an object or a list ends. The bytes beyond ASCII begin a
#: text in another encoding, which the decoder knows.
_BEGINNINGS = frozenset(b'{["-0123456789tfn\xef\xfe\xff\x00')
_ENDS = {b"{": b"}", b"[": b"]"}
#: Bytes at either end among which one that is not blank is looked for first.
_LOOK = 64


class TooManyBytesError(Exception):
    """A body is larger than the bound."""


def read_body(raw: HTTPResponse, most: int, check: Callable[[], None]) -> bytes:
    """Read and unpack a body in bounded steps.

    Args:
        raw: The answer, of which nothing was read.
        most: The most bytes that it may have, unpacked.
        check: Called between two steps; may raise.

    Raises:
        TooManyBytesError: When it has more. The connection is closed then.
    """
    codings = [c for c in raw.headers.get("Content-Encoding", "").lower().split(",") if c.strip()]
    if raw.length_remaining is not None:
        if raw.length_remaining > most:
            raw.close()
            raise TooManyBytesError
        if not codings:
            body: bytes = raw.read(decode_content=False)
            return body
    if len(codings) <= 1:
        return _read_in_steps(raw, most, check, unpack=True)
    # Unpacked together, what comes between two codings would have no bound.
    if len(codings) > MAX_CODINGS:
        raw.close()
        msg = "packed too often"
        raise DecodeError(msg)
    body = _read_in_steps(raw, most, check, unpack=False)
    for coding in reversed(codings):
        layer = HTTPResponse(
            io.BytesIO(body), headers={"content-encoding": coding.strip()}, preload_content=False
        )
        body = _read_in_steps(layer, most, check, unpack=True)
    return body


def _read_in_steps(
    raw: HTTPResponse, most: int, check: Callable[[], None], *, unpack: bool
) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := raw.read(STEP, decode_content=unpack):
        size += len(part)
        if size > most:
            # The traceback of the error would keep them in memory.
            parts.clear()
            raw.close()
            raise TooManyBytesError
        parts.append(part)
        check()
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_beginning(raw: HTTPResponse) -> bytes:
    """Read what may tell the reason of an error; of a longer body the rest is dropped.

    A body that cannot be read tells nothing, and the status still counts.
    """
    try:
        body = raw.read(ERROR_BYTES, decode_content=True)
    except HTTPError:
        body = b""
    if not 0 < len(body) < ERROR_BYTES:
        raw.close()
    return body


def oddity(body: bytes) -> str:
    """Say what a body is, where its ends show that it is no JSON; "" where they do not.

    That is cheap enough for the threads that send; what does not show there, the decoder finds.
    """
    first = body[:_LOOK].lstrip()[:1] or body.lstrip()[:1]
    if not first:
        return "an empty body"
    if first == b"<":
        return "a web page"
    if end := _ENDS.get(first):
        last = body[-_LOOK:].rstrip()[-1:] or body.rstrip()[-1:]
        return "" if last == end else "a body that is cut"
    return "" if first[0] in _BEGINNINGS else "a text that is not JSON"


def is_proper(body: bytes) -> bool:
    """Whether a body that is not odd begins as the answers of an API do."""
    return (body[:_LOOK].lstrip() or body.lstrip())[:1] in _ENDS
