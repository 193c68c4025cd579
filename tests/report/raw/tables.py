"""The tables that the loader wrote, and what follows from them by the definitions of the models.

Nothing here reads a model, and no line of it is one of the dbt package's: rows are read one table
at a time, and counted in loops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb

from tests.report.counting import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from tests.report.counting import Row

#: Of fewer values, the 95th percentile is the largest one.
_FEWEST = 20


@dataclass
class Raw:
    """A database of the loader, at a time.

    Attributes:
        database: The DuckDB file; the tables are in its schema `raw`.
        now: The time of the models, in UTC and without a zone, as all times here are.
        zone: The zone of their days.
        ways: By model, how its rows follow from the tables.
    """

    database: Path
    now: datetime
    zone: ZoneInfo
    ways: Mapping[str, Callable[[Raw], list[Row]]]
    _known: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    def at(
        cls, database: Path, now: str, zone: str, ways: Mapping[str, Callable[[Raw], list[Row]]]
    ) -> Raw:
        """The tables at a time that is told in text."""
        return cls(database, plain_utc(datetime.fromisoformat(now)), ZoneInfo(zone), ways)

    def __call__(self, model: str) -> list[Row]:
        """The rows that a model has to have."""
        if model not in self._known:
            self._known[model] = self.ways[model](self)
        return self._known[model]

    def rows(self, sql: str) -> list[Row]:
        """The rows of a query on the loader's tables."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("use raw")
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, map(_value, row), strict=True)) for row in cursor.fetchall()]

    def local(self, moment: datetime) -> datetime:
        """What the clock shows at a time, where the days are those of the models."""
        return moment.replace(tzinfo=UTC).astimezone(self.zone).replace(tzinfo=None)

    def day(self, moment: datetime | None) -> date | None:
        """The day of a time."""
        return None if moment is None else self.local(moment).date()

    def week(self, moment: datetime | None) -> date | None:
        """The Monday of the week of a time."""
        return None if moment is None else monday(self.local(moment).date())

    def since(self, moment: datetime | None, days: float) -> bool:
        """Whether a time is within so many days of 24 hours before now."""
        return moment is not None and moment >= self.now - timedelta(days=days)

    def ago(self, moment: datetime) -> float:
        """How many seconds ago a time was."""
        return (self.now - moment).total_seconds()


def plain_utc(moment: datetime) -> datetime:
    """A time in UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _value(value: object) -> object:
    return plain_utc(value) if isinstance(value, datetime) else value


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def seconds(begin: datetime | None, end: datetime | None) -> float | None:
    """How long it is from one time to another."""
    return None if begin is None or end is None else (end - begin).total_seconds()


def median(values: Iterable[float | None]) -> float | None:
    """The median of the values that are known."""
    known = [value for value in values if value is not None]
    return quantile(known, 0.5) if known else None


def p95(values: Iterable[float | None]) -> float | None:
    """The 95th percentile of the values that are known, if there are enough."""
    known = [value for value in values if value is not None]
    return quantile(known, 0.95) if len(known) >= _FEWEST else None


def share(part: float, whole: float) -> float | None:
    """A part of a whole; of nothing there is none."""
    return part / whole if whole else None
