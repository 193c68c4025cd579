"""How a run is written, with what can be asked for beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import part, pick
from cloudapis_simulator.clock import MINUTE, spaced, zulu
from cloudapis_simulator.world import commands, first_ids, words
from cloudapis_simulator.world.humanize import ago, clock_duration
from cloudapis_simulator.world.people import name_of
from cloudapis_simulator.world.plan import CANCELLED, ERROR, OPEN, STATUS_NAMES, SUCCESS, known
from cloudapis_simulator.world.steps import cause_of, flagged_at, step_rows

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from cloudapis_simulator.world.plan import Plan
    from cloudapis_simulator.world.runs import Runs

Row = dict[str, Any]


def run_row(runs: Runs, plan: Plan, now: int, related: AbstractSet[str] = frozenset()) -> Row:
    """Return a run as `/api/v2/accounts/{id}/runs/` gives it at `now`.

    Args:
        runs: The runs of the account.
        plan: The run.
        now: Microseconds.
        related: The names asked for by `include_related`.
    """
    status = plan.status(now)
    is_open = status in OPEN
    dequeued = known(plan.dequeued_at, now)
    started = known(plan.started_at, now)
    finished = plan.finished(now)
    settled = now >= plan.settled_at
    until = now if is_open else plan.ended_at
    total, queued = until - plan.created_at, (started or until) - plan.created_at
    ran = total - queued
    job, account, bits = plan.job, runs.account, plan.bits
    with_docs = settled and status == SUCCESS and job.number % 4 == 0
    created_text = spaced(plan.created_at)
    failed, detailed = status == ERROR, runs.has_details(plan, now)
    saved = flagged_at(plan) if detailed else None
    return {
        "id": plan.id,
        "trigger_id": plan.id + 33_000_000,
        "account_id": account.id,
        "environment_id": job.environment.id,
        "project_id": job.project.id,
        "job_definition_id": job.id,
        "status": status,
        "dbt_version": "versionless" if part(bits, 12) % 2 else "1.9.4",
        "git_branch": pick(words.BRANCHES, bits, 12) if started else None,
        "git_sha": plan.commit if started else None,
        "status_message": pick(words.STATUS_MESSAGES, bits, 13) if failed else None,
        "owner_thread_id": None,
        "executed_by_thread_id": f"dbt-run-{plan.id}-{bits & 0xFFFFF:05x}" if started else None,
        "deferring_run_id": None,
        "artifacts_saved": saved is not None and saved <= now,
        "artifact_s3_path": f"artifacts/{plan.id}" if started else None,
        "has_docs_generated": with_docs,
        "has_sources_generated": with_docs and job.number % 6 == 0,
        "notifications_sent": settled,
        "blocked_by": [] if started or not is_open else [runs.id_of(max(plan.number - 1, 1))],
        "scribe_enabled": True,
        "created_at": created_text,
        "updated_at": spaced(plan.updated_at(now)),
        "dequeued_at": spaced(dequeued) if dequeued else None,
        "started_at": spaced(started) if started else None,
        "finished_at": spaced(finished) if finished else None,
        "last_checked_at": None,
        "last_heartbeat_at": spaced(until - until % MINUTE) if started and is_open else None,
        "should_start_at": created_text,
        "trigger": _trigger(plan) if "trigger" in related else None,
        "job": _job_then(runs, plan, now) if "job" in related else None,
        "environment": None,
        "run_steps": step_rows(plan, now, runs.steps, with_debug="debug_logs" in related)
        if "run_steps" in related and detailed
        else [],
        "deprecation": None,
        "status_humanized": STATUS_NAMES[status],
        "in_progress": is_open,
        "is_complete": not is_open,
        "is_success": status == SUCCESS,
        "is_error": failed,
        "is_cancelled": status == CANCELLED,
        "href": f"https://cloud.getdbt.com/deploy/{account.id}/projects/{job.project.id}"
        f"/runs/{plan.id}/",
        "duration": clock_duration(total),
        "queued_duration": clock_duration(queued),
        "run_duration": clock_duration(ran),
        "duration_humanized": ago(total),
        "queued_duration_humanized": ago(queued),
        "run_duration_humanized": ago(ran),
        "created_at_humanized": f"{ago(now - plan.created_at)} ago",
        "finished_at_humanized": f"{ago(now - finished)} ago" if finished else "0 minutes from now",
        "retrying_run_id": plan.retries,
        "can_retry": failed,
        "retry_not_supported_reason": None if failed else "RETRY_NOT_FAILED_RUN",
        "job_id": job.id,
        "is_running": None,
        "used_repo_cache": None,
        "audit": _audit(runs, plan, now) if "audit" in related else None,
    }


def _trigger(plan: Plan) -> Row:
    cause, category = cause_of(plan)
    return {
        "id": plan.id + 33_000_000,
        "cause": cause,
        "cause_humanized": cause,
        "cause_category": category,
        "job_definition_id": plan.job.id,
        "git_branch": pick(words.BRANCHES, plan.bits, 12),
        "git_sha": None,
        "azure_pull_request_id": None,
        "github_pull_request_id": 118 if category == "ci" else None,
        "gitlab_merge_request_id": None,
        "non_native_pull_request_id": None,
        "schema_override": None,
        "dbt_version_override": None,
        "threads_override": None,
        "target_name_override": None,
        "generate_docs_override": None,
        "timeout_seconds_override": None,
        "steps_override": commands.texts(commands.overridden()) if category == "api" else None,
        "created_at": spaced(plan.created_at - 9_467),
        "job": None,
    }


def _audit(runs: Runs, plan: Plan, now: int) -> Row:
    """Return who started and who cancelled a run: a person, a token, or nobody."""
    person = pick(runs.people, plan.bits, 14)
    someone = {"id": str(person.id), "type": "user", "name": name_of(person, plan.created_at)}
    token = {
        "id": str(runs.account.offset + first_ids.SERVICE_TOKENS),
        "type": "service_token",
        "name": "CI",
    }
    by = {"ui": someone, "rerun": someone, "api": token}.get(cause_of(plan)[1])
    cancelled = plan.status(now) == CANCELLED
    return {
        "trigger": {"actor": by} if by else None,
        "cancellation": {"actor": someone} if cancelled else None,
    }


def _job_then(runs: Runs, plan: Plan, now: int) -> Row:
    """Return the job as nested in a run: older forms of times and schedule."""
    row = runs.account.job_row(plan.job, now)
    for key in ("account", "project", "environment", "next_run", "next_run_humanized"):
        del row[key]
    row["created_at"] = zulu(plan.job.created_at)
    row["updated_at"] = zulu(plan.job.updated_at(now))
    row["schedule"] = {"cron": "0 * * * *", "date": "every_day", "time": "every_hour"}
    return row
