"""From when on details of updates are read, and the marks that remember it."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.pulumi.client import PulumiStream
from tap_cloudapis.pulumi.stacks import Stacks
from tap_cloudapis.pulumi.update_marks import UpdateMarks

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_cloudapis.pulumi.update_marks import StackMark


class DetailStream(PulumiStream):
    """A stream with a mark per stack, that goes back ``pulumi_update_detail_days`` at first."""

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._marks: UpdateMarks | None = None

    @property
    def start(self) -> str:
        """The start date as records have times; empty for none."""
        return to_timestamp(self.config.get("start_date")) or ""

    @cached_property
    def oldest(self) -> str:
        """When the oldest update began whose details are read at first."""
        days = timedelta(days=int(self.config["pulumi_update_detail_days"]))
        return max(self.start, f"{self.connection.now() - days:%Y-%m-%dT%H:%M:%S}.000000Z")

    @property
    def marks(self) -> UpdateMarks:
        """The marks of all stacks, in the state; those that do not go back far enough are gone."""
        if self._marks is None:
            before, oldest = self.stream_state.get("since") or "", self.oldest
            since = before if before and before <= oldest else oldest
            self._marks = UpdateMarks(self.stream_state, since, keep=self.keeps_marks)
        return self._marks

    @property
    def keeps_marks(self) -> bool:
        """Whether to go on from the marks in the state."""
        return True

    def begins_at(self, mark: StackMark | None) -> str:
        """From when on updates are read where no version tells."""
        return str(to_timestamp(mark.last_update) or "") if mark else self.oldest

    def is_untold(self, mark: StackMark | None, stacks: Any) -> bool:
        """Whether a stack that does not tell when it was updated may have been, all the same.

        So it is with one that was updated before, and on a server that never tells.
        """
        tells = self.marks.tell_last_update or (isinstance(stacks, Stacks) and stacks.tells_changes)
        return bool(mark and mark.newest) or not tells

    def forget_rows(self, met: Collection[str], read: Collection[str]) -> None:
        """Drop the marks of stacks that are gone."""
        self.marks.forget(met, read)
