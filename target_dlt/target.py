"""The Singer targets: settings, `--about`, signals."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from abc import abstractmethod
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._util import read_json_file
from singer_sdk.helpers.capabilities import (
    PluginCapabilities,
    TargetCapabilities,
)
from singer_sdk.plugin_base import JSONSchemaValidator, _ConfigInput

from target_dlt.engines.base import Rules
from target_dlt.environment import read_settings
from target_dlt.errors import LoaderError
from target_dlt.last_line import tell_of_signal
from target_dlt.load import Load, Options
from target_dlt.location import (
    dataset_names,
    expand,
    is_folder,
    locate,
    notes,
    refuse_variables,
)
from target_dlt.messages.lines import SingerLineReader
from target_dlt.setting_errors import explain
from target_dlt.settings import COMMON, DUCKDB
from target_dlt.settings_of_dlt import DLT
from target_dlt.settled_names import (
    pipeline_name,
    refuse_name_of_file,
    refuse_other_spellings,
    refuse_reserved,
)
from target_dlt.shaping.flattening import FlatteningOptions
from target_dlt.shaping.lanes import Shaping
from target_dlt.shaping.metadata import SDK, STITCH, RowMetadata
from target_dlt.storage_version import STORAGE_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from target_dlt.engines.base import Engine, TableFormat
    from target_dlt.location import DatasetNames, Location
    from target_dlt.shaping.mapping import StreamMapper

    EngineMaker = Callable[[Callable[[], None]], Engine]

LOGGER = logging.getLogger("target_dlt")

#: How the lines begin that the SDK logs in every run, beside what the target says itself.
_SDK_NARRATION = ("Parsing env var", "Skipping parse of env", "Reader '%s' completed")
#: What the extra of a destination or table format installs.
_NEEDED = {
    "postgres": ("psycopg2", "adbc_driver_postgresql"),
    "delta": ("deltalake",),
    "iceberg": ("pyiceberg",),
}


def _is_for_users(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_SDK_NARRATION)


def _import(module: str) -> None:
    with suppress(ImportError):  # told when the engine is needed
        importlib.import_module(module)


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
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.ACTIVATE_VERSION,
        TargetCapabilities.VALIDATE_RECORDS,
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

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """The settings that the environment has, or else the `.env` of the working folder."""
        return read_settings(cls.config_jsonschema, cls._env_var_prefix, LOGGER)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Validate the settings; null is "not set", and errors are in words."""
        schema = self.config_jsonschema
        self._config = {name: held for name, held in self._config.items() if held is not None}
        found = JSONSchemaValidator(schema).iter_errors(self._config)
        errors = [text for error in found for text in explain(error, schema)]
        if errors and raise_errors:
            raise ConfigValidationError("wrong settings", errors=errors, schema=schema)
        return errors

    @classmethod
    def cb_config(
        cls,
        ctx: click.Context,  # noqa: ARG003
        param: click.Option,  # noqa: ARG003
        value: tuple[str, ...],
    ) -> _ConfigInput:
        """Read `--config`; a file that is missing or no JSON is a usage error in one line."""
        try:
            files = [read_json_file(path) for path in value if path != "ENV"]
        except (OSError, ValueError, RuntimeError) as error:
            raise click.BadParameter(str(error)) from error
        if not all(isinstance(settings, dict) for settings in files):
            raise click.BadParameter("a file of settings holds a JSON object")
        merged = {name: held for settings in files for name, held in settings.items()}
        return _ConfigInput(config=merged, parse_env="ENV" in value)

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
            raise LoaderError("wrong settings: " + "; ".join(error.errors)) from None

    def _options(self) -> Options:
        temp_dir = self._temp_dir()
        if temp_dir and not is_folder(temp_dir):
            raise LoaderError(f"wrong settings: temp_dir {str(temp_dir)!r} is no folder")
        return Options(
            make_engine=self._engine_maker(),
            batch_size_rows=self.config["batch_size_rows"],
            replaces=self.config["load_method"] == "overwrite",
            quarantines=self.config["on_bad_record"] == "quarantine",
            primary_key_required=self.config["primary_key_required"],
            validate_records=self.config["validate_records"],
            temp_dir=temp_dir,
            mapper=self._mapper_of_streams(),
            shaping=self._shaping(),
            activates=self.config["process_activate_version_messages"],
            removes_files=self.config["remove_batch_files"],
        )

    def _temp_dir(self) -> Path | None:
        folder = self.config.get("temp_dir")
        return expand(folder, "temp_dir") if folder else None

    def _mapper_of_streams(self) -> StreamMapper | None:
        if not self.config.get("stream_maps"):
            return None
        from target_dlt.shaping.mapping import StreamMapper  # noqa: PLC0415 (few use it)

        return StreamMapper(self.config)

    def _shaping(self) -> Shaping:
        if self.config.get("batch_config"):
            LOGGER.warning("'batch_config' has no effect: a BATCH message says what its files are")
        metadata = None
        if self.config["add_record_metadata"]:
            metadata = RowMetadata(SDK)
        elif self.config["add_metadata_columns"]:
            metadata = RowMetadata(STITCH)
        return Shaping(self._flattening(), metadata=metadata)

    def _flattening(self) -> FlatteningOptions | None:
        """Find out how far to flatten; None if not at all."""
        config = self.config
        depth = config.get("flattening_max_depth")
        if not config["flattening_enabled"]:
            return None
        if depth is None:
            raise LoaderError(
                "wrong settings: 'flattening_max_depth' is missing: flattening_enabled needs it"
            )
        names = {
            "max_key_length": config.get("flattening_max_key_length"),
            "separator": config.get("flattening_separator"),
        }
        given: dict[str, Any] = {name: value for name, value in names.items() if value is not None}
        return FlatteningOptions(depth, **given) if depth else None

    @abstractmethod
    def _engine_maker(self) -> EngineMaker:
        """Check the settings of the destination; answer what makes the engine for it.

        Raises:
            LoaderError: If a setting is wrong.
        """

    def _packages(
        self,
        destination: str,
        config: dict[str, Any],
        dataset_name: str,
        name_of_pipeline: str,
        table_format: TableFormat | None = None,
    ) -> EngineMaker:
        def make(on_wait: Callable[[], None]) -> Engine:  # noqa: ARG001 (dlt does not wait)
            from target_dlt.engines.package import PackageEngine  # noqa: PLC0415

            return PackageEngine(
                destination,
                config,
                dataset_name,
                name_of_pipeline,
                table_format=table_format,
                rules=self._rules(),
                temp_dir=self._temp_dir(),
                convention=self.config.get("naming_convention"),
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
            self._load.stop = lambda: self._end(signum)
            return
        self._end(signum)

    def _end(self, signum: int) -> None:
        """End at once.

        An exception could come out in the middle of an import, whose lock would then be held for
        ever, and the thread that imports the engine would wait for it.
        """
        tell_of_signal(signum, self._load.uncommitted)
        self._load.discard()
        os._exit(128 + signum)


class TargetDuckDB(DatasetTarget):
    """Load Singer messages into a DuckDB file as a dlt dataset."""

    name = "target-duckdb"
    config_jsonschema = th.PropertiesList(*DUCKDB, *COMMON, additional_properties=False).to_dict()
    engine_module = "target_dlt.engines.duckdb"

    def _shaping(self) -> Shaping:
        shaping = super()._shaping()
        level = self.config["data_flattening_max_level"]
        if level and not self.config["flattening_enabled"]:
            shaping = replace(shaping, flattening=FlatteningOptions(level))
        if self.config["nesting"] == "json":
            return shaping
        if shaping.flattening is not None:
            raise LoaderError(
                "wrong settings: nesting 'tables' flattens objects already: leave out flattening"
            )
        return replace(shaping, unnests=True)

    def _engine_maker(self) -> EngineMaker:
        location = locate(self.config)
        for note in notes(location, self.config):
            LOGGER.warning(note)
        name = pipeline_name(self.config, location.stem)
        datasets = dataset_names(self.config)
        if self.config.get("naming_convention"):
            refuse_other_spellings([datasets.default, *datasets.mapping.values()])
        settings = self.config.get("settings") or {}
        if settings or self.config["storage_version"] != STORAGE_VERSION:
            from target_dlt.engines.connecting import check_settings  # noqa: PLC0415 (imports dlt)

            check_settings(settings, self.config["storage_version"])
        if self.config["engine"] == "package":
            return self._package_engine(location, datasets, name)

        def make(on_wait: Callable[[], None]) -> Engine:
            from target_dlt.engines.duckdb import DuckDBEngine  # noqa: PLC0415

            return DuckDBEngine(
                location,
                datasets,
                name,
                settings={"memory_limit": self.config["memory_limit"], **settings},
                rules=self._rules(),
                on_wait=on_wait,
                convention=self.config.get("naming_convention"),
            )

        return make

    def _package_engine(self, location: Location, datasets: DatasetNames, name: str) -> EngineMaker:
        """Check what load packages cannot do, and answer what makes their engine."""
        refused = [name for name in ("schema_mapping", "settings") if self.config.get(name)]
        if self.config["nesting"] == "tables":
            refused.append("nesting 'tables'")
        if not location.is_file:
            refused.append(f"path {location.name!r}")
        if refused:
            raise LoaderError(
                f"wrong settings: engine 'package' does not go with {', '.join(refused)}: "
                "leave out one of the two"
            )
        refuse_name_of_file(datasets.default, location.stem)
        settings = {"memory_limit": self.config["memory_limit"], **location.config}
        config = {"credentials": {"database": location.address, "global_config": settings}}
        return self._packages("duckdb", config, datasets.default, name)


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
        if self.config.get("naming_convention"):
            refuse_other_spellings([dataset_name])
        if name == "duckdb":
            refuse_reserved(dataset_name, "default_target_schema")
        destination_config = self.config.get("destination_config") or {}
        if isinstance(url := destination_config.get("bucket_url"), str):
            refuse_variables(url, "destination_config.bucket_url")
        return self._packages(
            name,
            destination_config,
            dataset_name,
            pipeline_name(self.config, dataset_name),
            table_format=None if table_format == "none" else table_format,
        )
