"""Deployments of stacks: those that have made updates, and checks for drift; how each lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudapis_simulator.chance import Dice, part, pick
from cloudapis_simulator.clock import BEGINNING, DAY, END_OF_HISTORY, HOUR, MINUTE, SECOND
from cloudapis_simulator.world import findings
from cloudapis_simulator.world.things import Thing
from cloudapis_simulator.world.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.world.pulumi import Organization
    from cloudapis_simulator.world.stacks import Stack, Update

MILLISECOND = 1_000
_CHECK_PACE = 9 * DAY
_CHECKS = 6  # in the history, and the most that are kept where a world keeps its size
_OUTCOMES = ("succeeded",) * 5 + ("failed",)
_DEPLOYED = {"update": "update", "refresh": "refresh", "destroy": "destroy"}
OPEN = ("not-started", "accepted", "running")


@dataclass(frozen=True, eq=False)
class Deployment(Thing):
    """A run of Pulumi Deployments; times in microseconds, None where it never happens."""

    stack: Stack = field(kw_only=True)
    operation: str = field(kw_only=True)
    version: int = field(kw_only=True)
    accepted_at: int = field(kw_only=True)
    running_at: int = field(kw_only=True)
    ended_at: int | None = field(kw_only=True)
    outcome: str = field(kw_only=True)
    update: Update | None = field(kw_only=True, default=None)

    @property
    def checks_drift(self) -> bool:
        """Whether it looks for drift."""
        return self.operation.endswith("-drift")

    def status(self, now: int) -> str:
        """Return its status at `now`."""
        if self.ended_at is not None and self.ended_at <= now:
            return self.outcome
        if self.running_at <= now:
            return "running"
        return "accepted" if self.accepted_at <= now else "not-started"

    def modified_at(self, now: int) -> int:
        """Return when its status changed last."""
        times = (self.accepted_at, self.running_at, self.ended_at, self.created_at)
        return max(at for at in times if at is not None and at <= now)

    def begins(self, share: int, of: int) -> int:
        """Return when a share of its work begins."""
        whole = min((self.ended_at or self.running_at + HOUR) - self.running_at, HOUR)
        return self.running_at + whole * share // of


def deployments(seed: int, organization: Organization, now: int) -> list[Deployment]:
    """Return the deployments of an organization's stacks at `now`, newest first."""
    stacks = organization.stacks.listed(now)
    found = [one for stack in stacks for one in of_stack(seed, stack, now)]
    return sorted(found, key=lambda one: (one.created_at, one.bits), reverse=True)


def of_stack(seed: int, stack: Stack, now: int) -> list[Deployment]:
    """Return the deployments of a stack at `now`, newest first."""
    found = [*_updates(seed, stack, now), *_checks(seed, stack, now)]
    return sorted(found, key=lambda one: (one.created_at, one.bits), reverse=True)


def _updates(seed: int, stack: Stack, now: int) -> Iterator[Deployment]:
    """Yield those that have made updates; they show when the update begins, moments late."""
    if stack.number % 4:
        return
    dice = Dice(seed, "deployments", stack.id)
    for number in stack.numbers(now):
        update, bits = stack.update(number), dice.roll(number)
        operation = _DEPLOYED.get(update.kind)
        if operation is None:
            continue
        made_at = _whole(update.started_at - 40 * SECOND)
        ended = update.ended_at
        yield Deployment(
            id=number,
            number=number,
            created_at=made_at,
            deleted_at=None,
            bits=bits,
            stack=stack,
            operation=operation,
            version=number,
            accepted_at=made_at + 2 * SECOND,
            running_at=made_at + 9 * SECOND,
            ended_at=None if ended is None else _whole(ended + 20 * SECOND),
            outcome="failed" if update.failed else "succeeded",
            update=update,
        )


def _checks(seed: int, stack: Stack, now: int) -> Iterator[Deployment]:
    """Yield the checks for drift; some take a day, and some are skipped."""
    if stack.number % 3 != 1:
        return
    dice = Dice(seed, "drift", stack.id)
    is_old = stack.born_at <= BEGINNING
    begin = BEGINNING if is_old else stack.born_at
    end = END_OF_HISTORY if is_old else stack.born_at
    # The last one of the history has just begun.
    closing = ((stack.number + 1) * MINUTE,) if is_old else ()
    count = _CHECKS if is_old else 0
    times = Timeline(dice, count, _CHECK_PACE, begin=begin, end=end, closing=closing)
    last = times.until(now)
    drifts = is_drifted(stack)
    for number in range(max(last - _CHECKS, 0) + 1 if stack.most else 1, last + 1):
        bits, made_at = dice.roll(number), _whole(times.at(number))
        skipped = part(bits, 3) % 11 == 0 and not drifts
        length = 30 * HOUR if part(bits, 4) % 6 == 0 else 3 * MINUTE + part(bits, 5) * MILLISECOND
        running_at = made_at + 3 * MINUTE
        yield Deployment(
            id=10_000 + number,
            number=number,
            created_at=made_at,
            deleted_at=None,
            bits=bits,
            stack=stack,
            operation="detect-drift" if part(bits, 6) % 4 or drifts else "remediate-drift",
            version=100_000 + number,
            accepted_at=made_at + MINUTE,
            running_at=running_at,
            ended_at=made_at + 2 * MINUTE if skipped else running_at + length,
            outcome="skipped" if skipped else "succeeded" if drifts else pick(_OUTCOMES, bits, 7),
        )


def is_drifted(stack: Stack) -> bool:
    """Whether every check of a stack finds that it has drifted, and nobody repairs it."""
    return str(stack.born_as) == findings.DRIFTED


def _whole(at: int) -> int:
    """Return a moment in whole milliseconds, as the service tells it."""
    return at // MILLISECOND * MILLISECOND
