"""What there is to find in the demo, as `docs/demo.md` tells it: looked for in the raw rows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.demo import WORLD

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]

DATES = ("2026-07-01T08:00:00Z", "2026-11-26T16:00:00Z", "2027-11-27T11:00:00Z")
STREAMS = (
    "dbt_accounts",
    "dbt_jobs",
    "dbt_runs",
    "dbt_run_results",
    "dbt_source_freshness",
    "dbt_users",
    "pulumi_drift_runs",
    "pulumi_organization_members",
    "pulumi_stack_updates",
    "pulumi_stacks",
    "pulumi_usage_daily",
)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SUCCESS, ERROR = 10, 20
FIRST, SECOND = 1042, 70403103001042
"""The two accounts."""
SLOWER, BROKEN, RECOVERED = "Hourly 🚀 refresh #4", "Daily build #8", "Daily build #8"
BAD_PROJECT = 2103
FLAKY = "test.shop_2100.not_null_orders_0_id.e7a9c1e720"
STALE = "source.shop_2100.raw.orders_0"
FORGOTTEN = ("Acme-Cloud", "Data-Platform", "Dev-Ana")
LAPTOP = ("Acme-Cloud", "k8s.cluster", "prod")
DRIFTED = ("Acme-Cloud", "Data-Platform", "prod")


@dataclass
class World:
    """The truth at a time; `today` is the beginning of its day."""

    now: datetime
    rows: dict[str, list[Row]]

    @property
    def today(self) -> datetime:
        return self.now.replace(hour=0, minute=0, second=0)

    def runs(self, account: int, job: str = "") -> list[Row]:
        """The runs that have ended, in the order in which they were created."""
        names = {row["id"]: row["name"] for row in self.rows["dbt_jobs"]}
        return [
            row
            for row in self.rows["dbt_runs"]
            if row["account_id"] == account
            and row["is_complete"]
            and (not job or names.get(row["job_id"]) == job)
        ]


@pytest.fixture(scope="module", name="world", params=DATES)
def world_of_the_demo(request: pytest.FixtureRequest) -> World:
    chosen = [word for name in STREAMS for word in ("--stream", name)]
    command = [sys.executable, "-m", "cloudapis_simulator", "truth", *WORLD, *chosen]
    told = json.loads(subprocess.check_output([*command, "--now", request.param]))["streams"]
    return World(time(request.param), {name: told[name]["rows"] for name in STREAMS})


def time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def seconds(run: Row) -> float:
    return (time(run["finished_at"]) - time(run["started_at"])).total_seconds()


def lengths(runs: Iterable[Row], begin: datetime, end: datetime) -> list[float]:
    """How long the runs took that were created between two moments, and succeeded."""
    return [
        seconds(run)
        for run in runs
        if run["status"] == SUCCESS and begin <= time(run["created_at"]) < end
    ]


def outcomes(runs: Iterable[Row], begin: datetime, end: datetime) -> list[int]:
    """Which of the runs succeeded and failed that were created between two moments."""
    return [
        run["status"]
        for run in runs
        if run["status"] in (SUCCESS, ERROR) and begin <= time(run["created_at"]) < end
    ]


def names_of(row: Row) -> tuple[str, str, str]:
    return row["org_name"], row["project_name"], row["stack_name"]


def test_one_job_takes_nearly_twice_as_long_since_six_days(world: World) -> None:
    since = world.today - 6 * DAY
    ratios = {}
    for account in (FIRST, SECOND):
        for job in {row["name"] for row in world.rows["dbt_jobs"] if row["account_id"] == account}:
            runs = world.runs(account, job)
            lately = lengths(runs, since, world.now)
            before = lengths(runs, since - 28 * DAY, since)
            if min(len(lately), len(before)) >= 5:
                ratios[account, job] = median(lately) / median(before)
    assert 1.7 < ratios.pop((FIRST, SLOWER)) < 1.9
    assert len(ratios) > 3
    assert all(0.7 < ratio < 1.3 for ratio in ratios.values())


def test_one_job_fails_since_four_days(world: World) -> None:
    runs, since = world.runs(FIRST, BROKEN), world.today - 4 * DAY
    lately = outcomes(runs, since, world.now)
    assert len(lately) >= 3
    assert set(lately) == {ERROR}
    assert set(outcomes(runs, since - 5 * DAY, since)) == {SUCCESS}


def test_one_job_failed_for_three_days_and_recovered(world: World) -> None:
    runs, begin, end = world.runs(SECOND, RECOVERED), world.today - 16 * DAY, world.today - 13 * DAY
    failed = outcomes(runs, begin, end)
    assert len(failed) >= 3
    assert set(failed) == {ERROR}
    assert set(outcomes(runs, end, end + 5 * DAY)) == {SUCCESS}
    assert set(outcomes(runs, begin - 5 * DAY, begin)) == {SUCCESS}


def test_one_project_fails_on_mondays(world: World) -> None:
    found: dict[bool, list[int]] = {True: [], False: []}
    for run in world.runs(FIRST):
        if run["project_id"] == BAD_PROJECT and run["status"] in (SUCCESS, ERROR):
            found[time(run["created_at"]).weekday() == 0].append(run["status"])
    failed = {monday: ended.count(ERROR) / len(ended) for monday, ended in found.items()}
    assert len(found[True]) > 50
    assert failed[True] > 0.7
    assert failed[False] < 0.12


def flips(world: World) -> Counter[str]:
    """How often each test passed after it had failed, with nothing changed or built between."""
    runs = {(run["account_id"], run["id"]): run for run in world.rows["dbt_runs"]}
    of_project: dict[object, list[Row]] = defaultdict(list)
    for row in world.rows["dbt_run_results"]:
        if row["execute_started_at"]:
            of_project[row["account_id"], row["project_id"]].append(row)
    found: Counter[str] = Counter()
    for rows in of_project.values():
        failed: dict[str, tuple[str, str]] = {}
        for row in sorted(rows, key=lambda row: str(row["execute_started_at"])):
            name, day = row["unique_id"], row["execute_started_at"][:10]
            told = (runs[row["account_id"], row["run_id"]]["git_sha"], day)
            if not name.startswith(("test.", "unit_test.")):
                failed.clear()  # something was built, maybe what is tested
            elif row["status"] == "fail":
                failed[name] = told
            elif row["status"] == "pass" and failed.pop(name, None) == told:
                found[name] += 1
    return found


def test_one_test_is_flaky(world: World) -> None:
    found = flips(world)
    ((name, count), *others) = found.most_common()
    assert name == FLAKY
    assert count >= 3  # in the sixty days of which files are kept
    assert all(times < count / 2 for _, times in others)


def test_one_source_is_stale(world: World) -> None:
    checks = [row for row in world.rows["dbt_source_freshness"] if row["unique_id"] == STALE]
    last = max(checks, key=lambda row: str(row["snapshotted_at"]))
    assert last["status"] == "error"
    assert time(last["max_loaded_at"]) <= world.today - 4 * DAY + 2 * MINUTE
    assert sum(row["status"] == "pass" for row in checks) > len(checks) / 2


def test_at_six_runs_wait_for_slots(world: World) -> None:
    names = {(row["account_id"], row["id"]): row for row in world.rows["dbt_jobs"]}
    for account in world.rows["dbt_accounts"]:
        waits, events = defaultdict(list), []
        for run in world.runs(account["id"]):
            if run["started_at"]:
                began, ended = time(run["started_at"]), time(run["finished_at"])
                wait = began - time(run["created_at"])
                waits[time(run["created_at"]).hour == 6].append(wait.total_seconds())
                job = names.get((account["id"], run["job_id"]), {"job_type": "scheduled"})
                if job["job_type"] != "ci":
                    events += [(began, 1), (ended, -1)]
        assert median(waits[True]) > 4 * 60
        assert median(waits[False]) < 20
        running, full = 0, Counter[int]()
        before = world.now
        for at, step in sorted(events):
            if running >= account["run_slots"]:
                full[before.hour] += (at - before) // MINUTE
            running, before = running + step, at
            assert running <= account["run_slots"]
        (hour, minutes), (_, others), *_ = full.most_common()
        assert hour == 6
        assert minutes > 10 * others


def test_some_seats_of_dbt_are_idle(world: World) -> None:
    logins = [time(row["last_login"]) for row in world.rows["dbt_users"] if row["last_login"]]
    idle = [at for at in logins if at < world.now - 120 * DAY]
    lately = [at for at in logins if at > world.now - 9 * DAY]
    assert 15 <= len(idle) <= 30
    assert len(lately) > 100
    assert max(logins) <= world.now


def test_most_seats_of_pulumi_are_idle(world: World) -> None:
    active = {
        (row["org_name"], row["requested_by_login"])
        for row in world.rows["pulumi_stack_updates"]
        if time(row["start_time"]) > world.now - 120 * DAY
    }
    seats = [row for row in world.rows["pulumi_organization_members"] if row["has_seat"]]
    used = [row for row in seats if (row["org_name"], row["user_login"]) in active]
    by_org = Counter(row["org_name"] for row in used)
    assert by_org == {"Acme-Cloud": 17, "umbrella.labs": 17}
    assert Counter(row["org_name"] for row in seats)["Acme-Cloud"] >= 40


def test_one_stack_is_forgotten_and_big(world: World) -> None:
    stacks = world.rows["pulumi_stacks"]
    old = [
        row
        for row in stacks
        if row["last_update"] and time(row["last_update"]) < world.now - 90 * DAY
    ]
    assert [names_of(row) for row in old] == [FORGOTTEN]
    assert 147 * DAY <= world.now - time(old[0]["last_update"]) < 170 * DAY
    counts = sorted(row["resource_count"] or 0 for row in stacks)
    assert old[0]["resource_count"] == counts[-1] > 600
    assert counts[-2] < 100


def test_somebody_deploys_to_production_from_a_laptop(world: World) -> None:
    updates = [row for row in world.rows["pulumi_stack_updates"] if row["stack_name"] == "prod"]
    by_hand = [row for row in updates if "ci.system" not in row["environment"]]
    assert len(by_hand) >= 3
    assert {names_of(row) for row in by_hand} == {LAPTOP}
    assert {row["requested_by_login"] for row in by_hand} == {"user-7"}
    assert {row["environment"]["git.dirty"] for row in by_hand} == {"true"}
    in_ci = [row for row in updates if row not in by_hand]
    assert {row["environment"]["git.dirty"] for row in in_ci} == {"false"}
    assert {row["requested_by_token"] for row in in_ci} == {"github-actions"}


def test_one_stack_has_drifted_in_every_check(world: World) -> None:
    checks = defaultdict(list)
    for row in world.rows["pulumi_drift_runs"]:
        if row["status"] == "succeeded":
            checks[names_of(row)].append(row["drift_detected"])
    assert len(checks[DRIFTED]) >= 3
    assert all(checks[DRIFTED])
    assert not any(
        all(found) for names, found in checks.items() if names != DRIFTED and len(found) >= 4
    )


def test_resources_become_more(world: World) -> None:
    for org in ("Acme-Cloud", "umbrella.labs"):
        days = sorted(
            (row["date"], row["resources"])
            for row in world.rows["pulumi_usage_daily"]
            if (row["org_name"], row["metric"]) == (org, "resources")
        )[:-2]  # the last ones are not settled
        (first, few), (last, many) = days[0], days[-1]
        assert 2 < (many - few) / (time(last) - time(first)).days < 4


def test_they_are_told_to_people() -> None:
    text = Path("docs/demo.md").read_text("utf-8")
    names = (SLOWER, BROKEN, FLAKY, STALE, "user-7")
    stacks = ("/".join(names) for names in (FORGOTTEN, LAPTOP, DRIFTED))
    assert not [name for name in (*names, *stacks) if name not in text]
