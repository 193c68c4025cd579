"""What the columns of Pulumi Cloud's streams refer to: foreign keys, as data.

Columns that mean the same wherever they are stand in one table, those of a stream in another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.facts import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ORG = "org_name"
_STACK = ("project_name", "stack_name")
_STACK_ID = (*_STACK, "stack_id")
_ENVIRONMENT = ("project_name", "env_name")
_UPDATE = (*_STACK_ID, "version")


def within(
    columns: Sequence[str], stream: str, to: Sequence[str], *, weak: bool = True
) -> Reference:
    """A reference within an organization: names and ids mean nothing outside of it.

    Args:
        columns: The columns, without the organization's.
        stream: The other stream.
        to: The columns that have the values there.
        weak: Whether the other row may be missing.
    """
    return Reference((_ORG, *columns), stream, (_ORG, *to), weak)


#: Columns that refer to the same in every stream that has them, but in the one referred to.
EVERYWHERE = (
    Reference((_ORG,), "pulumi_organizations", (_ORG,)),
    within(("team_name",), "pulumi_organization_teams", ("name",), weak=False),
    # Former members, robots, and people whom the token may not see.
    within(("user_login",), "pulumi_organization_members", ("user_login",)),
    within(("created_by",), "pulumi_organization_members", ("user_login",)),
    within(("owned_by_login",), "pulumi_organization_members", ("user_login",)),
    within(("requested_by_login",), "pulumi_organization_members", ("user_login",)),
    within(("agent_pool_id",), "pulumi_agent_pools", ("id",)),
    within(("deployment_id",), "pulumi_deployments", ("id",), weak=False),
    within(("policy_group_name",), "pulumi_policy_groups", ("name",), weak=False),
    within(_ENVIRONMENT, "pulumi_environments", _ENVIRONMENT, weak=False),
    within(("creator_login",), "pulumi_organization_members", ("user_login",)),
    within(("editor_login",), "pulumi_organization_members", ("user_login",)),
    within(("role_id",), "pulumi_roles", ("id",)),
    within(("fga_role_id",), "pulumi_roles", ("id",)),
    within(("role_ids[]",), "pulumi_roles", ("id",)),
    within(("default_role_id",), "pulumi_roles", ("id",)),
    within(("default_deployment_role_id",), "pulumi_roles", ("id",)),
)

#: What lies below a stack has its id as well, which follows it wherever it goes.
BELOW_STACKS = (
    within(_STACK, "pulumi_stacks", _STACK, weak=False),
    within(("stack_id",), "pulumi_stacks", ("stack_id",)),
)

_MAYBE_BELOW_STACKS = (
    within(_STACK, "pulumi_stacks", _STACK),
    within(("stack_id",), "pulumi_stacks", ("stack_id",)),
)
_JOB = ("deployment_id", "job_number")
#: What an update has left is read of those that the walk over updates has met.
_OF_UPDATES = (
    within(_UPDATE, "pulumi_stack_updates", _UPDATE, weak=False),
    within(("update_id",), "pulumi_stack_updates", ("update_id",), weak=False),
)

#: Columns of a stream that have another name than what they refer to, or may refer to nothing.
OTHERS: Mapping[str, tuple[Reference, ...]] = {
    "pulumi_audit_logs": (within(("token_id",), "pulumi_organization_tokens", ("id",)),),
    # A deployment may come without names, and outlives its stack.
    "pulumi_deployments": _MAYBE_BELOW_STACKS,
    "pulumi_deployment_jobs": _MAYBE_BELOW_STACKS,
    "pulumi_deployment_steps": (within(_JOB, "pulumi_deployment_jobs", _JOB, weak=False),),
    "pulumi_deployment_updates": (
        *_MAYBE_BELOW_STACKS,
        within(("update_id",), "pulumi_stack_updates", ("update_id",)),
    ),
    "pulumi_change_requests": (
        within(_ENVIRONMENT, "pulumi_environments", _ENVIRONMENT),
        within(("created_by_login",), "pulumi_organization_members", ("user_login",)),
    ),
    "pulumi_environment_revisions": (
        within(("source_change_request_id",), "pulumi_change_requests", ("id",)),
    ),
    # The token may see fewer environments than the team.
    "pulumi_team_environment_permissions": (
        within(_ENVIRONMENT, "pulumi_environments", _ENVIRONMENT),
    ),
    "pulumi_stack_details": (
        within(("active_update",), "pulumi_stack_updates", ("update_id",)),
        within(("current_operation_author",), "pulumi_organization_members", ("user_login",)),
    ),
    "pulumi_stack_references": (
        Reference(
            ("ref_org_name", "ref_project_name", "ref_stack_name"),
            "pulumi_stacks",
            (_ORG, *_STACK),
            weak=True,
        ),
    ),
    "pulumi_stack_deployment_status": (
        within(("latest_drift_run_id",), "pulumi_drift_runs", ("id",)),
    ),
    "pulumi_stack_resources": tuple(
        within((*_STACK_ID, column), "pulumi_stack_resources", (*_STACK_ID, "urn"), weak=False)
        for column in ("parent", "dependencies[]")
    ),
    "pulumi_update_timelines": (
        *_OF_UPDATES,
        within(("collated_update_ids[]",), "pulumi_stack_updates", ("update_id",)),
        within(("preview_ids[]",), "pulumi_stack_previews", ("update_id",)),
    ),
    "pulumi_update_events": _OF_UPDATES,
    # A token may see fewer stacks than the group has; some packs are Pulumi's own.
    "pulumi_policy_group_stacks": (within(_STACK, "pulumi_stacks", _STACK),),
    "pulumi_policy_group_packs": (within(("name",), "pulumi_policy_packs", ("name",)),),
    "pulumi_policy_issues": (
        within(("policy_group_name",), "pulumi_policy_groups", ("name",)),
        within(("policy_pack",), "pulumi_policy_packs", ("name",)),
        within(("assigned_to_login",), "pulumi_organization_members", ("user_login",)),
    ),
    "pulumi_policy_compliance": (
        within(("policy_group_name",), "pulumi_policy_groups", ("name",)),
        within(("policy_pack",), "pulumi_policy_packs", ("name",)),
    ),
    "pulumi_drift_runs": (
        within(("deployment_id",), "pulumi_deployments", ("id",)),
        within(("detect_update_id",), "pulumi_stack_updates", ("update_id",)),
        within(("remediate_update_id",), "pulumi_stack_updates", ("update_id",)),
    ),
    # The list of what is in use lags behind.
    "pulumi_package_usage": (
        within(_STACK, "pulumi_stacks", _STACK),
        within(("package_name",), "pulumi_registry_packages", ("name",)),
    ),
    # The index lags behind; what was discovered has no stack.
    "pulumi_resources": (
        within(("project", "stack"), "pulumi_stacks", _STACK),
        within(("account",), "pulumi_insights_accounts", ("name",)),
    ),
    "pulumi_team_account_permissions": (
        within(("account_name",), "pulumi_insights_accounts", ("name",)),
    ),
    # The token may see fewer stacks than the team.
    "pulumi_team_stack_permissions": (within(_STACK, "pulumi_stacks", _STACK),),
}


def references_of(stream: str, schema: Mapping[str, Any]) -> Sequence[Reference]:
    """What the columns of a stream refer to.

    Args:
        stream: The name of the stream.
        schema: Its schema.
    """
    is_below_stack = all(_has(schema, name) for name in (*_STACK, "stack_id"))
    shared = EVERYWHERE + (BELOW_STACKS if is_below_stack else ())
    others = OTHERS.get(stream, ())
    named = {reference.columns for reference in others}
    found = [
        reference
        for reference in shared
        if all(_has(schema, column) for column in reference.columns)
        and reference.stream != stream
        and reference.columns not in named
    ]
    return (*found, *others)


def _has(schema: Mapping[str, Any], column: str) -> bool:
    """Whether a schema declares a column, which may be an array of values."""
    found = schema.get("properties", {}).get(column.removesuffix("[]"))
    if found is not None and "additionalProperties" in found:
        return False  # an object, beside which stands what it is known by
    return found is not None and column.endswith("[]") is ("items" in found)
