"""What a check asks of a stream beyond its lists: which row to try, and what a sync will cost."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.amounts import Amount, Bound
from tap_cloudapis.core.children import FamilyStream
from tap_cloudapis.core.rows import RowStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.facts import Facts
    from tap_cloudapis.core.paging import Page, Row

#: Batches of a list that are looked at for a first row: some lists begin with another one.
MOST_BATCHES = 2


class CheckableStream(RowStream):
    """A stream that can be asked for a first row, and tells what all of them would cost.

    Attributes:
        page_seen: Told of each page that is read, and of its list; ``None`` for nobody.
    """

    facts: ClassVar[Facts]
    #: Whether the first page of a list tells how many rows there are, so that a row is enough.
    tells_total: ClassVar[bool] = False
    #: What has the permission: a set of permissions, or a role; empty where it names itself.
    grant: ClassVar[str] = ""
    #: Whether each row that leads to the stream is asked for: exactly those, fewer, or others too.
    lists_are: ClassVar[Bound] = Bound.EXACT
    #: How many requests each list costs a later sync that finds nothing new; ``None`` for as many
    #: as the first one.
    lists_at_rest: ClassVar[int | None] = None
    #: Whether what is asked for beyond the pages of a list brings further rows.
    finds_more: ClassVar[bool] = False
    #: Streams that say the same here ask for the same things: one of them pays for all.
    shared_requests: str = ""

    page_seen: Callable[[Read, Page], None] | None = None

    @property
    def row_name(self) -> str:
        """What a row is, in a word or two: "job"."""
        return self.facts.row.partition(",")[0].partition(" ")[2]

    def why_not_asked(self, context: Context | None) -> str:
        """Why there is no use in asking for a context; empty where there is."""
        if self._can_read(context):
            return ""
        return self._closed_because(context) or self.report.given_up or "it was refused before"

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the lists of a context, in batches of raw rows; a subclass says how."""
        raise NotImplementedError

    def all_records(self, context: Context | None) -> Iterator[Row]:
        """The records of a context, as far as its lists can be read."""
        for rows in self.lists(context):
            yield from self._records_of(rows, context or {})

    def first_records(self, context: Context | None) -> list[Row]:
        """The records of the first batch that has any.

        Raises:
            TapError: As reading does.
        """
        records: list[Row] = []
        with closing(self.lists(context)) as batches:  # type: ignore[type-var]
            for rows in islice(batches, MOST_BATCHES):
                records = self._records_of(rows, context or {})
                if rows:
                    break
        if not records and (refusal := self.doubted(context)) is not None:
            raise refusal
        return records

    def contexts_below(
        self, records: Sequence[Row], context: Context | None
    ) -> list[dict[str, Any]]:
        """The contexts that records lead to."""
        return [c for record in records for c in self.generate_child_contexts(record, context)]

    @property
    def children(self) -> list[FamilyStream]:
        """The streams below, those that also have another way among them."""
        return [child for child in self.child_streams if isinstance(child, FamilyStream)]

    def to_try(self, contexts: Sequence[Context]) -> Sequence[Context]:
        """Which of the contexts to try, one after another until something was asked for."""
        return contexts[:1]

    def was_tried(self, context: Context | None) -> bool:  # noqa: ARG002
        """Whether a context had anything to ask for."""
        return True

    def doubted(self, context: Context | None) -> RefusedError | None:  # noqa: ARG002
        """A refusal that was taken for something that is not there, if it is none."""
        return None

    def handed(self, context: Context) -> int:  # noqa: ARG002
        """How many rows the parent's row has handed down for a context."""
        return 0

    # What a sync costs

    def requests_beyond(self, rows: int) -> int:  # noqa: ARG002
        """Requests that so many rows of a list cost beyond its pages."""
        return 0

    def requests_at_rest(self, contexts: int) -> Amount | None:
        """Requests of a later sync that finds nothing new; ``None`` for as many as the first.

        Args:
            contexts: How many lists there are.
        """
        if self.lists_at_rest is None:
            return None
        return Amount(contexts * self.lists_at_rest).at_least
