"""The Singer targets: settings, `--about`, signals."""

from __future__ import annotations

import importlib
import re
import sys
import threading
from contextlib import suppress
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
from target_dlt.settings import COMMON, DUCKDB

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from types import FrameType

    from singer_sdk.plugin_base import _ConfigInput

    from target_dlt.engines.base import Engine

    EngineMaker = Callable[[Callable[[], None]], Engine]

#: How the lines begin that the SDK logs in every run, beside what the target says itself.
_SDK_NARRATION = ("Parsing env var", "Skipping parse of env", "Reader '%s' completed")
#: What a DuckDB file has behind the checksum it begins with.
_MAGIC = b"DUCK"


def _is_for_users(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_SDK_NARRATION)


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
            raise LoaderError("wrong settings: " + "; ".join(error.errors)) from error

    def _options(self) -> Options:
        temp_dir = self.config.get("temp_dir")
        if temp_dir and not Path(temp_dir).expanduser().is_dir():
            raise LoaderError(f"wrong settings: temp_dir {temp_dir!r} is no folder")
        return Options(
            make_engine=self._engine_maker(),
            batch_size_rows=self.config["batch_size_rows"],
            replaces=self.config["load_method"] == "overwrite",
            quarantines=self.config["on_bad_record"] == "quarantine",
            primary_key_required=self.config["primary_key_required"],
            validate_records=self.config["validate_records"],
            temp_dir=Path(temp_dir).expanduser() if temp_dir else None,
        )

    def _engine_maker(self) -> EngineMaker:
        """Check the settings of the destination; answer what makes the engine for it.

        Raises:
            LoaderError: If a setting is wrong.
        """
        raise NotImplementedError

    def _rules(self) -> Rules:
        return Rules(
            self.config["load_method"],
            self.config["hard_delete"],
            self.config["on_type_change"],
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
        pipeline_name = self.config.get("pipeline_name")

        def make(on_wait: Callable[[], None]) -> Engine:
            from target_dlt.engines.duckdb import DuckDBEngine  # noqa: PLC0415

            return DuckDBEngine(
                absolute,
                self.config["default_target_schema"],
                pipeline_name or re.sub(r"[^A-Za-z0-9_-]", "_", absolute.stem),
                memory_limit=self.config["memory_limit"],
                rules=self._rules(),
                on_wait=on_wait,
            )

        return make
