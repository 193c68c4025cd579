"""Lists that the console shows as grids: a POST names the first row and the last one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import BadRequestError
from tap_cloudapis.core.newest_pages import NewestPages
from tap_cloudapis.core.posting import PostedStream
from tap_cloudapis.pulumi.lists import OrganizationList

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Params, Row

#: The parts of a question that the document wants, and that no client was seen to send.
_IN_FULL = {
    "rowGroupCols": [],
    "valueCols": [],
    "groupKeys": [],
    "filterModel": {"type": "AND", "conditions": []},
}


@dataclass
class GridPages(NewestPages):
    """Pages by the number of their first row, each of which reaches into the one before."""

    overlap: ClassVar[int] = 1

    def first_params(self) -> Params:
        """From row 0; the last row is the size, which is added."""
        return {"startRow": 0}

    def params_of(self, number: int, size: int) -> Params:
        """A page behind the first one."""
        start = (number - 1) * _step(size)
        return {"startRow": start, "endRow": start + size}

    def end_of(self, number: int, size: int) -> int:
        """How many rows the first pages have."""
        return (number - 1) * _step(size) + size


def _step(size: int) -> int:
    return max(size - GridPages.overlap, 1)


class GridList(PostedStream, OrganizationList):
    """Such a list of an organization.

    Attributes:
        order: What the rows are to be sorted by.
    """

    page_size = ("endRow", 500)
    order: ClassVar[Sequence[Row]] = ()

    #: Whether questions have all parts, because those without were refused.
    _in_full = False

    def body(self, context: Context | None, params: Params) -> Any:  # noqa: ARG002
        """The question of a page, as Pulumi's own client asks it."""
        more = _IN_FULL if self._in_full else {}
        return {**params, **more, "sortModel": list(self.order)}

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the list; a server that wants all parts of a question is asked again."""
        given = False
        try:
            for rows in super().lists(context):
                given = True
                yield rows
        except BadRequestError:
            if given or self._in_full:
                raise
            self._in_full = True
            yield from super().lists(context)
