"""Lists that are paged by page numbers, newest row first."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import IncompleteListError, TapError
from tap_cloudapis.core.paging import MAX_IDLE_PAGES, MAX_RESTARTS, later_page

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tap_cloudapis.core.paging import Page, PageLimit, Params, PendingPage, Row, Submit

#: Pages that are read to find one row, and how many of them are guessed before halves are taken.
MAX_SEEKS, MAX_GUESSES = 24, 3


@dataclass
class NumberedPages:
    """Pages by number, newest row first; page 1 is the newest.

    Rows that appear while the list is read push others to later pages, so a row can come
    twice (it is given once) but none is lost. The server may use smaller pages than asked
    for: what counts is the size it answers with.

    Attributes:
        limit: The page size.
        what: The list in the words of an error message.
        key: Gives the key of a raw row: an integer that grows with every new row, or 0 for a row
            that has no key of its own yet, or ``None`` for one whose key cannot be read.
        identity: Gives what stays the same of a raw row; two rows with one key and different
            identities are an error.
        floor: Rows up to this key are known: the walk ends with the page that reaches it.
        sought: Keys up to the floor whose rows are wanted all the same. Each is looked for on the
            page that must hold it, so that one far below costs a page and not all above it.
        awaited: Identities of rows without a key: the walk goes on below the floor until they
            were met, on the last page perhaps, or to the end of the list.
        enough: Whether no older page than this one can hold a wanted row.
        newest: The greatest key of the pages that were read.
        unsorted: Whether a page was not newest first: then the list is read to its end.
    """

    limit: PageLimit
    what: str
    key: Callable[[Row], int | None]
    identity: Callable[[Row], Any]
    floor: int = 0
    sought: frozenset[int] = frozenset()
    awaited: frozenset[Any] = frozenset()
    enough: Callable[[list[Row]], bool] = field(default=lambda _rows: False)
    newest: int = field(default=0, init=False)
    unsorted: bool = field(default=False, init=False)
    _seen: dict[int, Any] = field(default_factory=dict, init=False, repr=False)
    #: The greatest and the least key of the pages that were read, by number.
    _spans: dict[int, tuple[int, int]] = field(default_factory=dict, init=False, repr=False)
    _total: int | None = field(default=None, init=False, repr=False)
    _is_wrong: bool = field(default=False, init=False, repr=False)

    def first_params(self) -> Params:
        """Page 1."""
        return {"page": 1}

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give the rows above the floor, and those that are sought; see the class."""
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
        self._spans.clear()
        self.newest = 0
        self._note_span(1, page.rows)
        read = set(map(self._one, page.rows))
        yield self._fresh(page.rows)
        size = page.size or len(page.rows)
        full = page.size or self.limit.value
        total = self._told(page, full, seen=len(page.rows))
        whole = total is not None and total <= len(page.rows)
        reached = self._reached(page.rows)
        if not page.rows or whole:
            return bool(page.rows) or not total
        last = None if total is None else _ceil(total, size)
        if reached and (yield from self._find(submit, size, last)):
            return True
        pending: deque[PendingPage] = deque()
        # Only a first read is known to want every page; a later one mostly ends on the first.
        ahead = ahead if self.floor == 0 and total is not None else 1
        number = 2
        unsure = False
        idle = 0
        try:
            while True:
                while len(pending) < ahead and (last is None or number <= last):
                    pending.append(
                        submit({"page": number, self.limit.param: size}, resizable=False)
                    )
                    number += 1
                if not pending:
                    return total is None or (len(read) >= total and not unsure)
                page = later_page(pending.popleft(), self.what)
                self._note_span(number - len(pending) - 1, page.rows)
                known = len(read)
                read.update(map(self._one, page.rows))
                told = self._told(page, full, seen=len(read))
                # A row that goes moves others to pages that were read; one that comes, while pages
                # are read out of turn, can leave another out between them.
                if told is not None and total is not None:
                    unsure = unsure or told < total or (ahead > 1 and told != total)
                total = told if total is None else total
                last = None if told is None else _ceil(told, size)
                idle = idle + 1 if len(read) == known else 0
                if not page.rows or idle > (0 if last is None else MAX_IDLE_PAGES):
                    # The end, however many pages the total would make.
                    return not unsure and (last is None or len(read) >= (total or 0))
                yield self._fresh(page.rows)
                if self._reached(page.rows) and (yield from self._find(submit, size, last)):
                    return not unsure
        finally:
            for handle in pending:
                handle.cancel()

    @property
    def missing(self) -> frozenset[int]:
        """The sought keys that no page has brought so far."""
        return self.sought.difference(self._seen)

    def _find(
        self, submit: Submit, size: int, last: int | None
    ) -> Generator[list[Row], None, bool]:
        """Read what is wanted below the floor; give back whether the walk can end here.

        Args:
            submit: Asks for a page.
            size: How many rows a page has.
            last: The number of the last page, if it is known.
        """
        if self._is_waiting() and last and last not in self._spans:
            # Where rows are in order of their keys, those without one are the last.
            yield self._turn_to(submit, last, size)
        if self._is_waiting():
            return False
        yield from self._seek(submit, size, last)
        return True

    def _is_waiting(self) -> bool:
        """Whether an awaited row was not met."""
        return not self.awaited.issubset(self._seen.values())

    def _turn_to(self, submit: Submit, number: int, size: int) -> list[Row]:
        """Read a page out of turn, and give what of it is wanted."""
        asked = {"page": number, self.limit.param: size}
        rows = later_page(submit(asked, resizable=False), self.what).rows
        self._note_span(number, rows)
        return self._fresh(rows)

    def _seek(
        self, submit: Submit, size: int, last: int | None
    ) -> Generator[list[Row], None, None]:
        """Read the pages that must hold the sought keys, if they were not read already."""
        for key in sorted(self.sought, reverse=True):
            for tries in range(MAX_SEEKS):
                number = None if key in self._seen else self._page_of(key, size, last, tries)
                if number is None:
                    break
                yield self._turn_to(submit, number, size)
                if self._spans[number][0] >= max(self.newest, 1):
                    return  # the server knows no pages

    def _page_of(self, key: int, size: int, last: int | None, tries: int) -> int | None:
        """The page that is most likely to hold a key; ``None`` if none can hold it.

        Keys are given one by one, so that the distance of two keys is the most rows that can lie
        between them; where keys were left out it is fewer, which pages that were read tell.
        """
        if any(least <= key <= greatest for greatest, least in self._spans.values()):
            return None
        above = max((n for n, span in self._spans.items() if span[1] > key), default=0)
        below = min((n for n, span in self._spans.items() if span[0] < key), default=None)
        end = below or (last + 1 if last else None)
        if not above or (end is not None and end <= above + 1):
            return None
        distance = self._spans[above][1] - key
        number = above + _ceil(distance, size)
        if below is not None:
            whole = self._spans[above][1] - self._spans[below][0]
            number = above + _ceil((below - above - 1) * distance, whole)
            if tries > MAX_GUESSES:
                number = (above + below) // 2
        return max(above + 1, number if end is None else min(number, end - 1))

    def _note_span(self, number: int, rows: list[Row]) -> None:
        """Remember from which key to which a page goes; behind the last one there are none."""
        keys = self._keys(rows)
        self._spans[number] = span = (max(keys, default=0), min(keys, default=0))
        self.newest = max(self.newest, span[0])

    def _told(self, page: Page, full: int, *, seen: int) -> int | None:
        """How many rows there are; ``None`` where the API does not say, or says what cannot be.

        A total that was told once stays in force where a page has none; behind a full page there
        can be more, whatever it says.

        Args:
            page: A page.
            full: How many rows a full page has.
            seen: Rows that were read, those of the page among them.
        """
        total = self._total = self._total if page.total is None else page.total
        self._is_wrong |= total is not None and len(page.rows) >= full and seen >= total
        return None if self._is_wrong else total

    def identity_of(self, key: int) -> Any:
        """The identity of the row with a key, if a page has brought it."""
        return self._seen.get(key)

    def _reached(self, rows: list[Row]) -> bool:
        """Whether the rows below this page are known or not wanted."""
        keys = self._keys(rows)
        self.unsorted = self.unsorted or keys != sorted(keys, reverse=True)
        if self.unsorted or not keys:
            return False
        return min(keys) <= self.floor or self.enough(rows)

    def _one(self, row: Row) -> Any:
        """What tells a row from the others, whether it has a key or not."""
        return self.key(row) or self.identity(row)

    def _keys(self, rows: list[Row]) -> list[int]:
        """The keys of the rows that have one of their own."""
        return [key for key in map(self.key, rows) if key]

    def _fresh(self, rows: list[Row]) -> list[Row]:
        """Leave out the rows that are known or were given before.

        Rows without a readable key, and those that come twice within a page, are the stream's.

        Raises:
            TapError: When one key stands for two rows.
        """
        fresh = []
        here: set[int] = set()
        for row in rows:
            key, identity = self.key(row), self.identity(row)
            if key is None:
                fresh.append(row)
                continue
            if key not in self._seen:
                self._seen[key] = identity
                here.add(key)
            if self._seen[key] == identity:
                wanted = key > self.floor or not key or key in self.sought
                if key in here and (wanted or identity in self.awaited):
                    fresh.append(row)
            else:
                msg = (
                    f"{self.what}: the server gives the number {key} to two of them, which "
                    "would replace each other; ask its operator"
                )
                raise TapError(msg)
        return fresh


def _ceil(rows: int, size: int) -> int:
    """How many pages of a size hold so many rows, whatever the numbers."""
    return -(-rows // size)
