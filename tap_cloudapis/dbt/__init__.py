"""dbt Cloud: accounts, projects, environments, jobs, connections and runs."""

from __future__ import annotations

from tap_cloudapis.core.service import Service
from tap_cloudapis.dbt.account import Accounts, Connections, Environments, Jobs, Projects
from tap_cloudapis.dbt.client import headers
from tap_cloudapis.dbt.filters import DbtFilters
from tap_cloudapis.dbt.runs import Runs
from tap_cloudapis.dbt.settings import DEFAULT_URL, SETTINGS

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
    narrowing={"dbt_project_ids": {Runs.name}, "dbt_job_ids": {Runs.name}},
    streams=(
        Accounts,
        Projects,
        Environments,
        Connections,
        Jobs,
        Runs,
    ),
)
