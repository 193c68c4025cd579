"""Weeks and days of a chart: those without rows among them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from cloudapis_report.words import NBSP

if TYPE_CHECKING:
    from cloudapis_report.queries import Clock

_DAY = 86_400_000


def mondays(clock: Clock, weeks: int) -> list[date]:
    """Return the Mondays of the last weeks, this one the last."""
    return [clock.week - timedelta(weeks=back) for back in reversed(range(weeks))]


def full_weeks(clock: Clock, weeks: int) -> list[date]:
    """Return the Mondays of the last weeks that are over."""
    return mondays(clock, weeks + 1)[:-1]


def months(clock: Clock, most: int) -> list[date]:
    """Return the first days of the last months, this one the last."""
    last = clock.today.year * 12 + clock.today.month - 1
    return [date(at // 12, at % 12 + 1, 1) for at in range(last - most + 1, last + 1)]


def millis(day: date) -> int:
    """Return a day as figures take it: milliseconds to its begin, read as UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def middle(monday: date) -> int:
    """Return the middle of a week as figures take it."""
    return millis(monday) + 7 * _DAY // 2


def span(clock: Clock, weeks: int) -> list[int]:
    """Return begin and end of the last weeks, this one the last, as figures take them."""
    shown = mondays(clock, weeks)
    return [millis(shown[0]), millis(shown[-1]) + 7 * _DAY]


def full_span(clock: Clock, weeks: int) -> list[int]:
    """Return begin and end of the last weeks that are over, as figures take them."""
    shown = full_weeks(clock, weeks)
    return [millis(shown[0]), millis(shown[-1]) + 7 * _DAY]


def of_week(day: date) -> str:
    """Say which week begins on a day."""
    return f"Week of {day.day}{NBSP}{day:%b}"
