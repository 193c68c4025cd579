"""Previews of a Pulumi stack: what was looked at before, and without, an update."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cloudapis_simulator.chance import part, uuid
from cloudapis_simulator.clock import HOUR, MINUTE
from cloudapis_simulator.world.stacks import Update

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.world.stacks import Stack

_MOST = 3
_KINDS = ("Pupdate", "Pupdate", "Prefresh", "Pdestroy")


class Preview(NamedTuple):
    """A preview, as if it were an update, and the number of the update that it follows."""

    follows: int
    run: Update


def previews(stack: Stack, number: int, now: int) -> Iterator[Preview]:
    """Yield the previews behind update `number` of a stack (0: before the first), oldest first."""
    if number:
        before = stack.update(number)
        bits, at, version = before.bits, before.started_at, before.version + 1
    else:
        bits, at, version = stack.dice.roll(0), stack.born_at, 1
    for place in range(part(bits, 15) % _MOST if number else 1):
        own = stack.dice.roll(1_000_000 + number * _MOST + place)
        started = at + (1 + place) * 30 * MINUTE
        if started > now:
            return
        ended = started + (30 * HOUR if part(own, 1) % 4 == 0 else 2 * MINUTE)
        yield Preview(
            number,
            Update(
                version=version,
                id=uuid(own),
                kind=_KINDS[part(own, 2) % len(_KINDS)],
                started_at=started,
                under_way_at=started + MINUTE,
                ended_at=ended,
                failed=part(own, 3) % 7 == 0,
                bits=own,
            ),
        )


def every_preview(stack: Stack, now: int) -> Iterator[Preview]:
    """Yield all previews of a stack: those before the first update are kept until there is one."""
    numbers = stack.numbers(now)
    for number in numbers or (0,):
        yield from previews(stack, number, now)
