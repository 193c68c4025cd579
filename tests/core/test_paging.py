"""Each kind of paging against lists that lose and gain rows between two pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_cloudapis.core.errors import BadRequestError, IncompleteListError, TapError
from tap_cloudapis.core.exchange import AskedPage
from tap_cloudapis.core.numbered_pages import NumberedPages
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.core.paging import Page, PageLimit, Params, Row, TokenPages, as_total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MANY = settings(max_examples=150, deadline=None)


@dataclass
class Api:
    """A list behind pages; before each answer the next of its events happens.

    Attributes:
        ids: The rows there are, ascending.
        events: What happens before each answer: rows that go, by position, and rows that come.
        cap: The most rows in a page.
        totals: Whether answers say how many rows there are.
        heeds_keyset: Whether ``id__gt`` is heeded.
    """

    ids: list[int]
    events: list[tuple[list[int], int]] = field(default_factory=list)
    cap: int = 10
    totals: bool = True
    heeds_keyset: bool = True
    answered: int = 0
    removed: set[int] = field(default_factory=set)
    added: set[int] = field(default_factory=set)

    def answer(self, params: Params) -> Page:
        self._happen()
        rows = self.ids
        if self.heeds_keyset and "id__gt" in params:
            rows = [i for i in rows if i > params["id__gt"]]
        if "page" in params:
            newest = sorted(rows, reverse=True)
            size = min(params.get("pageSize", 100), self.cap)
            start = (params["page"] - 1) * size
            page, answered_size = newest[start : start + size], size
        else:
            offset = params.get("offset", 0)
            page, answered_size = rows[offset : offset + self.cap], None
        total = len(rows) if self.totals else None
        return Page(rows=[{"id": i} for i in page], total=total, size=answered_size)

    def _happen(self) -> None:
        if self.answered < len(self.events):
            gone, come = self.events[self.answered]
            for position in gone:
                if self.ids:
                    row = self.ids.pop(position % len(self.ids))
                    self.removed.add(row)
            highest = max(self.ids, default=0)
            highest = max([highest, *self.removed, *self.added])
            for number in range(come):
                self.ids.append(highest + 1 + number)
                self.added.add(highest + 1 + number)
        self.answered += 1


class Answer:
    """A page that is answered when it is asked for, or only when it is taken."""

    def __init__(self, answer: Callable[[], Page], *, at_once: bool) -> None:
        self._answer = answer
        self._page = answer() if at_once else None

    def result(self) -> Page:
        self._page = self._page or self._answer()
        return self._page

    def cancel(self) -> None:
        pass


def ask(api: Api, params: Params, *, resizable: bool = True) -> Answer:
    return Answer(lambda: api.answer(params), at_once=True)


def walk(paginator: Any, api: Api, ahead: int = 4, eager: Sequence[bool] = (False,)) -> list[int]:
    """The ids that a paginator gives; never more pages than the list can have."""
    asked = 0
    times = cycle(eager)

    def submit(params: Params, *, resizable: bool = True) -> Answer:
        nonlocal asked
        asked += 1
        assert asked < 5_000, "the walk has no end"
        return Answer(lambda: api.answer(params), at_once=next(times))

    batches: Iterator[list[Row]] = paginator.walk(submit, submit(paginator.first_params()), ahead)
    return [row["id"] for rows in batches for row in rows]


ids = st.lists(st.integers(1, 10_000), unique=True, max_size=120).map(sorted)
events = st.lists(
    st.tuples(st.lists(st.integers(0, 200), max_size=3), st.integers(0, 3)), max_size=12
)
losses = st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=9), st.just(0)), max_size=12)
sizes = st.integers(2, 40)
aheads = st.integers(1, 8)
eagerness = st.lists(st.booleans(), min_size=1, max_size=7)


def offset_pages(**more: Any) -> OffsetPages:
    return OffsetPages(limit=PageLimit("limit", 100), what="a list", **more)


@MANY
@given(ids, events | losses, sizes, aheads, st.booleans(), st.booleans(), eagerness)
def test_offsets_behind_a_keyset_lose_and_double_nothing(  # noqa: PLR0913, PLR0917
    rows: list[int],
    happening: Any,
    cap: int,
    ahead: int,
    heeded: bool,
    after: bool,
    eager: list[bool],
) -> None:
    floor = rows[len(rows) // 3] if rows and after else None
    api = Api(list(rows), happening, cap, heeds_keyset=heeded)
    pages = offset_pages(keyset="id__gt", after=floor)
    try:
        given = walk(pages, api, ahead, eager)
    except IncompleteListError:
        assert api.answered <= len(happening) + 12, "the list stood still and was not read"
        raise
    stayed = {i for i in rows if floor is None or i > floor} - api.removed
    assert stayed <= set(given)
    assert len(given) == len(set(given))
    assert given == sorted(given)
    assert set(given) <= set(rows) | api.added


@MANY
@given(ids, losses, sizes, aheads, eagerness)
def test_offsets_alone_lose_nothing_or_say_so(
    rows: list[int], happening: Any, cap: int, ahead: int, eager: list[bool]
) -> None:
    api = Api(list(rows), happening, cap, heeds_keyset=False)
    try:
        given = walk(offset_pages(), api, ahead, eager)
    except IncompleteListError:
        return
    assert set(rows) - api.removed <= set(given)
    assert len(given) == len(set(given))


@MANY
@given(ids, sizes, aheads, st.booleans(), st.booleans())
def test_offsets_read_a_list_that_stands_still(
    rows: list[int], cap: int, ahead: int, totals: bool, ordered: bool
) -> None:
    api = Api(list(rows), cap=cap, totals=totals, heeds_keyset=False)
    assert walk(offset_pages(ordered=ordered), api, ahead) == rows


@pytest.mark.parametrize("cap", [1, 2, 3, 100])
def test_offsets_ask_for_few_pages(cap: int) -> None:
    api = Api(list(range(1, 101)), cap=cap)
    walk(offset_pages(), api)
    assert api.answered <= -(-100 // max(cap - 1, 1)) + 1


def test_a_list_that_gives_less_than_it_announces_is_an_error() -> None:
    class Short(Api):
        def answer(self, params: Params) -> Page:
            page = super().answer(params)
            page.total = 25
            return page

    for ordered in (True, False):
        with pytest.raises(IncompleteListError, match="a list"):
            walk(offset_pages(ordered=ordered), Short(list(range(1, 24))))
    with pytest.raises(IncompleteListError, match="updates"):
        walk(numbered_pages(), Short(list(range(1, 24))))


def test_a_list_that_is_not_sorted_as_asked_is_an_error() -> None:
    with pytest.raises(TapError, match="does not sort by id"):
        walk(offset_pages(), Api([3, 1, 2]))


def test_a_walk_that_was_closed_ends_with_its_page() -> None:
    for totals in (True, False):
        api = Api(list(range(1, 101)), totals=totals)
        pages = offset_pages()
        submit = partial(ask, api)
        batches = pages.walk(submit, submit({}), 4)
        assert len(next(batches)) == 10
        pages.closed = True
        assert [rows for rows in batches if rows] == []
        assert api.answered == 1


def numbered_pages(**more: Any) -> NumberedPages:
    return NumberedPages(
        limit=PageLimit("pageSize", 100),
        what="updates",
        key=lambda row: int(row["id"]),
        identity=lambda row: row["id"],
        **more,
    )


gains: Any = st.lists(st.tuples(st.just([]), st.integers(0, 3)), max_size=12)


@MANY
@given(ids, gains, st.integers(1, 40), aheads, eagerness)
def test_numbers_lose_and_double_nothing_while_rows_appear(
    rows: list[int], happening: Any, cap: int, ahead: int, eager: list[bool]
) -> None:
    api = Api(list(rows), happening, cap)
    given = walk(numbered_pages(), api, ahead, eager)
    assert set(rows) <= set(given)
    assert len(given) == len(set(given))


@MANY
@given(ids, st.integers(1, 40), aheads, st.integers(0, 10_000), st.booleans())
def test_numbers_read_down_to_the_floor(
    rows: list[int], cap: int, ahead: int, floor: int, totals: bool
) -> None:
    api = Api(list(rows), cap=cap, totals=totals)
    given = walk(numbered_pages(floor=floor), api, ahead)
    assert given == [i for i in reversed(rows) if i > floor]
    if floor and rows and rows[-1] <= floor:
        assert api.answered == 1


@MANY
@given(ids, st.integers(1, 12), aheads, st.integers(0, 10_000), st.booleans(), st.data())
def test_numbers_give_what_is_sought_below_the_floor(  # noqa: PLR0913, PLR0917 - all it can be
    rows: list[int], cap: int, ahead: int, floor: int, totals: bool, data: Any
) -> None:
    """Whatever keys were left out."""
    floor = max([i for i in rows if i <= floor], default=0)
    known = st.sampled_from([i for i in rows if i <= floor] or [0])
    sought = data.draw(st.frozensets(known | st.integers(1, floor + 1), max_size=5))
    sought = frozenset(i for i in sought if 0 < i <= floor)
    api = Api(list(rows), cap=cap, totals=totals)
    pages = numbered_pages(floor=floor, sought=sought)
    given = walk(pages, api, ahead)
    assert sorted(given) == [i for i in rows if i > floor or i in sought]
    assert pages.missing == sought.difference(rows)
    assert api.answered <= len(rows) // cap + 2 + 12 * len(sought)


@pytest.mark.parametrize("left_out", [0, 7, 3], ids=["none", "a few", "many"])
def test_what_is_sought_far_below_costs_few_pages(left_out: int) -> None:
    rows = [i for i in range(1, 100_001) if not left_out or i % left_out]
    api = Api(rows, cap=100)
    assert walk(numbered_pages(floor=rows[-1], sought=frozenset({5})), api) == [5]
    assert api.answered <= (3 if left_out else 2)


@MANY
@given(ids, gains, st.integers(1, 12), st.data())
def test_what_is_sought_is_found_while_rows_appear(
    rows: list[int], happening: Any, cap: int, data: Any
) -> None:
    """Or is said to be missing, where it moved from one page to another meanwhile."""
    sought = data.draw(st.frozensets(st.sampled_from(rows), max_size=4)) if rows else frozenset()
    pages = numbered_pages(floor=max(rows, default=0), sought=sought)
    given = walk(pages, Api(list(rows), happening, cap))
    assert len(given) == len(set(given))
    assert sought <= set(given) | pages.missing
    assert not pages.missing & set(given)


def test_what_is_sought_on_a_server_that_ignores_numbers_ends() -> None:
    class First(Api):
        def answer(self, params: Params) -> Page:
            return super().answer({**params, "page": 1})

    api = First(list(range(1, 101)))
    pages = numbered_pages(floor=100, sought=frozenset({5}))
    assert walk(pages, api) == []
    assert pages.missing == {5}
    assert api.answered == 2


@MANY
@given(ids)
def test_numbers_end_where_the_server_ignores_them(rows: list[int]) -> None:
    class Whole(Api):
        def answer(self, params: Params) -> Page:  # noqa: ARG002
            self.answered += 1
            return Page(rows=[{"id": i} for i in reversed(self.ids)])

    api = Whole(list(rows))
    assert walk(numbered_pages(), api) == rows[::-1]
    assert api.answered <= 2


def test_numbers_end_where_older_pages_hold_nothing_wanted() -> None:
    api = Api(list(range(1, 101)))
    given = walk(numbered_pages(enough=lambda rows: rows[-1]["id"] < 65), api, 1)
    assert min(given) == 61
    assert api.answered == 4


@given(st.lists(st.lists(st.integers(), max_size=4), min_size=1, max_size=8))
def test_tokens_are_followed_to_the_end(pages: list[list[int]]) -> None:
    def submit(params: Params, *, resizable: bool = True) -> Answer:
        number = int(params.get("continuationToken", 0))
        token = str(number + 1) if number + 1 < len(pages) else None
        page = Page(rows=[{"id": i} for i in pages[number]], token=token)
        return Answer(lambda: page, at_once=True)

    paginator = TokenPages(limit=None, what="stacks")
    given = [row["id"] for rows in paginator.walk(submit, submit({}), 4) for row in rows]
    assert given == [i for page in pages for i in page]


def test_a_token_that_repeats_is_an_error() -> None:
    def submit(params: Params, *, resizable: bool = True) -> Answer:
        return Answer(lambda: Page(rows=[{"id": 1}], token="again"), at_once=True)  # noqa: S106

    with pytest.raises(TapError, match=r"stacks: .* repeats"):
        list(TokenPages(limit=None, what="stacks").walk(submit, submit({}), 4))


@pytest.mark.parametrize("token", [5, ["x"], {"a": 1}, True, "\ud800"], ids=repr)
def test_a_token_that_cannot_be_sent_is_an_error(token: Any) -> None:
    first = Answer(lambda: Page(rows=[{"id": 1}], token=token), at_once=True)
    walking = TokenPages(limit=None, what="stacks").walk(partial(ask, Api([])), first, 4)
    assert next(walking) == [{"id": 1}]
    with pytest.raises(TapError, match=r"stacks: .* no text"):
        next(walking)


class Sizes:
    """Gives pages up to a size, and refuses larger ones, with a reason.

    Attributes:
        most: The most rows in a page.
        asked: The sizes that were asked for.
    """

    def __init__(self, most: int, reason: str) -> None:
        self.most = most
        self.reason = reason
        self.asked: list[int] = []

    def ask(self, params: Params) -> Any:
        self.asked.append(params["limit"])
        return Answered(self, params["limit"])

    def rows(self, size: int) -> list[Row]:
        if size > self.most:
            raise BadRequestError(f"answered 400 ({self.reason})", None)  # type: ignore[arg-type]
        return [{"id": 1}] * size


@dataclass
class Answered:
    """An exchange whose answer is at hand."""

    sizes: Sizes
    size: int

    def body(self) -> list[Row]:
        return self.sizes.rows(self.size)


def asked_page(sizes: Sizes, limit: PageLimit) -> AskedPage:
    return AskedPage(
        sizes.ask, lambda body: Page(rows=body), "a host", {}, limit=limit, resizable=True
    )


@pytest.mark.parametrize("most", [100, 99, 37, 2, 1])
def test_a_size_that_is_refused_by_name_is_halved_until_it_is_taken(most: int) -> None:
    sizes, limit = Sizes(most, "Invalid 'limit' value."), PageLimit("limit", 100)
    rows = asked_page(sizes, limit).result().rows
    assert sizes.asked == [100, 50, 25, 12, 6, 3, 1][: len(sizes.asked)]
    assert len(rows) == sizes.asked[-1] == limit.value <= most
    assert all(size > most for size in sizes.asked[:-1])


def test_a_refusal_for_another_reason_is_tried_twice_and_costs_later_pages_nothing() -> None:
    sizes, limit = Sizes(0, "connection: not a valid value"), PageLimit("limit", 100)
    with pytest.raises(BadRequestError, match="not a valid value"):
        asked_page(sizes, limit).result()
    assert sizes.asked == [100, 50, 25]
    assert limit.value == 100


def test_a_size_that_was_taken_serves_later_pages() -> None:
    sizes, limit = Sizes(40, "no"), PageLimit("limit", 100)
    asked_page(sizes, limit).result()
    asked_page(sizes, limit).result()
    assert sizes.asked == [100, 50, 25, 25]


@pytest.mark.parametrize("total", [0, -1, 10, 25, 30])
@pytest.mark.parametrize("ordered", [True, False])
def test_a_total_that_is_too_low_ends_no_list_behind_full_pages(total: int, ordered: bool) -> None:
    rows = list(range(1, 96))
    api = Api(rows, cap=10)
    answer = api.answer

    def lying(params: Params) -> Page:
        page = answer(params)
        return Page(rows=page.rows, total=total, size=page.size)

    api.answer = lying  # type: ignore[method-assign]
    pages = OffsetPages(limit=PageLimit("limit", 10), what="a list", ordered=ordered)
    assert walk(pages, api, 4) == rows
    assert walk(numbered_pages(), api, 4) == rows[::-1]


def test_an_unsorted_history_is_read_to_its_end() -> None:
    api = Api(list(range(1, 60)), cap=10)
    answer = api.answer
    order = [*range(1, 60, 2), *range(2, 60, 2)]

    def shuffled(params: Params) -> Page:
        page = answer(params)
        start = (params["page"] - 1) * 10
        rows = [{"id": number} for number in order[start : start + 10]]
        return Page(rows=rows, total=page.total, size=page.size)

    api.answer = shuffled  # type: ignore[method-assign]
    pages = numbered_pages(floor=50)
    assert sorted(walk(pages, api, 4)) == list(range(51, 60))
    assert pages.unsorted


@pytest.mark.parametrize("rows", [[], [{"id": 1}]], ids=["no row", "the same row"])
def test_tokens_without_end_are_an_error(rows: list[Row]) -> None:
    count = iter(range(1000))

    def submit(params: Params, *, resizable: bool = True) -> Any:
        return Answer(lambda: Page(rows=list(rows), token=f"t{next(count)}"), at_once=True)

    with pytest.raises(TapError, match=r"stacks: .* no end"):
        list(TokenPages(limit=None, what="stacks").walk(submit, submit({}), 4))
    assert next(count) < 30


@pytest.mark.parametrize("heeded", [True, False])
def test_a_token_that_may_be_ignored(heeded: bool) -> None:
    def submit(params: Params, *, resizable: bool = True) -> Any:
        second = heeded and "continuationToken" in params
        page = Page(rows=[{"id": 2}]) if second else Page(rows=[{"id": 1}], token="next")  # noqa: S106
        return Answer(lambda: page, at_once=True)

    pages = TokenPages(limit=None, what="teams", ignored=True)
    given = [row["id"] for rows in pages.walk(submit, submit({}), 4) for row in rows]
    assert given == ([1, 2] if heeded else [1])


def test_an_empty_page_with_a_token_that_may_be_ignored_is_followed() -> None:
    def submit(params: Params, *, resizable: bool = True) -> Any:
        rows = [{"id": 1}] if "continuationToken" in params else []
        return Answer(lambda: Page(rows=rows, token=None if rows else "next"), at_once=True)

    pages = TokenPages(limit=None, what="teams", ignored=True)
    assert [row for rows in pages.walk(submit, submit({}), 4) for row in rows] == [{"id": 1}]


def test_offsets_that_go_round_are_an_error() -> None:
    rows = [{"id": number} for number in range(1, 21)]

    def submit(params: Params, *, resizable: bool = True) -> Any:
        begin = params.get("offset", 0) // 10 % 2 * 10
        return Answer(lambda: Page(rows=rows[begin : begin + 10]), at_once=True)

    pages = OffsetPages(limit=PageLimit("limit", 10), what="runs")
    with pytest.raises(TapError, match=r"runs: .* no end"):
        list(pages.walk(submit, submit(pages.first_params()), 4))


BEHIND_PAGE_ONE = (OffsetPages, NumberedPages, TokenPages)


def pages_of(kind: type[Any]) -> Any:
    if kind is OffsetPages:
        return OffsetPages(limit=PageLimit("limit", 10), what="a list")
    return numbered_pages() if kind is NumberedPages else TokenPages(limit=None, what="a list")


@pytest.mark.parametrize("total", [25, None])
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("kind", BEHIND_PAGE_ONE)
def test_a_later_page_without_the_list_is_no_end(
    kind: type[Any], missing: int, total: int | None
) -> None:
    numbers = iter(range(1000))

    def submit(params: Params, *, resizable: bool = True) -> Any:
        number = next(numbers)
        begin = params.get("offset", params.get("page", number + 1) * 10 - 10)
        ids = range(begin + 1, begin + 11)
        rows = [{"id": i} for i in (ids if kind is OffsetPages else (100 - i for i in ids))]
        found = Page(rows=rows, total=total, size=10, token=f"t{number}")
        return Answer(lambda: found if number < missing else Page([], listed=False), at_once=True)

    pages = pages_of(kind)
    with pytest.raises(TapError, match=r": a later page came without the list"):
        list(pages.walk(submit, submit(pages.first_params()), 1))


@pytest.mark.parametrize("keyset", [None, "id__gt"])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("told", [{0}, {0, 1}, {2}, set(range(100))], ids=str)
def test_a_total_that_was_told_once_stays_in_force(
    told: set[int], ordered: bool, keyset: str | None
) -> None:
    """A server that has lost what is behind its twentieth row, and tells no total any more."""

    class Forgetful(Api):
        def answer(self, params: Params) -> Page:
            page = super().answer(params)
            rows = [row for row in page.rows if (row["id"] <= 20 or "page" in params)]
            rows = [] if params.get("page", 1) > 2 else rows
            total = page.total if self.answered - 1 in told else None
            return Page(rows=rows, total=total, size=page.size)

    limit = PageLimit("limit", 10)
    offsets = OffsetPages(limit, "a list", ordered=ordered, keyset=keyset if ordered else None)
    for pages in (offsets, numbered_pages()):
        api = Api(list(range(1, 36)))
        api = Forgetful(api.ids, cap=10)
        with pytest.raises(IncompleteListError):
            walk(pages, api, 1)
        assert api.answered < 40


@pytest.mark.parametrize("behind", ["nothing", "the same"])
def test_a_total_out_of_all_measure_costs_few_requests(behind: str) -> None:
    class Boastful(Api):
        def answer(self, params: Params) -> Page:
            page = super().answer(
                {"page": min(params["page"], 3)} if behind != "nothing" else params
            )
            return Page(rows=page.rows, total=10**6, size=page.size)

    api = Boastful(list(range(1, 26)))
    with pytest.raises(IncompleteListError, match="fewer rows"):
        walk(numbered_pages(), api, 8)
    assert api.answered < 200


#: Pairs: as keys, 5 and a decimal of 5 would be the same.
TOTALS: list[tuple[Any, int]] = [
    (5, 5),
    ("5", 5),
    (" 250 ", 250),
    ("5.0", 5),
    (Decimal("5.0"), 5),
    (Decimal("1e1"), 10),
    (0, 0),
    (10**12, 10**12),
    ("1e12", 10**12),
]
NO_TOTALS: list[Any] = [
    *(None, True, -1, "-5", "", "many", "9" * 5_000, 10**13, 10**400, 5.5, [2], {}),
    *("1e999999", "-1e999999", "1e9999999999999999999999", "nan", "inf"),
    *map(Decimal, ("5.5", "-1.0", "1e-999999", "1e999999", "NaN", "sNaN", "-Infinity")),
]


@pytest.mark.parametrize(("told", "total"), TOTALS, ids=repr)
def test_what_is_a_total(told: Any, total: int) -> None:
    found = as_total(told)
    assert found == total
    assert type(found) is int


def test_what_is_no_total() -> None:
    assert [as_total(told) for told in NO_TOTALS] == [None] * len(NO_TOTALS)


@given(st.integers(1, 10**400), st.integers(1, 10**400))
def test_numbers_are_of_any_size(greatest: int, sought: int) -> None:
    rows = sorted({greatest + 1, greatest, 1})
    api = Api(rows, cap=1)
    pages = numbered_pages(floor=greatest, sought=frozenset({min(sought, greatest)}))
    assert greatest + 1 in walk(pages, api)
