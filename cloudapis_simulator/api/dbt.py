"""The dbt Cloud Administrative API, v2 and v3: lists, details and their envelopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.api.query import Query, page_size
from cloudapis_simulator.api.runs import RunList
from cloudapis_simulator.world.dbt import ACTIVE, DELETED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import msgspec
    from starlette.datastructures import Headers

    from cloudapis_simulator.api.cache import JsonCache
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World
    from cloudapis_simulator.world.dbt import Account

Row = dict[str, Any]

NOT_FOUND = (
    "The requested resource was not found. Please check that you have the proper permissions."
)
_STATES = {
    "active": {ACTIVE},
    "1": {ACTIVE},
    "deleted": {DELETED},
    "2": {DELETED},
    "all": {ACTIVE, DELETED},
}
_CAP = 100
_COLUMNS = {"pk": "id"}
_ORDERS = ("id", "name", "created_at", "updated_at", "state")


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


def success(data: Row | Sequence[Row | msgspec.Raw], **more: object) -> Row:
    """Return the envelope of a success."""
    status = {
        "code": 200,
        "is_success": True,
        "user_message": "Success!",
        "developer_message": "",
    }
    return {"status": status, "data": data, **more}


class DbtApi:
    """Answers the dbt routes from the world."""

    def __init__(self, world: World, behaviour: Behaviour, cache: JsonCache) -> None:
        self._world = world
        self._behaviour = behaviour
        self._runs = RunList(world, behaviour, cache)

    def accounts(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v3/accounts/`: no paging."""
        del names, query, headers
        rows = [account.row(self._world.clock.now) for account in self._world.accounts]
        extra = {
            "filters": {},
            "order_by": None,
            "pagination": {"count": len(rows), "total_count": len(rows)},
        }
        return success(rows, extra=extra)

    def account(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v2/accounts/{account}/`."""
        del query, headers
        return success(self._account(names).row(self._world.clock.now))

    def projects(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v3/accounts/{account}/projects/`, with keyset `pk__gt`."""
        del headers
        account = self._account(names)
        now = self._world.clock.now
        rows = [account.project_row(project, now) for project in account.projects]
        return self._list(account, query, rows, ("pk", "pk__in", "pk__gt"))

    def environments(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v3/accounts/{account}/projects/{project}/environments/`, keyset `id__gt`."""
        del headers
        account = self._account(names)
        now = self._world.clock.now
        if names["project"] not in {str(project.id) for project in account.projects}:
            raise NotFoundError
        rows = [
            account.environment_row(project, environment, now)
            for project, environment in account.environments
            if str(project.id) == names["project"]
        ]
        for name in ("type", "deployment_type", "dbt_version", "name"):
            value = query.text(name)
            rows = [row for row in rows if value is None or row[name] == value]
        return self._list(account, query, rows, ("pk", "pk__in", "id__gt", "project_id__in"))

    def connections(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v3/accounts/{account}/connections/`: neither state nor order."""
        del headers
        account = self._account(names)
        rows = [account.connection_row(connection) for connection in account.connections()]
        adapter = query.text("adapter_version")
        rows = [row for row in rows if adapter in (None, row["adapter_version"])]
        rows = _containing(rows, query)
        return self._page(account, query, rows, {}, None)

    def jobs(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v2/accounts/{account}/jobs/`: offsets only; system jobs on request."""
        del headers
        account = self._account(names)
        now = self._world.clock.now
        system = bool(query.boolean("is_system"))
        jobs = [job for job in account.listed_jobs(now) if job.is_system == system]
        rows = [account.job_row(job, now) for job in jobs]
        scheduled = query.boolean("triggers_schedule")
        if scheduled is not None:
            rows = [row for row in rows if row["triggers"]["schedule"] == scheduled]
        declared = ("pk", "project_id", "project_id__in", "environment_id")
        return self._list(account, query, rows, declared)

    def runs(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/v2/accounts/{account}/runs/`."""
        del headers
        account = self._account(names)
        limit, offset = self._window(query)
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
        row = self._runs.one(account, names["run"], query.related())
        if row is None:
            raise NotFoundError
        return success(row)

    def _account(self, names: Mapping[str, str]) -> Account:
        for account in self._world.accounts:
            if str(account.id) == names["account"]:
                return account
        raise NotFoundError

    def _window(self, query: Query) -> tuple[int, int]:
        limit = page_size(query.integer("limit"), _CAP, _CAP, self._behaviour, "limit")
        offset = query.integer("offset") or 0
        if offset < 0:
            raise BadRequestError("Invalid 'offset' value.")
        return limit, offset

    def _list(
        self, account: Account, query: Query, rows: Sequence[Row], declared: Sequence[str]
    ) -> Row:
        """Apply state, the `declared` filters, order and page; other filters are ignored."""
        state = query.text("state") or "active"
        if state not in _STATES:
            raise BadRequestError("Invalid 'state' value.")
        filters: Row = {"state": state}
        kept = [row for row in rows if row["state"] in _STATES[state]]
        for name in declared:
            if query.text(name) is None:
                continue
            filters[name] = query.text(name)
            column, test = _test(name, query)
            kept = [row for row in kept if test(row[column])]
        order = query.text("order_by") or "id"
        if order.lstrip("-") not in _ORDERS:
            raise BadRequestError(f"Invalid order_by: {order}")
        kept = _containing(kept, query)
        kept.sort(key=lambda row: (row[order.lstrip("-")], row["id"]), reverse=order[0] == "-")
        return self._page(account, query, kept, filters, order)

    def _page(
        self, account: Account, query: Query, rows: Sequence[Row], filters: Row, order: str | None
    ) -> Row:
        limit, offset = self._window(query)
        page = list(rows[offset : offset + limit])
        extra = {
            "filters": {"limit": limit, "offset": offset, "account_id": account.id, **filters},
            "order_by": order,
            "pagination": {"count": len(page), "total_count": len(rows)},
        }
        return success(page, extra=extra)


def _test(name: str, query: Query) -> tuple[str, Callable[[Any], bool]]:
    """Return (column, test of its value) for a filter in Django's notation."""
    column, _, operator = name.partition("__")
    if operator == "in":
        wanted = query.integers(name) or []
        return _COLUMNS.get(column, column), lambda value: value in wanted
    bound = query.integer(name) or 0
    if operator == "gt":
        return _COLUMNS.get(column, column), lambda value: value > bound
    return _COLUMNS.get(column, column), lambda value: value == bound


def _containing(rows: list[Row], query: Query) -> list[Row]:
    text = (query.text("name__icontains") or "").lower()
    return [row for row in rows if text in row["name"].lower()]
