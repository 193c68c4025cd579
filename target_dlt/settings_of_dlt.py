"""The settings of target-dlt alone, as `--about` lists them."""

from __future__ import annotations

from singer_sdk import typing as th

#: Of target-dlt alone.
DLT = (
    th.Property(
        "destination",
        th.StringType(pattern=r"\S"),
        required=True,
        title="Destination",
        description=(
            "What to load into, by dlt's name: for example `postgres`, `filesystem`, `snowflake`, "
            "`bigquery` or `duckdb`, or the import path of a destination."
        ),
    ),
    th.Property(
        "destination_config",
        th.ObjectType(additional_properties=True),
        secret=True,
        title="Configuration of the destination",
        description=(
            "What dlt's destination of that name takes, for example "
            '`{"credentials": "postgresql://loader:...@db.example.com/warehouse"}` or '
            '`{"bucket_url": "s3://lake"}`. What is left out may come from where dlt looks for it: '
            "`DESTINATION__POSTGRES__CREDENTIALS` in the environment, or `.dlt/secrets.toml`."
        ),
    ),
    th.Property(
        "default_target_schema",
        th.StringType(pattern=r"\S"),
        default="raw",
        title="Schema",
        description=(
            "The name of the dlt dataset: the schema, or the folder, of all tables; spelled by "
            "dlt's naming convention (snake_case)."
        ),
    ),
    th.Property(
        "pipeline_name",
        th.StringType(pattern=r"^[A-Za-z0-9_-]+$"),
        title="dlt pipeline name",
        description=(
            "The name by which `dlt.attach` finds the dataset and by which another dlt pipeline "
            "goes on with it. Default: the name of the dataset, other characters than letters, "
            "digits, `_` and `-` replaced by `_`."
        ),
    ),
    th.Property(
        "table_format",
        th.StringType,
        default="none",
        allowed_values=["none", "delta", "iceberg", "native"],
        title="Table format",
        description=(
            "The format of new tables, where the destination has several: `delta` or `iceberg` in "
            "a filesystem, which keep rows replaceable; `native` or `none` for its own, in a "
            "filesystem plain Parquet files, which are only added to."
        ),
    ),
)
