"""Tiles: a number, what it counts, and how it went in the last weeks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudapis_report.drawing import TIME, values
from cloudapis_report.weeks import full_weeks, millis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from cloudapis_report.chart import Data, Row, Spec, Tone

#: How many weeks the small lines go back.
WEEKS = 13


@dataclass(frozen=True)
class Spark:
    """A small line over weeks, and what it shows."""

    spec: Spec
    label: str


@dataclass(frozen=True)
class Tile:
    """A number on the page.

    Attributes:
        what: What it counts.
        value: The number, as it is read.
        more: What it has to be seen beside.
        tone: How much it matters.
        spark: How it went.
    """

    what: str
    value: str
    more: str
    tone: Tone = "plain"
    spark: Spark | None = None


def spark(data: Data, query: str, value: Callable[[Row], float | None], label: str) -> Spark | None:
    """Return a line over the last full weeks: this one is not over, and would look like a fall.

    Args:
        data: The rows of the chart.
        query: The query with a row for each ``week`` that has any.
        value: The value of such a row, or of an empty one.
        label: What the line shows.
    """
    by_week = {row["week"]: row for row in data.rows(query)}
    weeks = full_weeks(data.clock, WEEKS)
    points = [(week, value(by_week.get(week, {}))) for week in weeks]
    return Spark(_line(points), f"{label} by week") if any(y for _, y in points) else None


def _line(points: Sequence[tuple[date, float | None]]) -> Spec:
    """Return a line that ends in a point."""
    rows = [{"x": millis(week), "y": y} for week, y in points]
    x = {"field": "x", "type": "temporal", "scale": TIME, "axis": None}
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"zero": False}}
    return {
        "width": 168,
        "height": 36,
        "padding": {"top": 5, "bottom": 3, "left": 0, "right": 5},
        "layer": [
            {
                "data": values(rows),
                "mark": {"type": "line", "strokeWidth": 1.6, "stroke": "var(--main)"},
            },
            {
                "data": values([row for row in rows if row["y"] is not None][-1:]),
                "mark": {"type": "circle", "size": 34, "aria": False},
            },
        ],
        "encoding": {"x": x, "y": y},
    }
