"""Values in the forms the warehouse gets: timestamps and durations.

The two services write time in ten forms between them; all leave as RFC 3339 in UTC with six
digits, so that they compare as text and load as timestamps everywhere.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

#: Without its zone, UTC, which is written as Z.
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001

_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?\s*"
    r"(Z|z|UTC|[+-]\d{2}:?\d{2})?"
)
# A negative one has negative days, as Python and Django write it, or a sign before the hours.
_DURATION = re.compile(
    r"(?:(-?\d{1,9})(?: days?,?)? )?(-)?(\d{1,9}):([0-5]\d):([0-5]\d(?:[.,]\d{1,9})?)", re.ASCII
)
_USUAL_DURATION = re.compile(r"(\d{1,9}):([0-5]\d):([0-5]\d)", re.ASCII)
_SECONDS = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?", re.ASCII)

# Numbers above these are milliseconds and microseconds: as seconds they would lie
# beyond the year 5000.
_MILLISECONDS_FROM = 10**11
#: But for the year 9999, which stands for "never ends".
_YEAR_9999 = range(253_370_764_800, 253_402_300_800)
#: The widest offset from UTC that there is, in hours.
_MOST_HOURS = 14
#: Seconds since 1970, or parts of them, in digits; fewer of them may be a year or a day.
_EPOCH_DIGITS = re.compile(r"0|\d{9,19}", re.ASCII)
_BASIC_TIMESTAMP = re.compile(
    r"((?:19|20|99)\d{2})([01]\d)([0-3]\d)(?:T?(\d{2})(\d{2})(\d{2})Z?)?", re.ASCII
)
_MICROSECONDS_FROM = 10**14


def to_timestamp(value: Any) -> Any:
    """Write a timestamp of either service as RFC 3339 in UTC with six digits.

    Args:
        value: ``2024-05-27 10:42:16.179903+00:00`` and its kin (``T`` or space, any number of
            decimals, ``Z``, an offset or no zone, which means UTC, or a date alone); Unix
            seconds, milliseconds or microseconds, as a number or in digits.

    Returns:
        ``2024-05-27T10:42:16.179903Z``; ``None`` for null, "", zero and the year 1, which stand
        for "not yet" and "never"; anything that is no timestamp comes back unchanged.
    """
    if isinstance(value, str):
        return _parse_timestamp(value)
    if value is None or isinstance(value, (bool, dict, list)):
        return value
    return _from_epoch(value)


def _parse_timestamp(text: str) -> Any:
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        return _parse_digits(text)
    date, minutes, seconds, fraction, zone = match.groups()
    micros = f"{fraction or '0':0<6.6}"
    try:
        # The zone is applied below: not every form of one is read before Python 3.11.
        moment = datetime.fromisoformat(f"{date}T{minutes or '00:00'}:{seconds or '00'}.{micros}")
    except ValueError:
        return text
    if zone and zone[0] in "+-":
        hours, minutes_off = int(zone[1:3]), int(zone[-2:])
        if hours > _MOST_HOURS or minutes_off >= 60:  # noqa: PLR2004
            return text
        offset = timedelta(hours=hours, minutes=minutes_off)
        try:
            moment -= offset if zone[0] == "+" else -offset
        except OverflowError:
            return None if moment.year <= 1 else text
    return None if moment.year <= 1 else f"{moment.isoformat(timespec='microseconds')}Z"


def _parse_digits(text: str) -> Any:
    """Read a time without dashes and colons, or the seconds since 1970 in digits."""
    stripped = text.strip()
    if match := _BASIC_TIMESTAMP.fullmatch(stripped):
        year, month, day, *clock = match.groups()
        extended = f"{year}-{month}-{day}" + (f"T{':'.join(clock)}" if clock[0] else "")
        found = _parse_timestamp(extended)
        return text if found == extended else found
    if _EPOCH_DIGITS.fullmatch(stripped):
        return _from_epoch(int(stripped))
    return text if stripped else None


def _from_epoch(number: Any) -> Any:
    if not number:
        return None
    try:
        if abs(number) >= _MICROSECONDS_FROM:
            moment = EPOCH + timedelta(microseconds=int(number))
        elif abs(number) >= _MILLISECONDS_FROM and number not in _YEAR_9999:
            moment = EPOCH + timedelta(milliseconds=int(number))
        else:
            moment = EPOCH + timedelta(microseconds=int(number * 1_000_000))
    except (ArithmeticError, ValueError):
        return number
    return f"{moment.isoformat(timespec='microseconds')}Z"


def to_seconds(value: Any) -> int | None:
    """Read a duration.

    Args:
        value: ``HH:MM:SS``, where the hours may pass 24, ``D days, HH:MM:SS`` or ``D HH:MM:SS``,
            each with or without a fraction of a second; seconds, as a number or in digits.

    Returns:
        Whole seconds, as what there is of a fraction is cut off; ``None`` for anything else.
    """
    if isinstance(value, str):
        return _parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    return _parse_duration(str(value))


@lru_cache(maxsize=1 << 16)
def _parse_duration(text: str) -> int | None:
    if usual := _USUAL_DURATION.fullmatch(text):
        return int(usual[1]) * 3600 + int(usual[2]) * 60 + int(usual[3])
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return int(Decimal(text))
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    days, sign, hours, minutes, seconds = match.groups()
    time = int(hours) * 3600 + int(minutes) * 60 + Decimal(seconds.replace(",", "."))
    return int(int(days or 0) * 86_400 + (-time if sign else time))


def moment(value: Any) -> str:
    """A time in the form of all timestamps; "" for none, and for what is no text."""
    told = to_timestamp(value)
    return told if isinstance(told, str) else ""


def written(moment: datetime) -> str:
    """A time in the form of all timestamps."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
