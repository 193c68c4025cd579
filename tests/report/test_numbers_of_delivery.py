"""Every number that the page tells of incidents and deployments, counted again from the rows."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from cloudapis_report import words
from cloudapis_report.weeks import of_week
from tests.report.counting import (
    SERVICES,
    by,
    marks,
    plain,
    quantile,
    read,
    said,
    shows,
    stand,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.report.counting import Row, Time
    from tests.report.writing import Written

pytestmark = pytest.mark.slow

#: Within how many hours incidents recovered, and how the page calls that.
CLASSES = (
    (0.25, "0 to 15 min"),
    (1, "15 min to 1 h"),
    (4, "1 h to 4 h"),
    (12, "4 h to 12 h"),
    (24, "12 h to 1 d"),
    (72, "1 d to 3 d"),
    (168, "3 d to 7 d"),
    (math.inf, ""),
)
WAYS = {
    "retry": "a retry",
    "same commit later": "a later run of the same commit",
    "new commit": "a new commit",
    "unknown commit": "a commit that is not known",
}


def test_recovery(made: Written, time: Time) -> None:
    shown = made.page.articles["recovery"]
    incidents = [
        {**row, "took": row["open_seconds"] if row["is_open"] else row["recovery_seconds"]}
        for row in made.models("platform__incidents")
        if row["is_open"] or time.within(row["recovered_at"], 90)
    ]
    over = [row for row in incidents if not row["is_open"]]
    recovered = [row["recovery_seconds"] for row in over]
    still = len(incidents) - len(recovered)
    told = f"{still} {'is' if still == 1 else 'are'} still open" if still else "all have recovered"
    assert shown.title == plain(
        f"{len(incidents)} incidents in 90 days; half of them recovered within "
        f"{words.duration(quantile(recovered, 0.5))}; {told}"
    )
    ways = Counter(row["recovered_by"] for row in over)
    in_order = sorted(ways, key=lambda way: (-ways[way], way))
    by_ways = ", by ".join(f"{WAYS[way]} ({ways[way]})" for way in in_order)
    assert shown.also == [f"They recovered by {by_ways}"]
    incidents.sort(key=lambda row: (not row["is_open"], -row["took"], row["incident_id"]))
    shows(
        shown.tables["Incidents: those that are open, then those that took longest"],
        [
            {
                "Job or stack": row["scope_name"],
                "Project": row["project_name"],
                "Failed first": row["started_at"],
                "Took": row["took"],
                "Now": "open" if row["is_open"] else f"recovered: {row['recovered_by']}",
                "Failed attempts": row["failed_attempts"],
                "First message": row["first_message"],
            }
            for row in incidents[:40]
        ],
    )
    bars = [
        read(
            f"{words.short(row['scope_name'], 60)}: failed {time.said(row['started_at'])}, "
            f"{'open for' if row['is_open'] else 'recovered after'} {words.duration(row['took'])}, "
            f"{words.count(row['failed_attempts'], 'failed attempt')}"
        )
        for row in _on_the_time_line(incidents)
    ]
    classes = Counter(
        next(name for most, name in CLASSES if seconds < most * 3600) for seconds in recovered
    )
    bars += [
        f"{words.count(classes[name], 'incident')} recovered "
        + (f"within {name}" if name else "after 7 d")
        for _, name in CLASSES
    ]
    marks(shown, bars)
    stand(shown, [words.number(many) for many in classes.values()])


def _on_the_time_line(incidents: Sequence[Row]) -> list[Row]:
    """Of the fifteen that were down longest, those that are down first: the longest incidents."""
    scopes = by(incidents, "service", "scope_id")
    longest = sorted(
        scopes,
        key=lambda key: (
            not any(row["is_open"] for row in scopes[key]),
            *(-total(scopes[key], "took"), key),
        ),
    )
    rows = [row for key in longest[:15] for row in scopes[key]]
    return sorted(rows, key=lambda row: (-row["took"], row["incident_id"]))[:200]


def test_delivery(made: Written, time: Time) -> None:
    shown = made.page.articles["delivery"]
    weeks = time.weeks(13)
    weekly = [row for row in made.models("platform__dora_weekly") if row["week"] in weeks]
    deployed = total(weekly, "deployments")
    per_week = total(weekly, "succeeded") / 13
    recovered = [
        row["recovery_seconds"]
        for row in made.models("platform__incidents")
        if row["recovered_week"] in weeks
    ]
    production = [
        row
        for row in made.models("platform__deployments")
        if row["environment"] == "PRODUCTION" and row["finished_week"] in weeks
    ]
    leads = [row["lead_seconds"] for row in production if (row["lead_seconds"] or 0) > 0]
    days = {row["finished_date"] for row in production if row["result"] == "SUCCESS"}
    failed = said(words.share, total(weekly, "failed"), deployed)
    recovery = said(words.duration, quantile(recovered, 0.5))
    assert shown.title == (
        f"{per_week:,.1f} successful deployments a week; {failed} of all failed; half of the "
        f"incidents recovered within {recovery}"
    )
    assert shown.tiles == {
        "Deployments a week": (
            f"{per_week:,.1f}",
            f"on {len(days) / 13:.1f} days of the week; {total(weekly, 'succeeded'):,} in 13 weeks",
        ),
        "Failed deployments": (
            failed,
            (
                f"{total(weekly, 'failed'):,} of {deployed:,}; "
                f"{said(words.share, total(weekly, 'rework'), deployed)} were rework"
            ),
        ),
        "Recovery, median": (recovery, f"of {len(recovered)} incidents in production"),
        "Lead time, median": (
            said(words.duration, quantile(leads, 0.5)),
            f"of {words.count(len(leads), 'deployment')} with a pull request",
        ),
    }
    groups = by(weekly, "week", "service")
    shows(
        shown.tables["Production deployments by week and service"],
        [
            {
                "Service": SERVICES[service],
                "Week from": week,
                "Deployments": total(rows, "deployments"),
                "Succeeded": total(rows, "succeeded"),
                "Failed": total(rows, "failed"),
                "Failed share": _failed_share(rows),
                "Rework": total(rows, "rework"),
            }
            for (week, service), rows in sorted(groups.items(), reverse=True)
        ],
    )
    marks(
        shown,
        [
            f"{of_week(week)}: {words.count(total(rows, result), 'deployment')} {result}"
            for (week, _), rows in groups.items()
            for result in ("failed", "succeeded")
        ],
    )


def _failed_share(rows: Sequence[Row]) -> float | None:
    deployed = total(rows, "deployments")
    return total(rows, "failed") / deployed if deployed else None
