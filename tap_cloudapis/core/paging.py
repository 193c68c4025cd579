"""How the pages of a list are walked: a class per kind of paging, its contract in its docstring.

All of them advance by the rows received, never by the page size asked for, because a server
may give fewer than it was asked for without a word. All of them compare what they gave with
the total the API announced, where it announces one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

from tap_cloudapis.core.errors import IncompleteListError, TapError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

Row = dict[str, Any]
Params = dict[str, Any]

#: How often a list is begun anew when its rows keep moving.
MAX_RESTARTS = 5


@dataclass
class Page:
    """One decoded answer.

    Attributes:
        rows: The raw records, in the order of the answer.
        total: How many rows match over all pages, where the API says so.
        size: The page size that the server used, where the API says so.
        token: What to send for the next page, where the API pages by tokens.
    """

    rows: list[Row]
    total: int | None = None
    size: int | None = None
    token: str | None = None


class PendingPage(Protocol):
    """A page that was asked for and may not have arrived."""

    def result(self) -> Page:
        """Wait for the page."""

    def cancel(self) -> None:
        """Give the page up."""


@dataclass
class PageLimit:
    """The page size a stream asks for; halved when the API rejects it, for all later pages.

    Attributes:
        param: The query parameter that carries it.
        value: Rows asked for.
    """

    param: str
    value: int

    def reject(self, rejected: int) -> bool:
        """Halve the page size after the API refused one.

        Args:
            rejected: The size that was refused; another page may have halved it already.

        Returns:
            Whether there is a smaller size to try.
        """
        if rejected <= 1:
            return False
        self.value = min(self.value, rejected // 2)
        return True


class Paginator(Protocol):
    """Walks the pages of one list."""

    @property
    def limit(self) -> PageLimit | None:
        """The page size asked for; ``None`` where the list has no such parameter."""

    def first_params(self) -> Params:
        """The query parameters of the first page, without the page size."""

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give the rows of the list, each once, in batches as they arrive.

        Args:
            submit: Asks for a page by its paging parameters, without waiting for it.
            first: The first page, asked for with :meth:`first_params`.
            ahead: The most pages to keep asked for at a time.
        """


class Submit(Protocol):
    """Asks for a page; see :meth:`Paginator.walk`."""

    def __call__(self, params: Params, *, resizable: bool = True) -> PendingPage:
        """Ask for a page.

        Args:
            params: Paging parameters; the page size is added where the list has one.
            resizable: Whether the page means the same rows when the size is halved.
        """


@dataclass
class SinglePage:
    """The list comes whole in one answer."""

    limit: PageLimit | None = None

    def first_params(self) -> Params:
        """No paging parameters."""
        return {}

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:  # noqa: ARG002
        """Give the rows of the one page."""
        yield first.result().rows


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
        closed: Set by the reader to end the walk before the list does.
    """

    limit: PageLimit | None
    what: str
    key: str = "id"
    ordered: bool = True
    keyset: str | None = None
    after: int | None = None
    closed: bool = field(default=False, init=False)
    _seen: set[int] = field(default_factory=set, init=False, repr=False)

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
            first = submit(self.first_params())

    def _pass(
        self, submit: Submit, first: PendingPage, ahead: int
    ) -> Generator[list[Row], None, bool]:
        """Read on from offset 0; give back whether the end was reached without a gap."""
        base = self.first_params()
        page = first.result()
        yield self._fresh(page.rows)
        if self.closed:
            return True
        if page.total is None:
            return (yield from self._pass_without_total(submit, base, page.rows))
        size, total = len(page.rows), page.total
        if size == 0 or size >= total:
            return size >= total
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
                    return self.ordered or len(self._seen) >= total
                asked, handle = pending.popleft()
                page = handle.result()
                joined = bool(page.rows) and (not overlap or page.rows[0].get(self.key) == last_key)
                if self.ordered and not joined:
                    return False
                yield self._fresh(page.rows)
                known, total = total, total if page.total is None else page.total
                # Where rows have gone and no overlap tells whether others took their places.
                shrunk = total < known and not (self.ordered and overlap)
                if shrunk or len(page.rows) < min(size, total - asked):
                    return False
                last_key = page.rows[-1].get(self.key) if page.rows else None
        finally:
            for _, handle in pending:
                handle.cancel()

    def _pass_without_total(
        self, submit: Submit, base: Params, rows: list[Row]
    ) -> Generator[list[Row], None, bool]:
        """Read on page by page where the API announces no total, until a page is empty."""
        if self.limit is None:
            return True
        offset = len(rows)
        while rows:
            previous = rows[0].get(self.key)
            rows = submit({**base, "offset": offset}).result().rows
            if rows and rows[0].get(self.key) == previous:
                # The server knows no offsets, and has given all it has.
                return True
            offset += len(rows)
            yield self._fresh(rows)
        return True

    def _fresh(self, rows: list[Row]) -> list[Row]:
        """Leave out the rows that were given before."""
        if not self.ordered:
            fresh = []
            for row in rows:
                if row[self.key] not in self._seen:
                    self._seen.add(row[self.key])
                    fresh.append(row)
            return fresh
        previous = None
        for row in rows:
            if previous is not None and row[self.key] <= previous:
                msg = f"{self.what}: the API does not sort by {self.key} as it was asked to"
                raise TapError(msg)
            previous = row[self.key]
        after = self.after
        if previous is None or (after is not None and previous <= after):
            return []
        self.after = previous
        return rows if after is None else [row for row in rows if row[self.key] > after]


@dataclass
class TokenPages:
    """Pages by an opaque token in the answer, one after another; there is no total.

    Attributes:
        limit: The page size; ``None`` where the API has none.
        what: The list in the words of an error message.
        param: The query parameter that takes the token.
    """

    limit: PageLimit | None
    what: str
    param: str = "continuationToken"

    def first_params(self) -> Params:
        """No token."""
        return {}

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:  # noqa: ARG002
        """Give the rows of each page until an answer has no token; a repeated one is an error."""
        seen: set[str] = set()
        page = first.result()
        while page.token:
            if page.token in seen:
                msg = f"{self.what}: the API repeats a continuation token; the list has no end"
                raise TapError(msg)
            seen.add(page.token)
            following = submit({self.param: page.token})
            yield page.rows
            page = following.result()
        yield page.rows


@dataclass
class NumberedPages:
    """Pages by number, newest row first; page 1 is the newest.

    Rows that appear while the list is read push others to later pages, so a row can come
    twice (it is given once) but none is lost. The server may use smaller pages than asked
    for: what counts is the size it answers with.

    Attributes:
        limit: The page size.
        what: The list in the words of an error message.
        key: Gives the key of a raw row: an integer that grows with every new row.
        floor: Rows up to this key are known: the walk ends with the page that reaches it.
        enough: Whether no older page than this one can hold a wanted row.
        newest: The greatest key of the first page, once it was read.
    """

    limit: PageLimit
    what: str
    key: Callable[[Row], int]
    floor: int = 0
    enough: Callable[[list[Row]], bool] = field(default=lambda _rows: False)
    newest: int = field(default=0, init=False)
    _seen: set[int] = field(default_factory=set, init=False, repr=False)

    def first_params(self) -> Params:
        """Page 1."""
        return {"page": 1}

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give the rows above the floor; see the class."""
        for _ in range(MAX_RESTARTS):
            if (yield from self._pass(submit, first, ahead)):
                return
            first = submit(self.first_params())
            ahead = 1
        msg = f"{self.what}: the API gives fewer rows than it announces; run the sync again"
        raise IncompleteListError(msg)

    def _pass(
        self, submit: Submit, first: PendingPage, ahead: int
    ) -> Generator[list[Row], None, bool]:
        """Read on from page 1; give back whether no row can be missing."""
        page = first.result()
        self.newest = max(map(self.key, page.rows), default=0)
        read = set(map(self.key, page.rows))
        yield self._fresh(page.rows)
        total = page.total
        size = page.size or len(page.rows)
        whole = total is not None and size and len(page.rows) >= total
        if not page.rows or whole or self._reached(page.rows):
            return bool(page.rows) or not total
        pending: deque[PendingPage] = deque()
        # Only a first read is known to want every page; a later one mostly ends on the first.
        ahead = ahead if self.floor == 0 and total is not None else 1
        number = 2
        last = ceil(total / size) if total is not None else None
        unsure = False
        try:
            while True:
                while len(pending) < ahead and (last is None or number <= last):
                    pending.append(
                        submit({"page": number, self.limit.param: size}, resizable=False)
                    )
                    number += 1
                if not pending:
                    return total is None or (len(read) >= total and not unsure)
                page = pending.popleft().result()
                read.update(map(self.key, page.rows))
                fresh = self._fresh(page.rows)
                if not fresh and last is None:
                    return True
                yield fresh
                if page.total is not None:
                    # Pages read out of turn while a row appears can leave one out between them.
                    unsure = unsure or (ahead > 1 and page.total != total)
                    last = ceil(page.total / size)
                if self._reached(page.rows):
                    return not unsure
        finally:
            for handle in pending:
                handle.cancel()

    def _reached(self, rows: list[Row]) -> bool:
        """Whether the rows below this page are known or not wanted."""
        if not rows:
            return False
        return min(map(self.key, rows)) <= self.floor or self.enough(rows)

    def _fresh(self, rows: list[Row]) -> list[Row]:
        """Leave out the rows that are known or were given before."""
        fresh = []
        for row in rows:
            key = self.key(row)
            if key not in self._seen:
                self._seen.add(key)
                if key > self.floor:
                    fresh.append(row)
        return fresh
