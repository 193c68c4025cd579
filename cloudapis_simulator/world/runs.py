"""Runs of one dbt account: what happens to each of them, and when.

A run is known by its number (1, 2, 3 ... in order of creation and of id), and all of its life
is computed from that number, so that a history of any length costs nothing until it is read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from cloudapis_simulator.chance import Dice, part, pick, sha, share
from cloudapis_simulator.clock import BEGINNING, DAY, HOUR, MINUTE, SECOND
from cloudapis_simulator.world import findings
from cloudapis_simulator.world.plan import CANCELLED, ERROR, SUCCESS, Plan
from cloudapis_simulator.world.rhythm import RUSH_PACE, Course
from cloudapis_simulator.world.rhythm import course as rhythm_course
from cloudapis_simulator.world.timeline import Timeline

if TYPE_CHECKING:
    from cloudapis_simulator.clock import Clock
    from cloudapis_simulator.settings import Sizes
    from cloudapis_simulator.world.dbt import Account, Job
    from cloudapis_simulator.world.things import Thing

PACE = 40 * MINUTE
LONGEST_LIFE = 36 * HOUR
"""From creation to the end of a run, at most."""
_KEPT_PLANS = 1 << 14
_ID = re.compile(r"[0-9]{1,19}")
_ID_STRIDE = 3
_RETRIED_AFTER = 3  # runs
_COMMIT_PACE = 20 * HOUR
_MOST_IN_RUSH = 8
_CLOSING = (5 * MINUTE, 20 * MINUTE, 40 * MINUTE)
"""How long before the end of history its last runs are created, at most."""
_TIES = 29  # of every 29 runs three are created at once
_WHOLE_SECOND_EVERY = 40
_DAWN = BEGINNING - 400 * DAY
"""When the runs of a world begin that is a window."""
_TIMEOUT = 24 * HOUR + 36 * SECOND


class Runs:
    """The runs of one account, for ever."""

    def __init__(
        self, account: Account, seed: int, sizes: Sizes, people: list[Thing], clock: Clock
    ) -> None:
        self.account = account
        self._clock = clock
        self.people = people
        self.steps = sizes.dbt_steps
        self._details = sizes.dbt_detail_days * DAY
        self._size, self._window = sizes.dbt_runs, sizes.days * DAY
        self._dice = Dice(seed, "run", account.number)
        self._commits = Dice(seed, "commits", account.number)
        self._rushes = False
        moments = Dice(seed, "run moments", account.number)
        if self._window:
            pace = self._window // max(sizes.dbt_runs, 1)
            self._rushes = pace >= RUSH_PACE
            self._moments = Timeline(moments, 0, pace, begin=_DAWN, end=_DAWN)
        else:
            self._moments = Timeline(moments, sizes.dbt_runs, PACE, closing=_CLOSING)
        self._first_id = account.first_run_id()
        self._plans = lru_cache(maxsize=_KEPT_PLANS)(self._plan)

    @property
    def today(self) -> int:
        """The beginning of the day that findings are relative to; 0 where there are none."""
        now = self._clock.now
        return now - now % DAY if self._window else 0

    def plan(self, number: int) -> Plan:
        """Return the life of a run by its number."""
        return self._plans(number, self.today)

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
        at = self._moments.at(self._anchor(number))
        return findings.rushed(at) if self._rushes else at

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

    def _plan(self, number: int, today: int) -> Plan:
        bits, created = self._dice.roll(number), self.created_at(number)
        retried = self._retried(number, today)
        job = self._job(number, today)
        course = (
            self._planted(number, job, retried, today)
            if self._window
            else self._course(number, bits)
        )
        started, ended = course.started_at, course.ended_at
        settled = ended
        if started is not None and part(bits, 6) % 3 == 0:
            settled += 2 * MINUTE + int(share(bits, 7) * 3 * HOUR)
        vanishes = started is None and part(bits, 8) % 2 == 0
        return Plan(
            id=self._first_id + _ID_STRIDE * number + part(bits, 15) % _ID_STRIDE,
            number=number,
            job=job,
            created_at=created,
            dequeued_at=course.dequeued_at,
            started_at=started,
            ended_at=ended,
            finished_at=None if vanishes else ended,
            settled_at=settled,
            outcome=course.outcome,
            retries=None if retried is None else retried.id,
            bits=bits,
            commit=self._commit(job, created, bits) if retried is None else retried.commit,
            slowed=course.slowed,
            is_flaky=course.is_flaky,
        )

    def _commit(self, job: Job, at: int, bits: int) -> str:
        """Return the newest commit of a project; a pull request has its own."""
        if job.kind == "ci":
            return sha(bits)
        return sha(self._commits.roll(job.project.number << 32 | at // _COMMIT_PACE))

    def _planted(self, number: int, job: Job, retried: Plan | None, today: int) -> Course:
        """Return the course of a run in a world with findings."""
        account, created = self.account.number, self.created_at(number)
        before = range(max(number - _MOST_IN_RUSH, 1), number if self._rushes else 1)
        in_rush = [one for one in before if created - self.created_at(one) < HOUR]
        return rhythm_course(
            account,
            job,
            created,
            self._dice.roll(number),
            today=today,
            before=[self._plans(one, today) for one in in_rush],
            retried=retried,
            may_flake=self._may_flake(number)
            and self._is_retried_in_peace(number, job, created, today),
        )

    def _is_retried_in_peace(self, number: int, job: Job, created: int, today: int) -> bool:
        """Whether a retry has its time on the same day, and its project no other run until then."""
        again = self.created_at(number + _RETRIED_AFTER)
        if again // DAY != created // DAY or again - created < 3 * HOUR:
            return False
        between = range(number + 1, number + _RETRIED_AFTER)
        return all(self._job(one, today).project is not job.project for one in between)

    def _course(self, number: int, bits: int) -> Course:
        """Return the course of a run where nothing is planted; `bits` is its own roll."""
        anchor = self._anchor(number)
        created = self._moments.at(anchor)
        if anchor != number:
            # Half of the ties end at the same microsecond as well.
            shared = self._dice.roll(anchor)
            bits = shared if part(shared, 14) % 2 else bits
        waits_long = self._waits_long(number)
        wait = 8 * HOUR + int(share(bits, 1) * HOUR) if waits_long else part(bits, 1) * 1500
        if part(bits, 2) % (3 if waits_long else 32) == 1:
            ended = created + wait + MINUTE + part(bits, 3)
            return Course(created, None, None, ended, CANCELLED)
        dequeued = created + SECOND + wait
        started = dequeued + 2 * SECOND + part(bits, 3) * 100
        if self._runs_long(number):
            length = 20 * HOUR + part(bits, 4) * 9_000
        elif part(bits, 4) % 97 == 0:
            ended = started + _TIMEOUT + part(bits, 5)
            return Course(created, dequeued, started, ended, CANCELLED)
        else:
            length = 8 * SECOND + int(share(bits, 4) ** 3 * 40 * MINUTE)
        roll = part(bits, 9) % 100
        outcome = CANCELLED if roll < 3 else ERROR if roll < 16 else SUCCESS  # noqa: PLR2004
        ended = started + length + part(bits, 5)
        if part(bits, 12) % _WHOLE_SECOND_EVERY == 0:
            ended -= ended % SECOND
        return Course(created, dequeued, started, ended, outcome)

    def _retried(self, number: int, today: int) -> Plan | None:
        """Return the failed run that this one retries, if it does."""
        before = number - _RETRIED_AFTER
        at_will = part(self._dice.roll(number), 10) % 5 == 0
        if before < 1 or not (at_will or self._may_flake(before)):
            return None
        run = self._plans(before, today)
        ended = run.outcome == ERROR and run.ended_at <= self.created_at(number)
        return run if ended and (at_will or run.is_flaky) else None

    def _may_flake(self, number: int) -> bool:
        """Whether the flaky test may fail in a run, unless that is a retry."""
        at, job = self.created_at(number), self._own_job(number)
        return self._window > 0 and findings.may_flake(self.account.number, job.number, at)

    def _job(self, number: int, today: int) -> Job:
        """Return the job of a run; a retry has that of what it retries."""
        retried = self._retried(number, today)
        return self._own_job(number) if retried is None else retried.job

    def _own_job(self, number: int) -> Job:
        bits, created = self._dice.roll(number), self.created_at(number)
        job = pick(self.account.turns, bits, 11)
        is_gone = job.deleted_at is not None and job.deleted_at <= created
        return pick(self.account.stand_ins, bits, 10) if is_gone else job
