"""Pulumi Cloud: what the detail of a team carries: people, and grants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_simulator.table import Table
from cloudapis_simulator.tables.pulumi import TEAMS
from cloudapis_simulator.values import Told, Untold
from cloudapis_simulator.world.updates import person

if TYPE_CHECKING:
    from cloudapis_simulator.items import Item
    from cloudapis_simulator.world.stacks import Stack

_MEMBERS = 4
_GRANTS = 3
_OF_STACKS = {101: "read", 102: "write", 103: "admin", 104: "creator", 0: "none"}
_OF_ACCOUNTS = ("none", "read", "write", "admin")
_ENVIRONMENTS = (("website", "prod"), ("default", "shared"), ("Data-Platform", "dev.eu"))
ACCOUNTS = ("FizzBuzz AWS Staging", "aws", "aws/us-west-2", "azure Prod", "gcp-größe")


def _person(it: Item) -> dict[str, str]:
    # Four who follow each other, so that none is twice in a team.
    return person((it.number + it.parent.number) % 60)


def _stacks(team: Item) -> list[Stack]:
    return team.organization.stacks.listed(team.now)


def _stack(it: Item) -> Stack:
    stacks = _stacks(it.parent)
    return stacks[(7 * it.parent.number + it.number) % len(stacks)]


def _has_changed(it: Item) -> bool:
    """Return whether somebody has changed a grant, around the end of the history."""
    return it.named("") != ""


def _stack_permission(it: Item) -> int:
    return [*_OF_STACKS][(it.number + _has_changed(it)) % len(_OF_STACKS)]


MEMBERS = Table(
    stream="pulumi_team_members",
    under=TEAMS,
    carried="members",
    detailed=True,
    key=("org_name", "team_name", "user_login"),
    many=_MEMBERS,
    deleted=lambda number: number % 5 == 4,  # noqa: PLR2004
    late=lambda number: number % 2 == 0,
    truth={
        "org_name": "org_name",
        "team_name": "team_name",
        "user_login": "githubLogin",
        "user_name": "name",
        "user_avatar_url": "avatarUrl",
        "role": "role",
    },
    fields={
        "name": lambda it: _person(it)["name"],
        "githubLogin": lambda it: _person(it)["githubLogin"],
        "avatarUrl": lambda it: _person(it)["avatarUrl"],
        "role": lambda it: "admin" if it.number % _MEMBERS == 0 else "member",
    },
    spread=lambda it: {"email": _person(it)["email"]} if "email" in _person(it) else {},
)
STACK_PERMISSIONS = Table(
    stream="pulumi_team_stack_permissions",
    under=TEAMS,
    carried="stacks",
    detailed=True,
    key=("org_name", "team_name", "project_name", "stack_name"),
    many=lambda team: min(_GRANTS, len(_stacks(team))),
    renamed=lambda number: number % 2 == 1,
    more_truth={"permission_label": lambda it: _OF_STACKS[_stack_permission(it)]},
    fields={
        "projectName": lambda it: _stack(it).project,
        "stackName": lambda it: _stack(it).name,
        "permission": _stack_permission,
    },
    spread=lambda it: {"permissionSetName": "Nur lesen"} if it.number % 3 == 0 else {},
)
ENVIRONMENT_PERMISSIONS = Table(
    stream="pulumi_team_environment_permissions",
    under=TEAMS,
    carried="environments",
    detailed=True,
    key=("org_name", "team_name", "project_name", "env_name"),
    many=len(_ENVIRONMENTS),
    deleted=lambda number: number % 4 == 1,
    late=lambda number: number % 2 == 0,
    fields={
        "projectName": lambda it: _ENVIRONMENTS[it.number % len(_ENVIRONMENTS)][0],
        "envName": lambda it: _ENVIRONMENTS[it.number % len(_ENVIRONMENTS)][1],
        "permission": lambda it: ("none", "read", "open", "write", "admin")[it.number % 5],
        "maxOpenDuration": Untold(lambda it: ("1h30m0s", "45s", "")[it.number % 3]),
    },
    more_truth={
        "max_open_duration_seconds": lambda it: Told(0, (5400, 45, None)[it.number % 3]),
    },
)
ACCOUNT_PERMISSIONS = Table(
    stream="pulumi_team_account_permissions",
    under=TEAMS,
    carried="accounts",
    detailed=True,
    key=("org_name", "team_name", "account_name"),
    many=2,
    renamed=lambda number: number % 2 == 1,
    fields={
        "accountName": lambda it: ACCOUNTS[it.number % len(ACCOUNTS)],
        "permission": lambda it: (it.number + _has_changed(it)) % len(_OF_ACCOUNTS),
    },
    more_truth={
        "permission_label": lambda it: _OF_ACCOUNTS[
            (it.number + _has_changed(it)) % len(_OF_ACCOUNTS)
        ],
    },
)
