"""Members of the walk over ended runs: streams that ask for something of each of them.

What a member has to know of a run is in the context that the walk makes of it; see `walk.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tap_cloudapis.core.paging import NO_ROW
from tap_cloudapis.dbt.run_asking import RunAsking
from tap_cloudapis.dbt.walk_marks import MemberMark, WalkBookmark, fresh_mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.dbt.run_reading import RunReading

#: More runs than this waiting would be a fault, not a bigger state.
MOST_WAITING = 10_000
#: Runs that are refused, one after another, before that means a missing permission.
MOST_REFUSALS = 3
#: Runs that fail, one after another, before the others are left for the next sync. They are asked
#: for side by side, so that a few more cost little time.
MOST_FAILURES = 12
#: Runs that a check looks at until it finds one that has left something.
MOST_TRIED = 3
#: The status of a run in which nothing has failed.
SUCCESS = 10
PERMISSION = "the permission to read runs"
#: What a row of the walk carries: the name of its filter, and whether it comes from the lists of
#: runs that were waiting.
FILTER, WAITED = "walk_filter", "walk_waited"


class Settlement(NamedTuple):
    """What becomes of a run: how long it waits, or that it does not.

    Attributes:
        steps: What to wait for; ``None`` for nothing.
    """

    steps: list[int] | None


class RunMember(RunAsking):
    """A stream that reads something of every ended run; a child of the walk.

    A subclass says what it needs of a run, and takes its rows out of what the walk has asked for
    all members.
    """

    replication_key = "run_finished_at"
    state_keys = ("account_id",)
    bookmark_form = WalkBookmark
    lists_at_rest = 0
    unavailable_in_a_row = MOST_FAILURES
    kind_of_lists = "what runs have left"
    #: Whether the rows come out of artifacts, which a run saves after its end, if at all.
    of_artifacts: ClassVar[bool] = False

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._marks: dict[tuple[int, str], MemberMark] = {}
        self._read: dict[int, list[int]] = {}
        self._refusals: dict[int, int] = {}
        self._right_is_lost = False

    # Which runs

    @cached_property
    def grace(self) -> timedelta:
        """How long after its end a run may still save its artifacts."""
        return timedelta(minutes=self.config["dbt_artifact_grace_minutes"])

    @cached_property
    def history(self) -> timedelta:
        """How far the history goes back before the first sync, without a start date."""
        return timedelta(days=self.config["dbt_run_details_days"])

    def mark(self, account_id: int, filter_key: str) -> MemberMark:
        """The mark for an account and a filter; a new filter begins anew."""
        if (account_id, filter_key) not in self._marks:
            state = self.get_context_state({"account_id": account_id})
            walks: dict[str, dict[str, Any]] = state.setdefault("walks", {})
            stored = walks.get(filter_key)
            if (
                stored is None
                or not self.incremental
                or (self.start and self.start < stored["since"])
            ):
                since = self.start or self._first_day(account_id)
                stored = walks[filter_key] = fresh_mark(since)
            self._marks[account_id, filter_key] = MemberMark(stored)
        return self._marks[account_id, filter_key]

    def _first_day(self, account_id: int) -> str:
        """The beginning of the first day of the history."""
        return f"{self.walk.before(account_id, self.history)[:10]}T00:00:00.000000Z"

    def mark_of(self, context: Context) -> MemberMark:
        """The mark that a run's context belongs to."""
        return self.mark(context["account_id"], context[FILTER])

    def wants(self, context: Context) -> bool:
        """Whether the run is not settled, and can have something for this stream."""
        return self.concerns(context) and self.verdict(context) is None

    def concerns(self, context: Context) -> bool:
        """Whether a run is one to read, or to settle, for this stream at this point of the walk."""
        if self.is_refused(context["account_id"]):
            return False
        mark, run_id = self.mark_of(context), context["run_id"]
        if context[WAITED]:
            # Others may have waited for it: then it has its turn in the list of all runs.
            return str(run_id) in mark.waiting
        return not mark.knows(run_id)

    def verdict(self, context: Context) -> str | None:
        """What becomes of a run without asking for anything.

        Returns:
            "settled" for a run that can have nothing, "waiting" for one to look at again, and
            ``None`` for one that has to be asked for.
        """
        since = self.mark_of(context).stored["since"]
        if not context["run_started_at"] or "" < (context["run_created_at"] or "") < since:
            return "settled"  # cancelled in the queue, or from before the history
        if not self.filters.emits(context["run_status"], is_open=False):
            return "settled"  # its status is the last one, and none of those to emit
        if self.of_artifacts and context["artifacts_saved"] is False:
            return "waiting" if self.in_grace(context) else "settled"
        return None

    def in_grace(self, context: Context) -> bool:
        """Whether a run has ended so lately that its artifacts may still come."""
        return (context["run_ended_at"] or "") > self.walk.before(context["account_id"], self.grace)

    def outstanding(self, context: Context) -> list[int]:
        """The steps that are still to be asked for; empty for all of them."""
        return self.mark_of(context).waiting.get(str(context["run_id"]), [])

    # What a check asks

    def to_try(self, contexts: Sequence[Context]) -> Sequence[Context]:
        """The newest runs that have left all they leave: what old ones have left may be gone."""

        def likelihood(run: Context) -> tuple[bool, bool, int]:
            return not self.in_grace(run), run["run_status"] == SUCCESS, int(run["run_id"])

        return sorted(contexts, key=likelihood, reverse=True)[:MOST_TRIED]

    # What is read of a run

    def prefetch(self, context: Context) -> None:
        """Have the walk ask for what this stream needs of a run that is synced soon."""
        if self._can_read(context):
            self.walk.reading(context).want(self)

    @abstractmethod
    def rows(self, reading: RunReading, context: Context, late: list[int]) -> Iterator[list[Row]]:
        """Give the raw rows of a run, in batches; a subclass says which.

        Args:
            reading: What the walk has asked of the run.
            context: The run.
            late: Where to note the steps that have not left yet what they leave.
        """

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Give the raw rows of a run."""
        assert context is not None  # noqa: S101 - a child stream always has one
        reading = self.walk.reading(context)
        reading.want(self)
        late: list[int] = []
        for rows in self.rows(reading, context, late):
            yield self._objects(rows, context) if NO_ROW in rows else rows
        self.note_read(context, late)

    def note_read(self, context: Context, late: list[int]) -> None:
        """Note that a run was read, but for some steps."""
        self._read[context["run_id"]] = late

    def context_done(self, context: Context | None) -> None:
        """Note that a run was read; it is settled in its turn."""
        self._refusals.pop((context or {})["account_id"], None)

    # What becomes of a run

    def settlement(self, context: Context, *, run_is_open: bool) -> Settlement | None:
        """Decide what becomes of a run, now that its rows were written; ``None`` for nothing."""
        if not self.concerns(context):
            return None
        steps: list[int] | None = None
        if context["run_id"] in self._read:
            steps = self._read.pop(context["run_id"]) or None
        elif run_is_open or self.verdict(context) != "settled":
            steps = []  # open, without its artifacts, or failed: to be looked at again
        return Settlement(steps)

    def settle(self, context: Context, found: Settlement | None, *, is_old: bool) -> None:
        """Move the marks past a run: everything of it, and of those before it, was written.

        Args:
            context: The run.
            found: What becomes of it; ``None`` where it is no concern of this stream.
            is_old: Whether it was created before the look-back.
        """
        account_id, run_id = context["account_id"], context["run_id"]
        if self.is_refused(account_id):
            return
        mark = self.mark_of(context)
        if found is not None:
            mark.settle(run_id, found.steps)
            self.state_manager.is_flushed = False
        if not context[WAITED] and mark.knows(run_id):
            mark.pass_by(run_id, is_old=is_old)
        if len(mark.waiting) > MOST_WAITING:
            self.stop_reading(account_id)
            what = f"more than {MOST_WAITING:,} runs wait for their end or their artifacts"
            self.tap.report.fail(self.name, what, self.place({"account_id": account_id}))

    # Refusals

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """Say that a run is refused, and stop asking an account of which some in a row are.

        A 404 may mean that a run is gone, or that the token may not read it: only the list of the
        runs that wait tells one from the other, so such are said of the account. Some in a row
        mean the token. Those that waited already are no sign of it: they stand side by side.
        """
        assert context is not None  # noqa: S101 - a child stream always has one
        account_id = context["account_id"]
        if self.counts(context):
            self._refusals[account_id] = self._refusals.get(account_id, 0) + 1
        of_all = exc.is_not_found or self.is_refused(account_id)
        self._right_is_lost = not exc.is_not_found or self.is_refused(account_id)
        super().refused(exc, {"account_id": account_id} if of_all else context, rows)

    def counts(self, context: Context | None) -> bool:
        """Whether a run is one of some in a row: those that waited are asked for together."""
        return not (context or {}).get(WAITED)

    def stop_reading(self, account_id: int) -> None:
        """Read nothing more of an account, and move no mark of it."""
        self._refusals[account_id] = MOST_REFUSALS

    def was_read(self, context: Context | None) -> bool:
        """Whether runs of the account were read before; that one run is gone says nothing."""
        account_id = (context or {})["account_id"]
        return self._right_is_lost and super().was_read({"account_id": account_id})

    def is_refused(self, account_id: int) -> bool:
        """Whether nothing more is asked for of an account."""
        return self._refusals.get(account_id, 0) >= MOST_REFUSALS
