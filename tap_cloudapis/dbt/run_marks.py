"""The marks of ``dbt_runs``: how far the runs of an account were read, for each filter.

Beside them stands the bookmark that the SDK and people know, ``replication_key_value``: the
earliest ``finished_at`` of the marks, always, so that another value is somebody's edit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

import msgspec

from tap_cloudapis.core.bookmarks import Moment, RowId, Start, is_time
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.dbt.client import AccountContext, has_id
from tap_cloudapis.dbt.filters import FILTER_KEY, RunFilter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_cloudapis.core.paging import Row

#: The name of the bookmark in the state of an account.
BOOKMARK = "replication_key_value"
#: A time before all runs, in the form of all timestamps.
EARLIEST = "1970-01-01T00:00:00.000000Z"


class RunMark(TypedDict):
    """The mark of a filter in the state."""

    last_id: NotRequired[RowId | None]
    finished_at: Moment
    open: list[RowId]
    since: Start


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
        state: The account's part of the state.
        marks: By the name of a filter; they are part of the state.
        ended: Runs that were open before and were seen ended.
        open: Runs that were seen open.
        gone: Runs, by the name of a filter, that are not there any more, or do not pass it.
        latest: The latest end seen, by the name of a filter.
        refused: The names of filters that the token may not read; their marks stay as they are.
        unmet: The newest run that was read before, of all filters, as long as no list has brought
            what one of the filters has read last, or anything newer.
    """

    state: dict[str, Any]
    marks: dict[str, dict[str, Any]]
    ended: set[int] = field(default_factory=set)
    open: set[int] = field(default_factory=set)
    gone: set[tuple[str, int]] = field(default_factory=set)
    latest: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unmet: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.unmet = max((mark.get("last_id") or 0 for mark in self.marks.values()), default=0)
        self.unmet = self.unmet or None

    def show(self, *, begin: bool = False) -> None:
        """Have the bookmark stand where the marks stand; only a whole sync begins to have one."""
        if begin or BOOKMARK in self.state:
            self.state[BOOKMARK] = min(mark["finished_at"] for mark in self.marks.values())

    def met(self, key: str, rows: list[Row]) -> None:
        """Note that a list has brought runs, perhaps such as cannot be in another deployment."""
        if self.unmet is None:
            return
        last_id = self.marks[key].get("last_id")
        if last_id and any(has_id(row) and row["id"] >= last_id for row in rows):
            self.unmet = None

    def move(self, now: str) -> None:
        """Move the marks: every list was read to its end."""
        for key, mark in self.marks.items():
            if key in self.refused:
                continue
            mark["open"] = [i for i in mark["open"] if (key, i) not in self.gone]
            if key in self.latest:
                mark["finished_at"] = min(self.latest[key], now)


def fresh_mark(since: str, now: str) -> dict[str, Any]:
    """The mark of a filter whose runs are read from the start."""
    return {"since": since, "finished_at": now, "open": []}


def marks_for(
    filters: Iterable[RunFilter], stored: Mapping[str, dict[str, Any]], since: str, now: str
) -> dict[str, dict[str, Any]]:
    """Find or make the mark of each filter; one that covers a new filter lends its own.

    Args:
        filters: What the settings ask for.
        stored: The marks in the state.
        since: The start date in force; empty for none.
        now: The time.
    """
    usable = {
        RunFilter.from_key(key): mark
        for key, mark in stored.items()
        if not mark.get("since") or (since and mark["since"] <= since)
    }
    marks: dict[str, dict[str, Any]] = {}
    for wanted in filters:
        lender = usable.get(wanted) or next(
            (mark for known, mark in usable.items() if known.covers(wanted)), None
        )
        marks[wanted.key] = (
            # Runs from before a start date that has moved forward are not read from now on:
            # should it move back again, they have to be.
            {**lender, "open": list(lender["open"]), "since": since}
            if lender
            else fresh_mark(since, now)
        )
    return marks


def edited(bookmark: Any, stored: Mapping[str, dict[str, Any]]) -> tuple[str, str]:
    """Tell what somebody has made of the bookmark.

    Args:
        bookmark: As it stands in the state; ``None`` where there is none.
        stored: The marks beside it.

    Returns:
        The time from which runs are to be read again, empty for none; and what to say of it,
        empty where nobody has edited it.
    """
    if bookmark is None or not stored:
        return "", ""
    told = to_timestamp(bookmark)
    if not is_time(told):
        return "", f"{BOOKMARK} in the state is no timestamp, and is ignored: the marks count"
    stands = min(str(to_timestamp(mark["finished_at"])) for mark in stored.values())
    if told == stands:
        return "", ""
    if told > stands:
        what = f"{BOOKMARK} in the state was moved forward to {told}, which has no effect"
        return "", f"{what}: the marks beside it tell how far was read, up to {stands}"
    # Marks hold no earlier time; nor has any run ended before.
    return max(told, EARLIEST), (
        f"{BOOKMARK} in the state was moved back to {told}: the runs that ended since then, "
        "and those created since then that have no end, are read again"
    )
