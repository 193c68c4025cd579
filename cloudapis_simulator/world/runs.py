"""Runs of one dbt account: what happens to each of them, and when.

A run is known by its number (1, 2, 3 ... in order of creation and of id), and all of its life
is computed from that number, so that a history of any length costs nothing until it is read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part, pick, sha, share
from cloudapis_simulator.clock import BEGINNING, DAY, HOUR, MINUTE, SECOND, spaced, zulu
from cloudapis_simulator.world import commands, words
from cloudapis_simulator.world.humanize import ago, clock_duration
from cloudapis_simulator.world.people import name_of
from cloudapis_simulator.world.plan import (
    CANCELLED,
    ERROR,
    OPEN,
    STATUS_NAMES,
    SUCCESS,
    Plan,
    known,
)
from cloudapis_simulator.world.steps import cause_of, flagged_at, step_rows
from cloudapis_simulator.world.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from cloudapis_simulator.settings import Sizes
    from cloudapis_simulator.world.dbt import Account, Job
    from cloudapis_simulator.world.things import Thing

Row = dict[str, Any]

PACE = 40 * MINUTE
LONGEST_LIFE = 36 * HOUR
"""From creation to the end of a run, at most."""
_KEPT_PLANS = 1 << 14
_ID = re.compile(r"[0-9]{1,19}")
_ID_STRIDE = 3
_CLOSING = (5 * MINUTE, 20 * MINUTE, 40 * MINUTE)
"""How long before the end of history its last runs are created, at most."""
_TIES = 29  # of every 29 runs three are created at once
_WHOLE_SECOND_EVERY = 40
_DAWN = BEGINNING - 400 * DAY
"""When the runs of a world begin that is a window."""
_TIMEOUT = 24 * HOUR + 36 * SECOND


class Runs:
    """The runs of one account, for ever."""

    def __init__(self, account: Account, seed: int, sizes: Sizes, people: list[Thing]) -> None:
        self.account = account
        self._people = people
        self._steps = sizes.dbt_steps
        self._details = sizes.dbt_detail_days * DAY
        self._size, self._window = sizes.dbt_runs, sizes.days * DAY
        self._dice = Dice(seed, "run", account.number)
        moments = Dice(seed, "run moments", account.number)
        if self._window:
            pace = self._window // max(sizes.dbt_runs, 1)
            self._moments = Timeline(moments, 0, pace, begin=_DAWN, end=_DAWN)
        else:
            self._moments = Timeline(moments, sizes.dbt_runs, PACE, closing=_CLOSING)
        self._first_id = account.first_run_id()
        self.plan = lru_cache(maxsize=_KEPT_PLANS)(self._plan)
        """Returns the life of a run by its number."""

    def count(self, now: int) -> int:
        """Return how many runs have been created by `now`."""
        number = self._moments.until(now)
        # Ties are created earlier than their own slot says.
        while self.created_at(number + 1) <= now:
            number += 1
        while number > 0 and self.created_at(number) > now:
            number -= 1
        return number

    def kept(self, now: int) -> range:
        """Return the numbers of the runs that have been created and are not yet gone."""
        if self._window and not self._size:
            return range(1, 1)
        first = self.first_created_from(now - self._window) if self._window else 1
        return range(first, self.count(now) + 1)

    def id_of(self, number: int) -> int:
        """Return the id of run `number`: ascending, with gaps."""
        gap = part(self._dice.roll(number), 15) % _ID_STRIDE
        return self._first_id + _ID_STRIDE * number + gap

    def number_of(self, run_id: int) -> int | None:
        """Return the number of the run with that id, or None when there never is one."""
        number = (run_id - self._first_id) // _ID_STRIDE
        return number if number > 0 and self.id_of(number) == run_id else None

    def find(self, run_id: str, now: int) -> Plan | None:
        """Return the run with that id, if there is such a one at `now`."""
        number = self.number_of(int(run_id)) if _ID.fullmatch(run_id) else None
        return None if number is None or number not in self.kept(now) else self.plan(number)

    def has_details(self, plan: Plan, now: int) -> bool:
        """Whether steps and files of a run are still kept."""
        return not self._details or plan.ended_at > now - self._details

    def first_above(self, run_id: int) -> int:
        """Return the number of the first run whose id is greater than `run_id`."""
        number = max((run_id - self._first_id) // _ID_STRIDE, 1)
        while self.id_of(number) <= run_id:
            number += 1
        return number

    def first_created_from(self, at: int) -> int:
        """Return the number of the first run created at or after `at`."""
        return self.count(at - 1) + 1

    def created_at(self, number: int) -> int:
        """Return when run `number` is created."""
        return self._moments.at(self._anchor(number))

    def _anchor(self, number: int) -> int:
        """Return the run with which `number` was created at the same microsecond."""
        place = number % _TIES
        anchor = number - place
        if place not in (1, 2) or anchor < 1:
            return number
        history = self._moments.count
        if anchor <= history < number or 0 <= history - number < len(_CLOSING):
            return number
        return anchor

    def _waits_long(self, number: int) -> bool:
        return number == self._moments.count or self._first_of(number, 6 * HOUR, 3 * HOUR, 1)

    def _runs_long(self, number: int) -> bool:
        return number == self._moments.count - 1 or self._first_of(number, 8 * HOUR, 0, 0)

    def _first_of(self, number: int, window: int, offset: int, rest: int) -> bool:
        """Whether this is the first run in its window, so that there always is such a one.

        Where runs are rare it is one of twelve instead.
        """
        start, width = self._moments.slot(number)
        if width > 2 * HOUR:
            return number % 12 == rest
        return (start - offset) // window != (start - width - offset) // window

    def _plan(self, number: int) -> Plan:
        bits = self._dice.roll(number)
        created, dequeued, started, ended, outcome = self._course(number, bits)
        retries = self._retried(number, bits, created)
        settled = ended
        if started is not None and part(bits, 6) % 3 == 0:
            settled += 2 * MINUTE + int(share(bits, 7) * 3 * HOUR)
        vanishes = started is None and part(bits, 8) % 2 == 0
        return Plan(
            id=self._first_id + _ID_STRIDE * number + part(bits, 15) % _ID_STRIDE,
            number=number,
            job=self._job(bits, created) if retries is None else self.plan(retries).job,
            created_at=created,
            dequeued_at=dequeued,
            started_at=started,
            ended_at=ended,
            finished_at=None if vanishes else ended,
            settled_at=settled,
            outcome=outcome,
            retries=None if retries is None else self.id_of(retries),
            bits=bits,
        )

    def _course(self, number: int, bits: int) -> tuple[int, int | None, int | None, int, int]:
        """Return (created, dequeued, started, ended, outcome); `bits` is the run's own roll."""
        anchor = self._anchor(number)
        created = self._moments.at(anchor)
        if anchor != number:
            # Half of the ties end at the same microsecond as well.
            shared = self._dice.roll(anchor)
            bits = shared if part(shared, 14) % 2 else bits
        waits_long = self._waits_long(number)
        wait = 8 * HOUR + int(share(bits, 1) * HOUR) if waits_long else part(bits, 1) * 1500
        if part(bits, 2) % (3 if waits_long else 32) == 1:
            return created, None, None, created + wait + MINUTE + part(bits, 3), CANCELLED
        dequeued = created + SECOND + wait
        started = dequeued + 2 * SECOND + part(bits, 3) * 100
        if self._runs_long(number):
            length = 20 * HOUR + part(bits, 4) * 9_000
        elif part(bits, 4) % 97 == 0:
            return created, dequeued, started, started + _TIMEOUT + part(bits, 5), CANCELLED
        else:
            length = 8 * SECOND + int(share(bits, 4) ** 3 * 40 * MINUTE)
        roll = part(bits, 9) % 100
        outcome = CANCELLED if roll < 3 else ERROR if roll < 16 else SUCCESS  # noqa: PLR2004
        ended = started + length + part(bits, 5)
        if part(bits, 12) % _WHOLE_SECOND_EVERY == 0:
            ended -= ended % SECOND
        return created, dequeued, started, ended, outcome

    def _retried(self, number: int, bits: int, created: int) -> int | None:
        """Return the number of the failed run that this one retries, if it does."""
        before = number - 3
        if before < 1 or part(bits, 10) % 5:
            return None
        *_, ended, outcome = self._course(before, self._dice.roll(before))
        return before if outcome == ERROR and ended <= created else None

    def _job(self, bits: int, created: int) -> Job:
        jobs = self.account.jobs
        job = pick(jobs, bits, 11)
        return jobs[0] if job.deleted_at is not None and job.deleted_at <= created else job

    def row(self, plan: Plan, now: int, related: AbstractSet[str] = frozenset()) -> Row:
        """Return a run as `/api/v2/accounts/{id}/runs/` gives it at `now`.

        Args:
            plan: The run.
            now: Microseconds.
            related: The names asked for by `include_related`.
        """
        status = plan.status(now)
        is_open = status in OPEN
        dequeued = known(plan.dequeued_at, now)
        started = known(plan.started_at, now)
        finished = plan.finished(now)
        settled = now >= plan.settled_at
        until = now if is_open else plan.ended_at
        total, queued = until - plan.created_at, (started or until) - plan.created_at
        ran = total - queued
        job, account, bits = plan.job, self.account, plan.bits
        with_docs = settled and status == SUCCESS and job.number % 4 == 0
        created_text = spaced(plan.created_at)
        failed, detailed = status == ERROR, self.has_details(plan, now)
        saved = flagged_at(plan) if detailed else None
        return {
            "id": plan.id,
            "trigger_id": plan.id + 33_000_000,
            "account_id": account.id,
            "environment_id": job.environment.id,
            "project_id": job.project.id,
            "job_definition_id": job.id,
            "status": status,
            "dbt_version": "versionless" if part(bits, 12) % 2 else "1.9.4",
            "git_branch": pick(words.BRANCHES, bits, 12) if started else None,
            "git_sha": sha(bits) if started else None,
            "status_message": pick(words.STATUS_MESSAGES, bits, 13) if failed else None,
            "owner_thread_id": None,
            "executed_by_thread_id": f"dbt-run-{plan.id}-{bits & 0xFFFFF:05x}" if started else None,
            "deferring_run_id": None,
            "artifacts_saved": saved is not None and saved <= now,
            "artifact_s3_path": f"artifacts/{plan.id}" if started else None,
            "has_docs_generated": with_docs,
            "has_sources_generated": with_docs and job.number % 6 == 0,
            "notifications_sent": settled,
            "blocked_by": [] if started or not is_open else [self.id_of(max(plan.number - 1, 1))],
            "scribe_enabled": True,
            "created_at": created_text,
            "updated_at": spaced(plan.updated_at(now)),
            "dequeued_at": spaced(dequeued) if dequeued else None,
            "started_at": spaced(started) if started else None,
            "finished_at": spaced(finished) if finished else None,
            "last_checked_at": None,
            "last_heartbeat_at": spaced(until - until % MINUTE) if started and is_open else None,
            "should_start_at": created_text,
            "trigger": self._trigger(plan) if "trigger" in related else None,
            "job": self._job_then(plan, now) if "job" in related else None,
            "environment": None,
            "run_steps": step_rows(plan, now, self._steps, with_debug="debug_logs" in related)
            if "run_steps" in related and detailed
            else [],
            "deprecation": None,
            "status_humanized": STATUS_NAMES[status],
            "in_progress": is_open,
            "is_complete": not is_open,
            "is_success": status == SUCCESS,
            "is_error": failed,
            "is_cancelled": status == CANCELLED,
            "href": f"https://cloud.getdbt.com/deploy/{account.id}/projects/{job.project.id}"
            f"/runs/{plan.id}/",
            "duration": clock_duration(total),
            "queued_duration": clock_duration(queued),
            "run_duration": clock_duration(ran),
            "duration_humanized": ago(total),
            "queued_duration_humanized": ago(queued),
            "run_duration_humanized": ago(ran),
            "created_at_humanized": f"{ago(now - plan.created_at)} ago",
            "finished_at_humanized": f"{ago(now - finished)} ago"
            if finished
            else "0 minutes from now",
            "retrying_run_id": plan.retries,
            "can_retry": failed,
            "retry_not_supported_reason": None if failed else "RETRY_NOT_FAILED_RUN",
            "job_id": job.id,
            "is_running": None,
            "used_repo_cache": None,
            "audit": self._audit(plan, now) if "audit" in related else None,
        }

    def _trigger(self, plan: Plan) -> Row:
        cause, category = cause_of(plan)
        return {
            "id": plan.id + 33_000_000,
            "cause": cause,
            "cause_humanized": cause,
            "cause_category": category,
            "job_definition_id": plan.job.id,
            "git_branch": pick(words.BRANCHES, plan.bits, 12),
            "git_sha": None,
            "azure_pull_request_id": None,
            "github_pull_request_id": 118 if category == "ci" else None,
            "gitlab_merge_request_id": None,
            "non_native_pull_request_id": None,
            "schema_override": None,
            "dbt_version_override": None,
            "threads_override": None,
            "target_name_override": None,
            "generate_docs_override": None,
            "timeout_seconds_override": None,
            "steps_override": commands.texts(commands.overridden()) if category == "api" else None,
            "created_at": spaced(plan.created_at - 9_467),
            "job": None,
        }

    def _audit(self, plan: Plan, now: int) -> Row:
        """Return who started and who cancelled a run: a person, a token, or nobody."""
        person = pick(self._people, plan.bits, 14)
        someone = {"id": str(person.id), "type": "user", "name": name_of(person, plan.created_at)}
        token = {"id": str(self.account.offset + 5_100), "type": "service_token", "name": "CI"}
        by = {"ui": someone, "rerun": someone, "api": token}.get(cause_of(plan)[1])
        cancelled = plan.status(now) == CANCELLED
        return {
            "trigger": {"actor": by} if by else None,
            "cancellation": {"actor": someone} if cancelled else None,
        }

    def _job_then(self, plan: Plan, now: int) -> Row:
        """Return the job as nested in a run: older forms of times and schedule."""
        row = self.account.job_row(plan.job, now)
        for key in ("account", "project", "environment", "next_run", "next_run_humanized"):
            del row[key]
        row["created_at"] = zulu(plan.job.created_at)
        row["updated_at"] = zulu(plan.job.updated_at(now))
        row["schedule"] = {"cron": "0 * * * *", "date": "every_day", "time": "every_hour"}
        return row
