"""Pulumi Cloud: teams."""

from __future__ import annotations

from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import WHOLE, Table
from cloudapis_simulator.values import Untold
from cloudapis_simulator.world import words

TEAMS = Table(
    stream="pulumi_organization_teams",
    path="/api/orgs/{org}/teams",
    under=ORGANIZATIONS,
    part="team",
    named_by="name",
    many=len(words.TEAMS),
    paging=WHOLE,  # a continuation token is ignored
    detail="/api/orgs/{org}/teams/{team}",
    rows_in="teams",
    key=("org_name", "name"),
    detail_fields={"roleIds": Untold(lambda it: [f"role-{it.number}"])},
    fields={
        "name": lambda it: words.TEAMS[it.number],
        "displayName": lambda it: words.TEAMS[it.number].title(),
        "description": lambda it: (
            "" if it.number % 2 else f"Looks after “{words.TEAMS[it.number]}”"
        ),
        "kind": lambda it: ("github", "pulumi", "scim")[it.number % 3],
        "userRole": "member",
    },
)
