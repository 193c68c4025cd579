"""How infrastructure changes: resources created, updated, deleted, and how many there are."""

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
from cloudapis_report.drawing import TIME, colours, numbers_axis, panel, values
from cloudapis_report.weeks import middle, mondays, of_week, span
from cloudapis_report.words import change, count, number, short, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec, Tone

_WEEKS, _PROJECTS, _STACKS = 26, 6, 20
_KINDS = {"created": "main", "updated": "main2", "replaced": "warn", "deleted": "off"}
_SIGNS = {"created": "+", "updated": "", "replaced": "▲", "deleted": "\u2013"}
_SUMS = ", ".join(f"coalesce(sum({kind}), 0) as {kind}" for kind in _KINDS)

_QUERIES = {
    "weeks": f"""
        select week, sum(updates) as updates, {_SUMS} from {{pulumi_cloud__stack_daily}}
        where week >= {{week}} - interval '175 days' group by week order by week
    """,
    # What stacks had when history begins, and by how much they grew since, is what there was. A
    # stack that is gone counts up to its last week. The last sum is what the stacks have now: where
    # that is not what the last update told, all that was told before is off by as much.
    "growth": """
        with known as (
            select stack_id, max(week) as last_week,
                sum(resource_delta) + sum(resources_before) as last_count,
                sum(resources_before) as count_before,
                min(case when resource_count is not null then week end) as sized_week
            from {pulumi_cloud__stack_daily} group by stack_id
        ), begun as (
            select min(week) as week from {pulumi_cloud__stack_daily}
        ), grown as (
            select week, resource_delta as grown from {pulumi_cloud__stack_daily}
            union all
            select begun.week, resources_before from {pulumi_cloud__stack_daily}, begun
            union all
            select case when k.sized_week is null then begun.week
                    when s.staleness = 'destroyed' then k.last_week
                    when k.count_before > 0 then begun.week else k.sized_week end,
                coalesce(s.resource_count, 0) - coalesce(k.last_count, 0)
            from {pulumi_cloud__stacks} s left join known k on k.stack_id = s.stack_id, begun
            union all
            select least(cast(k.last_week + interval '7 days' as date), {week}), -k.last_count
            from known k left join {pulumi_cloud__stacks} s on s.stack_id = k.stack_id
            where s.stack_id is null
        ), summed as (
            select week, sum(grown) as grown from grown where week is not null group by week
        ), added as (
            select week, sum(grown) over (order by week) as resources from summed
        )
        select week, resources from added
        where week >= {week} - interval '175 days' or week = (
            select max(week) from added where week < {week} - interval '175 days')
        order by week
    """,
    "projects": f"""
        with ranked as (
            select org_name, project_name, row_number() over (
                order by sum(changed) desc, org_name, project_name) as place
            from {{pulumi_cloud__stack_daily}}
            where week >= {{week}} - interval '175 days'
            group by org_name, project_name having sum(changed) > 0
        )
        select r.place, r.project_name, d.week, {_SUMS}
        from ranked r join {{pulumi_cloud__stack_daily}} d
            on d.org_name = r.org_name and d.project_name = r.project_name
        where r.place <= {_PROJECTS} and d.week >= {{week}} - interval '175 days'
        group by r.place, r.project_name, d.week order by r.place, d.week
    """,
    "drift": """
        select count(*) filter (where is_drifted) as drifted,
            count(*) filter (where state in ('clean', 'drifted')) as checked, count(*) as stacks
        from {pulumi_cloud__drift}
    """,
    "drifted": f"""
        select org_name, project_name || '/' || stack_name as stack_name, drifted_resources,
            extract(epoch from drifted_since) as since, checks_30d, drifted_30d
        from {{pulumi_cloud__drift}} where is_drifted
        order by drifted_since nulls first, org_name, project_name, stack_name limit {_STACKS}
    """,
}


def _show(data: Data) -> Finding | Nothing:
    weeks = data.rows("weeks")
    if not weeks:
        return Nothing(f"No stack of Pulumi Cloud was updated in the last {_WEEKS} weeks")
    there = _resources(data)
    total = {kind: sum(row[kind] for row in weeks) for kind in _KINDS}
    title = (
        f"{count(total['created'], 'resource')} created and {number(total['deleted'])} deleted "
        f"in {_WEEKS} weeks"
    )
    now = [resources for _, resources in there if resources is not None]
    if now:
        title += f"; {number(now[-1])} exist now"
        if now[0] and len(now) == _WEEKS:
            title += f", {change(now[-1] / now[0])} since then"
    projects = data.rows("projects")
    legend = [Legend(colour, _SIGNS[kind], kind) for kind, colour in _KINDS.items()]
    parts = [
        Figure(
            lambda width: _spec(weeks, there, data, width),
            f"Changed resources by week, and how many there are: {title}",
            legend=legend,
        )
    ]
    if projects:
        parts.append(
            Figure(
                lambda width: _by_project(projects, data, width),
                "Changed resources by week, for each of the projects with most of them",
                heading="The projects that change most",
            )
        )
    also, drift, drifted = [], data.one("drift"), data.rows("drifted")
    if drift.get("drifted"):
        also.append(
            f"{number(drift['drifted'])} of {count(drift['checked'], 'stack')} that are checked "
            f"for drift {verb(drift['checked'], 'differs', 'differ')} from their code; "
            f"{drifted[0]['stack_name']} has for longest"
        )
    tone: Tone = "warn" if drift.get("drifted") else "plain"
    tables = [*_tables(weeks, projects, dict(there)), *_drift_table(drifted)]
    return Finding(title, parts, tables, tone, also=also)


def _resources(data: Data) -> list[tuple[object, int | None]]:
    """Return how many resources there were at the end of each week."""
    rows = data.rows("growth")
    found: list[tuple[object, int | None]] = []
    for week in mondays(data.clock, _WEEKS):
        so_far = [row["resources"] for row in rows if row["week"] <= week]
        found.append((week, so_far[-1] if so_far else None))
    return found


def _bars(row: Row) -> list[Row]:
    return [
        {
            "week": middle(row["week"]),
            "kind": kind,
            "order": order,
            "changes": -row[kind] if kind == "deleted" else row[kind],
            "d": f"{of_week(row['week'])}: {count(row[kind], 'resource')} {kind}",
        }
        for order, kind in enumerate(_KINDS)
        if row[kind]
    ]


def _spec(
    weeks: Sequence[Row], there: Sequence[tuple[object, int | None]], data: Data, width: int
) -> Spec:
    left = 44
    plot = width - left - 4
    x = {
        "field": "week",
        "type": "temporal",
        "scale": {**TIME, "domain": span(data.clock, _WEEKS)},
        "axis": {"format": "%b", "tickCount": "month", "labelAlign": "left"},
    }
    bars = [bar for row in weeks for bar in _bars(row)]
    line = [
        {
            "week": middle(week),  # type: ignore[arg-type]
            "resources": resources,
            "d": f"{of_week(week)}: {count(resources, 'resource')}",  # type: ignore[arg-type]
        }
        for week, resources in there
        if resources is not None
    ]
    changes = {
        "title": panel("Changed by week; deleted below the line"),
        "width": plot,
        "height": 170,
        "layer": [
            {
                "data": values(bars),
                "mark": {"type": "bar", "width": plot / _WEEKS * 0.8},
                "encoding": {
                    "x": {**x, "axis": None} if line else x,
                    "y": {
                        "field": "changes",
                        "type": "quantitative",
                        "axis": numbers_axis(left, labelExpr="format(abs(datum.value), '~s')"),
                    },
                    "fill": {"field": "kind", "scale": colours(_KINDS)},
                    "order": {"field": "order"},
                    "description": {"field": "d"},
                },
            },
            {
                "data": values([{"zero": 0}]),
                "mark": {"type": "rule", "stroke": "var(--muted)", "aria": False},
                "encoding": {"y": {"field": "zero", "type": "quantitative"}},
            },
        ],
    }
    if not line:
        return changes
    resources = {
        "title": panel("Resources there are"),
        "width": plot,
        "height": 80,
        "data": values(line),
        "encoding": {
            "x": x,
            "y": {
                "field": "resources",
                "type": "quantitative",
                "axis": numbers_axis(left, tickCount=3),
            },
        },
        "layer": [
            {"mark": {"type": "area", "fill": "var(--main)", "opacity": 0.15}},
            {"mark": {"type": "line"}},
            {
                "mark": {"type": "circle", "size": 50, "opacity": 0},
                "encoding": {"description": {"field": "d"}},
            },
        ],
    }
    return {"vconcat": [changes, resources]}


def _by_project(rows: Sequence[Row], data: Data, width: int) -> Spec:
    columns = 2 if width == NARROW else 3
    cell = (width - 40 * columns - 18 * (columns - 1)) // columns
    names = {row["place"]: row["project_name"] for row in rows}
    bars = [{**bar, "place": row["place"]} for row in rows for bar in _bars(row)]

    def one(place: int, name: str) -> Spec:
        return {
            "title": panel(short(name or "no name", 22 if columns == 2 else 34)),  # noqa: PLR2004
            "width": cell,
            "height": 64,
            "data": values([bar for bar in bars if bar["place"] == place]),
            "mark": {"type": "bar", "width": cell / _WEEKS * 0.8},
            "encoding": {
                "x": {
                    "field": "week",
                    "type": "temporal",
                    "scale": {**TIME, "domain": span(data.clock, _WEEKS)},
                    "axis": {"format": "%b", "tickCount": 3, "labelAlign": "left"},
                },
                "y": {
                    "field": "changes",
                    "type": "quantitative",
                    "axis": numbers_axis(
                        32, tickCount=3, labelExpr="format(abs(datum.value), '~s')"
                    ),
                },
                "fill": {"field": "kind", "scale": colours(_KINDS)},
                "order": {"field": "order"},
                "description": {"field": "d"},
            },
        }

    return {
        "columns": columns,
        "concat": [one(*each) for each in names.items()],
        "resolve": {"scale": {"y": "shared"}},
    }


def _tables(
    weeks: Sequence[Row], projects: Sequence[Row], there: dict[object, int | None]
) -> list[Table]:
    kinds = [Column(kind.capitalize(), "number") for kind in _KINDS]
    columns = [Column("Week from", "day"), Column("Updates", "number"), *kinds]
    tables = [
        Table(
            "Changed resources by week",
            [*columns, Column("Resources at its end", "number")],
            [
                [
                    row["week"],
                    row["updates"],
                    *(row[kind] for kind in _KINDS),
                    there.get(row["week"]),
                ]
                for row in reversed(weeks)
            ],
        )
    ]
    if projects:
        tables.append(
            Table(
                "Changed resources by project and week",
                [Column("Project"), Column("Week from", "day"), *kinds],
                [
                    [row["project_name"], row["week"], *(row[kind] for kind in _KINDS)]
                    for row in projects
                ],
            )
        )
    return tables


def _drift_table(drifted: Sequence[Row]) -> list[Table]:
    if not drifted:
        return []
    return [
        Table.of(
            "Stacks that differ from their code, those first that have for longest",
            drifted,
            ("Stack", "stack_name", "text"),
            ("Organization", "org_name", "text"),
            ("Since", "since", "time"),
            ("Resources that differ", "drifted_resources", "number"),
            ("Checks, 30 days", "checks_30d", "number"),
            ("Of these found drift", "drifted_30d", "number"),
        )
    ]


CHANGES = Chart(
    key="changes",
    section="Infrastructure",
    question="How much does infrastructure change, and how large is it?",
    definition=(
        "Resources that the updates of all stacks created, updated, replaced or deleted, as "
        "Pulumi counted them. Resources there are: what all stacks have now, less by how much "
        "they have grown since the end of the week; before its first known update a stack has "
        "what it had then. A stack differs from "
        "its code if its newest check for drift, in the last 7 days, found something."
    ),
    queries=_QUERIES,
    show=_show,
)
