"""Is the data fresh enough: each source on each of the last 30 days."""

from __future__ import annotations

from datetime import timedelta
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
from cloudapis_report.drawing import days, names, rows_axis, values
from cloudapis_report.naming import labelled
from cloudapis_report.weeks import millis
from cloudapis_report.words import NBSP, count, number, percent, share, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_DAYS, _SOURCES = 30, 25
#: Colour, sign and word of what the checks of a day came to.
_STATUSES = {
    "pass": ("okpale", "", "in time"),
    "warn": ("warn", "▲", "late: warned"),
    "error": ("bad", "✕", "too late: failed"),
    "runtime error": ("off", "?", "could not be checked"),
}
_SINCE = f"day > {{today}} - interval '{_DAYS} days'"
_KEY = "account_id, environment_id, node_id"

_QUERIES = {
    "total": f"""
        select sum(checks) as checks, sum(passed) as passed from {{dbt_cloud__source_freshness}}
        where {_SINCE}
    """,
    "counts": f"""
        with sources as (
            select {_KEY}, sum(checks) as checks, sum(passed) as passed
            from {{dbt_cloud__source_freshness}} where {_SINCE} group by {_KEY}
        )
        select count(*) as sources, count(*) filter (where passed < checks) as late from sources
    """,
    "sources": f"""
        select {_KEY}, max(source_name) as source_name, max(table_name) as table_name,
            max(project_name) as project_name, max(environment_name) as environment_name,
            max(account_name) as account_name,
            sum(checks) as checks, sum(passed) as passed, sum(warned) as warned,
            sum(failed) as failed, max(age_hours) as oldest, sum(hours_outside) as outside,
            row_number() over (order by sum(passed) * 1.0 / sum(checks), sum(checks) desc,
                max(source_name), max(table_name), {_KEY}) as place
        from {{dbt_cloud__source_freshness}} where {_SINCE}
        group by {_KEY} having sum(checks) > 0
        order by place limit {_SOURCES}
    """,
    "days": f"""
        with sources as (
            select {_KEY}, row_number() over (
                order by sum(passed) * 1.0 / sum(checks), sum(checks) desc, max(source_name),
                    max(table_name), {_KEY}) as place
            from {{dbt_cloud__source_freshness}} where {_SINCE}
            group by {_KEY} having sum(checks) > 0
        )
        select s.place, f.day, f.status, f.checks, f.passed, f.age_hours
        from sources s join {{dbt_cloud__source_freshness}} f
            on f.account_id = s.account_id and f.node_id = s.node_id
            and coalesce(f.environment_id, 0) = coalesce(s.environment_id, 0)
        where s.place <= {_SOURCES} and f.{_SINCE}
        order by s.place, f.day
    """,
}


def _show(data: Data) -> Finding | Nothing:
    sources = labelled(
        data.rows("sources"), _name, "project_name", "environment_name", "account_name"
    )
    if not sources:
        return Nothing(f"The freshness of no source was checked in the last {_DAYS} days")
    total, counts = data.one("total"), data.one("counts")
    late = counts["late"]
    worst = sources[0]
    title = f"No source was late in {_DAYS} days, of {count(counts['sources'], 'source')}"
    if late:
        title = (
            f"{number(late)} of {count(counts['sources'], 'source')} "
            f"{verb(late, 'was', 'were')} late in {_DAYS} days; "
            f"{share(total['passed'], total['checks'])} of checks passed"
        )
    also = []
    if late:
        also.append(
            f"{worst['label']} was late most: "
            f"{share(worst['passed'], worst['checks'])} of its checks passed"
        )
    checks = data.rows("days")
    legend = [
        Legend(colour, sign, word)
        for status, (colour, sign, word) in _STATUSES.items()
        if any(row["status"] == status for row in checks)
    ]
    figure = Figure(
        lambda width: _spec(sources, checks, data, width),
        f"Checks of sources by day: {title}",
        legend=legend,
    )
    more = counts["sources"] - len(sources)
    note = f"{count(more, 'other source')} came in time as often or more." if more else ""
    return Finding(title, [figure], [_table(sources)], "warn" if late else "good", note, also)


def _name(row: Row) -> str:
    return f"{row['source_name']}.{row['table_name']}"


def _spec(sources: Sequence[Row], checks: Sequence[Row], data: Data, width: int) -> Spec:
    narrow = width == NARROW
    left, right = (124, 52) if narrow else (236, 64)
    cells = [
        {
            "place": row["place"],
            "day": millis(row["day"]),
            "end": millis(row["day"] + timedelta(days=1)),
            "middle": millis(row["day"]) + 43_200_000,
            "fill": f"var(--{_STATUSES.get(row['status'], _STATUSES['runtime error'])[0]})",
            "sign": "" if narrow else _STATUSES.get(row["status"], ("", "?", ""))[1],
            "d": f"{row['day'].day}{NBSP}{row['day']:%b}: "
            f"{_STATUSES.get(row['status'], ('', '', row['status']))[2]}, "
            f"{number(row['passed'])} of {count(row['checks'], 'check')} passed",
        }
        for row in checks
    ]
    heads = [
        {
            "place": row["place"],
            "name": row["label"],
            "met": percent(row["passed"] / row["checks"]),
        }
        for row in sources
    ]
    today = data.clock.today
    begin, end = millis(today - timedelta(days=_DAYS - 1)), millis(today + timedelta(days=1))
    x = days("day", begin, end, 3 if narrow else 6, orient="top", labelAlign="left")
    return {
        "width": width - left - right,
        "height": {"step": 20 if narrow else 23},
        "encoding": {"y": {**rows_axis(), "scale": {"padding": 0}}},
        "layer": [
            {
                "data": values(cells),
                "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 1.5},
                "encoding": {
                    "x": x,
                    "x2": {"field": "end"},
                    "fill": {"field": "fill", "type": "nominal", "scale": None},
                    "description": {"field": "d"},
                },
            },
            {
                "data": values([cell for cell in cells if cell["sign"]]),
                "mark": {"type": "text", "fontSize": 10, "fill": "var(--onbad)"},
                "encoding": {"x": {**x, "field": "middle"}, "text": {"field": "sign"}},
            },
            {"data": values(heads), **names(left)},
            {
                "data": values(heads),
                "mark": {"type": "text", "align": "left", "dx": 8},
                "encoding": {"x": {"value": "width"}, "text": {"field": "met"}},
            },
        ],
    }


def _table(sources: Sequence[Row]) -> Table:
    columns = [
        Column("Source"),
        Column("Project"),
        Column("Environment"),
        Column("Account"),
        Column("Checks", "number"),
        Column("Passed", "number"),
        Column("Warned", "number"),
        Column("Failed", "number"),
        Column("In time", "share"),
        Column("Oldest data, hours", "decimal"),
        Column("Hours outside", "decimal"),
    ]
    rows = [
        [
            _name(row),
            row["project_name"],
            row["environment_name"],
            row["account_name"],
            row["checks"],
            row["passed"],
            row["warned"],
            row["failed"],
            row["passed"] / row["checks"],
            row["oldest"],
            row["outside"],
        ]
        for row in sources
    ]
    return Table(f"Sources, the latest first, {_DAYS} days", columns, rows)


FRESHNESS = Chart(
    key="freshness",
    section="Trust in the data",
    question="Is the data fresh enough?",
    definition=(
        "What dbt source freshness found, by the limits that the project sets: a day has the "
        "worst of its checks. In time: checks that passed, of all checks in 30 days."
    ),
    queries=_QUERIES,
    show=_show,
    needs=("dbt_source_freshness",),
)
