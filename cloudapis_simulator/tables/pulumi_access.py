"""Pulumi Cloud: roles, tokens of organizations and teams, trusted issuers of identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.clock import DAY, END_OF_HISTORY, SECOND, moment, zulu
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import WHOLE, Choice, Table, Tokens
from cloudapis_simulator.tables.pulumi import TEAMS
from cloudapis_simulator.values import SECRET, Time, Told, created, seconds, updated
from cloudapis_simulator.world.updates import person

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudapis_simulator.items import Item
    from cloudapis_simulator.table import Field

PURPOSES = ("role", "role", "role", "role_private", "role_temporary", "policy", "set", "role")
_BUILT_IN = ("admin", "member", "billing-manager")


def spaced_utc(at: int) -> str:
    """Write a moment without its zone, and without its fraction."""
    return moment(at).strftime("%Y-%m-%d %H:%M:%S")


def _purpose(it: Item) -> str:
    return PURPOSES[it.number % len(PURPOSES)]


def _is_of(purpose: str) -> Callable[[Item], bool]:
    return lambda it: _purpose(it) == purpose


def _identifier(it: Item) -> str:
    return _BUILT_IN[it.number] if it.number < len(_BUILT_IN) else ""


ROLES = Table(
    stream="pulumi_roles",
    path="/api/orgs/{org}/roles",
    under=ORGANIZATIONS,
    paging=WHOLE,
    choices={"uxPurpose": Choice({purpose: _is_of(purpose) for purpose in set(PURPOSES)})},
    rows_in="roles",
    key=("org_name", "id"),
    many=len(PURPOSES),
    deleted=lambda number: number == 5,  # noqa: PLR2004
    late=lambda number: number > 3,  # noqa: PLR2004
    renamed=lambda number: number == 4,  # noqa: PLR2004
    fields={
        "id": lambda it: f"role-{it.number}",
        "name": lambda it: it.named(("Admin", "Member", "Nur lesen")[it.number % 3]),
        "description": lambda it: "" if it.number % 2 else "May “read”\nall there is",
        "created": created(zulu),
        "modified": updated(zulu),
        "version": lambda it: 1 + it.number % 2,
        "isOrgDefault": lambda it: it.number == 1,
        "defaultIdentifier": Told(_identifier, lambda it: _identifier(it) or None),
        "orgId": lambda it: it.organization.login.lower(),
        "resourceType": lambda it: "team" if it.number % 3 == 2 else "global",  # noqa: PLR2004
        "uxPurpose": _purpose,
        "details": lambda it: {
            "__type": "PermissionDescriptorGroup",
            "entries": [
                {
                    "__type": "PermissionDescriptorAllow",
                    "permissions": ["stack:read", "team:list_tokens"][: 1 + it.number % 2],
                }
            ],
        },
    },
)


def _expires(it: Item) -> int | None:
    return None if it.number % 3 == 0 else END_OF_HISTORY + (it.number % 5 - 2) * 20 * DAY


def _is_active(it: Item) -> bool:
    expires = _expires(it)
    return expires is None or expires > it.now


def _last_used(it: Item) -> int | None:
    """Return the beginning of the day, for those that are in use."""
    return it.now - it.now % DAY if it.number % 2 and _is_active(it) else None


def _token(kind: str) -> Mapping[str, Field]:
    return {
        "id": lambda it: it.uuid,
        "name": lambda it: f"deploy “{it.number}”",
        "description": lambda it: it.named("for the pipeline"),
        "created": created(zulu),
        "createdBy": lambda it: person(it.number % 60)["githubLogin"],
        "lastUsed": seconds(_last_used),
        "expires": seconds(_expires),
        "admin": lambda it: it.number % 4 == 3,  # noqa: PLR2004
        "type": kind,
        # Only told when a token is made; a later answer that has it would be a leak.
        "tokenValue": SECRET,
    }


_LIFE: dict[str, Any] = {
    "paging": Tokens(size=100, most=1000),
    "rows_in": "tokens",
    "deleted": lambda number: number % 7 == 5,  # noqa: PLR2004
    "late": lambda number: number % 2 == 0,
    "renamed": lambda number: number % 3 == 1,
    "choices": {
        "filter": Choice(
            {
                "active": _is_active,
                "expired": lambda it: not _is_active(it),
                "all": lambda _: True,
            },
            "active",
        )
    },
}

ORGANIZATION_TOKENS = Table(
    stream="pulumi_organization_tokens",
    path="/api/orgs/{org}/tokens",
    under=ORGANIZATIONS,
    key=("org_name", "id"),
    many=9,
    more_truth={"role_id": lambda it: f"role-{it.number % 3}" if it.number % 2 else None},
    fields=_token("organization"),
    spread=lambda it: (
        {
            "role": {
                "id": f"role-{it.number % 3}",
                "name": "Nur lesen",
                "defaultIdentifier": "member",
            }
        }
        if it.number % 2
        else {}
    ),
    **_LIFE,
)
TEAM_TOKENS = Table(
    stream="pulumi_team_tokens",
    path="/api/orgs/{org}/teams/{team}/tokens",
    under=TEAMS,
    key=("org_name", "team_name", "id"),
    many=2,
    fields=_token("team"),
    **_LIFE,
)


def _trusted_at(it: Item) -> int | None:
    """Return when a token was last exchanged; nobody does so with one of two."""
    return it.now - it.now % DAY if it.number % 2 == 0 else None


ISSUERS = Table(
    stream="pulumi_oidc_issuers",
    path="/api/orgs/{org}/oidc/issuers",
    under=ORGANIZATIONS,
    paging=WHOLE,
    rows_in="oidcIssuers",
    key=("org_name", "id"),
    many=4,
    deleted=lambda number: number == 1,
    late=lambda number: number % 2 == 1,
    renamed=lambda number: number == 2,  # noqa: PLR2004
    fields={
        "id": lambda it: it.uuid,
        "name": lambda it: it.named(("GitHub Actions", "GitLab", "EKS größe")[it.number % 3]),
        "url": lambda it: f"https://issuer-{it.number}.example.com/_apis",
        "issuer": lambda it: f"https://issuer-{it.number}.example.com",
        "created": Time(lambda it: it.created_at, (spaced_utc,), SECOND),
        "modified": Time(lambda it: it.updated_at, (spaced_utc,), SECOND),
        "lastUsed": Time(_trusted_at, (spaced_utc,), never=""),
        "maxExpiration": lambda it: 3600 * (1 + it.number),
        "thumbprints": lambda it: [f"{it.bits:064x}"[:40]] if it.number % 2 else [],
    },
    spread=lambda it: {"jwks": {"keys": []}} if it.number % 2 else {},
)
