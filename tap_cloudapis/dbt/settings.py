"""The settings of dbt Cloud."""

from __future__ import annotations

from singer_sdk import typing as th

from tap_cloudapis.dbt.commands import READABLE
from tap_cloudapis.dbt.filters import RUN_STATUSES

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
            "Viewer (Enterprise) or Read-Only (Team) reads all streams but connections, SSH "
            "tunnels, private endpoints, OAuth configurations and webhooks. "
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
        "dbt_environment_ids",
        _IDS,
        title="dbt Cloud environment IDs",
        description=(
            "Read runs in these environments only, with one list per environment. Other streams "
            "stay whole."
        ),
    ),
    th.Property(
        "dbt_run_statuses",
        th.ArrayType(th.StringType(allowed_values=[*RUN_STATUSES])),
        title="dbt Cloud run statuses",
        description=(
            "Emit runs with these statuses, and what they have left, only: success, error, "
            "cancelled, open. All runs are listed all the same, so that a run which has left the "
            "status it had is known. Choosing more later is for runs from then on; what earlier "
            "ones have left comes with a start_date that is moved back. Default: all."
        ),
    ),
    th.Property(
        "dbt_include_deleted",
        th.BooleanType,
        default=True,
        title="Include what was deleted in dbt Cloud",
        description=(
            "Read deleted projects, environments, jobs and the like as well (state 2), where "
            "lists have them, so that old runs find what they refer to."
        ),
    ),
    th.Property(
        "dbt_connection_details",
        th.BooleanType,
        default=False,
        title="Details of dbt Cloud connections",
        description=(
            "Read the configuration of each connection, without what looks secret, for one "
            "request per connection."
        ),
    ),
    th.Property(
        "dbt_user_details",
        th.BooleanType,
        default=False,
        title="Details of dbt Cloud users",
        description=(
            "Read fullname, scim_managed and updated_at of each person, for one request per person."
        ),
    ),
    th.Property(
        "dbt_include_config_values",
        th.BooleanType,
        default=False,
        title="Values of dbt Cloud variables and attributes",
        description=(
            "Emit the values of environment variables and extended attributes, but for those "
            "whose names look secret. Without it, their names are emitted."
        ),
    ),
    th.Property(
        "dbt_run_details_days",
        th.IntegerType(minimum=1, maximum=3650),
        default=90,
        title="Days of dbt Cloud run details",
        description=(
            "How far the first sync of steps, results and files of runs goes back where no "
            "start_date is set. Later ones go on from there: only a start_date reaches back "
            "further."
        ),
    ),
    th.Property(
        "dbt_run_details_max_runs",
        th.IntegerType(minimum=1, maximum=100_000_000),
        title="Most dbt Cloud runs per sync",
        description=(
            "Read steps, results and files of so many runs of an account in one sync, oldest "
            "first; the next sync goes on from there. All streams below runs share the number. "
            "Default: all that have ended."
        ),
    ),
    th.Property(
        "dbt_run_results_commands",
        th.ArrayType(th.StringType(allowed_values=[*READABLE])),
        title="dbt commands whose results are read",
        description=(
            "Read results of nodes of these commands only. Default: build, run, test, seed, "
            "snapshot, retry, clone, run-operation and unknown (any other that dbt may know). The "
            "others, docs generate, compile, list, show and parse, tell nothing but that each "
            "node of the project was compiled."
        ),
    ),
    th.Property(
        "dbt_artifact_grace_minutes",
        th.IntegerType(minimum=0, maximum=10_080),
        default=60,
        title="Grace for dbt artifacts (minutes)",
        description=(
            "How long after the end of a run its files may still come. What is not there by then "
            "is not asked for again."
        ),
    ),
    th.Property(
        "dbt_all_artifact_paths",
        th.BooleanType,
        default=False,
        title="All paths of dbt artifacts",
        description=(
            "List the files below compiled/ and run/ in dbt_run_artifacts as well: two for each "
            "node, in every run."
        ),
    ),
    th.Property(
        "dbt_include_logs",
        th.StringType(allowed_values=["none", "tail", "full"]),
        default="none",
        title="Logs of dbt Cloud steps",
        description=(
            "Emit logs in dbt_run_steps: none, the last thousand lines of the debug log (tail), or "
            "all (full). They are long, and may quote secrets. Runs that were read are not read "
            "again for it."
        ),
    ),
    th.Property(
        "dbt_include_sql",
        th.BooleanType,
        default=False,
        title="SQL of dbt nodes",
        description=(
            "Emit the compiled code of nodes in dbt_run_results. Runs that were read are not read "
            "again for it."
        ),
    ),
    th.Property(
        "dbt_audit_log_days",
        th.IntegerType(minimum=1, maximum=3650),
        default=365,
        title="Days of the dbt Cloud audit log",
        description=(
            "How far the first sync of dbt_audit_logs goes back where no start_date is set."
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
