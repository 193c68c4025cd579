"""The columns of the models, as the dbt package has them."""

from __future__ import annotations

_DBT = "account_id bigint, account_name text, project_id bigint, project_name text"
_STACK = "org_name text, project_name text, stack_name text, stack_id text"
_OWNER = "account_id bigint, org_name text, owner_name text"

#: By model, its columns with their types.
MODELS = {
    "platform__as_of": (
        "as_of timestamp, report_time_zone text, local_as_of timestamp, today date, "
        "this_week date, stale_days integer, lookback_days integer, recovery_hours integer, "
        "price_per_run_hour double"
    ),
    "platform__tests": ("test text, model text, status text, failures bigint, tested_at timestamp"),
    "dbt_cloud__runs": (
        f"{_DBT}, dbt_host text, run_id bigint, environment_id bigint, environment_name text, "
        "deployment_type text, is_production boolean, job_id bigint, job_name text, "
        "job_type text, is_job_deleted boolean, trigger_category text, trigger_cause text, "
        "triggered_by_id bigint, "
        "is_ci boolean, outcome text, state text, cancelled_in text, is_superseded boolean, "
        "requested_at timestamp, should_start_at timestamp, dequeued_at timestamp, "
        "started_at timestamp, finished_at timestamp, ended_at timestamp, wait_seconds double, "
        "prep_seconds double, queue_seconds double, run_seconds double, total_seconds double, "
        "schedule_delay_seconds double, attempt integer, root_run_id bigint, is_retry boolean, "
        "is_last_attempt boolean, is_flaky boolean, "
        "is_first_of_commit boolean, git_sha text, git_branch text, "
        "dbt_version text, status_message text, run_url text, requested_date date, "
        "requested_hour_of_day integer, requested_weekday integer, ended_date date, "
        "ended_week date"
    ),
    "dbt_cloud__jobs": (
        f"{_DBT}, dbt_host text, environment_id bigint, environment_name text, "
        "deployment_type text, is_production boolean, job_id bigint, job_name text, "
        "job_type text, is_deleted boolean, is_deactivated boolean, has_schedule boolean, "
        "schedule text, next_run timestamp, health text, why text, last_run_id bigint, "
        "last_outcome text, last_ended_at timestamp, last_success_at timestamp, "
        "last_run_url text, consecutive_failures integer, run_failure_count bigint, "
        "runs_30d integer, succeeded_30d integer, failed_30d integer, cancelled_30d integer, "
        "superseded_30d integer, retries_30d integer, success_rate_30d double, "
        "roots_30d integer, roots_succeeded_30d integer, eventual_success_rate_30d double, "
        "flaky_runs_30d integer, p50_run_seconds_30d double, p95_run_seconds_30d double, "
        "p50_run_seconds_7d double, p50_run_seconds_before double, p50_change double, "
        "p50_queue_seconds_30d double, p95_queue_seconds_30d double, run_hours_30d double, "
        "useful_run_hours_30d double, failed_run_hours_30d double, "
        "retried_run_hours_30d double, cancelled_run_hours_30d double, "
        "ci_run_hours_30d double, share_of_run_hours double, run_cost_30d double, "
        "expected_interval_seconds double, on_time_share_30d double, is_overscheduled boolean"
    ),
    "platform__incidents": (
        f"service text, {_OWNER}, project_name text, scope_id text, scope_name text, "
        "deployment_scope_id text, incident_id text, started_at timestamp, "
        "last_failed_at timestamp, "
        "recovered_at timestamp, is_open boolean, recovery_seconds double, "
        "open_seconds double, failed_attempts integer, recovered_by text, first_message text, "
        "first_url text, who text, started_date date, started_week date, recovered_week date"
    ),
    "dbt_cloud__job_daily": (
        f"{_DBT}, job_id bigint, job_name text, is_production boolean, day date, week date, "
        "trigger_category text, runs integer, succeeded integer, failed integer, "
        "cancelled integer, superseded integer, retries integer, roots integer, "
        "roots_succeeded integer, success_rate double, run_seconds double, "
        "failed_run_seconds double, cancelled_run_seconds double, "
        "retried_run_seconds double, queue_seconds double, queued_runs integer, "
        "p50_run_seconds double, p95_run_seconds double, p95_queue_seconds double"
    ),
    "pulumi_cloud__updates": (
        f"{_STACK}, version bigint, update_id text, kind text, outcome text, "
        "original_result text, is_production boolean, started_at timestamp, "
        "finished_at timestamp, seconds double, started_date date, started_week date, "
        "started_month date, finished_date date, finished_week date, created bigint, "
        "updated bigint, deleted bigint, replaced bigint, same bigint, changed bigint, "
        "is_noop boolean, resource_count bigint, actor_login text, actor_name text, "
        "actor_kind text, ci_system text, is_from_ci boolean, is_dirty boolean, "
        "commit_sha text, branch text, repository text, message text, "
        "previous_version bigint, hours_since_previous double, after_failure boolean, "
        "console_url text"
    ),
    "pulumi_cloud__stacks": (
        f"{_STACK}, is_production boolean, resource_count bigint, last_update timestamp, "
        "last_version bigint, last_kind text, last_outcome text, last_success_at timestamp, "
        "last_actor text, consecutive_failures integer, age_days double, staleness text, "
        "updates_90d integer, succeeded_90d integer, failed_90d integer, "
        "failed_share_90d double, p50_seconds_90d double, p95_seconds_90d double, "
        "actors_365d integer, main_actor text, main_actor_share double, "
        "bus_factor_365d integer, ci_updates_90d integer, clicks_90d integer, "
        "dirty_updates_90d integer, ci_share_90d double, dirty_share_90d double, "
        "console_url text"
    ),
    "platform__deployments": (
        f"deployment_id text, service text, {_OWNER}, project_name text, scope_id text, "
        "scope_name text, environment text, original_environment text, result text, "
        "original_result text, queued_at timestamp, started_at timestamp, "
        "finished_at timestamp, finished_date date, finished_week date, duration_sec double, "
        "queued_duration_sec double, commit_sha text, is_change boolean, is_rework boolean, "
        "prev_success_deployment_id text, actor text, url text, pull_request bigint, "
        "lead_seconds double"
    ),
    "platform__dora_weekly": (
        f"week date, service text, {_OWNER}, scope_id text, scope_name text, "
        "deployments integer, succeeded integer, failed integer, rework integer, "
        "deployment_days integer, recovered integer, p50_recovery_seconds double, "
        "recovery_seconds double, leads integer, leads_left_out integer, "
        "p50_lead_seconds double, lead_seconds double"
    ),
    "dbt_cloud__slots_hourly": (
        "account_id bigint, account_name text, hour timestamp, hour_utc timestamp, day date, "
        "hour_of_day integer, weekday integer, run_slots bigint, seconds double, "
        "max_running integer, avg_running double, max_queued integer, "
        "running_seconds double, waited_seconds double, saturated_minutes double"
    ),
    "pulumi_cloud__stack_daily": (
        f"{_STACK}, is_production boolean, day date, week date, updates integer, "
        "succeeded integer, failed integer, created bigint, updated bigint, deleted bigint, "
        "replaced bigint, same bigint, changed bigint, seconds double, "
        "resource_count bigint, resource_delta bigint, resources_before bigint"
    ),
    "platform__people": (
        f"service text, {_OWNER}, person_id text, login text, name text, role text, "
        "seat text, has_seat boolean, teams text, team_count integer, "
        "last_active_at timestamp, updates_90d integer, runs_90d integer, seat_state text, "
        "is_admin boolean, is_member boolean"
    ),
    "platform__seats": (
        f"service text, {_OWNER}, seat text, bought bigint, used bigint, active integer, "
        "idle integer, never integer"
    ),
    "dbt_cloud__model_daily": (
        f"{_DBT}, environment_id bigint, environment_name text, is_production boolean, "
        "node_id text, node_name text, resource_type text, day date, executions integer, "
        "succeeded integer, failed integer, skipped integer, full_refreshes integer, "
        "execution_seconds double, p50_seconds double, p95_seconds double, "
        "rows_affected bigint, bytes_processed bigint, baseline_seconds double, "
        "baseline_days integer, ratio double, is_regressed boolean"
    ),
    "dbt_cloud__test_flakiness": (
        f"{_DBT}, node_id text, node_name text, month date, executions integer, "
        "passed integer, failed integer, warned integer, flips integer, sure_flips integer, "
        "flake_rate double, is_flaky boolean, last_flip_at timestamp"
    ),
    "dbt_cloud__source_freshness": (
        f"{_DBT}, environment_id bigint, environment_name text, is_production boolean, "
        "node_id text, source_name text, table_name text, day date, checks integer, "
        "passed integer, warned integer, failed integer, unknown integer, status text, "
        "max_loaded_at timestamp, age_hours double, warn_after_hours double, "
        "error_after_hours double, met boolean, checks_30d integer, passed_30d integer, "
        "share_met_30d double, hours_outside double"
    ),
    "pulumi_cloud__drift": (
        f"{_STACK}, is_production boolean, state text, is_drifted boolean, "
        "last_checked_at timestamp, drifted_resources bigint, drifted_since timestamp, "
        "remediated_at timestamp, checks_30d integer, drifted_30d integer, "
        "failed_checks_30d integer"
    ),
    "pulumi_cloud__usage_daily": (
        "org_name text, day date, resources bigint, resource_hours bigint, "
        "discovered_resources bigint, discovered_resource_hours bigint, "
        "deployment_minutes bigint, secrets bigint, secret_hours bigint, "
        "insights_scans bigint, neo_tokens bigint, month_to_date_resource_hours bigint, "
        "forecast_resource_hours double, month_to_date_deployment_minutes bigint, "
        "forecast_deployment_minutes double"
    ),
}
