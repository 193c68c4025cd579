"""The Singer target `target-duckdb`: settings, `--about`, signals."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import (
    PluginCapabilities,
    TargetCapabilities,
)

from target_dlt.errors import LoaderError
from target_dlt.load import Load, Options
from target_dlt.reader import SingerLineReader

if TYPE_CHECKING:
    import logging
    from types import FrameType

    from singer_sdk.plugin_base import _ConfigInput

#: How the lines begin that the SDK logs in every run, beside what the target says itself.
_SDK_NARRATION = ("Parsing env var", "Skipping parse of env", "Reader '%s' completed")
#: What a DuckDB file has behind the checksum it begins with.
_MAGIC = b"DUCK"

_SETTINGS = th.PropertiesList(
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
        "memory_limit",
        th.StringType(pattern=r"^[0-9]+(\.[0-9]+)? ?[KMGT]i?B$"),
        default="512MB",
        title="Memory limit of DuckDB",
        description="How much memory DuckDB may use, for example `512MB` or `4GB`.",
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
    additional_properties=False,
).to_dict()


def _is_for_users(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_SDK_NARRATION)


def _checked(path: str) -> Path:
    """Check before a long sync that a path can be that of a DuckDB file.

    Args:
        path: As the settings have it.

    Returns:
        The absolute path; its folder exists.

    Raises:
        LoaderError: If it names something that is no file on this machine, or another kind of file.
    """
    if re.match(r"\w{2,}:|:", path):
        raise LoaderError(
            f"wrong settings: 'path' names no file: {path!r} (MotherDuck, other databases and "
            "files of the cloud are not supported)"
        )
    absolute = Path(path).expanduser().absolute()
    if absolute.is_dir():
        raise LoaderError(f"{absolute} is a folder: `path` names the DuckDB file itself")
    try:
        absolute.parent.mkdir(parents=True, exist_ok=True)
        begin = b""
        if absolute.exists():
            with absolute.open("rb") as file:
                begin = file.read(12)
    except OSError as error:
        raise LoaderError(f"cannot use {absolute}: {error.strerror}") from error
    if begin and begin[8:] != _MAGIC:
        raise LoaderError(f"{absolute} is not a DuckDB file: choose another path")
    return absolute


class TargetDuckDB(Target):
    """Load Singer messages into a DuckDB file as a dlt dataset."""

    name = "target-duckdb"
    package_name = "tap-cloudapis"
    config_jsonschema = _SETTINGS
    capabilities = [  # noqa: RUF012
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
        PluginCapabilities.BATCH,
        TargetCapabilities.TARGET_SCHEMA,
        TargetCapabilities.SOFT_DELETE,
        TargetCapabilities.HARD_DELETE,
    ]

    def __init__(self, **kwargs: Any) -> None:
        self.logger.addFilter(_is_for_users)
        super().__init__(**kwargs, setup_mapper=False)
        self._load = Load(self._options())
        self.message_reader = SingerLineReader(self._load)

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Declare no setting of the SDK beyond those this target honours itself."""

    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read `--config`; a file that is missing or no JSON is a usage error in one line."""
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError) as error:
            raise click.BadParameter(str(error)) from error

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Run the target; a wrong setting is told in one line."""
        try:
            super().invoke(
                about=about, about_format=about_format, config=config, file_input=file_input
            )
        except ConfigValidationError as error:
            raise LoaderError("wrong settings: " + "; ".join(error.errors)) from error

    def _options(self) -> Options:
        path = self.config.get("path") or self.config.get("filepath")
        if not path:
            raise LoaderError("wrong settings: 'path', the DuckDB file to load into, is missing")
        temp_dir = self.config.get("temp_dir")
        if temp_dir and not Path(temp_dir).expanduser().is_dir():
            raise LoaderError(f"wrong settings: temp_dir {temp_dir!r} is no folder")
        absolute = _checked(path)
        return Options(
            path=absolute,
            dataset_name=self.config["default_target_schema"],
            pipeline_name=self.config.get("pipeline_name")
            or re.sub(r"[^A-Za-z0-9_-]", "_", absolute.stem),
            batch_size_rows=self.config["batch_size_rows"],
            memory_limit=self.config["memory_limit"],
            load_method=self.config["load_method"],
            hard_delete=self.config["hard_delete"],
            on_type_change=self.config["on_type_change"],
            quarantines=self.config["on_bad_record"] == "quarantine",
            primary_key_required=self.config["primary_key_required"],
            validate_records=self.config["validate_records"],
            temp_dir=Path(temp_dir).expanduser() if temp_dir else None,
        )

    def process_endofpipe(self) -> None:
        """Commit what is left when the input ends."""
        self._load.finish()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End the process as a signal does by default: what is not committed is dropped.

        A commit under way is finished first, so that its STATE is told to the tap's runner; one
        that still waits for the file is given up.
        """
        if self._load.is_committing:
            self._load.stop = lambda: sys.exit(128 + signum)
            return
        sys.exit(128 + signum)
