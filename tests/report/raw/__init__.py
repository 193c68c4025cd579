"""What the models have to say, counted again from the loader's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.report.raw import deliveries, hours, nodes, people, runs, stacks
from tests.report.raw.tables import Raw, monday

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.counting import Row


def _as_of(raw: Raw) -> list[Row]:
    today = raw.local(raw.now).date()
    told = {"as_of": raw.now, "report_time_zone": raw.zone.key, "stale_days": 90}
    return [{**told, "today": today, "this_week": monday(today)}]


_WAYS = {
    "platform__as_of": _as_of,
    "dbt_cloud__runs": runs.runs,
    "dbt_cloud__jobs": runs.jobs,
    "dbt_cloud__job_daily": runs.job_daily,
    "dbt_cloud__slots_hourly": hours.slots_hourly,
    "dbt_cloud__model_daily": nodes.model_daily,
    "dbt_cloud__test_flakiness": nodes.test_flakiness,
    "dbt_cloud__source_freshness": nodes.source_freshness,
    "pulumi_cloud__updates": stacks.updates,
    "pulumi_cloud__stacks": stacks.stacks,
    "pulumi_cloud__stack_daily": stacks.stack_daily,
    "pulumi_cloud__drift": stacks.drift,
    "platform__incidents": deliveries.incidents,
    "platform__deployments": deliveries.deployments,
    "platform__dora_weekly": deliveries.dora_weekly,
    "platform__people": people.people,
    "platform__seats": people.seats,
}


def counted(database: Path, now: str, zone: str) -> Raw:
    """Count the rows of the models again, without them.

    Args:
        database: What the loader wrote, in its schema `raw`.
        now: The time of the models.
        zone: Their time zone.

    Returns:
        What gives the rows of a model by its name.
    """
    return Raw.at(database, now, zone, _WAYS)
