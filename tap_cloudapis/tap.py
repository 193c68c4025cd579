"""The tap: its settings, its two services, its streams, and how a sync ends."""

from __future__ import annotations

import gc
import logging
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap, metrics
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._util import load_json
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator
from singer_sdk.tap_base import CliTestOptionValue

from tap_cloudapis.core.errors import TapError, TargetGone, Terminated
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.output import BufferedSingerWriter, ThrottledStateWriter
from tap_cloudapis.core.report import SyncReport
from tap_cloudapis.core.service import Service
from tap_cloudapis.dbt import client as dbt_client
from tap_cloudapis.dbt.account import Accounts, Connections, Environments, Jobs, Projects
from tap_cloudapis.dbt.runs import Runs
from tap_cloudapis.environment import read_settings
from tap_cloudapis.pulumi import client as pulumi_client
from tap_cloudapis.pulumi.organization import Members, Organizations, Teams
from tap_cloudapis.pulumi.stacks import Stacks, StackUpdates
from tap_cloudapis.settings import SETTINGS, explain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    import click
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput
    from singer_sdk.streams import Stream

    from tap_cloudapis.core.stream import CloudStream

STREAMS: tuple[type[CloudStream], ...] = (
    Accounts,
    Projects,
    Environments,
    Connections,
    Jobs,
    Runs,
    Organizations,
    Stacks,
    StackUpdates,
    Members,
    Teams,
)

#: What the SDK logs at every start, of use to those who debug it.
_SDK_NARRATION = (
    "Added '%s' as child stream to '%s'",
    "Skipping parse of env var settings...",
    "Parsing env var for settings config...",
    "Skipping deselected stream '%s'.",
)


@dataclass(frozen=True)
class DbtFilters:
    """What of dbt Cloud is asked for; an empty set means all.

    Attributes:
        accounts: Ids of accounts.
        projects: Ids of projects, for runs.
        jobs: Ids of jobs, for runs.
    """

    accounts: frozenset[int]
    projects: frozenset[int]
    jobs: frozenset[int]


class TapCloudAPIs(Tap):
    """Singer tap for dbt Cloud and Pulumi Cloud: run history, jobs, stacks, updates, access."""

    name = "tap-cloudapis"
    package_name = "tap-cloudapis"
    message_writer_class = BufferedSingerWriter
    message_writer: BufferedSingerWriter

    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.logger.addFilter(_is_for_users)
        self._services: dict[str, Service] = {}
        self._signal: int | None = None
        self.report = SyncReport(self.logger)
        super().__init__(*args, **kwargs)
        self._state_writer: ThrottledStateWriter = ThrottledStateWriter(self.message_writer)
        if not self.logger.isEnabledFor(logging.DEBUG):
            metrics.get_metrics_logger().setLevel(logging.WARNING)

    def discover_streams(self) -> Sequence[CloudStream]:
        """All streams, whatever the configuration."""
        return [stream(self) for stream in STREAMS]

    @property
    def state_writer(self) -> ThrottledStateWriter:
        """Writes STATE when it is due."""
        return self._state_writer

    # Settings

    @cached_property
    def user_agent(self) -> str:
        """What the tap calls itself in requests."""
        return str(self.config.get("user_agent") or f"{self.name}/{self.plugin_version}")

    @cached_property
    def dbt_filters(self) -> DbtFilters:
        """The ids in the settings, as numbers."""
        return DbtFilters(*map(self._ids, ("dbt_account_ids", "dbt_project_ids", "dbt_job_ids")))

    def _ids(self, setting: str) -> frozenset[int]:
        values = self.config.get(setting) or []
        try:
            return frozenset(int(value) for value in values)
        except ValueError:
            msg = f"{setting} holds something that is not an id: ids are whole numbers"
            raise TapError(msg) from None

    @property
    def pulumi_organizations(self) -> list[str]:
        """The organizations in the settings, each once."""
        names = self.config.get("pulumi_organizations") or []
        return list(dict.fromkeys(name.strip() for name in names if name.strip()))

    def is_narrowed(self, service_key: str) -> bool:
        """Whether the settings name a part of what the token can see."""
        part = {"dbt": self.dbt_filters.accounts, "pulumi": self.pulumi_organizations}
        return bool(part[service_key])

    def stream_of(self, stream_type: type[Stream] | None) -> CloudStream | None:
        """The tap's stream of a type, if it has one."""
        return next((s for s in self.streams.values() if type(s) is stream_type), None)  # type: ignore[return-value]

    def has_token(self, service_key: str) -> bool:
        """Whether a service is configured."""
        return bool(str(self.config.get(f"{service_key}_token") or "").strip())

    def service(self, service_key: str) -> Service:
        """A service, made at first use.

        Raises:
            TapError: When its URL is not usable.
        """
        if service_key not in self._services:
            client = {"dbt": dbt_client, "pulumi": pulumi_client}[service_key]
            setting = f"{service_key}_url"
            self._services[service_key] = Service(
                name={"dbt": "dbt Cloud", "pulumi": "Pulumi Cloud"}[service_key],
                url=client.base_url(self.config[setting]),
                url_setting=setting,
                headers=client.headers(self.config[f"{service_key}_token"].strip()),
                concurrency=self.config["concurrency"],
                timeout=self.config["request_timeout_seconds"],
                requests_per_minute=self.config.get(f"{service_key}_requests_per_minute"),
                patience=self.config["rate_limit_patience_seconds"],
                before_wait=self._before_wait,
            )
        return self._services[service_key]

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """The settings that the environment has, or else the ``.env`` of the working folder."""
        cls.append_builtin_config(cls.config_jsonschema)
        return read_settings(cls.config_jsonschema, cls._env_var_prefix, cls.logger)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Validate the settings; no message ever shows a value, as it may be a secret."""
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        found = JSONSchemaValidator(schema).iter_errors(self._config)
        errors = [text for error in found for text in explain(error, schema)]
        if errors and raise_errors:
            msg = "The configuration is not valid"
            raise ConfigValidationError(msg, errors=errors, schema=schema)
        return errors

    def check_settings(self) -> None:
        """Check what a sync needs and discovery does not.

        Raises:
            TapError: When no service has a token, or a setting has no sense.
        """
        keys = [key for key in ("dbt", "pulumi") if self.has_token(key)]
        if not keys:
            msg = (
                "no token: set dbt_token for dbt Cloud, pulumi_token for Pulumi Cloud, or both "
                "(TAP_CLOUDAPIS_DBT_TOKEN, TAP_CLOUDAPIS_PULUMI_TOKEN)"
            )
            raise TapError(msg)
        for key in keys:
            self.service(key)
        _ = self.dbt_filters
        start = self.config.get("start_date")
        if start and to_timestamp(start) == start and not start.endswith("Z"):
            msg = "start_date is not a date or timestamp like 2026-01-31 or 2026-01-31T00:00:00Z"
            raise TapError(msg)

    # A sync and its end

    def run(self) -> int:
        """Sync all selected streams, and say how it went.

        Returns:
            The exit code: 0 when every row was delivered that should have been, 1 when not,
            128 and the signal's number when a signal ended the sync.
        """
        code = 0
        # Records are trees without cycles: what the collector finds is not worth its searches.
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        try:
            self.check_settings()
            self._log_skipped_services()
            self.sync_all()
        except Terminated as exc:
            self.logger.warning("Ended by signal %d, behind a last STATE message", exc.signum)
            code = 128 + exc.signum
        except TapError as exc:
            self.logger.error("%s", exc)  # noqa: TRY400 - a line for a user, no traceback
            return 1
        finally:
            self.close()
        if self.report.rows or not self.report.failed:
            self.report.log_summary(self._configured_streams())
        return code or int(self.report.failed)

    def close(self) -> None:
        """Write the last state and what is buffered; end the threads."""
        for service in self._services.values():
            service.stop()
        if self.state:
            self._state_writer.force_state(self.state)
        self.message_writer.flush()

    def _configured_streams(self) -> list[str]:
        """The selected streams of services with a token."""
        return [
            stream.name
            for stream in self.streams.values()
            if stream.selected and self.has_token(stream.name.partition("_")[0])
        ]

    def _log_skipped_services(self) -> None:
        for key, name in (("dbt", "dbt Cloud"), ("pulumi", "Pulumi Cloud")):
            streams = [
                stream.name
                for stream in self.streams.values()
                if stream.selected and stream.name.startswith(f"{key}_")
            ]
            if streams and not self.has_token(key):
                self.logger.info(
                    "%s is skipped, as %s_token is not set: %s", name, key, ", ".join(streams)
                )

    def check_signal(self) -> None:
        """End the sync here, between two records, if a signal asked for it."""
        if self._signal is not None:
            raise Terminated(self._signal)

    def _before_wait(self) -> None:
        self.check_signal()
        self.message_writer.flush()
        self.report.progress()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Note the signal; nothing is written in a handler. A second one ends at once."""
        if self._signal is not None:
            os._exit(128 + signum)
        self._signal = signum

    # The command line

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: Any = None,
        catalog: Any = None,
    ) -> None:
        """Sync, or print what ``--about`` asks for; see :meth:`Tap.invoke`."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        try:
            tap = cls(
                config=config.config if config else {},
                state=_read_json(state, "--state"),
                catalog=_read_json(catalog, "--catalog"),
                parse_env_config=config.parse_env if config else False,
            )
        except ConfigValidationError as exc:
            raise TapError("; ".join(exc.errors)) from None
        cls.print_version(print_fn=cls.logger.info)
        sys.exit(tap.run())

    @classmethod
    def cb_test(
        cls,
        ctx: click.Context,
        param: click.Option,  # noqa: ARG003
        value: str,
    ) -> None:
        """Handle ``--test``: one record of each stream, exit code 1 if a stream failed."""
        if value == CliTestOptionValue.Disabled.value:
            return
        config: _ConfigInput = ctx.params["config"]
        try:
            tap = cls(config=config.config, parse_env_config=config.parse_env)
        except ConfigValidationError as exc:
            raise TapError("; ".join(exc.errors)) from None
        if value == CliTestOptionValue.Schema.value:
            tap.write_schemas()
        else:
            tap.check_settings()
            tap.run_connection_test()
            tap.report.log_summary()
            if not tap.report.failed:
                cls.logger.info("The test has passed: a record of each stream that has any")
        tap.close()
        ctx.exit(int(tap.report.failed))


def run_command(tap: type[TapCloudAPIs]) -> None:
    """Run a tap's command line and exit; what a user can mend is one line, no traceback.

    Args:
        tap: The tap, or one that inherits from it.
    """
    logger = logging.getLogger(tap.name)
    command = tap.cli
    try:
        command()
    except TapError as exc:
        logger.error("%s", exc)  # noqa: TRY400
    except Terminated as exc:
        sys.exit(128 + exc.signum)
    except TargetGone:
        # It has said why. Leave nothing for the interpreter to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        logger.error("The target closed the pipe before the end of the sync")  # noqa: TRY400
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        logger.error("%s", exc)  # noqa: TRY400
    except ValueError as exc:
        # The SDK reads --config with simplejson, whose error is a class of its own.
        if type(exc).__name__ != "JSONDecodeError":
            raise
        logger.error("--config: the file is not JSON (%s)", exc)  # noqa: TRY400
    sys.exit(1)


def _read_json(file: Any, option: str) -> dict[str, Any] | None:
    """Read the JSON file of an option."""
    if file is None:
        return None
    try:
        content: Any = load_json(file.read())
    except ValueError as exc:
        msg = f"{option}: the file is not JSON ({exc})"
        raise TapError(msg) from None
    if not isinstance(content, dict):
        msg = f"{option}: the file does not hold a JSON object"
        raise TapError(msg)
    return content


def _is_for_users(record: logging.LogRecord) -> bool:
    """Keep the SDK's narration of its start out of the log, but for those who debug."""
    return record.msg not in _SDK_NARRATION or logging.getLogger(record.name).isEnabledFor(10)
