"""How our schemas differ from the vendors' documents on purpose, and why.

The documents are no part of the distribution; where they lie beside the checkout, the schemas of
these streams are held against them.
"""

from __future__ import annotations

DBT_V2, DBT_V3, PULUMI = "dbt-cloud-v2.yaml", "dbt-cloud-v3.yaml", "pulumi-cloud.json"
ITEMS = {
    "dbt/accounts": (DBT_V3, ["AccountResponse"]),
    "dbt/audit_logs": (DBT_V3, ["PublicAuditLogResponse"]),
    "dbt/connections": (DBT_V3, ["AccountConnectionDetail", "AccountConnectionList"]),
    "dbt/credentials": (
        DBT_V3,
        [
            "PostgresCredentials",
            "RedshiftCredentials",
            "SnowflakeCredentials",
            "BigqueryCredentials",
            "DbtAdapterCredentials",
        ],
    ),
    "dbt/environment_variables": (DBT_V3, ["EnvVarValue"]),
    "dbt/environments": (DBT_V3, ["EnvironmentV3Response"]),
    "dbt/extended_attributes": (DBT_V3, ["ExtendedAttributes"]),
    "dbt/group_permissions": (DBT_V3, ["GroupPermissionResponse", "GroupPermission"]),
    "dbt/groups": (DBT_V3, ["GroupResponse"]),
    "dbt/invites": (DBT_V2, ["InviteResponse"]),
    "dbt/ip_restrictions": (DBT_V3, ["IPRestrictionRuleResponse"]),
    "dbt/job_environment_variables": (DBT_V3, ["EnvVarValue"]),
    "dbt/jobs": (DBT_V2, ["HumanReadableJobDefinitionResponse"]),
    "dbt/license_maps": (DBT_V3, ["LicenseMapResponse"]),
    "dbt/licenses": (DBT_V2, ["LicenseDetail"]),
    "dbt/lineage_integrations": (DBT_V3, ["LineageIntegration"]),
    "dbt/notifications": (DBT_V2, ["JobNotificationSettingsResponse"]),
    "dbt/oauth_configurations": (DBT_V3, ["OAuthConfigurationResponse"]),
    "dbt/private_endpoints": (DBT_V3, ["PrivateEndpointList"]),
    "dbt/profiles": (DBT_V3, ["ProfileList"]),
    "dbt/projects": (DBT_V3, ["ProjectResponse"]),
    "dbt/repositories": (DBT_V3, ["RepositoryV3Response"]),
    "dbt/run_steps": (DBT_V2, ["RunStepResponse"]),
    "dbt/runs": (DBT_V2, ["RunResponse"]),
    "dbt/scim_config": (DBT_V3, ["SCIMConfig"]),
    "dbt/scim_tokens": (DBT_V3, ["SCIMToken"]),
    "dbt/semantic_layer_credentials": (DBT_V3, ["SemanticLayerCredentialsResponse"]),
    "dbt/service_token_grants": (DBT_V3, ["ServiceTokenPermissionGrant"]),
    "dbt/service_tokens": (DBT_V3, ["ServiceToken"]),
    "dbt/ssh_tunnels": (DBT_V2, ["ConnectionEncryptionResponse"]),
    "dbt/user_licenses": (DBT_V3, ["UserLicense"]),
    "dbt/users": (DBT_V3, ["UserResponse"]),
    "dbt/webhook_events": (DBT_V3, ["Event"]),
    "dbt/webhooks": (DBT_V3, ["Subscription"]),
    "pulumi/organization_members": (PULUMI, ["OrganizationMember", "UserInfo"]),
    "pulumi/organization_teams": (PULUMI, ["Team"]),
    "pulumi/organizations": (PULUMI, ["OrganizationMetadata", "Organization"]),
    "pulumi/stack_updates": (PULUMI, ["UpdateInfo", "AppUpdateInfo"]),
    "pulumi/stacks": (PULUMI, ["AppStackSummary"]),
}

# Names that differ by more than their case.
RENAMED = {
    "pulumi/organizations": {"githubLogin": "org_name"},
    "pulumi/organization_members": {
        "githubLogin": "user_login",
        "name": "user_name",
        "email": "user_email",
        "avatarUrl": "user_avatar_url",
    },
    "pulumi/stacks": {"id": "stack_id"},
}

RELATED = "a related object: never asked for, and extracted by a stream of its own if at all"
VOLATILE = "relative to the moment of reading"
FLATTENED = "its fields are columns"
PARTS = "its entries are rows of streams of their own"
HIDDEN = "a secret, or a holder of secrets"
OMITTED = {
    "dbt/credentials": {
        "_refresh_token": HIDDEN,
        "default_schema": "schema has it",
        "username": "user has it",
    },
    "dbt/environments": {
        "project": RELATED,
        "credentials": "holds secrets, and is null unless asked for",
    },
    "dbt/groups": {"group_permissions": PARTS},
    "dbt/invites": {"account": RELATED, "groups": RELATED},
    "dbt/jobs": {
        "account": RELATED,
        "project": RELATED,
        "environment": RELATED,
        "fusion_readiness": "computed on request only",
    },
    "dbt/notifications": {"user": RELATED},
    "dbt/projects": dict.fromkeys(
        ["connection", "docs_job", "environments", "freshness_job", "group_permissions"], RELATED
    )
    | {"repository": RELATED},
    "dbt/repositories": {
        "deploy_key": HIDDEN,
        "git_provider": RELATED,
        "gitlab": "holds the id of a token",
    },
    "dbt/run_steps": {
        **dict.fromkeys(["run_step_command", "run_step_invocation"], RELATED),
        **dict.fromkeys(["log_path", "debug_log_path", "status_color"], "of no use elsewhere"),
        "duration_humanized": "duration has it",
    },
    "dbt/runs": dict.fromkeys(["job", "environment", "run_steps"], RELATED)
    | dict.fromkeys(
        [
            "created_at_humanized",
            "duration_humanized",
            "finished_at_humanized",
            "queued_duration_humanized",
            "run_duration_humanized",
        ],
        VOLATILE,
    ),
    "dbt/semantic_layer_credentials": {
        "service_tokens": "service_token_ids has their ids",
        "values": HIDDEN,
    },
    "dbt/service_tokens": {
        "permission_grants": PARTS,
        "semantic_layer_credentials": "semantic_layer_credential_ids has their ids",
    },
    "dbt/users": {
        "auth_provider_infos": "links to other services",
        "licenses": "spans all accounts of the person",
        "permissions": PARTS,
    },
    "dbt/webhook_events": {"payload": "holds names; what tells of the run are columns"},
    "pulumi/organization_members": {"user": FLATTENED},
    "pulumi/stack_updates": {
        "info": FLATTENED,
        "deployment": "the checkpoint: large, and full of secrets",
        "latestVersion": "a fact of the stack, which changes old updates at every new one",
    },
}

# Properties that the specifications do not know, by where they come from.
IN_PAYLOADS = {
    "dbt/accounts": {
        "develop_file_system",
        "enterprise_authentication_method",
        "enterprise_login_url",
        "enterprise_unique_identifier",
        "force_sso",
        "groups.id",
        "sso_reauth",
        "unlock_if_subscription_renewed",
    },
    "dbt/audit_logs": {
        "internal",
        "logged_at",
        "metadata",
        "routing_key",
        "state",
        "updated_at",
        "uuid",
    },
    "dbt/connections": {"type"},
    "dbt/credentials": {"created_at", "id", "updated_at"},
    "dbt/environments": {"created_by_id", "dbt_project_subdirectory", "repository_id"},
    "dbt/ip_restrictions": {"cidrs.id"},
    "dbt/jobs": {"cron_humanized", "deactivated", "next_run"},
    "dbt/lineage_integrations": {
        "config",
        "config.host",
        "config.site_id",
        "config.token_name",
    },
    "dbt/projects": {"skipped_setup"},
    "dbt/repositories": {"pull_request_url_template", "remote_url"},
    "dbt/runs": {"scribe_enabled", "trigger.cause_humanized", "trigger.created_at", "trigger.id"},
    "dbt/user_licenses": {"created_at", "id", "updated_at"},
    # Of the details of a person, which have another shape.
    "dbt/users": {"fullname", "scim_managed", "updated_at"},
    "dbt/webhooks": {"created_at", "updated_at"},
}
IN_NEWER_CLIENTS = {
    "pulumi/organization_members": {"suspended"},
    "pulumi/organizations": {"past_due_since", "retrial_announced_end_date", "retrial_product"},
}
#: Columns that the tap makes, beside the host and what comes from the context.
MADE_BY_THE_TAP = {
    "dbt/audit_logs": {"actor_id", "actor_ip", "actor_name", "actor_type"},
    "dbt/environment_variables": {"has_value", "is_secret", "name", "scope"},
    "dbt/extended_attributes": {"attribute_keys"},
    "dbt/job_environment_variables": {"has_value", "is_secret", "name"},
    "dbt/licenses": {"license_type"},
    "dbt/run_steps": {"command", "command_verb", "duration_seconds", "is_dbt"},
    "dbt/runs": {
        "duration_seconds",
        "queued_duration_seconds",
        "run_duration_seconds",
        "run_url",
    },
    "dbt/semantic_layer_credentials": {"service_token_ids"},
    "dbt/service_token_grants": {"scope"},
    "dbt/service_tokens": {"semantic_layer_credential_ids"},
    "dbt/webhook_events": {"event_time", "run_id", "run_status"},
    "pulumi/organization_members": {"org_name"},
    "pulumi/organization_teams": {"org_name"},
    "pulumi/stack_updates": {
        "org_name",
        "project_name",
        "requested_by_login",
        "stack_id",
        "stack_name",
    },
    "pulumi/stacks": {"console_url"},
}
#: Columns of another type than the documents', as payloads have them in several.
RETYPED = {
    "dbt/webhook_events": {"account_id", "http_status_code", "job_id"},
    "dbt/webhooks": {"dispatched_at", "http_status_code"},
}
