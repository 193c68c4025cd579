"""The command line: what a user can mend is one line, and no traceback."""

from __future__ import annotations

import errno
import logging
import os
import sys
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._util import load_json
from singer_sdk.tap_base import CliTestOptionValue

from tap_cloudapis.core.errors import OutputError, TapError, Terminated

if TYPE_CHECKING:
    import click
    from singer_sdk.plugin_base import _ConfigInput

    from tap_cloudapis.core.report import SyncReport


#: What the operating system says where output cannot be written, of which click knows one.
_NO_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)


class CommandLineTap(Tap):
    """A tap whose command line tells a user's mistake in one line."""

    report: SyncReport

    @abstractmethod
    def run(self) -> int:
        """Sync all selected streams, and give back the exit code."""

    @abstractmethod
    def check_settings(self) -> None:
        """Check what a sync needs and discovery does not; raises ``TapError``."""

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
                state=read_json(state, "--state"),
                catalog=read_json(catalog, "--catalog"),
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
    command = tap.cli
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
    except ValueError as exc:
        # The SDK reads --config with simplejson, whose error is a class of its own.
        if type(exc).__name__ != "JSONDecodeError":
            raise
        logger.error("--config: the file is not JSON (%s)", exc)  # noqa: TRY400
    sys.exit(1)


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
        msg = f"{option}: the file is not JSON ({exc})"
        raise TapError(msg) from None
    if not isinstance(content, dict):
        msg = f"{option}: the file does not hold a JSON object"
        raise TapError(msg)
    return content
