"""Lists that are paged by limit and offset, where they can behind a keyset."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import IncompleteListError, TapError
from tap_cloudapis.core.output import encode
from tap_cloudapis.core.paging import MAX_IDLE_PAGES, MAX_RESTARTS, later_page

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tap_cloudapis.core.paging import Page, PageLimit, Params, PendingPage, Row, Submit


@dataclass
class OffsetPages:
    """Pages by ``limit`` and ``offset``, fetched in parallel once the first says the total.

    Each page overlaps the one before by one row: where the overlap does not match, rows were
    removed or inserted in between, and the walk begins anew behind the last good row, so that
    nothing is lost when rows vanish (retention) or appear while the list is read.

    Attributes:
        limit: The page size; ``None`` where the API declares no paging parameters.
        what: The list in the words of an error message.
        key: The column that identifies a row, an integer.
        ordered: Whether the API can be asked to order by ``key``, ascending.
        keyset: The parameter that asks for rows with a greater key (``id__gt``), if there is
            one. A server that ignores it is noticed and costs pages, never rows.
        after: Give only rows with a greater key; ``None`` for all. Needs ``ordered``.
        newest_first: Whether rows that appear come first, and none goes. They push others to later
            pages, and need not be given themselves: who reads them asks again later.
        closed: Set by the reader to end the walk before the list does.
    """

    limit: PageLimit | None
    what: str
    key: str = "id"
    ordered: bool = True
    keyset: str | None = None
    after: int | None = None
    newest_first: bool = False
    #: By how many rows a page reaches into the one before.
    overlap: ClassVar[int] = 1
    closed: bool = field(default=False, init=False)
    _seen: set[Any] = field(default_factory=set, init=False, repr=False)
    _odd: int = field(default=0, init=False, repr=False)
    #: How many rows the next pass must find, where an earlier one was told.
    _due: int | None = field(default=None, init=False, repr=False)

    def first_params(self) -> Params:
        """Offset 0, behind the last row that was given."""
        params: Params = {"offset": 0} if self.limit else {}
        if self.ordered:
            params["order_by"] = self.key
        if self.keyset and self.after is not None:
            params[self.keyset] = self.after
        return params

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give each row once; see the class."""
        restarts = 0
        while True:
            given = self.after, len(self._seen)
            if (yield from self._pass(submit, first, ahead)):
                return
            # A keyset makes every pass a continuation; without one it is a repetition.
            progress = self.keyset and given != (self.after, len(self._seen))
            restarts = 0 if progress else restarts + 1
            if restarts > MAX_RESTARTS:
                msg = f"{self.what}: the API gives fewer rows than it announces; run the sync again"
                raise IncompleteListError(msg)
            if self.newest_first:
                # One after the other, pages leave no gap: rows only move to those that come.
                ahead = 1
            first = submit(self.first_params())

    def _pass(
        self, submit: Submit, first: PendingPage, ahead: int
    ) -> Generator[list[Row], None, bool]:
        """Read on from offset 0; give back whether the end was reached without a gap."""
        base = self.first_params()
        self._odd = 0
        page = first.result() if self._due is None else later_page(first, self.what)
        yield self._fresh(page.rows)
        if self.closed:
            return True
        # A total that was told once stays in force, whether the next pass is told one or not.
        size, total = len(page.rows), self._due if page.total is None else page.total
        self._note_due(total, size)
        if size == 0 and total is not None:
            return total <= 0
        if total is not None and size < total:
            whole, page, end = yield from self._pass_in_parallel(submit, base, page, total, ahead)
            if self.closed or not whole or len(page.rows) < size:
                return whole
        elif page.total is None or self._is_full(size):
            end = size
        else:
            return True
        # Without a total, and behind a full page whatever the total says, there can be more.
        return (yield from self._pass_without_total(submit, base, page.rows, end))

    def _pass_in_parallel(
        self, submit: Submit, base: Params, page: Page, total: int, ahead: int
    ) -> Generator[list[Row], None, tuple[bool, Page, int]]:
        """Read on behind the first page, up to a total.

        Returns:
            Whether there was no gap, the last page, and the offset behind it.
        """
        size, announced = len(page.rows), total
        overlap = 1 if size > 1 else 0
        last_key = page.rows[-1].get(self.key)
        pending: deque[tuple[int, PendingPage]] = deque()
        offset = size - overlap
        try:
            while True:
                while offset + overlap < total and len(pending) < ahead:
                    pending.append((offset, submit({**base, "offset": offset})))
                    offset += size - overlap
                if not pending:
                    due = announced if self.newest_first else total
                    whole = self.ordered or len(self._seen) + self._odd >= due
                    return whole, page, offset + overlap
                asked, handle = pending.popleft()
                page = later_page(handle, self.what)
                joined = bool(page.rows) and (not overlap or page.rows[0].get(self.key) == last_key)
                if self.ordered and not joined:
                    return False, page, offset
                yield self._fresh(page.rows)
                if self.closed:
                    return True, page, offset
                known, total = total, total if page.total is None else page.total
                self._note_due(total, asked + len(page.rows))
                # Where rows have gone and no overlap tells whether others took their places; or
                # where a page was answered before an earlier one, and rows came on top meanwhile.
                shrunk = total < known and not (self.ordered and overlap)
                if shrunk or len(page.rows) < min(size, total - asked):
                    return False, page, offset
                last_key = page.rows[-1].get(self.key) if page.rows else None
        finally:
            for _, handle in pending:
                handle.cancel()

    def _note_due(self, total: int | None, end: int) -> None:
        """Remember how many rows there are where the next pass would begin.

        Args:
            total: How many there are where this pass began, if it was told.
            end: Where the rows that were given end.
        """
        self._due = None if total is None else total - end if self.keyset else total

    def _is_full(self, size: int) -> bool:
        """Whether a page has as many rows as were asked for."""
        return self.limit is not None and size >= self.limit.value

    def _pass_without_total(
        self, submit: Submit, base: Params, rows: list[Row], offset: int
    ) -> Generator[list[Row], None, bool]:
        """Read on page by page, until a page is empty, where no total tells how many there are.

        Args:
            submit: Asks for a page.
            base: The parameters of the first page.
            rows: The last page that was read.
            offset: Where it ends.
        """
        if self.limit is None:
            return True
        given: set[Any] = set()
        idle = 0
        while rows:
            known = len(given)
            given.update(hash(encode(row)) for row in rows)
            idle = idle + 1 if len(given) == known else 0
            if idle > MAX_IDLE_PAGES:
                msg = f"{self.what}: the API gives rows again and again; the list has no end"
                raise TapError(msg)
            previous = rows[0].get(self.key)
            page = later_page(submit({**base, "offset": offset}), self.what)
            rows = page.rows
            if rows and rows[0].get(self.key) == previous:
                # The server knows no offsets, and has given all it has.
                return True
            offset += len(rows)
            yield self._fresh(rows)
            if not rows and page.total is not None and page.total > offset:
                self._note_due(page.total, offset)
                return False
        return True

    def _fresh(self, rows: list[Row]) -> list[Row]:
        """Leave out the rows that were given before.

        Rows without a key, and those that come twice within a page, are given: what becomes of
        them is the stream's to decide.
        """
        return self._fresh_ordered(rows) if self.ordered else self._fresh_unordered(rows)

    def _fresh_ordered(self, rows: list[Row]) -> list[Row]:
        here: set[int] = set()
        newest = None
        for row in rows:
            key = row.get(self.key)
            if type(key) is not int:
                continue
            if newest is None or key >= newest:
                newest = key
            elif key not in here:
                msg = f"{self.what}: the API does not sort by {self.key} as it was asked to"
                raise TapError(msg)
            here.add(key)
        after = self.after
        if newest is not None:
            self.after = newest if after is None else max(newest, after)
        if after is None:
            return rows
        return [row for row in rows if type(row.get(self.key)) is not int or row[self.key] > after]

    def _fresh_unordered(self, rows: list[Row]) -> list[Row]:
        fresh = []
        here: set[Any] = set()
        for row in rows:
            key = row.get(self.key)
            if not isinstance(key, (int, str)) or key in here:
                self._odd += 1
                fresh.append(row)
            elif key not in self._seen:
                self._seen.add(key)
                here.add(key)
                fresh.append(row)
        return fresh
