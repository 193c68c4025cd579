"""Lists whose new rows come on top: others move to later pages, and none may be lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tap_cloudapis.core.errors import IncompleteListError
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.core.paging import Page, PageLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_cloudapis.core.paging import Params


@dataclass
class Later:
    """A page that is made when it is waited for."""

    make: Callable[[], Page]

    def result(self) -> Page:
        return self.make()

    def cancel(self) -> None:
        pass


@dataclass
class List:
    """A list with its newest row first.

    Attributes:
        rows: Its ids, the oldest first.
        arrivals: How many rows arrive before the answer to the request of this number.
        early: The numbers of requests that are answered as soon as they are asked.
    """

    rows: list[int]
    arrivals: dict[int, int] = field(default_factory=dict)
    early: frozenset[int] = frozenset()
    offsets: list[int] = field(default_factory=list)

    def submit(self, params: Params, *, resizable: bool = True) -> Later:  # noqa: ARG002
        number, offset = len(self.offsets), params["offset"]
        self.offsets.append(offset)

        def make() -> Page:
            for _ in range(self.arrivals.pop(number, 0)):
                self.rows.append(self.rows[-1] + 1)
            shown = self.rows[::-1][offset : offset + 100]
            return Page([{"id": row} for row in shown], total=len(self.rows))

        if number not in self.early:
            return Later(make)
        page = make()
        return Later(lambda: page)

    def walk(self, pages: OffsetPages | None = None) -> list[int]:
        pages = pages or newest_first()
        first = self.submit(pages.first_params())
        batches = pages.walk(self.submit, first, 8)
        return [row["id"] for rows in batches for row in rows]


def newest_first() -> OffsetPages:
    limit = PageLimit("limit", 100)
    return OffsetPages(limit=limit, what="log", ordered=False, newest_first=True)


def test_rows_that_are_pushed_to_later_pages_come_once() -> None:
    known = [*range(1, 1001)]
    found = List([*known], arrivals={1: 30, 3: 50, 6: 1}).walk()
    assert len(found) == len(set(found))
    assert set(found) >= set(known)


def test_rows_that_never_stop_coming_do_not_make_it_begin_anew() -> None:
    known = [*range(1, 1001)]
    server = List([*known], arrivals=dict.fromkeys(range(1, 1000), 1))
    assert set(server.walk()) >= set(known)
    assert len(server.offsets) <= 12


@pytest.mark.parametrize("arrivals", [2, 50, 300])
def test_a_page_that_was_answered_before_an_earlier_one_leaves_no_gap(arrivals: int) -> None:
    """Rows move between the two, from behind the one to where nobody looks any more."""
    known = [*range(1, 2001)]
    found = List([*known], arrivals={2: arrivals}, early=frozenset(range(3, 22))).walk()
    assert len(found) == len(set(found))
    assert set(found) >= set(known)


def test_a_list_that_gives_less_than_it_announces_is_none() -> None:
    class Hiding(List):
        def submit(self, params: Params, *, resizable: bool = True) -> Later:
            page = super().submit(params, resizable=resizable).result()
            page.rows = [row for row in page.rows if row["id"] != 77]
            return Later(lambda: page)

    with pytest.raises(IncompleteListError):
        Hiding([*range(1, 301)]).walk()


def test_the_reader_ends_the_walk_behind_any_page() -> None:
    pages = newest_first()
    server = List([*range(1, 1001)])
    found: list[int] = []
    for rows in pages.walk(server.submit, server.submit(pages.first_params()), 1):
        found += [row["id"] for row in rows]
        pages.closed = found[-1] <= 700
    assert 700 in found
    assert len(server.offsets) <= 5
