"""What the syncs of a stream will cost, as far as one page of it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_cloudapis.core.amounts import Amount, Bound, worst
from tap_cloudapis.core.findings import Finding, Verdict
from tap_cloudapis.core.paging import SinglePage, TokenPages

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import Page
    from tap_cloudapis.core.stream import CloudStream


@dataclass
class Sample:
    """The page of a list that was looked at.

    Attributes:
        size: How many rows a sync asks for in a page; ``None`` where the list has no pages.
        read: The list; ``None`` where it has none of that kind.
        page: The page.
    """

    size: int | None
    read: Read | None = None
    page: Page | None = None

    def see(self, read: Read, page: Page) -> None:
        """Note a page that is read."""
        self.read, self.page = read, page

    def rows(self, records: int) -> Amount:
        """How many rows the list has.

        Args:
            records: How many records were made of the page.
        """
        page, read = self.page, self.read
        if page is None or read is None:
            return Amount(records)
        if page.total is not None and page.total >= len(page.rows):
            return Amount(page.total)
        ends = isinstance(read.paginator, (SinglePage, TokenPages)) and not page.token
        return Amount(records, Bound.EXACT if ends else Bound.AT_LEAST)

    @property
    def is_whole(self) -> bool:
        """Whether any such list comes in one answer."""
        return self.read is None or isinstance(self.read.paginator, SinglePage)

    def pages(self, rows: Amount) -> int:
        """How many pages so many rows take, at the least."""
        if self.is_whole or self.read is None:
            return 1
        more = int(bool(self.page and self.page.token))
        limit = self.read.paginator.limit
        size = self.size or (limit.value if limit else 0)
        if not size:
            return 1 + more
        # Pages of some kinds begin with the last row of the one before.
        step = max(1, size - getattr(self.read.paginator, "overlap", 0))
        return 1 + max(-(-(rows.number - size) // step), more, 0)


def lists_below(stream: CloudStream, rows: Amount, looked_at: int, wanted: int) -> Amount:
    """How many rows lead to a stream.

    Args:
        stream: The stream.
        rows: How many there are.
        looked_at: How many of them were looked at.
        wanted: How many of these lead to it.
    """
    is_sampled = not (rows.is_exact and rows.number <= looked_at)
    if stream.lists_are is Bound.AT_LEAST or (is_sampled and rows.number < looked_at):
        return Amount(wanted, Bound.AT_LEAST)
    number = round(rows.number * wanted / looked_at) if is_sampled else wanted
    scaled = Bound.ABOUT if is_sampled and wanted < looked_at else Bound.EXACT
    return Amount(number, worst(rows.bound, scaled, stream.lists_are))


def cost_of(
    stream: CloudStream, finding: Finding, sample: Sample, context: Context | None, records: int
) -> None:
    """Say in a finding how many rows there are, and what syncs will cost.

    Args:
        stream: The stream.
        finding: What was found out of it.
        sample: The page that was looked at.
        context: What it is of.
        records: How many records were made of it.
    """
    if finding.verdict is not Verdict.READABLE:
        return
    others = sum(1 for _ in stream.reads(context)) - 1 if sample.read is not None else 0
    rows = sample.rows(records)
    beyond = stream.requests_beyond(rows.number)
    each = sample.pages(rows) + others + beyond
    lists = finding.lists
    is_only = lists == Amount(1)
    is_all = is_only and not others and not (beyond and stream.finds_more)
    finding.rows = rows if is_all else rows.at_least
    if sample.is_whole:
        number, is_sure = lists.number * each, not others
    else:
        number, is_sure = max(0, lists.number - 1) + each, finding.rows.is_exact
    bound = Bound.EXACT if is_sure else Bound.AT_LEAST
    finding.first = Amount(number, worst(bound, lists.bound))
    at_rest = stream.requests_at_rest(lists.number)
    finding.later = finding.first if at_rest is None else at_rest
