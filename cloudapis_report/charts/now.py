"""Is anything broken now: the tiles at the top, and the headline of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_report.chart import Chart, Data, Finding, Fragment, Nothing, Table
from cloudapis_report.tiles import Tile, spark
from cloudapis_report.words import capital, count, duration, listed, number, percent, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row

_SERVICES = {"dbt_cloud": ("job", "jobs"), "pulumi_cloud": ("stack", "stacks")}
#: From so much less on, in points, a success rate is worth a look.
_WORSE = 0.02

_QUERIES = {
    "incidents": """
        select service, scope_name, owner_name, project_name, open_seconds, failed_attempts,
            first_message, extract(epoch from started_at) as since
        from {platform__incidents}
        where is_open
        order by open_seconds desc, incident_id
        limit 40
    """,
    "open": """
        select service, count(*) as incidents from {platform__incidents}
        where is_open group by service order by service
    """,
    "jobs": """
        select count(*) as jobs,
            count(*) filter (where health not in ('paused', 'never run')) as used,
            count(*) filter (where health in ('broken', 'failing')) as failing,
            max(consecutive_failures) filter (where health in ('broken', 'failing')) as streak
        from {dbt_cloud__jobs} where is_deleted is not true
    """,
    "stacks": """
        select count(*) as stacks,
            count(*) filter (where staleness <> 'never updated') as used,
            count(*) filter (where consecutive_failures > 0) as failing,
            max(consecutive_failures) as streak
        from {pulumi_cloud__stacks} where staleness <> 'destroyed'
    """,
    "runs": """
        select count(*) as runs,
            count(*) filter (where state in ('starting', 'running')) as running,
            count(*) filter (where state = 'queued') as queued,
            extract(epoch from {now} - min(coalesce(started_at, requested_at)) filter (
                where state in ('starting', 'running'))) as longest,
            count(*) filter (where outcome = 'success'
                and finished_at > {now} - interval '7 days') as succeeded,
            count(*) filter (where outcome = 'error'
                and finished_at > {now} - interval '7 days') as failed,
            count(*) filter (where outcome = 'success'
                and finished_at > {now} - interval '35 days'
                and finished_at <= {now} - interval '7 days') as succeeded_before,
            count(*) filter (where outcome = 'error'
                and finished_at > {now} - interval '35 days'
                and finished_at <= {now} - interval '7 days') as failed_before
        from {dbt_cloud__runs}
    """,
    "updates": """
        select count(*) as updates, count(*) filter (where outcome = 'open') as running,
            extract(epoch from {now} - min(started_at) filter (where outcome = 'open')) as longest
        from {pulumi_cloud__updates}
    """,
    "run_weeks": """
        select week, sum(runs) as runs, sum(succeeded) as succeeded, sum(failed) as failed
        from {dbt_cloud__job_daily}
        where week >= {week} - interval '91 days' and week < {week}
        group by week
    """,
    "update_weeks": """
        select week, sum(failed) as failed from {pulumi_cloud__stack_daily}
        where week >= {week} - interval '91 days' and week < {week}
        group by week
    """,
    "incident_weeks": """
        select started_week as week, count(*) as incidents from {platform__incidents}
        where started_week >= {week} - interval '91 days' and started_week < {week}
        group by started_week
    """,
    "recovery_weeks": """
        select recovered_week as week, max(recovery_seconds) as longest
        from {platform__incidents}
        where recovered_week >= {week} - interval '91 days' and recovered_week < {week}
        group by recovered_week
    """,
}


def _show(data: Data) -> Finding | Nothing:
    runs, updates = data.one("runs"), data.one("updates")
    jobs, stacks = data.one("jobs").get("jobs", 0), data.one("stacks").get("stacks", 0)
    if not runs.get("runs") and not updates.get("updates"):
        if not jobs and not stacks:
            return Nothing("Nothing of dbt Cloud or Pulumi Cloud has been loaded yet")
        there = listed([count(n, one) for n, one in ((jobs, "job"), (stacks, "stack")) if n])
        return Finding(f"Nothing has run yet: {there}, no run and no update")
    incidents = data.rows("incidents")
    return Finding(
        title=_title(data),
        tone="bad" if incidents else "good",
        parts=[Fragment("tiles.html.j2", {"tiles": list(_tiles(data))})],
        tables=[_table(incidents)] if incidents else [],
    )


def _title(data: Data) -> str:
    open_ones = {row["service"]: row["incidents"] for row in data.rows("open")}
    rate = _rate(data.one("runs"))
    if open_ones:
        said = " and ".join(
            count(open_ones[service], f"production {one}", f"production {many}")
            for service, (one, many) in _SERVICES.items()
            if service in open_ones
        )
        longest = data.rows("incidents")[0]["open_seconds"]
        are = verb(sum(open_ones.values()), "is", "are")
        since = "for" if sum(open_ones.values()) == 1 else "the longest for"
        return capital(f"{said} {are} failing now, {since} {duration(longest)}")
    well = "Nothing in production is failing now"
    return well if rate is None else f"{well}; {percent(rate)} of runs succeeded in 7 days"


def _rate(runs: Row, when: str = "") -> float | None:
    ended = runs.get(f"succeeded{when}", 0) + runs.get(f"failed{when}", 0)
    return runs[f"succeeded{when}"] / ended if ended else None


def _tiles(data: Data) -> Sequence[Tile]:
    open_ones = {row["service"]: row["incidents"] for row in data.rows("open")}
    jobs, stacks, runs = data.one("jobs"), data.one("stacks"), data.one("runs")
    tiles = [
        Tile(
            "Open incidents",
            number(sum(open_ones.values())),
            ", ".join(
                count(open_ones[service], one, many)
                for service, (one, many) in _SERVICES.items()
                if service in open_ones
            )
            or "no production job or stack fails",
            "bad" if open_ones else "good",
            spark(data, "incident_weeks", lambda row: row.get("incidents", 0), "New incidents"),
        )
    ]
    if jobs.get("used"):
        tiles.append(
            Tile(
                "Failing jobs",
                number(jobs["failing"]),
                f"of {count(jobs['used'], 'job')} that {verb(jobs['used'], 'has', 'have')} run"
                + _streak(jobs),
                "bad" if jobs["failing"] else "good",
                spark(data, "run_weeks", lambda row: row.get("failed", 0), "Failed runs"),
            )
        )
    if stacks.get("used"):
        tiles.append(
            Tile(
                "Failing stacks",
                number(stacks["failing"]),
                f"of {count(stacks['used'], 'stack')} that "
                f"{verb(stacks['used'], 'was', 'were')} updated{_streak(stacks)}",
                "bad" if stacks["failing"] else "good",
                spark(data, "update_weeks", lambda row: row.get("failed", 0), "Failed updates"),
            )
        )
    if runs.get("runs") or data.one("updates").get("updates"):
        tiles.append(_running(data))
    if runs.get("runs"):
        now, before = _rate(runs), _rate(runs, "_before")
        worse = now is not None and before is not None and now < before - _WORSE
        told = (
            "no run ended in the 28 days before"
            if before is None
            else (f"{percent(before)} in the 28 days before")
        )
        tiles.append(
            Tile(
                "Success, 7 days",
                "none" if now is None else percent(now),
                told,
                "warn" if worse else "plain",
                spark(data, "run_weeks", _rate, "Success rate"),
            )
        )
    longest = data.rows("incidents")[:1]
    tiles.append(
        Tile(
            "Longest open incident",
            duration(longest[0]["open_seconds"]) if longest else "none",
            longest[0]["scope_name"] if longest else "all have recovered",
            "bad" if longest else "good",
            spark(data, "recovery_weeks", lambda row: row.get("longest", 0), "Longest recovery"),
        )
    )
    return tiles


def _running(data: Data) -> Tile:
    """Tell of what has begun and is not over, and how long the oldest of it has been so."""
    runs, updates = data.one("runs"), data.one("updates")
    both = [
        (row["running"], what, row["longest"])
        for row, there, what in ((runs, "runs", "run"), (updates, "updates", "update"))
        if row.get(there)
    ]
    many = sum(running for running, *_ in both)
    told = " and ".join(count(running, what) for running, what, _ in both)
    if lasted := [longest for *_, longest in both if longest is not None]:
        told += f", {'one ' if many > 1 else ''}for {duration(max(0, *lasted))}"
    if runs.get("runs"):
        told += f"; {count(runs['queued'], 'run')} in the queue"
    return Tile(
        "Running now",
        number(many),
        told,
        "plain",
        spark(data, "run_weeks", lambda row: row.get("runs", 0), "Runs"),
    )


def _streak(row: Row) -> str:
    return f", up to {number(row['streak'])} times in a row" if row["failing"] else ""


def _table(incidents: Sequence[Row]) -> Table:
    return Table.of(
        "Open incidents, the longest first",
        incidents,
        ("Job or stack", "scope_name", "text"),
        ("Project", "project_name", "text"),
        ("Open for", "open_seconds", "duration"),
        ("Failed since", "since", "time"),
        ("Failed attempts", "failed_attempts", "number"),
        ("First message", "first_message", "text"),
    )


NOW = Chart(
    key="now",
    section="Now",
    question="Is anything broken now?",
    definition=(
        "An incident is a streak of failed runs of a production job, or of failed updates of a "
        "production stack, up to the success that ends it. A job or stack is failing if what "
        "succeeded or failed last has failed; runs of CI, paused jobs and destroyed stacks aside. "
        "Success rate: succeeded of those that succeeded or failed; "
        "cancelled and open runs are in neither."
    ),
    queries=_QUERIES,
    show=_show,
)
