"""The marks of ``pulumi_stack_updates``: how far each stack was read, by the stack's id.

A stack that is renamed or transferred keeps its id, so it goes on where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Required, TypedDict

import msgspec

from tap_cloudapis.core.bookmarks import Count, Start

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


#: Whole syncs without a stack before its mark is forgotten; more while one of its updates is open.
MOST_MISSES, MOST_MISSES_OPEN = 3, 30


#: A name in a key; an empty one would be another row's, or nobody's.
Name = Annotated[str, msgspec.Meta(min_length=1)]


class OpenUpdate(NamedTuple):
    """An update that had not ended when it was emitted.

    Attributes:
        version: Its version; 0 as long as the server has not given it one.
        org_name: The names that its stack had then, under which its end is emitted, too.
        project_name: See ``org_name``.
        stack_name: See ``org_name``.
    """

    version: Count
    org_name: Name
    project_name: Name
    stack_name: Name

    @classmethod
    def seen(cls, version: int, names: Mapping[str, Any]) -> OpenUpdate:
        """An update that is open now, under the names of its stack."""
        return cls(version, names["org_name"], names["project_name"], names["stack_name"])

    @property
    def names(self) -> dict[str, str]:
        """The names as columns."""
        return {name: getattr(self, name) for name in self._fields[1:]}


class StackMark(msgspec.Struct, array_like=True):
    """How far a stack was read; a list in the state.

    Attributes:
        org_name: Where the stack was last seen.
        last_update: The stack's ``last_update`` when it was read; ``None`` where another update
            may have the same one.
        newest: The newest version that was emitted.
        known_by: What tells that version from the same one of another stack; empty for nothing.
        open: The updates that had not ended, by their ids.
    """

    org_name: Name
    last_update: Any
    newest: Count
    known_by: str = ""
    open: dict[str, OpenUpdate] = {}


class UpdatesBookmark(TypedDict, total=False):
    """The bookmark of the stream."""

    since: Required[Start]
    stacks: dict[str, StackMark]
    missed: dict[str, Count]


class UpdateMarks:
    """The marks in the state, ``{stack id: [organization, last_update, newest, known by, open]}``.

    Args:
        state: The stream's state. Marks from another start of history are dropped, if that
            start has moved back.
        since: The start date in force; empty for none.
        keep: Whether to go on from the marks; they are dropped where the catalog asks for a
            full table.
    """

    def __init__(self, state: dict[str, Any], since: str, *, keep: bool) -> None:
        before = state.get("since", since)
        moved_back = before and (not since or since < before)
        if moved_back or not keep:
            state["stacks"] = {}
        state["since"] = since
        self._state = state
        self._stored: dict[str, list[Any]] = state.setdefault("stacks", {})
        #: Whether the server has told before when a stack was updated.
        self.tell_last_update = any(mark[1] for mark in self._stored.values())

    def get(self, stack_id: str) -> StackMark | None:
        """The mark of a stack; ``None`` for one that was not read yet."""
        stored = self._stored.get(stack_id)
        return None if stored is None else msgspec.convert(stored, StackMark)

    def put(self, stack_id: str, mark: StackMark) -> None:
        """Mark a stack."""
        stored: list[Any] = [mark.org_name, mark.last_update, mark.newest, mark.known_by]
        if mark.open:
            stored.append({ref: list(update) for ref, update in sorted(mark.open.items())})
        self._stored[stack_id] = stored

    def moved(self, stack_id: str, org_name: str) -> None:
        """Note that a stack that need not be read is in another organization."""
        stored = self._stored.get(stack_id)
        if stored is not None and stored[0] != org_name:
            stored[0] = org_name

    def drop(self, stack_id: str) -> None:
        """Forget a stack."""
        self._stored.pop(stack_id, None)

    def forget(self, met: Collection[str], read: Collection[str]) -> None:
        """Forget the stacks that no list brought for some syncs; see :meth:`Ledger.forget`.

        A stack that is transferred while the lists are read can be missing from all of them once,
        and one with an open update is still to be followed to its end.
        """
        missed: dict[str, int] = self._state.pop("missed", {})
        for stack_id, mark in list(self._stored.items()):
            if mark[0] not in read:
                continue
            times = 0 if stack_id in met else missed.get(stack_id, 0) + 1
            missed[stack_id] = times
            if times >= (MOST_MISSES_OPEN if mark[4:] else MOST_MISSES):
                del self._stored[stack_id]
        kept = {i: times for i, times in missed.items() if times and i in self._stored}
        if kept:
            self._state["missed"] = kept
