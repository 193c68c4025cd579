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
from cloudapis_report.words import NBSP, count, hours, number, percent, share, verb

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

#: What the newest check of a source came to. A check passes while the age is below both limits.
_NOW = {0: "in time", 1: "late", 2: "too late"}
#: Each source: first those that are late now, then those that were late most often.
_RANKED = f"""
    with recent as (
        select *, row_number() over (partition by {_KEY} order by day desc) as back
        from {{dbt_cloud__source_freshness}} where {_SINCE}
    ),
    sources as (
        select {_KEY}, max(source_name) as source_name, max(table_name) as table_name,
            max(project_name) as project_name, max(environment_name) as environment_name,
            max(account_name) as account_name,
            sum(checks) as checks, sum(passed) as passed, sum(warned) as warned,
            sum(failed) as failed, sum(warned + failed) as late,
            sum(checks - passed - warned - failed) as unknown,
            max(age_hours) as oldest, sum(hours_outside) as outside,
            max(case when back = 1 then age_hours end) as age,
            max(case when back > 1 then 0 when age_hours >= error_after_hours then 2
                when age_hours >= warn_after_hours then 1 else 0 end) as late_now
        from recent group by {_KEY} having sum(checks) > 0
    ),
    ranked as (
        select *, row_number() over (order by case when late_now > 0 then age else -1 end desc,
            late * 1.0 / checks desc, passed * 1.0 / checks, checks desc,
            source_name, table_name, {_KEY}) as place
        from sources
    )
"""

_QUERIES = {
    "counts": f"""
        {_RANKED}
        select count(*) as sources, sum(checks) as checks, sum(passed) as passed,
            count(*) filter (where late > 0) as late,
            count(*) filter (where late_now > 0) as late_now,
            count(*) filter (where late_now > 1) as too_late,
            sum(unknown) as unknown, count(*) filter (where unknown > 0) as unsure
        from ranked
    """,
    "sources": f"{_RANKED} select * from ranked order by place limit {_SOURCES}",
    "days": f"""
        {_RANKED}
        select s.place, f.day, f.status, f.checks, f.passed, f.age_hours
        from ranked s join {{dbt_cloud__source_freshness}} f
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
    counts = data.one("counts")
    title = _title(counts, sources[0])
    also = [f"{share(counts['passed'], counts['checks'])} of checks in {_DAYS} days passed"]
    if counts["late"] and counts["late_now"] < _SOURCES:
        worst = max(sources, key=lambda row: row["late"] / row["checks"])
        also.append(
            f"{worst['label']} was late most often: {number(worst['late'])} of its "
            f"{count(worst['checks'], 'check')} warned or failed"
        )
    if counts["unknown"]:
        also.append(
            f"{count(counts['unknown'], 'check')} of {count(counts['unsure'], 'source')} "
            "could not be made"
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
    note = f"{count(more, 'other source')} {verb(more, 'is', 'are')} not shown." if more else ""
    worth = counts["late"] or counts["unknown"]
    return Finding(title, [figure], [_table(sources)], "warn" if worth else "good", note, also)


def _title(counts: Row, first: Row) -> str:
    if not counts["late"] and not counts["late_now"]:
        return f"No source was late in {_DAYS} days, of {count(counts['sources'], 'source')}"
    late = (
        f"{number(counts['late'])} of {number(counts['sources'])} "
        f"{verb(counts['late'], 'was', 'were')} late in {_DAYS} days"
    )
    now = counts["late_now"]
    if not now:
        return f"No source is late now; {late}"
    word = "too late" if counts["too_late"] == now else "late"
    named = ":" if now == 1 else "; the oldest:"
    return (
        f"{count(now, 'source')} {verb(now, 'is', 'are')} {word} now{named} {first['label']}, "
        f"{hours(first['age'] * 3600)} old when last checked; {late}"
    )


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
        Column("Now"),
        Column("Hours old when last checked", "decimal"),
        Column("Checks", "number"),
        Column("Passed", "number"),
        Column("Warned", "number"),
        Column("Failed", "number"),
        Column("Not made", "number"),
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
            "not known" if row["age"] is None else _NOW[row["late_now"]],
            row["age"],
            row["checks"],
            row["passed"],
            row["warned"],
            row["failed"],
            row["unknown"],
            row["passed"] / row["checks"],
            row["oldest"],
            row["outside"],
        ]
        for row in sources
    ]
    caption = f"Sources in {_DAYS} days: first those late now, then those late most often"
    return Table(caption, columns, rows)


FRESHNESS = Chart(
    key="freshness",
    section="Trust in the data",
    question="Is the data fresh enough?",
    definition=(
        "What dbt source freshness found, by the limits that the project sets: a day has the "
        "worst of its checks. Late now: by the newest check. In time: checks that passed, of all "
        "checks in 30 days; a check that could not be made has not passed, and is not late."
    ),
    queries=_QUERIES,
    show=_show,
    needs=("dbt_source_freshness",),
)
