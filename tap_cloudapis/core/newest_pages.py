"""Lists that are given out newest first, by page numbers, of rows that only a time puts in order.

Rows that appear while such a list is read push others to later pages: they come twice, and are
given once. Rows that go pull others to earlier pages, which a smaller total tells.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import IncompleteListError
from tap_cloudapis.core.paging import MAX_RESTARTS, later_page

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tap_cloudapis.core.paging import Page, PageLimit, Params, PendingPage, Row, Submit


@dataclass
class NewestPages:
    """Pages by number, newest row first; page 1 is the newest.

    Attributes:
        limit: The page size.
        what: The list in the words of an error message.
        when: Gives the time that rows are in order of, as records have times; "" for none.
        key: Gives what tells rows apart; ``None`` where a row has no such thing.
        since: Rows from before this time are known, or not wanted: the walk ends with the page
            that reaches them; "" for none.
        unsorted: Whether rows were not newest first: then the list is read to its end.
    """

    limit: PageLimit
    what: str
    when: Callable[[Row], str]
    key: Callable[[Row], Any]
    since: str = ""
    #: By how many rows a page reaches into the one before: where it does not begin with a row that
    #: was met, rows have gone in between.
    overlap: ClassVar[int] = 0
    unsorted: bool = field(default=False, init=False)
    _seen: set[Any] = field(default_factory=set, init=False, repr=False)
    _last: str = field(default="", init=False, repr=False)
    _is_wrong: bool = field(default=False, init=False, repr=False)

    def first_params(self) -> Params:
        """Page 1."""
        return {"page": 1}

    def params_of(self, number: int, size: int) -> Params:
        """The parameters of a page behind the first one."""
        return {"page": number, self.limit.param: size}

    def end_of(self, number: int, size: int) -> int:
        """How many rows the first pages have, so many of them."""
        return number * size

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give each row once; see the class."""
        for _ in range(MAX_RESTARTS):
            if (yield from self._pass(submit, first, ahead)):
                return
            first, ahead = submit(self.first_params()), 1
        msg = f"{self.what}: the API gives fewer rows than it announces; run the sync again"
        raise IncompleteListError(msg)

    def _pass(
        self, submit: Submit, first: PendingPage, ahead: int
    ) -> Generator[list[Row], None, bool]:
        """Read on from page 1; give back whether no row can be missing."""
        page = first.result()
        self._last, self._is_wrong = "", False
        size, here = page.size or len(page.rows), self._keys(page)
        total = self._told(page, len(here))
        # Only a first read is known to want every page; a later one mostly ends on the first.
        ahead = 1 if self.since or total is None else ahead
        pending: deque[PendingPage] = deque()
        number, sure = 1, True
        try:
            while True:
                fresh = self._fresh(page.rows)
                if fresh:
                    yield fresh
                if self._reaches(page.rows):
                    return sure
                if not page.rows or (total is not None and len(here) >= total):
                    return sure and len(here) >= (total or 0)
                while len(pending) < ahead and (total is None or self.end_of(number, size) < total):
                    number += 1
                    pending.append(submit(self.params_of(number, size), resizable=False))
                if not pending:
                    return False
                page = later_page(pending.popleft(), self.what)
                known, sure = len(here), sure and self._joins(page, size, here)
                here |= self._keys(page)
                told = self._told(page, len(here))
                if told is not None and total is not None:
                    # A row that goes moves others to pages that were read; one that comes, while
                    # pages are read out of turn, can leave another out between them.
                    sure = sure and told >= total and (ahead == 1 or told == total)
                total = told if told is not None or self._is_wrong else total
                if len(here) == known:
                    # The end, or a server that knows no pages and has given all it has.
                    return sure and len(here) >= (total or 0)
        finally:
            for handle in pending:
                handle.cancel()

    def _told(self, page: Page, seen: int) -> int | None:
        """How many rows there are; ``None`` where the API does not say, or says what cannot be.

        Behind a full page there can be more, whatever it says.
        """
        full = page.size or self.limit.value
        self._is_wrong |= page.total is not None and len(page.rows) >= full and seen >= page.total
        return None if self._is_wrong else page.total

    def _keys(self, page: Page) -> set[Any]:
        """What tells the rows of a page apart; rows without a key are all different."""
        return {self.key(row) or id(row) for row in page.rows}

    def _joins(self, page: Page, size: int, known: set[Any]) -> bool:
        """Whether a page goes on where the one before ended."""
        is_told = self.overlap and size > 1 and page.rows
        return not is_told or self.key(page.rows[0]) in known

    def _fresh(self, rows: list[Row]) -> list[Row]:
        """Leave out the rows that were given before; those without a key are the stream's."""
        fresh = []
        here: set[Any] = set()
        for row in rows:
            key = self.key(row)
            if not key or key in here or key not in self._seen:
                fresh.append(row)
                here.add(key)
        self._seen.update(here)
        return fresh

    def _reaches(self, rows: list[Row]) -> bool:
        """Whether the rows below this page are known or not wanted."""
        times = [time for time in map(self.when, rows) if time]
        ordered = [self._last, *times] if self._last else times
        self.unsorted |= ordered != sorted(ordered, reverse=True)
        self._last = times[-1] if times else self._last
        return bool(times) and not self.unsorted and times[-1] < self.since
