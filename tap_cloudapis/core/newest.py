"""Lists of things that begin and end, newest first: each sync reads down to what it knows.

A thing that was open when it was emitted is followed until it has ended, however long that takes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Required, TypedDict

import msgspec

from tap_cloudapis.core.bookmarks import Start
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.newest_pages import NewestPages
from tap_cloudapis.core.normalizing import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import PageLimit, Row

#: How late a thing may appear in its list, by the time that it has there.
LAG = timedelta(minutes=5)
_TIME = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)?$"
#: A time as records have it, or "" for none.
Told = Annotated[str, msgspec.Meta(pattern=_TIME)]


class NewestMark(msgspec.Struct, array_like=True):
    """How far a list was read; a list in the state.

    Attributes:
        newest: The greatest time of what was emitted; "" for nothing.
        open: What had not ended then, by its key: its time, and what else finds it again.
    """

    newest: Told
    open: dict[str, list[str | None]] = {}


class NewestBookmark(TypedDict, total=False):
    """The bookmark of such a stream: marks by what their lists are of."""

    since: Required[Start]
    readers: list[str]
    marks: dict[str, NewestMark]


class NewestStream(MarkedStream):
    """Such lists, incremental by the time of their rows.

    Attributes:
        time_field: The field of a raw row that the list is in order of.
        id_field: The field that tells raw rows apart.
        lag: How much of what is known is read again.
        mark_key: The key of a context that a mark is for.
    """

    bookmark_form = NewestBookmark
    time_field: ClassVar[str]
    id_field: ClassVar[str] = "id"
    lag: ClassVar[timedelta] = LAG
    mark_key: ClassVar[str]

    limit: PageLimit | None

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        # Of the list that is being read: what was known before, what is seen now, what was met.
        self._before = NewestMark("")
        self._now = NewestMark("")
        self._met: set[str] = set()

    # What a subclass says

    def is_open(self, row: Row) -> bool:  # noqa: ARG002
        """Whether a thing has not ended, so that it will change."""
        return False

    def whereabouts(self, row: Row) -> list[str | None]:  # noqa: ARG002
        """What finds an open thing again, beside its key and its time."""
        return []

    def follow(
        self,
        left: Mapping[str, list[str | None]],  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> Iterator[list[Row]]:
        """Look for what was open, and what the list has not brought; see :meth:`keep_open`."""
        yield from ()

    # Marks

    @cached_property
    def _marks(self) -> dict[str, list[Any]]:
        """The marks in the state.

        Dropped if the start of history has moved back, and if a stream is read that was not the
        last time: this one, or one that hangs on its rows. It would lack those before the mark.
        """
        state = self.stream_state
        before = state.get("since", self.start)
        moved_back = before and (not self.start or self.start < before)
        readers = [self, *self._wanted_children()]
        names = sorted(stream.name for stream in readers if stream is not self or self.selected)
        is_joined = not set(names) <= set(state.get("readers", names))
        if moved_back or is_joined or not self.incremental:
            state["marks"] = {}
        state["since"] = self.start
        if self.child_streams:
            state["readers"] = names
        marks: dict[str, list[Any]] = state.setdefault("marks", {})
        return marks

    def mark(self, context: Context | None) -> NewestMark:
        """The mark of a list; an empty one where it was not read yet."""
        stored = self._marks.get((context or {})[self.mark_key], [""])
        return msgspec.convert(stored, NewestMark)

    def since(self, context: Context | None) -> str:
        """The time from which rows are wanted; "" for all of them."""
        newest = self.mark(context).newest
        return max(earlier(newest, self.lag), self.start) if newest else self.start

    def when(self, row: Row) -> str:
        """The time of a raw row, as records have it; "" for none."""
        told = to_timestamp(row.get(self.time_field))
        return told if isinstance(told, str) and told[:1].isdecimal() else ""

    # Reading

    def new_paginator(self, context: Context | None) -> NewestPages:
        """Newest first, down to what is known."""
        assert self.limit is not None  # noqa: S101 - such lists have pages
        return NewestPages(
            limit=self.limit,
            what=self.place(context),
            when=self.when,
            key=self.key_of,
            since=self.since(context),
        )

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The list, and what was open and is not in it any more."""
        assert context is not None  # noqa: S101 - a child stream always has one
        self._before, self._met = self.mark(context), set()
        self._now = NewestMark(self._before.newest, {})
        yield from super().lists(context)
        left = {key: at for key, at in self._before.open.items() if key not in self._met}
        if left and self.ABORT_AT_RECORD_COUNT is None:
            for rows in self.follow(left, context):
                yield self._noted(rows)

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:
        """Keep what is new, what was open, and what is."""
        if getattr(read.paginator, "unsorted", False):
            what = "its rows do not come newest first, so all of them are read each time"
            self.note_of(context, what)
        floor = self.since(context)
        return self._noted([row for row in rows if self._is_wanted(row, floor)])

    def _is_wanted(self, row: Row, floor: str) -> bool:
        time = self.when(row)
        return not time or time >= floor or self._key(row) in self._before.open or self.is_open(row)

    def _noted(self, rows: list[Row]) -> list[Row]:
        """Note what is given, for the mark that is set when all of it was written."""
        latest = f"{self.connection.now():%Y-%m-%dT%H:%M:%S}.999999Z"
        for row in rows:
            key, time = self._key(row), self.when(row)
            self._met.add(key)
            if time <= latest:
                # A clock that is ahead must not hide what comes next.
                self._now.newest = max(self._now.newest, time)
            if self.is_open(row):
                self._now.open[key] = [time, *self.whereabouts(row)]
        return rows

    def key_of(self, row: Row) -> Any:
        """What tells a raw row from others; ``None`` where it has nothing that does."""
        key = row.get(self.id_field)
        return key if isinstance(key, (int, str)) else None

    def _key(self, row: Row) -> str:
        return str(row.get(self.id_field))

    def keep_open(self, key: str) -> None:
        """Follow something further that could not be looked at now."""
        self._now.open[key] = self._before.open[key]

    def context_done(self, context: Context | None) -> None:
        """Set the mark: all that the list had to say was written."""
        super().context_done(context)
        if self.lacks_rows:
            return  # to be read again, until nothing has to be left out
        stored: list[Any] = [self._now.newest]
        if self._now.open:
            stored.append(dict(sorted(self._now.open.items())))
        self._marks[(context or {})[self.mark_key]] = stored


def earlier(time: str, by: timedelta) -> str:
    """A time before another one, both as records have them."""
    moment = datetime.fromisoformat(time.removesuffix("Z")) - by
    return f"{moment.isoformat(timespec='microseconds')}Z"
