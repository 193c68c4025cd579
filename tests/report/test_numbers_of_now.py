"""Every number that the page tells of what is now: counted again from the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloudapis_report import words
from tests.report.counting import by, outcomes, plain, read, said, shows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.report.counting import Row, Time
    from tests.report.writing import Written

pytestmark = pytest.mark.slow

RANKS = {"broken": 0, "failing": 1, "late": 2, "slower": 3, "over-scheduled": 4, "healthy": 5}
TIMES = "\u00d7"
WORDS = {
    "success": ("s", "succeeded"),
    "error": ("e", "failed"),
    "cancelled": ("c", "cancelled"),
    "open": ("o", "not over"),
}


def test_now(made: Written, time: Time) -> None:
    shown = made.page.articles["now"]
    incidents = [row for row in made.models("platform__incidents") if row["is_open"]]
    incidents.sort(key=lambda row: (-row["open_seconds"], row["incident_id"]))
    jobs = [row for row in made.models("dbt_cloud__jobs") if row["is_deleted"] is not True]
    stacks = [row for row in made.models("pulumi_cloud__stacks") if row["staleness"] != "destroyed"]
    runs = made.models("dbt_cloud__runs")
    longest = incidents[0]
    services = by(incidents, "service")
    kinds = [
        (len(services[service]), what)
        for service, what in (("dbt_cloud", "job"), ("pulumi_cloud", "stack"))
        if service in services
    ]
    assert len(incidents) > 1
    failing_now = " and ".join(words.count(many, f"production {what}") for many, what in kinds)
    since = words.duration(longest["open_seconds"])
    told = f"{failing_now} are failing now, the longest for {since}"
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
    used = [row for row in jobs if row["health"] not in ("paused", "never run")]
    updated = [row for row in stacks if row["staleness"] != "never updated"]
    queued = sum(row["state"] == "queued" for row in runs)
    begun = [row for row in runs if row["state"] in ("starting", "running")]
    open_updates = [row for row in made.models("pulumi_cloud__updates") if row["outcome"] == "open"]
    since_when = [row["started_at"] or row["requested_at"] for row in begun]
    since_when += [row["started_at"] for row in open_updates if row["started_at"]]
    hangs = f"{words.count(len(begun), 'run')} and {words.count(len(open_updates), 'update')}"
    if since_when:
        one = "one " if len(begun) + len(open_updates) > 1 else ""
        lasted = (time.now - min(since_when)).total_seconds()
        hangs += f", {one}for {said(words.duration, lasted)}"
    assert shown.tiles == {
        "Open incidents": (
            str(len(incidents)),
            ", ".join(words.count(many, what) for many, what in kinds),
        ),
        "Failing jobs": (
            str(len(failing)),
            f"of {len(used)} jobs that have run, up to {streak} times in a row",
        ),
        "Failing stacks": (
            str(len(bad_stacks)),
            f"of {len(updated)} stacks that were updated, up to {bad_streak} times in a row",
        ),
        "Running now": (
            str(len(begun) + len(open_updates)),
            f"{hangs}; {words.count(queued, 'run')} in the queue",
        ),
        "Success, 7 days": (now, f"{then} in the 28 days before"),
        "Longest open incident": (
            said(words.duration, longest["open_seconds"]),
            read(longest["scope_name"]),
        ),
    }
    shows(
        shown.tables["Open incidents, the longest first"],
        [
            {
                "Job or stack": row["scope_name"],
                "Project": row["project_name"],
                "Open for": row["open_seconds"],
                "Failed since": row["started_at"],
                "Failed attempts": row["failed_attempts"],
                "First message": row["first_message"],
            }
            for row in incidents[:40]
        ],
    )


def test_facts(made: Written, time: Time) -> None:
    runs, updates = made.models("dbt_cloud__runs"), made.models("pulumi_cloud__updates")
    jobs = [row for row in made.models("dbt_cloud__jobs") if row["is_deleted"] is not True]
    stacks = made.models("pulumi_cloud__stacks")
    since = min(*(row["requested_date"] for row in runs), *(row["started_date"] for row in updates))
    assert made.page.facts.split(" · ") == [
        f"As of {time.said(time.now)} ({time.zone})",
        *(
            words.count(len(rows), what)
            for rows, what in ((jobs, "job"), (runs, "run"), (stacks, "stack"), (updates, "update"))
        ),
        f"history since {said(words.day, since)}",
    ]
    accounts, organizations = _owners(jobs, "account_name"), _owners(stacks, "org_name")
    assert made.page.name == f"dbt Cloud: {accounts} · Pulumi Cloud: {organizations}"


def _owners(rows: Iterable[Row], field: str) -> str:
    owners = by(rows, field)
    return read(words.listed(sorted(owners, key=lambda name: (-len(owners[name]), name))))


def test_the_last_runs(made: Written, time: Time) -> None:
    shown = made.page.articles["run-matrix"]
    jobs = [row for row in made.models("dbt_cloud__jobs") if row["is_deleted"] is not True]
    ended = [row for row in jobs if row["health"] not in ("paused", "never run")]
    all_stacks = made.models("pulumi_cloud__stacks")
    there = [row for row in all_stacks if row["last_update"]]
    gone = ("destroyed", "never updated")
    stacks = [row for row in all_stacks if row["staleness"] not in gone]
    failed = sum(row["consecutive_failures"] > 0 for row in ended)
    bad = sum(row["consecutive_failures"] > 0 for row in stacks)
    assert shown.title == (
        f"The last run failed in {failed} of {len(ended)} jobs and the last update failed in "
        f"{bad} of {len(stacks)} stacks"
    )
    jobs = sorted((row for row in jobs if row["health"] != "never run"), key=_worst_job)[:25]
    there = sorted(there, key=_worst_stack)[:25]
    shows(
        shown.tables["Jobs, the worst first"],
        [
            {
                "Job": row["job_name"],
                "Project": row["project_name"],
                "Account": row["account_name"],
                "Health": row["health"],
                "Why": row["why"],
                "Failed in a row": row["consecutive_failures"],
                "Succeeded, 30 days": row["success_rate_30d"],
                "Last success": row["last_success_at"],
            }
            for row in jobs
        ],
    )
    shows(
        shown.tables["Stacks, the worst first"],
        [
            {
                "Stack": row["stack_name"],
                "Project": row["project_name"],
                "Organization": row["org_name"],
                "Failed in a row": row["consecutive_failures"],
                "Failed, 90 days": row["failed_share_90d"],
                "Last success": row["last_success_at"],
            }
            for row in there
        ],
    )
    # Each cell is one of the last forty, and says what the run or update says.
    runs = by(made.models("dbt_cloud__runs"), "account_id", "job_id")
    updates = by(made.models("pulumi_cloud__updates"), "stack_id")
    expected = []
    for row in jobs:
        group = runs.get((row["account_id"], row["job_id"]), [])
        group = sorted(group, key=lambda run: (run["requested_at"], run["run_id"]))[-40:]
        expected += [
            _cell(time, run["requested_at"], run, "run_seconds", "git_sha", "status_message")
            for run in group
        ]
    for row in there:
        group = sorted(updates.get(row["stack_id"], []), key=lambda update: update["version"])[-40:]
        expected += [
            _cell(time, update["started_at"], update, "seconds", "commit_sha", "message")
            for update in group
        ]
    assert [(kind, " ".join(plain(text).split())) for kind, text in shown.cells] == expected
    assert shown.abouts == [*map(_about_job, jobs), *map(_about_stack, there)]
    _is_noted(shown.definition, (len(ended), "jobs"), (len(stacks), "stacks"))


def _worst_job(row: Row) -> tuple[object, ...]:
    bad = row["consecutive_failures"], row["failed_30d"] or 0
    return (
        RANKS.get(row["health"], 6),
        -bad[0],
        -bad[1],
        not row["job_name"],
        row["job_name"] or "",
        row["job_id"],
    )


def _worst_stack(row: Row) -> tuple[object, ...]:
    bad = row["consecutive_failures"], row["failed_90d"] or 0
    newest = -row["last_update"].timestamp()
    return row["staleness"] == "destroyed", -bad[0], -bad[1], newest, row["stack_id"]


def _cell(time: Time, at: object, row: Row, *fields: str) -> tuple[str, str]:
    seconds, sha, message = (row[field] for field in fields)
    kind, word = WORDS[row["outcome"]]
    after = f" after {said(words.duration, seconds)}" if seconds is not None else ""
    told = [time.said(at), f"{row.get('kind') or ''} {word}{after}".strip()]  # type: ignore[arg-type]
    told += [sha[:7]] if sha else []
    if message and kind != "s":
        told.append(" ".join(words.short(words.clean(message), 100).split()))
    return kind, " · ".join(told)


def _about_job(row: Row) -> str:
    often = f" · {row['consecutive_failures']}{TIMES}" if RANKS.get(row["health"], 6) < 2 else ""
    return f"{row['health']}{often}"


def _about_stack(row: Row) -> str:
    failing = row["consecutive_failures"]
    return f"failing · {failing}{TIMES}" if failing else str(row["staleness"])


def _is_noted(definition: str, *scopes: tuple[int, str]) -> None:
    """Of more than the 25 that are shown, it is said how many there are."""
    more: Sequence[str] = [f"25 of {many} {what}" for many, what in scopes if many > 25]
    note = f" Shown are {' and '.join(more)}." if more else ""
    assert definition.endswith(f"CI aside.{note}")
