"""Models, tests and sources, out of what dbt's commands have left."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.report.counting import by, total
from tests.report.raw.tables import median, share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from tests.report.counting import Row
    from tests.report.raw.tables import Raw

_BUILT = ("model", "seed", "snapshot")
_TESTED = ("test", "unit_test")
_FAILED = ("fail", "error", "runtime error")
_NAMES = (
    *("account_id", "account_name", "project_id", "project_name"),
    *("environment_id", "environment_name"),
)
_LIMIT = {"minute": 60, "hour": 3600, "day": 86_400}
#: What the checks of a day came to: the worst of these.
_WORST = ("runtime error", "error", "warn", "pass")


def _results(raw: Raw, table: str, more: str) -> list[Row]:
    return raw.rows(f"""
        select n.*, a.name as account_name, p.name as project_name,
            e.name as environment_name, {more}
        from {table} n
        left join dbt_accounts a on a.id = n.account_id
        left join dbt_projects p on p.account_id = n.account_id and p.id = n.project_id
        left join dbt_environments e on e.account_id = n.account_id and e.id = n.environment_id
        left join dbt_runs r on r.account_id = n.account_id and r.id = n.run_id
    """)


def _name(node_id: str) -> str:
    return node_id.split(".")[2]


def model_daily(raw: Raw) -> list[Row]:
    """The median of a node's day, beside that of the same weekdays of the 28 days before."""
    built = [
        row
        for row in _results(raw, "dbt_run_results", "null as nothing")
        if row["resource_type"] in _BUILT
        and row["status"] in ("success", "partial success")
        and not row["is_full_refresh"]
        and row["execute_completed_at"]
    ]
    rows = []
    for group in by(built, "account_id", "project_id", "environment_id", "unique_id").values():
        days: dict[date, list[float]] = {}
        for row in group:
            days.setdefault(raw.local(row["execute_completed_at"]).date(), []).append(
                row["execution_time"]
            )
        medians = {day: median(values) for day, values in days.items()}
        for day, p50 in medians.items():
            before = [medians.get(day - timedelta(weeks=back)) for back in (1, 2, 3, 4)]
            baseline, known = median(before), sum(value is not None for value in before)
            ratio = p50 / baseline if p50 is not None and baseline else None
            rows.append(
                {
                    **{name: group[0][name] for name in _NAMES},
                    "node_id": group[0]["unique_id"],
                    "node_name": _name(group[0]["unique_id"]),
                    "day": day,
                    "p50_seconds": p50,
                    "baseline_seconds": baseline,
                    "ratio": ratio,
                    "is_regressed": known >= 3 and ratio is not None and ratio > 1.5,
                }
            )
    return rows


def test_flakiness(raw: Raw) -> list[Row]:
    """Each month of a test: how often it failed and passed right afterwards."""
    results = [
        row for row in _results(raw, "dbt_run_results", "r.git_sha") if row["execute_completed_at"]
    ]
    built: dict[tuple[int, int], list[datetime]] = {}
    for row in results:
        if row["resource_type"] in _BUILT and row["status"] not in ("skipped", "no-op", "reused"):
            at = (row["account_id"], row["environment_id"])
            built.setdefault(at, []).append(row["execute_completed_at"])
    tested = [
        {**row, "month": raw.local(row["execute_completed_at"]).date().replace(day=1)}
        for row in results
        if row["resource_type"] in _TESTED and row["status"] in ("pass", "warn", *_FAILED)
    ]
    rows = []
    for group in by(tested, "account_id", "project_id", "unique_id", "month").values():
        flips = _flips(group, raw)
        builds = built.get((group[0]["account_id"], group[0]["environment_id"]), [])
        failed = sum(row["status"] in _FAILED for row in group)
        rows.append(
            {
                **{name: group[0][name] for name in _NAMES[:4]},
                "node_id": group[0]["unique_id"],
                "node_name": _name(group[0]["unique_id"]),
                "month": group[0]["month"],
                "executions": len(group),
                "failed": failed,
                "flips": len(flips),
                "sure_flips": sum(not _built_between(flip, builds) for flip in flips),
                "flake_rate": len(flips) / len(group),
                "is_flaky": len(flips) >= 2,
                "last_flip_at": max(
                    (passed["execute_completed_at"] for _, passed in flips), default=None
                ),
            }
        )
    return rows


def _flips(group: Sequence[Row], raw: Raw) -> list[tuple[Row, Row]]:
    """Failures and the passes right after them: one environment, one commit, one day."""
    dated = [{**row, "day": raw.local(row["execute_completed_at"]).date()} for row in group]
    found = []
    for same in by(dated, "environment_id", "git_sha", "day").values():
        in_order = sorted(same, key=lambda row: row["execute_completed_at"])
        found += [
            (before, after)
            for before, after in pairwise(in_order)
            if before["status"] in _FAILED and after["status"] == "pass"
        ]
    return found


def _built_between(flip: tuple[Row, Row], builds: Sequence[datetime]) -> bool:
    begin, end = (row["execute_completed_at"] for row in flip)
    return any(begin < moment < end for moment in builds)


def source_freshness(raw: Raw) -> list[Row]:
    """Each day of a source: how its checks ended, and for how long it was too old."""
    checks = _results(raw, "dbt_source_freshness", "null as nothing")
    for row in checks:
        row["at"] = row["snapshotted_at"] or row["generated_at"] or row["run_finished_at"]
    checks = [row for row in checks if row["at"]]
    rows = []
    for group in by(checks, "account_id", "project_id", "environment_id", "unique_id").values():
        in_order = sorted(group, key=lambda row: row["at"])
        for before, row in zip([None, *in_order], in_order, strict=False):
            row["outside"] = _outside(row, before)
            row["day"] = raw.day(row["at"])
        for day, same in by(in_order, "day").items():
            statuses = [row["status"] for row in same]
            _, _, source, table = same[0]["unique_id"].split(".", 3)
            rows.append(
                {
                    **{name: same[0][name] for name in _NAMES},
                    "node_id": same[0]["unique_id"],
                    "source_name": source,
                    "table_name": table,
                    "day": day,
                    "checks": len(same),
                    "passed": statuses.count("pass"),
                    "warned": statuses.count("warn"),
                    "failed": statuses.count("error"),
                    "status": next(word for word in _WORST if word in statuses),
                    "age_hours": share(same[-1]["age_seconds"] or 0, 3600)
                    if same[-1]["age_seconds"] is not None
                    else None,
                    **{f"{way}_after_hours": _limit(same[-1], way) for way in ("warn", "error")},
                    "hours_outside": total(same, "outside") / 3600,
                }
            )
    return rows


def _limit(row: Row, way: str) -> float | None:
    """From how many hours on a source is too old for a warning, or an error."""
    many, period = row[f"{way}_after_count"], row[f"{way}_after_period"]
    return None if many is None or period is None else many * _LIMIT[period] / 3600


def _outside(row: Row, before: Row | None) -> float:
    """For how many seconds a source was older than its lower limit, back to the check before.

    Nobody knows what was before the first check.
    """
    limits = [
        row[f"{way}_after_count"] * _LIMIT[row[f"{way}_after_period"]]
        for way in ("warn", "error")
        if row[f"{way}_after_count"] is not None and row[f"{way}_after_period"] is not None
    ]
    if row["age_seconds"] is None or before is None or not limits:
        return 0
    beyond = max(row["age_seconds"] - min(limits), 0)
    return float(min(beyond, (row["at"] - before["at"]).total_seconds()))
