"""Runs: every run while it is open and once more when it ends, however it ends.

A cursor on ``finished_at`` alone would freeze runs that are open when they are first seen and
would miss those cancelled in the queue, which end without it. So a sync reads four lists:
runs seen open before, by their ids; runs that are new, behind the last id; runs that ended
within the look-back, because flags of a run still change after its end; and runs created within
it that have no end, because a run may appear when newer ones have been read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.normalizing import moment, to_seconds, written
from tap_cloudapis.core.redaction import redact
from tap_cloudapis.dbt.account import Accounts
from tap_cloudapis.dbt.client import has_id
from tap_cloudapis.dbt.run_audit import AuditedRuns
from tap_cloudapis.dbt.run_lists import (
    FOREVER,
    OPEN_STATUSES,
    RunsByIds,
    is_open,
    naive,
    without,
)
from tap_cloudapis.dbt.run_lists import now as _now
from tap_cloudapis.dbt.run_marks import (
    BOOKMARK,
    AccountProgress,
    RunsBookmark,
    edited,
    fresh_mark,
    marks_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import TapError
    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.dbt.filters import RunFilter

DURATIONS = tuple((n, f"{n}_seconds") for n in ("duration", "queued_duration", "run_duration"))
#: Open, or cancelled, which may leave no end.
STATUSES_WITHOUT_END = [*OPEN_STATUSES, 30]
#: How long a list may lag behind, whatever look-back the settings ask for; more where it costs
#: hardly a row, as few runs have no end.
LAG, LONG_LAG = timedelta(seconds=30), timedelta(hours=1)
#: What the marks need to know of a run, whether its columns are selected or not.
NOTED = (
    "job_definition_id",
    "project_id",
    "environment_id",
    "status",
    "is_complete",
    "created_at",
    "finished_at",
)


class Purpose(Enum):
    """Why a list of runs is read."""

    OPEN = "runs seen open before"
    OPEN_AT_START = "runs from before the start date that are still open"
    NEW = "runs behind the last one seen"
    LOOK_BACK = "runs that ended within the look-back"
    WITHOUT_END = "runs created within the look-back that have no end"


class Runs(MarkedStream, AuditedRuns):
    """Runs of an account: new ones, those that ended since, and those that are open.

    The state of an account has a mark per filter: ``last_id`` (the newest run seen),
    ``finished_at`` (the latest end seen), ``open`` (ids of runs not ended) and ``since`` (the
    start date in force). A filter without a mark reads its whole history.
    """

    name = "dbt_runs"
    replication_key = "finished_at"
    state_keys = ("account_id",)
    bookmark_form = RunsBookmark
    lists_at_rest = 3
    parent_stream_type = Accounts
    dropped_fields = frozenset(
        {
            "job",
            "environment",
            "run_steps",
            "created_at_humanized",
            "finished_at_humanized",
            "duration_humanized",
            "queued_duration_humanized",
            "run_duration_humanized",
        }
    )
    facts = Facts(
        row="a run, open or ended",
        requests=(
            "per account, one per 100 runs that are new, open, or ended within the look-back, and "
            "one for runs that are seen late"
        ),
        permission="the permission to read runs",
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._accounts: dict[int, AccountProgress] = {}
        self._noted: Row = {}
        self._odd_durations: set[str] = set()

    @cached_property
    def _pages(self) -> str:
        """Where the pages of runs are, for people."""
        return f"{self.url_base.removesuffix('/api')}/deploy"

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:
        """Keep of a batch what its list was read for."""
        purpose, run_filter, asked = read.purpose
        progress, key = self._progress(context), run_filter.key
        progress.met(key, rows)
        wanted = [row for row in rows if run_filter.matches(row)] if key else rows
        if isinstance(read.paginator, RunsByIds):
            gone = without(run_filter, read.paginator, rows)
            progress.gone.update((key, run_id) for run_id in gone)
            progress.ended.update(row["id"] for row in wanted if has_id(row) and not is_open(row))
            return wanted
        if purpose in (Purpose.LOOK_BACK, Purpose.WITHOUT_END):
            return [row for row in wanted if not has_id(row) or self._is_due(read, row, progress)]
        if purpose is Purpose.NEW and asked is not None:
            wanted = [row for row in wanted if not has_id(row) or row["id"] > asked]
        if self.start:
            early = purpose is Purpose.OPEN_AT_START
            return [row for row in wanted if self._is_early(row) is early]
        return wanted

    def _is_due(self, read: Read, row: Row, progress: AccountProgress) -> bool:
        """Whether a run of the look-back is one to emit: known by its id, and not emitted yet."""
        since: str
        purpose, _, (since, last_id) = read.purpose
        run_id, ended = row["id"], moment(row.get("finished_at"))
        if run_id > last_id or run_id in progress.ended or self._is_early(row):
            return False
        if purpose is Purpose.LOOK_BACK:
            return ended >= since
        if run_id in progress.open or (ended and not is_open(row)):
            return False
        return moment(row.get("created_at")) >= since

    def _is_early(self, row: Row) -> bool:
        """Whether a run was created before the start date."""
        return bool(self.start) and moment(row.get("created_at")) < self.start

    def reads(self, context: Context | None) -> Iterator[Read]:
        """The lists of an account, for each filter; see the module."""
        progress = self._progress(context)
        for run_filter in self._filters:
            mark = progress.marks[run_filter.key]
            yield from self.lists_by_ids(context, Purpose.OPEN, run_filter, list(mark["open"]))
            last_id = mark.get("last_id")
            if last_id is None:
                bounds: dict[str, Any] = {}
                if self.start:
                    bounds = {"created_at__range": [naive(self.start), FOREVER]}
                    open_now = {"status__in": OPEN_STATUSES}
                    if self.ABORT_AT_RECORD_COUNT is None:
                        yield self.run_list(context, Purpose.OPEN_AT_START, run_filter, open_now)
                yield self.run_list(context, Purpose.NEW, run_filter, bounds)
                continue
            # The last one comes itself, too: where neither it nor a newer one does, it is gone.
            after = last_id - 1
            yield self.run_list(context, Purpose.NEW, run_filter, {}, last_id, after=after)
            since = self._look_back_from(mark["finished_at"], LAG)
            bounds = {"finished_at__range": [naive(since), FOREVER]}
            yield self.run_list(context, Purpose.LOOK_BACK, run_filter, bounds, (since, last_id))
            since = self._look_back_from(mark["finished_at"], LONG_LAG)
            bounds = {"created_at__range": [naive(since), FOREVER]}
            bounds["status__in"] = STATUSES_WITHOUT_END
            asked = (since, last_id)
            late = self.run_list(context, Purpose.WITHOUT_END, run_filter, bounds, asked)
            late.optional = "cannot ask for runs by status and creation, so late ones may be missed"
            yield late

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the lists of an account; all its runs where the marks cannot be its own."""
        yield from super().lists(context)
        progress = self._progress(context)
        if not progress.refused and self._is_lost(progress.unmet, context):
            what = f"run {progress.unmet}, the newest that was read before, is not there"
            why = "it was deleted, or the state is of another deployment"
            self.note_of(context, f"{what}, nor any newer one: {why}; reads from the start")
            for key in progress.marks:
                progress.marks[key] = fresh_mark(self.start, _now())
            progress.show()
            yield from super().lists(context)

    def _is_lost(self, run_id: int | None, context: Context | None) -> bool:
        """Whether a run that no list has brought is not there; lists may lack it for a moment."""
        if run_id is None or run_id in self.unreadable:
            return False
        return not any(self.one_by_one(context, {run_id}, quiet=True))

    def named_failed(self, context: Context | None, read: Read, exc: TapError) -> None:
        """Report a filter that cannot be read; its mark stays where it is."""
        super().named_failed(context, read, exc)
        _, run_filter, _ = read.purpose
        self._progress(context).refused.add(run_filter.key)

    def to_record(self, row: Row, context: Context) -> Row:
        """Add the durations in seconds next to their text, and where the run's page is."""
        pages, account, project = self._pages, context["account_id"], row.get("project_id")
        row["run_url"] = f"{pages}/{account}/projects/{project}/runs/{row.get('id')}/"
        for name, column in DURATIONS:
            value = row.get(name)
            row[column] = seconds = to_seconds(value)
            if seconds is None and value is not None and value != "":
                self._tell_duration(name, value)
        trigger = row.get("trigger")
        if isinstance(trigger, dict):
            trigger.pop("job", None)
        return row

    def _tell_duration(self, name: str, value: Any) -> None:
        """Say once of a column that it has durations in a form that is not known."""
        if name not in self._odd_durations:
            self._odd_durations.add(name)
            shown = redact(repr(value))[:60]
            what = f"{name} has values that are no duration, such as {shown}"
            self.tap.report.note(self.name, f"{what}; their seconds are left empty")

    # Marks

    @cached_property
    def _filters(self) -> list[RunFilter]:
        """What the settings ask for."""
        return self.filters.of_runs

    def _progress(self, context: Context | None) -> AccountProgress:
        """The progress of an account in this sync; begun from the marks in the state."""
        assert context is not None  # noqa: S101 - a child stream always has one
        account_id = context["account_id"]
        if account_id not in self._accounts:
            state = self.get_context_state(context)
            stored = state.get("marks", {}) if self.incremental else {}
            again, what = edited(state.get(BOOKMARK), stored)
            if what:
                self.note_of(context, what)
            marks = state["marks"] = marks_for(self._filters, stored, self.start, _now())
            for mark in marks.values():
                if again and mark.get("last_id") is not None:
                    mark["finished_at"] = min(mark["finished_at"], again)
            self._accounts[account_id] = AccountProgress(state, marks)
            self._accounts[account_id].show()
        return self._accounts[account_id]

    def _write_record_message(self, record: Row) -> None:
        """Note what the marks need before the selection takes columns away."""
        if self._noted_columns_selected:
            self._noted = record
        else:
            self._noted = {name: record.get(name) for name in NOTED}
        if self.filters.emits(record.get("status"), is_open=is_open(record)):
            super()._write_record_message(record)
        else:
            # The marks move all the same; it is counted as soon as this returns.
            self.report.rows -= 1

    @cached_property
    def _noted_columns_selected(self) -> bool:
        return all(self.mask["properties", name] for name in NOTED)

    def _increment_stream_state(
        self,
        latest_record: Row,
        *,
        context: Context | None = None,
    ) -> None:
        """Note a run that was written: the newest id, whether it is open, when it ended."""
        run_id, run = latest_record["id"], self._noted
        progress = self._progress(context)
        run_is_open, ended = is_open(run), run.get("finished_at")
        if run_is_open:
            progress.open.add(run_id)
        for run_filter in self._filters:
            key = run_filter.key
            if key and not run_filter.matches(run):
                continue
            mark = progress.marks[key]
            if run_id > (mark.get("last_id") or -1) and not self._is_early(run):
                mark["last_id"] = run_id
            still_open: list[int] = mark["open"]
            if run_is_open is not (run_id in still_open):
                (still_open.append if run_is_open else still_open.remove)(run_id)
            if isinstance(ended, str) and ended > progress.latest.get(key, ""):
                progress.latest[key] = ended

    def context_done(self, context: Context | None) -> None:
        """Move the marks and the bookmark: every list of the account was read to its end."""
        progress = self._progress(context)
        progress.move(_now())
        progress.state["replication_key"] = self.replication_key
        progress.show(begin=True)

    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Say which filters let no run pass in any account: an id may be mistyped."""
        super().finalize_state_progress_markers(state)
        if not self._accounts or self.report.failures or self.report.skipped:
            return
        for run_filter in self._filters:
            found = [progress.marks[run_filter.key] for progress in self._accounts.values()]
            if run_filter.key and not any(mark.get("last_id") for mark in found):
                self.tap.report.note(
                    self.name, f"no run of {run_filter.words} is there; check the id"
                )

    def _look_back_from(self, finished_at: str, least: timedelta) -> str:
        begin = msgspec.convert(finished_at, datetime)
        return written(begin - max(timedelta(hours=self.config["lookback_hours"]), least))
