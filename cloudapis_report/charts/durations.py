"""What got slower, and what is slowest: jobs by their usual and their long runs, and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_report.chart import (
    NARROW,
    Chart,
    Data,
    Figure,
    Finding,
    Legend,
    Nothing,
    Table,
)
from cloudapis_report.drawing import names, rows_axis, seconds_axis, values
from cloudapis_report.naming import labelled
from cloudapis_report.words import change, count, day, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_JOBS, _MODELS = 15, 12
#: What takes so many times as long as before is slower.
_SLOWER = 1.5

_NO_RESULTS = "No result of a model is known: select dbt_run_results to see which got slower."

_QUERIES = {
    "counts": f"""
        select count(*) as jobs, count(*) filter (where p50_change >= {_SLOWER}) as slower
        from {{dbt_cloud__jobs}} where is_deleted is not true and p50_run_seconds_30d is not null
    """,
    "jobs": f"""
        select job_id, job_name, project_name, account_name, p50_run_seconds_30d as p50,
            p95_run_seconds_30d as p95, p50_run_seconds_7d as p50_now,
            p50_run_seconds_before as p50_before, p50_change, succeeded_30d
        from {{dbt_cloud__jobs}}
        where is_deleted is not true and p50_run_seconds_30d is not null
        order by case when p50_change >= {_SLOWER} then p50_change else 0 end desc,
            p50_run_seconds_30d desc, job_name, job_id
        limit {_JOBS}
    """,
    "models": f"""
        with newest as (
            select *, row_number() over (
                partition by account_id, environment_id, node_id order by day desc) as back
            from {{dbt_cloud__model_daily}}
            where is_regressed and day > {{today}} - interval '7 days'
        )
        select node_name, project_name, environment_name, account_name, day, p50_seconds,
            baseline_seconds, ratio
        from newest where back = 1
        order by ratio desc, node_name, node_id, account_id, environment_id limit {_MODELS}
    """,
    "results": "select count(*) as results from {dbt_cloud__model_daily}",
}


def _show(data: Data) -> Finding | Nothing:
    jobs = labelled(data.rows("jobs"), lambda row: row["job_name"], "project_name", "account_name")
    if not jobs:
        return Nothing("No run of dbt Cloud has succeeded in the last 30 days")
    models = labelled(
        data.rows("models"),
        lambda row: row["node_name"],
        *("project_name", "environment_name", "account_name"),
    )
    title, slower = _title(data.one("counts"), jobs[0])
    parts = [
        Figure(
            lambda width: _spec(jobs, width),
            f"How long the runs of each job take: {title}",
            legend=[
                Legend("main", "", "half of the runs are over by then"),
                Legend("main2", "", "95 % of them are"),
                Legend("warn", "▲", f"takes {_SLOWER:g} times as long as before, or more"),
            ],
        )
    ]
    also = []
    if models:
        parts.append(
            Figure(
                lambda width: _models(models, width),
                "Models that take longer than on the same weekdays before",
                heading="Models that got slower",
                legend=[
                    Legend("warn", "▲", "now"),
                    Legend("ink", "", "the same weekdays before"),
                ],
            )
        )
        first = models[0]
        also.append(
            f"Of the models, {first['label']} got slowest: {duration(first['p50_seconds'])}, "
            f"up from {duration(first['baseline_seconds'])}"
        )
    tables = [_table(jobs)] + ([_table_of_models(models)] if models else [])
    note = "" if data.one("results").get("results") else _NO_RESULTS
    return Finding(title, parts, tables, "warn" if slower else "plain", note, also)


def _title(counts: Row, first: Row) -> tuple[str, bool]:
    if counts["slower"]:
        more = counts["slower"] - 1
        others = f"; {count(more, 'other job')} got slower, too" if more else ""
        return (
            (
                f"{first['label']} takes {first['p50_change']:.1f} times as long as before: "
                f"{duration(first['p50_now'])}, up from {duration(first['p50_before'])}{others}"
            ),
            True,
        )
    return (
        (
            f"No job got slower by half; {first['label']} is the slowest, with "
            f"{duration(first['p50'])} at the median"
        ),
        False,
    )


def _spec(jobs: Sequence[Row], width: int) -> Spec:
    left, right = (132, 52) if width == NARROW else (236, 64)
    rows = [
        {
            "place": place,
            "name": row["label"],
            "p50": max(row["p50"], 1),
            "p95": row["p95"] and max(row["p95"], 1),
            "change": _changed(row),
            "colour": "var(--warn)" if _is_slower(row) else "var(--main)",
            "d": _told(row),
        }
        for place, row in enumerate(jobs)
    ]
    ends = [row["p50"] for row in rows] + [row["p95"] for row in rows if row["p95"]]
    x = {
        "field": "p50",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [min(ends) * 0.8, max(ends) * 1.15]},
        "axis": seconds_axis(min(ends), max(ends)),
    }
    told = {"field": "d"}
    with_p95 = [{"filter": "datum.p95 != null"}]
    return {
        "width": width - left - right,
        "height": {"step": 24},
        "data": values(rows),
        "encoding": {"y": rows_axis()},
        "layer": [
            {
                "transform": with_p95,
                "mark": {"type": "rule", "stroke": "var(--main2)", "strokeWidth": 5},
                "encoding": {"x": x, "x2": {"field": "p95"}, "description": told},
            },
            {
                "transform": with_p95,
                "mark": {"type": "circle", "fill": "var(--main2)", "size": 90},
                "encoding": {"x": {**x, "field": "p95"}, "description": told},
            },
            {
                "mark": {"type": "circle", "size": 90},
                "encoding": {
                    "x": x,
                    "fill": {"field": "colour", "type": "nominal", "scale": None},
                    "description": told,
                },
            },
            names(left),
            {
                "mark": {"type": "text", "align": "left", "dx": 8, "fill": "var(--warnink)"},
                "encoding": {"x": {"value": "width"}, "text": {"field": "change"}},
            },
        ],
    }


def _is_slower(row: Row) -> bool:
    return row["p50_change"] is not None and row["p50_change"] >= _SLOWER


def _changed(row: Row) -> str:
    return f"▲ {change(row['p50_change'])}" if _is_slower(row) else ""


def _told(row: Row) -> str:
    told = f"{row['label']}: {duration(row['p50'])} at the median"
    if row["p95"] is not None:
        told += f", {duration(row['p95'])} at 95{chr(160)}%"
    if row["p50_change"] is not None:
        told += f"; 7 days against the 28 before: {change(row['p50_change'])}"
    return told


def _models(models: Sequence[Row], width: int) -> Spec:
    left, right = (132, 140) if width == NARROW else (236, 130)
    rows = [
        {
            "place": place,
            "name": row["label"],
            "now": row["p50_seconds"],
            "before": row["baseline_seconds"],
            "told": f"{duration(row['p50_seconds'])} ▲ {change(row['ratio'])}",
            "d": f"{row['label']}: {duration(row['p50_seconds'])} on {day(row['day'])}, "
            f"{duration(row['baseline_seconds'])} before",
        }
        for place, row in enumerate(models)
    ]
    x = {"field": "now", "type": "quantitative", "axis": None}
    return {
        "width": width - left - right,
        "height": {"step": 24},
        "data": values(rows),
        "encoding": {"y": rows_axis()},
        "layer": [
            {
                "mark": {"type": "bar", "fill": "var(--warn)"},
                "encoding": {"x": x, "description": {"field": "d"}},
            },
            {
                "mark": {"type": "tick", "stroke": "var(--ink)", "thickness": 2},
                "encoding": {"x": {**x, "field": "before"}, "description": {"field": "d"}},
            },
            names(left),
            {
                "mark": {"type": "text", "align": "left", "dx": 8, "fill": "var(--warnink)"},
                "encoding": {"x": x, "text": {"field": "told"}},
            },
        ],
    }


def _table(jobs: Sequence[Row]) -> Table:
    return Table.of(
        "Jobs: what got slower, then what is slowest",
        jobs,
        ("Job", "job_name", "text"),
        ("Project", "project_name", "text"),
        ("Account", "account_name", "text"),
        ("Median, 30 days", "p50", "duration"),
        ("95 %, 30 days", "p95", "duration"),
        ("Median, 7 days", "p50_now", "duration"),
        ("The 28 before", "p50_before", "duration"),
        ("Change", "p50_change", "change"),
        ("Succeeded", "succeeded_30d", "number"),
    )


def _table_of_models(models: Sequence[Row]) -> Table:
    return Table.of(
        "Models that got slower",
        models,
        ("Model", "node_name", "text"),
        ("Project", "project_name", "text"),
        ("Environment", "environment_name", "text"),
        ("Account", "account_name", "text"),
        ("Day", "day", "day"),
        ("Median that day", "p50_seconds", "duration"),
        ("Before", "baseline_seconds", "duration"),
        ("Change", "ratio", "change"),
    )


DURATIONS = Chart(
    key="durations",
    section="Speed and cost",
    question="What got slower, and what is slowest?",
    definition=(
        "Medians and 95th percentiles are of runs that succeeded, in 30 days; the 95th only from "
        "20 runs on. A change compares the median of 7 days with that of the 28 days before. A "
        "model is slower if a day's median is over 1.5 times the median of the same weekdays in "
        "the 28 days before, of which there must be three; full refreshes are left out."
    ),
    queries=_QUERIES,
    show=_show,
)
