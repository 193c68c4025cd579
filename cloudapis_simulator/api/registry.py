"""Answers the registry: packages and templates, whose paths name no organization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.api.paging import by_token
from cloudapis_simulator.clock import BEGINNING
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import Tokens
from cloudapis_simulator.tables.pulumi_registry import (
    PACKAGES,
    PUBLIC,
    TEMPLATES,
    package_of,
    package_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.lists import Handler
    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.items import Item
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World

Row = dict[str, Any]

_PAGES = Tokens(size=2, most=500, parameter="limit")


class RegistryApi:
    """Answers by the organization that a request names, or for all of them."""

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour

    def handlers(self) -> dict[str, tuple[str, Handler]]:
        """Return the stream and the handler of each path."""
        return {
            "/api/registry/packages": (PACKAGES.stream, self._packages),
            "/api/registry/templates": (TEMPLATES.stream, self._templates),
        }

    def _packages(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/registry/packages`: without a filter, all that the caller can see."""
        del names, headers
        visibility = query.text("visibility")
        if visibility not in (None, "private", "public"):
            raise BadRequestError("Invalid 'visibility' value.")
        rows: list[Row] = []
        if not query.text("orgLogin"):
            rows += [
                package_row(name, "pulumi", "7.0.0", BEGINNING, n) for name, n in PUBLIC.items()
            ]
        rows += [package_of(item) for above in self._asked(query) for item in PACKAGES.items(above)]
        kept = [row for row in rows if visibility in (None, row["visibility"])]
        shown, more = by_token(kept, query, self._behaviour, _PAGES)
        return {"packages": shown, **more}

    def _templates(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/registry/templates`."""
        del names, headers
        items = [item for above in self._asked(query) for item in TEMPLATES.items(above)]
        rows = [TEMPLATES.row(item) for item in items]
        shown, more = by_token(rows, query, self._behaviour, _PAGES)
        return {"templates": shown, **more}

    def _asked(self, query: Query) -> Iterable[Item]:
        """Return the organizations that a request is about."""
        login = query.text("orgLogin")
        if login is None:
            return ORGANIZATIONS.every(self._world)
        found = ORGANIZATIONS.find(self._world, {"org": login})
        if found is None:
            raise NotFoundError
        return [found]
