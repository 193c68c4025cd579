"""Every number that the page tells of runs and jobs, counted again from the rows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cloudapis_report import words
from tests.report.counting import Time, by, close, outcomes, plain, quantile, rate, said, total

if TYPE_CHECKING:
    from tests.report.conftest import Written
    from tests.report.reading import Article

pytestmark = pytest.mark.slow


@pytest.fixture(params=["usual", "elsewhere"])
def made(request: pytest.FixtureRequest) -> Written:
    found: Written = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def time(made: Written) -> Time:
    return Time(made)


def article(made: Written, key: str) -> Article:
    return made.page.articles[key]


def test_now(made: Written, time: Time) -> None:
    shown = article(made, "now")
    incidents = [row for row in made.models("platform__incidents") if row["is_open"]]
    jobs = [row for row in made.models("dbt_cloud__jobs") if not row["is_deleted"]]
    stacks = [row for row in made.models("pulumi_cloud__stacks") if row["staleness"] != "destroyed"]
    runs = made.models("dbt_cloud__runs")
    longest = max(incidents, key=lambda row: row["open_seconds"])
    services = by(incidents, "service")
    dbt, pulumi = (len(services[each]) for each in ("dbt_cloud", "pulumi_cloud"))
    assert min(dbt, pulumi) > 0
    told = (
        f"{words.count(dbt, 'production job')} and {words.count(pulumi, 'production stack')} "
        f"are failing now, the longest for {words.duration(longest['open_seconds'])}"
    )
    assert made.page.headline == shown.title == plain(told)
    failing = [row for row in jobs if row["health"] in ("broken", "failing")]
    streak = max(row["consecutive_failures"] for row in failing)
    bad_stacks = [row for row in stacks if row["consecutive_failures"]]
    bad_streak = max(row["consecutive_failures"] for row in bad_stacks)
    week = outcomes(row for row in runs if time.within(row["finished_at"], 7))
    before = outcomes(row for row in runs if time.within(row["finished_at"], 35, 7))
    now, then = (
        said(words.share, each["success"], each["success"] + each["error"])
        for each in (week, before)
    )
    states = by(runs, "state")
    assert shown.tiles == {
        "Open incidents": (
            str(len(incidents)),
            f"{words.count(dbt, 'job')}, {words.count(pulumi, 'stack')}",
        ),
        "Failing jobs": (str(len(failing)), f"of {len(jobs)} jobs, up to {streak} times in a row"),
        "Failing stacks": (
            str(len(bad_stacks)),
            f"of {len(stacks)} stacks, up to {bad_streak} times in a row",
        ),
        "Running now": (
            str(len(states.get("running", [])) + len(states.get("starting", []))),
            f"{words.count(len(states.get('queued', [])), 'run')} in the queue",
        ),
        "Success, 7 days": (now, f"{then} in the 28 days before"),
        "Longest open incident": (
            said(words.duration, longest["open_seconds"]),
            longest["scope_name"],
        ),
    }
    table = shown.tables["Open incidents, the longest first"]
    incidents.sort(key=lambda row: -row["open_seconds"])
    assert table.column("Job or stack") == [row["scope_name"] for row in incidents]
    assert close(table.numbers("Open for"), [row["open_seconds"] for row in incidents])
    assert close(table.numbers("Failed attempts"), [row["failed_attempts"] for row in incidents])


def test_facts(made: Written) -> None:
    runs, updates = made.models("dbt_cloud__runs"), made.models("pulumi_cloud__updates")
    jobs, stacks = made.models("dbt_cloud__jobs"), made.models("pulumi_cloud__stacks")
    since = min(*(row["requested_date"] for row in runs), *(row["started_date"] for row in updates))
    for fact in (
        words.count(len(jobs), "job"),
        words.count(len(runs), "run"),
        words.count(len(stacks), "stack"),
        words.count(len(updates), "update"),
        f"history since {said(words.day, since)}",
    ):
        assert fact in made.page.facts.split(" · ")


def test_run_matrix(made: Written) -> None:
    shown = article(made, "run-matrix")
    jobs = [row for row in made.models("dbt_cloud__jobs") if not row["is_deleted"]]
    ended = [row for row in jobs if row["last_outcome"]]
    stacks = [
        row
        for row in made.models("pulumi_cloud__stacks")
        if row["staleness"] != "destroyed" and row["last_update"]
    ]
    failed = sum(row["last_outcome"] == "error" for row in ended)
    bad = sum(row["consecutive_failures"] > 0 for row in stacks)
    assert shown.title == (
        f"The last run failed in {failed} of {len(ended)} jobs and the last update failed in "
        f"{bad} of {len(stacks)} stacks"
    )
    # The worst come first, and none of the failing is left out.
    table = shown.tables["Jobs, the worst first"]
    order = {"broken": 0, "failing": 1, "late": 2, "slower": 3, "over-scheduled": 4, "healthy": 5}
    ranks = [order.get(health, 6) for health in table.column("Health")]
    assert ranks == sorted(ranks)
    assert len(ranks) == min(25, sum(row["health"] != "never run" for row in jobs))
    unhealthy = {row["job_name"] for row in jobs if row["health"] in ("broken", "failing")}
    assert unhealthy <= set(table.column("Job"))
    by_name = {row["job_name"]: row for row in jobs}
    rows = [by_name[name] for name in table.column("Job")]
    assert close(table.numbers("Succeeded, 30 days"), [row["success_rate_30d"] for row in rows])
    # Each cell is one of the last forty runs of its job, and says what the run says.
    expected = []
    runs = by(made.models("dbt_cloud__runs"), "job_id")
    for row in rows:
        newest = sorted(runs[row["job_id"]], key=lambda run: run["requested_at"])[-40:]
        expected += [_cell(run["outcome"], run["git_sha"]) for run in newest]
    updates = by(made.models("pulumi_cloud__updates"), "stack_id")
    by_stack = {(row["project_name"], row["stack_name"]): row for row in stacks}
    table = shown.tables["Stacks, the worst first"]
    for key in zip(table.column("Project"), table.column("Stack"), strict=True):
        stack_id = by_stack[key]["stack_id"]
        newest = sorted(updates[stack_id], key=lambda update: update["version"])[-40:]
        expected += [_cell(update["outcome"], update["commit_sha"]) for update in newest]
    assert [(kind, re.findall(r"\b[0-9a-f]{7}\b", text)[-1]) for kind, text in shown.cells] == (
        expected
    )


def _cell(outcome: str, sha: str) -> tuple[str, str]:
    return {"success": "s", "error": "e", "cancelled": "c", "open": "o"}[outcome], sha[:7]


def test_outcomes(made: Written, time: Time) -> None:
    shown = article(made, "outcomes")
    daily = made.models("dbt_cloud__job_daily")
    last, before = time.weeks(8)[:4], time.weeks(8)[4:]
    now = rate(row for row in daily if row["week"] in last)
    then = rate(row for row in daily if row["week"] in before)
    assert now is not None
    assert then is not None
    points = (now - then) * 100
    change = f"{abs(points):.1f} points {'more' if points > 0 else 'less'} than before"
    if abs(points) < 0.5:
        change = "as in the 4 before"
    assert shown.title == (
        f"{said(words.percent, now)} of runs succeeded in the last 4 full weeks, {change}"
    )
    table = shown.tables["Runs by week and outcome"]
    since = time.week - timedelta(weeks=25)
    weeks = by((row for row in daily if row["week"] >= since), "week")
    groups = [weeks[week] for week in sorted(weeks, reverse=True)]
    assert close(table.numbers("Week from"), [rows[0]["week"].toordinal() for rows in groups])
    for heading, field in (
        ("Runs", "runs"),
        ("Succeeded", "succeeded"),
        ("Failed", "failed"),
        ("Cancelled", "cancelled"),
    ):
        assert close(table.numbers(heading), [total(rows, field) for rows in groups])
    assert close(table.numbers("Success rate"), [rate(rows) for rows in groups])
    table = shown.tables["Failed runs by project and week"]
    projects = by((row for row in daily if row["week"] >= since), "project_name", "week")
    keys = zip(table.column("Project"), table.numbers("Week from"), strict=True)
    told = dict(zip(keys, table.numbers("Failed"), strict=True))
    assert told == {
        key: total(rows, "failed")
        for (name, week), rows in projects.items()
        if (key := (name, float(week.toordinal()))) and name in table.column("Project")
    }
    failures = {name: total(rows, "failed") for name, rows in by(daily, "project_name").items()}
    assert len(set(table.column("Project"))) == min(6, sum(map(bool, failures.values())))


def test_weekdays(usual: Written) -> None:
    shown = article(usual, "outcomes")
    today = Time(usual).today
    daily = [
        row
        for row in usual.models("dbt_cloud__job_daily")
        if row["day"] > today - timedelta(days=90) and row["project_name"] == "Product"
    ]
    mondays = [row for row in daily if row["day"].weekday() == 0]
    others = [row for row in daily if row["day"].weekday() != 0]
    failed, otherwise = (1 - (rate(rows) or 0) for rows in (mondays, others))
    assert shown.also == [
        (
            f"Product fails on Mondays: {said(words.percent, failed)} of its runs then, "
            f"{said(words.percent, otherwise)} on other days"
        )
    ]


def test_durations(made: Written) -> None:
    shown = article(made, "durations")
    jobs = [
        row
        for row in made.models("dbt_cloud__jobs")
        if not row["is_deleted"] and row["p50_run_seconds_30d"] is not None
    ]
    slower = [row for row in jobs if (row["p50_change"] or 0) >= 1.5]
    first = max(slower, key=lambda row: row["p50_change"], default=None)
    if first:
        more = len(slower) - 1
        others = f"; so do {more} other jobs" if more > 1 else "; so does 1 other job" * more
        assert shown.title == plain(
            f"{first['job_name']} takes {first['p50_change']:.1f} times as long as before: "
            f"{words.duration(first['p50_run_seconds_7d'])}, up from "
            f"{words.duration(first['p50_run_seconds_before'])}{others}"
        )
    else:
        slowest = max(jobs, key=lambda row: row["p50_run_seconds_30d"])
        assert shown.title == plain(
            f"No job got slower by half; {slowest['job_name']} is the slowest, with "
            f"{words.duration(slowest['p50_run_seconds_30d'])} at the median"
        )
    table = shown.tables["Jobs: what got slower, then what is slowest"]
    jobs.sort(
        key=lambda row: (
            -row["p50_change"] if (row["p50_change"] or 0) >= 1.5 else 0,
            -row["p50_run_seconds_30d"],
        )
    )
    expected = jobs[:15]
    assert table.column("Job") == [row["job_name"] for row in expected]
    for heading, field in (
        ("Median, 30 days", "p50_run_seconds_30d"),
        ("95 %, 30 days", "p95_run_seconds_30d"),
        ("Median, 7 days", "p50_run_seconds_7d"),
        ("Change", "p50_change"),
    ):
        assert close(table.numbers(heading), [row[field] for row in expected])
    models = shown.tables.get("Models that got slower")
    ratios = {
        name: max(rows, key=lambda row: row["day"])["ratio"]
        for name, rows in by(
            (row for row in made.models("dbt_cloud__model_daily") if row["is_regressed"]),
            "node_name",
        ).items()
    }
    assert models
    assert close(models.numbers("Change"), sorted(ratios.values(), reverse=True)[:12])


def test_run_hours(made: Written) -> None:
    shown = article(made, "run-hours")
    jobs = [row for row in made.models("dbt_cloud__jobs") if row["run_hours_30d"]]
    jobs.sort(key=lambda row: -row["run_hours_30d"])
    hours = total(jobs, "run_hours_30d")
    lost = sum(total(jobs, f"{part}_run_hours_30d") for part in ("failed", "retried", "cancelled"))
    most, so_far = 0, 0.0
    while so_far < 0.8 * hours:
        so_far += jobs[most]["run_hours_30d"]
        most += 1
    assert shown.title == plain(
        f"{words.count(most, 'job takes', 'jobs take')} 80 % of {words.hours(hours * 3600)} of "
        f"runs in 30 days; {words.share(lost, hours)} of it came to nothing"
    )
    table = shown.tables["Run hours by job, 30 days"]
    groups = [[row] for row in jobs[:15]] + ([jobs[15:]] if jobs[15:] else [])
    for heading, field in (
        ("Hours", "run_hours_30d"),
        ("Succeeded", "useful_run_hours_30d"),
        ("Failed", "failed_run_hours_30d"),
        ("Retries", "retried_run_hours_30d"),
        ("Cancelled", "cancelled_run_hours_30d"),
        ("Ci and merge", "ci_run_hours_30d"),
    ):
        assert close(table.numbers(heading), [total(rows, field) * 3600 for rows in groups])
    assert close(table.numbers("Runs"), [total(rows, "runs_30d") for rows in groups])
    assert abs(sum(value or 0 for value in table.numbers("Share")) - 1) < 1e-9
    assert (table.column("Job")[-1] == f"{len(jobs) - 15} other jobs") == (len(jobs) > 15)


def test_waiting(made: Written, time: Time) -> None:
    shown = article(made, "waiting")
    waits = [
        row
        for row in made.models("dbt_cloud__runs")
        if row["queue_seconds"] is not None
        and not row["is_ci"]
        and time.within(row["requested_at"], 28)
    ]
    cells = by(waits, "requested_weekday", "requested_hour_of_day")
    table = shown.tables["Time in the queue by weekday and hour, 28 days"]
    groups = [cells[key] for key in sorted(cells)]
    assert close(table.numbers("Runs"), [len(rows) for rows in groups])
    medians = [quantile((row["queue_seconds"] for row in rows), 0.5) for rows in groups]
    assert close(table.numbers("Median wait"), medians)
    whole = quantile((row["queue_seconds"] for row in waits), 0.5)
    usual = [median for median, rows in zip(medians, groups, strict=True) if len(rows) >= 3]
    assert plain(words.duration(whole)) in shown.title
    assert plain(words.duration(max(usual or medians))) in shown.title
    hours = by(
        (row for row in made.models("dbt_cloud__slots_hourly") if time.within(row["hour_utc"], 28)),
        "hour_of_day",
    )
    table = shown.tables["Run slots by hour of the day, 28 days"]
    minutes = [total(hours[hour], "saturated_minutes") for hour in sorted(hours)]
    assert close(table.numbers("Minutes with all slots taken"), minutes)
    if sum(minutes):
        assert said(words.duration, sum(minutes) * 60) in shown.also[0]
    labels = [label for label in shown.labels if "at the median of" in label]
    assert len(labels) == 2 * len(groups)
