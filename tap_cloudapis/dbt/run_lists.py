"""Lists of runs: what all streams share that read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import ClosedError, RefusedError, TapError
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.normalizing import written
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.dbt.client import PAGE_SIZE, DbtStream, has_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Exchange
    from tap_cloudapis.core.paging import PendingPage, Row, Submit
    from tap_cloudapis.dbt.filters import RunFilter

OPEN_STATUSES = [1, 2, 3]
ENDED_STATUSES = (10, 20, 30)
#: An upper bound for ranges, which take two values.
FOREVER = "9999-12-31T00:00:00"


def is_open(row: Row) -> bool:
    """Whether a run can still change its status."""
    return row.get("status") not in ENDED_STATUSES and not row.get("is_complete")


def naive(timestamp: str) -> str:
    """A timestamp without its zone: with one, the API's filters ignore the time of day."""
    return timestamp.removesuffix("Z")


def now() -> str:
    """The time in the form of all timestamps."""
    return written(datetime.now(UTC))


@dataclass
class RunsByIds(OffsetPages):
    """A list of runs by their ids, and what it lacks, each at its own address.

    A list may lack a run for a moment; only its own address tells that it is gone. A server that
    ignores lists of ids, and would give its whole history, is asked run by run.

    Attributes:
        ids: The runs that are asked for.
        alone: Gives runs by their own addresses, without those that are not there, and the ids of
            those that cannot be read.
        gone: The runs that are not there.
    """

    ids: frozenset[int] = field(kw_only=True)
    alone: Callable[[Collection[int]], tuple[list[Row], set[int]]] = field(kw_only=True, repr=False)
    gone: frozenset[int] = field(default=frozenset(), init=False)

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give the runs that are there."""
        missing = self.ids
        for rows in super().walk(submit, first, ahead):
            here = {row["id"] for row in rows if has_id(row)}
            if not here <= self.ids:
                break
            missing -= here
            yield rows
        if missing:
            rows, unreadable = self.alone(missing)
            self.gone = missing.difference(unreadable, (row["id"] for row in rows))
            yield rows


def without(run_filter: RunFilter, pages: RunsByIds, rows: list[Row]) -> set[int]:
    """The runs that were asked for by their ids and are no runs of a filter any more."""
    return {row["id"] for row in rows if has_id(row) and not run_filter.matches(row)} | pages.gone


class RunListStream(DbtStream):
    """A stream that reads lists of an account's runs."""

    path = "/v2/accounts/{account_id}/runs/"

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: Runs that could not be read at their own addresses.
        self.unreadable: set[int] = set()

    def run_list(  # noqa: PLR0913 - what tells lists of runs apart
        self,
        context: Context | None,
        purpose: Any,
        run_filter: RunFilter,
        params: dict[str, Any],
        asked: Any = None,
        *,
        after: int | None = None,
    ) -> Read:
        """A list of runs in order of their ids; its purpose is ``(purpose, filter, asked)``.

        Args:
            context: The account.
            purpose: Why it is read; as text, it stands in error messages.
            run_filter: Which runs pass.
            params: Further parameters.
            asked: What the list was asked for, for whoever reads it.
            after: Only runs with a greater id.
        """
        paginator = OffsetPages(
            limit=self.limit,
            what=f"{self.place(context)}: {purpose.value}",
            keyset="id__gt",
            after=after,
        )
        return Read(
            paginator,
            {**run_filter.params, **params},
            (purpose, run_filter, asked),
            named=run_filter.words,
        )

    def lists_by_ids(
        self, context: Context | None, purpose: Any, run_filter: RunFilter, ids: Collection[int]
    ) -> Iterator[Read]:
        """Lists of runs by their ids, as many in each as a page holds."""
        ordered = sorted(ids)
        for start in range(0, len(ordered), PAGE_SIZE):
            some = ordered[start : start + PAGE_SIZE]
            pages = RunsByIds(
                limit=self.limit,
                what=f"{self.place(context)}: {purpose.value}",
                keyset="id__gt",
                ids=frozenset(some),
                alone=partial(self.one_by_one, context),
            )
            # Without the filter: a run that does not pass it is there all the same.
            asked_for = purpose, run_filter, None
            yield Read(pages, {"pk__in": some}, asked_for, named=run_filter.words)

    def one_by_one(
        self, context: Context | None, ids: Collection[int], *, quiet: bool = False
    ) -> tuple[list[Row], set[int]]:
        """Read runs by their own addresses; those that have vanished are left out.

        Args:
            context: The account.
            ids: The runs.
            quiet: Whether a refusal tells nothing; otherwise it is reported.

        Returns:
            The runs, and the ids of those that cannot be read.

        Raises:
            TapError: When nothing more can be read of the account; when quiet, of any of them.
        """
        pending = [(run_id, self.ask(context, below=f"{run_id}/")) for run_id in sorted(ids)]
        rows: list[Row] = []
        unreadable: set[int] = set()
        for run_id, exchange in pending:
            try:
                row = self._run(exchange, run_id)
            except RefusedError as exc:
                if not exc.is_not_found:
                    unreadable.add(run_id)
                    if not quiet:
                        self._report_run(context, run_id, exc)
            except ClosedError:
                raise
            except TapError as exc:
                if quiet or self.connection.unusable is not None:
                    raise
                unreadable.add(run_id)
                self._report_run(context, run_id, exc)
            else:
                rows.append(row)
        self.unreadable |= unreadable
        return rows, unreadable

    def _run(self, exchange: Exchange, run_id: int) -> Row:
        row = self.read_detail(exchange.body())
        if row.get("id") != run_id:
            raise self.misshapen(f"run {run_id}")
        return row

    def _report_run(self, context: Context | None, run_id: int, exc: TapError) -> None:
        self.outcomes[self.owner_of(context)].failed += 1
        self.tap.report.fail(self.name, str(exc), f"{self.place(context)}, run {run_id}")
