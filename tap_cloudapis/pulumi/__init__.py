"""Pulumi Cloud: organizations, what they have and who opens them, stacks and their updates."""

from __future__ import annotations

from tap_cloudapis.core.service import Service
from tap_cloudapis.pulumi.access import OidcIssuers, OrganizationTokens, Roles, TeamTokens
from tap_cloudapis.pulumi.audit_logs import AuditLogs
from tap_cloudapis.pulumi.change_requests import ChangeRequests
from tap_cloudapis.pulumi.client import headers
from tap_cloudapis.pulumi.configuration import (
    AgentPools,
    DeletedStacks,
    OrganizationWebhooks,
    TemplateSources,
)
from tap_cloudapis.pulumi.deployments import (
    DeploymentJobs,
    Deployments,
    DeploymentStatus,
    DeploymentSteps,
    DeploymentUpdates,
)
from tap_cloudapis.pulumi.drift import DriftRuns, DriftStacks
from tap_cloudapis.pulumi.environments import (
    EnvironmentReferrers,
    EnvironmentRevisions,
    Environments,
    EnvironmentTags,
)
from tap_cloudapis.pulumi.insights import InsightsAccounts
from tap_cloudapis.pulumi.members import Members
from tap_cloudapis.pulumi.organization import Organizations, Teams
from tap_cloudapis.pulumi.policy import (
    PolicyGroupAccounts,
    PolicyGroupPacks,
    PolicyGroups,
    PolicyGroupStacks,
    PolicyPacks,
)
from tap_cloudapis.pulumi.policy_results import PolicyCompliance, PolicyIssues, PolicySummary
from tap_cloudapis.pulumi.previews import StackPreviews
from tap_cloudapis.pulumi.registry import (
    PackagesInUse,
    PackageUsage,
    RegistryPackages,
    RegistryTemplates,
)
from tap_cloudapis.pulumi.search import Resources
from tap_cloudapis.pulumi.settings import DEFAULT_URL, SETTINGS
from tap_cloudapis.pulumi.stack_deployments import (
    StackDeploymentSettings,
    StackDeploymentStatus,
    StackSchedules,
)
from tap_cloudapis.pulumi.stack_details import StackDetails, StackReferences, StackTags
from tap_cloudapis.pulumi.stack_resources import StackResources
from tap_cloudapis.pulumi.stacks import Stacks
from tap_cloudapis.pulumi.teams import (
    TeamAccountPermissions,
    TeamDetails,
    TeamEnvironmentPermissions,
    TeamMembers,
    TeamStackPermissions,
)
from tap_cloudapis.pulumi.update_details import UpdateEvents, UpdateTimelines
from tap_cloudapis.pulumi.update_walk import UpdateWalk
from tap_cloudapis.pulumi.updates import StackUpdates
from tap_cloudapis.pulumi.usage import UsageDaily
from tap_cloudapis.pulumi.vcs import VcsIntegrations

PULUMI_CLOUD = Service(
    key="pulumi",
    title="Pulumi Cloud",
    settings=SETTINGS,
    default_url=DEFAULT_URL,
    headers=headers,
    owner_setting="pulumi_organizations",
    # What lies below stacks is narrowed with them.
    narrowing={key: {Stacks.name} for key in ("pulumi_projects", "pulumi_stack_tag")},
    streams=(
        Organizations,
        Stacks,
        StackUpdates,
        StackPreviews,
        UpdateWalk,
        UpdateTimelines,
        UpdateEvents,
        StackDetails,
        StackTags,
        StackResources,
        StackReferences,
        StackDeploymentSettings,
        StackDeploymentStatus,
        StackSchedules,
        DriftStacks,
        Environments,
        EnvironmentTags,
        EnvironmentRevisions,
        EnvironmentReferrers,
        Members,
        Teams,
        Deployments,
        DeploymentJobs,
        DeploymentSteps,
        DeploymentUpdates,
        DriftRuns,
        DeploymentStatus,
        AuditLogs,
        PolicyGroups,
        PolicyGroupStacks,
        PolicyGroupAccounts,
        PolicyGroupPacks,
        PolicyPacks,
        PolicyIssues,
        PolicyCompliance,
        PolicySummary,
        ChangeRequests,
        TeamDetails,
        TeamMembers,
        TeamStackPermissions,
        TeamEnvironmentPermissions,
        TeamAccountPermissions,
        Roles,
        OrganizationTokens,
        TeamTokens,
        OidcIssuers,
        AgentPools,
        OrganizationWebhooks,
        DeletedStacks,
        TemplateSources,
        VcsIntegrations,
        InsightsAccounts,
        RegistryPackages,
        RegistryTemplates,
        PackagesInUse,
        PackageUsage,
        UsageDaily,
        Resources,
    ),
)
