"""Answers the lists of connections of one kind: GitHub, GitLab and their like."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import NotFoundError
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.tables.pulumi_vcs import (
    PROVIDERS,
    VCS_INTEGRATIONS,
    provider_of,
    vcs_detail,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.lists import Handler
    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.world import World

Row = dict[str, Any]


class VcsApi:
    """Answers by kind."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by path."""
        return {
            f"{VCS_INTEGRATIONS.path}/{kind.replace('_', '-')}": partial(self._list, kind)
            for kind in PROVIDERS
        }

    def _list(self, kind: str, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        del query, headers
        above = ORGANIZATIONS.find(self._world, names)
        if above is None:
            raise NotFoundError
        items = (item for item in VCS_INTEGRATIONS.items(above) if provider_of(item) == kind)
        return {"integrations": [vcs_detail(item) for item in items]}
