"""The marks of a member of the walk: which of an account's runs it has done with.

Per account and filter:

- ``base``, an id: every run up to it is settled, but for those ``waiting``. It is the newest one
  from before the look-back; without it all that the history holds is listed.
- ``settled``: the runs behind it that are settled, so that one which appears late among them, with
  a smaller id than theirs, is known to be missing. They are told by their distances: the first
  from the base, each from the one before it.
- ``waiting``: ``{id: steps}``, where no steps mean "look at the run again" and some mean that
  these had not left yet what they leave.
- ``since``: where the history begins.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from tap_cloudapis.core.bookmarks import RowId, Start
from tap_cloudapis.dbt.client import AccountContext
from tap_cloudapis.dbt.filters import FILTER_KEY


class StoredMemberMark(TypedDict):
    """The mark of a filter in the state, see the module."""

    base: NotRequired[RowId | None]
    settled: NotRequired[list[RowId]]
    waiting: dict[Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,17}$")], list[int]]
    since: Start


class AccountWalks(TypedDict):
    """The marks of an account in the state, by the name of the filter."""

    context: AccountContext
    walks: NotRequired[dict[Annotated[str, msgspec.Meta(pattern=FILTER_KEY)], StoredMemberMark]]


class WalkBookmark(TypedDict, total=False):
    """The bookmark of a member."""

    partitions: list[AccountWalks]


def fresh_mark(since: str) -> dict[str, Any]:
    """The mark of a member that has read nothing yet."""
    return {"base": None, "settled": [], "waiting": {}, "since": since}


@dataclass
class MemberMark:
    """How far a member has come with the runs of one account that one filter lets pass.

    Attributes:
        stored: The mark in the state, see the module.
    """

    stored: dict[str, Any]
    _settled: list[int] = field(init=False, repr=False)
    _known: set[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        distances = self.stored.setdefault("settled", [])
        self._settled = [*accumulate(distances, initial=self.base or 0)][1:]
        self._known = set(self._settled)

    @property
    def base(self) -> int | None:
        """The id up to which every run is settled or waits; ``None`` for the whole history."""
        base: int | None = self.stored.get("base")
        return base

    @property
    def is_fresh(self) -> bool:
        """Whether no run was settled yet, and none waits."""
        return not (self.base or self._settled or self.waiting)

    @property
    def waiting(self) -> dict[str, list[int]]:
        """Steps by run; see the module."""
        waiting: dict[str, list[int]] = self.stored["waiting"]
        return waiting

    def knows(self, run_id: int) -> bool:
        """Whether a run is settled, or waits and has its turn as such."""
        return run_id <= (self.base or 0) or run_id in self._known or str(run_id) in self.waiting

    def settle(self, run_id: int, steps: list[int] | None) -> None:
        """Note what became of a run.

        Args:
            run_id: The run.
            steps: What to wait for; ``None`` for nothing.
        """
        if steps is not None:
            self.waiting[str(run_id)] = steps
            return
        self.waiting.pop(str(run_id), None)
        if run_id <= (self.base or 0) or run_id in self._known:
            return
        self._known.add(run_id)
        place = bisect_right(self._settled, run_id)
        before = self._settled[place - 1] if place else self.base or 0
        behind = [self._settled[place] - run_id] if place < len(self._settled) else []
        self._settled.insert(place, run_id)
        self.stored["settled"][place : place + 1] = [run_id - before, *behind]

    def pass_by(self, run_id: int, *, is_old: bool) -> None:
        """Note that all runs up to this one were looked at, in the order of their ids.

        Args:
            run_id: The run; it is settled, or waits.
            is_old: Whether it is from before the look-back: no run before it is expected any more.
        """
        if not is_old or run_id <= (self.base or 0):
            return
        self.stored["base"] = run_id
        gone = bisect_right(self._settled, run_id)
        self._known.difference_update(self._settled[:gone])
        distances: list[int] = self.stored["settled"]
        del self._settled[:gone], distances[:gone]
        if distances:
            distances[0] = self._settled[0] - run_id
