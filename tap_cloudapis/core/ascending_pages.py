"""Lists that are paged by page numbers and read to their end, each row once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import IncompleteListError
from tap_cloudapis.core.paging import MAX_RESTARTS, later_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_cloudapis.core.paging import PageLimit, Params, PendingPage, Row, Submit


@dataclass
class AscendingPages:
    """Pages by number from 1, oldest row first, so that new rows come behind those that were read.

    Attributes:
        limit: The page size.
        what: The list in the words of an error message.
        identity: Gives what tells a raw row from the others.
    """

    limit: PageLimit
    what: str
    identity: Callable[[Row], Any]

    def first_params(self) -> Params:
        """Page 1."""
        return {"page": 1}

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:  # noqa: ARG002
        """Give the rows of all pages; where rows have gone meanwhile, others moved: read again."""
        seen: set[Any] = set()
        for _ in range(MAX_RESTARTS):
            page, number, sure = first.result(), 1, True
            size, total = page.size or len(page.rows), page.total
            here: set[Any] = set()
            while page.rows:
                known = len(here)
                here.update(map(self.identity, page.rows))
                yield [row for row in page.rows if self.identity(row) not in seen]
                seen.update(here)
                if len(here) == known or (total is not None and len(here) >= total):
                    break  # the end, or a server that knows no pages
                number += 1
                asked = {"page": number, self.limit.param: size}
                page = later_page(submit(asked, resizable=False), self.what)
                if page.total is not None:
                    sure = sure and page.total >= (total or 0)
                    total = page.total
            if sure and len(here) >= (total or 0):
                return
            first = submit(self.first_params())
        msg = f"{self.what}: the API gives fewer rows than it announces; run the sync again"
        raise IncompleteListError(msg)
