"""Moments that follow each other: so many in the history, then at a steady pace for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_simulator.chance import part, share
from cloudapis_simulator.clock import BEGINNING, END_OF_HISTORY, SECOND

if TYPE_CHECKING:
    from cloudapis_simulator.chance import Dice

_WHOLE_SECOND_EVERY = 40


class Timeline:
    """Moments 1, 2, 3, ... in order, each found without computing those before it.

    Exactly `count` of them lie in the history; then one follows every `pace` microseconds.

    Args:
        dice: Where in its slot each moment falls.
        count: Moments between `begin` and `end`; with 0 the pace starts at `end`.
        pace: Distance of the moments after `end`, in microseconds.
        begin: Start of the history, in microseconds.
        end: End of the history, in microseconds.
        phase: Fixed place in the slot (0 to 1) instead of a drawn one.
        closing: The last moments of the history lie at most this long before its end.
    """

    def __init__(  # noqa: PLR0913 - a value object, all but three by keyword
        self,
        dice: Dice,
        count: int,
        pace: int,
        *,
        begin: int = BEGINNING,
        end: int = END_OF_HISTORY,
        phase: float | None = None,
        closing: tuple[int, ...] = (),
    ) -> None:
        self.dice = dice
        self.count = count
        self.pace = pace
        self._begin = begin
        self._end = end
        self._phase = phase
        self._closing = closing

    def slot(self, number: int) -> tuple[int, int]:
        """Return start and width of the slot in which moment `number` falls, in microseconds."""
        if number > self.count:
            return self._end + (number - self.count - 1) * self.pace, self.pace
        length = self._end - self._begin
        start = length * (number - 1) // self.count
        return self._begin + start, length * number // self.count - start

    def at(self, number: int) -> int:
        """Return moment `number`, in microseconds; never before the one that precedes it."""
        start, width = self.slot(number)
        bits = self.dice.roll(number)
        place = share(bits, 0) * 0.7 if self._phase is None else self._phase + share(bits, 0) / 200
        at = start + 1 + int(width * place) + part(bits, 1) % max(width // 8, 1)
        from_last = self.count - number
        if 0 <= from_last < len(self._closing):
            at = max(at, self._end - self._closing[from_last])
        if part(bits, 2) % _WHOLE_SECOND_EVERY == 0 and at - at % SECOND > start:
            at -= at % SECOND
        return at

    def until(self, now: int) -> int:
        """Return how many moments lie at or before `now`."""
        if now < self._begin:
            return 0
        if now >= self._end:
            number = self.count + (now - self._end) // self.pace
        else:
            number = (now - self._begin) * self.count // (self._end - self._begin)
        # `number` slots are over, or nearly so: look at the neighbours.
        while number > 0 and self.at(number) > now:
            number -= 1
        while self.at(number + 1) <= now:
            number += 1
        return number
