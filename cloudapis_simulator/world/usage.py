"""What organizations use on each day: figures grow till it is over, and are restated once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cloudapis_simulator.chance import Dice, part
from cloudapis_simulator.clock import BEGINNING, DAY, END_OF_HISTORY, HOUR, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.world.pulumi import Organization

Row = dict[str, Any]

#: Where the service has each metric.
METRICS = {
    "resources": "resources",
    "discovered_resources": "discovered-resources",
    "deployments": "deployments",
    "secrets": "secrets",
    "insights_scans": "insights-scans",
    "neo_tokens": "neo/tokens",
}
MOST_DAYS = 365
_FIRST_DAY = END_OF_HISTORY - 16 * DAY
_RESTATED_AFTER = 36 * HOUR


class Usage(NamedTuple):
    """The figures of a day; `at` is its beginning in microseconds."""

    at: int
    resources: int
    resource_hours: int

    def row(self) -> Row:
        """Return the figures as the service has them."""
        day = moment(self.at)
        date = {"year": day.year, "month": day.month, "day": day.day}
        return {**date, "resources": self.resources, "resourceHours": self.resource_hours}

    def date(self) -> str:
        """Return the day as the truth has it."""
        return moment(self.at).date().isoformat()


def days(
    seed: int, organization: Organization, metric: str, now: int, back: int
) -> Iterator[Usage]:
    """Yield the days of a metric, from so many days ago to the present one."""
    if metric == "insights_scans" and organization.number % 2:
        return
    dice = Dice(seed, "usage", organization.login, metric)
    today = now // DAY * DAY
    for at in range(max(today - back * DAY, _FIRST_DAY), today + 1, DAY):
        bits = dice.roll(at // DAY)
        if metric == "deployments" and part(bits, 1) % 3 == 0:
            continue  # days without any are left out
        hours = min(now - at, DAY) // HOUR
        count = 20 + part(bits, 0) % 400
        if metric == "resources":
            # They become more, and a forecast can tell how many.
            count = 1_500 + 3 * ((at - BEGINNING) // DAY) + part(bits, 0) % 8
        if now < at + _RESTATED_AFTER:
            count = count * 9 // 10
        yield Usage(at, count, count * hours)
