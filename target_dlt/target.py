"""The Singer targets: settings, `--about`, signals."""

from __future__ import annotations

import importlib
import os
import re
import threading
from contextlib import suppress
from importlib.util import find_spec
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

from target_dlt.engines.base import Rules
from target_dlt.errors import LoaderError
from target_dlt.load import Load, Options
from target_dlt.reader import SingerLineReader
from target_dlt.settings import COMMON, DLT, DUCKDB

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from types import FrameType

    from singer_sdk.plugin_base import _ConfigInput

    from target_dlt.engines.base import Engine, TableFormat

    EngineMaker = Callable[[Callable[[], None]], Engine]

#: How the lines begin that the SDK logs in every run, beside what the target says itself.
_SDK_NARRATION = ("Parsing env var", "Skipping parse of env", "Reader '%s' completed")
#: What a DuckDB file has behind the checksum it begins with.
_MAGIC = b"DUCK"
#: What the extra of a destination or table format installs.
_NEEDED = {
    "postgres": ("psycopg2", "adbc_driver_postgresql"),
    "delta": ("deltalake",),
    "iceberg": ("pyiceberg",),
}


def _is_for_users(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_SDK_NARRATION)


def _without_secret(error: str, config_jsonschema: dict[str, Any]) -> str:
    """Leave the value of a secret setting out of an error that quotes it."""
    for name, schema in config_jsonschema["properties"].items():
        if schema.get("secret") and f"config['{name}']" in error:
            return f"the value of {name!r} is not of its type, {schema['type'][0]}"
    return error


def _import(module: str) -> None:
    with suppress(ImportError):  # told when the engine is needed
        importlib.import_module(module)


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


def _pipeline_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


class DatasetTarget(Target):
    """What the targets share: each loads Singer messages into a dlt dataset.

    Attributes:
        engine_module: Where the engine is; imported while the first messages are read.
    """

    package_name = "tap-cloudapis"
    engine_module: str
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
        super()._setup_signal_handlers()
        # dlt takes a second to import: meanwhile the tap starts up and sends its first pages.
        # No daemon: the interpreter must not end in the middle of importing a C++ library.
        threading.Thread(target=_import, args=(self.engine_module,)).start()
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
            told = (_without_secret(text, cls.config_jsonschema) for text in error.errors)
            raise LoaderError("wrong settings: " + "; ".join(told)) from None

    def _options(self) -> Options:
        temp_dir = self._temp_dir()
        if temp_dir and not temp_dir.is_dir():
            raise LoaderError(f"wrong settings: temp_dir {str(temp_dir)!r} is no folder")
        return Options(
            make_engine=self._engine_maker(),
            batch_size_rows=self.config["batch_size_rows"],
            replaces=self.config["load_method"] == "overwrite",
            quarantines=self.config["on_bad_record"] == "quarantine",
            primary_key_required=self.config["primary_key_required"],
            validate_records=self.config["validate_records"],
            temp_dir=temp_dir,
        )

    def _temp_dir(self) -> Path | None:
        folder = self.config.get("temp_dir")
        return Path(folder).expanduser() if folder else None

    def _engine_maker(self) -> EngineMaker:
        """Check the settings of the destination; answer what makes the engine for it.

        Raises:
            LoaderError: If a setting is wrong.
        """
        raise NotImplementedError

    def _packages(
        self,
        destination: str,
        config: dict[str, Any],
        dataset_name: str,
        pipeline_name: str,
        table_format: TableFormat | None = None,
    ) -> EngineMaker:
        def make(on_wait: Callable[[], None]) -> Engine:  # noqa: ARG001 (dlt does not wait)
            from target_dlt.engines.package import PackageEngine  # noqa: PLC0415

            return PackageEngine(
                destination,
                config,
                dataset_name,
                pipeline_name,
                table_format=table_format,
                rules=self._rules(),
                temp_dir=self._temp_dir(),
            )

        return make

    def _rules(self) -> Rules:
        return Rules(
            self.config["load_method"],
            self.config["hard_delete"],
            self.config["on_type_change"],
        )

    def process_endofpipe(self) -> None:
        """Commit what is left when the input ends."""
        self._load.finish()

    def _setup_signal_handlers(self) -> None:
        """Leave signals alone until there is something to tidy up."""

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End the process as a signal does by default: what is not committed is dropped.

        A commit under way is finished first, so that its STATE is told to the tap's runner; one
        that still waits for the file is given up.
        """
        if self._load.is_committing:
            self._load.stop = lambda: self._end(128 + signum)
            return
        self._end(128 + signum)

    def _end(self, code: int) -> None:
        """End at once.

        An exception could come out in the middle of an import, whose lock would then be held for
        ever, and the thread that imports the engine would wait for it.
        """
        self._load.discard()
        os._exit(code)


class TargetDuckDB(DatasetTarget):
    """Load Singer messages into a DuckDB file as a dlt dataset."""

    name = "target-duckdb"
    config_jsonschema = th.PropertiesList(*DUCKDB, *COMMON, additional_properties=False).to_dict()
    engine_module = "target_dlt.engines.duckdb"

    def _engine_maker(self) -> EngineMaker:
        path = self.config.get("path") or self.config.get("filepath")
        if not path:
            raise LoaderError("wrong settings: 'path', the DuckDB file to load into, is missing")
        absolute = _checked(path)
        dataset_name = self.config["default_target_schema"]
        pipeline_name = self.config.get("pipeline_name") or _pipeline_name(absolute.stem)
        if self.config["engine"] == "package":
            if dataset_name.lower() == absolute.stem.lower():
                raise LoaderError(
                    f"wrong settings: with engine 'package' the schema cannot be called as the "
                    f"file, {dataset_name!r}: choose another default_target_schema or path"
                )
            limits = {"memory_limit": self.config["memory_limit"]}
            config = {"credentials": {"database": str(absolute), "global_config": limits}}
            return self._packages("duckdb", config, dataset_name, pipeline_name)

        def make(on_wait: Callable[[], None]) -> Engine:
            from target_dlt.engines.duckdb import DuckDBEngine  # noqa: PLC0415

            return DuckDBEngine(
                absolute,
                dataset_name,
                pipeline_name,
                memory_limit=self.config["memory_limit"],
                rules=self._rules(),
                on_wait=on_wait,
            )

        return make


class TargetDlt(DatasetTarget):
    """Load Singer messages into any dlt destination, as a dlt dataset."""

    name = "target-dlt"
    config_jsonschema = th.PropertiesList(*DLT, *COMMON, additional_properties=False).to_dict()
    engine_module = "target_dlt.engines.package"

    def _engine_maker(self) -> EngineMaker:
        name, table_format = self.config["destination"], self.config["table_format"]
        missing = [
            module
            for needed in (name, table_format)
            for module in _NEEDED.get(needed, ())
            if find_spec(module) is None
        ]
        if missing:
            extra = table_format if table_format in _NEEDED else name
            raise LoaderError(
                f'{name}: {", ".join(missing)} not installed: pip install "tap-cloudapis[{extra}]"'
            )
        dataset_name = self.config["default_target_schema"]
        return self._packages(
            name,
            self.config.get("destination_config") or {},
            dataset_name,
            self.config.get("pipeline_name") or _pipeline_name(dataset_name),
            table_format=None if table_format == "none" else table_format,
        )
