"""The command line: what a user can mend is one line, and no traceback."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._util import load_json

from tap_cloudapis.core.errors import OutputError, TapError, Terminated

if TYPE_CHECKING:
    from singer_sdk import Tap


def run_command(tap: type[Tap]) -> None:
    """Run a tap's command line and exit.

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
    except OutputError as exc:
        # Leave nothing for the interpreter to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        logger.error("%s", exc)  # noqa: TRY400
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        logger.error("%s", exc)  # noqa: TRY400
    except ValueError as exc:
        # The SDK reads --config with simplejson, whose error is a class of its own.
        if type(exc).__name__ != "JSONDecodeError":
            raise
        logger.error("--config: the file is not JSON (%s)", exc)  # noqa: TRY400
    sys.exit(1)


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
    except ValueError as exc:
        msg = f"{option}: the file is not JSON ({exc})"
        raise TapError(msg) from None
    if not isinstance(content, dict):
        msg = f"{option}: the file does not hold a JSON object"
        raise TapError(msg)
    return content
