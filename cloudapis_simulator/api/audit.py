"""Answers the older list of the audit log, which begins at a time and goes down from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.clock import SECOND
from cloudapis_simulator.tables.pulumi_audit import AUDIT_LOGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World

Row = dict[str, Any]

PATH = "/api/orgs/{org}/auditlogs"
_SIZE = 40


class AuditApi:
    """Answers with what is older than a time."""

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour

    def older(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """Return a page of the log, newest first.

        `startTime` is a bound from above, that does not belong to it. A token is the second of the
        last event of a page, bare: what else happened in it comes again.
        """
        del headers
        above = AUDIT_LOGS.above(self._world, names)
        if above is None:
            raise NotFoundError
        token, start = query.text("continuationToken"), query.integer("startTime")
        if token is None and start is None:
            raise BadRequestError("Either continuationToken or startTime is required.")
        if token is not None and not token.isdecimal():
            raise BadRequestError("Invalid 'continuationToken' value.")
        newest = int(token) if token is not None else (start or 0) - 1
        items = AUDIT_LOGS.items(above)
        kept = [item for item in items if item.created_at // SECOND <= newest]
        seconds = [item.created_at // SECOND for item in kept]
        end = min(self._behaviour.page_cap or _SIZE, _SIZE)
        while end < len(kept) and seconds[end - 1] == newest:
            end += 1  # a page that ends where it begins would lead nowhere
        more = {"continuationToken": str(seconds[end - 1])} if end < len(kept) else {}
        return {"auditLogEvents": [AUDIT_LOGS.row(item) for item in kept[:end]], **more}
