"""Who changes production: CI, Pulumi Deployments or a person at a laptop, and from what tree."""

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
from cloudapis_report.drawing import colours, names, numbers_axis, panel, rows_axis, values
from cloudapis_report.weeks import months
from cloudapis_report.words import count, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec, Tone

_MONTHS, _ACTORS = 12, 10
#: From such a share on, updates past CI are worth a look.
_MANY = 0.1
_WAYS = {"ci": "main", "deployments": "main2", "laptop": "warn", "dirty": "bad"}
_WORDS = {
    "ci": "CI",
    "deployments": "Pulumi Deployments",
    "laptop": "a person, outside CI",
    "dirty": "a person, with changes not committed",
}
_SIGNS = {"ci": "", "deployments": "", "laptop": "▲", "dirty": "✕"}
_WAY = """case when is_from_ci then 'ci' when actor_kind = 'deployments' then 'deployments'
    when is_dirty then 'dirty' else 'laptop' end"""
_WHERE = """is_production and outcome = 'success' and kind in ('update', 'destroy')
    and started_month >= date_trunc('month', {today}) - interval '11 months'"""

_QUERIES = {
    "months": f"""
        select started_month as month, {_WAY} as way, count(*) as updates
        from {{pulumi_cloud__updates}} where {_WHERE}
        group by 1, 2 order by 1, 2
    """,
    "actors": f"""
        with counted as (
            select coalesce(actor_login, 'nobody known') as actor, count(*) as updates,
                {", ".join(f"count(*) filter (where {_WAY} = '{way}') as {way}" for way in _WAYS)},
                count(distinct stack_id) as stacks,
                count(distinct case when {_WAY} in ('laptop', 'dirty') then stack_id end)
                    as outside_stacks,
                max(case when {_WAY} in ('laptop', 'dirty')
                    then project_name || '/' || stack_name end) as outside_stack
            from {{pulumi_cloud__updates}} where {_WHERE}
            group by coalesce(actor_login, 'nobody known')
        )
        select * from counted
        order by laptop + dirty desc, updates desc, actor limit {_ACTORS}
    """,
}


def _show(data: Data) -> Finding | Nothing:
    rows = data.rows("months")
    total = sum(row["updates"] for row in rows)
    if not total:
        return Nothing(f"No production stack was changed in the last {_MONTHS} months")
    by_way = {way: sum(row["updates"] for row in rows if row["way"] == way) for way in _WAYS}
    past = by_way["laptop"] + by_way["dirty"]
    span = _span(rows, data)
    title = (
        f"{number(past)} of {count(total, 'production update')}{span} came "
        f"from a person outside CI{_dirty(by_way['dirty'], past)}"
    )
    if not past:
        title = (
            f"Every production update{span} came from CI or Pulumi Deployments, "
            f"{number(total)} in all"
        )
    actors = data.rows("actors")
    also = []
    first = actors[0] if actors else {}
    if first and first["laptop"] + first["dirty"]:
        theirs = first["laptop"] + first["dirty"]
        where = (
            first["outside_stack"]
            if first["outside_stacks"] == 1
            else count(first["outside_stacks"], "stack")
        )
        also.append(f"{first['actor']} made {number(theirs)} of these {number(past)}, on {where}")
    legend = [Legend(c, _SIGNS[way], _WORDS[way]) for way, c in _WAYS.items() if by_way[way]]
    parts = [
        Figure(
            lambda width: _spec(rows, data, width),
            f"Production updates by month and by who made them: {title}",
            legend=legend,
        ),
        Figure(
            lambda width: _people(actors, width),
            "Production updates by actor and way",
            heading="Who makes them, those outside CI first",
        ),
    ]
    tone: Tone = "warn" if past >= _MANY * total else "plain"
    return Finding(title, parts, _tables(rows, actors), tone, also=also)


def _span(rows: Sequence[Row], data: Data) -> str:
    """Return for how many months there is data: nothing is said of those before it begins."""
    first = min(row["month"] for row in rows)
    this = data.clock.today
    many = 12 * (this.year - first.year) + this.month - first.month + 1
    return f" in {number(many)} months" if many > 1 else " this month"


def _dirty(dirty: int, past: int) -> str:
    if not dirty:
        return ""
    of_them = number(dirty) if dirty < past else "all" if past > 1 else ""
    return f", {of_them} with changes not committed".replace("  ", " ")


def _spec(rows: Sequence[Row], data: Data, width: int) -> Spec:
    left = 40
    shown = months(data.clock, _MONTHS)
    bars = [
        {
            "month": f"{row['month']:%Y-%m}",
            "updates": row["updates"],
            "way": row["way"],
            "order": -list(_WAYS).index(row["way"]),
            "d": f"{row['month']:%B %Y}: {count(row['updates'], 'update')} by {_WORDS[row['way']]}",
        }
        for row in rows
    ]
    return {
        "title": panel("Production updates by month; this one is not over"),
        "width": width - left - 4,
        "height": 150,
        "data": values(bars),
        "mark": {"type": "bar"},
        "encoding": {
            "x": {
                "field": "month",
                "type": "ordinal",
                "scale": {
                    "domain": [f"{month:%Y-%m}" for month in shown],
                    "paddingInner": 0.2,
                    "paddingOuter": 0.1,
                },
                "axis": {
                    "labelExpr": "utcFormat(toDate(datum.label + '-01'), '%b')",
                    "labelAngle": 0,
                },
            },
            "y": {"field": "updates", "type": "quantitative", "axis": numbers_axis(left)},
            "fill": {"field": "way", "scale": colours(_WAYS)},
            "order": {"field": "order"},
            "description": {"field": "d"},
        },
    }


def _people(actors: Sequence[Row], width: int) -> Spec:
    left, right = (110, 70) if width == NARROW else (180, 150)
    bars = [
        {
            "place": place,
            "updates": row[way],
            "way": way,
            "order": -order,
            "d": f"{row['actor']}: {count(row[way], 'update')} by {_WORDS[way]}",
        }
        for place, row in enumerate(actors)
        for order, way in enumerate(_WAYS)
        if row[way]
    ]
    ends = []
    for place, row in enumerate(actors):
        past = row["laptop"] + row["dirty"]
        told = number(row["updates"])
        if past and width != NARROW:
            told += f", {number(past)} outside CI"
        ends.append({"place": place, "name": row["actor"], "end": row["updates"], "told": told})
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
                    "x": {**x, "field": "updates"},
                    "fill": {"field": "way", "scale": colours(_WAYS)},
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


def _tables(rows: Sequence[Row], actors: Sequence[Row]) -> list[Table]:
    by_month: dict[object, dict[str, int]] = {}
    for row in rows:
        by_month.setdefault(row["month"], {})[row["way"]] = row["updates"]
    told = []
    for month, ways in sorted(by_month.items(), key=lambda each: str(each[0]), reverse=True):
        past = ways.get("laptop", 0) + ways.get("dirty", 0)
        told.append(
            [month, *(ways.get(way, 0) for way in _WAYS), past / sum(ways.values())],
        )
    columns = [Column(word[0].upper() + word[1:], "number") for word in _WORDS.values()]
    return [
        Table(
            "Production updates by month",
            [Column("Month from", "day"), *columns, Column("Outside CI", "share")],
            told,
        ),
        Table(
            "Production updates by actor",
            [
                Column("Actor"),
                Column("Updates", "number"),
                *columns,
                Column("Stacks", "number"),
                Column("Outside CI", "share"),
            ],
            [
                [
                    row["actor"],
                    row["updates"],
                    *(row[way] for way in _WAYS),
                    row["stacks"],
                    (row["laptop"] + row["dirty"]) / row["updates"],
                ]
                for row in actors
            ],
        ),
    ]


ACTORS = Chart(
    key="actors",
    section="Infrastructure",
    question="Who changes production, and from where?",
    definition=(
        "Updates and destroys of production stacks that succeeded. From CI: Pulumi found the "
        "variables of a CI system. By Pulumi Deployments: the service ran it. All others were "
        "made by a person or a script elsewhere; not committed: git said so of their folder."
    ),
    queries=_QUERIES,
    show=_show,
)
