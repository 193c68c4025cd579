"""The small lines of the tiles, which tell no number: each point is where its week belongs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.report.counting import by, quantile, rate, total

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tests.report.counting import Row, Time
    from tests.report.reading import Article
    from tests.report.writing import Written

pytestmark = pytest.mark.slow

#: How many pixels there are from week to week, and from top to bottom.
STEP, HEIGHT = 14, 36


def test_lines_of_now(made: Written, time: Time) -> None:
    weeks = _weeks(time)
    daily = by(made.models("dbt_cloud__job_daily"), "week")
    updates = by(made.models("pulumi_cloud__stack_daily"), "week")
    incidents = made.models("platform__incidents")
    began, over = by(incidents, "started_week"), by(incidents, "recovered_week")
    runs = [daily.get(week, []) for week in weeks]
    _are_drawn(
        made.page.articles["now"],
        {
            "Open incidents": [len(began.get(week, [])) for week in weeks],
            "Failing jobs": [total(rows, "failed") for rows in runs],
            "Failing stacks": [total(updates.get(week, []), "failed") for week in weeks],
            "Running now": [total(rows, "runs") for rows in runs],
            "Success, 7 days": [rate(rows) for rows in runs],
            "Longest open incident": [
                max((row["recovery_seconds"] for row in over.get(week, [])), default=0)
                for week in weeks
            ],
        },
    )


def test_lines_of_delivery(made: Written, time: Time) -> None:
    weeks = _weeks(time)
    weekly = by(made.models("platform__dora_weekly"), "week")
    over = by(made.models("platform__incidents"), "recovered_week")
    leads = by(
        (
            row
            for row in made.models("platform__deployments")
            if row["environment"] == "PRODUCTION" and (row["lead_seconds"] or 0) > 0
        ),
        "finished_week",
    )
    deployed = [weekly.get(week, []) for week in weeks]
    _are_drawn(
        made.page.articles["delivery"],
        {
            "Deployments a week": [total(rows, "succeeded") for rows in deployed],
            "Failed deployments": [
                total(rows, "failed") / many if (many := total(rows, "deployments")) else None
                for rows in deployed
            ],
            "Recovery, median": [_median(over.get(week), "recovery_seconds") for week in weeks],
            "Lead time, median": [_median(leads.get(week), "lead_seconds") for week in weeks],
        },
    )


def _weeks(time: Time) -> list[date]:
    return time.weeks(13)[::-1]


def _median(rows: Sequence[Row] | None, field: str) -> float | None:
    return quantile((row[field] for row in rows), 0.5) if rows else None


def _are_drawn(article: Article, lines: dict[str, list[float | None]]) -> None:
    assert article.lines.keys() == {what for what, values in lines.items() if any(values)}
    for what, path in article.lines.items():
        known = [(at, value) for at, value in enumerate(lines[what]) if value is not None]
        points = [(float(x), float(y)) for x, y in re.findall(r"([0-9.]+),([0-9.]+)", path)]
        assert [x for x, _ in points] == pytest.approx([at * STEP for at, _ in known]), what
        # The highest value and the lowest one tell the scale, which ends at round numbers.
        drawn = sorted(zip((value for _, value in known), (y for _, y in points), strict=True))
        (low, bottom), (high, top) = drawn[0], drawn[-1]
        assert HEIGHT >= bottom > top + HEIGHT / 2
        expected = [top + (bottom - top) * (high - value) / (high - low) for value, _ in drawn]
        assert [y for _, y in drawn] == pytest.approx(expected, abs=0.2), what
