"""How often do runs fail, and is it getting better: outcomes by week, and by project."""

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
from cloudapis_report.drawing import TIME, as_it_is, colours, numbers_axis, panel, values
from cloudapis_report.weeks import full_weeks, middle, of_week, span
from cloudapis_report.words import count, number, percent, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec, Tone

_WEEKS, _PROJECTS = 26, 6
_COMPARED = 4
#: A weekday stands out if it fails so many times as often as the others, so many times at all, and
#: in so many of its runs.
_TIMES, _FAILURES, _RATE = 3, 5, 0.2
#: And by so many standard deviations: among the weekdays of many projects some are bad by chance.
_DEVIATIONS = 5
#: A change of less, in points, is none.
_POINTS = 0.5
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_OUTCOMES = {"succeeded": "ok", "cancelled": "off", "failed": "bad"}
_LEGEND = [
    Legend("bad", "✕", "failed"),
    Legend("off", "\u2013", "cancelled"),
    Legend("ok", "✓", "succeeded"),
]

_QUERIES = {
    "weeks": """
        select week, sum(runs) as runs, sum(succeeded) as succeeded, sum(failed) as failed,
            sum(cancelled) as cancelled, sum(roots) as roots,
            sum(roots_succeeded) as roots_succeeded
        from {dbt_cloud__job_daily}
        where week >= {week} - interval '175 days' and runs > 0
        group by week order by week
    """,
    "projects": f"""
        with worst as (
            select account_id, project_id, max(project_name) as project_name,
                row_number() over (
                    order by sum(failed) desc, sum(runs) desc, account_id, project_id) as place
            from {{dbt_cloud__job_daily}}
            where week >= {{week}} - interval '175 days'
            group by account_id, project_id having sum(failed) > 0
        )
        select w.place, w.project_name, d.week, sum(d.failed) as failed, sum(d.runs) as runs,
            sum(d.succeeded) as succeeded
        from worst w join {{dbt_cloud__job_daily}} d
            on d.account_id = w.account_id and d.project_id = w.project_id
        where w.place <= {_PROJECTS} and d.week >= {{week}} - interval '175 days'
        group by w.place, w.project_name, d.week order by w.place, d.week
    """,
    "weekdays": f"""
        with counted as (
            select account_id, project_id, project_name,
                cast(extract(isodow from day) as integer) as weekday,
                sum(failed) as failed, sum(succeeded) + sum(failed) as ended
            from {{dbt_cloud__job_daily}}
            where day > {{today}} - interval '90 days'
            group by account_id, project_id, project_name, extract(isodow from day)
        ), compared as (
            select project_name, weekday, failed, ended,
                sum(failed) over (partition by account_id, project_id) - failed as failed_else,
                sum(ended) over (partition by account_id, project_id) - ended as ended_else
            from counted
        )
        select * from compared
        where failed >= {_FAILURES} and ended_else > 0
            and failed * ended_else >= {_TIMES} * failed_else * ended
            and failed >= {_RATE} * ended
            and failed * (ended_else + 2) - ended * (failed_else + 1)
                >= {_DEVIATIONS} * sqrt(ended * (failed_else + 1) * (ended_else + 1 - failed_else))
        order by failed * 1.0 / ended - failed_else * 1.0 / ended_else desc, project_name limit 3
    """,
}


def _show(data: Data) -> Finding | Nothing:
    rows = data.rows("weeks")
    if not rows:
        return Nothing(f"No run of dbt Cloud has ended in the last {_WEEKS} weeks")
    title, worse = _title(rows, data)
    weekdays = data.rows("weekdays")
    also = [_weekday(row) for row in weekdays]
    parts = [
        Figure(
            lambda width: _spec(rows, data, width),
            f"Runs by week and outcome, and the share that succeeded: {title}",
            legend=_LEGEND,
        )
    ]
    projects = data.rows("projects")
    if projects:
        parts.append(
            Figure(
                lambda width: _by_project(projects, data, width),
                "Failed runs by week, for each of the projects with most of them",
                heading="Failed runs by week: the projects with most of them",
            )
        )
    tone: Tone = "warn" if worse or weekdays else "plain"
    return Finding(title, parts, [_table(rows), *_projects_table(projects)], tone, also=also)


def _title(rows: Sequence[Row], data: Data) -> tuple[str, bool]:
    """Compare the last full weeks with those before them."""
    full = full_weeks(data.clock, 2 * _COMPARED)
    before = _rate([row for row in rows if row["week"] in full[:_COMPARED]])
    now = _rate([row for row in rows if row["week"] in full[_COMPARED:]])
    if now is None:
        there = _rate(rows)
        if there is None:
            return "No run has succeeded or failed yet", False
        return f"{percent(there)} of runs succeeded", False
    said = f"{percent(now)} of runs succeeded in the last {_COMPARED} full weeks"
    if before is None:
        return said, False
    points = (now - before) * 100
    if abs(points) < _POINTS:
        return f"{said}, as in the {_COMPARED} before", False
    way = "more" if points > 0 else "less"
    return f"{said}, {abs(points):.1f} points {way} than before", points < 0


def _rate(rows: Sequence[Row]) -> float | None:
    succeeded = sum(row["succeeded"] for row in rows)
    ended = succeeded + sum(row["failed"] for row in rows)
    return succeeded / ended if ended else None


def _weekday(row: Row) -> str:
    rate, other = row["failed"] / row["ended"], row["failed_else"] / row["ended_else"]
    return (
        f"{row['project_name'] or 'A project'} fails on {_WEEKDAYS[row['weekday'] - 1]}: "
        f"{percent(rate)} of its runs then, {percent(other)} on other days"
    )


def _spec(rows: Sequence[Row], data: Data, width: int) -> Spec:
    narrow = width == NARROW
    plot = width - 48
    week = {
        "field": "week",
        "type": "temporal",
        "scale": {**TIME, "domain": span(data.clock, _WEEKS)},
        "axis": {"format": "%b", "tickCount": "month", "labelAlign": "left"},
    }
    outcomes = [
        {
            "week": middle(row["week"]),
            "runs": row[outcome],
            "outcome": outcome,
            "order": order,
            "whole": 0.55 if row["week"] == data.clock.week else 1,
            "d": f"{of_week(row['week'])}: {number(row[outcome])} {outcome}",
        }
        for row in rows
        for order, outcome in enumerate(("failed", "cancelled", "succeeded"))
    ]
    rates = [
        {
            "week": middle(row["week"]),
            "rate": rate,
            "d": f"{of_week(row['week'])}: {percent(rate)} succeeded",
        }
        for row in rows
        if (rate := _rate([row])) is not None
    ]
    rate_y = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"zero": False, "nice": True},
        "axis": numbers_axis(format=".0%", tickCount=3),
    }
    return {
        "vconcat": [
            {
                "title": panel("Success rate"),
                "width": plot,
                "height": 84,
                "data": values(rates),
                "layer": [
                    {"mark": {"type": "line", "stroke": "var(--main)"}},
                    {
                        "mark": {"type": "circle", "size": 26},
                        "encoding": {"description": {"field": "d"}},
                    },
                ],
                "encoding": {
                    "x": {**week, "axis": {"labels": False, "grid": False}},
                    "y": rate_y,
                },
            },
            {
                "title": panel("Runs by week; this one is not over"),
                "width": plot,
                "height": 150 if narrow else 170,
                "data": values(outcomes),
                "mark": {"type": "bar", "width": plot / _WEEKS * 0.8},
                "encoding": {
                    "x": week,
                    "y": {
                        "field": "runs",
                        "type": "quantitative",
                        "axis": numbers_axis(),
                    },
                    "fill": {"field": "outcome", "scale": colours(_OUTCOMES)},
                    "order": {"field": "order"},
                    "opacity": as_it_is("whole"),
                    "description": {"field": "d"},
                },
            },
        ]
    }


def _by_project(rows: Sequence[Row], data: Data, width: int) -> Spec:
    columns = 2 if width == NARROW else 3
    names = {row["place"]: row["project_name"] or "no project" for row in rows}
    bars = [
        {
            "place": row["place"],
            "week": middle(row["week"]),
            "failed": row["failed"],
            "d": f"{of_week(row['week'])}: {count(row['failed'], 'failed run')} "
            f"of {number(row['runs'])}",
        }
        for row in rows
    ]
    cell = (width - 40 * columns - 18 * (columns - 1)) // columns
    most = max(bar["failed"] for bar in bars)

    def one(place: int, name: str) -> Spec:
        return {
            "title": panel(short(name, 22 if columns == 2 else 34)),  # noqa: PLR2004
            "width": cell,
            "height": 56,
            "data": values([bar for bar in bars if bar["place"] == place]),
            "mark": {"type": "bar", "fill": "var(--bad)", "width": cell / _WEEKS * 0.8},
            "encoding": {
                "x": {
                    "field": "week",
                    "type": "temporal",
                    "scale": {**TIME, "domain": span(data.clock, _WEEKS)},
                    "axis": {"format": "%b", "tickCount": 3, "labelAlign": "left"},
                },
                "y": {
                    "field": "failed",
                    "type": "quantitative",
                    "scale": {"domain": [0, most]},
                    "axis": numbers_axis(32, tickCount=2),
                },
                "description": {"field": "d"},
            },
        }

    return {"columns": columns, "concat": [one(*each) for each in names.items()]}


def _table(rows: Sequence[Row]) -> Table:
    columns = [
        Column("Week from", "day"),
        Column("Runs", "number"),
        Column("Succeeded", "number"),
        Column("Failed", "number"),
        Column("Cancelled", "number"),
        Column("Success rate", "share"),
        Column("Eventual success", "share"),
    ]
    return Table(
        "Runs by week and outcome",
        columns,
        [
            [
                row["week"],
                row["runs"],
                row["succeeded"],
                row["failed"],
                row["cancelled"],
                _rate([row]),
                row["roots_succeeded"] / row["roots"] if row["roots"] else None,
            ]
            for row in reversed(rows)
        ],
    )


def _projects_table(rows: Sequence[Row]) -> list[Table]:
    if not rows:
        return []
    columns = [
        Column("Project"),
        Column("Week from", "day"),
        Column("Failed", "number"),
        Column("Runs", "number"),
    ]
    told = [[row["project_name"], row["week"], row["failed"], row["runs"]] for row in rows]
    return [Table("Failed runs by project and week", columns, told)]


OUTCOMES = Chart(
    key="outcomes",
    section="Reliability",
    question="How often do runs fail, and is it getting better?",
    definition=(
        "Success rate: runs that succeeded, of those that succeeded or failed and ended in the "
        "week; cancelled and open runs are in neither. Eventual success counts a run with its "
        "retries once. A weekday is named if runs of a project fail three times as often on it "
        "as on the others, in 90 days, and much more often than chance explains (by five standard "
        "deviations)."
    ),
    queries=_QUERIES,
    show=_show,
)
