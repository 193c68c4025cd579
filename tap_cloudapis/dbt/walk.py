"""The walk over ended runs: one list per account for all streams that hang on a run.

Such a stream (a member of the walk) asks for something of each run that has ended: its steps, its
artifacts. All of them share the lists of runs, and each keeps marks of its own, so that one that
is selected a year later catches up by itself while nothing is read twice for the others.

The marks of a member, per account and filter: ``floor``, an id: every run up to it is settled but
for those ``waiting``, ``{id: steps}``, where no steps mean "look at the run again" and some mean
that these had not left yet what they leave; and ``since``, where the history begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NotRequired, TypedDict

import msgspec

from tap_cloudapis.core.bookmarks import RowId, Start
from tap_cloudapis.core.carriers import CarrierStream
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.core.paging import SinglePage
from tap_cloudapis.dbt.account import Accounts
from tap_cloudapis.dbt.client import DbtStream, has_id
from tap_cloudapis.dbt.filters import FILTER_KEY
from tap_cloudapis.dbt.run_lists import (
    FOREVER,
    AccountContext,
    RunListStream,
    RunsByIds,
    is_open,
    moment,
    naive,
    without,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError, TapError
    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import Paginator, Row

#: More runs than this waiting would be a fault, not a bigger state.
MOST_WAITING = 10_000
#: Runs that are not found, one after another, before that means a missing permission.
MOST_REFUSALS = 3
#: What a row of the walk carries: the name of its filter, and whether it comes from the lists of
#: runs that were waiting.
_FILTER, _WAITED = "walk_filter", "walk_waited"


class Purpose(Enum):
    """Why a list of runs is read."""

    WAITING = "runs that had not ended, or not left everything, before"
    CATCH_UP = "runs that others have settled and a new stream has not"
    NEW = "runs behind the last one settled"


class StoredMemberMark(TypedDict):
    """The mark of a filter in the state, see the module."""

    floor: NotRequired[RowId | None]
    waiting: dict[Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,17}$")], list[int]]
    since: Start


class AccountWalks(TypedDict):
    """The marks of an account in the state, by the name of the filter."""

    context: AccountContext
    walks: NotRequired[dict[Annotated[str, msgspec.Meta(pattern=FILTER_KEY)], StoredMemberMark]]


class WalkBookmark(TypedDict, total=False):
    """The bookmark of a member."""

    partitions: list[AccountWalks]


@dataclass
class MemberMark:
    """How far a member has come with the runs of one account that one filter lets pass.

    Attributes:
        stored: The mark in the state, see the module.
    """

    stored: dict[str, Any]

    @property
    def floor(self) -> int | None:
        """The greatest id that is settled or waiting; ``None`` at the first sync."""
        floor: int | None = self.stored.get("floor")
        return floor

    @property
    def waiting(self) -> dict[str, list[int]]:
        """Steps by run; see the module."""
        waiting: dict[str, list[int]] = self.stored["waiting"]
        return waiting

    def knows(self, run_id: int) -> bool:
        """Whether a run is settled for good."""
        return run_id <= (self.floor or 0) and str(run_id) not in self.waiting

    def settle(self, run_id: int, steps: list[int] | None) -> None:
        """Note what became of a run.

        Args:
            run_id: The run; runs behind the floor come in the order of their ids.
            steps: What to wait for; ``None`` for nothing.
        """
        if steps is None:
            self.waiting.pop(str(run_id), None)
        else:
            self.waiting[str(run_id)] = steps
        self.stored["floor"] = max(self.floor or 0, run_id)


class RunMember(MarkedStream, DbtStream):
    """A stream that reads something of every ended run; a child of the walk.

    A subclass declares its path, with ``{run_id}``, and what it needs of a run.
    """

    replication_key = "run_finished_at"
    bookmark_form = WalkBookmark
    context_columns: ClassVar[Mapping[str, str]] = {
        name: name
        for name in (
            "account_id",
            "project_id",
            "environment_id",
            "job_definition_id",
            "run_id",
            "run_finished_at",
        )
    }
    #: Whether the rows come out of artifacts, which a run saves after its end, if at all.
    of_artifacts: ClassVar[bool] = False
    #: How long after its end a run may still save its artifacts.
    artifact_grace: ClassVar[timedelta] = timedelta(hours=1)
    #: How far the history goes back before the first sync, without a start date.
    history: ClassVar[timedelta] = timedelta(days=90)

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.state_partitioning_keys = ("account_id",)
        self._marks: dict[tuple[int, str], MemberMark] = {}
        self._read: set[int] = set()
        self._steps_missing: list[int] = []
        self._refusals: dict[int, int] = {}

    def new_paginator(self, context: Context | None) -> Paginator:  # noqa: ARG002
        """What a run has comes in one answer."""
        return SinglePage()

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
                since = self.start or _ago(self.history)
                stored = walks[filter_key] = {"floor": None, "waiting": {}, "since": since}
            self._marks[account_id, filter_key] = MemberMark(stored)
        return self._marks[account_id, filter_key]

    def mark_of(self, context: Context) -> MemberMark:
        """The mark that a run's context belongs to."""
        return self.mark(context["account_id"], context[_FILTER])

    def wants(self, context: Context) -> bool:
        """Whether the run is not settled, and can have something for this stream."""
        return self._concerns(context) and self.verdict(context) is None

    def _concerns(self, context: Context) -> bool:
        """Whether a run is one to read, or to settle, for this stream at this point of the walk."""
        if self._is_refused(context):
            return False
        mark, run_id = self.mark_of(context), context["run_id"]
        if context[_WAITED]:
            # Others may have waited for it: then it has its turn behind this stream's own floor.
            return str(run_id) in mark.waiting
        return not mark.knows(run_id)

    def verdict(self, context: Context) -> str | None:
        """What becomes of a run without asking for anything.

        Returns:
            "settled" for a run that can have nothing, "waiting" for one to look at again, and
            ``None`` for one that has to be asked for.
        """
        since = self.mark_of(context).stored["since"]
        if not context["run_started_at"] or (context["run_created_at"] or "") < since:
            return "settled"  # cancelled in the queue, or from before the history
        if self.of_artifacts and not context["artifacts_saved"]:
            ended = context["run_finished_at"] or ""
            return "waiting" if ended > _ago(self.artifact_grace) else "settled"
        return None

    def outstanding(self, context: Context) -> list[int]:
        """The steps that are still to be asked for; empty for all of them."""
        return self.mark_of(context).waiting.get(str(context["run_id"]), [])

    def wait_for(self, step: int) -> None:
        """Note that a step of the run that is being read has not left its artifact yet."""
        self._steps_missing.append(step)

    def request_records(self, context: Context | None) -> Iterator[Row]:
        """Give the records of a run."""
        self._steps_missing = []
        return super().request_records(context)

    def context_done(self, context: Context | None) -> None:
        """Note that a run was read; it is settled in its turn."""
        self._refusals.pop((context or {})["account_id"], None)
        self._read.add((context or {})["run_id"])

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """Say once per account that runs are refused, and stop asking where all of them are.

        A 404 may mean that a run is gone, or that the token may not read it. Only the list of the
        runs that wait tells one from the other; some in a row mean the token, as any other refusal
        does. No mark moves then.
        """
        account_id = (context or {})["account_id"]
        in_a_row = self._refusals.get(account_id, 0) + 1
        if not exc.is_not_found:
            in_a_row = MOST_REFUSALS
        self._refusals[account_id] = in_a_row
        super().refused(exc, {"account_id": account_id}, rows)

    def was_read(self, context: Context | None) -> bool:
        """Whether runs of the account were read before; that one run is gone says nothing."""
        return context is not None and self._is_refused(context) and super().was_read(context)

    def _is_refused(self, context: Context) -> bool:
        return self._refusals.get(context["account_id"], 0) >= MOST_REFUSALS

    def place(self, context: Context | None) -> str:
        """Name the run, or the account where it is about all of its runs."""
        run = f", run {context['run_id']}" if context and "run_id" in context else ""
        return f"account {context['account_id']}{run}" if context else ""

    def settle(self, context: Context, *, run_is_open: bool) -> None:
        """Move the marks past a run: everything of it, and of those before it, was written."""
        mark, run_id = self.mark_of(context), context["run_id"]
        if not self._concerns(context):
            return
        steps: list[int] | None = None
        if run_id in self._read:
            self._read.discard(run_id)
            steps = self._steps_missing or None
        elif run_is_open or self.verdict(context) != "settled":
            steps = []  # open, without its artifacts, or failed: to be looked at again
        mark.settle(run_id, steps)
        self.state_manager.is_flushed = False
        if len(mark.waiting) > MOST_WAITING:
            self._refusals[context["account_id"]] = MOST_REFUSALS
            what = f"more than {MOST_WAITING:,} runs wait for their end or their artifacts"
            self.tap.report.fail(self.name, what, self.place({"account_id": context["account_id"]}))


class EndedRuns(CarrierStream, RunListStream):
    """The runs of an account, in the order of their ids, as the members of the walk need them."""

    name = "dbt_ended_runs"
    parent_stream_type = Accounts

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._vanished: dict[str, set[int]] = {}

    def reads(self, context: Context | None) -> Iterator[Read]:
        """Runs that were waiting, then those behind the lowest floor of the members."""
        self._vanished = {}
        for run_filter in self.filters.of_runs:
            marks = self._marks(context, run_filter.key)
            waiting = {int(run_id) for mark in marks for run_id in mark.waiting}
            self._vanished[run_filter.key] = set()
            yield from self.lists_by_ids(context, Purpose.WAITING, run_filter, waiting)
            new = [mark.stored["since"] for mark in marks if mark.floor is None]
            lowest = min((mark.floor for mark in marks if mark.floor is not None), default=None)
            bounds = {"created_at__range": [naive(min(new)), FOREVER]} if new else {}
            if new and lowest is not None:
                yield self.run_list(context, Purpose.CATCH_UP, run_filter, bounds, lowest)
            after = {} if lowest is not None else bounds
            yield self.run_list(context, Purpose.NEW, run_filter, after, after=lowest)

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Note which filter let a run pass."""
        purpose, run_filter, asked = read.purpose
        if purpose is Purpose.CATCH_UP:
            # What lies behind has its turn in the next list, for all members.
            before = [row for row in rows if not has_id(row) or row["id"] <= asked]
            if len(before) < len(rows) and isinstance(read.paginator, OffsetPages):
                read.paginator.closed = True
            rows = before
        wanted = [row for row in rows if run_filter.matches(row)]
        if isinstance(read.paginator, RunsByIds):
            self._vanished[run_filter.key] |= without(run_filter, read.paginator, rows)
        tags = {_FILTER: run_filter.key, _WAITED: purpose is Purpose.WAITING}
        return [{**row, **tags} for row in wanted]

    def named_failed(self, context: Context | None, read: Read, exc: TapError) -> None:
        """Report a filter that cannot be read; the runs that it was waiting for are not gone."""
        super().named_failed(context, read, exc)
        _, run_filter, _ = read.purpose
        self._vanished.pop(run_filter.key, None)

    def context_done(self, context: Context | None) -> None:
        """Forget the runs that were waiting, and that are not there any more or do not pass."""
        for filter_key, vanished in self._vanished.items():
            for mark in self._marks(context, filter_key):
                for run_id in vanished:
                    mark.waiting.pop(str(run_id), None)

    def _marks(self, context: Context | None, filter_key: str) -> list[MemberMark]:
        account_id = (context or {})["account_id"]
        return [member.mark(account_id, filter_key) for member in self._members()]

    def child_context(self, record: Row, context: Context) -> dict[str, Any] | None:
        """What the members need to know of a run that has ended; none for an open one."""
        return None if is_open(record) else run_context(record, context)

    def _process_record(
        self,
        record: Row,
        child_context: Context | None = None,
        partition_context: Context | None = None,
    ) -> None:
        """Let the members read the run, then settle it with each of them."""
        super()._process_record(record, child_context, partition_context)
        if self.connection.unusable is not None or self.ABORT_AT_RECORD_COUNT is not None:
            return
        context = run_context(record, child_context or {})
        for member in self._members():
            if not member.report.given_up:
                member.settle(context, run_is_open=is_open(record))

    def _members(self) -> list[RunMember]:
        return [child for child in self._wanted_children() if isinstance(child, RunMember)]


def run_context(run: Row, context: Context) -> dict[str, Any]:
    """A run as the context of the streams that hang on it."""
    return {
        "account_id": context["account_id"],
        "project_id": run.get("project_id"),
        "environment_id": run.get("environment_id"),
        "job_definition_id": run.get("job_definition_id"),
        "run_id": run["id"],
        "run_finished_at": moment(run.get("finished_at")) or None,
        "run_created_at": moment(run.get("created_at")) or None,
        "run_started_at": moment(run.get("started_at")) or None,
        "artifacts_saved": run.get("artifacts_saved"),
        _FILTER: run[_FILTER],
        _WAITED: run[_WAITED],
    }


def _ago(time: timedelta) -> str:
    return written(datetime.now(UTC) - time)
