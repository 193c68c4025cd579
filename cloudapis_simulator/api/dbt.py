"""The dbt Cloud Administrative API, v2 and v3: accounts, jobs, runs and failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import NotFoundError
from cloudapis_simulator.api.lists import containing, success, whole
from cloudapis_simulator.api.paging import by_offset, by_state, window
from cloudapis_simulator.api.runs import RunList
from cloudapis_simulator.table import Offsets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.cache import JsonCache
    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World
    from cloudapis_simulator.world.dbt import Account

Row = dict[str, Any]

NOT_FOUND = (
    "The requested resource was not found. Please check that you have the proper permissions."
)
_OF_JOBS = Offsets(filters=("pk", "project_id", "project_id__in", "environment_id"))


def failure(status: int, message: str) -> Row:
    """Return the envelope of a failure."""
    return {
        "status": {
            "code": status,
            "is_success": False,
            "user_message": message,
            "developer_message": None,
        },
        "data": None,
    }


class DbtApi:
    """Answers the dbt routes from the world."""

    def __init__(self, world: World, behaviour: Behaviour, cache: JsonCache) -> None:
        self._world = world
        self._behaviour = behaviour
        self._runs = RunList(world, behaviour, cache)

    def accounts(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v3/accounts/`: no paging."""
        del names, query, headers
        now, unlisted = self._world.clock.now, self._behaviour.unlisted
        return whole([one.row(now) for one in self._world.accounts if one.id not in unlisted])

    def account(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v2/accounts/{account}/`."""
        del query, headers
        return success(self._account(names).row(self._world.clock.now))

    def jobs(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v2/accounts/{account}/jobs/`: offsets only; system jobs on request."""
        del headers
        account = self._account(names)
        now = self._world.clock.now
        system = bool(query.boolean("is_system"))
        jobs = [job for job in account.listed_jobs(now) if job.is_system == system]
        _, states = by_state(query)
        rows = [account.job_row(job, now) for job in jobs if job.state(now) in states]
        scheduled = query.boolean("triggers_schedule")
        if scheduled is not None:
            rows = [row for row in rows if row["triggers"]["schedule"] == scheduled]
        rows = containing(rows, query)
        page, extra = by_offset(rows, query, self._behaviour, _OF_JOBS, account.id)
        return success(page, extra=extra)

    def runs(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v2/accounts/{account}/runs/`."""
        del headers
        account = self._account(names)
        limit, offset = window(query, self._behaviour)
        rows, total, filters, order = self._runs.page(account, query, limit, offset)
        return success(
            rows,
            extra={
                "filters": {
                    "limit": limit,
                    "offset": offset,
                    "state": query.text("state") or "all",
                    "account_id": account.id,
                    **filters,
                },
                "order_by": order,
                "pagination": {"count": len(rows), "total_count": total},
            },
        )

    def run(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v2/accounts/{account}/runs/{run}/`."""
        del headers
        account = self._account(names)
        related = query.related()
        if "run_steps" in related and "dbt_run_steps" in self._behaviour.forbid:
            raise NotFoundError
        row = self._runs.one(account, names["run"], related)
        if row is None:
            raise NotFoundError
        return success(row)

    def _account(self, names: Mapping[str, str]) -> Account:
        for account in self._world.accounts:
            if str(account.id) == names["account"]:
                return account
        raise NotFoundError
