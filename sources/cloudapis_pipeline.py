"""Load dbt Cloud and Pulumi Cloud; run it again, and only what is new or has changed is read."""

import dlt
from cloudapis import cloudapis


def load_everything() -> None:
    """Load all streams that are selected by default, of the services that have a token."""
    pipeline = dlt.pipeline("cloudapis", destination="duckdb", dataset_name="cloudapis_data")
    print(pipeline.run(cloudapis()))


def load_runs() -> None:
    """Load some streams alone, from a date on."""
    pipeline = dlt.pipeline("cloudapis", destination="duckdb", dataset_name="cloudapis_data")
    source = cloudapis(start_date="2026-01-01").with_resources("dbt_jobs", "dbt_runs")
    print(pipeline.run(source))


if __name__ == "__main__":
    load_everything()
