"""From what dbt's files tell of the command that wrote them to rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.scalars import to_text
from tap_cloudapis.core.scrubbing import ReadingScrubber

if TYPE_CHECKING:
    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.dbt.artifacts import Artifact

#: Arguments with columns of their own, and those whose values are lists.
PLAIN = ("which", "rpc_method", "target", "threads", "full_refresh", "fail_fast", "defer", "empty")
LISTS = ("select", "exclude")
#: Arguments that may hold secrets, or tell of nothing but the machine that the command ran on.
_DROPPED = frozenset({"vars", "args", "invocation_command", "state", "defer_state"})
#: What a file tells that has columns of its own.
_MEMBERS = frozenset({"metadata", "args", "elapsed_time"})
_TOLD = frozenset(
    {
        "dbt_schema_version",
        "dbt_version",
        "env",
        "generated_at",
        "invocation_id",
        "invocation_started_at",
    }
)
#: People publish what they like by their environment, as text.
_SCRUBBER = ReadingScrubber()
_VERSION = re.compile(r"/(v\d+)\.json$")


def invocation_record(artifact: Artifact) -> Row:
    """The command that wrote a file as a row.

    Args:
        artifact: The file.
    """
    metadata, args = artifact.part("metadata"), artifact.part("args")
    schema = metadata.get("dbt_schema_version")
    version = _VERSION.search(schema) if isinstance(schema, str) else None
    summary = artifact.summarise()
    record: Row = {
        "invocation_id": metadata.get("invocation_id"),
        "generated_at": metadata.get("generated_at"),
        "invocation_started_at": metadata.get("invocation_started_at"),
        "dbt_version": metadata.get("dbt_version"),
        "schema_version": version[1] if version else schema,
        "elapsed_time": artifact.header.get("elapsed_time"),
        "env": metadata.get("env"),
        "result_count": summary.count,
        "status_counts": summary.statuses,
        "execution_seconds": summary.as_double,
    }
    record["metadata"] = {
        **{name: value for name, value in artifact.header.items() if name not in _MEMBERS},
        **{name: value for name, value in metadata.items() if name not in _TOLD},
    } or None
    record.update((name, args.get(name)) for name in PLAIN)
    record.update((name, _listed(args.get(name))) for name in LISTS)
    selector = args.get("selector", args.get("selector_name"))
    record["selector"] = None if selector == "" else selector
    told = {*PLAIN, *LISTS, "selector", "selector_name"}
    record["args"] = {
        name: value
        for name, value in args.items()
        if name not in told and name not in _DROPPED and not name.endswith(("_dir", "_path"))
    } or None
    for name in ("env", "args", "metadata"):
        record[name] = _SCRUBBER.scrub(record[name])
    return record


def _listed(value: Any) -> Any:
    """A selection as an array: older versions write it as a text, and none as an empty one."""
    if isinstance(value, list):
        scalars = [each for each in value if not isinstance(each, dict | list)]
        return [each if isinstance(each, str | None) else to_text(each) for each in scalars]
    return ([value] if value else []) if isinstance(value, str) else value
