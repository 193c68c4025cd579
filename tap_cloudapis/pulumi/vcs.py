"""Connections of an organization to GitHub, GitLab and their like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import or_none, snake_keys
from tap_cloudapis.pulumi.lists import OrganizationList
from tap_cloudapis.pulumi.urls import bare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Exchange
    from tap_cloudapis.core.paging import Row

#: What a detail is called where the kinds of connections have different words for one thing.
SAME = {
    "groupName": "accountName",
    "workspaceName": "accountName",
    "gitLabGroupId": "accountID",
    "workspaceUuid": "accountID",
    "groupPath": "accountSlug",
    "workspaceSlug": "accountSlug",
    "neoGitHubAppPermissionRequirements": "neoPermissionRequirements",
}


class VcsIntegrations(OrganizationList):
    """Connections to services that host code, each with what the list of its own kind tells.

    One whose own list is refused has the columns of the common one.
    """

    name = "pulumi_vcs_integrations"
    path = "/api/console/orgs/{org_name}/integrations"
    records_key = "integrations"
    dropped_fields = frozenset(
        {
            "auth_user",
            "gh_urls",
            "git_lab_org",
            "has_individual_access",
            "installation_url",
            "organization",
            "project",
            "webhook_secret",
            "webhook_url",
        }
    )
    facts = Facts(
        row="a connection to GitHub, GitLab or another service that hosts code",
        requests="per organization, one, and one for each kind of service that it is connected to",
        permission="the permission to read integrations (integrations:read)",
    )

    _kinds = 0

    def requests_beyond(self, rows: int) -> int:  # noqa: ARG002
        """One for each kind that was met last."""
        return self._kinds

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the list, and the lists of the kinds that are in it, side by side."""
        rows = [row for batch in super().lists(context) for row in batch]
        kinds = {kind for row in rows if isinstance(kind := row.get("vcsProvider"), str) and kind}
        self._kinds = len(kinds)
        most = None if self.ABORT_AT_RECORD_COUNT is None else 0
        asked = {
            kind: self.ask(context, below=f"/{self._url_encode(kind.replace('_', '-'))}")
            for kind in sorted(kinds)[:most]
        }
        found = {kind: self._details(kind, asked[kind], context) for kind in asked}
        for row in rows:
            details = found.get(str(row.get("vcsProvider")), {})
            detail = details.get(str(row.get("id")), {})
            # What the common list says of one is right.
            row.update({n: value for n, value in detail.items() if not row.get(n)})
        yield rows

    def _details(self, kind: str, asked: Exchange, context: Context | None) -> dict[str, Row]:
        """What the list of a kind has, by id."""
        try:
            body = asked.body()
        except RefusedError as exc:
            self.note_of(context, f"rows of {kind} come without their details ({exc})")
            return {}
        rows = as_object(body).get(self.records_key)
        if not isinstance(rows, list | None):
            raise self.misshapen(f"details of {kind}")
        return {str(row.get("id")): row for row in rows or [] if isinstance(row, dict)}

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Bring the kinds of connections into the same columns."""
        for name in row.keys() & SAME.keys():
            row[SAME[name]] = row.pop(name)
        # One and the same for Azure DevOps and GitLab: the account on the other side.
        other = as_object(row.get("organization")) or as_object(row.get("gitLabOrg"))
        record = snake_keys(row)
        if record.get("account_name") is None:
            record["account_name"] = other.get("name")
        account_id = record.get("account_id")
        record["account_id"] = other.get("id") if account_id is None else account_id
        record["has_required_permissions"] = other.get("hasRequiredPermissions")
        record["project_name"] = as_object(record.get("project")).get("name")
        record["auth_user_login"] = as_object(record.get("auth_user")).get("githubLogin")
        record["host"] = or_none(record.get("host"))
        record["base_url"] = bare(record.get("base_url"))
        return record
