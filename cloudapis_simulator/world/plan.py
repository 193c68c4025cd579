"""The life of a run, as a plan of what happens when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cloudapis_simulator.world.dbt import Job

QUEUED, STARTING, RUNNING, SUCCESS, ERROR, CANCELLED = 1, 2, 3, 10, 20, 30
STATUS_NAMES = {
    QUEUED: "Queued",
    STARTING: "Starting",
    RUNNING: "Running",
    SUCCESS: "Success",
    ERROR: "Error",
    CANCELLED: "Cancelled",
}
OPEN = frozenset((QUEUED, STARTING, RUNNING))


class Plan(NamedTuple):
    """The life of one run; times in microseconds, None where it never happens.

    `ended_at` is when the run becomes terminal, `finished_at` what the API tells of it (some
    runs cancelled in the queue never get one), `settled_at` when the last flag has flipped.
    `commit` is that of its code, which a retry shares; `slowed` how many times as long as usual
    it takes; `is_flaky` whether it fails at the flaky test.
    """

    id: int
    number: int
    job: Job
    created_at: int
    dequeued_at: int | None
    started_at: int | None
    ended_at: int
    finished_at: int | None
    settled_at: int
    outcome: int
    retries: int | None
    bits: int
    commit: str
    slowed: float
    is_flaky: bool

    def status(self, now: int) -> int:
        """Return the status at `now`: 1, 2, 3 while open, then 10, 20 or 30."""
        if now >= self.ended_at:
            return self.outcome
        if self.started_at is not None and now >= self.started_at:
            return RUNNING
        if self.dequeued_at is not None and now >= self.dequeued_at:
            return STARTING
        return QUEUED

    def finished(self, now: int) -> int | None:
        """Return `finished_at` as known at `now`."""
        return known(self.finished_at, now)

    def updated_at(self, now: int) -> int:
        """Return the last change known at `now`."""
        times = (self.settled_at, self.ended_at, self.started_at, self.dequeued_at)
        return next((at for at in times if at is not None and at <= now), self.created_at)


def known(at: int | None, now: int) -> int | None:
    """Return a moment, if it has come."""
    return at if at is not None and at <= now else None
