"""The tap: its services, and how a sync begins and ends."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import metrics
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator

from tap_cloudapis.command_line import CommandLineTap
from tap_cloudapis.core.batches import batch_settings, begin_files
from tap_cloudapis.core.children import related
from tap_cloudapis.core.errors import TapError, Terminated
from tap_cloudapis.core.headers import check_header, check_token
from tap_cloudapis.core.ledger import leaders_of
from tap_cloudapis.core.output import BufferedSingerWriter, ThrottledStateWriter
from tap_cloudapis.core.redaction import keep_secret
from tap_cloudapis.core.report import SyncReport
from tap_cloudapis.core.state import HOSTS_KEY, known_hosts, read_bookmarks, stamp, unwrap
from tap_cloudapis.core.summary import log_summary
from tap_cloudapis.core.verdict import judge, remember, why_unread
from tap_cloudapis.dbt import DBT_CLOUD
from tap_cloudapis.environment import read_settings
from tap_cloudapis.plan import Plan
from tap_cloudapis.pulumi import PULUMI_CLOUD
from tap_cloudapis.settings import check_start_date, explain, settings_schema, tidy
from tap_cloudapis.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from singer_sdk.helpers.capabilities import CapabilitiesEnum

    from tap_cloudapis.core.connection import Connection
    from tap_cloudapis.core.service import Service
    from tap_cloudapis.core.stream import CloudStream

SERVICES = (DBT_CLOUD, PULUMI_CLOUD)

#: What the SDK logs at every start; shown at the level DEBUG only.
_SDK_NARRATION = (
    "Added '%s' as child stream to '%s'",
    "Skipping parse of env var settings...",
    "Parsing env var for settings config...",
    "Skipping deselected stream '%s'.",
)


class TapCloudAPIs(CommandLineTap):
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
        PluginCapabilities.BATCH,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    #: The services that the tap reads.
    services: ClassVar[tuple[Service, ...]] = SERVICES
    config_jsonschema: ClassVar[dict[str, Any]] = settings_schema(SERVICES)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a tap with other services have their settings."""
        super().__init_subclass__(**kwargs)
        if "services" in vars(cls):
            cls.config_jsonschema = settings_schema(cls.services)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.logger.addFilter(_is_for_users)
        self._connections: dict[str, Connection] = {}
        self._signal: int | None = None
        self._ends = False
        self._watch = Watch(lambda: (self.message_writer.writes, self._ends))
        self.report = SyncReport(self.logger)
        super().__init__(*args, **kwargs)
        self._state_writer: ThrottledStateWriter = ThrottledStateWriter(self.message_writer)
        if not self.logger.isEnabledFor(logging.DEBUG):
            metrics.get_metrics_logger().setLevel(logging.WARNING)

    def discover_streams(self) -> Sequence[CloudStream]:
        """All streams, whatever the configuration."""
        return related([kind(self) for service in self.services for kind in service.streams])

    @property
    def state_writer(self) -> ThrottledStateWriter:
        """Writes STATE when it is due."""
        return self._state_writer

    # Services and settings

    @cached_property
    def user_agent(self) -> str:
        """What the tap calls itself in requests."""
        chosen = str(self.config.get("user_agent") or "").strip()
        return chosen or f"{self.name}/{self.plugin_version}"

    @cached_property
    def _configured(self) -> dict[str, Service]:
        """The services that have a token, by key."""
        return {service.key: service for service in self.services if service.token(self.config)}

    @cached_property
    def _plan(self) -> Plan:
        return Plan(self.services, self._configured, self.streams, self.logger)

    def is_configured(self, service: str) -> bool:
        """Whether there is a token for a service."""
        return service in self._configured

    def is_narrowed(self, stream: str) -> bool:
        """Whether a filter of the settings leaves out some of a stream's rows."""
        return any(service.narrows(stream, self.config) for service in self.services)

    def connection(self, service: str) -> Connection:
        """The connection to a service, by the service's key; made at first use.

        Raises:
            TapError: When its URL is not usable.
        """
        if service not in self._connections:
            connect = self._configured[service].connect
            self._connections[service] = connect(self.config, self._before_wait, self.logger.info)
        return self._connections[service]

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """The settings that the environment has, or else the ``.env`` of the working folder."""
        cls.append_builtin_config(cls.config_jsonschema)
        return read_settings(cls.config_jsonschema, cls._env_var_prefix, cls.logger)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Validate the settings; no message ever shows a value, as it may be a secret."""
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        self._config = tidy(self._config, schema)
        keep_secret(
            str(value)
            for name, value in self._config.items()
            if schema["properties"].get(name, {}).get("secret")
        )
        try:
            found = list(JSONSchemaValidator(schema).iter_errors(self._config))
            errors = [text for error in found for text in explain(error)]
        except AttributeError:  # a mistake in the SDK's schema of stream maps
            errors = ["stream_maps: __else__ can be nothing but null"]
        if errors and raise_errors:
            msg = "The configuration is not valid"
            raise ConfigValidationError(msg, errors=errors, schema=schema)
        return errors

    def check_settings(self) -> None:
        """Check what a sync needs and discovery does not.

        Raises:
            TapError: When no service has a token, or a setting has no sense.
        """
        if not self._configured:
            wanted = [f"{service.key}_token for {service.title}" for service in self.services]
            prefix = self._env_var_prefix
            names = [f"{prefix}{service.key.upper()}_TOKEN" for service in self.services]
            msg = f"no token: set {' or '.join(wanted)} (in the environment {' or '.join(names)})"
            raise TapError(msg)
        check_header(self.user_agent, "user_agent")
        check_start_date(self.config.get("start_date"))
        batch_settings(self.config)
        for service in self._configured.values():
            check_token(service.token(self.config), f"{service.key}_token")
            service.check(self.config)
            connection = self.connection(service.key)
            if connection.url_hint:
                self.logger.warning("Asking %s: %s", connection.url, connection.url_hint)

    # State

    @property
    def _whole_state(self) -> dict[str, Any]:
        """The state, with what stands beside the bookmarks that the SDK knows of."""
        return cast("dict[str, Any]", self.state)

    @property
    def _cloud_streams(self) -> list[CloudStream]:
        return [cast("CloudStream", stream) for stream in self.streams.values()]

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state, if its form is the one of this version; say what of it is spoiled.

        Raises:
            TapError: When it is not.
        """
        state, place = unwrap(state)
        if place:
            self.logger.info("--state: the bookmarks are taken out of %s", place)
        forms = {stream.name: stream.bookmark_form for stream in self._cloud_streams}
        leaders = leaders_of(self._cloud_streams)
        bookmarks = read_bookmarks(state, forms, self.logger.warning, leaders)
        super().load_state({"bookmarks": bookmarks})
        self._whole_state[HOSTS_KEY] = known_hosts(state)

    def _begin_state(self) -> None:
        """Stamp the state, and warn of one that speaks of another deployment."""
        hosts = {key: self.connection(key).hostname for key in self._configured}
        for key, before in stamp(self._whole_state, hosts).items():
            self.logger.warning(
                "The state was written with %s as %s_host, now it is %s. If that is another "
                "deployment, use a state of its own: ids mean other things there",
                before,
                key,
                hosts[key],
            )

    # A sync and its end

    def read(self) -> int:
        """Sync all selected streams, and say how it went.

        Returns:
            The exit code: 0 when every row was delivered that should have been, 1 when not,
            128 and the signal's number when a signal ended the sync.

        Raises:
            TapError: When nothing can be read at all.
        """
        code = 0
        try:
            self.check_settings()
            self._begin_state()
            begin_files(self.config, self.message_writer, self.logger)
            drops = bool(self.config.get("emit_activate_version_messages"))
            self._plan.log(self.input_catalog or {}, drops=drops)
            self.sync_all()
            self.judge()
            remember(self._cloud_streams)
        except Terminated as exc:
            self.report.interrupted(exc.signum)
            code = 128 + exc.signum
        finally:
            self.close()
        if self.report.has_figures or self.report.skipped or not self.report.failed:
            self.log_summary()
        return code or int(self.report.failed)

    def judge(self) -> None:
        """Report the refusals that leave nothing, or less than before, as failures."""
        for service in self._configured.values():
            streams = [stream for stream in self._cloud_streams if type(stream) in service.streams]
            if streams and self.connection(service.key).unusable is None:
                judge(service, streams, self.report, self.config)

    def log_summary(self) -> None:
        """Log what became of every stream that was to be read."""
        streams = {stream.name: stream for stream in self._cloud_streams}
        expected = self._plan.expected()
        reasons = {name: why_unread(streams[name], self.report) for name in expected}
        log_summary(self.logger, self.report, expected, reasons)

    def close(self) -> None:
        """Write the last state and what is buffered; end the threads."""
        for connection in self._connections.values():
            connection.stop()
        try:
            if self.state.get("bookmarks"):
                self._state_writer.force_state(self.state)
            self.message_writer.finish()
        finally:
            self._watch.stop()

    def check_signal(self) -> None:
        """End the sync here, between two records, if a signal asked for it."""
        if self._signal is not None:
            self._ends = True
            raise Terminated(self._signal)

    def _before_wait(self) -> None:
        self.check_signal()
        self.message_writer.flush()
        self.report.progress()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Note the signal; nothing is written in a handler. A second one ends at once.

        So does a while without any progress: a write to a full pipe may never return.
        """
        if self._signal is not None:
            os._exit(128 + signum)
        self._signal = signum
        self._watch.start(signum)


def _is_for_users(record: logging.LogRecord) -> bool:
    """Leave out what the SDK logs at every start, unless the level is DEBUG."""
    return record.msg not in _SDK_NARRATION or logging.getLogger(record.name).isEnabledFor(10)
