"""The tables of streams in ``docs/streams.md``, from what each stream declares of itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE

from tap_cloudapis.core.ledger import LedgerStream
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.tap import TapCloudAPIs

if TYPE_CHECKING:
    from tap_cloudapis.core.facts import Facts
    from tap_cloudapis.core.stream import CloudStream

DOCUMENT = Path(__file__).parents[1] / "docs/streams.md"

#: What is told of each stream.
COLUMNS = (
    "Stream",
    "One row is",
    "Key",
    "Parent",
    "Replication",
    "Requests of a sync",
    "The token needs",
    "Plans",
    "Selected by default",
)


def with_tables(text: str) -> str:
    """Return a document with a table of the streams of each service.

    Args:
        text: Markdown; the tables stand between ``<!-- streams -->`` and ``<!-- streams end -->``.
    """
    tap = TapCloudAPIs(config={})
    tables = []
    for service in tap.services:
        # A stream that only leads to its children is in no catalog, and in no table.
        streams = [stream for stream in service.streams if _is_seen(stream)]
        rows = [COLUMNS, (":--",) * len(COLUMNS)]
        rows += [row_of(stream(tap), pages="streams/") for stream in streams]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        tables.append("\n".join([f"## {service.title}", "", *lines]))
    return re.sub(
        r"(<!-- streams -->).*?(<!-- streams end -->)",
        lambda match: "\n\n".join([match[1], *tables, match[2]]),
        text,
        flags=re.DOTALL,
    )


def selection() -> list[str]:
    """Return the rules for Meltano, which selects all that no rule leaves out."""
    tap = TapCloudAPIs(config={})
    streams = [cast("CloudStream", stream) for stream in tap.streams.values() if _is_seen(stream)]
    left_out = [f"{stream.name}.*" for stream in streams if not stream.selected_by_default]
    left_out += [
        f"{stream.name}.{column}"
        for stream in streams
        if stream.selected_by_default
        for column in sorted(stream.unselected_columns)
    ]
    return ["*.*", *(f"!{name}" for name in left_out)]


def row_of(stream: CloudStream, *, pages: str) -> tuple[str, ...]:
    """What is told of a stream.

    Args:
        stream: The stream.
        pages: Where the pages of streams are, for links.
    """
    facts = stream.facts
    parent = _parent_of(stream)
    while parent is not None and not _is_seen(parent):
        parent = _parent_of(parent)
    return (
        f"[`{stream.name}`]({pages}{stream.name}.md)",
        facts.row,
        ", ".join(f"`{name}`" for name in stream.primary_keys),
        f"[`{parent.name}`]({pages}{parent.name}.md)" if parent else "",
        _replication(stream),
        facts.requests,
        facts.permission or "nothing more",
        _plan(facts),
        f"no: {facts.unselected}" if facts.unselected else "yes",
    )


def _plan(facts: Facts) -> str:
    """The plans that include a stream, and the switch that tells of it."""
    return (facts.plan or "all") + (f"; `{facts.switch}`" if facts.switch else "")


def _parent_of(stream: CloudStream | type[CloudStream]) -> type[CloudStream] | None:
    return cast("type[CloudStream] | None", stream.parent_stream_type)


def _replication(stream: CloudStream) -> str:
    if isinstance(stream, LedgerStream):
        return "full table of each row of the parent, when that has changed"
    if stream.replication_method == REPLICATION_FULL_TABLE:
        return "full table"
    by = ", by marks" if isinstance(stream, MarkedStream) else ""
    return f"incremental, `{stream.replication_key}`{by}"


def _is_seen(stream: object) -> bool:
    return bool(getattr(stream, "in_catalog", True))
