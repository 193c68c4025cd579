"""What a check finds out of each stream, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_cloudapis.core.amounts import NO_AMOUNT, Amount
from tap_cloudapis.core.breaking import BreakingStream
from tap_cloudapis.core.errors import ClosedError, RefusedError
from tap_cloudapis.core.report import SyncReport, placed

if TYPE_CHECKING:
    import logging

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.stream import CloudStream


class Verdict(StrEnum):
    """Whether a stream can be read; the later ones outweigh those before."""

    READABLE = "readable"
    NOT_TRIED = "not tried"
    NOT_THERE = "not there"
    NO_PLAN = "not in the plan"
    REFUSED = "refused"
    FAILED = "failed"

    @property
    def of_parent(self) -> str:
        """What it says of a stream to those that hang on it."""
        return self.value if self is Verdict.FAILED else f"is {self.value}"

    @property
    def weight(self) -> int:
        """Its place among the others."""
        return list(Verdict).index(self)


class Said(NamedTuple):
    """What a sync would say of a list.

    Attributes:
        text: What is wrong, and what to do.
        where: The list ("account 7"); empty where that needs no word.
    """

    text: str
    where: str = ""

    def __str__(self) -> str:
        """Both, as a message has them."""
        return placed(self.where, self.text)


@dataclass
class Finding:
    """What was found out of a stream in one account or organization.

    Attributes:
        owner: The account or organization; ``None`` for what belongs to none.
        verdict: Whether it can be read there.
        why: What a sync would say, where it cannot.
        rows: How many rows there are, as far as the API has told.
        lists: How many lists a sync reads.
        first: The requests of a first sync.
        later: Those of a later one, at the least.
        is_empty: Whether it was not tried as there is nothing to read.
        by_parent: Whether it was not tried as what leads to it cannot be read.
    """

    owner: Any
    verdict: Verdict = Verdict.READABLE
    why: list[Said] = field(default_factory=list)
    rows: Amount | None = None
    lists: Amount = NO_AMOUNT
    first: Amount = NO_AMOUNT
    later: Amount = NO_AMOUNT
    is_empty: bool = False
    by_parent: bool = False

    @property
    def is_well(self) -> bool:
        """Whether a sync would read all there is."""
        return self.verdict is Verdict.READABLE or self.is_empty


class CheckReport(SyncReport):
    """Keeps what would be said in a sync, and says nothing itself."""

    names_below = False

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger)
        #: Of each stream, what was said since somebody has taken it.
        self._told: dict[str, list[Said]] = {}
        self._failed: set[str] = set()

    def take(self, stream: str) -> tuple[list[Said], bool]:
        """What was said of a stream, each once, and whether any of it is a failure."""
        told, failed = self._told.pop(stream, []), stream in self._failed
        self._failed.discard(stream)
        return list(dict.fromkeys(told)), failed

    def _tell(self, stream: str, text: str, where: str) -> None:
        self._told.setdefault(stream, []).append(Said(text, where))

    def skip(
        self, stream: str, why: str, where: str = "", *, in_full: str = "", quiet: bool = False
    ) -> None:
        """Keep why a list would be skipped."""
        if not quiet:
            self._tell(stream, in_full or why, where)

    def fail(self, stream: str, what: str, where: str = "") -> None:
        """Keep what would be an error."""
        self._failed.add(stream)
        self._tell(stream, what, where)

    def note(self, stream: str, what: str, where: str = "") -> None:
        """Nothing: a sync tells it in its place."""

    def leave_out(self, stream: str, what: str, where: str = "") -> None:
        """Keep that a record would be left out."""
        self[stream].left_out += 1
        self.fail(stream, f"left out a record, {what}", where)


def verdict_on(stream: CloudStream, exc: Exception, context: Context | None) -> Verdict:
    """What an error means.

    Args:
        stream: The stream that it came in.
        exc: The error.
        context: What was asked for.
    """
    if isinstance(exc, ClosedError):
        return Verdict.REFUSED
    if not isinstance(exc, RefusedError):
        return Verdict.FAILED
    if exc.of_plan or stream.switched_off(stream.owner_of(context)):
        return Verdict.NO_PLAN
    if exc.has_no_route or (exc.is_not_found and isinstance(stream, BreakingStream)):
        return Verdict.NOT_THERE
    return Verdict.REFUSED
