"""The settings of dbt Cloud."""

from __future__ import annotations

from singer_sdk import typing as th

#: The address asked where none is set.
DEFAULT_URL = "https://cloud.getdbt.com"

_IDS = th.ArrayType(th.CustomType({"type": ["integer", "string"]}))

SETTINGS = (
    th.Property(
        "dbt_token",
        th.StringType,
        secret=True,
        title="dbt Cloud token",
        description=(
            "Service token or personal access token of dbt Cloud, for one account. Account "
            "Viewer (Enterprise) or Read-Only (Team) reads all streams but connections. "
            "Leave it out to skip dbt Cloud."
        ),
    ),
    th.Property(
        "dbt_url",
        th.StringType,
        title="dbt Cloud URL",
        description=(
            "The access URL of the account, as Account settings show it: a host "
            "(ab123.us1.dbt.com), a URL, or a URL ending in /api or /api/v2. Left out, "
            f"{DEFAULT_URL} is asked, a shared address that accounts are moving away from."
        ),
    ),
    th.Property(
        "dbt_account_ids",
        _IDS,
        title="dbt Cloud account IDs",
        description=("Accounts to read; each must be visible to the token. Default: all that are."),
    ),
    th.Property(
        "dbt_project_ids",
        _IDS,
        title="dbt Cloud project IDs",
        description="Read runs of these projects only. Other streams stay whole.",
    ),
    th.Property(
        "dbt_job_ids",
        _IDS,
        title="dbt Cloud job IDs",
        description=(
            "Read runs of these jobs only, with one list per job. Adding a job later reads "
            "its history too. Other streams stay whole."
        ),
    ),
    th.Property(
        "dbt_requests_per_minute",
        th.IntegerType(minimum=1, maximum=1_000_000),
        default=3000,
        title="dbt Cloud requests per minute",
        description=(
            "Requests in any 60 seconds, bursts allowed. dbt Cloud allows 5000 for an "
            "account, which other tools share."
        ),
    ),
)
