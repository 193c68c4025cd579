"""The list of runs: its filters and orders, answered without building what is not asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cloudapis_simulator.api.errors import BadRequestError
from cloudapis_simulator.world.plan import OPEN, STATUS_NAMES
from cloudapis_simulator.world.run_rows import run_row
from cloudapis_simulator.world.runs import LONGEST_LIFE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from cloudapis_simulator.api.cache import JsonCache
    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World
    from cloudapis_simulator.world.dbt import Account
    from cloudapis_simulator.world.plan import Plan
    from cloudapis_simulator.world.runs import Runs

Row = dict[str, Any]

_ENCODER = msgspec.json.Encoder()
_ORDERS = ("id", "created_at", "finished_at")
_STATES = ("active", "1", "all", "deleted", "2")
_KEPT_SELECTIONS = 16
# What the document declares; everything else is ignored in silence, as the service does.
_DECLARED = (
    "pk",
    "pk__in",
    "id__gt",
    "status",
    "status__in",
    "job_definition_id",
    "environment_id",
    "project_id",
    "project_id__in",
    "deferring_run_id",
    "created_at__range",
    "finished_at__range",
    "has_docs_generated",
    "has_sources_generated",
    "dbt_version",
    "state",
)


class RunList:
    """Selects runs by number, and builds rows for one page of them."""

    def __init__(self, world: World, behaviour: Behaviour, cache: JsonCache) -> None:
        self._world = world
        self._behaviour = behaviour
        self._cache = cache
        self._selections: dict[tuple[object, ...], Sequence[int]] = {}

    def page(
        self, account: Account, query: Query, limit: int, offset: int
    ) -> tuple[list[msgspec.Raw], int, Row, str]:
        """Return (encoded rows, number of all matching runs, filters given, order).

        Raises:
            BadRequestError: A filter or order cannot be read or is not allowed.
        """
        order = query.text("order_by") or "id"
        if order.lstrip("-") not in _ORDERS:
            raise BadRequestError(f"Invalid order_by: {order}")
        filters = {name: text for name in _DECLARED if (text := query.text(name))}
        keyset = "" if self._behaviour.ignore_keyset else "keyset"
        now, runs = self._world.clock.now, self._world.runs[account.id]
        key = (account.id, now, keyset, order, *filters.items())
        numbers = self._selections.get(key)
        if numbers is None:
            numbers = self._ordered(runs, self._select(runs, query), order)
            self._keep(key, numbers)
        related = query.related()
        rows = [self._encoded(runs, number, related) for number in numbers[offset : offset + limit]]
        return rows, len(numbers), filters, order

    def _encoded(self, runs: Runs, number: int, related: AbstractSet[str]) -> msgspec.Raw:
        key = (runs, number, related)
        row = self._cache.get(key)
        if row is None:
            row = _ENCODER.encode(run_row(runs, runs.plan(number), self._world.clock.now, related))
            self._cache.put(key, row)
        return msgspec.Raw(row)

    def _keep(self, key: tuple[object, ...], numbers: Sequence[int]) -> None:
        """Keep what was long in the making, for the pages that follow."""
        if isinstance(numbers, range):
            return
        if len(self._selections) >= _KEPT_SELECTIONS:
            self._selections.pop(next(iter(self._selections)))
        self._selections[key] = numbers

    def one(self, account: Account, run_id: str, related: AbstractSet[str]) -> Row | None:
        """Return the run of that id as it is now, or None."""
        now, runs = self._world.clock.now, self._world.runs[account.id]
        plan = runs.find(run_id, now)
        return None if plan is None else run_row(runs, plan, now, related)

    def _select(self, runs: Runs, query: Query) -> Sequence[int]:
        """Return the numbers of the matching runs, ascending."""
        now = self._world.clock.now
        state = query.text("state") or "all"
        if state not in _STATES:
            raise BadRequestError("Invalid 'state' value.")
        if state in ("deleted", "2"):
            return range(0)
        numbers = self._bounded(runs, query, now)
        tests = self._tests(query, now)
        if not tests:
            return numbers
        return [
            number
            for number, plan in ((number, runs.plan(number)) for number in numbers)
            if all(test(plan) for test in tests)
        ]

    def _bounded(self, runs: Runs, query: Query, now: int) -> Sequence[int]:
        """Narrow the numbers by what needs no look at the runs themselves."""
        kept = runs.kept(now)
        low, high = kept.start, kept.stop - 1
        above = query.integer("id__gt")
        if above is not None and not self._behaviour.ignore_keyset:
            low = max(low, runs.first_above(above))
        created = query.range("created_at__range")
        if created is not None:
            low = max(low, runs.first_created_from(created[0]))
            high = min(high, runs.count(min(created[1], now)))
        finished = query.range("finished_at__range")
        if finished is not None:
            low = max(low, runs.first_created_from(finished[0] - LONGEST_LIFE))
            high = min(high, runs.count(min(finished[1], now)))
        statuses = _statuses(query)
        if statuses is not None and statuses <= OPEN:
            low = max(low, runs.first_created_from(now - LONGEST_LIFE))
        ids = query.integers("pk__in")
        pk = query.integer("pk")
        if pk is not None:
            ids = [pk] if ids is None or pk in ids else []
        if ids is None:
            return range(low, high + 1)
        found = {runs.number_of(run_id) for run_id in ids}
        return sorted(number for number in found if number and low <= number <= high)

    def _tests(self, query: Query, now: int) -> list[Callable[[Plan], bool]]:
        tests: list[Callable[[Plan], bool]] = []
        statuses = _statuses(query)
        if statuses is not None:
            tests.append(lambda plan: plan.status(now) in statuses)
        finished = query.range("finished_at__range")
        if finished is not None:
            low, high = finished
            tests.append(lambda plan: (at := plan.finished(now)) is not None and low <= at <= high)
        job, environment = query.integer("job_definition_id"), query.integer("environment_id")
        if job is not None:
            tests.append(lambda plan: plan.job.id == job)
        if environment is not None:
            tests.append(lambda plan: plan.job.environment.id == environment)
        projects = query.integers("project_id__in")
        project = query.integer("project_id")
        if project is not None:
            tests.append(lambda plan: plan.job.project.id == project)
        if projects is not None:
            tests.append(lambda plan: plan.job.project.id in projects)
        return tests

    def _ordered(self, runs: Runs, numbers: Sequence[int], order: str) -> Sequence[int]:
        """Order by id, by creation (the same, ties by id) or by end; open runs as the last."""
        if order.lstrip("-") == "finished_at":
            now = self._world.clock.now
            never = 1 << 62
            ends = {n: runs.plan(n).finished(now) or never for n in numbers}
            numbers = sorted(numbers, key=lambda number: (ends[number], number))
        # As in PostgreSQL, nulls are last ascending and first descending.
        return numbers[::-1] if order.startswith("-") else numbers


def _statuses(query: Query) -> set[int] | None:
    one, many = query.integer("status"), query.integers("status__in")
    if one is None and many is None:
        return None
    if one is not None and one not in STATUS_NAMES:
        raise BadRequestError("Invalid 'status' value.")
    if one is None:
        return set(many or ())
    return {one} if many is None or one in many else set()
