"""Settings from the environment, and from the ``.env`` of the working folder.

The SDK would look for a ``.env`` from its own installed file upwards, whatever the working folder,
and let it win over the environment.
"""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

from dotenv.main import DotEnv
from dotenv.parser import parse_stream

from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

#: The variable that turns the reading of ``.env`` off.
SWITCH = "CLOUDAPIS_DOTENV"
#: A larger file is none of settings, and takes long to read.
MOST_BYTES = 100_000

_FALSE, _TRUE = ("false", "0", "no", "off"), ("true", "1", "yes", "on")


def read_settings(schema: Mapping[str, Any], prefix: str, log: logging.Logger) -> dict[str, Any]:
    """Read what is set; ``.env`` only counts for what the environment has not.

    Args:
        schema: The JSON schema of all settings.
        prefix: How the names of their variables begin.
        log: Where to say what came from ``.env``.

    Returns:
        Values by setting. A text that is not of the setting's type is left to the validation.

    Raises:
        TapError: When ``.env`` cannot be read.
    """
    switch = os.environ.get(SWITCH, "").strip().lower()
    if switch not in ("", *_FALSE, *_TRUE):
        msg = f"{SWITCH} must be on or off"
        raise TapError(msg)
    dotenv = {} if switch in _FALSE else _read_dotenv()
    found, from_dotenv = {}, []
    for name, definition in schema["properties"].items():
        variable = f"{prefix}{name.upper()}"
        text = os.environ.get(variable)
        if text is None and (text := dotenv.get(variable)) is not None:
            from_dotenv.append(name)
        if text is not None:
            found[name] = _value(text, definition["type"])
    if from_dotenv:
        log.info("Settings from the .env of this folder: %s", ", ".join(from_dotenv))
    return found


def _read_dotenv() -> dict[str, str | None]:
    try:
        status = Path(".env").stat()
        if S_ISDIR(status.st_mode):
            return {}
        usable = S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES
        text = Path(".env").read_text("utf-8-sig") if usable else ""
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        msg = f".env of the working folder: {why} ({SWITCH}=off leaves it alone)"
        raise TapError(msg) from None
    if not usable:
        msg = f".env of the working folder is no file of settings ({SWITCH}=off leaves it alone)"
        raise TapError(msg)
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            found = binding.original
            line = found.line + len(found.string) - len(found.string.lstrip("\n"))
            msg = (
                f".env of the working folder: line {line} is not NAME=value "
                f"({SWITCH}=off leaves it alone)"
            )
            raise TapError(msg)
    return dict(DotEnv(None, stream=StringIO(text), override=False).dict())


def _value(text: str, types: Sequence[str]) -> Any:
    if "string" in types:
        return text
    if "boolean" in types:
        word = text.lower()
        return word in _TRUE if word in _TRUE + _FALSE else text
    try:
        return int(text) if "integer" in types else json.loads(text)
    except (ValueError, RecursionError):
        return text.split(",") if "array" in types else text
