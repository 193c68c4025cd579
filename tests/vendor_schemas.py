"""How our schemas differ from the vendors' documents on purpose, and why.

The documents are no part of the distribution; where they lie beside the checkout, the schemas of
these streams are held against them.
"""

from __future__ import annotations

from pathlib import Path

SPECS = Path(__file__).resolve().parents[2] / "shared" / "openapi"
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
    "pulumi/audit_logs": (PULUMI, ["AuditLogEvent"]),
    "pulumi/deployment_jobs": (PULUMI, ["DeploymentJob"]),
    "pulumi/deployment_steps": (PULUMI, ["StepRun"]),
    "pulumi/deployment_updates": (PULUMI, ["DeploymentNestedUpdate"]),
    "pulumi/deployments": (PULUMI, ["ListDeploymentSnapshot"]),
    "pulumi/drift_runs": (PULUMI, ["DriftRun"]),
    "pulumi/organization_deployment_status": (PULUMI, ["OrgDeploymentsMetadataResponse"]),
    "pulumi/agent_pools": (PULUMI, ["AgentPool"]),
    "pulumi/deleted_stacks": (PULUMI, ["DeletedStack"]),
    "pulumi/insights_accounts": (PULUMI, ["InsightsAccount"]),
    "pulumi/oidc_issuers": (PULUMI, ["OidcIssuerRegistrationResponse"]),
    "pulumi/environment_revisions": (PULUMI, ["EnvironmentRevision"]),
    "pulumi/environment_tags": (PULUMI, ["EnvironmentTag"]),
    "pulumi/environments": (PULUMI, ["OrgEnvironment"]),
    "pulumi/organization_members": (PULUMI, ["OrganizationMember", "UserInfo"]),
    "pulumi/organization_teams": (PULUMI, ["Team"]),
    "pulumi/organization_tokens": (PULUMI, ["AccessToken"]),
    "pulumi/organizations": (PULUMI, ["OrganizationMetadata", "Organization"]),
    "pulumi/package_usage": (PULUMI, ["StackUsage"]),
    "pulumi/registry_packages": (PULUMI, ["PackageMetadata"]),
    "pulumi/registry_templates": (PULUMI, ["Template"]),
    "pulumi/resources": (PULUMI, ["ResourceResult"]),
    "pulumi/change_requests": (PULUMI, ["GetChangeRequestResponse"]),
    "pulumi/policy_compliance": (PULUMI, ["PolicyComplianceRow"]),
    "pulumi/policy_group_packs": (PULUMI, ["AppPolicyPackMetadata"]),
    "pulumi/policy_group_stacks": (PULUMI, ["AppPulumiStackReference"]),
    "pulumi/policy_groups": (PULUMI, ["PolicyGroup", "AppPolicyGroupSummary"]),
    "pulumi/policy_issues": (PULUMI, ["PolicyIssue"]),
    "pulumi/policy_packs": (PULUMI, ["AppPolicyPackWithVersions"]),
    "pulumi/policy_summary": (PULUMI, ["PolicyResultsMetadata", "PolicyGroupMetadata"]),
    "pulumi/stack_details": (PULUMI, ["AppStack"]),
    "pulumi/stack_previews": (PULUMI, ["UpdateInfo", "AppUpdateInfo"]),
    "pulumi/stack_resources": (PULUMI, ["Resource"]),
    "pulumi/stack_updates": (PULUMI, ["UpdateInfo", "AppUpdateInfo"]),
    "pulumi/stacks": (PULUMI, ["AppStackSummary"]),
    "pulumi/team_account_permissions": (PULUMI, ["TeamAccountPermission"]),
    "pulumi/team_environment_permissions": (PULUMI, ["TeamEnvironmentSettings"]),
    "pulumi/team_stack_permissions": (PULUMI, ["TeamStackPermission"]),
    "pulumi/team_tokens": (PULUMI, ["AccessToken"]),
    "pulumi/template_sources": (PULUMI, ["TemplateSource"]),
}

# Names that differ by more than their case.
RENAMED = {
    "pulumi/environments": {
        "organization": "org_name",
        "project": "project_name",
        "name": "env_name",
    },
    "pulumi/organizations": {"githubLogin": "org_name"},
    "pulumi/organization_members": {
        "githubLogin": "user_login",
        "name": "user_name",
        "email": "user_email",
        "avatarUrl": "user_avatar_url",
    },
    "pulumi/policy_group_stacks": {"name": "stack_name", "routingProject": "project_name"},
    "pulumi/stack_details": {"id": "stack_id"},
    "pulumi/stack_resources": {"id": "resource_id"},
    "pulumi/stacks": {"id": "stack_id"},
    "pulumi/team_environment_permissions": {"maxOpenDuration": "max_open_duration_seconds"},
}

RELATED = "a related object: never asked for, and extracted by a stream of its own if at all"
VOLATILE = "relative to the moment of reading"
FLATTENED = "its fields are columns"
PARTS = "its entries are rows of streams of their own"
HIDDEN = "a secret, or a holder of secrets"
SIGNED = "an address that is signed anew for each answer"
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
    "pulumi/deployment_jobs": {"steps": PARTS},
    "pulumi/policy_groups": dict.fromkeys(["stacks", "accounts", "appliedPolicyPacks"], PARTS),
    "pulumi/deleted_stacks": {"lastUpdate": FLATTENED},
    "pulumi/oidc_issuers": {"jwks": "keys, which are long and of no use elsewhere"},
    "pulumi/organization_members": {"user": FLATTENED},
    "pulumi/package_usage": {"lastUpdate": FLATTENED},
    "pulumi/registry_packages": {
        "logoUrl": SIGNED,
        "pluginDownloadURL": HIDDEN,
        "readmeURL": SIGNED,
        "schemaURL": SIGNED,
    },
    "pulumi/registry_templates": {"downloadURL": SIGNED, "readmeURL": SIGNED},
    "pulumi/resources": {
        "matches": "what of a row a query has met",
        "properties": "never asked for: may hold secrets, and costs more",
    },
    "pulumi/environment_revisions": {"sourceChangeRequest": "source_change_request_id has its id"},
    "pulumi/environments": {"referrerMetadata": "always zero"},
    "pulumi/stack_details": {"config": HIDDEN, "currentOperation": FLATTENED},
    "pulumi/stack_resources": {"initErrors": "may quote values; init_error_count has their number"},
    "pulumi/stack_previews": {
        "info": FLATTENED,
        "deployment": "the checkpoint: large, and full of secrets",
        "latestVersion": "a fact of the stack, which changes old updates at every new one",
    },
    "pulumi/stack_updates": {
        "info": FLATTENED,
        "deployment": "the checkpoint: large, and full of secrets",
        "latestVersion": "a fact of the stack, which changes old updates at every new one",
    },
    "pulumi/template_sources": {"destination": "destination_url has its address"},
}

# Properties that the specifications do not know, by where they come from.
IN_PAYLOADS = {
    "pulumi/registry_templates": {"created_at"},
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
    # Of the kind of thing that is an environment.
    "pulumi/change_requests": {"entity.name", "entity.project"},
    # In the prose of the documentation.
    "pulumi/organization_deployment_status": {"paused_stacks"},
    "pulumi/stack_resources": {"created", "modified", "provider"},
}
IN_NEWER_CLIENTS = {
    "pulumi/policy_groups": {"account_match_rule", "stack_match_rule"},
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
    "pulumi/audit_logs": {"event_hash", "org_name", "user_login"},
    "pulumi/change_requests": {
        "created_by_login",
        "entity_type",
        "env_name",
        "gates_satisfied",
        "org_name",
        "project_name",
    },
    "pulumi/policy_compliance": {"org_name"},
    "pulumi/policy_group_packs": {"org_name", "policy_group_name"},
    "pulumi/policy_group_stacks": {"org_name", "policy_group_name"},
    "pulumi/policy_groups": {"org_name"},
    "pulumi/policy_issues": {"assigned_to_login", "is_closed", "org_name"},
    "pulumi/policy_packs": {"access_level", "org_name", "publisher", "source"},
    "pulumi/policy_summary": {"date", "org_name"},
    "pulumi/deployment_jobs": {
        "deployment_id",
        "duration_seconds",
        "job_number",
        "org_name",
        "project_name",
        "stack_id",
        "stack_name",
    },
    "pulumi/deployment_steps": {
        "deployment_id",
        "duration_seconds",
        "job_number",
        "org_name",
        "step_number",
    },
    "pulumi/deployment_updates": {
        "deployment_id",
        "org_name",
        "project_name",
        "stack_id",
        "stack_name",
    },
    "pulumi/deployments": {"agent_pool_id", "org_name", "requested_by_login", "stack_id"},
    "pulumi/drift_runs": {
        "detect_update_id",
        "org_name",
        "project_name",
        "remediate_update_id",
        "stack_id",
        "stack_name",
    },
    "pulumi/organization_deployment_status": {"org_name"},
    "pulumi/agent_pools": {"org_name"},
    "pulumi/deleted_stacks": {
        "last_update_end_time",
        "last_update_resource_count",
        "last_update_result",
        "last_update_start_time",
        "org_name",
    },
    "pulumi/insights_accounts": {
        "org_name",
        "owned_by_login",
        "scan_finished_at",
        "scan_id",
        "scan_last_updated_at",
        "scan_resource_count",
        "scan_started_at",
        "scan_user_id",
    },
    "pulumi/oidc_issuers": {"org_name"},
    "pulumi/organization_members": {"fga_role_id", "has_seat", "on_roster", "org_name"},
    "pulumi/organization_teams": {"org_name"},
    "pulumi/organization_tokens": {"org_name", "role_id"},
    "pulumi/package_usage": {
        "last_update_time",
        "last_update_version",
        "org_name",
        "package_name",
    },
    "pulumi/registry_packages": {"org_name"},
    "pulumi/registry_templates": {"org_name"},
    "pulumi/resources": {"org_name", "resource_key"},
    "pulumi/environment_revisions": {
        "env_name",
        "org_name",
        "project_name",
        "retracted_at",
        "source_change_request_id",
    },
    "pulumi/environment_tags": {"env_name", "org_name", "project_name"},
    "pulumi/environments": {"owned_by_login"},
    "pulumi/stack_details": {
        "config_environment",
        "current_operation_author",
        "current_operation_kind",
        "current_operation_started",
    },
    "pulumi/stack_resources": {
        "init_error_count",
        "org_name",
        "project_name",
        "region",
        "stack_id",
        "stack_name",
        "version",
    },
    "pulumi/stack_previews": {
        "org_name",
        "project_name",
        "requested_by_login",
        "stack_id",
        "stack_name",
    },
    "pulumi/stack_updates": {
        "org_name",
        "project_name",
        "requested_by_login",
        "stack_id",
        "stack_name",
    },
    "pulumi/stacks": {"console_url"},
    "pulumi/team_account_permissions": {"org_name", "permission_label", "team_name"},
    "pulumi/team_environment_permissions": {"org_name", "team_name"},
    "pulumi/team_stack_permissions": {"org_name", "permission_label", "team_name"},
    "pulumi/team_tokens": {"org_name", "team_name"},
    "pulumi/template_sources": {"org_name"},
}
#: Columns of another type than the documents', as payloads have them in several.
RETYPED = {
    "dbt/webhook_events": {"account_id", "http_status_code", "job_id"},
    "dbt/webhooks": {"dispatched_at", "http_status_code"},
    # Times that the document calls text.
    "pulumi/deployments": {"created", "modified"},
    "pulumi/drift_runs": {"created", "detectUpdate", "remediateUpdate"},
    # An object, whose status has its name; the other fields are columns as well.
    "pulumi/insights_accounts": {"scanStatus"},
    # Without its parameter, which is opaque.
    "pulumi/registry_packages": {"parameterization"},
    # Seconds, of what comes as text.
    "pulumi/team_environment_permissions": {"maxOpenDuration"},
    # Times that the document calls text.
    "pulumi/oidc_issuers": {"created", "lastUsed", "modified"},
    "pulumi/organization_tokens": {"created"},
    "pulumi/resources": {"created", "modified"},
    "pulumi/team_tokens": {"created"},
    "pulumi/environments": {"created", "deletedAt", "modified"},
}
