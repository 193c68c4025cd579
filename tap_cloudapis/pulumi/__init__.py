"""Pulumi Cloud: organizations, their members and teams, stacks and their updates."""

from __future__ import annotations

from tap_cloudapis.core.service import Service
from tap_cloudapis.pulumi.audit_logs import AuditLogs
from tap_cloudapis.pulumi.client import headers
from tap_cloudapis.pulumi.deployments import (
    DeploymentJobs,
    Deployments,
    DeploymentStatus,
    DeploymentSteps,
    DeploymentUpdates,
)
from tap_cloudapis.pulumi.drift import DriftRuns
from tap_cloudapis.pulumi.organization import Members, Organizations, Teams
from tap_cloudapis.pulumi.settings import DEFAULT_URL, SETTINGS
from tap_cloudapis.pulumi.stacks import Stacks
from tap_cloudapis.pulumi.updates import StackUpdates

PULUMI_CLOUD = Service(
    key="pulumi",
    title="Pulumi Cloud",
    settings=SETTINGS,
    default_url=DEFAULT_URL,
    headers=headers,
    owner_setting="pulumi_organizations",
    streams=(
        Organizations,
        Stacks,
        StackUpdates,
        Members,
        Teams,
        Deployments,
        DeploymentJobs,
        DeploymentSteps,
        DeploymentUpdates,
        DriftRuns,
        DeploymentStatus,
        AuditLogs,
    ),
)
