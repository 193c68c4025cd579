"""What is true of the world at a time, as a warehouse that missed nothing would show it.

Columns are snake_case, times RFC 3339 in UTC with six digits, "not yet" is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.clock import SECOND, rfc3339
from cloudapis_simulator.settings import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cloudapis_simulator.world import World

Row = dict[str, Any]

_STACK_KEY = ["org_name", "project_name", "stack_name"]
KEYS: dict[str, list[str]] = {
    **{name: ["account_id", "id"] for name in STREAMS if name.startswith("dbt_")},
    "dbt_accounts": ["id"],
    "pulumi_organizations": ["org_name"],
    "pulumi_stacks": _STACK_KEY,
    "pulumi_stack_updates": [*_STACK_KEY, "stack_id", "version"],
    "pulumi_organization_members": ["org_name", "user_login"],
    "pulumi_organization_teams": ["org_name", "name"],
}


def tell(world: World, streams: Iterable[str] = STREAMS, *, with_rows: bool = True) -> Row:
    """Return `{"seed", "now", "sizes", "streams": {name: {"key", "count", "rows"}}}`.

    Args:
        world: The world, at its clock's time.
        streams: Names of streams.
        with_rows: False leaves out the rows, and counts without building them.
    """
    told = {}
    for name in streams:
        entry: Row = {"key": KEYS[name]}
        if with_rows:
            entry["rows"] = list(_ROWS[name](world))
            entry["count"] = len(entry["rows"])
        else:
            count = _COUNTS.get(name)
            entry["count"] = count(world) if count else sum(1 for _ in _ROWS[name](world))
        told[name] = entry
    return {
        "seed": world.seed,
        "now": rfc3339(world.clock.now),
        "sizes": vars(world.sizes),
        "streams": told,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _accounts(world: World) -> Iterator[Row]:
    for account in world.accounts:
        yield {"id": account.id, "name": account.name}


def _projects(world: World) -> Iterator[Row]:
    for account in world.accounts:
        for project in account.projects:
            yield {
                "id": project.id,
                "account_id": account.id,
                "name": account.project_name(project),
                "state": project.state(world.clock.now),
            }


def _connections(world: World) -> Iterator[Row]:
    for account in world.accounts:
        for connection in account.connections():
            name = account.connection_row(connection)["name"]
            yield {"id": connection.id, "account_id": account.id, "name": name}


def _environments(world: World) -> Iterator[Row]:
    for account in world.accounts:
        for project, environment in account.environments:
            yield {
                "id": environment.id,
                "account_id": account.id,
                "project_id": project.id,
                "name": account.environment_name(environment),
                "state": environment.state(world.clock.now),
            }


def _jobs(world: World) -> Iterator[Row]:
    for account in world.accounts:
        for job in account.listed_jobs(world.clock.now):
            yield {
                "id": job.id,
                "account_id": account.id,
                "project_id": job.project.id,
                "name": job.name,
                "state": job.state(world.clock.now),
            }


def _runs(world: World) -> Iterator[Row]:
    now = world.clock.now
    for account in world.accounts:
        runs = world.runs[account.id]
        for number in runs.kept(now):
            plan = runs.plan(number)
            yield {
                "id": plan.id,
                "account_id": account.id,
                "job_definition_id": plan.job.id,
                "status": plan.status(now),
                "created_at": rfc3339(plan.created_at),
                "finished_at": _time(plan.finished(now)),
                "updated_at": rfc3339(plan.updated_at(now)),
            }


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
            }


def _stack_updates(world: World) -> Iterator[Row]:
    now = world.clock.now
    for organization in world.organizations:
        for stack in organization.stacks.listed(now):
            for number in range(1, stack.count(now) + 1):
                update = stack.update(number)
                ended = None if update.is_open(now) else update.ended_at
                yield {
                    "org_name": organization.login,
                    "project_name": stack.project,
                    "stack_name": stack.name,
                    "version": update.version,
                    "update_id": update.id,
                    "stack_id": stack.id,
                    "result": update.result(now),
                    "start_time": rfc3339(update.started_at // SECOND * SECOND),
                    "end_time": _time(None if ended is None else ended // SECOND * SECOND),
                }


def _members(world: World) -> Iterator[Row]:
    for organization in world.organizations:
        for member in organization.member_rows(world.clock.now):
            user = member["user"]
            if user["githubLogin"] != organization.login:
                yield {
                    "org_name": organization.login,
                    "user_login": user["githubLogin"],
                    "user_name": user["name"],
                }


def _teams(world: World) -> Iterator[Row]:
    for organization in world.organizations:
        for team in organization.team_rows():
            yield {"org_name": organization.login, "name": team["name"]}


_ROWS = {
    "dbt_accounts": _accounts,
    "dbt_projects": _projects,
    "dbt_connections": _connections,
    "dbt_environments": _environments,
    "dbt_jobs": _jobs,
    "dbt_runs": _runs,
    "pulumi_organizations": _organizations,
    "pulumi_stacks": _stacks,
    "pulumi_stack_updates": _stack_updates,
    "pulumi_organization_members": _members,
    "pulumi_organization_teams": _teams,
}
_COUNTS: dict[str, Callable[[World], int]] = {
    "dbt_runs": lambda world: sum(len(runs.kept(world.clock.now)) for runs in world.runs.values()),
    "pulumi_stack_updates": lambda world: sum(
        stack.count(world.clock.now)
        for organization in world.organizations
        for stack in organization.stacks.listed(world.clock.now)
    ),
}
