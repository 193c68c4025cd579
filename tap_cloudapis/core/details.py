"""Lists whose rows lack what only their own addresses have, which a setting asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row


class DetailedStream(CloudStream):
    """A list whose rows can be completed, at the price of a request for each.

    A row whose details are refused stays as its list has it: the stream is not skipped for it.
    """

    #: The setting that asks for details.
    details_setting: ClassVar[str]
    #: What only the details have.
    detail_fields: ClassVar[frozenset[str]]

    @property
    def with_details(self) -> bool:
        """Whether the settings ask for details."""
        return bool(self.config.get(self.details_setting))

    def requests_beyond(self, rows: int) -> int:
        """One per row with its details."""
        return rows if self.with_details else 0

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the lists, and complete their rows if the settings say so."""
        for rows in super().lists(context):
            if self.with_details:
                self._complete(rows, context)
            yield rows

    def _complete(self, rows: list[Row], context: Context | None) -> None:
        """Add to rows what their own addresses have; they are asked for side by side."""
        known = [row for row in rows if type(row.get("id")) is int]
        if self.ABORT_AT_RECORD_COUNT is not None:
            known = known[:1]
        asked = [(row, self.ask(context, below=f"{row['id']}/")) for row in known]
        for row, exchange in asked:
            try:
                page = self.read_detail(exchange.body())
            except RefusedError as exc:
                self.note_of(context, f"rows come without their details ({exc})")
                continue
            if page.get("id") != row["id"]:
                raise self.misshapen(f"details of {row['id']}")
            row.update({name: page[name] for name in self.detail_fields & page.keys()})
