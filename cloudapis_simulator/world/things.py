"""What most things of the world have in common: an id, a number, a beginning, maybe an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudapis_simulator.chance import part, share
from cloudapis_simulator.clock import BEGINNING, DAY, END_OF_HISTORY

if TYPE_CHECKING:
    from cloudapis_simulator.chance import Dice

ACTIVE, DELETED = 1, 2


@dataclass(frozen=True)
class Thing:
    """What projects, environments, jobs and the rows of tables have in common.

    Attributes:
        id: The id, unique over all accounts.
        number: Its place among its kind in the account, from 0.
        created_at: Microseconds; before the beginning of the history, or around its end.
        deleted_at: Microseconds, or None for what is never deleted.
        bits: The roll its details come from.
        renamed_at: Microseconds, or None for what keeps its name.
    """

    id: int
    number: int
    created_at: int
    deleted_at: int | None
    bits: int
    renamed_at: int | None = field(default=None, kw_only=True)

    def state(self, now: int) -> int:
        """Return 1 (active) or 2 (deleted, but still listed with `state=all`)."""
        return DELETED if self.deleted_at is not None and self.deleted_at <= now else ACTIVE

    def updated_at(self, now: int) -> int:
        """Return when it was last changed, as known at `now`."""
        changes = (self.deleted_at, self.renamed_at, self.created_at + 17)
        return max(at for at in changes if at is not None and (at <= now or at == changes[-1]))


def make_thing(  # noqa: PLR0913 - its life, by keyword
    dice: Dice,
    number: int,
    thing_id: int,
    *,
    deleted: bool,
    late: bool = False,
    renamed: bool = False,
) -> Thing:
    """Return thing `number` of those that `dice` is for.

    Args:
        dice: For all things of its kind.
        number: Its place among them.
        thing_id: Its id.
        deleted: Whether it is deleted in the course of the history.
        late: Whether that, or else its making, falls around the end of the history.
        renamed: Whether it gets another name around the end of the history.
    """
    bits = dice.roll(number)
    around = END_OF_HISTORY - 20 * DAY
    created_at = BEGINNING - 400 * DAY + int(share(bits, 0) * 300 * DAY) + part(bits, 1)
    if late and not deleted:
        created_at = around + int(share(bits, 0) * 60 * DAY) + part(bits, 1)
    ends = around + int(share(bits, 2) * 60 * DAY)
    if not late:
        ends = BEGINNING + int(share(bits, 2) * 120 * DAY)
    return Thing(
        id=thing_id,
        number=number,
        created_at=created_at,
        deleted_at=ends if deleted else None,
        bits=bits,
        renamed_at=around + int(share(bits, 14) * 60 * DAY) if renamed else None,
    )
