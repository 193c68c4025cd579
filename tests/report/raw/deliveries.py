"""Incidents and deployments of both services, one run or update after the other."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.report.counting import by
from tests.report.raw.tables import monday, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.report.counting import Row
    from tests.report.raw.tables import Raw

_OVER = ("success", "error")


def incidents(raw: Raw) -> list[Row]:
    """Each streak of failures of a production job or stack."""
    runs = [
        {
            **run,
            "service": "dbt_cloud",
            "scope_id": f"{run['account_id']}/job/{run['job_id']}",
            "scope_name": " / ".join(
                (run["project_name"], run["job_name"] or f"job {run['job_id']}")
            ),
            "attempt_id": run["run_id"],
            "owner_name": run["account_name"],
            "order": (run["ended_at"], run["run_id"]),
            "sha": run["git_sha"],
            "message": run["status_message"],
        }
        for run in raw("dbt_cloud__runs")
        if run["is_production"]
        and run["outcome"] in _OVER
        and not run["is_ci"]
        and run["trigger_category"] != "merge"
    ]
    updates = [
        {
            **update,
            "service": "pulumi_cloud",
            "scope_id": update["stack_id"],
            "scope_name": "/".join(
                update[name] for name in ("org_name", "project_name", "stack_name")
            ),
            "owner_name": update["org_name"],
            "attempt_id": update["update_id"],
            "account_id": None,
            "ended_at": update["finished_at"],
            "order": update["version"],
            "sha": update["commit_sha"],
            "is_retry": False,
        }
        for update in raw("pulumi_cloud__updates")
        if update["is_production"]
        and update["outcome"] in _OVER
        and update["kind"] in ("update", "destroy", "refresh")
    ]
    found = []
    gone = _gone(raw)
    for (_, scope_id), group in by([*runs, *updates], "service", "scope_id").items():
        failed: list[Row] = []
        for row in sorted(group, key=lambda row: row["order"]):
            if row["outcome"] == "error":
                failed.append(row)
            elif failed:
                found.append(_incident(failed, row, raw))
                failed = []
        if failed:
            found.append(_incident(failed, None, raw, is_gone=gone(group[0], scope_id)))
    return found


def _gone(raw: Raw) -> Callable[[Row, str], bool]:
    """Tells whether what an attempt was of has been deleted since."""
    jobs = {
        (row["account_id"], row["job_id"]) for row in raw("dbt_cloud__jobs") if row["is_deleted"]
    }
    there: dict[str, set[str]] = {}
    for row in raw.rows("select org_name, stack_id from pulumi_stacks"):
        there.setdefault(row["org_name"], set()).add(row["stack_id"])

    def gone(row: Row, scope_id: str) -> bool:
        if row["service"] == "dbt_cloud":
            return (row["account_id"], row["job_id"]) in jobs
        return scope_id not in there.get(row["org_name"], {scope_id})

    return gone


def _incident(
    failed: Sequence[Row], success: Row | None, raw: Raw, *, is_gone: bool = False
) -> Row:
    first = failed[0]
    begin, end = first["ended_at"], success["ended_at"] if success else None
    return {
        **{name: first[name] for name in ("service", "account_id", "project_name", "owner_name")},
        **{name: first[name] for name in ("scope_id", "scope_name")},
        "incident_id": f"{first['service']}:{first['scope_id']}:{first['attempt_id']}",
        "started_at": begin,
        "recovered_at": end,
        "is_open": success is None and not is_gone,
        "recovery_seconds": seconds(begin, end),
        "open_seconds": None if success or is_gone else raw.ago(begin),
        "failed_attempts": len(failed),
        "recovered_by": _recovered_by(failed, success),
        "first_message": first["message"],
        "started_week": raw.week(begin),
        "recovered_week": raw.week(end),
    }


def _recovered_by(failed: Sequence[Row], success: Row | None) -> str | None:
    if success is None:
        return None
    if success["is_retry"]:
        return "retry"
    # What failed first was not what was wrong, if it succeeds without a change.
    before = failed[0]["sha"]
    if not before or not success["sha"]:
        return "unknown commit"
    return "same commit later" if success["sha"] == before else "new commit"


def deployments(raw: Raw) -> list[Row]:
    """Each deployment, and whether one of the same scope had failed shortly before it began."""
    found = [*_of_dbt(raw), *_of_pulumi(raw)]
    for group in by(found, "service", "scope_id").values():
        failures = [row["finished_at"] for row in group if row["result"] == "FAILURE"]
        for row in group:
            row["is_rework"] = any(
                timedelta(0) <= row["started_at"] - failed <= timedelta(hours=24)
                for failed in failures
            )
    for row in found:
        row["result"] = {"success": "SUCCESS", "error": "FAILURE"}.get(row["result"], row["result"])
        row["finished_date"] = raw.day(row["finished_at"])
        row["finished_week"] = raw.week(row["finished_at"])
    return found


def _of_dbt(raw: Raw) -> list[Row]:
    """The first run in an environment of a commit that is not the last one seen there."""
    seen = [
        run
        for run in raw("dbt_cloud__runs")
        if run["git_sha"]
        and run["started_at"]
        and run["outcome"] != "cancelled"
        and not run["is_retry"]
        and not run["is_ci"]
    ]
    found = []
    for group in by(seen, "account_id", "environment_id").values():
        last = None
        for run in sorted(group, key=lambda run: (run["started_at"], run["run_id"])):
            if run["git_sha"] != last and run["outcome"] in _OVER:
                found.append(
                    {
                        "service": "dbt_cloud",
                        "scope_id": f"{run['account_id']}/environment/{run['environment_id']}",
                        "environment": "PRODUCTION" if run["is_production"] else "another",
                        "result": "SUCCESS" if run["outcome"] == "success" else "FAILURE",
                        "started_at": run["started_at"],
                        "finished_at": run["ended_at"],
                        "lead_seconds": None,
                    }
                )
            last = run["git_sha"]
    return found


def _of_pulumi(raw: Raw) -> list[Row]:
    """Updates and destroys that changed a resource, or failed."""
    merged = raw.rows("""
        select stack_id, version, pr_merge_commit_sha as sha, pr_created_at as opened_at
        from pulumi_update_timelines where pr_was_merged
    """)
    opened = {(row["stack_id"], row["version"], row["sha"]): row["opened_at"] for row in merged}
    found = []
    in_order = sorted(raw("pulumi_cloud__updates"), key=lambda row: row["started_at"])
    deployed = set()
    for update in in_order:
        if update["kind"] not in ("update", "destroy") or update["outcome"] not in _OVER:
            continue
        has_failed = update["outcome"] == "error"
        if not has_failed and not update["changed"]:
            continue
        stack_id, sha = update["stack_id"], update["commit_sha"]
        lead = None
        if update["is_production"] and not has_failed and sha and (stack_id, sha) not in deployed:
            begin = opened.get((stack_id, update["version"], sha))
            lead = seconds(begin, update["finished_at"])
            deployed.add((stack_id, sha))
        found.append(
            {
                "service": "pulumi_cloud",
                "scope_id": stack_id,
                "environment": "PRODUCTION" if update["is_production"] else "another",
                "result": "FAILURE" if has_failed else "SUCCESS",
                "started_at": update["started_at"],
                "finished_at": update["finished_at"],
                "lead_seconds": lead,
            }
        )
    return found


def dora_weekly(raw: Raw) -> list[Row]:
    """Deployments to production by week, from the first one of a scope to this week."""
    rows = []
    production = [row for row in raw("platform__deployments") if row["environment"] == "PRODUCTION"]
    for (service, scope_id), group in by(production, "service", "scope_id").items():
        weeks = by(group, "finished_week")
        week = min(weeks)
        while week <= monday(raw.local(raw.now).date()):
            of_week = weeks.get(week, [])
            results = [row["result"] for row in of_week]
            rows.append(
                {
                    "service": service,
                    "scope_id": scope_id,
                    "week": week,
                    "deployments": len(results),
                    "succeeded": results.count("SUCCESS"),
                    "failed": results.count("FAILURE"),
                    "rework": sum(row["is_rework"] for row in of_week),
                }
            )
            week += timedelta(weeks=1)
    return rows
