"""The settings of the tap, as ``--about``, Meltano and its hub show them.

Those of a service stand in the folder of the service.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, cast

from singer_sdk import typing as th

from tap_cloudapis.core.bookmarks import is_time
from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.normalizing import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jsonschema import ValidationError

    from tap_cloudapis.core.service import Service

#: JSON types in the words of an error message.
_TYPE_WORDS = {
    "array": 'a JSON array, like ["a", "b"] or [1, 2]',
    "integer": "a whole number",
    "object": "a JSON object",
    "string": "text",
}

_BOUND_WORDS = {"minimum": "least", "maximum": "most"}

#: Whole numbers as people and templates write them, few enough digits for a float to be exact.
_WHOLE = re.compile(r"[+-]?\d{1,15}(\.0*)?")
_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

#: Settings that concern all services.
COMMON = (
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description=(
            "Read runs created, updates started and events logged from then on, and older runs "
            "that are still open. Moving it back reads the earlier history of runs and updates "
            "at the next sync. Default: everything, but of the audit log of dbt Cloud."
        ),
    ),
    th.Property(
        "lookback_hours",
        th.IntegerType(minimum=0, maximum=87_600),
        default=24,
        title="Look-back (hours)",
        description=(
            "Runs that ended up to this long before the bookmark are read again, because "
            "some of a run's flags change after its end."
        ),
    ),
    th.Property(
        "concurrency",
        th.IntegerType(minimum=1, maximum=64),
        default=8,
        title="Concurrency",
        description="Requests in flight per service.",
    ),
    th.Property(
        "request_timeout_seconds",
        th.IntegerType(minimum=1, maximum=86_400),
        default=120,
        title="Request timeout (seconds)",
        description="How long to wait for a connection, and for each part of an answer.",
    ),
    th.Property(
        "request_time_limit_seconds",
        th.IntegerType(minimum=1, maximum=864_000),
        title="Request time limit (seconds)",
        description=(
            "How long one answer may take in all, to its last byte; a list with one that takes "
            "longer fails. Default: five times the request timeout."
        ),
    ),
    th.Property(
        "max_answer_megabytes",
        th.IntegerType(minimum=1, maximum=100_000),
        default=64,
        title="Largest answer (megabytes)",
        description="How large one answer may be, unpacked; a list with a larger one fails.",
    ),
    th.Property(
        "rate_limit_patience_seconds",
        th.IntegerType(minimum=0),
        default=900,
        title="Rate limit patience (seconds)",
        description=(
            "How long one request may wait in all, where the service limits the rate (429) or "
            "asks for a wait (503), before the rest of that service is left out."
        ),
    ),
    th.Property(
        "on_forbidden",
        th.StringType(allowed_values=["skip", "fail"]),
        default="skip",
        title="On forbidden",
        description=(
            "What to do when the token or the plan does not allow a stream: skip it and "
            "say so, or fail. What the settings name always fails when it is refused."
        ),
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Emit ACTIVATE_VERSION messages",
        description=(
            "After a full-table stream was read whole, tell the target to drop the rows that "
            "this run did not bring. Where account IDs or organizations are set, that is all "
            "rows of others. Leave it off where several plugins load into one dataset: each "
            "would drop the rows of the others."
        ),
    ),
    th.Property(
        "batch_config",
        th.ObjectType(
            th.Property(
                "encoding",
                th.ObjectType(
                    th.Property("format", th.StringType(allowed_values=["jsonl"])),
                    th.Property("compression", th.StringType(allowed_values=["none", "gzip"])),
                    additional_properties=False,
                ),
            ),
            th.Property(
                "storage",
                th.ObjectType(
                    th.Property("root", th.StringType),
                    th.Property("prefix", th.StringType),
                    additional_properties=False,
                ),
            ),
            th.Property("batch_size", th.IntegerType(minimum=1)),
            additional_properties=False,
        ),
        title="Batch configuration",
        description=(
            "Put records into files and name these in BATCH messages, for targets that read such: "
            '`{"storage": {"root": "file:///FOLDER"}}`. `encoding` may say `{"format": "jsonl", '
            '"compression": "gzip"}`, `batch_size` how many records a file has at the most. Other '
            "targets lose all rows. Default: records are lines."
        ),
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="What the tap calls itself to the services. Default: its name and version.",
    ),
)


def settings_schema(services: Iterable[Service]) -> dict[str, Any]:
    """The JSON schema of all settings: those of the services, then the common ones."""
    of_services = [setting for service in services for setting in service.settings]
    return th.PropertiesList(*of_services, *COMMON, additional_properties=False).to_dict()


def explain(error: ValidationError) -> list[str]:
    """Put a validation error into lines that name the setting and never show its value."""
    name = ".".join(map(str, error.path))
    if error.validator == "additionalProperties":
        lines = []
        instance: dict[str, Any] = dict(error.instance)  # type: ignore[arg-type]
        known = cast("Mapping[str, Any]", error.schema)["properties"]
        for unknown in sorted(instance.keys() - known.keys()):
            close = difflib.get_close_matches(unknown, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            lines.append(f"there is no setting {f'{name}.' if name else ''}{unknown}{hint}")
        return lines
    expected: Any = error.validator_value
    if error.validator == "enum":
        return [f"{name} must be one of {', '.join(map(str, expected))}"]
    if error.validator == "type":
        types = [expected] if isinstance(expected, str) else expected
        words = [_TYPE_WORDS.get(name, name) for name in types if name != "null"]
        return [f"{name} must be {' or '.join(words)}"]
    if error.validator == "anyOf":
        return [f"{name} is none of the values that it can have"]
    if error.validator in ("minimum", "maximum"):
        return [f"{name} must be at {_BOUND_WORDS[error.validator]} {expected:,}"]
    return [f"{name} is not valid: {error.validator} {expected}"]


def tidy(settings: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Bring settings into the types of their schema, where they are only written otherwise.

    Args:
        settings: As a file, the environment or Meltano give them.
        schema: The JSON schema of all settings.

    Returns:
        The settings without those that are null or empty, which count as not set; whole numbers
        and booleans written as text, or as ``24.0``, are numbers and booleans. What is of another
        type stays, for the validation to refuse.
    """
    properties = schema["properties"]
    tidied = {
        name: _tidy_value(value, _types(properties.get(name, {})))
        for name, value in settings.items()
    }
    return {
        name: value
        for name, value in tidied.items()
        if name not in properties or not (value is None or value in ("", [], {}))
    }


def _types(definition: Mapping[str, Any]) -> set[str]:
    types = definition.get("type", ())
    return {types} if isinstance(types, str) else set(types)


def _tidy_value(value: Any, types: set[str]) -> Any:
    if isinstance(value, str):
        value = value if value.strip() else ""
    if isinstance(value, list):
        return [item for item in value if item is not None and str(item).strip()]
    if "integer" in types:
        return _whole_number(value)
    if "boolean" in types and isinstance(value, (str, int)):
        return _BOOLEANS.get(str(value).strip().lower(), value)
    return value


def _whole_number(value: Any) -> Any:
    """A number that is whole, however it is written; anything else as it is."""
    if isinstance(value, bool):
        return value
    text = str(value).strip()
    return int(float(text)) if _WHOLE.fullmatch(text) else value


def check_start_date(value: str | None) -> None:
    """Check that a start date is a moment that exists.

    Raises:
        TapError: When it is not.
    """
    if value is None:
        return
    # Digits alone count seconds: 20260131 would be a day of 1970.
    if value.strip().isdecimal() or not is_time(to_timestamp(value)):
        msg = (
            "start_date is not a date or timestamp that exists, like 2026-01-31 or "
            "2026-01-31T00:00:00Z"
        )
        raise TapError(msg)
