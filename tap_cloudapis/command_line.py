"""The command line: what a user can mend is one line, and no traceback."""

from __future__ import annotations

import errno
import logging
import os
import sys
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._util import load_json
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue

from tap_cloudapis.catalog_file import catalog_of, read_catalog
from tap_cloudapis.check import check_streams
from tap_cloudapis.check_table import as_json, as_text
from tap_cloudapis.core import memory
from tap_cloudapis.core.errors import OutputError, TapError, Terminated
from tap_cloudapis.core.findings import CheckReport
from tap_cloudapis.stream_maps import check_sources, fault, tell_failures

if TYPE_CHECKING:
    from typing import NoReturn

    from singer_sdk.singerlib import Catalog

    from tap_cloudapis.core.connection import Connection
    from tap_cloudapis.core.output import BufferedSingerWriter
    from tap_cloudapis.core.report import SyncReport
    from tap_cloudapis.core.service import Service


#: What to give instead of a file that cannot be used.
_INSTEAD = {
    "--state": "; give the last STATE that a target gave back, or none to read everything",
    "--catalog": "; make it anew with --discover",
}
#: What the operating system says where output cannot be written, of which click knows one.
_NO_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)


#: What to give ``--test`` to see the records.
RECORDS = "records"


class _InputFile(click.File):
    """A file of the command line; one that cannot be opened is told in a line."""

    def fail(
        self,
        message: str,
        param: click.Parameter | None = None,
        ctx: click.Context | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Tell it as any other mistake of the user's."""
        option = param.opts[0] if param is not None else "file"
        msg = f"{option}: {message}"
        raise TapError(msg)


class CommandLineTap(Tap):
    """A tap whose command line tells a user's mistake in one line."""

    report: SyncReport
    message_writer: BufferedSingerWriter
    services: ClassVar[tuple[Service, ...]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: The content of the catalog's file, which is checked before the SDK reads it.
        self._given_catalog: dict[str, Any] | None = None
        if type(kwargs.get("catalog")) is dict:
            self._given_catalog = kwargs.pop("catalog")
        super().__init__(*args, **kwargs)

    def setup_mapper(self) -> None:
        """Read the catalog that was given and check the maps, before the SDK makes these.

        Raises:
            TapError: When one of them cannot be used.
        """
        if self._given_catalog is not None:
            self._input_catalog = read_catalog(self._given_catalog, self.discover_streams())
        maps = self.config.get("stream_maps")
        check_sources(maps or {}, self.streams)
        if not maps:
            super(Tap, self).setup_mapper()  # each stream is registered when it is read
            return
        try:
            super().setup_mapper()
        except Exception as exc:
            if isinstance(exc, ConfigValidationError):
                raise
            raise fault(self.config, self.catalog, self.logger, exc) from None
        tell_failures(self.mapper)

    @property
    def _singer_catalog(self) -> Catalog:
        """The catalog of the streams as they are."""
        return catalog_of(self.streams.values())

    def run(self) -> int:
        """Sync all selected streams in a process of their own, and give back the exit code."""
        memory.tune()
        try:
            return self.read()
        except TapError as exc:
            self.logger.error("%s", exc)  # noqa: TRY400 - a line for a user, no traceback
            return 1

    @abstractmethod
    def read(self) -> int:
        """Sync all selected streams, and give back the exit code; raises ``TapError``."""

    @abstractmethod
    def check_settings(self) -> None:
        """Check what a sync needs and discovery does not; raises ``TapError``."""

    @abstractmethod
    def is_configured(self, service: str) -> bool:
        """Whether there is a token for a service."""

    @abstractmethod
    def connection(self, service: str) -> Connection:
        """The connection to a service, by the service's key."""

    @abstractmethod
    def judge(self) -> None:
        """Report the refusals that leave nothing as failures."""

    @abstractmethod
    def log_summary(self) -> None:
        """Log what became of every stream that was to be read."""

    @abstractmethod
    def close(self) -> None:
        """Write what is buffered; end the threads."""

    @classmethod
    def invoke(  # type: ignore[override]  # noqa: PLR0913 - the options of the command
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: Any = None,
        catalog: Any = None,
        check: str | None = None,
    ) -> None:
        """Sync, check, or print what ``--about`` asks for; see :meth:`Tap.invoke`."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        try:
            tap = cls(
                config=config.config if config else {},
                state=None if check else read_json(state, "--state"),
                catalog=read_json(catalog, "--catalog"),
                parse_env_config=config.parse_env if config else False,
            )
        except ConfigValidationError as exc:
            raise TapError("; ".join(exc.errors)) from None
        cls.print_version(print_fn=cls.logger.info)
        sys.exit(tap.check(check) if check else tap.run())

    def check(self, form: str) -> int:
        """Ask for a row of each stream, and print what can be read, and what syncs will cost.

        Args:
            form: "table", or "json" for machines.

        Returns:
            The exit code: 0 only if everything that is selected can be read.
        """
        self.report = report = CheckReport(self.logger)
        self.check_settings()
        asked = [s for s in self.services if self.is_configured(s.key)]
        connected = [(service, self.connection(service.key)) for service in asked]
        found = check_streams(connected, self.streams, report, self.config)
        unasked = [service for service in self.services if service not in asked]
        write = as_json if form == "json" else as_text
        click.echo(write(found, unasked))
        return int(not all(service.is_well for service in found))

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The SDK's command, whose files are opened with words of ours."""
        command = super().get_singer_command()
        command.params.append(
            click.Option(
                ["--check"],
                is_flag=False,
                flag_value="table",
                type=click.Choice(["table", "json"]),
                help=(
                    "Ask for a row of each stream, and print which can be read, what the token "
                    "lacks, and what syncs will cost; --check=json for machines. The exit code is "
                    "0 only if everything selected can be read."
                ),
            )
        )
        for param in command.params:
            if isinstance(param.type, click.File):
                param.type = _InputFile()
            if param.name == "test" and isinstance(param, click.Option):
                param.help = (
                    "Read a record of each stream, and tell how that went; --test=records writes "
                    "the records, --test=schema the schemas without asking anybody."
                )
        return command

    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the files of ``--config``; one that holds no settings is told in a line."""
        given = _ConfigInput()
        for path in value:
            if path == "ENV":
                given.parse_env = True
            else:
                with _InputFile(encoding="utf-8").convert(path, param, ctx) as file:
                    given.config |= read_json(file, "--config") or {}
        return given

    @classmethod
    def cb_test(
        cls,
        ctx: click.Context,
        param: click.Option,  # noqa: ARG003
        value: str,
    ) -> None:
        """Handle ``--test``: one record of each stream, exit code 1 if a stream failed.

        The messages are written for ``--test=records`` alone: whoever tests wants the summary.
        """
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
            tap.message_writer.is_silent = value != RECORDS
            tap.run_connection_test()
            tap.judge()
            tap.log_summary()
            if not (tap.report.failed or tap.report.skipped):
                cls.logger.info("The test has passed: a record of each stream that has any")
        tap.close()
        ctx.exit(int(tap.report.failed))


def run_command(tap: type[Tap]) -> None:
    """Run a tap's command line and exit.

    Args:
        tap: The tap, or one that inherits from it.
    """
    logger = logging.getLogger(tap.name)
    wrong = _wrong_log_level(tap.name)
    try:
        command = tap.cli
    except Exception as exc:
        path = os.environ.get(_LOG_CONFIG)
        if not path:
            raise
        # Whatever a file of logging brings about.
        told = " ".join(f"{type(exc).__name__}: {exc}".split())
        wrong = f"{_LOG_CONFIG}: {path} sets up no logging ({told:.200})"
    if wrong:
        logger.error("%s", wrong)
        sys.exit(1)
    if sys.stdout is None:
        logger.error("cannot write to standard output: it is closed")
        sys.exit(1)
    try:
        command()
    except TapError as exc:
        logger.error("%s", exc)  # noqa: TRY400
    except Terminated as exc:
        sys.exit(128 + exc.signum)
    except OutputError as exc:
        _drop_output()
        logger.error("%s", exc)  # noqa: TRY400
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        logger.error("%s", exc)  # noqa: TRY400
    except OSError as exc:
        if exc.errno not in _NO_OUTPUT:
            raise
        _drop_output()
        logger.error("cannot write to standard output: %s", exc.strerror)  # noqa: TRY400
    sys.exit(1)


#: The variable of the SDK that names a file of logging; Meltano sets it.
_LOG_CONFIG = "SINGER_SDK_LOG_CONFIG"


def _wrong_log_level(plugin: str) -> str:
    """What is wrong with the variables of logging; they are dropped, so that it can be logged."""
    if not os.environ.get(_LOG_CONFIG):
        os.environ.pop(_LOG_CONFIG, None)
    known = logging.getLevelNamesMapping()
    for name in (f"{plugin.upper().replace('-', '_')}_LOGLEVEL", "LOGLEVEL"):
        level = os.environ.get(name)
        if level and level.upper() not in known:
            del os.environ[name]
            return f"{name}: there is no level {level!r:.60}; it is one of {', '.join(known)}"
    return ""


def _drop_output() -> None:
    """Leave nothing for the interpreter to flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def read_json(file: Any, option: str) -> dict[str, Any] | None:
    """Read the JSON file of an option.

    Args:
        file: An open file, or ``None``.
        option: The option, for the error message.

    Raises:
        TapError: When it does not hold a JSON object.
    """
    if file is None:
        return None
    try:
        content: Any = load_json(file.read())
    except (ValueError, RecursionError) as exc:
        msg = f"{option}: the file is not JSON ({exc}){_INSTEAD.get(option, '')}"
        raise TapError(msg) from None
    if not isinstance(content, dict):
        msg = f"{option}: the file does not hold a JSON object{_INSTEAD.get(option, '')}"
        raise TapError(msg)
    return content
