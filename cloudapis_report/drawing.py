"""How figures look: one style for all specs, and the parts that they share."""

from __future__ import annotations

import json
import math
import re
from html import escape
from typing import TYPE_CHECKING, Any

import vl_convert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_VERSION = "6.1"
_TEXT = {
    "labelColor": "var(--muted)",
    "labelFontSize": 12,
    "titleColor": "var(--muted)",
    "titleFontSize": 12,
    "titleFontWeight": "normal",
}
#: Colours are CSS variables, so one drawing serves light and dark.
CONFIG: Spec = {
    # What texts are measured with; it is taken out of the SVG, which has the font of the page.
    "font": "sans-serif",
    "background": None,
    "padding": 0,
    "view": {"stroke": None},
    "axis": {
        **_TEXT,
        "domain": False,
        "ticks": False,
        "grid": False,
        "gridColor": "var(--line)",
        "labelPadding": 6,
        "title": None,
    },
    "axisX": {"titleAnchor": "start", "titlePadding": 8},
    "legend": {"disable": True},
    "header": {**_TEXT, "labelColor": "var(--text)", "labelAnchor": "start", "title": None},
    "bar": {"fill": "var(--main)"},
    "rect": {"fill": "var(--main)"},
    # What has no name of its own is not told: the marks beside it are.
    "line": {"stroke": "var(--main)", "strokeWidth": 2, "aria": False},
    "area": {"aria": False},
    "point": {"filled": True, "fill": "var(--main)", "opacity": 1},
    "circle": {"fill": "var(--main)", "opacity": 1},
    "text": {"fill": "var(--text)", "fontSize": 12, "aria": False},
    "rule": {"stroke": "var(--line)"},
    "concat": {"spacing": 18},
    "facet": {"spacing": 18},
}

#: Times of rows are milliseconds in which the hands of the page's clock are read as UTC.
TIME: Spec = {"type": "utc"}
#: What Vega writes that nobody needs: it is the same for every mark, or draws nothing.
_NEEDLESS = re.compile(
    r' (?:aria-roledescription="[^"]*"|pointer-events="none"|aria-hidden="true"|opacity="1"'
    r'|font-family="sans-serif"|stroke-width="1"|fill-opacity="1"|role="graphics-object"'
    r'|class="(?!marks)[^"]*")'
)
_NO_PATH = re.compile(
    r'<path(?: class="(?:background|foreground)")?[^>]* d=(?:""|"M0,0h0v0h0Z")[^>]*/>'
)
_AXIS_LABEL = re.compile(
    r' role="graphics-symbol" aria-roledescription="(?:axis|title)" aria-label="[^"]*"'
)
_HIDDEN = re.compile(r'<(text|line)[^>]* opacity="0"[^>]*(?:/>|>[^<]*</\1>)')
_GROUP = re.compile(r"<g></g>")
_HEAD = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')
_LAST_IN_ONE_PIECE = 0xFFFF
#: Characters that mean nothing.
_PRIVATE = range(0xE000, 0xF900)
_GEOMETRY = re.compile(r' (?:d|transform)="[^"]*"')
_FRACTION = re.compile(r"(\d\.\d)\d+")


def svg(spec: Spec, label: str) -> str:
    """Render a spec to an SVG element for a page.

    Args:
        spec: Vega-Lite, without a config; texts in its data may be hostile.
        label: What it shows, in a sentence.

    Returns:
        The element: an image by that name, whose marks tell in ``aria-label`` what they are.
    """
    told = json.dumps({"config": CONFIG, **spec}, ensure_ascii=False)
    narrow = _stand_ins(told)
    drawn = vl_convert.vegalite_to_svg(
        told.translate(narrow), vl_version=_VERSION, allowed_base_urls=[]
    )
    drawn = drawn.translate({ord(stand_in): chr(wide) for wide, stand_in in narrow.items()})
    head = _HEAD.match(drawn)
    assert head  # noqa: S101 - so begins every SVG of Vega
    body = drawn[head.end() :]
    for pattern in (_NO_PATH, _AXIS_LABEL, _HIDDEN, _NEEDLESS):
        body = pattern.sub("", body)
    # The role of a mark with a name, as browsers know it.
    body = body.replace(' role="graphics-symbol"', ' role="img"')
    before = ""
    while body != before:
        before, body = body, _GROUP.sub("", body)
    body = _GEOMETRY.sub(lambda found: _FRACTION.sub(r"\1", found[0]), body)
    width = head[1].split()[2]
    return (
        f'<svg viewBox="{head[1]}" style="max-width:{width}px" role="img" '
        f'aria-label="{escape(label)}">{body}'
    )


def _stand_ins(text: str) -> dict[int, str]:
    """Find a character in one piece for each that UTF-16 writes in two.

    Vega, which counts the pieces, cuts a long text between them, and then cannot read it.
    """
    wide = sorted({character for character in text if ord(character) > _LAST_IN_ONE_PIECE})
    unused = (chr(point) for point in _PRIVATE if chr(point) not in text)
    return {ord(character): stand_in for character, stand_in in zip(wide, unused, strict=False)}


# What several specs have


def values(rows: Sequence[Row]) -> Spec:
    """Return rows as the data of a spec."""
    return {"values": list(rows)}


def colours(by_name: dict[str, str]) -> Spec:
    """Return a colour scale: the CSS variable of each value."""
    return {
        "domain": list(by_name),
        "range": [f"var(--{colour})" for colour in by_name.values()],
    }


#: Writes a tick as 950, 1k or 2.5M.
SHORT = "format(datum.value, '~s')"


def numbers_axis(extent: int = 40, **more: Any) -> Spec:
    """Return a vertical axis of numbers with a grid, as wide as given."""
    return {
        "grid": True,
        "minExtent": extent,
        "maxExtent": extent,
        "tickCount": 4,
        **({} if more.keys() & {"format", "labelExpr"} else {"labelExpr": SHORT}),
        **more,
    }


def panel(text: str) -> Spec:
    """Return the heading of one of several panels; the text may be hostile."""
    return {
        "text": text,
        "anchor": "start",
        "frame": "group",
        "offset": 6,
        "fontSize": 12,
        "fontWeight": "normal",
        "color": "var(--muted)",
    }


def as_it_is(field: str) -> Spec:
    """Return an encoding by values that rows have as they are meant: an opacity, an angle."""
    return {"field": field, "type": "quantitative", "scale": None}


#: Where a logarithmic axis of time has its ticks: in units that people use.
_MARKS = (1, 5, 15, 60, 300, 900, 3_600, 10_800, 43_200, 86_400, 259_200, 604_800, 2_592_000)
#: Writes a tick of such an axis.
SECONDS = (
    "datum.value < 60 ? datum.value + ' s' : datum.value < 3600 ? datum.value / 60 + ' min' : "
    "datum.value < 86400 ? datum.value / 3600 + ' h' : datum.value / 86400 + ' d'"
)


def seconds_axis(low: float, high: float) -> Spec:
    """Return a horizontal axis of lengths of time, for a logarithmic scale."""
    ticks = [mark for mark in _MARKS if low * 0.8 <= mark <= high * 1.2]
    return {"grid": True, "values": ticks, "labelExpr": SECONDS, "labelOverlap": True}


_DAY = 86_400_000


def days(field: str, begin: float, end: float, most: int, **more: Any) -> Spec:
    """Return a horizontal encoding of times from a day on, with so many ticks at most.

    Args:
        field: The field with milliseconds, of the page's clock read as UTC.
        begin: Where the axis begins.
        end: Where it ends.
        most: How many ticks there may be.
        more: Other properties of the axis.
    """
    step = next(step for step in (1, 2, 7, 14, 28, 56) if (end - begin) / _DAY / step <= most)
    first = math.ceil(begin / _DAY) * _DAY
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [begin, end], "nice": False, "zero": False},
        "axis": {
            "values": list(range(first, int(end), step * _DAY)),
            "labelExpr": "utcFormat(datum.value, '%-d %b')",
            **more,
        },
    }


def names(extent: int, field: str = "name", **more: Any) -> Spec:
    """Return a layer that writes a name left of each row.

    Rows go by their place, as two of them may have the same name; and a name that is in the data
    of a spec is never part of an expression.

    Args:
        extent: How wide they may be, in pixels.
        field: The field of the name.
        more: Other properties of the text.
    """
    return {
        "mark": {"type": "text", "align": "left", "limit": extent - 10, **more},
        "encoding": {"x": {"value": -extent}, "text": {"field": field}},
    }


def rows_axis(field: str = "place") -> Spec:
    """Return the vertical encoding of rows by their place, without an axis."""
    return {
        "field": field,
        "type": "ordinal",
        "axis": None,
        "scale": {"type": "band", "paddingInner": 0.3},
    }


def halo(text: Spec) -> list[Spec]:
    """Return a layer of texts twice: first as a broad line in the colour of the paper."""
    around = {**text["mark"], "stroke": "var(--paper)", "strokeWidth": 4, "strokeJoin": "round"}
    return [{**text, "mark": around}, text]
