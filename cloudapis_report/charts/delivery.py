"""How often is production deployed, how often does it fail, how fast is it mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_report.chart import (
    NARROW,
    Chart,
    Column,
    Data,
    Figure,
    Finding,
    Fragment,
    Legend,
    Nothing,
    Table,
)
from cloudapis_report.drawing import TIME, colours, numbers_axis, panel, values
from cloudapis_report.tiles import WEEKS, Tile, spark
from cloudapis_report.weeks import full_span, middle, of_week
from cloudapis_report.words import count, duration, number, percent, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_SERVICES = {"dbt_cloud": "dbt Cloud", "pulumi_cloud": "Pulumi Cloud"}
_RESULTS = {"succeeded": "main", "failed": "bad"}
_LEGEND = [Legend("bad", "✕", "failed"), Legend("main", "✓", "succeeded")]
#: From such a share on, failed deployments are worth a look.
_MANY = 0.15
_FULL = "week >= {week} - interval '91 days' and week < {week}"
_SUMS = """
    sum(deployments) as deployments, sum(succeeded) as succeeded, sum(failed) as failed,
    sum(rework) as rework
"""

_QUERIES = {
    "total": f"select {_SUMS} from {{platform__dora_weekly}} where {_FULL}",
    "weeks": f"""
        select week, service, {_SUMS} from {{platform__dora_weekly}} where {_FULL}
        group by week, service order by week, service
    """,
    "both": f"""
        select week, {_SUMS} from {{platform__dora_weekly}} where {_FULL} group by week
    """,
    "days": """
        with days as (
            select finished_week as week, count(distinct finished_date) as days
            from {platform__deployments}
            where environment = 'PRODUCTION' and result = 'SUCCESS'
                and finished_week >= {week} - interval '91 days' and finished_week < {week}
            group by finished_week
        )
        select sum(days) as days, count(*) as weeks from days
    """,
    "recovery": """
        select count(*) as recovered,
            percentile_cont(0.5) within group (order by recovery_seconds) as p50
        from {platform__incidents}
        where recovered_week >= {week} - interval '91 days' and recovered_week < {week}
    """,
    "recovery_weeks": """
        select recovered_week as week,
            percentile_cont(0.5) within group (order by recovery_seconds) as p50
        from {platform__incidents}
        where recovered_week >= {week} - interval '91 days' and recovered_week < {week}
        group by recovered_week
    """,
    "lead": """
        select count(*) as deployments,
            percentile_cont(0.5) within group (order by lead_seconds) as p50
        from {platform__deployments}
        where environment = 'PRODUCTION' and lead_seconds > 0
            and finished_week >= {week} - interval '91 days' and finished_week < {week}
    """,
    "lead_weeks": """
        select finished_week as week,
            percentile_cont(0.5) within group (order by lead_seconds) as p50
        from {platform__deployments}
        where environment = 'PRODUCTION' and lead_seconds > 0
            and finished_week >= {week} - interval '91 days' and finished_week < {week}
        group by finished_week
    """,
}


def _show(data: Data) -> Finding | Nothing:
    total, weeks = data.one("total"), data.rows("weeks")
    if not total.get("deployments"):
        return Nothing(f"Nothing was deployed to production in the last {WEEKS} full weeks")
    lead, recovery = data.one("lead"), data.one("recovery")
    failed = total["failed"] / total["deployments"]
    per_week = total["succeeded"] / WEEKS
    title = (
        f"{number(per_week, 1)} successful deployments a week; "
        f"{share(total['failed'], total['deployments'])} of all failed"
    )
    if recovery.get("recovered"):
        title += f"; half of the incidents recovered within {duration(recovery['p50'])}"
    tiles = [
        Tile(
            "Deployments a week",
            number(per_week, 1),
            f"on {number(_days(data), 1)} days of the week; {number(total['succeeded'])} in "
            f"{WEEKS} weeks",
            spark=spark(data, "both", lambda row: row.get("succeeded", 0), "Succeeded"),
        ),
        Tile(
            "Failed deployments",
            percent(failed),
            f"{number(total['failed'])} of {number(total['deployments'])}; "
            f"{share(total['rework'], total['deployments'])} were rework",
            "warn" if failed >= _MANY else "plain",
            spark(data, "both", _failed, "Failed share"),
        ),
        Tile(
            "Recovery, median",
            duration(recovery["p50"]) if recovery.get("recovered") else "none",
            f"of {count(recovery.get('recovered', 0), 'incident')} in production",
            spark=spark(data, "recovery_weeks", lambda row: row.get("p50"), "Recovery"),
        ),
        Tile(
            "Lead time, median",
            duration(lead["p50"]) if lead.get("deployments") else "unknown",
            f"of {count(lead['deployments'], 'deployment')} with a pull request"
            if lead.get("deployments")
            else "no deployment leads to a pull request",
            spark=spark(data, "lead_weeks", lambda row: row.get("p50"), "Lead time"),
        ),
    ]
    figure = Figure(
        lambda width: _spec(weeks, data, width),
        f"Deployments by week, service and result: {title}",
        legend=_LEGEND,
    )
    parts: list[Figure | Fragment] = [Fragment("tiles.html.j2", {"tiles": tiles}), figure]
    return Finding(title, parts, [_table(weeks)], "warn" if failed >= _MANY else "plain")


def _days(data: Data) -> float:
    return (data.one("days").get("days") or 0) / WEEKS


def _failed(row: Row) -> float | None:
    return row["failed"] / row["deployments"] if row.get("deployments") else None


def _spec(weeks: Sequence[Row], data: Data, width: int) -> Spec:
    left, gap = 36, 24
    services = [service for service in _SERVICES if any(row["service"] == service for row in weeks)]
    columns = 1 if width == NARROW else len(services)
    plot = (width - gap * (columns - 1)) // columns - left - 4

    def one(service: str) -> Spec:
        bars = [
            {
                "week": middle(row["week"]),
                "deployments": row[result],
                "result": result,
                "order": order,
                "d": f"{of_week(row['week'])}: {count(row[result], 'deployment')} {result}",
            }
            for row in weeks
            if row["service"] == service
            for order, result in enumerate(("failed", "succeeded"))
        ]
        return {
            "title": panel(f"{_SERVICES[service]}, deployments by week"),
            "width": plot,
            "height": 120,
            "data": values(bars),
            "mark": {"type": "bar", "width": plot / WEEKS * 0.8},
            "encoding": {
                "x": {
                    "field": "week",
                    "type": "temporal",
                    "scale": {**TIME, "domain": full_span(data.clock, WEEKS)},
                    "axis": {"format": "%-d %b", "tickCount": 4},
                },
                "y": {"field": "deployments", "type": "quantitative", "axis": numbers_axis(left)},
                "fill": {"field": "result", "scale": colours(_RESULTS)},
                "order": {"field": "order"},
                "description": {"field": "d"},
            },
        }

    return {"columns": columns, "spacing": gap, "concat": [one(service) for service in services]}


def _table(weeks: Sequence[Row]) -> Table:
    columns = [
        Column("Service"),
        Column("Week from", "day"),
        Column("Deployments", "number"),
        Column("Succeeded", "number"),
        Column("Failed", "number"),
        Column("Failed share", "share"),
        Column("Rework", "number"),
    ]
    rows = [
        [
            _SERVICES.get(row["service"], row["service"]),
            row["week"],
            row["deployments"],
            row["succeeded"],
            row["failed"],
            _failed(row),
            row["rework"],
        ]
        for row in reversed(weeks)
    ]
    return Table("Production deployments by week and service", columns, rows)


DELIVERY = Chart(
    key="delivery",
    section="Delivery",
    question="How often do we deploy, how often does it fail, how fast is it mended?",
    definition=(
        "A deployment is the first run of a new commit in a production environment of dbt Cloud, "
        "or an update or destroy of a production stack that changed a resource, or failed. Each "
        "counts once. Failed share: failed of all deployments; incidents outside are not known. "
        "Rework: soon after a failed one of the same scope, an approximation. Lead time: from the "
        "pull request to the end of its first successful update; dbt Cloud tells no time of a "
        f"commit. All over the last {WEEKS} full weeks."
    ),
    queries=_QUERIES,
    show=_show,
)
