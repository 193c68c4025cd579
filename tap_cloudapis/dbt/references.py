"""What the columns of dbt Cloud's streams refer to: foreign keys, as data.

Most columns are named after what they refer to, in every stream; the others stand in a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.facts import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ACCOUNT = "account_id"

#: The stream that a column of this name refers to, by its id.
NAMED = {
    _ACCOUNT: "dbt_accounts",
    "project_id": "dbt_projects",
    "environment_id": "dbt_environments",
    "job_definition_id": "dbt_jobs",
    "job_id": "dbt_jobs",
    "run_id": "dbt_runs",
    "connection_id": "dbt_connections",
    "credentials_id": "dbt_credentials",
    "extended_attributes_id": "dbt_extended_attributes",
    "primary_profile_id": "dbt_profiles",
    "repository_id": "dbt_repositories",
    "created_by_id": "dbt_users",
    "created_by_service_token_id": "dbt_service_tokens",
    "oauth_configuration_id": "dbt_oauth_configurations",
    "private_link_endpoint_id": "dbt_private_endpoints",
    "docs_job_id": "dbt_jobs",
    "freshness_job_id": "dbt_jobs",
    "deferring_environment_id": "dbt_environments",
    "deferring_job_definition_id": "dbt_jobs",
    "deferring_run_id": "dbt_runs",
    "retrying_run_id": "dbt_runs",
    "group_id": "dbt_groups",
    "user_id": "dbt_users",
    "service_token_id": "dbt_service_tokens",
    "subscription_id": "dbt_webhooks",
    "blocked_by[]": "dbt_runs",
    "group_ids[]": "dbt_groups",
    "job_ids[]": "dbt_jobs",
    "on_success[]": "dbt_jobs",
    "on_failure[]": "dbt_jobs",
    "on_cancel[]": "dbt_jobs",
    "on_warning[]": "dbt_jobs",
    "service_token_ids[]": "dbt_service_tokens",
    "semantic_layer_credential_ids[]": "dbt_semantic_layer_credentials",
    "primary_bindings[].id": "dbt_environments",
    "catalog_bindings[].id": "dbt_environments",
    "job_completion_trigger_condition.condition.job_id": "dbt_jobs",
}

#: Columns whose rows may be missing in every stream.
WEAK = frozenset(
    {
        "created_by_id",
        "created_by_service_token_id",
        "deferring_run_id",
        "retrying_run_id",
        "blocked_by[]",
        "group_ids[]",
        "job_ids[]",
    }
)

#: Columns whose rows may be missing in a stream.
WEAK_IN: Mapping[str, frozenset[str]] = {
    "dbt_projects": frozenset({"connection_id"}),
    "dbt_environments": frozenset(
        {
            "connection_id",
            "credentials_id",
            "extended_attributes_id",
            "primary_profile_id",
            "repository_id",
        }
    ),
    "dbt_profiles": frozenset({"extended_attributes_id"}),
    "dbt_notifications": frozenset({"user_id"}),
    "dbt_runs": frozenset({"job_definition_id", "job_id"}),
    **dict.fromkeys(
        (
            "dbt_run_artifacts",
            "dbt_run_invocations",
            "dbt_run_results",
            "dbt_run_steps",
            "dbt_source_freshness",
        ),
        frozenset({"job_definition_id"}),
    ),
    "dbt_ssh_tunnels": frozenset({"connection_id"}),
    "dbt_webhook_events": frozenset({"job_id", "run_id"}),
}

#: The step of a run; of a run that has none it is 0.
_STEP = Reference(
    (_ACCOUNT, "run_id", "step"), "dbt_run_steps", (_ACCOUNT, "run_id", "index"), weak=True
)
#: The command of dbt that a row is of.
_INVOCATION = Reference(
    (_ACCOUNT, "run_id", "step", "invocation_id"),
    "dbt_run_invocations",
    (_ACCOUNT, "run_id", "step", "invocation_id"),
)

#: Columns of a stream that have another name than what they refer to, or need a second one.
OTHERS: Mapping[str, tuple[Reference, ...]] = {
    "dbt_run_invocations": (_STEP,),
    "dbt_run_results": (_STEP, _INVOCATION),
    "dbt_source_freshness": (_STEP, _INVOCATION),
    "dbt_user_permissions": (
        Reference((_ACCOUNT, "target_resource"), "dbt_projects", (_ACCOUNT, "id"), weak=True),
    ),
    "dbt_environment_variables": (
        Reference(
            (_ACCOUNT, "project_id", "scope"),
            "dbt_environments",
            (_ACCOUNT, "project_id", "name"),
            weak=True,
        ),
    ),
    "dbt_job_environment_variables": (
        Reference(
            (_ACCOUNT, "project_id", "name"),
            "dbt_environment_variables",
            (_ACCOUNT, "project_id", "name"),
            weak=True,
        ),
    ),
    "dbt_audit_logs": (
        Reference((_ACCOUNT, "actor_id"), "dbt_users", (_ACCOUNT, "id"), weak=True),
    ),
    "dbt_runs": (
        Reference((_ACCOUNT, "audit.trigger.actor.id"), "dbt_users", (_ACCOUNT, "id"), weak=True),
        Reference(
            (_ACCOUNT, "audit.cancellation.actor.id"), "dbt_users", (_ACCOUNT, "id"), weak=True
        ),
    ),
}


def references_of(stream: str, schema: Mapping[str, Any]) -> Sequence[Reference]:
    """What the columns of a stream refer to.

    Args:
        stream: The name of the stream.
        schema: Its schema.
    """
    weak = WEAK | WEAK_IN.get(stream, frozenset())
    owner = _ACCOUNT if _has(schema, _ACCOUNT) else "id"
    found = [
        Reference((column,), target, ("id",))
        if column == _ACCOUNT
        else Reference((owner, column), target, (_ACCOUNT, "id"), column in weak)
        for column, target in NAMED.items()
        if _has(schema, column)
    ]
    return (*found, *OTHERS.get(stream, ()))


def _has(schema: Mapping[str, Any], column: str) -> bool:
    """Whether a schema declares a column, which may lie within objects and arrays."""
    for part in column.split("."):
        name = part.removesuffix("[]")
        found = schema.get("properties", {}).get(name)
        if found is None:
            return False
        schema = found.get("items", {}) if part.endswith("[]") else found
        if part.endswith("[]") is not ("items" in found):
            return False
    return True
