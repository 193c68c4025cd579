"""Rows of a stream in Arrow, on their way from the records to a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        columns: What the columns of the table hold; properties without any value are left out.
        open: Answers the table; see `table`.
        size: The number of rows.
        declared: The columns of the schema that the rows came with.
        path: Where in the records the rows were: the keys of the tables of arrays; empty for the
            records themselves.
        spelled: As in `StreamSchema`, of the columns.
    """

    columns: tuple[Column, ...]
    open: Callable[[], pa.Table]
    size: int
    declared: Mapping[str, DataType] = field(default_factory=dict)
    path: Path = ()
    spelled: Mapping[str, str] = field(default_factory=dict)

    @property
    def table(self) -> pa.Table:
        """The rows; behind the columns those of `StreamSchema.ids`, by name.

        Columns with few values may be without their gaps; see `whole`.
        """
        return self.open()
