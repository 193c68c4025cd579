"""Which columns of a table are the loader's own; see `rows.own`.

The dataset's schema says whose a column is. In those that an earlier release or another pipeline
of dlt made it does not: then it is taken from the name, the type, and what the source brings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_dlt.rows.own import DELETED_AT, VERSION, is_only_sign, tells_deletions

if TYPE_CHECKING:
    from target_dlt.dlt_internals import Table, TableColumn
    from target_dlt.engines.base import Rules, StreamLoad
    from target_dlt.messages.schema import DataType

#: How the names of all such columns begin.
OWN_PREFIX = "_sdc_"


def own_columns(table: Table, load: StreamLoad, rules: Rules) -> dict[str, DataType]:
    """Find the loader's own columns that a load needs, and claim those that the table has.

    Args:
        table: Where the load goes.
        load: What a commit brings.
        rules: What becomes of rows that are gone.

    Returns:
        Their types by name; none for the tables of arrays.
    """
    if table.parent is not None:
        return {}
    own = dict(load.schema.own)
    own |= {c.name: c.type for chunk in load.chunks for c in chunk.columns if c.own}
    if tells_deletions(load.schema) and DELETED_AT in load.schema.columns:
        own[DELETED_AT] = "timestamp"
    if load.activations:
        own[VERSION] = "bigint"
        if not rules.hard_delete:
            own[DELETED_AT] = "timestamp"
    for name, kind in {DELETED_AT: "timestamp", **own}.items():
        if table.of_loader(name) is None:
            _claim(table, load, name, kind)
    return own


def _claim(table: Table, load: StreamLoad, name: str, kind: str) -> None:
    for column in table.columns.values():
        if column.own is not None or column.source != name or column.variant or column.key:
            continue
        if name == DELETED_AT:  # the same for tap and loader, in which of both forms they had it
            column.own = column.type in {"timestamp", "text"} or None
        else:
            column.own = (column.type == kind and not _is_brought(load, name)) or None


def _is_brought(load: StreamLoad, name: str) -> bool:
    """Tell whether the source has a property of a name."""
    brought = {c.name for chunk in load.chunks for c in chunk.columns if not c.own}
    return name in brought or name in load.schema.columns


def has_column(table: Table, load: StreamLoad, name: str, kind: DataType) -> bool:
    """Tell whether a declared property has a column of its own by now.

    That of a version waits for the first rows: whether they carry versions decides about its name.
    """
    if table.parent is not None or name in load.schema.keys:
        return True
    return not is_only_sign(name, kind) and (name != VERSION or bool(load.chunks))


def gone_where(mark: TableColumn, name: str) -> str:
    """Write the condition, in SQL, of rows that are marked as gone.

    Args:
        mark: The column that marks them; of earlier releases it may be of text.
        name: Its name, quoted.
    """
    return f"{name} IS NOT NULL" + (f" AND {name} <> ''" if mark.type == "text" else "")
