"""What the page speaks of: whose accounts, how much of what, since when."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from cloudapis_report.words import count, day, listed, time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Data

QUERIES = {
    "jobs": """
        select account_name as owner, count(*) as jobs from {dbt_cloud__jobs}
        where is_deleted is not true group by account_name order by count(*) desc, account_name
    """,
    "runs": """
        select count(*) as runs, min(requested_date) as since from {dbt_cloud__runs}
    """,
    "stacks": """
        select org_name as owner, count(*) as stacks from {pulumi_cloud__stacks}
        group by org_name order by count(*) desc, org_name
    """,
    "updates": """
        select count(*) as updates, min(started_date) as since from {pulumi_cloud__updates}
    """,
}
_UNKNOWN = "an account without a name"


@dataclass(frozen=True)
class Overview:
    """What is told above and below the charts.

    Attributes:
        name: Whose page it is.
        facts: How much of what there is, as of when.
        foot: How the page was made.
    """

    name: str
    facts: Sequence[str]
    foot: Sequence[str]


def tell(data: Data) -> Overview:
    """Tell what the page speaks of."""
    clock = data.clock
    services = {
        "dbt Cloud": [row["owner"] or _UNKNOWN for row in data.rows("jobs")],
        "Pulumi Cloud": [row["owner"] or _UNKNOWN for row in data.rows("stacks")],
    }
    names = [f"{service}: {listed(owners)}" for service, owners in services.items() if owners]
    runs, updates = data.one("runs"), data.one("updates")
    since = [each["since"] for each in (runs, updates) if each.get("since")]
    facts = [
        f"As of {time(clock.epoch, clock.place)} ({clock.zone})",
        *_counted(
            ("job", sum(row["jobs"] for row in data.rows("jobs"))),
            ("run", runs.get("runs", 0)),
            ("stack", sum(row["stacks"] for row in data.rows("stacks"))),
            ("update", updates.get("updates", 0)),
        ),
        *([f"history since {day(min(since))}"] if since else []),
    ]
    foot = [
        f"Days, weeks and hours are those of the time zone {clock.zone}; weeks begin on Monday.",
        "Red is what failed, amber what to look at; each colour has a sign beside it.",
        (
            f"Made by cloudapis-report {version('tap-cloudapis')} from the models that dbt built; "
            "this file loads nothing and sends nothing."
        ),
    ]
    return Overview(" · ".join(names) or "dbt Cloud and Pulumi Cloud", facts, foot)


def _counted(*counts: tuple[str, int]) -> list[str]:
    return [count(value, one) for one, value in counts if value]
