"""Answers the search for resources: pages by number, and the values of a field."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.api.query import page_size
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.tables.pulumi_resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.lists import Handler
    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World

Row = dict[str, Any]

_MOST = 10_000
_SIZE, _MOST_SIZE = 50, 500
_SORTS = ("urn", "name", "type", "created", "modified", "project", "stack")
_TERM = re.compile(r'(\w+):"([^"]*)"')


class SearchApi:
    """Answers from the rows of the index."""

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by path."""
        path = "/api/orgs/{org}/search"
        return {f"{path}/resourcesv2": self._search, f"{path}/column-set": self._values}

    def _found(self, names: Mapping[str, str], query: Query) -> list[Row]:
        """Return the rows that a query is for: terms of a field and a text, all of which hold."""
        above = ORGANIZATIONS.find(self._world, names)
        if above is None:
            raise NotFoundError
        text = query.text("query") or ""
        terms = _TERM.findall(text)
        if _TERM.sub("", text).strip():
            raise BadRequestError(f"invalid query: {text}")
        rows = [RESOURCES.row(item) for item in RESOURCES.items(above)]
        return [row for row in rows if all(row.get(name) == value for name, value in terms)]

    def _search(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        del headers
        rows = self._found(names, query)
        sort = query.text("sort")
        if sort is not None:
            if sort not in _SORTS:
                raise BadRequestError(f"invalid sort: {sort}")
            rows.sort(key=lambda row: str(row.get(sort)), reverse=query.text("asc") != "true")
        asked = query.integer("size")
        size = page_size(asked, _SIZE, _MOST_SIZE, self._behaviour, "size")
        page = query.integer("page") or 1
        if page < 1 or page * size > _MOST:
            raise BadRequestError("the page lies beyond 10,000 results")
        shown = rows[(page - 1) * size : page * size]
        return {"resources": shown, "total": len(rows), "pagination": {}}

    def _values(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        del headers
        name = query.text("field")
        if not name:
            raise BadRequestError("missing field parameter")
        counts = Counter(row[name] for row in self._found(names, query) if row.get(name))
        results = [{"name": value, "count": count} for value, count in counts.items()]
        return {name: {"results": results, "others": 0}}
