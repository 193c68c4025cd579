"""The settings of the targets, as `--about` lists them."""

from __future__ import annotations

from singer_sdk import typing as th

#: Of every target.
COMMON = (
    th.Property(
        "batch_size_rows",
        th.IntegerType(minimum=1),
        default=100_000,
        title="Rows per commit",
        description=(
            "Rows are committed at the first STATE message after this many rows, 256 MiB of "
            "messages or 60 seconds, and at the end."
        ),
    ),
    th.Property(
        "load_method",
        th.StringType,
        default="upsert",
        allowed_values=["upsert", "append-only", "overwrite"],
        title="Load method",
        description=(
            "`upsert` replaces the row with the same key and appends to tables without a key; "
            "`append-only` always appends; `overwrite` empties the table of each stream before "
            "the first rows of a run, in the same transaction."
        ),
    ),
    th.Property(
        "hard_delete",
        th.BooleanType,
        default=False,
        title="Delete rows that are gone",
        description=(
            "What an ACTIVATE_VERSION message does to rows that are of an older version, or of "
            "none and not of this run: delete them (true) or set their `_sdc_deleted_at` (false). "
            "True also deletes rows whose `_sdc_deleted_at` the tap sent."
        ),
    ),
    th.Property(
        "on_type_change",
        th.StringType,
        default="widen",
        allowed_values=["widen", "variant", "error"],
        title="On a change of type",
        description=(
            "What to do with values that an existing column cannot hold: `widen` the column if no "
            "value is lost by it, else put them into a `variant` column of their own type, such "
            "as `amount__v_text`; always do the latter; or end the load with an `error`, before "
            "anything of its commit is written."
        ),
    ),
    th.Property(
        "on_bad_record",
        th.StringType,
        default="fail",
        allowed_values=["fail", "quarantine"],
        title="On a bad record",
        description=(
            "What to do with a record that cannot become a row, because a key property is missing "
            "or is not of its type: `fail`, or `quarantine` it with the reason, its line and its "
            "stream in the table `_singer_quarantine` and go on. A line that is no JSON always "
            "ends the load."
        ),
    ),
    th.Property(
        "primary_key_required",
        th.BooleanType,
        default=False,
        title="Require keys",
        description="Whether a stream without `key_properties` ends the load.",
    ),
    th.Property(
        "validate_records",
        th.BooleanType,
        default=False,
        title="Validate records",
        description=(
            "Hold each record to the whole JSON schema of its stream (draft 7, without `format` "
            "and `multipleOf`); one that breaks it is a bad record. Costs several times the "
            "load itself; exact types need no validation."
        ),
    ),
    th.Property(
        "temp_dir",
        th.StringType,
        title="Folder for temporary files",
        description=(
            "Where to keep what does not fit into memory between two STATE messages. Default: the "
            "system's folder for temporary files."
        ),
    ),
)

#: Of target-duckdb alone.
DUCKDB = (
    th.Property(
        "path",
        th.StringType,
        title="Path of the DuckDB file",
        description=(
            "The DuckDB file to load into, for example `output/warehouse.duckdb`. It and its "
            "folders are created. `filepath` is another name for this setting; one is required."
        ),
    ),
    th.Property(
        "filepath",
        th.StringType,
        title="Path of the DuckDB file (alias)",
        description="Another name for `path`, as other DuckDB loaders call it.",
    ),
    th.Property(
        "default_target_schema",
        th.StringType,
        default="main",
        title="Schema",
        description=(
            "The DuckDB schema of all tables, which is the name of the dlt dataset; spelled by "
            "dlt's naming convention (snake_case). If it equals the name of the file, as in "
            "`sales.duckdb` and `sales`, the tables are put into the file's main schema, because "
            "DuckDB cannot tell schema and file apart: `SELECT * FROM sales.orders` and "
            "`dlt.attach(dataset_name='sales')` find them."
        ),
    ),
    th.Property(
        "pipeline_name",
        th.StringType(pattern=r"^[A-Za-z0-9_-]+$"),
        title="dlt pipeline name",
        description=(
            "The name by which `dlt.attach` finds the dataset and by which another dlt pipeline "
            "goes on with it. Default: the name of the file without its ending, other characters "
            "than letters, digits, `_` and `-` replaced by `_`."
        ),
    ),
    th.Property(
        "memory_limit",
        th.StringType(pattern=r"^[0-9]+(\.[0-9]+)? ?[KMGT]i?B$"),
        default="512MB",
        title="Memory limit of DuckDB",
        description="How much memory DuckDB may use, for example `512MB` or `4GB`.",
    ),
    th.Property(
        "engine",
        th.StringType,
        default="duckdb",
        allowed_values=["duckdb", "package"],
        title="Engine",
        description=(
            "`duckdb` writes each commit as one transaction; `package` hands it to dlt as a load "
            "package, as target-dlt does. Both go on with what the other one wrote."
        ),
    ),
)

#: Of target-dlt alone.
DLT = (
    th.Property(
        "destination",
        th.StringType,
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
        th.StringType,
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
