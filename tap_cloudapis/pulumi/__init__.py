"""Pulumi Cloud: organizations, their members and teams, stacks and their updates."""

from __future__ import annotations

from tap_cloudapis.core.service import Service
from tap_cloudapis.pulumi.client import headers
from tap_cloudapis.pulumi.environments import (
    EnvironmentReferrers,
    EnvironmentRevisions,
    Environments,
    EnvironmentTags,
)
from tap_cloudapis.pulumi.organization import Members, Organizations, Teams
from tap_cloudapis.pulumi.previews import StackPreviews
from tap_cloudapis.pulumi.settings import DEFAULT_URL, SETTINGS
from tap_cloudapis.pulumi.stack_deployments import (
    StackDeploymentSettings,
    StackDeploymentStatus,
    StackSchedules,
)
from tap_cloudapis.pulumi.stack_details import StackDetails, StackReferences, StackTags
from tap_cloudapis.pulumi.stack_resources import StackResources
from tap_cloudapis.pulumi.stacks import Stacks
from tap_cloudapis.pulumi.update_details import UpdateEvents, UpdateTimelines
from tap_cloudapis.pulumi.update_walk import UpdateWalk
from tap_cloudapis.pulumi.updates import StackUpdates

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
        Environments,
        EnvironmentTags,
        EnvironmentRevisions,
        EnvironmentReferrers,
        Members,
        Teams,
    ),
)
