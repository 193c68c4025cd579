"""What is wrong with the settings, in words."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import ValidationError

#: JSON types in the words of an error message.
_TYPE_WORDS = {
    "array": 'a JSON array, like ["a", "b"]',
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "a JSON object",
    "string": "text",
}
#: What the patterns of settings mean.
_PATTERN_WORDS = {
    "memory_limit": "a size, like 512MB or 4GB",
    "storage_version": "latest or a version of DuckDB, like v1.4.0",
    "default_target_schema": "the name of a schema",
    "destination": "the name of a destination",
    "pipeline_name": "made of letters, digits, _ and -",
}


def explain(error: ValidationError, schema: Mapping[str, Any]) -> list[str]:
    """Put a validation error into lines that name the setting and what it must be.

    Args:
        error: An error of the settings.
        schema: The JSON schema of all settings.

    Returns:
        Texts without a value of a setting that may be secret.
    """
    path = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties" and not path:
        instance: dict[str, Any] = dict(error.instance)  # type: ignore[arg-type]
        unknown = sorted(instance.keys() - schema["properties"].keys())
        return [_unknown(name, schema["properties"]) for name in unknown]
    if error.validator == "required" and not path:
        missing = set(error.validator_value) - dict(error.instance).keys()  # type: ignore[arg-type]
        return [f"{name!r} is missing" for name in sorted(missing)]
    name = ".".join(path)
    setting: Mapping[str, Any] = schema["properties"].get(path[0], {}) if path else {}
    may_hold_secrets = setting.get("secret") or "object" in setting.get("type", ())
    shown = "" if may_hold_secrets else f", not {error.instance!r}"
    return [f"{name!r} must be {_expected(error, name)}{shown}"]


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"there is no setting {name!r}{hint}"


def _expected(error: ValidationError, name: str) -> str:
    expected: Any = error.validator_value
    if error.validator == "enum":
        return f"one of {', '.join(map(str, expected))}"
    if error.validator == "type":
        types = [expected] if isinstance(expected, str) else expected
        words = " or ".join(_TYPE_WORDS.get(kind, kind) for kind in types if kind != "null")
        least = dict(error.schema).get("minimum")  # type: ignore[arg-type]
        return words if least is None else f"{words} of at least {least}"
    if error.validator == "minimum":
        return f"a whole number of at least {expected}"
    if error.validator == "pattern" and name in _PATTERN_WORDS:
        return _PATTERN_WORDS[name]
    return f"what its schema says ({error.validator}: {expected})"
