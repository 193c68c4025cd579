"""Runs: every run while it is open and once more when it ends, however it ends.

A cursor on ``finished_at`` alone would freeze runs that are open when they are first seen and
would miss those cancelled in the queue, which end without it. So a sync reads three lists:
runs seen open before, by their ids; runs that are new, behind the last id; and runs that
ended within the look-back, because flags of a run still change after its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NotRequired, TypedDict

import msgspec

from tap_cloudapis.core.bookmarks import Moment, RowId, Start
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.normalizing import to_seconds, to_timestamp
from tap_cloudapis.dbt.account import Accounts
from tap_cloudapis.dbt.client import has_id
from tap_cloudapis.dbt.filters import FILTER_KEY, RunFilter
from tap_cloudapis.dbt.run_lists import (
    FOREVER,
    OPEN_STATUSES,
    AccountContext,
    RunListStream,
    is_open,
    naive,
)
from tap_cloudapis.dbt.run_lists import now as _now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import Row

DURATIONS = tuple((n, f"{n}_seconds") for n in ("duration", "queued_duration", "run_duration"))
#: What the marks need to know of a run, whether its columns are selected or not.
NOTED = ("job_definition_id", "project_id", "status", "is_complete", "created_at", "finished_at")


class Purpose(Enum):
    """Why a list of runs is read."""

    OPEN = "runs seen open before"
    OPEN_AT_START = "runs from before the start date that are still open"
    NEW = "runs behind the last one seen"
    LOOK_BACK = "runs that ended within the look-back"


class RunMark(TypedDict):
    """The mark of a filter in the state."""

    last_id: NotRequired[RowId | None]
    finished_at: Moment
    open: list[RowId]
    since: NotRequired[Start | None]


class AccountMarks(TypedDict):
    """The marks of an account in the state, by the name of the filter."""

    context: AccountContext
    marks: NotRequired[dict[Annotated[str, msgspec.Meta(pattern=FILTER_KEY)], RunMark]]


class RunsBookmark(TypedDict, total=False):
    """The bookmark of the stream."""

    partitions: list[AccountMarks]


@dataclass
class AccountProgress:
    """How far a sync has come with the runs of an account.

    Attributes:
        marks: By the name of a filter; they are part of the state.
        ended: Runs that were open before and were seen ended.
        open: Runs that were seen open.
        latest: The latest end seen, by the name of a filter.
        refused: The names of filters that the token may not read.
    """

    marks: dict[str, dict[str, Any]]
    ended: set[int] = field(default_factory=set)
    open: set[int] = field(default_factory=set)
    latest: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


class Runs(MarkedStream, RunListStream):
    """Runs of an account, incremental; see the module for the three lists.

    The state of an account has a mark per filter: ``last_id`` (the newest run seen),
    ``finished_at`` (the latest end seen), ``open`` (ids of runs not ended) and ``since`` (the
    start date in force). A filter without a mark reads its whole history.
    """

    name = "dbt_runs"
    replication_key = "finished_at"
    bookmark_form = RunsBookmark
    parent_stream_type = Accounts
    params: ClassVar[Mapping[str, Any]] = {"include_related": "trigger"}
    dropped_fields = frozenset(
        {
            "job",
            "environment",
            "run_steps",
            "audit",
            "created_at_humanized",
            "finished_at_humanized",
            "duration_humanized",
            "queued_duration_humanized",
            "run_duration_humanized",
        }
    )
    facts = Facts(
        row="a run, open or ended",
        requests="one per 100 runs that are new, open, or ended within the look-back",
        permission="the permission to read runs",
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.state_partitioning_keys = ("account_id",)
        self._since = to_timestamp(self.config.get("start_date")) or ""
        self._accounts: dict[int, AccountProgress] = {}
        self._noted: Row = {}

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:
        """Keep of a batch what its list was read for."""
        purpose, run_filter, asked = read.purpose
        progress = self._progress(context)
        if purpose is Purpose.OPEN:
            found = self.runs_by_ids(read, rows, context)
            progress.ended.update(row["id"] for row in found if has_id(row) and not is_open(row))
            return found
        wanted = [row for row in rows if run_filter.matches(row)] if run_filter.key else rows
        if purpose is Purpose.LOOK_BACK:
            since, floor = asked
            return [
                row
                for row in wanted
                if not has_id(row)
                or (
                    row["id"] <= floor
                    and row["id"] not in progress.ended
                    and not self._is_early(row)
                    and (to_timestamp(row.get("finished_at")) or "") >= since
                )
            ]
        if self._since:
            early = purpose is Purpose.OPEN_AT_START
            return [row for row in wanted if self._is_early(row) is early]
        return wanted

    def _is_early(self, row: Row) -> bool:
        """Whether a run was created before the start date."""
        return bool(self._since) and (to_timestamp(row.get("created_at")) or "") < self._since

    def reads(self, context: Context | None) -> Iterator[Read]:
        """The three lists of an account, for each filter."""
        progress = self._progress(context)
        for run_filter in self._filters:
            mark = progress.marks[run_filter.key]
            yield from self.lists_by_ids(context, Purpose.OPEN, run_filter, list(mark["open"]))
            last_id = mark.get("last_id")
            bounds: dict[str, Any] = {}
            if last_id is None and self._since:
                bounds = {"created_at__range": [naive(self._since), FOREVER]}
                open_now = {"status__in": OPEN_STATUSES}
                yield self.run_list(context, Purpose.OPEN_AT_START, run_filter, open_now)
            yield self.run_list(context, Purpose.NEW, run_filter, bounds, after=last_id)
            if last_id is not None:
                since = self._look_back_from(mark["finished_at"])
                bounds = {"finished_at__range": [naive(since), FOREVER]}
                asked = (since, last_id)
                yield self.run_list(context, Purpose.LOOK_BACK, run_filter, bounds, asked)

    def named_refused(self, context: Context | None, read: Read, exc: RefusedError) -> None:
        """Report a filter that is refused; its mark stays where it is."""
        super().named_refused(context, read, exc)
        _, run_filter, _ = read.purpose
        self._progress(context).refused.add(run_filter.key)

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Add the durations in seconds next to their text."""
        for name, column in DURATIONS:
            row[column] = to_seconds(row.get(name))
        trigger = row.get("trigger")
        if isinstance(trigger, dict):
            trigger.pop("job", None)
        return row

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
            state["marks"] = self._marks_from(stored)
            self._accounts[account_id] = AccountProgress(state["marks"])
        return self._accounts[account_id]

    def _marks_from(self, stored: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Find or make the mark of each filter; one that covers a new filter lends its own."""
        usable = {
            RunFilter.from_key(key): mark
            for key, mark in stored.items()
            if not mark.get("since") or (self._since and mark["since"] <= self._since)
        }
        marks: dict[str, dict[str, Any]] = {}
        for wanted in self._filters:
            lender = usable.get(wanted) or next(
                (mark for known, mark in usable.items() if known.covers(wanted)), None
            )
            marks[wanted.key] = (
                # Runs from before a start date that has moved forward are not read from now on:
                # should it move back again, they have to be.
                {**lender, "open": list(lender["open"]), "since": self._since}
                if lender
                else {"since": self._since, "finished_at": _now(), "open": []}
            )
        return marks

    def _write_record_message(self, record: Row) -> None:
        """Note what the marks need before the selection takes columns away."""
        if self._noted_columns_selected:
            self._noted = record
        else:
            self._noted = {name: record.get(name) for name in NOTED}
        super()._write_record_message(record)

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
            if ended and ended > progress.latest.get(key, ""):
                progress.latest[key] = ended

    def context_done(self, context: Context | None) -> None:
        """Move the bookmark: every list of the account was read to its end."""
        progress = self._progress(context)
        now = _now()
        for key, mark in progress.marks.items():
            if key in progress.refused:
                continue
            # Runs that the API knows no more will not end either.
            mark["open"] = [run_id for run_id in mark["open"] if run_id in progress.open]
            if key in progress.latest:
                mark["finished_at"] = min(progress.latest[key], now)
        state = self.get_context_state(context)
        state["replication_key"] = self.replication_key
        state["replication_key_value"] = min(m["finished_at"] for m in progress.marks.values())

    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Say which filters let no run pass in any account: an id may be mistyped."""
        super().finalize_state_progress_markers(state)
        if not self._accounts or self.report.failures or self.report.skipped:
            return
        for run_filter in self._filters:
            found = [progress.marks[run_filter.key] for progress in self._accounts.values()]
            if run_filter.key and not any(mark.get("last_id") for mark in found):
                self.tap.report.note(self.name, f"no run matches {run_filter.key}; check the id")

    def _look_back_from(self, finished_at: str) -> str:
        moment = msgspec.convert(finished_at, datetime)
        moment -= timedelta(hours=self.config["lookback_hours"])
        return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
