"""How the pages of a list are walked: what pages and paginators are, and the simple kinds.

Every paginator advances by the rows it received, never by the page size it asked for, because a
server may give fewer than it was asked for without a word. Every paginator compares what it gave
with the total that the API announced, where it announces one.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Protocol

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.output import encode
from tap_cloudapis.core.scalars import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
Params = dict[str, Any]

#: The most rows that a list can be believed to have.
MAX_TOTAL = 10**12
#: How often a list is begun anew when its rows keep moving.
MAX_RESTARTS = 5


#: Stands for a row that is no object, so that pages keep their number of rows.
NO_ROW: Row = {}


@dataclass
class Page:
    """One decoded answer.

    Attributes:
        rows: The raw records, in the order of the answer.
        total: How many rows match over all pages, where the API says so.
        size: The page size that the server used, where the API says so.
        token: What to send for the next page, where the API pages by tokens.
        listed: Whether the answer had the list at all, an empty one perhaps.
    """

    rows: list[Row]
    total: int | None = None
    size: int | None = None
    token: Any = None
    listed: bool = True


class PendingPage(Protocol):
    """A page that was asked for and may not have arrived."""

    def result(self) -> Page:
        """Wait for the page."""

    def cancel(self) -> None:
        """Give the page up."""


def later_page(pending: PendingPage, what: str) -> Page:
    """Wait for a page behind the first one of a list.

    Args:
        pending: The page.
        what: The list in the words of an error message.

    Raises:
        TapError: When it came without the list, which would look like the end of it.
    """
    page = pending.result()
    if not page.listed:
        msg = f"{what}: a later page came without the list; run the sync again"
        raise TapError(msg)
    return page


@dataclass
class PageLimit:
    """The page size a stream asks for; halved when the API rejects it, for all later pages.

    Attributes:
        param: The query parameter that carries it.
        value: Rows asked for.
    """

    param: str
    value: int

    def is_meant(self, reason: str) -> bool:
        """Whether the reason of a rejection speaks of the page size."""
        told = reason.lower()
        return self.param.lower() in told or "page size" in told or "limit" in told

    def accept(self, size: int) -> None:
        """Ask for no more than this from now on: the API gave it after it refused more."""
        self.value = min(self.value, size)


def as_total(value: Any) -> int | None:
    """Read the number of rows that an API announces.

    Args:
        value: A number, or one written as text.

    Returns:
        The number; ``None`` for anything else, which tells nothing, and for what cannot be.
    """
    if type(value) is int:
        return value if 0 <= value <= MAX_TOTAL else None
    if not isinstance(value, (Decimal, str)):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    # Compared first: a few characters can stand for a number that no memory holds.
    if number.is_finite() and 0 <= number <= MAX_TOTAL and number == int(number):
        return int(number)
    return None


def as_object(value: Any) -> Row:
    """Read an object inside of a row or an answer; what is none is as good as an empty one."""
    return value if isinstance(value, dict) else {}


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


#: Pages in a row that bring no new row before a list counts as endless: where rows that the token
#: may not see are left out, some pages can be empty.
MAX_IDLE_PAGES = 20


@dataclass
class TokenPages:
    """Pages by an opaque token in the answer, one after another; there is no total.

    Attributes:
        limit: The page size; ``None`` where the API has none.
        what: The list in the words of an error message.
        param: The query parameter that takes the token.
        ignored: Whether the API may send a token and ignore it: rows that come again end the list.
    """

    limit: PageLimit | None
    what: str
    param: str = "continuationToken"
    ignored: bool = False

    def first_params(self) -> Params:
        """No token."""
        return {}

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give the rows of each page until an answer has no token.

        Raises:
            TapError: When a token comes again, or pages bring nothing new for a while.
        """
        tokens: set[str] = set()
        rows: set[int] = set()
        idle = 0
        page = first.result()
        while page.token:
            known = len(rows)
            rows.update(hash(encode(row)) for row in page.rows)
            idle = idle + 1 if len(rows) == known else 0
            if idle and self.ignored and tokens:
                return
            if not isinstance(page.token, str) or not is_text(page.token):
                yield page.rows
                msg = f"{self.what}: the API gives a continuation token that is no text"
                raise TapError(msg)
            repeated = page.token in tokens
            if repeated or idle > MAX_IDLE_PAGES:
                does = "repeats a continuation token" if repeated else "gives nothing new"
                msg = f"{self.what}: the API {does}; the list has no end"
                raise TapError(msg)
            tokens.add(page.token)
            asked = {self.param: page.token}
            following = submit(asked) if ahead > 1 else None
            yield page.rows
            page = later_page(following or submit(asked), self.what)
        yield page.rows
