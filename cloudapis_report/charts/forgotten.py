"""Which stacks are forgotten: how old and how large they are."""

from __future__ import annotations

import math
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
from cloudapis_report.drawing import halo, numbers_axis, panel, values
from cloudapis_report.words import count, number, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_LARGEST, _LABELLED = 20, 6
#: How far apart names have to be, in pixels.
_APART = 15
#: Steps of the bins: so many to each power of ten of the age, and of the resources.
_STEPS = 4
_BY_SIZE = "coalesce(resource_count, 0) desc, age_days desc, stack_id"

_QUERIES = {
    "settings": "select stale_days from {platform__as_of}",
    "total": """
        select count(*) as stacks, count(*) filter (where staleness = 'stale') as stale,
            coalesce(sum(resource_count) filter (where staleness = 'stale'), 0) as resources,
            coalesce(sum(resource_count), 0) as all_resources,
            count(*) filter (where staleness = 'never updated') as never
        from {pulumi_cloud__stacks} where staleness <> 'destroyed'
    """,
    # All stacks, counted in the cells of a grid with logarithmic sides.
    "bins": f"""
        select cast(floor({_STEPS} * log(greatest(age_days, 0.1))) as integer) as age,
            cast(floor({_STEPS} * log(greatest(coalesce(resource_count, 0), 0) + 1)) as integer)
                as size,
            count(*) as stacks, sum(case when staleness = 'stale' then 1 else 0 end) as stale
        from {{pulumi_cloud__stacks}}
        where staleness <> 'destroyed' and age_days is not null
        group by 1, 2 order by 1, 2
    """,
    "largest": f"""
        select org_name, project_name, stack_name, stack_id, resource_count, age_days,
            extract(epoch from last_update) as last_update, last_actor, is_production, staleness
        from {{pulumi_cloud__stacks}}
        where staleness = 'stale' order by {_BY_SIZE} limit {_LARGEST}
    """,
}


def _show(data: Data) -> Finding | Nothing:
    total, bins = data.one("total"), data.rows("bins")
    if not total.get("stacks") or not bins:
        return Nothing("No stack of Pulumi Cloud has ever been updated")
    stale_days = data.one("settings")["stale_days"]
    largest = data.rows("largest")
    stale = total["stale"]
    if stale:
        first = largest[0]
        held = first["resource_count"] or 0
        title = (
            f"1 stack, {_name(first)}, has not been updated for "
            f"{count(int(first['age_days']), 'day')} and holds {count(held, 'resource')}"
            if stale == 1
            else f"{count(stale, 'stack')} with {count(total['resources'], 'resource')} "
            f"have not been updated for {stale_days} days; the largest, "
            f"{_name(first)}, holds {number(held)} and is "
            f"{number(first['age_days'])} days old"
        )
    else:
        title = (
            f"No stack has gone {stale_days} days without an update, of {number(total['stacks'])}"
        )
    figure = Figure(
        lambda width: _spec(bins, largest, stale_days, width),
        f"Stacks by days since their last update and number of resources: {title}",
        legend=[
            Legend("h3", "", "stacks; darker where there are more"),
            *([Legend("warn", "▲", "largest that are stale")] if stale else []),
        ],
    )
    tables = []
    if stale:
        columns = [
            Column("Stack"),
            Column("Organization"),
            Column("Resources", "number"),
            Column("Days since the last update", "number"),
            Column("Last update", "time"),
            Column("By"),
            Column("Production"),
        ]
        rows = [
            [
                _name(row),
                row["org_name"],
                row["resource_count"],
                row["age_days"],
                row["last_update"],
                row["last_actor"],
                "yes" if row["is_production"] else "no",
            ]
            for row in largest
        ]
        tables.append(Table("The largest stacks that are stale", columns, rows))
    tables.append(_table_of_bins(bins))
    note = f"{count(total['never'], 'stack')} was never updated." if total["never"] == 1 else ""
    if total["never"] > 1:
        note = f"{count(total['never'], 'stack')} were never updated."
    return Finding(title, [figure], tables, "warn" if stale else "good", note)


def _name(row: Row) -> str:
    return f"{row['project_name']}/{row['stack_name']}"


def _edge(step: int, less: int = 0) -> float:
    return 10 ** (step / _STEPS) - less


def _spec(bins: Sequence[Row], largest: Sequence[Row], stale_days: int, width: int) -> Spec:
    left = 44
    plot, height = width - left - 8, 250 if width == NARROW else 300
    most = max(row["stacks"] for row in bins)
    cells = [
        {
            "age": _edge(row["age"]),
            "older": _edge(row["age"] + 1),
            "size": _edge(row["size"]),
            "larger": _edge(row["size"] + 1),
            "fill": f"var(--h{1 + round(3 * math.log(row['stacks'], most) if most > 1 else 0)})",
            "d": f"{count(row['stacks'], 'stack')}: {_ages(row)}, {_sizes(row)}",
        }
        for row in bins
    ]
    points = [
        {
            "age": max(row["age_days"], 0.1),
            "size": max(row["resource_count"] or 0, 0) + 1,
            "name": short(_name(row), 28 if width == NARROW else 44),
            "d": f"{_name(row)}: {count(row['resource_count'] or 0, 'resource')}, "
            f"{number(row['age_days'])} days old, last by {row['last_actor'] or 'nobody known'}",
        }
        for row in largest
    ]
    ages = [_edge(min(row["age"] for row in bins)), _edge(max(row["age"] for row in bins) + 1)]
    sizes = [1, max(_edge(max(row["size"] for row in bins) + 1), 2)]
    x = {
        "field": "age",
        "type": "quantitative",
        "scale": {"type": "log", "domain": ages, "nice": False},
        "axis": {
            "values": [
                mark for mark in (0.1, 1, 7, 30, 90, 365, 1000) if ages[0] <= mark <= ages[1]
            ],
            "format": "~g",
            "title": "days since the last update",
            "grid": True,
        },
    }
    y = {
        "field": "size",
        "type": "quantitative",
        "scale": {"type": "log", "domain": sizes, "nice": False},
        "axis": numbers_axis(
            left,
            values=[n + 1 for n in (0, 10, 100, 1_000, 10_000, 100_000) if n + 1 <= sizes[1]],
            labelExpr="format(datum.value - 1, '~s')",
        ),
    }
    told = {"field": "d"}
    labels = {
        "data": values(_apart(points, height / math.log10(sizes[1]))),
        "mark": {"type": "text", "align": "right", "dx": -9},
        "encoding": {"x": x, "y": y, "text": {"field": "name"}},
    }
    return {
        "title": panel("Resources"),
        "width": plot,
        "height": height,
        "layer": [
            {
                "data": values(cells),
                "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 1.5},
                "encoding": {
                    "x": x,
                    "x2": {"field": "older"},
                    "y": y,
                    "y2": {"field": "larger"},
                    "fill": {"field": "fill", "type": "nominal", "scale": None},
                    "description": told,
                },
            },
            *_stale_line(stale_days, ages, x),
            {
                "data": values(points),
                "mark": {
                    "type": "point",
                    "shape": "triangle-up",
                    "size": 70,
                    "fill": "var(--warn)",
                },
                "encoding": {"x": x, "y": y, "description": told},
            },
            *halo(labels),
        ],
    }


def _apart(points: Sequence[Row], height: float) -> list[Row]:
    """Return the largest points whose names do not run into each other.

    Args:
        points: The largest first.
        height: Of a power of ten, in pixels.
    """
    kept: list[Row] = []
    for point in points:
        at = math.log10(point["size"])
        if all(abs(at - math.log10(other["size"])) * height >= _APART for other in kept):
            kept.append(point)
    return kept[:_LABELLED]


def _stale_line(stale_days: int, ages: Sequence[float], x: Spec) -> list[Spec]:
    """Return the line from which on a stack is stale, if it is within the figure."""
    if not ages[0] <= stale_days <= ages[1]:
        return []
    mark = {"type": "rule", "aria": False, "stroke": "var(--warnink)", "strokeDash": [4, 3]}
    return [
        {
            "data": values([{"age": stale_days}]),
            "mark": mark,
            "encoding": {"x": x},
        }
    ]


def _ages(row: Row) -> str:
    return f"{_edge(row['age']):.3g} to {_edge(row['age'] + 1):.3g} days"


def _sizes(row: Row) -> str:
    low = math.ceil(_edge(row["size"], 1) - 1e-9)
    high = math.ceil(_edge(row["size"] + 1, 1) - 1e-9) - 1
    return f"{number(low)} to {number(max(low, high))} resources"


def _table_of_bins(bins: Sequence[Row]) -> Table:
    columns = [
        Column("Since the last update"),
        Column("Resources"),
        Column("Stacks", "number"),
        Column("Stale", "number"),
    ]
    rows = [[_ages(row), _sizes(row), row["stacks"], row["stale"]] for row in bins]
    return Table("Stacks by age and size", columns, rows)


FORGOTTEN = Chart(
    key="forgotten",
    section="Infrastructure",
    question="Which stacks are forgotten, and large?",
    definition=(
        "Days since the last update of any kind and the number of resources of each stack that is "
        "not destroyed; both sides are logarithmic. A stack is stale from the number of days on "
        "that the dashed line shows (the variable stale_days)."
    ),
    queries=_QUERIES,
    show=_show,
)
