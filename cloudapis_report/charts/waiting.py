"""Why runs wait: the usual time in the queue by weekday and hour, and when all slots are taken."""

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
from cloudapis_report.drawing import panel, values
from cloudapis_report.words import count, duration, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_DAYS = 28
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: The steps of the colours, in seconds.
_STEPS = (30, 60, 180, 600, 1_800)
#: From so many seconds on, a wait is one.
_LONG = 60
#: An hour with fewer runs is no usual hour.
_FEWEST = 3
#: An hour of the day stands out with so many times the wait of the others, and so many runs.
_TIMES, _MANY = 5, 10

_QUERIES = {
    "hours": f"""
        select requested_weekday as weekday, requested_hour_of_day as hour, count(*) as runs,
            percentile_cont(0.5) within group (order by queue_seconds) as p50,
            max(queue_seconds) as longest
        from {{dbt_cloud__runs}}
        where queue_seconds is not null and not is_ci
            and requested_at > {{now}} - interval '{_DAYS} days'
        group by requested_weekday, requested_hour_of_day
        order by requested_weekday, requested_hour_of_day
    """,
    "all": f"""
        select count(*) as runs,
            percentile_cont(0.5) within group (order by queue_seconds) as p50,
            percentile_cont(0.95) within group (order by queue_seconds) as p95
        from {{dbt_cloud__runs}}
        where queue_seconds is not null and not is_ci
            and requested_at > {{now}} - interval '{_DAYS} days'
    """,
    # Each hour of the day that has had enough runs, and all others beside it.
    "hours_of_day": f"""
        with waits as (
            select requested_hour_of_day as hour, queue_seconds
            from {{dbt_cloud__runs}}
            where queue_seconds is not null and not is_ci
                and requested_at > {{now}} - interval '{_DAYS} days'
        ),
        hours as (
            select hour from waits group by hour having count(*) >= {_MANY}
        )
        select h.hour,
            percentile_cont(0.5) within group (
                order by case when w.hour = h.hour then w.queue_seconds end) as p50,
            percentile_cont(0.5) within group (
                order by case when w.hour <> h.hour then w.queue_seconds end) as others
        from hours h cross join waits w
        group by h.hour order by h.hour
    """,
    "slots": f"""
        select hour_of_day as hour, sum(saturated_minutes) as minutes,
            sum(waited_seconds) as waited, max(max_running) as max_running,
            max(run_slots) as run_slots
        from {{dbt_cloud__slots_hourly}}
        where hour_utc > {{now}} - interval '{_DAYS} days'
        group by hour_of_day order by hour_of_day
    """,
}


def _show(data: Data) -> Finding | Nothing:
    rows, whole = data.rows("hours"), data.one("all")
    if not rows:
        return Nothing(f"No run of dbt Cloud has waited for its start in the last {_DAYS} days")
    slots = data.rows("slots")
    usual = [row for row in rows if row["runs"] >= _FEWEST] or rows
    worst = max(usual, key=lambda row: row["p50"])
    minutes = sum(row["minutes"] or 0 for row in slots)
    waits = worst["p50"] >= _LONG
    out = [row for row in data.rows("hours_of_day") if _stands_out(row)]
    title = (
        f"Runs wait {duration(out[0]['p50'])} at the median when created at "
        f"{out[0]['hour']:02}:00, {duration(out[0]['others'])} at other hours"
        if len(out) == 1
        else f"Runs wait {duration(whole['p50'])} at the median; longest on "
        f"{_LONG_WEEKDAYS[worst['weekday'] - 1]}s at {worst['hour']:02}:00, with "
        f"{duration(worst['p50'])}"
        if waits
        else f"Runs hardly wait: {duration(whole['p50'])} at the median, and "
        f"{duration(worst['p50'])} in the worst hour of the week"
    )
    also = []
    if minutes:
        peak = max(slots, key=lambda row: row["minutes"] or 0)
        also.append(
            f"All run slots were taken for {duration(minutes * 60)} in {_DAYS} days, "
            f"most between {peak['hour']:02}:00 and {(peak['hour'] + 1) % 24:02}:00"
        )
    elif slots and any(row["run_slots"] for row in slots):
        also.append(f"The run slots were never all taken in {_DAYS} days")
    bounds = ["0", *map(duration, _STEPS)]
    legend = [
        Legend(f"h{at}", "", f"{bound} or more" if at else f"under {bounds[1]}")
        for at, bound in enumerate(bounds)
        if any(_step(row["p50"]) == at for row in rows)
    ]
    figure = Figure(
        lambda width: _spec(rows, slots, width),
        f"Median time in the queue by weekday and hour: {title}",
        legend=legend,
    )
    return Finding(
        title,
        [figure],
        _tables(rows, slots),
        "warn" if waits or len(out) == 1 else "good",
        also=also,
    )


def _stands_out(row: Row) -> bool:
    if row["others"] is None:
        return False
    return bool(row["p50"] >= max(_LONG, _TIMES * row["others"]))


def _step(seconds: float) -> int:
    return sum(seconds >= step for step in _STEPS)


def _spec(rows: Sequence[Row], slots: Sequence[Row], width: int) -> Spec:
    narrow = width == NARROW
    left = 36
    plot = width - left - 4
    cells = [
        {
            "weekday": row["weekday"],
            "hour": row["hour"],
            "end": row["hour"] + 1,
            "fill": f"var(--h{_step(row['p50'])})",
            "d": f"{_LONG_WEEKDAYS[row['weekday'] - 1]} {row['hour']:02}:00: "
            f"{duration(row['p50'])} at the median of {count(row['runs'], 'run')}, "
            f"{duration(row['longest'])} at most",
        }
        for row in rows
    ]
    x = {
        "field": "hour",
        "type": "quantitative",
        "scale": {"domain": [0, 24], "nice": False},
        "axis": {
            "values": [0, 6, 12, 18, 24] if narrow else list(range(0, 25, 3)),
            "labelExpr": "(datum.value < 10 ? '0' : '') + datum.value + ':00'",
            "labelFlush": True,
        },
    }
    days = [{"weekday": day, "name": name} for day, name in enumerate(_WEEKDAYS, 1)]
    week = {
        "field": "weekday",
        "type": "ordinal",
        "axis": None,
        "scale": {"domain": list(range(1, 8)), "padding": 0},
    }
    heat = {
        "width": plot,
        "height": 7 * (22 if narrow else 26),
        "layer": [
            {
                "data": values(cells),
                "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2},
                "encoding": {
                    "x": {**x, "axis": None} if slots else x,
                    "x2": {"field": "end"},
                    "y": week,
                    "fill": {"field": "fill", "scale": None, "type": "nominal"},
                    "description": {"field": "d"},
                },
            },
            {
                "data": values(days),
                "mark": {"type": "text", "align": "left"},
                "encoding": {"x": {"value": -left}, "y": week, "text": {"field": "name"}},
            },
        ],
    }
    if not slots:
        return heat
    bars = [
        {
            "hour": row["hour"] + 0.08,
            "end": row["hour"] + 0.92,
            "minutes": row["minutes"] or 0,
            "zero": 0,
            "d": f"{row['hour']:02}:00: all slots taken for "
            f"{duration((row['minutes'] or 0) * 60)} in {_DAYS} days",
        }
        for row in slots
    ]
    saturated = {
        "title": panel(f"Minutes in which all run slots were taken, {_DAYS} days"),
        "width": plot,
        "height": 60,
        "data": values(bars),
        "mark": {"type": "rect", "fill": "var(--warn)"},
        "encoding": {
            "x": x,
            "x2": {"field": "end"},
            "y": {
                "field": "minutes",
                "type": "quantitative",
                "axis": {"grid": True, "tickCount": 2, "minExtent": left, "maxExtent": left},
            },
            "y2": {"field": "zero"},
            "description": {"field": "d"},
        },
    }
    return {"vconcat": [heat, saturated], "bounds": "flush", "spacing": 44}


def _tables(rows: Sequence[Row], slots: Sequence[Row]) -> list[Table]:
    columns = [
        Column("Weekday"),
        Column("Hour"),
        Column("Runs", "number"),
        Column("Median wait", "duration"),
        Column("Longest", "duration"),
    ]
    tables = [
        Table(
            f"Time in the queue by weekday and hour, {_DAYS} days",
            columns,
            [
                [
                    _LONG_WEEKDAYS[row["weekday"] - 1],
                    f"{row['hour']:02}:00",
                    row["runs"],
                    row["p50"],
                    row["longest"],
                ]
                for row in rows
            ],
        )
    ]
    if slots:
        columns = [
            Column("Hour"),
            Column("Minutes with all slots taken", "number"),
            Column("Waited in all", "duration"),
            Column("Most runs at once", "number"),
            Column("Run slots", "number"),
        ]
        fields = ("minutes", "waited", "max_running", "run_slots")
        told = [[f"{row['hour']:02}:00", *(row[field] for field in fields)] for row in slots]
        tables.append(Table(f"Run slots by hour of the day, {number(_DAYS)} days", columns, told))
    return tables


WAITING = Chart(
    key="waiting",
    section="Speed and cost",
    question="When do runs wait, and for what?",
    definition=(
        "Time in the queue: from the request to the start, which is waiting for a slot or for the "
        "job's own last run, and preparing. Runs that were cancelled in the queue never started "
        "and are left out, as are CI runs, which take no slot."
    ),
    queries=_QUERIES,
    show=_show,
)
