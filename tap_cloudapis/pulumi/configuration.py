"""What an organization has set up, and which stacks it has deleted lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import or_none, snake_keys
from tap_cloudapis.pulumi.lists import OrganizationList
from tap_cloudapis.pulumi.urls import bare, host_of

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Page, Row


class AgentPools(OrganizationList):
    """Pools of the runners that carry out deployments in networks of the organization's own."""

    name = "pulumi_agent_pools"
    path = "/api/orgs/{org_name}/agent-pools"
    records_key = "agentPools"
    dropped_fields = frozenset({"token_value"})
    facts = Facts(
        row="a pool of deployment runners",
        requests="one per organization",
        permission="the permission to read agent pools (agent_pool:read)",
        plan="Enterprise",
        switch="selfHostedDeploymentsEnabled",
    )

    def read_page(self, body: Any) -> Page:
        """Read the list; on older servers only what stands beside it tells the default pool."""
        page = super().read_page(body)
        default = as_object(body).get("defaultAgentPoolID")
        for row in page.rows if default else []:
            if isinstance(row, dict) and row.get("isDefault") is None:
                row["isDefault"] = row.get("id") == default
        return page


class OrganizationWebhooks(OrganizationList):
    """Webhooks of an organization, of whose addresses no more is told than the host."""

    name = "pulumi_organization_webhooks"
    path = "/api/orgs/{org_name}/hooks"
    primary_keys = ("org_name", "name")
    records_key = ""
    dropped_fields = frozenset(
        {
            "organization_name",
            "project_name",
            "stack_name",
            "env_name",
            "payload_url",
            "secret",
            "secret_ciphertext",
        }
    )
    facts = Facts(
        row="a webhook of the organization",
        requests="one per organization",
        permission="the permission to read webhooks (organization_webhook:read)",
        plan="Essentials and above",
        switch="webhooksEnabled",
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Keep the host of the address."""
        record = snake_keys(row)
        record["payload_host"] = host_of(record.get("payload_url"))
        return record


class DeletedStacks(OrganizationList):
    """The stacks that were deleted last, 25 at most: older rows stay in a target."""

    name = "pulumi_deleted_stacks"
    path = "/api/orgs/{org_name}/restore-stack"
    records_key = "deletedStacks"
    adds_up = True
    dropped_fields = frozenset({"last_update"})
    facts = Facts(
        row="a stack that was deleted",
        requests="one per organization",
        permission="the permission to list deleted stacks (stack:list_deleted)",
        plan="Pro and above",
        switch="restoreStacksEnabled",
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Lay the fields of the last update beside those of the stack."""
        record = snake_keys(row)
        last = snake_keys(as_object(record.get("last_update")))
        for name in ("result", "start_time", "end_time", "resource_count"):
            record[f"last_update_{name}"] = last.get(name)
        return record


class TemplateSources(OrganizationList):
    """Places that templates of an organization come from."""

    name = "pulumi_template_sources"
    path = "/api/orgs/{org_name}/templates/sources"
    records_key = "sources"
    # What was there before destination_url.
    dropped_fields = frozenset({"destination"})
    facts = Facts(
        row="a place that templates come from",
        requests="one per organization",
        permission="the permission to read template sources (templates_source:read)",
        plan="Pro and above",
        switch="customTemplatesEnabled",
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Cut the addresses; a source that works has no error."""
        record = snake_keys(row)
        earlier = as_object(record.get("destination")).get("url")
        record["source_url"] = bare(record.get("source_url"))
        record["destination_url"] = bare(record.get("destination_url") or earlier)
        record["error"] = or_none(record.get("error"))
        return record
