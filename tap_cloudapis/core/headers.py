"""Settings that become headers of requests: checked before an HTTP library sees them."""

from __future__ import annotations

import re

from tap_cloudapis.core.errors import TapError

_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_SCHEME = re.compile(r"(token|bearer|authorization:?)\s+\S", re.IGNORECASE)


def check_token(token: str, setting: str) -> None:
    """Check that a token can be one.

    Args:
        token: The token, without blanks around it.
        setting: Where it comes from.

    Raises:
        TapError: When it cannot; the message says why, and never the token.
    """
    odd = re.search(r"[^!-~]", token)
    if scheme := _SCHEME.match(token):
        why = f"begins with the word {scheme[1]!r}: give the token alone"
    elif token[0] in _QUOTES or token[-1] in _QUOTES:
        why = "has quotes around it: give the token alone"
    elif odd:
        place = odd.start() + 1
        why = (
            f"holds a character that no token has ({_name(odd[0])}, at place {place}): copy it anew"
        )
    else:
        return
    msg = f"{setting} {why}"
    raise TapError(msg)


def check_header(value: str, setting: str) -> None:
    """Check that a text can be a header.

    Raises:
        TapError: When it cannot.
    """
    odd = re.search(r"[^ -~]", value)
    if odd:
        msg = f"{setting} holds {_name(odd[0])}, which no header may: use plain ASCII"
        raise TapError(msg)


def _name(character: str) -> str:
    """A character in words, as it may be invisible."""
    known = {" ": "a blank", "\t": "a tab", "\n": "a line break", "\r": "a line break"}
    return known.get(character, f"the character U+{ord(character):04X}")
