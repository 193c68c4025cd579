"""From the nodes in dbt's files, of any version and of Fusion, to rows: by key, not by version.

What a version does not tell is not there, and what a newer one tells besides is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_cloudapis.core.paging import Row

#: The phases of a node's life, as dbt names them.
PHASES = ("compile", "execute")
_STARTED = {phase: f"{phase}_started_at" for phase in PHASES}
_COMPLETED = {phase: f"{phase}_completed_at" for phase in PHASES}


def result_record(node: Row, columns: Mapping[str, Any], *, with_sql: bool) -> Row:
    """A node of ``run_results.json`` as a row.

    Args:
        node: As the file has it; it becomes the row.
        columns: What is the same for all nodes of the file.
        with_sql: Whether to keep the compiled code.
    """
    _time(node)
    if not with_sql:
        node.pop("compiled_code", None)
    unique_id = node.get("unique_id")
    if isinstance(unique_id, str):
        node["resource_type"] = unique_id.partition(".")[0]
    told = node.get("adapter_response")
    if told and isinstance(told, dict):
        node["rows_affected"] = told.get("rows_affected")
        node["bytes_processed"] = told.get("bytes_processed")
        query_id = told.get("query_id")
        node["query_id"] = told.get("job_id") if query_id is None else query_id
    node.update(columns)
    return node


def freshness_record(node: Row, columns: Mapping[str, Any]) -> Row:
    """A source of ``sources.json`` as a row: how old it is, or why that cannot be told.

    Args:
        node: As the file has it; it becomes the row.
        columns: What is the same for all sources of the file.
    """
    _time(node)
    if "max_loaded_at_time_ago_in_s" in node:
        node["age_seconds"] = node.pop("max_loaded_at_time_ago_in_s")
    criteria = node.pop("criteria", None)
    if isinstance(criteria, dict):
        for name in ("warn_after", "error_after"):
            limit = criteria.pop(name, None)
            if isinstance(limit, dict):
                node[f"{name}_count"] = limit.get("count")
                node[f"{name}_period"] = limit.get("period")
        node["filter"] = criteria.pop("filter", None)
        if criteria:
            node["criteria"] = criteria
    node.update(columns)
    return node


def _time(node: Row) -> None:
    """Tell the phases of a node by columns; with a phase of another name, all stay as they came."""
    phases = node.pop("timing", None)
    if not phases:
        return
    if not isinstance(phases, list):
        node["timing"] = phases
        return
    phases = [phase for phase in phases if isinstance(phase, dict)]
    for phase in phases:
        name = phase.get("name")
        if isinstance(name, str) and name in _STARTED:
            node[_STARTED[name]] = phase.get("started_at")
            node[_COMPLETED[name]] = phase.get("completed_at")
        else:
            node["timing"] = phases
