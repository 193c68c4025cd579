"""The page: all charts, put together as one file of HTML."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from cloudapis_report import words
from cloudapis_report.chart import NARROW, WIDE, Figure, Finding, Fragment
from cloudapis_report.drawing import svg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import tzinfo

    from cloudapis_report.chart import Chart, Column, Nothing
    from cloudapis_report.checks import Checks
    from cloudapis_report.queries import Clock

#: A sign beside each colour of a result, so that none speaks by its colour alone.
SIGNS = {"bad": "✕", "warn": "▲", "good": "✓", "plain": "·"}
_HALF = 380


@dataclass(frozen=True)
class Shown:
    """A chart as the page has it.

    Attributes:
        chart: The chart.
        finding: What it says; `None` where there is nothing to show.
        why: Why there is nothing to show.
        parts: The figures, as HTML.
    """

    chart: Chart
    finding: Finding | None
    why: str
    parts: Sequence[Markup]


class Page:
    """Renders charts and puts them together."""

    def __init__(self, clock: Clock) -> None:
        """Read the templates.

        Args:
            clock: Whose time zone the page tells times in.
        """
        self._clock = clock
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("cloudapis_report"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )
        self._templates.globals |= {"signs": SIGNS, "svg": _svg}
        self._templates.filters["groupby_section"] = _by_section

    def shown(self, chart: Chart, result: Finding | Nothing) -> Shown:
        """Draw what a chart says."""
        if not isinstance(result, Finding):
            return Shown(chart, None, result.why, ())
        return Shown(chart, result, "", [self._part(part) for part in result.parts])

    def html(
        self,
        name: str,
        charts: Sequence[Shown],
        facts: Sequence[str],
        foot: Sequence[str],
        checks: Checks | None,
    ) -> str:
        """Put the page together.

        Args:
            name: Whose page it is.
            charts: The charts in their order; the title of the first is that of the page.
            facts: What the page speaks of, in a few words each.
            foot: The lines at its end.
            checks: What the tests of the data said, if that is known.
        """
        script = _asset("page.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        first = charts[0]
        with_result = [shown for shown in charts if shown.finding]
        return self._templates.get_template("page.html.j2").render(
            name=words.clean(name),
            headline=first.finding.title if first.finding else first.why,
            charts=with_result,
            rest=[shown for shown in charts[1:] if not shown.finding],
            facts=facts,
            foot=foot,
            checks=checks,
            cell=cells(self._clock.place),
            style=Markup(_asset("page.css")),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=digest,
        )

    def _part(self, part: Figure | Fragment) -> Markup:
        if isinstance(part, Fragment):
            template = self._templates.get_template("fragment.html.j2")
            inner = self._templates.get_template(part.template).render(part.values)
            return Markup(  # noqa: S704 - a template escapes what it is filled with
                template.render(
                    heading=part.heading,
                    legend=part.legend,
                    inner=Markup(inner),  # noqa: S704 - likewise
                )
            )
        wide = _svg(part.draw(_HALF if part.half else WIDE), part.label)
        narrow = "" if part.half else _svg(part.draw(NARROW), part.label)
        template = self._templates.get_template("figure.html.j2")
        return Markup(  # noqa: S704 - likewise
            template.render(
                heading=part.heading, legend=part.legend, half=part.half, wide=wide, narrow=narrow
            )
        )


def _svg(spec: dict[str, Any], label: str) -> Markup:
    return Markup(svg(spec, label))  # noqa: S704 - Vega escapes texts, and so does svg


def _asset(name: str) -> str:
    return files("cloudapis_report").joinpath("templates", name).read_text("utf-8").strip()


def _by_section(charts: Sequence[Shown]) -> Iterator[tuple[str, list[Shown]]]:
    for section, group in groupby(charts, key=lambda shown: shown.chart.section):
        yield section, list(group)


# Tables


def text(kind: str, value: Any, zone: tzinfo) -> str:
    """Write a value of a table as people read it.

    Args:
        kind: The kind of its column.
        value: The value, as the SQL gave it; `None` if there is none.
        zone: The time zone of points in time.
    """
    if value is None:
        return "\u2013"
    write: dict[str, Callable[[Any], str]] = {
        "text": str,
        "number": words.number,
        "decimal": lambda number: words.number(number, 1),
        "share": words.percent,
        "change": words.change,
        "duration": words.duration,
        "hours": words.hours,
        "time": lambda epoch: words.time(epoch, zone),
        "day": words.day,
    }
    return write[kind](value)


def cells(zone: tzinfo) -> Callable[[Column, Any, bool], Markup]:
    """Return what writes a cell of a table.

    Args:
        zone: The time zone of points in time.

    Returns:
        A function of the column, the value, and whether the cell heads its row.
    """

    def cell(column: Column, value: Any, head: bool) -> Markup:
        shown = escape(text(column.kind, value, zone))
        if column.kind == "text":
            form = '<th scope="row">{}</th>' if head else "<td>{}</td>"
            return Markup(form).format(shown)  # noqa: S704 - format escapes
        raw = "" if value is None else value.toordinal() if column.kind == "day" else value
        return Markup('<td class="n" data-v="{}">{}</td>').format(raw, shown)

    return cell
