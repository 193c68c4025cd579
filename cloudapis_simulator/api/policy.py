"""What Pulumi tells of policies beside its lists: the registry of packs, and coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import NotFoundError
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.tables.pulumi_policy import POLICY_PACKS, registered
from cloudapis_simulator.tables.pulumi_policy_results import coverage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.items import Item
    from cloudapis_simulator.world import World

Row = dict[str, Any]


class PolicyApi:
    """Answers from the tables of policies."""

    def __init__(self, world: World) -> None:
        self._world = world

    def registry(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`POST /api/registry/policypacks`; its token leads nowhere."""
        del names, headers
        organization = self._organization(str(query.body.get("orgLogin")))
        packs = [pack for item in POLICY_PACKS.items(organization) for pack in registered(item)]
        return {"policyPacks": packs, "continuationToken": "leads-nowhere"}

    def coverage(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/orgs/{org}/policygroups/metadata`."""
        del query, headers
        return coverage(self._organization(names["org"]))

    def _organization(self, login: str) -> Item:
        found = ORGANIZATIONS.find(self._world, {"org": login})
        if found is None:
            raise NotFoundError
        return found
