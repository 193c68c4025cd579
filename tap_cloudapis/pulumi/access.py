"""What opens an organization: roles, tokens, and issuers whose identities are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import or_none, snake_keys
from tap_cloudapis.pulumi.lists import OrganizationList, TeamList

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

#: What roles are for; each is a list of its own.
PURPOSES = ("role", "role_private", "role_temporary", "policy", "set")


class Roles(OrganizationList):
    """Roles, built in and custom, and the sets of permissions that they are made of."""

    name = "pulumi_roles"
    path = "/api/orgs/{org_name}/roles"
    records_key = "roles"
    facts = Facts(
        row="a role, built in or custom, or a set of permissions",
        requests=f"{len(PURPOSES)} per organization",
        permission="the permission to read roles (role:read)",
        plan="custom roles: Pro and above",
        switch="customRolesEnabled",
    )

    def reads(self, context: Context | None) -> Iterator[Read]:
        """The list of each purpose; a server may not know all of them."""
        for purpose in PURPOSES:
            missing = "" if purpose == PURPOSES[0] else f"without those for {purpose}"
            pages = self.new_paginator(context)
            yield Read(pages, {"uxPurpose": purpose}, optional=missing)

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Rename the fields; a custom role has no name that is built in."""
        record = snake_keys(row)
        record["default_identifier"] = or_none(record.get("default_identifier"))
        return record


class OrganizationTokens(OrganizationList):
    """Access tokens of an organization without their values, expired ones too."""

    name = "pulumi_organization_tokens"
    path = "/api/orgs/{org_name}/tokens"
    records_key = "tokens"
    page_size = ("maxResults", 1000)
    params: ClassVar[Mapping[str, Any]] = {"filter": "all"}
    dropped_fields = frozenset({"token", "token_value", "value"})
    facts = Facts(
        row="an access token of the organization, never its value",
        requests="one per 1,000 tokens",
        permission="the permission to read organization tokens (org_token:read)",
        plan="Essentials and above",
        switch="machineTokensEnabled",
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Rename the fields; the id of the role beside the role."""
        record = snake_keys(row)
        record["role_id"] = or_none(as_object(record.get("role")).get("id"))
        return record


class TeamTokens(TeamList):
    """Access tokens of teams without their values, expired ones too."""

    name = "pulumi_team_tokens"
    path = "/api/orgs/{org_name}/teams/{team_name}/tokens"
    primary_keys = ("org_name", "team_name", "id")
    records_key = "tokens"
    page_size = OrganizationTokens.page_size
    params = OrganizationTokens.params
    dropped_fields = OrganizationTokens.dropped_fields
    facts = Facts(
        row="an access token of a team, never its value",
        requests="one per team and 1,000 tokens",
        permission="the permission to read tokens of teams (team:list_tokens)",
        plan="Pro and above",
        unselected=Unselected.REQUESTS,
    )


class OidcIssuers(OrganizationList):
    """Issuers whose tokens the organization takes in exchange for its own."""

    name = "pulumi_oidc_issuers"
    path = "/api/orgs/{org_name}/oidc/issuers"
    records_key = "oidcIssuers"
    # Keys: long, and of no use elsewhere.
    dropped_fields = frozenset({"jwks"})
    facts = Facts(
        row="an issuer of identities that the organization trusts",
        requests="one per organization",
        permission="the permission to read OIDC issuers (oidc_issuers:read)",
    )
