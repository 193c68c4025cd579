"""A failure is reported and ends one context of one stream; the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import AbortedSyncFailedException, AbortedSyncPausedException

from tap_cloudapis.core.emission import EmittingStream
from tap_cloudapis.core.errors import (
    AuthenticationError,
    RefusedError,
    TapError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.connection import Connection


#: Lists of a stream that fail after every retry, one after another, before it is given up.
UNAVAILABLE_IN_A_ROW = 3


class ContainedStream(EmittingStream):
    """A stream whose failures do not end other streams."""

    #: The permission that a refused stream most likely lacks, for the warning.
    permission: ClassVar[str] = ""
    #: What a context stands for, in the words of an error message.
    scope: ClassVar[str] = ""

    #: How many lists have failed after every retry, one after another.
    _unavailable = 0

    @property
    def connection(self) -> Connection:
        """The connection to the service, made at first use."""
        return self.tap.connection(self.service_key)

    def _can_read(self) -> bool:
        """Whether there is any use in asking for rows."""
        return self.configured and self.connection.unusable is None and not self.report.given_up

    def context_done(self, context: Context | None) -> None:
        """Called when every record of a context was written; the place to move marks."""

    def _context_ended(self, context: Context | None) -> None:
        self.context_done(context)

    def describe(self, context: Context | None) -> str:
        """Say which list an error is about, as the beginning of a message."""
        return f"{self.scope.format(**context)}: " if context and self.scope else ""

    def _hinted(self, text: str) -> str:
        """Have an error begin with the host, where there is something to say about it."""
        hint = self.connection.url_hint
        return f"{self.connection.host}: {text}" if hint and hint not in text else text

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """Decide what a refused list means: a skipped context, or a failure.

        Args:
            exc: The refusal.
            context: What was refused.
            rows: How many records of the context were emitted before.
        """
        text = f"{self.describe(context)}{exc}"
        if self.permission:
            text += f"; the token probably lacks {self.permission}"
        if self.must_be_allowed(rows):
            self.tap.report.fail(self.name, text)
        else:
            what = f"{self.describe(context)}answered {exc.response.status_code}"
            self.skip(what, in_full=text)

    def must_be_allowed(self, rows: int) -> bool:
        """Whether a refusal is a failure, after so many records of the context."""
        return bool(rows) or self.config["on_forbidden"] == "fail"

    def note_of(self, context: Context | None, what: str) -> None:
        """Note and log what is not wrong, but may be a mistake."""
        self.tap.report.note(self.name, f"{self.describe(context)}{what}")

    def skip(self, what: str, *, in_full: str = "") -> None:
        """Note and log what is left out; see :meth:`SyncReport.skip`."""
        self.tap.report.skip(self.name, what, in_full=in_full)

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Emit the records of a context; a failure is reported and ends this context only."""
        if not self._can_read():
            if self.configured and (reason := self.connection.unusable):
                self.tap.report.cut_off(self.name, str(reason))
            return
        report = self.tap.report
        with report.timing(self.name) as figures:
            before = figures.rows
            try:
                if write_messages and self._is_plain:
                    self._sync_plain_records(context, figures)
                else:
                    for record in super()._sync_records(context, write_messages=write_messages):
                        figures.rows += 1
                        yield record
                        self.tap.check_signal()
                self._unavailable = 0
                self._context_ended(context)
            except RefusedError as exc:
                self.refused(exc, context, figures.rows - before)
            except AuthenticationError as exc:
                self.connection.give_up(exc)
                report.fail(self.name, str(exc))
            except TapError as exc:
                where, told = self.describe(context), str(exc)
                text = told if told.startswith(where) else where + told
                report.fail(self.name, self._hinted(text))
                if isinstance(exc, UnavailableError):
                    self._count_unavailable()
            except (AbortedSyncFailedException, AbortedSyncPausedException, OSError):
                # A dry run ends, or nobody reads the output: not a failure of this stream.
                raise
            except Exception as exc:
                # Unexpected data in one stream must not end the others.
                report.fail(self.name, self._hinted(f"{self.describe(context)}unexpected {exc!r}"))
                self.logger.exception("Please report this")

    def _count_unavailable(self) -> None:
        """Give the stream up after some lists in a row: each costs the time of all its retries."""
        self._unavailable += 1
        if self._unavailable == UNAVAILABLE_IN_A_ROW and self.connection.unusable is None:
            self.report.given_up = (
                f"{self._unavailable} lists in a row failed, so its other lists are not read"
            )
            self.tap.report.fail(self.name, self.report.given_up)
