"""The settings of the targets, as `--about` lists them."""

from __future__ import annotations

from singer_sdk import typing as th

from target_dlt.storage_version import STORAGE_VERSION

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
            "the first rows of a run."
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
            "True also deletes rows that the tap's source deleted, as it says by a time in the "
            "`_sdc_deleted_at` of the record."
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
        "naming_convention",
        th.StringType,
        allowed_values=["snake_case", "duck_case", "sql_ci_v1"],
        title="Naming convention",
        description=(
            "By which of dlt's conventions the names of tables and columns are made: of "
            "`createdAt`, `snake_case` makes `created_at`, `duck_case` `createdAt` and `sql_ci_v1` "
            "`createdat`. Default: that of the dataset, `snake_case` for a new one. A dataset that "
            "has tables keeps its own; another one here ends the load."
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
            "Where to keep what does not fit into memory between two STATE messages; a folder that "
            "exists. Default: the system's folder for temporary files."
        ),
    ),
    th.Property(
        "process_activate_version_messages",
        th.BooleanType,
        default=True,
        title="Process ACTIVATE_VERSION messages",
        description="Whether ACTIVATE_VERSION messages are heeded; see `hard_delete`.",
    ),
    th.Property(
        "add_metadata_columns",
        th.BooleanType,
        default=False,
        title="Add metadata columns",
        description=(
            "Add `_sdc_extracted_at` (as the tap says), `_sdc_batched_at` (when the record was "
            "read here) and `_sdc_deleted_at` to every row of a stream."
        ),
    ),
    th.Property(
        "add_record_metadata",
        th.BooleanType,
        default=False,
        title="Add record metadata",
        description=(
            "Add those, and `_sdc_received_at`, `_sdc_sequence`, `_sdc_table_version` and "
            "`_sdc_sync_started_at`, as targets of the Meltano SDK do."
        ),
    ),
    th.Property(
        "flattening_enabled",
        th.BooleanType,
        default=False,
        title="Flatten objects",
        description=(
            "Turn nested objects into columns of their own, `a__b`, named as the Meltano SDK "
            "names them. Needs `flattening_max_depth`. Arrays stay JSON."
        ),
    ),
    th.Property(
        "flattening_max_depth",
        th.IntegerType(minimum=0),
        title="Flattening depth",
        description="How many levels of nested objects to flatten.",
    ),
    th.Property(
        "flattening_max_key_length",
        th.IntegerType(minimum=1),
        title="Flattening name length",
        description=(
            "Longest name of a flattened column; names of the outer levels are shortened to fit."
        ),
    ),
    th.Property(
        "flattening_separator",
        th.StringType,
        title="Flattening separator",
        description="What joins the names of the levels. Default: two underscores.",
    ),
    th.Property(
        "stream_maps",
        th.ObjectType(),
        title="Stream maps",
        description=(
            "Rename, filter, compute, hash or remove streams and their properties before they are "
            "loaded. See https://sdk.meltano.com/en/latest/stream_maps.html."
        ),
    ),
    th.Property(
        "stream_map_config",
        th.ObjectType(),
        title="Stream map configuration",
        description="Values that the expressions in stream_maps can use, as `config`.",
    ),
    th.Property(
        "faker_config",
        th.ObjectType(),
        title="Faker configuration",
        description=(
            "Seed and locale of `fake` in the expressions of stream_maps. Needs the package faker "
            "in the plugin's environment."
        ),
    ),
    th.Property(
        "remove_batch_files",
        th.StringType,
        default="marked",
        allowed_values=["marked", "all", "none"],
        title="Remove BATCH files",
        description=(
            "Which files of BATCH messages are removed once they are loaded: those whose folder "
            "says so (`marked`), as the folders of tap-cloudapis do; `all`, whose tap ever wrote "
            "them; or `none`."
        ),
    ),
    th.Property(
        "batch_config",
        th.ObjectType(),
        title="Batch configuration",
        description="Accepted and without effect: a BATCH message says how its files are written.",
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
        th.StringType(pattern=r"\S"),
        default="main",
        title="Schema",
        description=(
            "The DuckDB schema of all tables, which is the name of the dlt dataset; spelled by "
            "dlt's naming convention (snake_case). If it equals the name of the file, as in "
            "`sales.duckdb` and `sales`, the tables are put into the file's main schema, because "
            "DuckDB cannot tell schema and file apart: `SELECT * FROM sales.orders` and "
            "`dlt.dataset(..., 'sales')` find them."
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
        "storage_version",
        th.StringType(pattern=r"^(v[0-9]+\.[0-9]+\.[0-9]+|latest)$"),
        default=STORAGE_VERSION,
        title="Storage version",
        description=(
            "The oldest DuckDB that can open a new file, for example `v1.4.0`; `latest` is the "
            "installed one. A file that exists keeps its format."
        ),
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
    th.Property(
        "nesting",
        th.StringType,
        default="json",
        allowed_values=["json", "tables"],
        title="Nesting",
        description=(
            "Where nested values go: into columns of type JSON, or, as dlt does it, objects into "
            "columns `a__b` and arrays into tables `parent__list`."
        ),
    ),
    th.Property(
        "data_flattening_max_level",
        th.IntegerType(minimum=0),
        default=0,
        title="Flattening depth (alias)",
        description=(
            "Another name for `flattening_max_depth`, as other DuckDB loaders call it; more than "
            "0 enables flattening."
        ),
    ),
    th.Property(
        "database",
        th.StringType,
        title="MotherDuck database",
        description=(
            "The MotherDuck database to load into, if `path` is `md:` or names another one. "
            "`dbname` is another name for this setting. Without effect on a file."
        ),
    ),
    th.Property(
        "dbname",
        th.StringType,
        title="MotherDuck database (alias)",
        description="Another name for `database`, as other DuckDB loaders call it.",
    ),
    th.Property(
        "token",
        th.StringType,
        secret=True,
        title="MotherDuck token",
        description=(
            "The access token of MotherDuck. Default: the environment's `MOTHERDUCK_TOKEN` or "
            "`motherduck_token`."
        ),
    ),
    th.Property(
        "schema_mapping",
        th.ObjectType(),
        title="Schema mapping",
        description=(
            'DuckDB schemas by the first part of a stream\'s name: `{"public": {"target_schema": '
            '"raw"}}` loads the stream `public-orders` into `raw.orders`. Each is a dlt dataset. '
            "Streams whose first part is not named go to `default_target_schema`."
        ),
    ),
    th.Property(
        "settings",
        th.ObjectType(),
        title="DuckDB settings",
        description=(
            'Settings of DuckDB, such as `{"threads": 4}`; each is SET on the connection. The '
            "time zone stays UTC."
        ),
    ),
    th.Property(
        "flush_all_streams",
        th.BooleanType,
        title="Flush all streams",
        description="Accepted and without effect: all streams are always committed together.",
    ),
    th.Property(
        "delimiter",
        th.StringType,
        title="Delimiter",
        description="Accepted and without effect: no CSV files are written.",
    ),
    th.Property(
        "quotechar",
        th.StringType,
        title="Quote character",
        description="Accepted and without effect: no CSV files are written.",
    ),
)
