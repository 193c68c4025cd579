"""Files of runs that are refused: not there, or not for this token.

A file that is not there is answered like one that the token may not read. As soon as one of its
kind was given, the others are not there. As long as none was, no mark moves, and after some runs,
or at the end of them, it is found out which it is.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import RefusedError, TapError
from tap_cloudapis.dbt.run_member import RunMember, Settlement

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

#: Runs of which everything was refused, from the first one on, before it is found out why.
MOST_DOUBTFUL = 20
#: Runs whose marks are held back meanwhile, before it is found out of the few that are refused.
MOST_RUNS_HELD = 100


@dataclass
class Doubt:
    """Whether the token may read what is of a kind; not known before the first was given.

    Attributes:
        given: Whether one was.
        runs: The runs of which all was refused, and the last refusal of each.
    """

    given: bool = False
    runs: dict[int, tuple[Context, RefusedError]] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        """Whether some were refused, and none was given."""
        return bool(self.runs) and not self.given

    def note(self, context: Context, refusal: RefusedError) -> None:
        """Note a refusal, as long as it tells anything."""
        if not self.given:
            self.runs[context["run_id"]] = context, refusal

    def dispel(self) -> None:
        """Note that one was given."""
        self.given = True
        self.runs.clear()

    def answer(self) -> None:
        """Note that those refused are not there; of many, that says enough about the others."""
        self.given = len(self.runs) >= MOST_DOUBTFUL
        self.runs.clear()


class DoubtfulMember(RunMember):
    """A member that reads what a run may lack."""

    of_artifacts = True

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._doubts: dict[tuple[int, str], Doubt] = {}
        self._held: dict[int, list[tuple[Context, Settlement | None, bool]]] = {}

    def doubt(self, context: Context, kind: str) -> Doubt:
        """Whether what is of a kind may be read of a run's account."""
        return self._doubts.setdefault((context["account_id"], kind), Doubt())

    def was_tried(self, context: Context | None) -> bool:
        """Whether a file was given, so that it is known that the token may read some."""
        return any(doubt.given for doubt in self._doubts_of((context or {})["account_id"]))

    def doubted(self, context: Context | None) -> RefusedError | None:
        """The refusal of a file that is there."""
        account_id = (context or {})["account_id"]
        for (account, kind), doubt in self._doubts.items():
            if account == account_id and doubt.stands:
                return self.refusal(kind, doubt)
        return None

    @abstractmethod
    def refusal(self, kind: str, doubt: Doubt) -> RefusedError | None:
        """Find out why all of a kind was refused, in some runs whose grace is over or not.

        Returns:
            The refusal of what is there; ``None`` where it is not.

        Raises:
            TapError: When that cannot be found out.
        """

    def settle(self, context: Context, found: Settlement | None, *, is_old: bool) -> None:
        """Move the marks past a run, once it is known that what it lacks is not there."""
        account_id = context["account_id"]
        if self.is_refused(account_id):
            return
        held = self._held.setdefault(account_id, [])
        held.append((context, found, is_old))
        doubts = self._doubts_of(account_id)
        if not any(doubt.stands for doubt in doubts):
            self._settle_held(account_id)
        elif len(held) >= MOST_RUNS_HELD or any(len(d.runs) >= MOST_DOUBTFUL for d in doubts):
            self._look_into(account_id)

    def parent_done(self, context: Context | None) -> None:
        """Settle what is left, now that all runs of the account were looked at."""
        account_id = (context or {})["account_id"]
        held = self._held.get(account_id)
        if held and not self.is_refused(account_id) and not self.report.given_up:
            self._look_into(account_id)

    def _settle_held(self, account_id: int) -> None:
        held, self._held[account_id] = self._held[account_id], []
        for context, found, is_old in held:
            super().settle(context, found, is_old=is_old)

    def _look_into(self, account_id: int) -> None:
        """Find out whether what was refused is there, and settle the runs if not."""
        for (account, kind), doubt in self._doubts.items():
            if account == account_id and doubt.stands:
                try:
                    refusal = self.refusal(kind, doubt)
                except TapError as exc:
                    self._held[account_id] = []
                    self.failed(exc, {"account_id": account_id})
                    self.stop_reading(account_id)
                    return
                if refusal is not None:
                    self._held[account_id] = []
                    self.stop_reading(account_id)
                    self.refused(refusal, {"account_id": account_id}, 0)
                    return
                doubt.answer()
        self._settle_held(account_id)

    def _doubts_of(self, account_id: int) -> list[Doubt]:
        return [doubt for (account, _), doubt in self._doubts.items() if account == account_id]
