"""Runs, jobs and their days, out of the tables of dbt Cloud."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.report.counting import by, total
from tests.report.raw.tables import median, monday, p95, seconds, share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from tests.report.counting import Row
    from tests.report.raw.tables import Raw

_OUTCOMES = {10: "success", 20: "error", 30: "cancelled"}
_STATES = {1: "queued", 2: "starting", 3: "running"}
_OVER = ("success", "error")
_DELETED = 2
_HOUR, _DAY = 3600, 86_400


def runs(raw: Raw) -> list[Row]:
    """Each run, with its place among its retries."""
    rows = raw.rows("""
        select r.account_id, r.id as run_id, r.project_id, r.environment_id,
            r.job_definition_id as job_id, r.retrying_run_id, r.status, r.status_message,
            r.git_sha, r.run_url, r.created_at as requested_at, r.updated_at, r.should_start_at,
            r.dequeued_at, r.started_at, r.finished_at,
            lower(r.trigger ->> 'cause_category') as word, j.name as job_name, j.job_type,
            a.name as account_name, p.name as project_name, e.name as environment_name,
            e.deployment_type
        from dbt_runs r
        left join dbt_jobs j on j.account_id = r.account_id and j.id = r.job_definition_id
        left join dbt_accounts a on a.id = r.account_id
        left join dbt_projects p on p.account_id = r.account_id and p.id = r.project_id
        left join dbt_environments e on e.account_id = r.account_id and e.id = r.environment_id
    """)
    known = {(row["account_id"], row["run_id"]): row for row in rows}
    for row in rows:
        row["outcome"] = _OUTCOMES.get(row["status"], "open")
        row["state"] = _STATES[row["status"]] if row["outcome"] == "open" else "ended"
        is_over = row["outcome"] != "open"
        row["ended_at"] = (row["finished_at"] or row["updated_at"]) if is_over else None
        row["queue_seconds"] = seconds(row["requested_at"], row["started_at"])
        row["run_seconds"] = seconds(row["started_at"], row["finished_at"]) if is_over else None
        row["prep_seconds"] = seconds(row["dequeued_at"], row["started_at"])
        row["is_retry"] = row["retrying_run_id"] is not None
        row["is_production"] = row["deployment_type"] == "production"
        local = raw.local(row["requested_at"])
        row["requested_date"] = local.date()
        row["requested_weekday"], row["requested_hour_of_day"] = local.isoweekday(), local.hour
        row["ended_date"], row["ended_week"] = raw.day(row["ended_at"]), raw.week(row["ended_at"])
        first = row
        row["root_run_id"] = row["run_id"]
        while first["retrying_run_id"] is not None:
            row["root_run_id"] = first["retrying_run_id"]
            before = known.get((first["account_id"], first["retrying_run_id"]))
            if before is None:
                break
            first = before
        row["trigger_category"] = _category(first)
        row["is_ci"] = row["trigger_category"] == "ci" or row["job_type"] == "ci"
    of_job = by(rows, "account_id", "job_id")
    for row in rows:
        row["is_superseded"] = (
            row["outcome"] == "cancelled"
            and row["started_at"] is None
            and any(
                _created(row) < _created(other) and other["requested_at"] <= row["ended_at"]
                for other in of_job[row["account_id"], row["job_id"]]
            )
        )
    return rows


def _created(run: Row) -> tuple[datetime, int]:
    """Runs in the order in which they were created; numbers tell which of one instant is later."""
    return run["requested_at"], run["run_id"]


def _category(first: Row) -> str:
    """Why the first attempt began: the service's word for it, or else what its job is for."""
    word = first["word"] or ""
    if word in ("scheduled", "ci", "merge", "api", "ui"):
        return str(word)
    if "pull" in word or "merge_request" in word:
        return "ci"
    if word.startswith("job"):
        return "job_completion"
    return first["job_type"] if first["job_type"] in ("ci", "merge") else "other"


def jobs(raw: Raw) -> list[Row]:
    """Each job that is listed or has run, as it is now."""
    listed = raw.rows("""
        select account_id, id as job_id, project_id, environment_id, name as job_name, job_type,
            state, deactivated, (triggers ->> 'schedule') = 'true' as scheduled
        from dbt_jobs
    """)
    runs_of = by(raw("dbt_cloud__runs"), "account_id", "job_id")
    rows = [
        {
            **job,
            "is_deleted": job["state"] == _DELETED,
            "is_deactivated": bool(job["deactivated"]),
            "has_schedule": bool(job["scheduled"]),
        }
        for job in listed
    ]
    there = {(row["account_id"], row["job_id"]) for row in rows}
    rows += [
        {
            **dict.fromkeys(("job_name", "job_type")),
            # Its account lists others, so it is gone; or lists none, so nobody knows.
            "is_deleted": True if key[0] in {job["account_id"] for job in listed} else None,
            **{name: group[-1][name] for name in ("project_id", "environment_id")},
            "account_id": key[0],
            "job_id": key[1],
            "is_deactivated": False,
            "has_schedule": False,
        }
        for key, group in runs_of.items()
        if key not in there and key[1] is not None
    ]
    names = {
        name: {(row["account_id"], row["id"]): row for row in raw.rows(sql)}
        for name, sql in (
            ("account", "select id as account_id, id, name from dbt_accounts"),
            ("project", "select account_id, id, name from dbt_projects"),
            ("environment", "select account_id, id, deployment_type from dbt_environments"),
        )
    }
    for row in rows:
        account = row["account_id"]
        row["account_name"] = names["account"].get((account, account), {}).get("name")
        row["project_name"] = names["project"].get((account, row["project_id"]), {}).get("name")
        environment = names["environment"].get((account, row["environment_id"]), {})
        row["is_production"] = environment.get("deployment_type") == "production"
        group = sorted(runs_of.get((account, row["job_id"]), []), key=_end)
        row.update(_lately(group, raw))
        row.update(_ever(group))
        row.update(_paces(row, group, raw))
        row["health"], row["why"] = _health(row, raw)
    return rows


def _end(run: Row) -> tuple[bool, float, int]:
    """Runs in the order in which they ended; those that have not ended are first."""
    ended = run["ended_at"]
    return ended is not None, ended.timestamp() if ended else 0, run["run_id"]


def _ever(group: Sequence[Row]) -> Row:
    ended = [run for run in group if run["outcome"] != "open"]
    streak = 0
    for run in reversed([run for run in ended if run["outcome"] in _OVER and not run["is_ci"]]):
        if run["outcome"] == "success":
            break
        streak += 1
    won = [run["ended_at"] for run in ended if run["outcome"] == "success"]
    return {
        "runs_ever": len(group),
        "last_outcome": ended[-1]["outcome"] if ended else None,
        "last_run_url": ended[-1]["run_url"] if ended else None,
        "last_success_at": max(won, default=None),
        "consecutive_failures": streak,
    }


def _lately(group: Sequence[Row], raw: Raw) -> Row:
    """What the runs that ended in the last 30 days came to, and how long they took."""
    month = [run for run in group if run["outcome"] != "open" and raw.since(run["ended_at"], 30)]
    won = [run for run in month if run["outcome"] == "success"]
    lost = [run for run in month if run["outcome"] == "error"]
    won_lately = [run for run in group if run["outcome"] == "success"]
    week = [run for run in won_lately if raw.since(run["ended_at"], 7)]
    before = [
        run
        for run in won_lately
        if raw.since(run["ended_at"], 35) and not raw.since(run["ended_at"], 7)
    ]
    now, then = (median(run["run_seconds"] for run in part) for part in (week, before))
    enough = min(len(week), len(before)) >= 3
    told = {
        "runs_30d": len(month),
        "succeeded_30d": len(won),
        "failed_30d": len(lost),
        "success_rate_30d": share(len(won), len(won) + len(lost)),
        "p50_run_seconds_30d": median(run["run_seconds"] for run in won),
        "p95_run_seconds_30d": p95(run["run_seconds"] for run in won),
        "p50_run_seconds_7d": now,
        "p50_run_seconds_before": then,
        "p50_change": now / then if enough and now is not None and then else None,
        "run_cost_30d": None,
        "run_hours_30d": total(month, "run_seconds") / _HOUR,
    }
    hours = dict.fromkeys(("useful", "failed", "retried", "cancelled", "ci"), 0.0)
    for run in month:
        hours[_effort(run)] += (run["run_seconds"] or 0) / _HOUR
    return {**told, **{f"{part}_run_hours_30d": value for part, value in hours.items()}}


def _effort(run: Row) -> str:
    if run["is_ci"]:
        return "ci"
    if run["outcome"] == "success":
        return "retried" if run["is_retry"] else "useful"
    return {"error": "failed", "cancelled": "cancelled"}[run["outcome"]]


def _paces(job: Row, group: Sequence[Row], raw: Raw) -> Row:
    """How often the job is to run, and whether its runs take longer than that."""
    scheduled = [run for run in group if run["trigger_category"] == "scheduled"]
    starts = sorted(
        {
            run["should_start_at"]
            for run in scheduled
            if not run["is_retry"] and raw.since(run["should_start_at"], 90)
        }
    )
    gaps = [(later, (later - earlier).total_seconds()) for earlier, later in pairwise(starts)]
    interval = median(gap for _, gap in gaps) if len(gaps) >= 2 else None
    longest = max((gap for later, gap in gaps if raw.since(later, 28)), default=0)
    busy = median(
        run["run_seconds"] + (run["prep_seconds"] or 0)
        for run in group
        if run["outcome"] == "success"
        and raw.since(run["ended_at"], 30)
        and run["run_seconds"] is not None
    )
    gave_way = sum(run["is_superseded"] and raw.since(run["ended_at"], 7) for run in scheduled)
    overdue = None
    if interval is not None and job["last_success_at"] is not None:
        since = raw.ago(job["last_success_at"])
        overdue = since > 1.5 * interval and since > longest + interval / 2
    return {
        "interval": interval,
        "gave_way": gave_way,
        "is_overdue": bool(overdue),
        "is_overscheduled": gave_way > 0
        or (interval is not None and busy is not None and busy > interval),
    }


def _health(job: Row, raw: Raw) -> tuple[str, str]:
    """The first word for a job that applies, and why it does."""
    streak, won, interval = job["consecutive_failures"], job["last_success_at"], job["interval"]
    often = "last time" if streak == 1 else f"{streak} times in a row"
    last = f"last success {raw.day(won)}" if won else "and has never succeeded"
    ways = (
        (job["is_deleted"], "deleted", "it was deleted"),
        (job["is_deactivated"], "paused", "it was deactivated"),
        (not job["runs_ever"], "never run", "no run is known"),
        (streak >= 3 or (streak and won is None), "broken", f"failed {often}, {last}"),
        (streak, "failing", f"failed {often}"),
        (
            (job["p50_change"] or 0) >= 1.5,
            "slower",
            f"takes {job['p50_change'] or 0:.1f} times as long as in the four weeks before",
        ),
        (
            job["has_schedule"] and job["is_overdue"],
            "late",
            f"{last}, expected every {(interval or 0) / _HOUR:.1f} hours",
        ),
        (
            job["gave_way"],
            "over-scheduled",
            f"{job['gave_way']} runs gave way to the next one in seven days",
        ),
        (
            job["is_overscheduled"],
            "over-scheduled",
            f"runs take longer than the {(interval or 0) / 60:.0f} minutes from one to the next",
        ),
    )
    found = next((each for each in ways if each[0]), None)
    return (found[1], found[2]) if found else ("healthy", "nothing is wrong with it")


def job_daily(raw: Raw) -> list[Row]:
    """Runs of a job by the day on which they ended, and by why they began; each day of a span."""
    ended = [run for run in raw("dbt_cloud__runs") if run["outcome"] != "open" and run["job_id"]]
    jobs_by_id = {(job["account_id"], job["job_id"]): job for job in raw("dbt_cloud__jobs")}
    rows = []
    for key, group in by(ended, "account_id", "job_id", "trigger_category").items():
        job = jobs_by_id[key[0], key[1]]
        days = by(group, "ended_date")
        chains = by((run for run in group if run["outcome"] in _OVER), "root_run_id").values()
        roots: dict[date, list[bool]] = {}
        for chain in chains:
            won = any(run["outcome"] == "success" for run in chain)
            roots.setdefault(max(run["ended_date"] for run in chain), []).append(won)
        day = min(days)
        while day <= max(days):
            of_day = [run["outcome"] for run in days.get(day, [])]
            rows.append(
                {
                    **{name: job[name] for name in ("account_id", "job_id", "job_name")},
                    **{name: job[name] for name in ("project_id", "project_name")},
                    "trigger_category": key[2],
                    "day": day,
                    "week": monday(day),
                    "runs": len(of_day),
                    "succeeded": of_day.count("success"),
                    "failed": of_day.count("error"),
                    "cancelled": of_day.count("cancelled"),
                    "roots": len(roots.get(day, [])),
                    "roots_succeeded": sum(roots.get(day, [])),
                }
            )
            day += timedelta(days=1)
    return rows
