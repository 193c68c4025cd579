"""Numbers, times and names as people read them in a sentence."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Between a number and its unit: no line is broken there.
NBSP = "\u00a0"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
#: Categories of Unicode that draw nothing, or that change how the rest is drawn.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ELLIPSIS = "\u2026"


def clean(text: str) -> str:
    """Make text of others one line in which every character can be seen.

    Args:
        text: A name or a message, as somebody chose it.

    Returns:
        The text; line breaks and tabs as spaces, what draws nothing or turns the text round as
        the sign for an unknown character.
    """
    if text.isascii() and text.isprintable():
        return text
    spaced = "".join(" " if c in "\r\n\t\u2028\u2029" else c for c in text)
    return "".join("\ufffd" if unicodedata.category(c) in _UNSEEN else c for c in spaced)


def short(text: str, most: int) -> str:
    """Cut a text to so many characters, with an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + _ELLIPSIS


def number(value: float, digits: int = 0) -> str:
    """Write a number with thousands apart."""
    return f"{value:,.{digits}f}"


def count(value: int, one: str, many: str = "") -> str:
    """Write how many there are: `no run`, `1 run`, `1,204 runs`.

    Args:
        value: How many.
        one: What one is called.
        many: What several are called, if it is not that with an ``s``.
    """
    if value == 0:
        return f"no {one}"
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def verb(value: int, one: str, many: str) -> str:
    """Return the form of a verb that goes with a number: `is`, `are`."""
    return one if value <= 1 else many


def share(part: float, whole: float) -> str:
    """Write a part in per cent; all and nothing are said only of all and nothing.

    Args:
        part: How many of them.
        whole: How many there are; not 0.
    """
    return percent(part / whole)


def percent(value: float) -> str:
    """Write a share of 1 in per cent: 0 and 100 are said only of nothing and all."""
    if value in (0, 1):
        return f"{value * 100:.0f}{NBSP}%"
    return f"{min(max(value * 100, 0.1), 99.9):.1f}{NBSP}%"


def change(ratio: float) -> str:
    """Write what became of a value: `+80 %`, `-12 %`, or how many times as much from 3 on."""
    many = 3
    if ratio >= many:
        return f"\u00d7{ratio:.1f}"
    points = round((ratio - 1) * 100)
    sign = "+" if points > 0 else "\u2212" if points < 0 else "\u00b1"
    return f"{sign}{abs(points)}{NBSP}%"


def duration(seconds: float) -> str:
    """Write a length of time with its two largest units: `45 s`, `3 min 20 s`, `2 d 4 h`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}{NBSP}s"
    for size, unit, part, part_unit in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // part
            more = f"{NBSP}{rest}{NBSP}{part_unit}" if rest and whole // size < 100 else ""  # noqa: PLR2004
            return f"{number(whole // size)}{NBSP}{unit}{more}"
    raise AssertionError


def hours(seconds: float) -> str:
    """Write an effort in hours: `0.4 h`, `12 h`, `1,204 h`."""
    value = seconds / _HOUR
    return f"{number(value, 1 if value < 10 else 0)}{NBSP}h"  # noqa: PLR2004


def day(moment: date) -> str:
    """Write a day: `3 Aug 2026`."""
    return f"{moment.day}{NBSP}{moment:%b}{NBSP}{moment.year}"


def time(epoch: float, zone: Any = UTC) -> str:
    """Write a point in time: `3 Aug 2026, 07:10`.

    Args:
        epoch: Seconds since 1970 in UTC.
        zone: The time zone to tell it in.
    """
    moment = datetime.fromtimestamp(epoch, zone)
    return f"{day(moment)}, {moment:%H:%M}"


def listed(names: Sequence[str], most: int = 3, others: str = "others") -> str:
    """Join names: `a`, `a and b`, `a, b and 4 others`."""
    shown = list(names[:most])
    if rest := len(names) - len(shown):
        shown.append(f"{number(rest)} {others}")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def capital(sentence: str) -> str:
    """Begin a sentence with a capital letter, whatever the rest is."""
    return sentence[:1].upper() + sentence[1:]
