"""The walk over ended runs: one list per account for all streams that hang on a run.

Such a stream (a member of the walk) asks for something of each run that has ended: its steps, its
artifacts. All of them share the lists of runs and what is asked of each run, and each keeps marks
of its own (`walk_marks.py`), so that one that is selected a year later catches up by itself while
nothing is read twice for the others.

Two lists are read for each filter: the runs that were waiting, by their ids; and those behind the
last one from before the look-back. Most of these are settled, but one may have appeared since.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.budget import Budget
from tap_cloudapis.core.carriers import CarrierStream
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.normalizing import moment, written
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.dbt.account import Accounts
from tap_cloudapis.dbt.client import has_id
from tap_cloudapis.dbt.commands import BUILDING, UNKNOWN
from tap_cloudapis.dbt.run_lists import (
    FOREVER,
    RunListStream,
    RunsByIds,
    is_open,
    naive,
    without,
)
from tap_cloudapis.dbt.run_member import FILTER, PERMISSION, WAITED, RunMember
from tap_cloudapis.dbt.run_reading import RunReading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.children import FamilyStream
    from tap_cloudapis.core.errors import TapError
    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.dbt.walk_marks import MemberMark

#: Bytes of answers about runs that are held, from which on nothing more is asked for ahead.
MOST_HELD = 64_000_000
#: Runs that are held back while something is asked of them, for each thread that asks.
RUNS_AHEAD = 4


class Purpose(Enum):
    """Why a list of runs is read."""

    WAITING = "runs that had not ended, or not left everything, before"
    CATCH_UP = "runs that others have settled and a new stream has not"
    NEW = "runs behind the last one settled"


class EndedRuns(CarrierStream, RunListStream):
    """The runs of an account, in the order of their ids, as the members of the walk need them."""

    name = "dbt_ended_runs"
    title = "the list of ended runs"
    parent_stream_type = Accounts
    lists_at_rest = 1
    facts = Facts(row="an ended run", requests="one per 100 runs", permission=PERMISSION)

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._begun: dict[int, datetime] = {}
        self._vanished: dict[str, set[int]] = {}
        self._readings: dict[tuple[int, bool], RunReading] = {}
        self._to_ask: list[RunReading] = []
        self.budget = Budget(MOST_HELD)
        chosen = self.config.get("dbt_run_results_commands")
        self.commands = frozenset(chosen or (*BUILDING, UNKNOWN))

    def before(self, account_id: int, time: timedelta) -> str:
        """The time so long before the walk of an account began, by the service's clock.

        What was asked for a while ago says nothing about the time when its answer is looked at.
        """
        begun = self._begun.setdefault(account_id, self.connection.now())
        return written(begun - time)

    @cached_property
    def _look_back(self) -> timedelta:
        return timedelta(hours=self.config["lookback_hours"])

    # The lists

    def reads(self, context: Context | None) -> Iterator[Read]:
        """Runs that were waiting, then those behind the lowest base of the members."""
        self._vanished = {}
        self._begun.setdefault((context or {})["account_id"], self.connection.now())
        for run_filter in self.filters.of_runs:
            marks = self._marks(context, run_filter.key)
            waiting = {int(run_id) for mark in marks for run_id in mark.waiting}
            self._vanished[run_filter.key] = set()
            yield from self.lists_by_ids(context, Purpose.WAITING, run_filter, waiting)
            new = [mark.stored["since"] for mark in marks if mark.base is None]
            lowest = min((mark.base for mark in marks if mark.base is not None), default=None)
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
        tags = {FILTER: run_filter.key, WAITED: purpose is Purpose.WAITING}
        return [{**row, **tags} for row in wanted]

    def named_failed(self, context: Context | None, read: Read, exc: TapError) -> None:
        """Report a filter that cannot be read; the runs that it was waiting for are not gone."""
        super().named_failed(context, read, exc)
        _, run_filter, _ = read.purpose
        self._vanished.pop(run_filter.key, None)

    def request_records(self, context: Context | None) -> Iterator[Row]:
        """Give the runs of an account, up to the number that the settings allow.

        Those that were waiting come beside: some may wait for long.
        """
        self._tell_history(context)
        most, begun = self.config.get("dbt_run_details_max_runs"), 0
        for record in super().request_records(context):
            if most and not record[WAITED] and not is_open(record):
                asked = run_context(record, context or {})
                begun += any(member.wants(asked) for member in self._members())
                if begun > most:
                    for member in self._members():
                        what = f"reads {most:,} runs and no more (dbt_run_details_max_runs)"
                        member.note_of(context, f"{what}; the next sync goes on from there")
                    return
            yield record

    def _tell_history(self, context: Context | None) -> None:
        """Say where the history of members begins that have read nothing yet."""
        for member in self._members():
            marks = [self._mark(member, context, each.key) for each in self.filters.of_runs]
            since = min((mark.stored["since"] for mark in marks if mark.is_fresh), default=None)
            if since is not None and not member.start:
                self.logger.info(
                    "%s: %s: reads what runs have left that were created since %s "
                    "(dbt_run_details_days; a start_date reaches further)",
                    member.name,
                    self.place(context),
                    since[:10],
                )

    def context_done(self, context: Context | None) -> None:
        """Forget the runs that were waiting, and that are not there any more or do not pass."""
        for filter_key, vanished in self._vanished.items():
            for mark in self._marks(context, filter_key):
                for run_id in vanished:
                    mark.waiting.pop(str(run_id), None)

    def _marks(self, context: Context | None, filter_key: str) -> list[MemberMark]:
        return [self._mark(member, context, filter_key) for member in self._members()]

    @staticmethod
    def _mark(member: RunMember, context: Context | None, filter_key: str) -> MemberMark:
        return member.mark((context or {})["account_id"], filter_key)

    def _members(self) -> list[RunMember]:
        return [child for child in self._wanted_children() if isinstance(child, RunMember)]

    # What is asked of each run

    def child_context(self, record: Row, context: Context) -> dict[str, Any] | None:
        """What the members need to know of a run that has ended; none for an open one."""
        return None if is_open(record) else run_context(record, context)

    def generate_child_contexts(
        self, record: Row, context: Context | None
    ) -> Iterator[dict[str, Any]]:
        """The context of a run; before, ask for more of the runs ahead of it."""
        self._ask_ahead()
        yield from super().generate_child_contexts(record, context)

    def reading(self, context: Context) -> RunReading:
        """What is asked of a run."""
        key = context["run_id"], context[WAITED]
        if key not in self._readings:
            self._readings[key] = RunReading(context, self.commands)
            self._to_ask.append(self._readings[key])
        return self._readings[key]

    def _ask_ahead(self) -> None:
        """Ask for what is wanted of the runs ahead, one after another, as far as there is room."""
        budget, most = self.budget, RUNS_AHEAD * self.connection.pool.workers
        still: list[RunReading] = []
        for place, reading in enumerate(self._to_ask):
            for answer in reading.unasked():
                if budget.outstanding() >= most or not budget.admits():
                    self._to_ask = still + self._to_ask[place:]
                    return
                answer.ask()
            if not reading.is_asked:
                still.append(reading)
        self._to_ask = still

    def _window(self, asking: list[FamilyStream]) -> int:
        """How many runs to hold back."""
        del asking
        return RUNS_AHEAD * self.connection.pool.workers

    def forget_prefetched(self) -> None:
        """Give up what was asked for and is not needed any more."""
        super().forget_prefetched()
        for reading in self._readings.values():
            reading.forget()
        self._readings.clear()
        self._to_ask.clear()

    def _process_record(
        self,
        record: Row,
        child_context: Context | None = None,
        partition_context: Context | None = None,
    ) -> None:
        """Let the members read the run, then settle it with each of them."""
        context = run_context(record, child_context or {})
        try:
            super()._process_record(record, child_context, partition_context)
        finally:
            self._forget(context)
        if self.connection.unusable is not None or self.ABORT_AT_RECORD_COUNT is not None:
            return
        look_back = self.before(context["account_id"], self._look_back)
        is_old = "" < (context["run_created_at"] or "") < look_back
        for member in self._members():
            if not member.report.given_up:
                found = member.settlement(context, run_is_open=is_open(record))
                member.settle(context, found, is_old=is_old)

    def _forget(self, context: Context) -> None:
        reading = self._readings.pop((context["run_id"], context[WAITED]), None)
        if reading is not None:
            reading.forget()
            if reading in self._to_ask:
                self._to_ask.remove(reading)


def run_context(run: Row, context: Context) -> dict[str, Any]:
    """A run as the context of the streams that hang on it."""
    finished, created = moment(run.get("finished_at")), moment(run.get("created_at"))
    return {
        "account_id": context["account_id"],
        "project_id": run.get("project_id"),
        "environment_id": run.get("environment_id"),
        "job_definition_id": run.get("job_definition_id"),
        "run_id": run["id"],
        "run_finished_at": finished or None,
        "run_ended_at": finished or moment(run.get("updated_at")) or created or None,
        "run_created_at": created or None,
        "run_started_at": moment(run.get("started_at")) or None,
        "run_status": run.get("status"),
        "artifacts_saved": run.get("artifacts_saved"),
        FILTER: run[FILTER],
        WAITED: run[WAITED],
    }
