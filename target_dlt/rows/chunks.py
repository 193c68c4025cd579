"""Rows of a stream in Arrow, on their way from the records to a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from target_dlt.messages.schema import DataType
    from target_dlt.names import Path


@dataclass(frozen=True)
class Column:
    """A column of a chunk.

    Attributes:
        name: Name of the property.
        type: Type of its values.
        variant: Whether it holds the misfits of that name.
        own: Whether it is one of the loader's own, and no property.
    """

    name: str
    type: DataType
    variant: bool = False
    own: bool = False


@dataclass(frozen=True)
class Chunk:
    """Rows of one stream in Arrow; the n-th column of the table is the n-th of `columns`.

    Attributes:
        columns: What the columns of the table hold.
        table: The rows; behind the columns those of `StreamSchema.ids`, by name.
        path: Where in the records the rows were: the keys of the tables of arrays; empty for the
            records themselves.
        spelled: As in `StreamSchema`, of the columns.
    """

    columns: tuple[Column, ...]
    table: pa.Table
    path: Path = ()
    spelled: Mapping[str, str] = field(default_factory=dict)
