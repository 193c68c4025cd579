"""The world's time: a frozen clock in microseconds, and the forms in which the APIs write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ZERO_TIME = "0001-01-01T00:00:00Z"
"""What a Go service writes for "no time"."""


def micros(when: datetime) -> int:
    """Return `when` (aware) as microseconds since 1970-01-01 UTC."""
    return (when - EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """Return the aware UTC datetime of `at` microseconds since 1970."""
    return EPOCH + timedelta(microseconds=at)


BEGINNING = micros(datetime(2026, 1, 1, tzinfo=UTC))
END_OF_HISTORY = micros(datetime(2026, 7, 1, tzinfo=UTC))
_LATEST = micros(datetime(2100, 1, 1, tzinfo=UTC))


def parse_time(text: str) -> int:
    """Read an ISO 8601 time (naive means UTC) as microseconds.

    Raises:
        ValueError: `text` is no time, or lies outside the world (2026 to 2099).
    """
    when = datetime.fromisoformat(text)
    at = micros(when if when.tzinfo else when.replace(tzinfo=UTC))
    if at < BEGINNING:
        raise ValueError(f"{text} is before the beginning of the world, {rfc3339(BEGINNING)}")
    if at >= _LATEST:
        raise ValueError(f"{text} is after the end of the world, {rfc3339(_LATEST)}")
    return at


@lru_cache(maxsize=1 << 16)
def _second(second: int) -> str:
    return moment(second * SECOND).isoformat()[:19]


def _written(at: int, end: str) -> str:
    """Write `at` with the fraction of its second, which is missing when it is zero."""
    second, fraction = divmod(at, SECOND)
    return f"{_second(second)}.{fraction:06d}{end}" if fraction else f"{_second(second)}{end}"


def rfc3339(at: int) -> str:
    """Write `at` as `2026-01-31T10:42:16.179903Z`, always with six digits."""
    second, fraction = divmod(at, SECOND)
    return f"{_second(second)}.{fraction:06d}Z"


def spaced(at: int) -> str:
    """Write `at` as dbt writes runs: `2026-01-31 10:42:16.179903+00:00`.

    The fraction is missing when it is zero, as in Python's and the service's own form.
    """
    return with_t(at).replace("T", " ", 1)


def with_t(at: int) -> str:
    """Write `at` as dbt writes accounts and jobs: `2026-01-31T10:42:16.179903+00:00`."""
    return _written(at, "+00:00")


def zulu(at: int) -> str:
    """Write `at` as `2026-01-31T10:42:16.179903Z`; the fraction is missing when it is zero."""
    return _written(at, "Z")


def zoneless(at: int) -> str:
    """Write `at` as Pulumi writes deployments: `2026-01-31 10:42:16.179`, without a zone."""
    second, fraction = divmod(at, SECOND)
    return f"{_second(second).replace('T', ' ')}.{fraction // 1000:03d}"


def same_as_rfc3339(text: str | None) -> str | None:
    """Return a time that was written in any of these forms as `rfc3339` would write it."""
    return None if text is None else rfc3339(micros(datetime.fromisoformat(text)))


class Clock:
    """The frozen clock of one world. `version` counts the changes of the world, for caches."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.version = 0

    def move_to(self, now: int) -> None:
        """Move forward to `now`.

        Raises:
            ValueError: `now` lies in the past.
        """
        if now < self.now:
            raise ValueError(f"the clock only moves forward; it is {rfc3339(self.now)}")
        if now >= _LATEST:
            raise ValueError(f"the world ends at {rfc3339(_LATEST)}")
        self.now = now
        self.changed()

    def changed(self) -> None:
        """Let caches forget what they hold: something has changed, be it only the time."""
        self.version += 1
