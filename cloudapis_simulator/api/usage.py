"""Answers what organizations use, by day."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.clock import DAY, SECOND
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.world.usage import METRICS, MOST_DAYS, days

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.lists import Handler
    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.world import World

Row = dict[str, Any]


class UsageApi:
    """Answers by metric."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by path."""
        return {
            f"/api/orgs/{{org}}/{path}/summary": partial(self._summary, metric)
            for metric, path in METRICS.items()
        }

    def _summary(
        self, metric: str, names: Mapping[str, str], query: Query, headers: Headers
    ) -> Row | bytes:
        """Return the days that are asked for; nothing at all where there are none."""
        del headers
        above = ORGANIZATIONS.find(self._world, names)
        if above is None:
            raise NotFoundError
        if query.text("granularity") != "daily":
            raise BadRequestError("Invalid 'granularity' value: only days are simulated.")
        back = self._look_back(metric, query)
        found = days(self._world.seed, above.organization, metric, self._world.clock.now, back)
        rows = [day.row() for day in found]
        return {"summary": rows} if rows else b""

    def _look_back(self, metric: str, query: Query) -> int:
        back, start = query.integer("lookbackDays"), query.integer("lookbackStart")
        both = back is not None and start is not None and metric != "neo_tokens"
        if both or (back is None and start is None):
            raise BadRequestError("exactly one of lookbackDays and lookbackStart is required")
        if back is None:
            now = self._world.clock.now
            back = (now - (start or 0) * SECOND) // DAY
        if not 0 < back <= MOST_DAYS:
            raise BadRequestError("Invalid lookback.")
        return back
