"""What there is to find in a world that is a window: `docs/demo.md` tells it to people.

A finding stands relative to the world's day, or comes again and again. What only comes again is the
same on every day; what is relative to the day (`SLOWER`, `STREAKS`, `STALE`) tells another history
on another day. Numbers of accounts, organizations, jobs and projects count from 0.
"""

from __future__ import annotations

from typing import NamedTuple

from cloudapis_simulator.clock import DAY, HOUR, MINUTE

_DAYS_OF_A_WEEK = 7
_THURSDAY = 3  # the first day of 1970


class Slower(NamedTuple):
    """A job whose runs take longer from so many days before today on."""

    account: int
    job: int
    days: int
    factor: float


class Streak(NamedTuple):
    """A job that fails from so many days before today on, until another day or until now.

    For `calm` days before and after that it does not fail.
    """

    account: int
    job: int
    begin: int
    end: int | None
    calm: int = 5


class BadDay(NamedTuple):
    """A project whose runs fail on a day of the week (0 is Monday), but for one of six."""

    account: int
    project: int
    weekday: int


class Flaky(NamedTuple):
    """A job one of whose tests fails now and then, and passes when the run is retried.

    It does so in runs that begin in these hours, so that the retry is on the same day.
    """

    account: int
    job: int
    hours: range


class Rush(NamedTuple):
    """An hour of each day in which all runs of these hours are created, and have few slots."""

    hours: range
    at: int
    minutes: int
    slots: int


class Stale(NamedTuple):
    """A source that has not been loaded since so many days before today."""

    account: int
    project: int
    source: int
    days: int


class Forgotten(NamedTuple):
    """A stack without updates for so many days, by people who have done nothing since."""

    stack: str
    days: int
    resources: int
    people: range


class Laptop(NamedTuple):
    """A stack half of whose updates one person makes by hand, with changes not committed."""

    stack: str
    person: int


class Idle(NamedTuple):
    """People of dbt Cloud, one of so many, who logged in so many days ago for the last time."""

    every: int
    days: int


SLOWER = Slower(account=0, job=4, days=6, factor=1.8)
STREAKS = (
    Streak(account=0, job=8, begin=4, end=None),
    Streak(account=1, job=8, begin=16, end=13),
)
BAD_DAY = BadDay(account=0, project=1, weekday=0)
FLAKY = Flaky(account=0, job=0, hours=range(12, 17))
RUSH = Rush(hours=range(12), at=6, minutes=6, slots=2)
STALE = Stale(account=0, project=0, source=0, days=4)
FORGOTTEN = Forgotten("Acme-Cloud/Data-Platform/Dev-Ana", 147, 612, range(21, 24))
LAPTOP = Laptop("Acme-Cloud/k8s.cluster/prod", 7)
DRIFTED = "Acme-Cloud/Data-Platform/prod"
IDLE = Idle(every=7, days=120)
PEOPLE_AT_WORK = 20
"""So many members of each organization make updates; the other seats are idle."""


def slowed(account: int, job: int, at: int, today: int) -> float:
    """Return how many times as long as usual a run takes that is created at a time."""
    it = SLOWER
    found = (account, job) == (it.account, it.job) and at >= today - it.days * DAY
    return it.factor if found else 1.0


def fate(account: int, job: int, at: int, today: int) -> bool | None:
    """Return whether a run fails, where a streak or the calm around it says so."""
    for it in STREAKS:
        if (account, job) == (it.account, it.job):
            begin = today - it.begin * DAY
            end = today + DAY if it.end is None else today - it.end * DAY
            if begin <= at < end:
                return True
            if begin - it.calm * DAY <= at < end + it.calm * DAY:
                return False
    return None


def is_bad_day(account: int, project: int, at: int) -> bool:
    """Whether most runs of a project fail on the day of a moment."""
    weekday = (at // DAY + _THURSDAY) % _DAYS_OF_A_WEEK
    return (account, project, weekday) == BAD_DAY


def may_flake(account: int, job: int, at: int) -> bool:
    """Whether the flaky test may fail in a run."""
    return (account, job) == (FLAKY.account, FLAKY.job) and at % DAY // HOUR in FLAKY.hours


def rushed(at: int) -> int:
    """Return when something happens that would happen at a moment, were there no rush."""
    midnight = at - at % DAY
    into = at % DAY - RUSH.hours.start * HOUR
    if not 0 <= into < len(RUSH.hours) * HOUR:
        return at
    return midnight + RUSH.at * HOUR + into * RUSH.minutes * MINUTE // (len(RUSH.hours) * HOUR)


def loaded(account: int, project: int, source: int, at: int, today: int) -> int:
    """Return the last moment in which a source can have been loaded, of those up to `at`."""
    is_stale = (account, project, source) == (STALE.account, STALE.project, STALE.source)
    return min(at, today - STALE.days * DAY) if is_stale else at
