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
