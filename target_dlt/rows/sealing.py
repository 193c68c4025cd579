"""Rows that were taken one by one to the columns of a chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_dlt.rows.arrays import build, build_sparse, has_values, whole
from target_dlt.rows.chunks import Column
from target_dlt.rows.own import DELETED_AT, deletions
from target_dlt.rows.values import infer_type, to_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from target_dlt.messages.schema import DataType

#: Values beside the rows, by column and position, as `to_field` makes them.
Beside = dict[Column, dict[int, Any]]


def misfit(name: str, value: Any) -> tuple[Column, Any]:
    """Answer the variant column of a value, and the field that holds it there."""
    kind = infer_type(value)
    return Column(name, kind, variant=True), to_field(kind, value)


class ChunkColumns:
    """Collects the columns of a chunk; what a column cannot hold goes to a variant of it.

    Args:
        length: The number of rows.
        beside: What is in no row; it is emptied.

    Attributes:
        columns: What the arrays hold.
        arrays: The columns, of that length.
    """

    def __init__(self, length: int, beside: Beside) -> None:
        self._length = length
        self._beside = beside
        self.columns: list[Column] = []
        self.arrays: list[pa.Array] = []

    def add(self, column: Column, fields: list[Any]) -> None:
        """Add a column of the rows' fields; without any value only if it is the loader's own."""
        self._take(column, *build(column.type, fields))

    def add_runs(self, column: Column, runs: pa.Array) -> None:
        """Add a column that is made."""
        self._take(column, runs, {})

    def add_deletions(self, kind: DataType, fields: list[Any]) -> None:
        """Add the property `_sdc_deleted_at`, and the column of the loader's own for what it says.

        Args:
            kind: Type of the property; a point in time needs no other column than the own one.
            fields: Its values in the rows.

        Raises:
            MisfitError: If an object or array is among them.
        """
        built, odd = build(kind, fields)
        signs: dict[int, Any] = {}
        for column, found in self._beside.items():
            if column.name == DELETED_AT:
                signs |= found
        own = deletions(kind, whole(built), fields, signs | odd)
        if kind == "timestamp":
            self._keep(DELETED_AT, odd)
        else:
            self._take(Column(DELETED_AT, kind), built, odd)
        self._take(Column(DELETED_AT, "timestamp", own=True), own, {})

    def add_beside(self) -> None:
        """Add what is in no row, when all others were added."""
        while self._beside:
            column = next(iter(self._beside))
            found = self._beside.pop(column)
            self._take(column, *build_sparse(column.type, found, self._length))

    def _keep(self, name: str, odd: Mapping[int, Any]) -> None:
        for position, value in odd.items():
            variant, field = misfit(name, value)
            self._beside.setdefault(variant, {})[position] = field

    def _take(self, column: Column, built: pa.Array, odd: Mapping[int, Any]) -> None:
        self._keep(column.name, odd)
        if column.own or has_values(built):
            self.columns.append(column)
            self.arrays.append(built)
