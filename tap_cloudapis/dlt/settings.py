"""The settings of the tap as dlt finds them: in its files, or in the environment."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration import configspec, resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.settings import settings_schema
from tap_cloudapis.tap import SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What ``dlt init`` writes where a value is to be filled in: not everybody has both services.
_TO_FILL_IN = "<configure me>"
#: The setting that the source alone has: which columns are read, besides those of the default. dlt
#: reads settings from variables of their bare names, too, and COLUMNS is the width of a terminal.
COLUMNS = "column_selection"

_TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
}


def _type_of(definition: Mapping[str, Any]) -> Any:
    if definition.get("secret"):
        return dlt.TSecretStrValue
    types = definition["type"]
    names = [types] if isinstance(types, str) else types
    return _TYPES[next(name for name in names if name != "null")]


def _specification() -> type[BaseConfiguration]:
    """All settings of the tap and of the source, as dlt declares settings; none is required."""
    properties = settings_schema(SERVICES)["properties"]
    types = {name: _type_of(definition) for name, definition in properties.items()}
    types[COLUMNS] = list[str]
    fields = {name: kind | None for name, kind in types.items()}
    body = {"__annotations__": fields, "__module__": __name__, **dict.fromkeys(fields)}
    return configspec(type("CloudApisSettings", (BaseConfiguration,), body))


CloudApisSettings = _specification()


def resolve(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Find the settings, in the configuration sections that dlt has opened for the source.

    Args:
        given: Settings that are given as arguments, which win.

    Returns:
        The settings of the tap that are set, and the columns.

    Raises:
        TapError: When there is no such setting.
    """
    known = CloudApisSettings.get_resolvable_fields()
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            msg = f"there is no setting {name}{hint}"
            raise TapError(msg)
    explicit = {name: value for name, value in given.items() if value is not None}
    found = dict(resolve_configuration(CloudApisSettings(), explicit_value=explicit))
    settings = {name: value for name, value in found.items() if value not in (None, _TO_FILL_IN)}
    columns = settings.pop(COLUMNS, [])
    return settings, list(columns)
