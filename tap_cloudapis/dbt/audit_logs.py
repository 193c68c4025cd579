"""The audit log: who has changed what in an account, read in windows of days.

The API takes days, and gives the newest events first; asked for no days, it gives 90 of them. So
the log is asked for week by week, the oldest first. Past weeks do not change any more, and in the
last one new events come on top, which the next sync reads. Whether a window's last day belongs to
it, and in which time zone the days are, is not known: windows meet in a day, the first one begins
a day earlier, and the last one ends two days later, as today may be tomorrow there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from tap_cloudapis.core.bookmarks import Day
from tap_cloudapis.core.children import context_key
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.normalizing import moment
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.core.paging import Page, as_object
from tap_cloudapis.core.scrubbing import EnteringScrubber
from tap_cloudapis.dbt.account import AccountList
from tap_cloudapis.dbt.client import ENTERPRISE, AccountContext, Paging, host_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Params, PendingPage, Row, Submit

DAY, WEEK = timedelta(days=1), timedelta(days=7)
#: A window that has more events than this is read day by day.
MOST_EVENTS = 10_000
#: What objects of the log hold depends on the event; secrets are looked for by name.
OPEN_OBJECTS = ("actor", "event_context", "metadata")
#: Columns about the actor, and where newer deployments have them.
ACTOR = {
    "actor_type": ("actor_type", "type"),
    "actor_id": ("actor_id", "id"),
    "actor_name": ("actor_name", "name"),
    "actor_ip": ("actor_ip", "ip", "ip_address"),
}


class AccountLog(TypedDict):
    """The mark of an account in the state: the day before which everything was read."""

    context: AccountContext
    through: NotRequired[Day]


class LogBookmark(TypedDict, total=False):
    """The bookmark of the stream."""

    partitions: list[AccountLog]


@dataclass
class GivenPage:
    """A page that has arrived."""

    page: Page

    def result(self) -> Page:
        """The page."""
        return self.page

    def cancel(self) -> None:
        """Nothing is on its way."""


@dataclass
class WindowPages(OffsetPages):
    """The events of some days; of very many, day by day.

    Attributes:
        begin: The first day.
        end: The last day, which may belong to the window or not.
    """

    begin: date = field(kw_only=True)
    end: date = field(kw_only=True)

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give each event once."""
        page = first.result()
        if (page.total or 0) <= MOST_EVENTS or self.end - self.begin <= DAY:
            yield from super().walk(submit, GivenPage(page), ahead)
            return
        day = self.begin
        while day < self.end:
            pages = OffsetPages(
                limit=self.limit, what=f"{self.what}, {day}", ordered=False, newest_first=True
            )
            within = _within(submit, days(day, day + DAY))
            yield from pages.walk(within, within(pages.first_params()), ahead)
            day += DAY

    def lacks(self, row: Row) -> bool:
        """Whether an event lies so far outside that the days were not heeded."""
        when = when_of(row)
        low, high = self.begin - DAY, self.end + 2 * DAY
        return bool(when) and not low.isoformat() <= when < high.isoformat()


def _within(submit: Submit, asked: Params) -> Submit:
    """Ask for the pages of other days."""

    def within(params: Params, *, resizable: bool = True) -> PendingPage:
        return submit({**params, **asked}, resizable=resizable)

    return within


def days(begin: date, end: date) -> Params:
    """The parameters that ask for some days."""
    return {"logged_at_start": begin.isoformat(), "logged_at_end": end.isoformat()}


@dataclass
class LogProgress:
    """How far a sync has come with the log of an account.

    Attributes:
        state: The account's part of the state.
        since: The time from which events are wanted; empty for no bound.
        begin: The first day that is asked for.
        today: The day in UTC.
        window: The window that is being read.
        ids: The events that were given of it.
        before: The events that were given of the window before.
        unbounded: Whether the server gives other days than it was asked for.
    """

    state: dict[str, Any]
    since: str
    begin: date
    today: date
    window: WindowPages | None = None
    ids: set[Any] = field(default_factory=set)
    before: set[Any] = field(default_factory=set)
    unbounded: bool = False

    def enter(self, window: WindowPages) -> None:
        """Begin with a window; the one before was written whole."""
        if self.window is not window:
            self.leave()
            self.window = window
            self.before, self.ids = self.ids, set()

    def leave(self) -> None:
        """Move the mark to the end of the window that was read, but not past yesterday."""
        if self.window is not None:
            end = self.today if self.unbounded else self.window.end
            self.state["through"] = min(end, self.today - DAY).isoformat()

    def fresh(self, rows: list[Row]) -> list[Row]:
        """The events that this window and the one before have not given, and that are wanted."""
        found = []
        for row in rows:
            event_id = row.get("id")
            if isinstance(event_id, int | str):
                if event_id in self.ids or event_id in self.before:
                    continue
                self.ids.add(event_id)
            if not self.since or (when_of(row) or self.since) >= self.since:
                found.append(row)
        return found


def when_of(row: Row) -> str:
    """When an event was logged."""
    return moment(row.get("logged_at")) or moment(row.get("created_at"))


class AuditLogs(MarkedStream, AccountList):
    """What people and tokens have done in each account, read day by day."""

    name = "dbt_audit_logs"
    path = "/v3/accounts/{account_id}/audit-logs/"
    paging = Paging.UNORDERED
    replication_key = "created_at"
    state_keys = ("account_id",)
    bookmark_form = LogBookmark
    unscrubbed_fields = frozenset(OPEN_OBJECTS)
    facts = Facts(
        row="an audited event",
        requests="per account, one per 100 events of each week since the last sync",
        permission="the permission to read the audit log",
        plan=ENTERPRISE,
        unselected=Unselected.PERSONAL,
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._accounts: dict[Any, LogProgress] = {}
        self._scrubber = EnteringScrubber(_cut_hook)

    def _progress(self, context: Context | None) -> LogProgress:
        """The progress of an account in this sync."""
        assert context is not None  # noqa: S101 - a child stream always has one
        account_id = context["account_id"]
        if account_id not in self._accounts:
            self._accounts[account_id] = self._begun(context)
        return self._accounts[account_id]

    def _begun(self, context: Context) -> LogProgress:
        """Where to begin: by the state, or else by the settings."""
        state = self.get_context_state(context)
        today = self.connection.now().date()
        through = state.get("through") if self.incremental else None
        if through:
            return LogProgress(state, self.start, date.fromisoformat(through) - DAY, today)
        since = self.start
        if not since:
            first = today - timedelta(days=self.config["dbt_audit_log_days"])
            since = f"{first}T00:00:00.000000Z"
            self.logger.info(
                "%s: %s: reads the events since %s, as dbt_audit_log_days says; start_date can ask "
                "for more",
                self.name,
                self.place(context),
                first,
            )
        return LogProgress(state, since, date.fromisoformat(since[:10]) - DAY, today)

    def reads(self, context: Context | None) -> Iterator[Read]:
        """The windows of an account, the oldest first."""
        progress = self._progress(context)
        begin, last = progress.begin, progress.today + 2 * DAY
        while begin < last:
            end = min(begin + WEEK, last)
            window = WindowPages(
                limit=self.limit,
                what=f"{self.place(context)}: {begin} to {end}",
                ordered=False,
                newest_first=True,
                begin=begin,
                end=end,
            )
            yield Read(window, days(begin, end))
            begin = end

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the windows; a server that does not heed days has given all with the first one."""
        progress = self._progress(context)
        reading = self._prefetched.pop(context_key(context), None) or self._reading(context)
        for read, rows in reading:
            window = read.paginator
            assert isinstance(window, WindowPages)  # noqa: S101 - of this stream
            if progress.unbounded and window is not progress.window:
                break
            progress.enter(window)
            objects = self._objects(rows, context)
            if not progress.unbounded and any(map(window.lacks, objects)):
                progress.unbounded = True
                self.note_of(
                    context,
                    "the server gives other days than it is asked for, so that no more than it "
                    "gives without days can be read",
                )
            yield progress.fresh(objects)

    def context_done(self, context: Context | None) -> None:
        """Move the mark: the last window was written, too."""
        self._progress(context).leave()

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Bring both generations into one form."""
        if row.get("event_type") is None:
            row["event_type"] = row.get("routing_key")
        actor = as_object(row.get("actor"))
        for column, names in ACTOR.items():
            if row.get(column) is None:
                row[column] = next((actor[name] for name in names if actor.get(name)), None)
        for name in OPEN_OBJECTS:
            if row.get(name):
                row[name] = self._scrubber.scrub(row[name])
        return row


def _cut_hook(record: dict[str, Any]) -> None:
    """Cut the address of a hook, whose path can be what is secret of it."""
    if "client_url" in record:
        record["client_url"] = host_alone(record["client_url"])
