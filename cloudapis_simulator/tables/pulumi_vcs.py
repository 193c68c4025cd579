"""Pulumi Cloud: connections to GitHub, GitLab and their like, each kind with details of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import uuid
from cloudapis_simulator.clock import DAY, rfc3339, zulu
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import WHOLE, Table
from cloudapis_simulator.values import SECRET, Untold
from cloudapis_simulator.world.updates import person

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudapis_simulator.items import Item

Row = dict[str, Any]

PROVIDERS = ("github", "gitlab", "bitbucket", "azure_devops", "custom", "github_enterprise")
_SWITCHES = {
    "disablePRComments": False,
    "disableDetailedDiff": True,
    "disableNeoSummaries": False,
}


def provider_of(it: Item) -> str:
    """Return the kind of service that an integration is with."""
    return PROVIDERS[it.number % len(PROVIDERS)]


def _user(it: Item) -> Row:
    """Return the person whose sign-in an integration uses, with more than anybody needs."""
    one = person(it.number % 60)
    return {
        **one,
        "id": uuid(it.bits),
        "email": one.get("email", ""),
        "hasMFA": True,
        "identities": ["github.com"],
        "isManagedByMultiOrg": False,
        "isOrgManaged": False,
        "organizations": [],
    }


def _token_ends(it: Item) -> int:
    return it.now - it.now % DAY + 30 * DAY


def _github(it: Item) -> Row:
    return {
        **_SWITCHES,
        "accountID": 2**53 + it.number,
        "accountName": f"acme-{it.number}",
        "created": zulu(it.created_at),
        "disableCodeAccessForReviews": True,
        "disableDraftPRComments": False,
        "ghUrls": {
            "configurationUrl": "https://github.com/settings",
            "installationUrl": "https://github.com/apps/new",
            "permissionsUrl": "https://github.com/apps/permissions",
            "stateParam": SECRET.answer(it),
        },
        "hasContentsPermission": True,
        "hasMembersPermission": it.number % 2 == 0,
        "installationID": 7000 + it.number,
        "isOrganization": True,
        "isSelfHosted": provider_of(it) == "github_enterprise",
    }


def _gitlab(it: Item) -> Row:
    return {
        **_SWITCHES,
        "authUser": _user(it),
        "gitLabGroupId": 90 + it.number,
        "gitLabOrg": {
            "avatarURL": "https://gitlab.com/a.png",
            "hasRequiredPermissions": True,
            "id": 90 + it.number,
            "name": "Acme",
        },
        "groupAccessTokenExpiration": zulu(_token_ends(it)),
        "groupName": "Acme Größe",
        "groupPath": "acme/infra",
        "installed": True,
        "valid": it.number % 4 != 3,  # noqa: PLR2004
    }


def _bitbucket(it: Item) -> Row:
    return {
        **_SWITCHES,
        "authType": "user_token",
        "authUser": _user(it),
        "installed": False,
        "valid": True,
        "workspaceName": "Acme BB",
        "workspaceSlug": "acme-bb",
        "workspaceUuid": uuid(it.bits),
    }


def _azure(it: Item) -> Row:
    return {
        **_SWITCHES,
        "disableCodeAccessForReviews": True,
        "organization": {
            "id": uuid(it.bits),
            "name": "acme-ado",
            "accountUrl": "https://dev.azure.com/acme-ado",
            "hasRequiredPermissions": False,
        },
        "project": {"id": uuid(it.bits >> 3), "name": "Platform"},
        "valid": True,
    }


def _custom(it: Item) -> Row:
    return {
        "baseUrl": f"https://ci:{SECRET.answer(it)}@git.sr.ht/~acme",
        "created": zulu(it.created_at),
        "environment": "website/vcs",
        "modified": zulu(it.updated_at),
        "name": "Sourcehut",
        "repositories": [{"name": "infra", "displayName": "Infra"}],
        "vcsType": "hg",
        "webhookSecret": SECRET.answer(it),
        "webhookUrl": f"https://api.pulumi.com/in/{SECRET.answer(it)}",
    }


_DETAILS: dict[str, Callable[[Item], Row]] = {
    "github": _github,
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
    "azure_devops": _azure,
    "custom": _custom,
    "github_enterprise": _github,
}


def vcs_detail(it: Item) -> Row:
    """Return what the list of an integration's own kind has of it."""
    return {"id": it.uuid, **_DETAILS[provider_of(it)](it)}


def _of(name: str) -> Callable[[Item], Any]:
    return lambda it: vcs_detail(it).get(name)


def _account(it: Item) -> str | None:
    detail = vcs_detail(it)
    names = ("accountName", "groupName", "workspaceName")
    found = next((str(detail[name]) for name in names if name in detail), None)
    return found or detail.get("organization", {}).get("name")


def _is_base(it: Item) -> bool:
    return provider_of(it) == "custom"


VCS_INTEGRATIONS = Table(
    stream="pulumi_vcs_integrations",
    path="/api/console/orgs/{org}/integrations",
    under=ORGANIZATIONS,
    paging=WHOLE,
    rows_in="integrations",
    key=("org_name", "id"),
    many=7,
    deleted=lambda number: number == 1,
    late=lambda number: number == 1,
    more_truth={
        "base_url": lambda it: "https://git.sr.ht/~acme" if _is_base(it) else None,
        "account_name": _account,
        "valid": _of("valid"),
        "installed": _of("installed"),
        "installation_id": _of("installationID"),
        "disable_pr_comments": _of("disablePRComments"),
        "auth_user_login": lambda it: vcs_detail(it).get("authUser", {}).get("githubLogin"),
        "group_access_token_expiration": lambda it: (
            rfc3339(_token_ends(it)) if provider_of(it) == "gitlab" else None
        ),
        "environment": _of("environment"),
        "vcs_type": _of("vcsType"),
    },
    fields={
        "id": lambda it: it.uuid,
        "vcsProvider": provider_of,
        "name": lambda it: f"Acme “{it.number}”",
        "host": Untold(
            lambda it: "git.example.com" if provider_of(it) == "github_enterprise" else ""
        ),
        "hasIndividualAccess": Untold(says=False),
    },
    spread=lambda it: (
        {"baseUrl": f"https://ci:{SECRET.answer(it)}@git.sr.ht/~acme"} if _is_base(it) else {}
    ),
)
