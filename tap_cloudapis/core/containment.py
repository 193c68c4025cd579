"""A failure is reported and ends one context of one stream; the others go on.

A refusal ends no more than it is about: a list, an account or organization, or the service. What
a whole sync makes of its refusals is the business of :mod:`core.verdict`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import AbortedSyncFailedException, AbortedSyncPausedException

from tap_cloudapis.core.errors import (
    AuthenticationError,
    ClosedError,
    MapError,
    RefusedError,
    TapError,
    UnavailableError,
)
from tap_cloudapis.core.refusals import RefusableStream

if TYPE_CHECKING:
    from collections.abc import Generator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.connection import Connection
    from tap_cloudapis.core.exchange import Read


#: Lists of a stream that fail after every retry, one after another, before it is given up.
UNAVAILABLE_IN_A_ROW = 3


@dataclass
class Outcome:
    """What became of a stream's lists of one account or organization.

    Attributes:
        read: Lists that were read to their end.
        refused: Lists that the token may not read.
        gone: Lists of what is not there any more, or not shown to the token.
        unchanged: Lists with nothing new, by what their parent says.
        failed: Lists that failed, or of which records had to be left out.
    """

    read: int = 0
    refused: int = 0
    gone: int = 0
    unchanged: int = 0
    failed: int = 0


class ContainedStream(RefusableStream):
    """A stream whose failures do not end other streams."""

    #: What the log calls a stream that no catalog shows.
    title: ClassVar[str] = ""
    #: What lists of several streams share that fail together; empty for a stream alone.
    kind_of_lists: ClassVar[str] = ""
    #: See :data:`UNAVAILABLE_IN_A_ROW`.
    unavailable_in_a_row: ClassVar[int] = UNAVAILABLE_IN_A_ROW
    #: How many lists have failed after every retry, one after another.
    _unavailable = 0

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: By the id of the account or organization; ``None`` for lists that belong to none.
        self.outcomes: defaultdict[Any, Outcome] = defaultdict(Outcome)
        self._left_out_before = 0

    @property
    def connection(self) -> Connection:
        """The connection to the service, made at first use."""
        return self.tap.connection(self.service_key)

    def _can_read(self, context: Context | None = None) -> bool:
        """Whether there is any use in asking for rows."""
        return self.configured and not self._closed_because(context) and not self.report.given_up

    def _closed_because(self, context: Context | None) -> str:
        """Why nothing can be read of the service, or of a context's owner; empty if it can."""
        connection = self.connection
        reason = connection.unusable or connection.closed.get(self.owner_of(context))
        return str(reason or "")

    @property
    def lacks_rows(self) -> bool:
        """Whether a record of the context had to be left out: no mark may move behind it."""
        return self.report.left_out > self._left_out_before

    def context_done(self, context: Context | None) -> None:
        """Called when every record of a context was written; the place to move marks."""

    def _context_ended(self, context: Context | None) -> None:
        self.context_done(context)

    def _hinted(self, text: str) -> str:
        """Have an error begin with the host, where there is something to say about it."""
        hint = self.connection.url_hint
        return f"{self.connection.host}: {text}" if hint and hint not in text else text

    # Refusals

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """Decide what a refused list means: a skipped context, or a failure.

        Args:
            exc: The refusal.
            context: What was refused.
            rows: How many records of the context were emitted before.
        """
        self.outcomes[self.owner_of(context)].refused += 1
        self.tell_refused(exc, context, self.place(context), rows=rows)

    def named_failed(self, context: Context | None, read: Read, exc: TapError) -> None:
        """Report a list that the settings name; the other lists of the context go on.

        Raises:
            TapError: Where none of them can be read either.
        """
        if isinstance(exc, ClosedError) or self.connection.unusable is not None:
            raise exc
        self.outcomes[self.owner_of(context)].failed += 1
        is_refused = isinstance(exc, RefusedError)
        text = f"{exc}; check the id, and what the token may read" if is_refused else str(exc)
        where = ", ".join(filter(None, (self.place(context), read.named)))
        self.tap.report.fail(self.name, self._hinted(text), where)

    def not_given(self, context: Context | None, read: Read, exc: TapError) -> None:
        """Note an optional list that the API does not give; what it held may be in a target."""
        self.report.unlisted = True
        self.note_of(context, f"{read.optional} ({exc})")

    def _closed(self, exc: ClosedError, context: Context | None) -> None:
        """End the account or organization that is closed, or all of the service."""
        owner = self.owner_of(context)
        never = isinstance(exc, AuthenticationError) and not self.connection.reached
        if owner is None or never:
            self.connection.give_up(exc)
            self.tap.report.fail(self.name, str(exc))
        else:
            self.close_owner(owner, exc)

    def close_owner(self, owner: Any, exc: ClosedError) -> None:
        """Read nothing more of an account or organization, and say why."""
        where = f"{self.owner} {owner}"
        self.connection.closed[owner] = f"{where}: {exc.narrow}"
        self.tap.report.fail(self.name, self._hinted(exc.narrow), where)

    # The sync of a context

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Emit the records of a context; a failure is reported and ends this context only."""
        if not self._can_read(context):
            if self.configured and (reason := self._closed_because(context)):
                self.tap.report.cut_off(self.name, reason)
            return
        report = self.tap.report
        with report.timing(self.name) as figures:
            before, left_out = figures.rows, figures.left_out
            self._left_out_before = left_out
            outcome = self.outcomes[self.owner_of(context)]
            try:
                if write_messages and self._is_plain:
                    self._sync_plain_records(context, figures)
                else:
                    for record in super()._sync_records(context, write_messages=write_messages):
                        figures.rows += 1
                        yield record
                        self.tap.check_signal()
                self._unavailable = 0
                outcome.read += 1
                outcome.failed += figures.left_out > left_out
                self._context_ended(context)
            except RefusedError as exc:
                self.refused(exc, context, figures.rows - before)
            except ClosedError as exc:
                outcome.refused += 1
                self._closed(exc, context)
            except TapError as exc:
                outcome.failed += 1
                self.failed(exc, context)
            except (AbortedSyncFailedException, AbortedSyncPausedException):
                outcome.read += 1  # a dry run has its record, and ends
                raise
            except OSError:
                # Nobody reads the output: not a failure of this stream.
                raise
            except RecursionError:
                outcome.failed += 1
                self.failed(TapError("a value is nested too deep"), context)
            except Exception as exc:
                # Unexpected data in one stream must not end the others.
                outcome.failed += 1
                report.fail(self.name, self._hinted(f"unexpected {exc!r}"), self.place(context))
                self.logger.exception("Please report this")

    def failed(self, exc: TapError, context: Context | None) -> None:
        """Report a list that failed; give the stream up after some in a row.

        The failure of a stream map is told once: it fails in each context, perhaps otherwise.
        """
        if isinstance(exc, MapError):
            if not any(exc.place in text for text in self.report.failures):
                self.tap.report.fail(self.name, str(exc))
            return
        where = self.place(context)
        # Paginators name the list themselves.
        told = str(exc).removeprefix(where).removeprefix(": ") if where else str(exc)
        self.tap.report.fail(self.name, self._hinted(told), where)
        if isinstance(exc, UnavailableError) and self.counts(context):
            self._count_unavailable()

    def counts(self, context: Context | None) -> bool:  # noqa: ARG002
        """Whether a list that fails is one of some in a row, after which no other is read."""
        return True

    def _count_unavailable(self) -> None:
        """Give the stream up after some lists in a row: each costs the time of all its retries."""
        self._unavailable += 1
        if self._unavailable == self.unavailable_in_a_row and self.connection.unusable is None:
            self.report.given_up = (
                f"{self._unavailable} lists in a row failed, so its other lists are not read"
            )
            self.tap.report.fail(self.name, self.report.given_up)
