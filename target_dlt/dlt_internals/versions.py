"""Versions of a dataset's schema, which dlt tells apart by their content alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from dlt.common.schema import Schema

# dlt leaves hints that begin with x- to others.
_COUNT = "x-singer-version"


def count_change(schema: Schema) -> None:
    """Make a schema that was changed equal to none of its earlier versions.

    dlt stores no version twice, and the one that it stored last is the newest: a schema that is
    again as it once was would not be found by the next run.

    Args:
        schema: The schema; to be called before dlt counts it as a new version.
    """
    if not schema.is_new and schema.is_modified:
        cast("dict[str, Any]", schema.settings)[_COUNT] = schema.version
