"""No token in any text that leaves the process, and no text that forges a line of the log.

Libraries repeat what they were given: an HTTP library's error holds the header it refused, and a
server may echo a token in its answer. So what is known to be secret is replaced where log records
are made, for every logger of the process, in what is printed of an uncaught exception, and in the
answers before they are decoded. What the tap logs may quote a server or a name of a user's: it is
made printable, and one line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from tap_cloudapis.core.url_secrets import hide_secret_urls, without_secret_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: What stands in the place of a secret.
STAND_IN = "[secret]"
#: A shorter piece of text is no secret, and occurs in any sentence.
SHORTEST = 6

#: What people paste in front of a token is none.
_SCHEME = re.compile("bearer|authorization:?", re.IGNORECASE)
#: How the names of the tap's own loggers begin.
_OWN_LOGGERS = "tap-cloudapis"

_secrets: set[str] = set()
_pattern: re.Pattern[str] | None = None
#: The secrets as a JSON body has them; none that holds another one.
_in_bodies: tuple[bytes, ...] = ()
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def keep_secret(values: Iterable[str]) -> None:
    """Have secrets replaced, and log lines made printable, from now on.

    Args:
        values: Secrets as the user wrote them. Each is known by its pieces, too, as an error may
            write a line break or another odd character in a form of its own; and each of these
            as it stands in a URL, in JSON and in a message of Python's.
    """
    global _pattern, _in_bodies  # noqa: PLW0603 - as the logging module, one for the process
    for value in values:
        pieces = [value.strip(), *re.split(r"[^!-~]+", value)]
        _secrets.update(
            form
            for piece in pieces
            if len(piece) >= SHORTEST and not _SCHEME.fullmatch(piece)
            for form in _forms(piece)
        )
    if _secrets:
        longest_first = sorted(_secrets, key=len, reverse=True)
        _pattern = re.compile("|".join(map(re.escape, longest_first)))
        found: list[str] = []
        for form in reversed(longest_first):
            if not any(shorter in form for shorter in found):
                found.append(form)
        _in_bodies = tuple(form.encode("utf-8", "surrogatepass") for form in found)
    _install()


def _forms(piece: str) -> set[str]:
    return {
        piece,
        quote(piece, safe="", errors="replace"),
        quote_plus(piece, errors="replace"),
        json.dumps(piece)[1:-1],
        json.dumps(piece)[1:-1].replace("/", "\\/"),
        repr(piece)[1:-1],
    }


def printable(text: str) -> str:
    """Spell characters that would break, colour or turn round a line of the log as Python does."""
    return text if text.isprintable() else "".join(map(_spell, text))


def _spell(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def redact(text: str) -> str:
    """Replace the secrets in a text, those of its URLs among them."""
    return hide_secret_urls(text if _pattern is None else _pattern.sub(STAND_IN, text))


def redact_body(body: bytes) -> bytes:
    """Replace the secrets in the keys and values of a JSON body; most bodies are only searched."""
    for secret in _in_bodies:
        if secret in body:
            # Within its texts: a token of digits alone must not break a number.
            body = _JSON_TEXT.sub(_redact_text, body)
            break
    return without_secret_urls(body)


def _redact_text(match: re.Match[bytes]) -> bytes:
    assert _pattern is not None  # noqa: S101 - there are secrets
    text = match[0].decode("utf-8", "surrogateescape")
    return _pattern.sub(STAND_IN, text).encode("utf-8", "surrogateescape")


class _Factory:
    """Makes log records that hold no secret."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit: whoever logs will be told
            message = f"{record.msg} {record.args}"
        shown = redact(message)
        if record.name.startswith(_OWN_LOGGERS):
            shown = printable(shown)
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[1] is not None:
            text = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
            shown = redact(text)
            if record.name.startswith(_OWN_LOGGERS):
                shown = "\n".join(map(printable, shown.split("\n")))
            if shown != text:
                record.exc_info, record.exc_text = None, shown
        return record


def _install() -> None:
    make = logging.getLogRecordFactory()
    if isinstance(make, _Factory):
        return
    logging.setLogRecordFactory(_Factory(make))
    sys.excepthook = _print_exception
    threading.excepthook = lambda args: _print_exception(None, args.exc_value, None)


def _print_exception(_kind: Any, exc: BaseException | None, _traceback: Any) -> None:
    if exc is not None and sys.stderr is not None:
        sys.stderr.write(redact("".join(traceback.format_exception(exc))))
