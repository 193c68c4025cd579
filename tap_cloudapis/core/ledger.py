"""A ledger of a parent's rows, which many child streams read: what has changed since when.

With marks of its own, each child stream would carry thousands of entries through the state. The
ledger carries them once: for each row of the parent its place, what tells that it has changed,
and the run that saw the change. A child stream remembers only through which run it has read.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NotRequired, TypedDict

import msgspec

from tap_cloudapis.core.bookmarks import Count
from tap_cloudapis.core.breaking import BreakingStream
from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.paging import Row

DAY = 86_400


def day_of(moment: datetime) -> int:
    """The day of a time in UTC, as a number of days."""
    return int(moment.timestamp() // DAY)


class LedgerEntry(msgspec.Struct, array_like=True):
    """What the state tells of a row of the parent."""

    place: str
    changed: Any
    run: Count


class LedgerBookmark(TypedDict, total=False):
    """The bookmark of a parent."""

    run: Count
    ledger: dict[str, LedgerEntry]


class DoneRows(msgspec.Struct, array_like=True):
    """Rows that were read in one run, on one day."""

    run: Count
    day: Count
    rows: list[str]


class StoredPass(TypedDict):
    """The pass over the rows of a context in the state."""

    through: Count
    slot_day: Count
    done: NotRequired[list[DoneRows]]
    again: NotRequired[list[str]]


class PassesBookmark(TypedDict, total=False):
    """The bookmark of a child."""

    passes: dict[str, StoredPass]


class Ledger:
    """When rows of a parent stream have changed, counted in runs.

    Args:
        state: Where it is kept, ``{"run": 7, "ledger": {id: [place, changed, run]}}``. A row's
            place is its names from the widest to the narrowest, joined by slashes.

    Attributes:
        run: The number of this run, greater than any before.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self.run = state["run"] = int(state.get("run") or 0) + 1
        self._entries: dict[str, list[Any]] = state.setdefault("ledger", {})

    def note(self, row_id: str, place: str, changed: Any) -> None:
        """Note a row of the parent.

        Args:
            row_id: What stays the same of it.
            place: Its names.
            changed: What differs whenever the row has changed; compared for equality alone.
        """
        entry = self._entries.get(row_id)
        if entry is None or entry[:2] != [place, changed]:
            self._entries[row_id] = [place, changed, self.run]

    def changed_in(self, row_id: str) -> int:
        """The run that saw a row's last change; 0 for a row that is not known."""
        entry = self._entries.get(row_id)
        return int(entry[2]) if entry else 0

    def miss(self, met: Collection[str], place: str) -> None:
        """Count rows as changed that their list did not bring, for the case that they return.

        Nobody sees their changes meanwhile, and passes that they took no part in are complete.

        Args:
            met: Ids of the rows that the lists of this run brought so far.
            place: The widest names of the list's rows.
        """
        for row_id, entry in self._entries.items():
            if row_id not in met and entry[0].startswith(place):
                entry[2] = self.run + 1

    def forget(self, met: Collection[str], read: Collection[str]) -> None:
        """Forget the rows that no list brought.

        Args:
            met: Ids of the rows that the lists of this run brought.
            read: The widest names (organizations) whose lists were read; rows of others stay.
        """
        gone = [
            row_id
            for row_id, (place, *_) in self._entries.items()
            if row_id not in met and place.partition("/")[0] in read
        ]
        for row_id in gone:
            del self._entries[row_id]


class LedgerParent(CloudStream):
    """A parent that keeps a ledger of its rows, as long as a selected child reads it."""

    bookmark_form = LedgerBookmark

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._ledger: Ledger | None = None
        self._met: set[str] = set()
        self._listed: set[str] = set()
        self._read: set[str] = set()

    @property
    def ledger(self) -> Ledger:
        """The ledger, which begins a new run at first use."""
        if self._ledger is None:
            self._ledger = Ledger(self.stream_state)
        return self._ledger

    @property
    def tells_changes(self) -> bool:
        """Whether rows tell that they have changed; else all children read them in turn."""
        return True

    def entry(self, record: Row) -> tuple[str, str, Any]:
        """What the ledger notes of a record: its id, its place, and what tells of a change.

        The place begins with the values of the context. A subclass has to say all this; by
        default every record counts as changed at every run.
        """
        row_id = "/".join(str(record[name]) for name in self.primary_keys)
        return row_id, row_id, self.ledger.run

    def generate_child_contexts(
        self, record: Row, context: Context | None
    ) -> Iterator[dict[str, Any]]:
        """Note a record before its children are asked whether they want it.

        One that a stream map takes away is not noted: it is new when it comes back.
        """
        row_id, place, changed = self.entry(record)
        self._listed.add(row_id)
        if self.stream_maps[0].get_filter_result(record):
            self._met.add(row_id)
            if self._is_read:
                self.ledger.note(row_id, place, changed)
        yield from super().generate_child_contexts(record, context)

    @cached_property
    def _is_read(self) -> bool:
        return any(isinstance(child, LedgerStream) for child in self._wanted_children())

    def context_done(self, context: Context | None) -> None:
        """Note whose list was read."""
        super().context_done(context)
        names = [str(value) for value in (context or {}).values()]
        self._read.update(names[:1])
        if self._is_read:
            self.ledger.miss(self._met, "".join(f"{name}/" for name in names))

    def sync_ended(self) -> None:
        """Forget the rows that are gone, if every list was read to its end."""
        super().sync_ended()
        if not self.lists_whole():
            return
        if self._ledger is not None:
            self._ledger.forget(self._met, self._read)
        for child in self._wanted_children():
            child.forget_rows(self._listed, self._read)


@dataclass
class Pass:
    """A child stream's pass over the rows that one context of the parent has.

    Args:
        state: Its part of the state.
        run: The number of this run; what claims to be later was counted by another ledger.

    Attributes:
        begun: Hashes of the rows that were begun and are not finished.
        again: Hashes of the rows that the next run asks for whatever they tell.
    """

    state: dict[str, Any]
    run: int
    begun: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    _again_now: set[str] = field(default_factory=set)
    _done: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state.get("through", self.run) >= self.run:
            self.state.clear()
            self.state.update(through=0, slot_day=0)
        self._again_now.update(self.state.get("again", ()))
        for run, day, rows in self.state.pop("done", ()):
            self._done.update(dict.fromkeys(rows, (run, day)))
        for row_hash, (run, day) in self._done.items():
            self._note(row_hash, run, day)

    def read_in(self, row_id: str) -> tuple[int, int]:
        """The run and the day in which a row was read last, as far as that is known."""
        row_hash = short_hash(row_id)
        complete = (self.state["through"], self.state["slot_day"])
        found = self._done.get(row_hash, complete)
        return (0, 0) if row_hash in self._again_now and found[0] < self.run else found

    def finish(self, row_id: str, day: int) -> None:
        """Note that a row is finished, so that a sync that is cut goes on behind it."""
        row_hash = short_hash(row_id)
        self.begun.discard(row_hash)
        self._done[row_hash] = (self.run, day)
        self._note(row_hash, self.run, day)

    def complete(self, day: int) -> None:
        """Note that every row is finished."""
        self.state.update(through=self.run, slot_day=day)
        self.state.pop("done", None)
        self.state.pop("again", None)
        if self.again:
            self.state["again"] = sorted(self.again)

    def _note(self, row_hash: str, run: int, day: int) -> None:
        groups = self.state.setdefault("done", [])
        if not groups or groups[-1][:2] != [run, day]:
            groups.append([run, day, []])
        groups[-1][2].append(row_hash)


class LedgerStream(BreakingStream):
    """The lists of a parent's rows, each asked for when the row has changed.

    Where :attr:`in_slots` is set, also in turn: each row once in :attr:`refresh_days` days, for
    changes that the parent's row does not show. The state has, per context of the parent,
    ``through`` (the run up to which everything was read), ``slot_day``, and, until a pass is
    complete, ``done`` (the rows that were read since, by the run and the day of that); and
    ``again`` (the rows that were refused last, with none given after them).
    """

    bookmark_form: ClassVar[Any] = PassesBookmark
    #: Whether rows are asked for in turn, too.
    in_slots: ClassVar[bool] = False
    #: The key of the context that holds the ledger's id of the parent's row.
    ledger_key: ClassVar[str]

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._passes: dict[str, Pass] = {}

    @cached_property
    def _today(self) -> int:
        """The day by the service's clock, which its parent's answers have told by now."""
        return day_of(self.connection.now())

    @property
    def refresh_days(self) -> int:
        """In how many days each row has its turn; 0 for at every sync."""
        return 7

    @property
    def _emits_all(self) -> bool:
        """Never: what was read before is not read again."""
        return False

    @property
    def _ledger_parent(self) -> LedgerParent:
        parent = self.parent
        assert isinstance(parent, LedgerParent)  # noqa: S101 - declared so
        return parent

    @property
    def _pass(self) -> Pass:
        """The pass over what the parent is reading now."""
        key = "/".join(str(value) for value in (self._ledger_parent.context or {}).values())
        if key not in self._passes:
            stored: dict[str, dict[str, Any]] = self.stream_state.setdefault("passes", {})
            self._passes[key] = Pass(stored.setdefault(key, {}), self._ledger_parent.ledger.run)
        return self._passes[key]

    def wants(self, context: Context) -> bool:
        """Whether the parent's row has changed since it was read, or has its turn."""
        row_id, ledger = context[self.ledger_key], self._ledger_parent.ledger
        run, day = self._pass.read_in(row_id)
        if run == ledger.run:
            return False
        in_turn = self.in_slots or not self._ledger_parent.tells_changes or not self.refresh_days
        return ledger.changed_in(row_id) > run or (in_turn and self._slot_is_due(row_id, day))

    def request_records(self, context: Context | None) -> Iterator[Row]:
        """Give the records of a context, and remember that it was begun."""
        self._pass.begun.add(short_hash((context or {})[self.ledger_key]))
        return super().request_records(context)

    def context_done(self, context: Context | None) -> None:
        """Note in the state that a row is finished, unless something of it had to be left out."""
        super().context_done(context)
        if self.lacks_rows:
            return
        self._pass.finish((context or {})[self.ledger_key], self._today)

    def let_go(self, context: Context | None, exc: RefusedError) -> None:
        """A row that is skipped is finished, too: asking again would be refused again."""
        super().let_go(context, exc)
        self._pass.finish((context or {})[self.ledger_key], self._today)

    def put_off(self, context: Context | None, exc: RefusedError) -> None:
        """A row that may be refused for what ended meanwhile is asked for once more."""
        super().put_off(context, exc)
        self._pass.again.add(short_hash((context or {})[self.ledger_key]))

    def parent_done(self, context: Context | None) -> None:
        """Complete the pass, unless a row that was begun is not finished."""
        super().parent_done(context)
        if not self._pass.begun and self._can_read(context):
            self._pass.complete(self._today)

    def _slot_is_due(self, row_id: str, slot_day: int) -> bool:
        days, turn = self.refresh_days, zlib.crc32(row_id.encode())
        if self._today - slot_day >= days:
            return True
        return any(turn % days == day % days for day in range(slot_day + 1, self._today + 1))


def leaders_of(streams: Iterable[CloudStream]) -> dict[str, str]:
    """Which streams count by the ledger of which: without it, their bookmarks mean nothing."""
    return {
        child.name: stream.name
        for stream in streams
        for child in stream.child_streams
        if isinstance(child, LedgerStream)
    }


def short_hash(row_id: str) -> str:
    """A row's id in twelve digits: a pass remembers thousands of them for a while."""
    return hashlib.blake2s(row_id.encode(), digest_size=6).hexdigest()
