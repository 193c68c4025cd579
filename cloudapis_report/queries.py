"""The SQL of the charts: which models it reads, and the values that are put into it.

It is written in what DuckDB and PostgreSQL have in common; for other databases sqlglot spells it.
In the text, ``{model}`` is the table of a model, ``{now}`` the time the page speaks of in UTC, as
are all times of the models; ``{today}`` is its day in the page's time zone, ``{week}`` the Monday
of that day's week, and ``{local:column}`` a time in that zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from string import Formatter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

_VALUES = frozenset({"now", "today", "week", "local"})


@dataclass(frozen=True)
class Clock:
    """What time it is for the page.

    Attributes:
        now: The time that it speaks of, in UTC.
        zone: The name of the time zone of its days and hours.
    """

    now: datetime
    zone: str = "UTC"

    @property
    def place(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.zone)

    @property
    def offset(self) -> float:
        """By how many seconds the hands of the clock are ahead of UTC, now."""
        ahead = self.now.astimezone(self.place).utcoffset()
        return ahead.total_seconds() if ahead else 0

    @property
    def today(self) -> date:
        """The day in the page's zone."""
        return self.now.astimezone(self.place).date()

    @property
    def week(self) -> date:
        """The Monday of this week."""
        return self.today - timedelta(days=self.today.weekday())

    @property
    def epoch(self) -> float:
        """The time as seconds since 1970."""
        return self.now.timestamp()


class _Local:
    """Spells a column as a time in a zone: as the format of a placeholder."""

    def __init__(self, zone: str) -> None:
        self._zone = zone

    def __format__(self, column: str) -> str:
        return f"({column} at time zone 'UTC' at time zone '{self._zone}')"


def models_of(sql: str) -> frozenset[str]:
    """Return the models that a query reads."""
    fields = (name for _, name, _, _ in Formatter().parse(sql) if name is not None)
    return frozenset(fields) - _VALUES


def filled(sql: str, tables: Mapping[str, str], clock: Clock) -> str:
    """Put tables and times into a query.

    Args:
        sql: The text with its placeholders.
        tables: The table of each model, quoted.
        clock: The time to speak of.
    """
    moment = clock.now.astimezone(UTC)
    return sql.format_map(
        {
            **tables,
            "now": f"cast('{moment:%Y-%m-%d %H:%M:%S}' as timestamp)",
            "today": f"cast('{clock.today:%Y-%m-%d}' as date)",
            "week": f"cast('{clock.week:%Y-%m-%d}' as date)",
            "local": _Local(clock.zone),
        }
    )
