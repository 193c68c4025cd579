"""Where the hours go: run hours by job, and how many of them came to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_report.chart import (
    NARROW,
    Chart,
    Column,
    Data,
    Figure,
    Finding,
    Legend,
    Nothing,
    Table,
)
from cloudapis_report.drawing import colours, names, rows_axis, values
from cloudapis_report.naming import labelled
from cloudapis_report.words import NBSP, count, hours, number, percent, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_JOBS = 15
#: How much of the hours the title speaks of.
_MOST = 0.8
#: From such a share of the hours on, what came to nothing is worth a look.
_WASTE = 0.1
_PARTS = {"useful": "main", "ci": "main2", "retried": "warn", "failed": "bad", "cancelled": "off"}
_WORDS = {
    "useful": "succeeded",
    "ci": "CI and merge",
    "retried": "retries",
    "failed": "failed",
    "cancelled": "cancelled",
}
_SIGNS = {"useful": "✓", "ci": "", "retried": "▲", "failed": "✕", "cancelled": "\u2013"}
_SUMS = ", ".join(
    f"coalesce(sum({part}_run_hours_30d), 0) as {part}" for part in _PARTS
)  # one column for each part

_QUERIES = {
    "total": f"""
        select count(*) as jobs, sum(run_hours_30d) as hours, sum(run_cost_30d) as cost, {_SUMS}
        from {{dbt_cloud__jobs}} where run_hours_30d > 0
    """,
    "most": f"""
        with added as (
            select run_hours_30d as hours, sum(run_hours_30d) over () as total,
                sum(run_hours_30d) over (order by run_hours_30d desc, account_id, job_id
                    rows between unbounded preceding and current row) as so_far
            from {{dbt_cloud__jobs}} where run_hours_30d > 0
        )
        select count(*) filter (where so_far - hours < {_MOST} * total) as jobs from added
    """,
    "jobs": f"""
        with ranked as (
            select *, row_number() over (
                order by run_hours_30d desc, account_id, job_id) as nth
            from {{dbt_cloud__jobs}} where run_hours_30d > 0
        )
        select case when nth <= {_JOBS} then nth else {_JOBS} + 1 end as place,
            count(*) as jobs, max(job_name) as job_name, max(project_name) as project_name,
            max(account_name) as account_name,
            sum(runs_30d) as runs, sum(run_hours_30d) as hours, sum(run_cost_30d) as cost, {_SUMS}
        from ranked group by case when nth <= {_JOBS} then nth else {_JOBS} + 1 end order by place
    """,
}


def _show(data: Data) -> Finding | Nothing:
    total = data.one("total")
    if not total.get("hours"):
        return Nothing("No run of dbt Cloud has used any time in the last 30 days")
    jobs = labelled(data.rows("jobs"), _name, "project_name", "account_name")
    lost = sum(total[part] for part in ("failed", "retried", "cancelled"))
    wasted = lost >= _WASTE * total["hours"]
    most = data.one("most")["jobs"]
    all_hours = hours(total["hours"] * 3600)
    of_all = all_hours if most == total["jobs"] else f"{_MOST * 100:.0f}{NBSP}% of {all_hours}"
    title = f"{count(most, 'job takes', 'jobs take')} {of_all}"
    title = f"{title} of runs in 30 days; {share(lost, total['hours'])} of it came to nothing"
    legend = [
        Legend(colour, _SIGNS[part], _WORDS[part]) for part, colour in _PARTS.items() if total[part]
    ]
    figure = Figure(
        lambda width: _spec(jobs, total, width), f"Run hours by job: {title}", "", legend
    )
    note = ""
    if total["cost"] is not None:
        note = f"At the price that is set, these are {number(total['cost'])} in all."
    return Finding(title, [figure], [_table(jobs, total)], "warn" if wasted else "plain", note)


def _name(row: Row) -> str:
    if row["place"] > _JOBS:
        return count(row["jobs"], "other job")
    return row["job_name"] or "a job without a name"


def _spec(jobs: Sequence[Row], total: Row, width: int) -> Spec:
    left, right = (132, 84) if width == NARROW else (236, 120)
    bars = [
        {
            "place": row["place"],
            "hours": row[part],
            "part": part,
            "order": order,
            "d": f"{row['label']}: {hours(row[part] * 3600)} {_WORDS[part]}",
        }
        for row in jobs
        for order, part in enumerate(_PARTS)
        if row[part]
    ]
    ends = [
        {
            "place": row["place"],
            "name": row["label"],
            "end": row["hours"],
            "told": f"{hours(row['hours'] * 3600)} · {percent(row['hours'] / total['hours'])}",
        }
        for row in jobs
    ]
    x = {"type": "quantitative", "axis": None}
    return {
        "width": width - left - right,
        "height": {"step": 24},
        "encoding": {"y": rows_axis()},
        "layer": [
            {
                "data": values(bars),
                "mark": {"type": "bar"},
                "encoding": {
                    "x": {**x, "field": "hours"},
                    "fill": {"field": "part", "scale": colours(_PARTS)},
                    "order": {"field": "order"},
                    "description": {"field": "d"},
                },
            },
            {"data": values(ends), **names(left)},
            {
                "data": values(ends),
                "mark": {"type": "text", "align": "left", "dx": 6},
                "encoding": {"x": {**x, "field": "end"}, "text": {"field": "told"}},
            },
        ],
    }


def _table(jobs: Sequence[Row], total: Row) -> Table:
    columns = [Column("Job"), Column("Project"), Column("Account"), Column("Runs", "number")]
    columns += [Column("Hours", "hours"), Column("Share", "share")]
    columns += [Column(_WORDS[part].capitalize(), "hours") for part in _PARTS]
    priced = total["cost"] is not None
    columns += [Column("Price", "number")] if priced else []
    rows = [
        [
            _name(row),
            *(
                row[it] if row["place"] <= _JOBS else None
                for it in ("project_name", "account_name")
            ),
            row["runs"],
            row["hours"] * 3600,
            row["hours"] / total["hours"],
            *(row[part] * 3600 for part in _PARTS),
            *([row["cost"]] if priced else []),
        ]
        for row in jobs
    ]
    return Table("Run hours by job, 30 days", columns, rows)


RUN_HOURS = Chart(
    key="run-hours",
    section="Speed and cost",
    question="Where do the hours go, and what came to nothing?",
    definition=(
        "Hours from start to end of runs that ended in 30 days: effort, not money. Each run is in "
        "one part: CI and merge; a retry; failed; cancelled; or succeeded. What came to nothing "
        "is failed, retries and cancelled."
    ),
    queries=_QUERIES,
    show=_show,
)
