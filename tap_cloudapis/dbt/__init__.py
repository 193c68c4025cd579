"""dbt Cloud: accounts, access, configuration, audit log and runs."""

from __future__ import annotations

from tap_cloudapis.core.service import Service
from tap_cloudapis.dbt.access import (
    IpRestrictions,
    OAuthConfigurations,
    PrivateEndpoints,
    ScimConfig,
    ScimTokens,
    SemanticLayerCredentials,
    ServiceTokenGrants,
    ServiceTokens,
    SshTunnels,
)
from tap_cloudapis.dbt.account import Accounts, Connections, Environments, Jobs, Projects
from tap_cloudapis.dbt.alerts import Notifications, WebhookEvents, Webhooks
from tap_cloudapis.dbt.audit_logs import AuditLogs
from tap_cloudapis.dbt.client import headers
from tap_cloudapis.dbt.configuration import (
    Credentials,
    EnvironmentVariables,
    ExtendedAttributes,
    JobEnvironmentVariables,
    LineageIntegrations,
    Profiles,
    Repositories,
)
from tap_cloudapis.dbt.filters import DbtFilters
from tap_cloudapis.dbt.people import (
    GroupPermissions,
    Groups,
    Invites,
    LicenseMaps,
    Licenses,
    UserGroups,
    UserLicenses,
    UserPermissions,
    Users,
)
from tap_cloudapis.dbt.run_results import RunInvocations, RunResults, SourceFreshness
from tap_cloudapis.dbt.run_steps import RunArtifacts, RunSteps
from tap_cloudapis.dbt.runs import Runs
from tap_cloudapis.dbt.settings import DEFAULT_URL, SETTINGS
from tap_cloudapis.dbt.walk import EndedRuns

#: What hangs on runs that have ended, in the order in which it is read of each of them.
_OF_ENDED_RUNS = (RunSteps, RunResults, SourceFreshness, RunInvocations, RunArtifacts)
#: What has rows of runs, and is narrowed by filters of runs.
_OF_RUNS = frozenset(stream.name for stream in (Runs, *_OF_ENDED_RUNS))

DBT_CLOUD = Service(
    key="dbt",
    title="dbt Cloud",
    settings=SETTINGS,
    default_url=DEFAULT_URL,
    url_hint=(
        "dbt_url is not set: set it to the access URL that Account settings in dbt Cloud show"
    ),
    api_path="/api",
    headers=headers,
    check=DbtFilters.from_settings,
    owner_setting="dbt_account_ids",
    narrowing={
        "dbt_project_ids": _OF_RUNS,
        "dbt_job_ids": _OF_RUNS,
        "dbt_environment_ids": _OF_RUNS,
        "dbt_run_statuses": _OF_RUNS,
    },
    # The children of a stream are read in this order: what one tells, those behind it can use.
    streams=(
        Accounts,
        Projects,
        Profiles,
        Environments,
        ExtendedAttributes,
        Repositories,
        Credentials,
        EnvironmentVariables,
        LineageIntegrations,
        Connections,
        Jobs,
        JobEnvironmentVariables,
        Runs,
        EndedRuns,
        *_OF_ENDED_RUNS,
        Licenses,
        Groups,
        GroupPermissions,
        Users,
        UserLicenses,
        UserGroups,
        UserPermissions,
        LicenseMaps,
        Invites,
        ServiceTokens,
        ServiceTokenGrants,
        Notifications,
        Webhooks,
        WebhookEvents,
        IpRestrictions,
        PrivateEndpoints,
        SshTunnels,
        OAuthConfigurations,
        ScimConfig,
        ScimTokens,
        SemanticLayerCredentials,
        AuditLogs,
    ),
)
