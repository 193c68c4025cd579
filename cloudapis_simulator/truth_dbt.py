"""What is true of dbt's accounts, jobs and runs, whose rows are made by hand.

All of a row is true but what is written relative to now ("2 weeks ago") and what is told by
lists of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.clock import same_as_rfc3339
from cloudapis_simulator.world.run_rows import run_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.world import World

Row = dict[str, Any]

_OF_ACCOUNTS = frozenset({"docs_job", "freshness_job"})
_OF_JOBS = frozenset(
    {
        "account",
        "project",
        "environment",
        "fusion_readiness",
        "next_run_humanized",
        "lifecycle_webhooks_url",  # may be the address of a hook, which is a secret
    }
)
_OF_RUNS = frozenset(
    {
        "job",
        "environment",
        "run_steps",
        "trigger",
        "audit",
        "created_at_humanized",
        "finished_at_humanized",
        "duration_humanized",
        "queued_duration_humanized",
        "run_duration_humanized",
    }
)
_DURATIONS = ("duration", "queued_duration", "run_duration")


def _plain(row: Row, left_out: frozenset[str]) -> Row:
    """Return a row without what is left out, and with its times in one form."""
    return {
        name: same_as_rfc3339(value) if name.endswith("_at") or name == "next_run" else value
        for name, value in row.items()
        if name not in left_out
    }


def accounts(world: World) -> Iterator[Row]:
    """Yield the accounts."""
    for account in world.accounts:
        yield _plain(account.row(world.clock.now), _OF_ACCOUNTS)


def jobs(world: World) -> Iterator[Row]:
    """Yield the jobs that the service still knows, with those that are deleted or its own."""
    now = world.clock.now
    for account in world.accounts:
        for job in account.listed_jobs(now):
            yield _plain(account.job_row(job, now), _OF_JOBS)


def runs(world: World) -> Iterator[Row]:
    """Yield the runs that are there, open or ended."""
    now = world.clock.now
    # Where files of old runs are gone, whether there were any is told for a while only.
    left_out = _OF_RUNS | ({"artifacts_saved"} if world.sizes.dbt_detail_days else set())
    for account in world.accounts:
        every = world.runs[account.id]
        for number in every.kept(now):
            row = _plain(run_row(every, every.plan(number), now), left_out)
            row |= {f"{name}_seconds": _seconds(row[name]) for name in _DURATIONS}
            yield row


def _seconds(duration: str) -> int:
    hours, minutes, seconds = (int(part) for part in duration.split(":"))
    return hours * 3600 + minutes * 60 + seconds
