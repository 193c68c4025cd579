"""What did the last runs come to: each job's last 40 runs, each stack's last 40 updates."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from cloudapis_report.chart import (
    Chart,
    Data,
    Finding,
    Fragment,
    Legend,
    Nothing,
    Table,
)
from cloudapis_report.database import LONGEST
from cloudapis_report.naming import labelled
from cloudapis_report.words import capital, duration, number, short, time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudapis_report.chart import Row, Tone

_ROWS, _CELLS = 25, 40
_LONGEST_MESSAGE = 100
_LEGEND = [
    Legend("okpale", "", "succeeded"),
    Legend("bad", "✕", "failed"),
    Legend("off", "\u2013", "cancelled"),
    Legend("open", "○", "not over"),
]
#: The class, the sign and the word of an outcome.
_OUTCOMES = {
    "success": ("s", "✓", "succeeded"),
    "error": ("e", "✕", "failed"),
    "cancelled": ("c", "\u2013", "cancelled"),
    "open": ("o", "○", "not over"),
}

_JOBS = """
    with placed as (
        select account_id, account_name, job_id, job_name, project_name, health, why,
            consecutive_failures,
            success_rate_30d, extract(epoch from last_success_at) as last_success, last_run_url,
            row_number() over (order by
                case health when 'broken' then 0 when 'failing' then 1 when 'late' then 2
                    when 'slower' then 3 when 'over-scheduled' then 4 when 'healthy' then 5
                    else 6 end,
                consecutive_failures desc, coalesce(failed_30d, 0) desc, job_name, job_id) as place
        from {dbt_cloud__jobs}
        where is_deleted is not true and health <> 'never run'
    )
"""
_STACKS = """
    with placed as (
        select stack_id, org_name, project_name, stack_name, consecutive_failures, staleness,
            failed_share_90d, extract(epoch from last_success_at) as last_success, console_url,
            row_number() over (order by
                case when staleness = 'destroyed' then 1 else 0 end,
                consecutive_failures desc, coalesce(failed_90d, 0) desc,
                last_update desc, stack_id) as place
        from {pulumi_cloud__stacks}
        where last_update is not null
    )
"""
_QUERIES = {
    "job_ends": """
        select count(*) as scopes, count(*) filter (where consecutive_failures > 0) as failed
        from {dbt_cloud__jobs}
        where is_deleted is not true and health not in ('paused', 'never run')
    """,
    "stack_ends": """
        select count(*) as scopes, count(*) filter (where consecutive_failures > 0) as failed
        from {pulumi_cloud__stacks} where staleness not in ('destroyed', 'never updated')
    """,
    "jobs": _JOBS + f"select * from placed where place <= {_ROWS} order by place",
    "runs": _JOBS
    + f""", ranked as (
        select p.place, r.outcome, r.status_message as message, r.git_sha as sha,
            r.run_seconds as seconds, extract(epoch from r.requested_at) as at,
            row_number() over (partition by p.place
                order by r.requested_at desc, r.run_id desc) as back
        from placed p join {{dbt_cloud__runs}} r
            on r.account_id = p.account_id and r.job_id = p.job_id
        where p.place <= {_ROWS}
    )
    select * from ranked where back <= {_CELLS} order by place, back desc
    """,
    "stacks": _STACKS + f"select * from placed where place <= {_ROWS} order by place",
    "updates": _STACKS
    + f""", ranked as (
        select p.place, u.outcome, u.message, u.commit_sha as sha, u.seconds, u.kind,
            extract(epoch from u.started_at) as at,
            row_number() over (partition by p.place order by u.version desc) as back
        from placed p join {{pulumi_cloud__updates}} u on u.stack_id = p.stack_id
        where p.place <= {_ROWS}
    )
    select * from ranked where back <= {_CELLS} order by place, back desc
    """,
}


def _show(data: Data) -> Finding | Nothing:
    ends = [
        (data.one("job_ends"), "job", "jobs", "run"),
        (data.one("stack_ends"), "stack", "stacks", "update"),
    ]
    ended = [each for each in ends if each[0].get("scopes")]
    if not ended:
        return Nothing("No run and no update has ended yet")
    failed = any(row["failed"] for row, *_ in ended)
    parts: list[Fragment] = []
    tables: list[Table] = []
    if data.rows("jobs"):
        jobs = labelled(
            data.rows("jobs"), lambda row: row["job_name"], "project_name", "account_name"
        )
        rows = _rows(data, jobs, "runs", _about_job)
        parts.append(_matrix("Job", "The last runs of each job, the worst first", rows))
        tables.append(_table_of_jobs(data.rows("jobs")))
    if data.rows("stacks"):
        stacks = labelled(
            data.rows("stacks"),
            lambda row: f"{row['project_name']}/{row['stack_name']}",
            "org_name",
        )
        rows = _rows(data, stacks, "updates", _about_stack)
        parts.append(_matrix("Stack", "The last updates of each stack, the worst first", rows))
        tables.append(_table_of_stacks(data.rows("stacks")))
    return Finding(_title(ended), parts, tables, "bad" if failed else "good", _note(data))


def _title(ended: Sequence[tuple[Row, str, str, str]]) -> str:
    said = []
    for row, one, many, act in ended:
        if row["scopes"] == 1:
            came = "failed" if row["failed"] else "did not fail"
            said.append(f"the last {act} of the only {one} {came}")
        else:
            failed = number(row["failed"]) if row["failed"] else "none"
            said.append(f"the last {act} failed in {failed} of {number(row['scopes'])} {many}")
    return capital(" and ".join(said))


def _note(data: Data) -> str:
    told = []
    for query, scopes, many in (("jobs", "job_ends", "jobs"), ("stacks", "stack_ends", "stacks")):
        shown, there = len(data.rows(query)), data.one(scopes).get("scopes", 0)
        if shown == _ROWS < there:
            told.append(f"{_ROWS} of {number(there)} {many}")
    return f"Shown are {' and '.join(told)}." if told else ""


def _rows(
    data: Data, scopes: Sequence[Row], cells: str, about: Callable[[Row], dict[str, Any]]
) -> list[dict[str, Any]]:
    by_place = {
        place: list(group) for place, group in groupby(data.rows(cells), lambda row: row["place"])
    }
    rows = []
    for scope in scopes:
        shown = [_cell(row, data) for row in by_place.get(scope["place"], [])]
        rows.append({**about(scope), "cells": shown, "empty": _CELLS - len(shown)})
    return rows


def _cell(row: Row, data: Data) -> dict[str, str]:
    kind, sign, word = _OUTCOMES.get(row["outcome"], ("o", "○", str(row["outcome"])))
    told = ["not begun" if row["at"] is None else time(row["at"], data.clock.place)]
    after = f" after {duration(row['seconds'])}" if row["seconds"] is not None else ""
    told.append(f"{row.get('kind') or ''} {word}{after}".strip())
    told += [row["sha"][:7]] if row["sha"] else []
    told += [short(row["message"], _LONGEST_MESSAGE)] if row["message"] and kind != "s" else []
    return {"kind": kind, "sign": sign, "text": " · ".join(told)}


def _about_job(row: Row) -> dict[str, Any]:
    tone: Tone = "plain"
    if row["health"] in ("broken", "failing"):
        tone = "bad"
    elif row["health"] in ("late", "slower", "over-scheduled"):
        tone = "warn"
    said = row["health"]
    if tone == "bad":
        said = f"{said} \u00b7 {number(row['consecutive_failures'])}\u00d7"
    return {"name": row["label"], "about": said, "tone": tone, "url": _url(row["last_run_url"])}


def _about_stack(row: Row) -> dict[str, Any]:
    failing = row["consecutive_failures"] or 0
    said = f"failing \u00b7 {number(failing)}\u00d7" if failing else row["staleness"]
    return {
        "name": row["label"],
        "about": said,
        "tone": "bad" if failing else "plain",
        "url": _url(row["console_url"]),
    }


def _url(text: str | None) -> str:
    """Return a link that leads to a page and nowhere else: what it is comes from the data."""
    whole = text and len(text) < LONGEST
    return text if text and whole and text.startswith(("https://", "http://")) else ""


def _matrix(what: str, caption: str, rows: list[dict[str, Any]]) -> Fragment:
    filling = {"what": what, "caption": caption, "width": _CELLS, "rows": rows}
    return Fragment("matrix.html.j2", filling, legend=_LEGEND)


def _table_of_jobs(rows: Sequence[Row]) -> Table:
    return Table.of(
        "Jobs, the worst first",
        rows,
        ("Job", "job_name", "text"),
        ("Project", "project_name", "text"),
        ("Account", "account_name", "text"),
        ("Health", "health", "text"),
        ("Why", "why", "text"),
        ("Failed in a row", "consecutive_failures", "number"),
        ("Succeeded, 30 days", "success_rate_30d", "share"),
        ("Last success", "last_success", "time"),
    )


def _table_of_stacks(rows: Sequence[Row]) -> Table:
    return Table.of(
        "Stacks, the worst first",
        rows,
        ("Stack", "stack_name", "text"),
        ("Project", "project_name", "text"),
        ("Organization", "org_name", "text"),
        ("Failed in a row", "consecutive_failures", "number"),
        ("Failed, 90 days", "failed_share_90d", "share"),
        ("Last success", "last_success", "time"),
    )


RUN_MATRIX = Chart(
    key="run-matrix",
    section="Now",
    question="What did the last runs and updates come to?",
    definition=(
        "A cell is a run or an update, the newest on the right; hover for when, how long, which "
        "commit and the message. Beside a name is how often in a row it has failed. The worst come "
        "first: those that fail, then those with most failures (jobs in 30 days, stacks in 90). "
        "The title counts jobs that have run and are not paused, stacks that were updated and are "
        "not destroyed, and of each the last that succeeded or failed, CI aside."
    ),
    queries=_QUERIES,
    show=_show,
)
