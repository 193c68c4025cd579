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
#: All of them as a body has them, the longest first.
_body_pattern: re.Pattern[bytes] | None = None
#: A text, or what begins as one: neither needs memory for each character of it.
_JSON_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
#: A printable character of ASCII that is spelled by its number, as JSON has it.
_NUMBERED = re.compile(r"(?<!\\)(\\++)u00(?!20|22|5[cC]|7[fF])([2-7][0-9a-fA-F])", re.ASCII)
#: Bytes that an expression runs through while one backslash is looked at by itself.
_BYTES_PER_BACKSLASH = 700
#: The same, but those that some writers always spell so, for HTML: & ' < >. An expression that
#: begins with a single character is found sooner than one that begins with several.
_ODDLY_NUMBERED = re.compile(
    rb"\\(?=u)u00(?!2[0267]|3[cCeE]|5[cC]|7[fF])[2-7][0-9a-fA-F]", re.ASCII
)


def keep_secret(values: Iterable[str]) -> None:
    """Have secrets replaced, and log lines made printable, from now on.

    Args:
        values: Secrets as the user wrote them. Each is known by its pieces, too, as an error may
            write a line break or another odd character in a form of its own; and each of these
            as it stands in a URL, in JSON and in a message of Python's.
    """
    global _pattern, _in_bodies, _body_pattern  # noqa: PLW0603 - as the logging module, one for the process
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
        spelled = [form.encode("utf-8", "surrogatepass") for form in longest_first]
        _body_pattern = re.compile(b"|".join(map(re.escape, spelled)))
        found: list[bytes] = []
        for form in reversed(spelled):
            if not any(shorter in form for shorter in found):
                found.append(form)
        _in_bodies = tuple(found)
    _install()


def _forms(piece: str) -> set[str]:
    in_html = json.dumps(piece)[1:-1]
    for character in "&'<>":
        in_html = in_html.replace(character, f"\\u{ord(character):04x}")
    return {
        piece,
        quote(piece, safe="", errors="replace"),
        quote_plus(piece, errors="replace"),
        json.dumps(piece)[1:-1],
        json.dumps(piece)[1:-1].replace("/", "\\/"),
        in_html,
        in_html.replace("\\u003c", "\\u003C").replace("\\u003e", "\\u003E"),
        repr(piece)[1:-1],
    }


def printable(text: str) -> str:
    """Spell characters that would break, colour or turn round a line of the log as Python does."""
    return text if text.isprintable() else "".join(map(_spell, text))


def _spell(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def redact(text: str) -> str:
    """Replace the secrets in a text, those of its URLs among them."""
    if "\\u00" in text:
        # Spelled by their numbers, characters of a secret hide it.
        plain = _NUMBERED.sub(_by_itself, text)
        if (shown := _redact(plain)) != plain:
            return shown
    return _redact(text)


def _redact(text: str) -> str:
    return hide_secret_urls(text if _pattern is None else _pattern.sub(STAND_IN, text))


def _by_itself(match: re.Match[str]) -> str:
    r"""Give the character itself for what spells it in JSON, or in JSON text within JSON text.

    The backslash stands there twice, four times and so on for each level, behind those that spell
    themselves.
    """
    length = len(match[1])
    return match[1][length & -length :] + chr(int(match[2], 16))


def redact_body(body: bytes) -> bytes:
    """Replace the secrets in the keys and values of a JSON body; most bodies are only searched."""
    if _is_oddly_numbered(body):
        body = _in_texts(body, _redact_numbered)
    for secret in _in_bodies:
        if secret in body:
            # Within its texts: a token of digits alone must not break a number.
            body = _in_texts(body, _redact_text)
            break
    return without_secret_urls(body)


def _is_oddly_numbered(body: bytes) -> bool:
    """Whether characters of a body are spelled by their numbers that nobody has to spell so.

    A backslash is found faster by itself than by an expression, if a body has few of them.
    """
    at = body.find(b"\\")
    for _ in range(len(body) // _BYTES_PER_BACKSLASH):
        if at < 0:
            return False
        if body[at + 1 : at + 2] == b"u":
            break
        at = body.find(b"\\", at + 1)
    return at >= 0 and _ODDLY_NUMBERED.search(body, at) is not None


def _in_texts(body: bytes, replace: Callable[[bytes], bytes]) -> bytes:
    """Have the texts of a body replaced; those that stay take no memory of their own."""
    pieces: list[bytes] = []
    done = 0
    for match in _JSON_TEXT.finditer(body):
        text = match[0]
        shown = replace(text)
        if shown is not text:
            pieces += (body[done : match.start()], shown)
            done = match.end()
    return b"".join((*pieces, body[done:])) if pieces else body


def _redact_numbered(text: bytes) -> bytes:
    if not _ODDLY_NUMBERED.search(text):
        return text
    plain = text.decode("utf-8", "surrogateescape")
    shown = redact(plain)
    return text if shown == plain else shown.encode("utf-8", "surrogateescape")


def _redact_text(text: bytes) -> bytes:
    assert _body_pattern is not None  # noqa: S101 - there are secrets
    return _body_pattern.sub(STAND_IN.encode(), text)


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
