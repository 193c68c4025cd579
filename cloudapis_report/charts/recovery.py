"""What failed and how fast it recovered: incidents on a time line, and how long they took."""

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
from cloudapis_report.drawing import colours, days, names, numbers_axis, rows_axis, values
from cloudapis_report.words import count, duration, number, short, time, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_DAYS, _SCOPES, _BARS, _ROWS = 90, 15, 200, 40
#: The classes of recovery times: where each ends, in seconds, and what it is called.
_CLASSES = (
    (900, "15 min"),
    (3_600, "1 h"),
    (14_400, "4 h"),
    (43_200, "12 h"),
    (86_400, "1 d"),
    (259_200, "3 d"),
    (604_800, "7 d"),
    (math.inf, "longer"),
)
_STATES = {"recovered": "warn", "open": "bad"}

_WINDOW = f"(is_open or recovered_at > {{now}} - interval '{_DAYS} days') and started_at <= {{now}}"
_QUERIES = {
    "total": f"""
        select count(*) as incidents, count(*) filter (where is_open) as open,
            count(*) filter (where not is_open) as recovered,
            percentile_cont(0.5) within group (order by recovery_seconds) as p50,
            max(recovery_seconds) as longest
        from {{platform__incidents}} where {_WINDOW}
    """,
    "ways": f"""
        select recovered_by as way, count(*) as incidents from {{platform__incidents}}
        where {_WINDOW} and not is_open
        group by recovered_by order by count(*) desc, recovered_by
    """,
    "bars": f"""
        with shown as (
            select service, scope_id, coalesce(account_id, 0) as account, scope_name,
                project_name, is_open, extract(epoch from started_at) as begins,
                extract(epoch from coalesce(recovered_at, {{now}})) as ends, failed_attempts,
                first_message, recovered_by, incident_id
            from {{platform__incidents}} where {_WINDOW}
        ), scopes as (
            select service, scope_id, account, row_number() over (
                order by max(case when is_open then 1 else 0 end) desc, sum(ends - begins) desc,
                    service, scope_id) as place
            from shown group by service, scope_id, account
        ), ranked as (
            select s.*, o.place, row_number() over (order by ends - begins desc, incident_id) as nth
            from shown s join scopes o on o.service = s.service and o.scope_id = s.scope_id
                and o.account = s.account
            where o.place <= {_SCOPES}
        )
        select * from ranked where nth <= {_BARS} order by place, begins
    """,
    "classes": f"""
        select {
        " ".join(
            [
                "case",
                *(
                    f"when recovery_seconds < {end} then {at}"
                    for at, (end, _) in enumerate(_CLASSES[:-1])
                ),
                f"else {len(_CLASSES) - 1} end",
            ]
        )
    } as class, count(*) as incidents
        from {{platform__incidents}} where {_WINDOW} and not is_open
        group by 1 order by 1
    """,
    "rows": f"""
        select scope_name, project_name, extract(epoch from started_at) as begins,
            coalesce(recovery_seconds, open_seconds) as seconds, is_open, failed_attempts,
            recovered_by, first_message
        from {{platform__incidents}} where {_WINDOW}
        order by is_open desc, coalesce(recovery_seconds, open_seconds) desc, incident_id
        limit {_ROWS}
    """,
}


def _show(data: Data) -> Finding | Nothing:
    total = data.one("total")
    if not total.get("incidents"):
        return Nothing(f"No production job or stack has failed in the last {_DAYS} days")
    open_ones = total["open"]
    title = f"{count(total['incidents'], 'incident')} in {_DAYS} days"
    if total["recovered"]:
        title += f"; half of them recovered within {duration(total['p50'])}"
    still = f"{number(open_ones)} {verb(open_ones, 'is', 'are')} still open"
    title += f"; {still}" if open_ones else "; all have recovered"
    ways = [row for row in data.rows("ways") if row["way"]]
    also = [f"They recovered by {', by '.join(map(_way, ways))}"] if ways else []
    bars = data.rows("bars")
    parts = [
        Figure(
            lambda width: _timeline(bars, data, width),
            f"Incidents on a time line of {_DAYS} days: {title}",
            heading="The jobs and stacks that were down longest",
            legend=[Legend("bad", "▸", "still open"), Legend("warn", "", "recovered")],
        )
    ]
    if total["recovered"]:
        parts.append(
            Figure(
                lambda width: _classes(data.rows("classes"), width),
                "How many incidents recovered within what time",
                heading="Time to recovery",
            )
        )
    columns = [
        Column("Job or stack"),
        Column("Project"),
        Column("Failed first", "time"),
        Column("Took", "duration"),
        Column("Now"),
        Column("Failed attempts", "number"),
        Column("First message"),
    ]
    rows = [
        [
            row["scope_name"],
            row["project_name"],
            row["begins"],
            row["seconds"],
            "open" if row["is_open"] else f"recovered: {row['recovered_by']}",
            row["failed_attempts"],
            row["first_message"],
        ]
        for row in data.rows("rows")
    ]
    table = Table("Incidents: those that are open, then those that took longest", columns, rows)
    return Finding(title, parts, [table], "bad" if open_ones else "plain", also=also)


def _way(row: Row) -> str:
    words = {
        "retry": "a retry",
        "same commit later": "a later run of the same commit",
        "new commit": "a new commit",
        "unknown commit": "a commit that is not known",
    }
    return f"{words.get(row['way'], row['way'])} ({number(row['incidents'])})"


def _timeline(bars: Sequence[Row], data: Data, width: int) -> Spec:
    left, right = (132, 14) if width == NARROW else (236, 16)
    now = data.clock.epoch
    begin = now - _DAYS * 86_400
    shift = data.clock.offset
    least = (now - begin) / (width - left - right) * 3
    rows = [
        {
            "place": row["place"],
            "begin": (max(row["begins"], begin) + shift) * 1000,
            # At least three pixels: a short incident is one, too.
            "end": (max(row["ends"], max(row["begins"], begin) + least) + shift) * 1000,
            "state": "open" if row["is_open"] else "recovered",
            "d": f"{short(row['scope_name'], 60)}: failed {time(row['begins'], data.clock.place)}, "
            + ("open for " if row["is_open"] else "recovered after ")
            + f"{duration(row['ends'] - row['begins'])}, "
            + count(row["failed_attempts"], "failed attempt"),
        }
        for row in bars
    ]
    scopes = {row["place"]: row["scope_name"] for row in bars}
    heads = [{"place": place, "name": name} for place, name in scopes.items()]
    open_ones = sorted({row["place"] for row in rows if row["state"] == "open"})
    most = 4 if width == NARROW else 8
    x = days("begin", (begin + shift) * 1000, (now + shift) * 1000, most, grid=True)
    return {
        "width": width - left - right,
        "height": {"step": 22},
        "encoding": {"y": rows_axis()},
        "layer": [
            {
                "data": values(rows),
                "mark": {"type": "bar", "height": {"band": 0.75}},
                "encoding": {
                    "x": x,
                    "x2": {"field": "end"},
                    "fill": {"field": "state", "scale": colours(_STATES)},
                    "description": {"field": "d"},
                },
            },
            {"data": values(heads), **names(left)},
            {
                "data": values([{"place": place} for place in open_ones]),
                "mark": {
                    "type": "text",
                    "align": "left",
                    "dx": 2,
                    "text": "▸",
                    "fontSize": 16,
                    "fill": "var(--badink)",
                },
                "encoding": {"x": {"value": "width"}},
            },
        ],
    }


def _classes(rows: Sequence[Row], width: int) -> Spec:
    by_class = {row["class"]: row["incidents"] for row in rows}
    bars = []
    before = "0"
    for at, (_, name) in enumerate(_CLASSES):
        many = by_class.get(at, 0)
        within = f"after {before}" if name == "longer" else f"within {before} to {name}"
        bars.append(
            {
                "class": name if name == "longer" else f"< {name}",
                "incidents": many,
                "told": number(many) if many else "",
                "d": f"{count(many, 'incident')} recovered {within}",
            }
        )
        before = name
    left = 36
    return {
        "width": width - left - 4,
        "height": 110,
        "data": values(bars),
        "encoding": {
            "x": {
                "field": "class",
                "type": "ordinal",
                "sort": [bar["class"] for bar in bars],
                "axis": {"labelAngle": 0, "labelPadding": 6, "labelOverlap": False},
                "scale": {"paddingInner": 0.12, "paddingOuter": 0.05},
            },
            "y": {"field": "incidents", "type": "quantitative", "axis": numbers_axis(left)},
        },
        "layer": [
            {"mark": "bar", "encoding": {"description": {"field": "d"}}},
            {
                "mark": {"type": "text", "baseline": "bottom", "dy": -3},
                "encoding": {"text": {"field": "told"}},
            },
        ],
    }


RECOVERY = Chart(
    key="recovery",
    section="Reliability",
    question="What failed, and how fast did it recover?",
    definition=(
        "Time to recovery: from the end of the first failed run or update of a production job or "
        "stack to the end of the success that ends the streak. The median is of what has "
        f"recovered in {_DAYS} days; open incidents are not in it. CI and merge jobs are left out."
    ),
    queries=_QUERIES,
    show=_show,
)
