"""The settings of Pulumi Cloud."""

from __future__ import annotations

from singer_sdk import typing as th

#: The address asked where none is set.
DEFAULT_URL = "https://api.pulumi.com"

SETTINGS = (
    th.Property(
        "pulumi_token",
        th.StringType,
        secret=True,
        title="Pulumi Cloud token",
        description=(
            "Access token of Pulumi Cloud: personal, organization or team. It sees the "
            "stacks that its owner may read. Leave it out to skip Pulumi Cloud."
        ),
    ),
    th.Property(
        "pulumi_url",
        th.StringType,
        default=DEFAULT_URL,
        title="Pulumi Cloud URL",
        description="The API's address; another one for self-hosted installations.",
    ),
    th.Property(
        "pulumi_organizations",
        th.ArrayType(th.StringType),
        title="Pulumi Cloud organizations",
        description=(
            "Organizations to read, by login; each must be visible to the token. Default: all "
            "that the token's user belongs to."
        ),
    ),
    th.Property(
        "pulumi_usage_days",
        th.IntegerType(minimum=1, maximum=365),
        default=365,
        title="Days of Pulumi Cloud usage",
        description=(
            "How far back the first sync goes for usage per day, which a start_date can shorten; "
            "the service remembers a year. Later syncs read what is new and the days before it."
        ),
    ),
    th.Property(
        "pulumi_projects",
        th.ArrayType(th.StringType),
        title="Pulumi Cloud projects",
        description=(
            "Projects whose stacks to read, by name, with all that lies below these stacks. "
            "Default: all."
        ),
    ),
    th.Property(
        "pulumi_stack_tag",
        th.StringType,
        title="Pulumi Cloud stack tag",
        description=(
            "A tag, as name or name=value: only stacks that have it are read, with all that lies "
            "below them. Default: all."
        ),
    ),
    th.Property(
        "pulumi_refresh_days",
        th.IntegerType(minimum=0, maximum=365),
        default=7,
        title="Pulumi Cloud refresh days",
        description=(
            "What a stack or an environment does not show to have changed (tags edited by hand, "
            "schedules, settings, previews) is read again once in so many days, some of it each "
            "day. 0 reads everything at each sync."
        ),
    ),
    th.Property(
        "pulumi_update_detail_days",
        th.IntegerType(minimum=0, maximum=36_500),
        default=30,
        title="Pulumi Cloud update detail days",
        description=(
            "How far back the first sync goes for what hangs on single updates: previews, "
            "timelines, events. Later syncs read what is new; a larger number goes back again."
        ),
    ),
    th.Property(
        "pulumi_resource_properties",
        th.BooleanType,
        default=False,
        title="Pulumi Cloud resource properties",
        description=(
            "Whether pulumi_stack_resources has the inputs and outputs of resources. What the "
            "engine marks as a secret is taken out; a secret that it does not know of is not."
        ),
    ),
    th.Property(
        "pulumi_messages",
        th.BooleanType,
        default=False,
        title="Pulumi Cloud messages",
        description=(
            "Whether rows have what policies, programs and the engine say in their own words. "
            "Pulumi masks the secrets that it knows of; such text may quote others."
        ),
    ),
)
