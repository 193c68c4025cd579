"""Every number that the page tells of runs and jobs, counted again from the rows."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cloudapis_report import words
from cloudapis_report.naming import labelled
from cloudapis_report.weeks import of_week
from tests.report.counting import (
    by,
    marks,
    plain,
    quantile,
    rate,
    read,
    said,
    shows,
    stand,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.report.counting import Row, Time
    from tests.report.writing import Written

pytestmark = pytest.mark.slow

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: Of run hours, the part by the name of its column, and by its word in a label.
PARTS = {
    "useful": ("Succeeded", "succeeded"),
    "ci": ("Ci and merge", "CI and merge"),
    "retried": ("Retries", "retries"),
    "failed": ("Failed", "failed"),
    "cancelled": ("Cancelled", "cancelled"),
}


def test_outcomes(made: Written, time: Time) -> None:
    shown = made.page.articles["outcomes"]
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
    recent = [row for row in daily if row["week"] >= time.week - timedelta(weeks=25)]
    weeks = by((row for row in recent if row["runs"]), "week")
    shows(
        shown.tables["Runs by week and outcome"],
        [
            {
                "Week from": week,
                "Runs": total(weeks[week], "runs"),
                "Succeeded": total(weeks[week], "succeeded"),
                "Failed": total(weeks[week], "failed"),
                "Cancelled": total(weeks[week], "cancelled"),
                "Success rate": rate(weeks[week]),
                "Eventual success": _eventual(weeks[week]),
            }
            for week in sorted(weeks, reverse=True)
        ],
    )
    labels = [
        f"{of_week(week)}: {words.number(total(rows, outcome))} {outcome}"
        for week, rows in weeks.items()
        for outcome in ("failed", "cancelled", "succeeded")
    ]
    labels += [
        f"{of_week(week)}: {words.percent(share)} succeeded"
        for week, rows in weeks.items()
        if (share := rate(rows)) is not None
    ]
    projects = [
        rows
        for _, rows in sorted(by(recent, "account_id", "project_id").items(), key=_most_failures)
        if total(rows, "failed")
    ][:6]
    told = [
        (rows[0]["project_name"], week, total(of, "failed"), total(of, "runs"))
        for rows in projects
        for week, of in sorted(by(rows, "week").items())
    ]
    shows(
        shown.tables["Failed runs by project and week"],
        [dict(zip(("Project", "Week from", "Failed", "Runs"), row, strict=True)) for row in told],
    )
    labels += [
        f"{of_week(week)}: {words.count(failed, 'failed run')} of {words.number(runs)}"
        for _, week, failed, runs in told
    ]
    marks(shown, labels)
    assert shown.also == _weekdays(daily, time)


def test_a_weekday_is_named(usual: Written) -> None:
    (told,) = usual.page.articles["outcomes"].also
    assert told.startswith("Product fails on Mondays: ")


def _eventual(rows: Sequence[Row]) -> float | None:
    roots = total(rows, "roots")
    return total(rows, "roots_succeeded") / roots if roots else None


def _most_failures(project: tuple[tuple[int, int], list[Row]]) -> tuple[object, ...]:
    key, rows = project
    return -total(rows, "failed"), -total(rows, "runs"), key


def _weekdays(daily: Sequence[Row], time: Time) -> list[str]:
    """On which weekdays projects fail three times as often as else, and not by chance."""
    found = []
    recent = [row for row in daily if row["day"] > time.today - timedelta(days=90)]
    for rows in by(recent, "account_id", "project_id").values():
        for weekday, name in enumerate(DAYS):
            then = [row for row in rows if row["day"].weekday() == weekday]
            else_ = [row for row in rows if row["day"].weekday() != weekday]
            (failed, ended), (failed_else, ended_else) = map(_failed_of, (then, else_))
            if failed < 5 or not ended_else:
                continue
            share, other = failed / ended, failed_else / ended_else
            chance = (failed_else + 1) / (ended_else + 2)
            deviation = math.sqrt(ended * chance * (1 - chance))
            if share >= max(3 * other, 0.2) and failed - ended * chance >= 5 * deviation:
                said_of = read(rows[0]["project_name"])
                told = (
                    f"{said_of} fails on {name}s: {said(words.percent, share)} of its runs then, "
                    f"{said(words.percent, other)} on other days"
                )
                found.append((other - share, said_of, told))
    return [told for *_, told in sorted(found)[:3]]


def _failed_of(rows: Sequence[Row]) -> tuple[int, int]:
    failed = total(rows, "failed")
    return failed, failed + total(rows, "succeeded")


def test_durations(made: Written, time: Time) -> None:
    shown = made.page.articles["durations"]
    jobs = [
        row
        for row in made.models("dbt_cloud__jobs")
        if row["is_deleted"] is False and row["p50_run_seconds_30d"] is not None
    ]
    jobs.sort(
        key=lambda row: (
            -row["p50_change"] if _is_slower(row) else 0,
            *(-row["p50_run_seconds_30d"], row["job_name"], row["job_id"]),
        )
    )
    slower = [row for row in jobs if _is_slower(row)]
    jobs = labelled(jobs[:15], lambda row: row["job_name"], "project_name", "account_name")
    first = jobs[0]
    if slower:
        more = len(slower) - 1
        others = f"; {words.count(more, 'other job')} got slower, too" if more else ""
        assert shown.title == read(
            f"{first['label']} takes {first['p50_change']:.1f} times as long as before: "
            f"{words.duration(first['p50_run_seconds_7d'])}, up from "
            f"{words.duration(first['p50_run_seconds_before'])}{others}"
        )
    else:
        assert shown.title == read(
            f"No job got slower by half; {first['label']} is the slowest, with "
            f"{words.duration(first['p50_run_seconds_30d'])} at the median"
        )
    shows(
        shown.tables["Jobs: what got slower, then what is slowest"],
        [
            {
                "Job": row["job_name"],
                "Project": row["project_name"],
                "Account": row["account_name"],
                "Median, 30 days": row["p50_run_seconds_30d"],
                "95 %, 30 days": row["p95_run_seconds_30d"],
                "Median, 7 days": row["p50_run_seconds_7d"],
                "The 28 before": row["p50_run_seconds_before"],
                "Change": row["p50_change"],
                "Succeeded": row["succeeded_30d"],
            }
            for row in jobs
        ],
    )
    models = labelled(
        _slower_models(made.models("dbt_cloud__model_daily"), time),
        lambda row: row["node_name"],
        *("project_name", "environment_name", "account_name"),
    )
    shows(
        shown.tables["Models that got slower"],
        [
            {
                "Model": row["node_name"],
                "Project": row["project_name"],
                "Environment": row["environment_name"],
                "Account": row["account_name"],
                "Day": row["day"],
                "Median that day": row["p50_seconds"],
                "Before": row["baseline_seconds"],
                "Change": row["ratio"],
            }
            for row in models
        ],
    )
    worst = models[0]
    assert shown.also == [
        plain(
            f"Of the models, {worst['label']} got slowest: "
            f"{words.duration(worst['p50_seconds'])}, up from "
            f"{words.duration(worst['baseline_seconds'])}"
        )
    ]
    # A dot for the median; with a 95th percentile, one for that and a line between them.
    labels = [
        read(_told_of(row)) for row in jobs for _ in range(3 if row["p95_run_seconds_30d"] else 1)
    ]
    labels += 2 * [
        f"{row['label']}: {words.duration(row['p50_seconds'])} on {words.day(row['day'])}, "
        f"{words.duration(row['baseline_seconds'])} before"
        for row in models
    ]
    marks(shown, labels)
    stand(shown, [f"▲ {words.change(row['p50_change'])}" for row in jobs if _is_slower(row)])
    stand(
        shown,
        [f"{words.duration(row['p50_seconds'])} ▲ {words.change(row['ratio'])}" for row in models],
    )


def _is_slower(job: Row) -> bool:
    return (job["p50_change"] or 0) >= 1.5


def _told_of(job: Row) -> str:
    told = f"{job['label']}: {words.duration(job['p50_run_seconds_30d'])} at the median"
    if job["p95_run_seconds_30d"] is not None:
        told += f", {words.duration(job['p95_run_seconds_30d'])} at 95 %"
    if job["p50_change"] is not None:
        told += f"; 7 days against the 28 before: {words.change(job['p50_change'])}"
    return told


def _slower_models(daily: Sequence[Row], time: Time) -> list[Row]:
    """The newest slow day of each model of the last week, the slowest first."""
    slow = [
        row for row in daily if row["is_regressed"] and row["day"] > time.today - timedelta(days=7)
    ]
    newest = [
        max(rows, key=lambda row: row["day"])
        for rows in by(slow, "account_id", "environment_id", "node_id").values()
    ]
    names = ("node_name", "node_id", "account_id", "environment_id")
    return sorted(newest, key=lambda row: (-row["ratio"], *(row[name] for name in names)))[:12]


def test_run_hours(made: Written) -> None:
    shown = made.page.articles["run-hours"]
    jobs = [row for row in made.models("dbt_cloud__jobs") if row["run_hours_30d"]]
    jobs.sort(key=lambda row: (-row["run_hours_30d"], row["account_id"], row["job_id"]))
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
    more = len(jobs) - 15
    first = labelled(
        jobs[:15],
        lambda row: row["job_name"] or "a job without a name",
        *("project_name", "account_name"),
    )
    groups = [(row["label"], [row]) for row in first]
    groups += [(words.count(more, "other job"), jobs[15:])] if more > 0 else []
    shows(
        shown.tables["Run hours by job, 30 days"],
        [
            {
                "Job": rows[0]["job_name"] or "a job without a name" if at < 15 else name,
                "Project": rows[0]["project_name"] if at < 15 else None,
                "Account": rows[0]["account_name"] if at < 15 else None,
                "Runs": total(rows, "runs_30d"),
                "Hours": total(rows, "run_hours_30d") * 3600,
                "Share": total(rows, "run_hours_30d") / hours,
                **{
                    heading: total(rows, f"{part}_run_hours_30d") * 3600
                    for part, (heading, _) in PARTS.items()
                },
            }
            for at, (name, rows) in enumerate(groups)
        ],
    )
    marks(
        shown,
        [
            read(f"{name}: {words.hours(took * 3600)} {word}")
            for name, rows in groups
            for part, (_, word) in PARTS.items()
            if (took := total(rows, f"{part}_run_hours_30d"))
        ],
    )
    sums = [total(rows, "run_hours_30d") for _, rows in groups]
    stand(shown, [f"{words.hours(each * 3600)} · {words.percent(each / hours)}" for each in sums])


def test_waiting(made: Written, time: Time) -> None:
    shown = made.page.articles["waiting"]
    waits = [
        row
        for row in made.models("dbt_cloud__runs")
        if row["queue_seconds"] is not None
        and not row["is_ci"]
        and time.within(row["requested_at"], 28)
    ]
    cells = by(waits, "requested_weekday", "requested_hour_of_day")
    found = [
        {
            "Weekday": DAYS[weekday - 1],
            "Hour": f"{hour:02}:00",
            "Runs": len(rows),
            "Median wait": quantile((row["queue_seconds"] for row in rows), 0.5),
            "Longest": max(row["queue_seconds"] for row in rows),
        }
        for (weekday, hour), rows in sorted(cells.items())
    ]
    shows(shown.tables["Time in the queue by weekday and hour, 28 days"], found)
    usual = [row for row in found if row["Runs"] >= 3] or found
    worst = max(usual, key=lambda row: row["Median wait"])
    whole = words.duration(quantile((row["queue_seconds"] for row in waits), 0.5))
    long = words.duration(worst["Median wait"])
    out = []
    for hour, rows in by(waits, "requested_hour_of_day").items():
        own = quantile((row["queue_seconds"] for row in rows), 0.5)
        rest = [row["queue_seconds"] for row in waits if row["requested_hour_of_day"] != hour]
        if len(rows) >= 10 and rest and own >= max(60, 5 * quantile(rest, 0.5)):
            out.append((hour, words.duration(own), words.duration(quantile(rest, 0.5))))
    assert shown.title == plain(
        f"Runs wait {out[0][1]} at the median when created at {out[0][0]:02}:00, {out[0][2]} at "
        "other hours"
        if len(out) == 1
        else f"Runs wait {whole} at the median; longest on {worst['Weekday']}s at {worst['Hour']}, "
        f"with {long}"
        if worst["Median wait"] >= 60
        else f"Runs hardly wait: {whole} at the median, and {long} in the worst hour of the week"
    )
    slots = made.models("dbt_cloud__slots_hourly")
    hours = by((row for row in slots if time.within(row["hour_utc"], 28)), "hour_of_day")
    taken = {hour: total(rows, "saturated_minutes") for hour, rows in sorted(hours.items())}
    shows(
        shown.tables["Run slots by hour of the day, 28 days"],
        [
            {
                "Hour": f"{hour:02}:00",
                "Minutes with all slots taken": minutes,
                "Waited in all": total(hours[hour], "waited_seconds"),
                "Most runs at once": max(row["max_running"] for row in hours[hour]),
                "Run slots": max(row["run_slots"] for row in hours[hour]),
            }
            for hour, minutes in taken.items()
        ],
    )
    peak = max(taken, key=lambda hour: taken[hour])
    assert shown.also == [
        plain(
            f"All run slots were taken for {words.duration(sum(taken.values()) * 60)} in 28 days, "
            f"most between {peak:02}:00 and {(peak + 1) % 24:02}:00"
        )
        if sum(taken.values())
        else "The run slots were never all taken in 28 days"
    ]
    labels = [
        f"{row['Weekday']} {row['Hour']}: {words.duration(row['Median wait'])} at the median of "
        f"{words.count(row['Runs'], 'run')}, {words.duration(row['Longest'])} at most"
        for row in found
    ]
    labels += [
        f"{hour:02}:00: all slots taken for {words.duration(minutes * 60)} in 28 days"
        for hour, minutes in taken.items()
    ]
    marks(shown, labels)
