"""Lists of runs: what all streams share that read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from tap_cloudapis.core.bookmarks import RowId
from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.dbt.client import PAGE_SIZE, DbtStream, has_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.dbt.filters import RunFilter

OPEN_STATUSES = [1, 2, 3]
ENDED_STATUSES = (10, 20, 30)
NOT_FOUND = 404
#: An upper bound for ranges, which take two values.
FOREVER = "9999-12-31T00:00:00"


class AccountContext(TypedDict):
    """The context of an account's part of a bookmark."""

    account_id: RowId


def is_open(row: Row) -> bool:
    """Whether a run can still change its status."""
    return row.get("status") not in ENDED_STATUSES and not row.get("is_complete")


def naive(timestamp: str) -> str:
    """A timestamp without its zone: with one, the API's filters ignore the time of day."""
    return timestamp.removesuffix("Z")


def now() -> str:
    """The time in the form of all timestamps."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


class RunListStream(DbtStream):
    """A stream that reads lists of an account's runs."""

    path = "/v2/accounts/{account_id}/runs/"

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
            yield self.run_list(context, purpose, run_filter, {"pk__in": some}, frozenset(some))

    def runs_by_ids(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:
        """The rows of such a list; one by one from a server that ignores lists of ids."""
        _, run_filter, asked = read.purpose
        if {row["id"] for row in rows if has_id(row)} <= asked:
            return [row for row in rows if run_filter.matches(row)]
        # It would give its whole history.
        paginator = read.paginator
        assert isinstance(paginator, OffsetPages)  # noqa: S101 - see run_list()
        paginator.closed = True
        return self._one_by_one(context, asked)

    def _one_by_one(self, context: Context | None, ids: Collection[int]) -> list[Row]:
        """Read runs by their own addresses; those that have vanished are left out.

        Raises:
            RefusedError: When the token may not read one of them.
        """
        pending = []
        for run_id in sorted(ids):
            request = self.prepare(context, {})
            request.url = str(request.url).replace("/runs/", f"/runs/{run_id}/")
            pending.append(self.send(request))
        rows = []
        for exchange in pending:
            try:
                rows.append(exchange.body()["data"])
            except RefusedError as exc:
                if exc.response.status_code != NOT_FOUND:
                    raise
        return rows
