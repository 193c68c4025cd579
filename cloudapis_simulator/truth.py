"""What is true of the world at a time, as a warehouse that missed nothing would show it.

Columns are snake_case, times RFC 3339 in UTC with six digits, "not yet" is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cloudapis_simulator import truth_dbt, truth_runs, truth_updates
from cloudapis_simulator.clock import SECOND, rfc3339
from cloudapis_simulator.tables import TABLES
from cloudapis_simulator.world.pulumi import MOST_SEATS
from cloudapis_simulator.world.updates import update_row
from cloudapis_simulator.world.usage import METRICS, MOST_DAYS, days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cloudapis_simulator.table import Table
    from cloudapis_simulator.world import World

Row = dict[str, Any]


def tell(
    world: World, streams: Iterable[str] = (), *, with_rows: bool = True, details: bool = False
) -> Row:
    """Return `{"seed", "now", "sizes", "streams": {name: {"key", "count", "rows"}}}`.

    Args:
        world: The world, at its clock's time.
        streams: Names of streams; without any it is all of them.
        with_rows: False leaves out the rows, and counts without building them.
        details: Whether the rows have what only the detail of a thing tells.

    Raises:
        ValueError: A name is unknown.
    """
    told = {}
    for name in known(streams) or STREAMS:
        stream = _STREAMS[name]
        entry: Row = {"key": KEYS[name]}
        if with_rows:
            rows = stream.detailed if details and stream.detailed else stream.rows
            entry["rows"] = list(rows(world))
            entry["count"] = len(entry["rows"])
        elif stream.number:
            entry["count"] = stream.number(world)
        else:
            entry["count"] = sum(1 for _ in stream.rows(world))
        told[name] = entry
    return {
        "seed": world.seed,
        "now": rfc3339(world.clock.now),
        "sizes": vars(world.sizes),
        "streams": told,
    }


def rows_of(world: World, stream: str) -> Iterable[Row]:
    """Return the rows of a stream as :func:`tell` has them, one after the other.

    Raises:
        ValueError: The name is unknown.
    """
    (name,) = known([stream])
    return _STREAMS[name].rows(world)


def known(streams: Iterable[str]) -> list[str]:
    """Return the names of streams as they are.

    Raises:
        ValueError: A name is unknown.
    """
    names = list(streams)
    unknown = sorted(set(names) - _STREAMS.keys())
    if unknown:
        raise ValueError(f"unknown streams: {', '.join(unknown)}")
    return names


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _organizations(world: World) -> Iterator[Row]:
    for organization in world.organizations:
        yield {"org_name": organization.login}


def _stacks(world: World) -> Iterator[Row]:
    now = world.clock.now
    for organization in world.organizations:
        for stack in organization.stacks.listed(now):
            last = stack.last_update(now)
            yield {
                "org_name": organization.login,
                "project_name": stack.project,
                "stack_name": stack.name,
                "stack_id": stack.id,
                "last_update": _time(None if last is None else last // SECOND * SECOND),
                "resource_count": organization.stack_row(stack, now).get("resourceCount"),
            }


def _stack_updates(world: World) -> Iterator[Row]:
    now = world.clock.now
    for organization in world.organizations:
        for stack in organization.stacks.listed(now):
            for number in stack.numbers(now):
                update = stack.update(number)
                row = update_row(stack, update, 0, now)
                ended = None if update.is_open(now) else update.ended_at
                yield {
                    "org_name": organization.login,
                    "project_name": stack.project,
                    "stack_name": stack.name,
                    "version": update.version,
                    "update_id": update.id,
                    "stack_id": stack.id,
                    "kind": update.kind,
                    "result": update.result(now),
                    "requested_by_login": row["requestedBy"]["githubLogin"],
                    "requested_by_token": row.get("requestedByToken"),
                    "resource_count": row["info"].get("resourceCount"),
                    "resource_changes": row["info"].get("resourceChanges"),
                    "environment": row["info"]["environment"],
                    "start_time": rfc3339(update.started_at // SECOND * SECOND),
                    "end_time": _time(None if ended is None else ended // SECOND * SECOND),
                }


def _members(world: World) -> Iterator[Row]:
    """Yield the people on the roster, then those who only have a seat.

    A list of fifty seats may be cut off: nobody knows who has none then.
    """
    now = world.clock.now
    for organization in world.organizations:
        roster, seated = organization.member_rows(now), organization.seat_rows(now)
        seats = {row["user"]["githubLogin"] for row in seated}
        without = False if len(seated) < MOST_SEATS else None
        logins = {row["user"]["githubLogin"] for row in roster}
        others = [row for row in seated if row["user"]["githubLogin"] not in logins]
        for member in (*roster, *others):
            user = member["user"]
            if user["githubLogin"] != organization.login:
                yield {
                    "org_name": organization.login,
                    "user_login": user["githubLogin"],
                    "user_name": user["name"],
                    "fga_role_id": member.get("fgaRole", {}).get("id"),
                    "on_roster": user["githubLogin"] in logins,
                    "has_seat": user["githubLogin"] in seats or without,
                }


def _usage(world: World) -> Iterator[Row]:
    """Yield the days that the service can still tell of."""
    now = world.clock.now
    for organization in world.organizations:
        for metric in METRICS:
            for day in days(world.seed, organization, metric, now, MOST_DAYS):
                yield {
                    "org_name": organization.login,
                    "metric": metric,
                    "date": day.date(),
                    "resources": day.resources,
                    "resource_hours": day.resource_hours,
                }


class _Stream(NamedTuple):
    """Key, rows and number of rows of a stream; without a number its rows are counted.

    `detailed` gives the rows with what only the detail of each tells, where there is more.
    """

    key: tuple[str, ...]
    rows: Callable[[World], Iterable[Row]]
    number: Callable[[World], int] | None = None
    detailed: Callable[[World], Iterable[Row]] | None = None


def _declared(table: Table) -> _Stream:
    return _Stream(
        table.key,
        table.true_rows,
        lambda world: sum(1 for _ in table.every(world)),
        lambda world: table.true_rows(world, details=True),
    )


_STACK = ("org_name", "project_name", "stack_name")
_STREAMS = {
    "dbt_accounts": _Stream(("id",), truth_dbt.accounts),
    "dbt_jobs": _Stream(("account_id", "id"), truth_dbt.jobs),
    "dbt_runs": _Stream(
        ("account_id", "id"),
        truth_dbt.runs,
        lambda world: sum(len(runs.kept(world.clock.now)) for runs in world.runs.values()),
    ),
    "pulumi_organizations": _Stream(("org_name",), _organizations),
    "pulumi_stacks": _Stream(_STACK, _stacks),
    "pulumi_stack_updates": _Stream(
        (*_STACK, "stack_id", "version"),
        _stack_updates,
        lambda world: sum(
            len(stack.numbers(world.clock.now))
            for organization in world.organizations
            for stack in organization.stacks.listed(world.clock.now)
        ),
    ),
    "pulumi_usage_daily": _Stream(("org_name", "metric", "date"), _usage),
    "pulumi_stack_previews": _Stream((*_STACK, "stack_id", "update_id"), truth_updates.previews),
    "pulumi_update_timelines": _Stream((*_STACK, "stack_id", "version"), truth_updates.timelines),
    "pulumi_update_events": _Stream(
        (*_STACK, "stack_id", "update_id", "event_number"), truth_updates.events
    ),
    "pulumi_organization_members": _Stream(("org_name", "user_login"), _members),
    "dbt_run_steps": _Stream(("account_id", "run_id", "index"), truth_runs.steps),
    "dbt_run_invocations": _Stream(
        ("account_id", "run_id", "step", "artifact"), truth_runs.invocations
    ),
    "dbt_run_results": _Stream(
        ("account_id", "run_id", "step", "unique_id"),
        truth_runs.results,
        truth_runs.count_results,
    ),
    "dbt_source_freshness": _Stream(
        ("account_id", "run_id", "step", "unique_id"), truth_runs.freshness
    ),
    "dbt_run_artifacts": _Stream(("account_id", "run_id", "path"), truth_runs.files),
    **{name: _declared(table) for name, table in TABLES.items()},
}
STREAMS = tuple(sorted(_STREAMS, key=lambda name: name.partition("_")[0]))
KEYS = {name: list(_STREAMS[name].key) for name in STREAMS}
