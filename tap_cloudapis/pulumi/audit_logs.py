"""The audit log: what was done in an organization, and by whom, read in windows of a week.

The oldest window comes first, and the mark moves behind each that was read to its end, so that a
sync that is cut goes on there. Windows overlap by a second, as nobody says whether their bounds
belong to them; a sync begins an hour before its mark, for events that are logged late.

Events have no id. Their key is a hash of what an event is; not of the names and pictures of people
and tokens, which are told as they are today and would give an old event a new key. Events that are
alike in all of that are counted.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Required, TypedDict

import msgspec

from tap_cloudapis.core.bookmarks import Start
from tap_cloudapis.core.children import context_key
from tap_cloudapis.core.errors import BadRequestError, RefusedError
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.newest import Told, earlier
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.paging import Page, TokenPages, as_object
from tap_cloudapis.pulumi.client import PulumiStream, snake_keys
from tap_cloudapis.pulumi.organization import Organizations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

SECOND, HOUR, WEEK = timedelta(seconds=1), timedelta(hours=1), timedelta(days=7)
#: How far back the first sync goes where the settings do not say.
FIRST_DAYS = timedelta(days=90)
#: Later than any second.
_LATEST = 1 << 62


class LogMark(msgspec.Struct, array_like=True):
    """How far the log of an organization was read.

    Attributes:
        through: All before it was read.
    """

    through: Told


class LogBookmark(TypedDict, total=False):
    """The bookmark of the stream: marks by organization."""

    since: Required[Start]
    marks: dict[str, LogMark]


@dataclass
class Window(TokenPages):
    """A part of the log.

    Attributes:
        begin: Its first second.
        end: Its last second.
    """

    begin: int = field(kw_only=True)
    end: int = field(kw_only=True)


class AuditLogs(MarkedStream, PulumiStream):
    """Audited events of each organization, incremental by time; see the module.

    A server without this list has an older one, whose ``startTime`` is the upper bound: it is
    followed down from the present to the mark.
    """

    name = "pulumi_audit_logs"
    path = "/api/orgs/{org_name}/auditlogs/v2"
    primary_keys = ("org_name", "event_hash")
    replication_key = "timestamp"
    bookmark_form = LogBookmark
    parent_stream_type = Organizations
    records_key = "auditLogEvents"
    facts = Facts(
        row="an audited event",
        requests="per organization, one per week since the last sync and per further page",
        permission="the permission to read the audit log, which admins have (audit_logs:read)",
        plan="Essentials and above",
        switch="auditLogsEnabled",
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        # Of the organization that is being read.
        self._current: Window | None = None
        self._alike: Counter[str] = Counter()
        self._given: set[str] = set()
        self._given_before: set[str] = set()
        self._is_old = False
        self._oldest = _LATEST

    @property
    def ahead(self) -> int:
        """One: the API asks to be used sparingly."""
        return 1

    def prefetch(self, context: Context) -> None:
        """Nothing: one request at a time."""

    def _marks(self) -> dict[str, list[str]]:
        """The marks in the state; none of another start of history, if that has moved back."""
        state = self.stream_state
        before = state.get("since", self.start)
        if (before and (not self.start or self.start < before)) or not self.incremental:
            state["marks"] = {}
        state["since"] = self.start
        marks: dict[str, list[str]] = state.setdefault("marks", {})
        return marks

    def _begin(self, context: Context | None) -> int:
        """The first second that is wanted."""
        marked = self._marks().get((context or {})["org_name"], [""])[0]
        if marked:
            return max(_seconds(earlier(marked, HOUR)), _seconds(self.start) if self.start else 0)
        if self.start:
            return _seconds(self.start)
        since = self.connection.now() - FIRST_DAYS
        self.logger.info(
            "%s: reads the events since %s; start_date can ask for more", self.name, since.date()
        )
        return int(since.timestamp())

    def get_url(self, context: Context | None) -> str:
        """The address of the list, or of the older one."""
        url = super().get_url(context)
        return url.removesuffix("/v2") if self._is_old else url

    def reads(self, context: Context | None) -> Iterator[Read]:
        """The windows, the oldest first; of the older list one, from the present down."""
        begin, now = self._begin(context), int(self.connection.now().timestamp())
        what = self.place(context)
        if self._is_old:
            window = self._current or Window(limit=None, what=what, begin=begin, end=now)
            yield Read(window, {"startTime": min(self._oldest, now) + 1})
            return
        while True:
            end = min(begin + int(WEEK.total_seconds()), now)
            window = Window(limit=None, what=what, begin=begin, end=end)
            yield Read(window, {"startTime": begin - 1, "endTime": end + 1})
            if end >= now:
                return
            begin = end

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the windows; where the server has none, the older list."""
        self._current, self._is_old = None, False
        try:
            yield from self._windows(context)
        except RefusedError as exc:
            if not exc.is_not_found or self._current is not None:
                raise
            yield from self._older(context)

    def _older(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the older list; a token that it does not take begins it anew where that led."""
        self._is_old, self._oldest = True, _LATEST
        while True:
            before = self._oldest
            try:
                yield from self._windows(context)
            except BadRequestError:
                if self._oldest >= before:
                    raise
            else:
                return

    def _windows(self, context: Context | None) -> Iterator[list[Row]]:
        self._prefetched.pop(context_key(context), None)
        for read, rows in self._reading(context):
            window = read.paginator
            assert isinstance(window, Window)  # noqa: S101 - of this stream
            if window is not self._current:
                self._leave(context)
                self._current = window
                self._alike.clear()
                self._given_before, self._given = self._given, set()
            if self._is_old:
                # Events of a second may come again on the next page.
                self._alike.clear()
            objects = self._objects(rows, context)
            yield self._fresh(objects, window, context)
            told = [*filter(_is_told, map(_when, objects))]
            self._oldest = min([self._oldest, *told])
            if self._is_old and told and max(told) < window.begin:
                return

    def _fresh(self, rows: list[Row], window: Window, context: Context | None) -> list[Row]:
        """The events that are of the window, and were not given before; each with its key."""
        found = []
        for row in rows:
            second = _when(row)
            if _is_told(second) and not window.begin - 1 <= second <= window.end + 1:
                if not self._is_old:
                    self.note_of(context, "the server gives other times than it is asked for")
                continue
            known_by = hash_of(row)
            self._alike[known_by] += 1
            number = self._alike[known_by]
            key = known_by if number == 1 else f"{known_by}-{number}"
            if key not in self._given and key not in self._given_before:
                self._given.add(key)
                found.append({**row, "event_hash": key})
        return found

    def _leave(self, context: Context | None) -> None:
        """Move the mark behind the window that was read: all of it was written."""
        window = self._current
        if window is not None:
            through = to_timestamp(window.end)
            self._marks()[(context or {})["org_name"]] = [str(through)]

    def context_done(self, context: Context | None) -> None:
        """Move the mark: the last window was written, too."""
        super().context_done(context)
        self._leave(context)
        self._current = None
        self._given, self._given_before = set(), set()

    def read_page(self, body: Any) -> Page:
        """Read a part of the log; an answer without events is none of it.

        Raises:
            KeyError: When the answer has another shape: half a log would look like all of it.
        """
        page = super().read_page(body)
        if body and self.records_key not in body:
            raise KeyError(self.records_key)
        return page

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the login of the person."""
        record = snake_keys(row)
        record["user_login"] = as_object(row.get("user")).get("githubLogin")
        return record


def hash_of(row: Row) -> str:
    """What an event is known by, in digits."""
    names = ("timestamp", "event", "description", "sourceIP")
    rest = ("tokenID", "actorUrn", "authFailure")
    login = as_object(row.get("user")).get("githubLogin")
    told = [*(row.get(name) for name in names), login, *(row.get(name) for name in rest)]
    text = json.dumps(told, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _when(row: Row) -> int:
    """The second of an event; -1 where it is not told."""
    told = to_timestamp(row.get("timestamp"))
    return _seconds(told) if isinstance(told, str) and told[-1:] == "Z" else -1


def _is_told(second: int) -> bool:
    return second >= 0


def _seconds(time: str) -> int:
    """A time as records have it, in seconds since 1970."""
    moment = datetime.fromisoformat(time.removesuffix("Z")).replace(tzinfo=UTC)
    return int(moment.timestamp())
