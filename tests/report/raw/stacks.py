"""Updates, stacks, their days and their drift, out of the tables of Pulumi Cloud."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.report.counting import by, total
from tests.report.raw.tables import monday, seconds, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.report.counting import Row
    from tests.report.raw.tables import Raw

_OUTCOMES = {"succeeded": "success", "failed": "error"}
_NAMES = ("org_name", "project_name", "stack_name", "stack_id")
_KINDS = ("created", "updated", "deleted", "replaced")


def is_production(stack_name: str) -> bool:
    """Whether a stack is one of production's, as long as nobody says how these are called."""
    return re.match(r"(prod|production|main|live)([-_]|$)", stack_name, re.IGNORECASE) is not None


def changes_of(told: Mapping[str, int] | None) -> Row:
    """How many resources an update has changed, by what it did with them."""
    if not told:
        return dict.fromkeys((*_KINDS, "changed"))
    # What is replaced is told as a whole, as what is made, as what is gone, or as all of these.
    made = told.get("create-replacement", 0) + told.get("import-replacement", 0)
    found = {
        "created": told.get("create", 0) + told.get("import", 0),
        "updated": told.get("update", 0),
        "deleted": told.get("delete", 0),
        "replaced": max(told.get("replace", 0), made, told.get("delete-replaced", 0)),
    }
    return {**found, "changed": sum(found.values())}


def updates(raw: Raw) -> list[Row]:
    """Each update of a stack, once."""
    rows = raw.rows("""
        select org_name, project_name, stack_name, stack_id, version, update_id, kind, result,
            message, resource_count, start_time as started_at, end_time as finished_at,
            requested_by_login as actor_login, resource_changes, environment,
            github_commit_info ->> 'sha' as github_sha
        from pulumi_stack_updates
    """)
    by_service = {
        row["update_id"] for row in raw.rows("select update_id from pulumi_deployment_updates")
    }
    assert len(by(rows, "stack_id", "version")) == len(rows)
    for row in rows:
        told = json.loads(row.pop("environment") or "{}")
        row.update(changes_of(json.loads(row.pop("resource_changes") or "null")))
        row["outcome"] = _OUTCOMES.get(row["result"], "open")
        row["is_production"] = is_production(row["stack_name"])
        row["seconds"] = seconds(row["started_at"], row["finished_at"])
        row["started_date"], row["finished_date"] = (
            raw.day(row[name]) for name in ("started_at", "finished_at")
        )
        row["started_month"] = row["started_date"].replace(day=1)
        row["is_from_ci"] = bool(told.get("ci.system"))
        row["actor_kind"] = "deployments" if row["update_id"] in by_service else "another"
        row["is_dirty"] = told.get("git.dirty") == "true"
        row["commit_sha"] = told.get("git.head") or row["github_sha"]
    return rows


def stacks(raw: Raw) -> list[Row]:
    """Each stack as it is now."""
    rows = raw.rows("""
        select org_name, project_name, stack_name, stack_id, resource_count, console_url,
            last_update from pulumi_stacks
    """)
    assert len(by(rows, "stack_id")) == len(rows)
    updates_of = by(raw("pulumi_cloud__updates"), "stack_id")
    for row in rows:
        mine = sorted(updates_of.get(row["stack_id"], []), key=lambda update: update["version"])
        ended = [update for update in mine if update["outcome"] != "open"]
        streak = 0
        while streak < len(ended) and ended[-1 - streak]["outcome"] == "error":
            streak += 1
        won = [update for update in ended if update["outcome"] == "success"]
        quarter = [update["outcome"] for update in ended if raw.since(update["finished_at"], 90)]
        row["is_production"] = is_production(row["stack_name"])
        row["consecutive_failures"] = streak
        row["last_success_at"] = max((update["finished_at"] for update in won), default=None)
        row["last_actor"] = ended[-1]["actor_login"] if ended else None
        row["failed_90d"] = quarter.count("error")
        row["failed_share_90d"] = share(quarter.count("error"), len(quarter))
        row["actors_365d"] = len(
            {
                update["actor_login"]
                for update in mine
                if update["actor_login"] and raw.since(update["started_at"], 365)
            }
        )
        row["age_days"] = raw.ago(row["last_update"]) / 86_400 if row["last_update"] else None
        row["staleness"] = _staleness(row, won)
    return rows


def _staleness(stack: Row, won: Sequence[Row]) -> str:
    if stack["age_days"] is None:
        return "never updated"
    if won and won[-1]["kind"] == "destroy" and not stack["resource_count"]:
        return "destroyed"
    ages = ((30, "active"), (90, "quiet"))
    return next((word for most, word in ages if stack["age_days"] <= most), "stale")


def stack_daily(raw: Raw) -> list[Row]:
    """Updates of a stack by the day on which they ended."""
    named = {row["stack_id"]: row for row in raw("pulumi_cloud__stacks")}
    ended = [row for row in raw("pulumi_cloud__updates") if row["outcome"] != "open"]
    known = by(raw("pulumi_cloud__updates"), "stack_id")
    begun: set[str] = set()
    rows = []
    for (stack_id, day), group in sorted(by(ended, "stack_id", "finished_date").items()):
        newest = max(group, key=lambda row: row["version"])
        names = named.get(stack_id, newest)
        counts = [
            row["resource_count"]
            for row in sorted(group, key=lambda row: row["version"])
            if row["resource_count"] is not None
        ]
        before = 0
        if counts and stack_id not in begun:
            begun.add(stack_id)
            if min(row["version"] for row in known[stack_id]) > 1:
                before = max(0, counts[-1] - total(group, "created") + total(group, "deleted"))
        rows.append(
            {
                **{name: names[name] for name in _NAMES},
                "day": day,
                "week": monday(day),
                "updates": len(group),
                "failed": sum(row["outcome"] == "error" for row in group),
                **{kind: total(group, kind) for kind in (*_KINDS, "changed")},
                "resource_count": counts[-1] if counts else None,
                "resources_before": before,
            }
        )
    return rows


def drift(raw: Raw) -> list[Row]:
    """Whether each stack is what it describes, by the checks that have looked."""
    checks = raw.rows("""
        select stack_id, created as at, drift_detected, status,
            detect_update -> 'resourceChanges' as changes,
            remediate_update ->> 'status' as remediated
        from pulumi_drift_runs order by created, id
    """)
    checks_of = by((row for row in checks if row["status"] == "succeeded"), "stack_id")
    rows = []
    for stack in raw("pulumi_cloud__stacks"):
        mine = checks_of.get(stack["stack_id"], [])
        differs = [row["drift_detected"] and row["remediated"] != "succeeded" for row in mine]
        since = len(mine)
        while since and differs[since - 1]:
            since -= 1
        lately = [row["drift_detected"] for row in mine if raw.since(row["at"], 30)]
        state = "never checked"
        if mine:
            state = "drifted" if differs[-1] else "clean"
            state = state if raw.since(mine[-1]["at"], 7) else "unknown"
        is_drifted = {"drifted": True, "clean": False}.get(state)
        found = changes_of(json.loads(mine[-1]["changes"] or "null")) if mine else {}
        rows.append(
            {
                **{name: stack[name] for name in _NAMES},
                "state": state,
                "is_drifted": is_drifted,
                "drifted_resources": found["changed"] if is_drifted else None,
                "drifted_since": mine[since]["at"] if is_drifted else None,
                "checks_30d": len(lately),
                "drifted_30d": sum(lately),
            }
        )
    return rows
