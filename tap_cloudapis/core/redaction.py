"""No token in any text that leaves the process, and no text that forges a line of the log.

Libraries repeat what they were given: an HTTP library's error holds the header it refused, and a
server may echo a token in its answer. So what is known to be secret is replaced where log records
are made, for every logger of the process, and in what is printed of an uncaught exception. What
the tap logs may quote a server or a name of a user's: it is made printable, and one line.
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


def keep_secret(values: Iterable[str]) -> None:
    """Have secrets replaced, and log lines made printable, from now on.

    Args:
        values: Secrets as the user wrote them. Each is known by its pieces, too, as an error may
            write a line break or another odd character in a form of its own; and each of these
            as it stands in a URL, in JSON and in a message of Python's.
    """
    global _pattern  # noqa: PLW0603 - as the logging module, one for the process
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
    _install()


def _forms(piece: str) -> set[str]:
    return {
        piece,
        quote(piece, safe="", errors="replace"),
        quote_plus(piece, errors="replace"),
        json.dumps(piece)[1:-1],
        repr(piece)[1:-1],
    }


def printable(text: str) -> str:
    """Spell characters that would break, colour or turn round a line of the log as Python does."""
    return text if text.isprintable() else "".join(map(_spell, text))


def _spell(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def redact(text: str) -> str:
    """Replace the secrets in a text."""
    return text if _pattern is None else _pattern.sub(STAND_IN, text)


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
