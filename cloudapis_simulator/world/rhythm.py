"""How runs live in a world that is a window: each job in its own way, with what is to be found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cloudapis_simulator.chance import part, share
from cloudapis_simulator.clock import DAY, HOUR, MINUTE, SECOND
from cloudapis_simulator.world import findings
from cloudapis_simulator.world.plan import CANCELLED, ERROR, SUCCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_simulator.world.dbt import Job
    from cloudapis_simulator.world.plan import Plan

RUSH_PACE = HOUR
"""Where runs follow each other faster there is no rush: it would never end."""


class Course(NamedTuple):
    """What happens to a run; times in microseconds, None where it never happens."""

    created_at: int
    dequeued_at: int | None
    started_at: int | None
    ended_at: int
    outcome: int
    slowed: float = 1.0
    is_flaky: bool = False


def course(  # noqa: PLR0913 - all that a run depends on, by keyword
    account: int,
    job: Job,
    created: int,
    bits: int,
    *,
    today: int,
    before: Sequence[Plan],
    retried: Plan | None,
    may_flake: bool,
) -> Course:
    """Return what happens to a run.

    Args:
        account: The number of its account.
        job: Its job.
        created: When it is created.
        bits: Its roll.
        today: The beginning of the world's day.
        before: The runs of the same rush that were created before it.
        retried: The run that it retries.
        may_flake: Whether there is time to retry it today, with nothing built in between.
    """
    flakes = retried is None and may_flake
    mends = retried is not None and retried.is_flaky
    dequeued = max(created, _free_at(job, before)) + SECOND + part(bits, 1) * 150
    if part(bits, 2) % 48 == 1 and not (flakes or mends):
        ended = dequeued + MINUTE + part(bits, 3)
        return Course(created, None, None, ended, CANCELLED)
    outcome = _outcome(account, job, created, bits, today)
    if flakes or mends:
        outcome = ERROR if flakes else SUCCESS
    slowed = findings.slowed(account, job.number, created, today)
    length = usual_length(job) * slowed * (0.93 + 0.14 * share(bits, 4))
    if part(bits, 5) % 20 == 0:
        length *= 1.6  # now and then something is in the way
    if outcome != SUCCESS:
        length *= 0.3 + 0.6 * share(bits, 7)
    prepares = 2 * SECOND + part(bits, 3) * 100
    if created % DAY // HOUR == findings.RUSH.at:
        prepares = prepares * 20 + 2 * MINUTE  # so do all others
    started = dequeued + prepares
    return Course(created, dequeued, started, started + int(length), outcome, slowed, flakes)


def _free_at(job: Job, before: Sequence[Plan]) -> int:
    """Return when a slot is free and the job does not run; 0 for at once, as for a CI job."""
    if job.kind == "ci":
        return 0
    ends = sorted(one.ended_at for one in before if one.job.kind != "ci")
    slots = findings.RUSH.slots
    free = ends[-slots] if len(ends) >= slots else 0
    return max([free, *(one.ended_at for one in before if one.job is job)])


def usual_length(job: Job) -> int:
    """Return how long a run of a job takes, as a rule: 4 to 20 minutes."""
    return 4 * MINUTE + int(share(job.bits, 9) * 16 * MINUTE)


def _outcome(account: int, job: Job, created: int, bits: int, today: int) -> int:
    fails = findings.fate(account, job.number, created, today)
    if fails is not None:
        return ERROR if fails else SUCCESS
    if findings.is_bad_day(account, job.project.number, created):
        return ERROR if part(bits, 9) % 6 else SUCCESS
    roll = part(bits, 9) % 100
    return CANCELLED if roll < 2 else ERROR if roll < 8 else SUCCESS  # noqa: PLR2004
