"""Streams whose rows come inside the rows of their parent, and cost no request of their own."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.children import context_key
from tap_cloudapis.core.paging import NO_ROW
from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row


class PartStream(CloudStream):
    """A child that takes its rows out of its parent's raw row, before fields are dropped.

    The parent's requests are made even if only the child is selected; the rows follow right
    behind their parent's row; what the parent was refused is skipped here without a second
    warning. A subclass names the field, or overrides :meth:`parts`.
    """

    takes_parts = True
    path = ""

    #: The field of the parent's raw row that holds the list of rows.
    parts_field: ClassVar[str]

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._handed_down: dict[str, list[Row]] = {}

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The raw rows in a parent's raw row.

        Args:
            row: The parent's row as the API gave it; it must not be changed.
            context: The parent's context.
        """
        return row.get(self.parts_field) or []

    def take_parts(self, row: Row, context: Context) -> list[Row]:
        """Copy the rows: the parent may emit the field they stand in as well."""
        parts: Any = self.parts(row, context)
        return [*map(self._copied, parts)] if isinstance(parts, list) else [NO_ROW]

    def _copied(self, part: Any) -> Any:
        """A row of its own, but for what is dropped from it anyway."""
        if part is NO_ROW or not isinstance(part, dict):
            return part
        dropped = self.dropped_fields
        return {name: value if name in dropped else deepcopy(value) for name, value in part.items()}

    def hand_down(self, parts: list[Row], context: Context) -> None:
        """Keep the rows for the context."""
        self._handed_down[context_key(context)] = parts

    def handed(self, context: Context) -> int:
        """How many rows were handed down for a context."""
        return len(self._handed_down.get(context_key(context), ()))

    def wants(self, context: Context) -> bool:
        """Whether the context has rows; the first one always has its turn, for the SCHEMA."""
        return not self._schema_written or bool(self._handed_down.get(context_key(context)))

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The rows that were handed down."""
        yield self._objects(self._handed_down.pop(context_key(context), []), context)

    def _can_read(self, context: Context | None = None) -> bool:  # noqa: ARG002
        """Always: the rows are here, and may not come again once their parent's row was written.

        Another child can have found meanwhile that the token is not accepted any more.
        """
        return True

    def prefetch(self, context: Context) -> None:
        """Nothing is asked for."""

    def forget_prefetched(self) -> None:
        """Drop the rows whose parent's record was filtered out."""
        self._handed_down.clear()
