"""Deployments of one stack, which no list of a table gives out: Pulumi has them twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import NotFoundError
from cloudapis_simulator.api.paging import by_number
from cloudapis_simulator.items import STACKS, Item
from cloudapis_simulator.table import Pages
from cloudapis_simulator.tables.pulumi_deployments import DEPLOYMENTS
from cloudapis_simulator.values import SECRET, answered
from cloudapis_simulator.world.deployments import of_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World

Row = dict[str, Any]


class DeploymentApi:
    """Answers what is asked of the deployments of one stack."""

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour

    def of_stack(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/stacks/{org}/{project}/{stack}/deployments`."""
        del headers
        rows = [DEPLOYMENTS.row(item) for item in self._items(names)]
        shown, more = by_number(rows, query, self._behaviour, Pages(whole=False))
        return {"deployments": shown, **more}

    def one(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/stacks/{org}/{project}/{stack}/deployments/{id}`: without its updates."""
        del query, headers
        items = list(self._items(names))
        for item in items:
            if item.uuid == names["deployment"]:
                row = DEPLOYMENTS.row(item)
                del row["updates"]
                row["latestVersion"] = max(one.thing.number for one in items)
                row["configuration"] = answered(_CONFIGURATION, item)
                return row
        raise NotFoundError

    def _items(self, names: Mapping[str, str]) -> Iterator[Item]:
        stack = STACKS.find(self._world, names)
        if stack is None:
            raise NotFoundError
        for one in of_stack(self._world.seed, stack.stack, stack.now):
            if one.created_at <= stack.now:
                yield Item(self._world, one, stack.parent)


_CONFIGURATION = {
    "environmentVariables": [
        {"name": "REGION", "value": "eu-west-1", "secret": False},
        {"name": "API_PASSWORD", "value": SECRET, "secret": True},
    ],
    "source": {"git": {"repoUrl": "https://github.com/acme/infra.git", "branch": "main"}},
}
