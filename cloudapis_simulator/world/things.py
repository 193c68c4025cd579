"""What most things of the world have in common: an id, a number, a beginning, maybe an end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudapis_simulator.chance import part, share
from cloudapis_simulator.clock import BEGINNING, DAY

if TYPE_CHECKING:
    from cloudapis_simulator.chance import Dice

ACTIVE, DELETED = 1, 2


@dataclass(frozen=True)
class Thing:
    """What projects, environments, jobs and the rows of tables have in common.

    Attributes:
        id: The id, unique over all accounts.
        number: Its place among its kind in the account, from 0.
        created_at: Microseconds; before the beginning of the history.
        deleted_at: Microseconds, or None for what is never deleted.
        bits: The roll its details come from.
    """

    id: int
    number: int
    created_at: int
    deleted_at: int | None
    bits: int

    def state(self, now: int) -> int:
        """Return 1 (active) or 2 (deleted, but still listed with `state=all`)."""
        return DELETED if self.deleted_at is not None and self.deleted_at <= now else ACTIVE

    def updated_at(self, now: int) -> int:
        """Return when it was last changed, as known at `now`."""
        if self.deleted_at is not None and self.deleted_at <= now:
            return self.deleted_at
        return self.created_at + 17


def make_thing(dice: Dice, number: int, thing_id: int, *, deleted: bool) -> Thing:
    """Return thing `number` of those that `dice` is for; `deleted`: in the course of history."""
    bits = dice.roll(number)
    return Thing(
        id=thing_id,
        number=number,
        created_at=BEGINNING - 400 * DAY + int(share(bits, 0) * 300 * DAY) + part(bits, 1),
        deleted_at=BEGINNING + int(share(bits, 2) * 120 * DAY) if deleted else None,
        bits=bits,
    )
