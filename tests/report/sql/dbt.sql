-- The models of dbt Cloud. u(...) is a number from 0 to 1 that its arguments decide.
create or replace macro u(a, b, c) as (hash(a, b, c) % 10007) / 10007.0;
create or replace macro now_() as getvariable('as_of')::timestamp;
create or replace macro local_(t) as
    (t at time zone 'UTC' at time zone getvariable('zone'));

create or replace temp table j as
select
    n, 100 + n as job_id, 1 as account_id, 'Example' || getvariable('mark') as account_name,
    10 + n % 7 as project_id,
    ['Finance', 'Marketing', 'Product', 'Core', 'Risk', 'Supply', 'Labs'][1 + n % 7]
        || getvariable('mark') as project_name,
    ['Nightly build', 'Hourly refresh', 'Snapshots', 'Source freshness', 'Reverse ETL',
     'Pull requests', 'Month end'][1 + n // 7 % 7] || ' '
        || ['Finance', 'Marketing', 'Product', 'Core', 'Risk', 'Supply', 'Labs'][1 + n % 7]
        || case when n >= 49 then ' ' || n else '' end || getvariable('mark') as job_name,
    n // 7 % 7 = 5 as is_ci, n // 7 % 7 <> 5 as is_production,
    120 + 3000 * pow(u(n, 0, 'length'), 3) as base_seconds,
    greatest(1, getvariable('days') * 24.0 / greatest(getvariable('runs'), 1)) as every_hours
from range(getvariable('jobs')) t(n);

create or replace temp table r as
with timed as (
    select j.*, k, n * 100000 + k as run_id,
        now_() - to_seconds(cast(3600 * (every_hours * (k + u(n, k, 'when'))) as bigint)) as requested_at,
        case when is_ci then 'ci' when n % 5 = 4 then 'api' else 'scheduled' end as trigger_category
    from j, range(getvariable('runs')) t(k)
    where n <> 4
), decided as (
    select *,
        isodow(requested_at) = 1 and n % 7 = 2 as monday,
        k < 5 and n in (3, 17) as broken,
        case when n = 6 and requested_at > now_() - interval 6 day then 1.8 else 1 end as slower
    from timed
)
select *,
    case
        when k = 0 and n % 11 = 5 then 'open'
        when broken or u(n, k, 'fails') < case when monday then 0.6 else 0.03 end then 'error'
        when u(n, k, 'cancelled') < 0.015 then 'cancelled'
        else 'success' end as outcome,
    5 + 600 * pow(u(n, k, 'wait'), 6) * (1 + (hour(requested_at) between 5 and 7)::int * 3) as queue_seconds,
    base_seconds * slower * (0.8 + 0.5 * u(n, k, 'takes')) as seconds
from decided;

insert into dbt_cloud__runs by name
with r as (select * exclude (queue_seconds, slower), queue_seconds as waiting, case when outcome = 'error' then seconds * 0.4 else seconds end as running from r)
select
    account_id, account_name, project_id, project_name, run_id, job_id, job_name, is_ci, is_production,
    20 + project_id as environment_id, case when is_production then 'Production' else 'CI' end as environment_name,
    case when is_production then 'production' end as deployment_type,
    case when is_ci then 'ci' else 'scheduled' end as job_type, false as is_job_deleted,
    trigger_category, outcome,
    case when outcome = 'open' then case when n % 2 = 0 then 'queued' else 'running' end else 'ended' end as state,
    case when outcome = 'cancelled' then case when k % 2 = 0 then 'queue' else 'run' end end as cancelled_in,
    outcome = 'cancelled' and k % 2 = 0 as is_superseded,
    requested_at,
    case when state = 'queued' or cancelled_in = 'queue' then null else requested_at + to_seconds(waiting::bigint) end as started_at,
    case when outcome <> 'open' then requested_at + to_seconds((waiting + running)::bigint) end as finished_at,
    finished_at as ended_at,
    case when started_at is not null then waiting end as queue_seconds,
    case when started_at is not null and finished_at is not null then running end as run_seconds,
    1 as attempt, run_id as root_run_id, u(n, k, 'retry') < 0.01 as is_retry, true as is_last_attempt,
    md5((n * 1000 + k // 9)::text) as git_sha, 'main' as git_branch,
    case outcome when 'error' then 'Database Error in model stg_orders' || getvariable('mark')
        when 'cancelled' then 'Cancelled by a newer run' end as status_message,
    'https://dbt.example.com/deploy/1/runs/' || run_id as run_url,
    local_(requested_at)::date as requested_date, hour(local_(requested_at)) as requested_hour_of_day,
    isodow(local_(requested_at)) as requested_weekday, local_(ended_at)::date as ended_date,
    date_trunc('week', local_(ended_at))::date as ended_week
from r;

insert into dbt_cloud__job_daily by name
select
    account_id, account_name, project_id, project_name, job_id, job_name, is_production,
    ended_date as day, ended_week as week, trigger_category, count(*) as runs,
    count(*) filter (outcome = 'success') as succeeded, count(*) filter (outcome = 'error') as failed,
    count(*) filter (outcome = 'cancelled') as cancelled, count(*) filter (is_superseded) as superseded,
    count(*) filter (is_retry) as retries, sum(run_seconds) as run_seconds,
    coalesce(sum(run_seconds) filter (outcome = 'error'), 0) as failed_run_seconds
from dbt_cloud__runs where ended_date is not null group by all;

insert into dbt_cloud__jobs by name
with recent as (
    select job_id,
        count(*) as runs_30d, count(*) filter (outcome = 'success') as succeeded_30d,
        count(*) filter (outcome = 'error') as failed_30d, count(*) filter (outcome = 'cancelled') as cancelled_30d,
        median(run_seconds) filter (outcome = 'success') as p50_run_seconds_30d,
        case when succeeded_30d >= 20 then quantile_cont(run_seconds, 0.95) filter (outcome = 'success') end as p95_run_seconds_30d,
        median(queue_seconds) as p50_queue_seconds_30d,
        coalesce(sum(run_seconds) filter (not is_ci and not is_retry and outcome = 'success'), 0) / 3600 as useful_run_hours_30d,
        coalesce(sum(run_seconds) filter (not is_ci and not is_retry and outcome = 'error'), 0) / 3600 as failed_run_hours_30d,
        coalesce(sum(run_seconds) filter (not is_ci and is_retry), 0) / 3600 as retried_run_hours_30d,
        coalesce(sum(run_seconds) filter (not is_ci and not is_retry and outcome = 'cancelled'), 0) / 3600 as cancelled_run_hours_30d,
        coalesce(sum(run_seconds) filter (is_ci), 0) / 3600 as ci_run_hours_30d
    from dbt_cloud__runs where finished_at > now_() - interval 30 day group by job_id
), windows as (
    select job_id,
        median(run_seconds) filter (finished_at > now_() - interval 7 day) as p50_run_seconds_7d,
        median(run_seconds) filter (finished_at between now_() - interval 35 day and now_() - interval 7 day) as p50_run_seconds_before
    from dbt_cloud__runs where outcome = 'success' group by job_id
), ends as (
    select job_id, max(finished_at) filter (outcome = 'success') as last_success_at, max(finished_at) as last_ended_at,
        arg_max(outcome, finished_at) as last_outcome, max(run_id) as last_run_id
    from dbt_cloud__runs group by job_id
), streaks as (
    select job_id, count(*)::int as consecutive_failures from dbt_cloud__runs join ends using (job_id)
    where outcome = 'error' and finished_at > coalesce(last_success_at, timestamp '2000-01-01') group by job_id
)
select j.* exclude (n, is_ci, base_seconds, every_hours), coalesce(recent.runs_30d, 0) as runs_30d, recent.* exclude (job_id, runs_30d), windows.* exclude (job_id), ends.* exclude (job_id),
    case when is_production then 'Production' else 'CI' end as environment_name,
    coalesce(consecutive_failures, 0) as consecutive_failures,
    p50_run_seconds_7d / p50_run_seconds_before as p50_change,
    succeeded_30d / nullif(succeeded_30d + failed_30d, 0) as success_rate_30d,
    useful_run_hours_30d + failed_run_hours_30d + retried_run_hours_30d + cancelled_run_hours_30d + ci_run_hours_30d as run_hours_30d,
    n % 13 = 12 as is_deactivated, n % 3 <> 2 as has_schedule, false as is_deleted, n % 17 = 9 as is_overscheduled,
    'https://dbt.example.com/deploy/1/runs/' || last_run_id as last_run_url,
    case when n % 13 = 12 then 'paused' when last_outcome is null then 'never run' when consecutive_failures >= 3 then 'broken'
        when consecutive_failures > 0 then 'failing' when p50_run_seconds_7d / p50_run_seconds_before > 1.5 then 'slower'
        when n % 17 = 9 then 'over-scheduled' else 'healthy' end as health,
    health || ': as the last runs show' || getvariable('mark') as why
from j left join recent using (job_id) left join windows using (job_id) left join ends using (job_id) left join streaks using (job_id);

insert into dbt_cloud__slots_hourly by name
select account_id, any_value(account_name) as account_name, date_trunc('hour', local_(requested_at)) as hour, min(date_trunc('hour', requested_at)) as hour_utc,
    hour::date as day, hour(hour) as hour_of_day, isodow(hour) as weekday, 5 as run_slots, 3600.0 as seconds,
    count(*) as max_running, sum(queue_seconds) as waited_seconds,
    case when count(*) > 5 then least(60, (count(*) - 5) * 4.0) else 0 end as saturated_minutes
from dbt_cloud__runs where not is_ci group by account_id, date_trunc('hour', local_(requested_at));

insert into dbt_cloud__model_daily by name
select account_id, account_name, project_id, project_name, 20 + project_id as environment_id, 'Production' as environment_name,
    true as is_production, 'model.core.m' || n as node_id, 'fct_orders_' || n || getvariable('mark') as node_name, 'model' as resource_type,
    (select today from platform__as_of) - d::int as day, 3 as executions, 3 as succeeded, 0 as failed, 60 + 10 * n as baseline_seconds, 4 as baseline_days,
    baseline_seconds * case when n % 9 = 1 and d < 3 then 2.4 else 0.9 + 0.2 * u(n, d, 'model') end as p50_seconds,
    p50_seconds * 3 as execution_seconds, p50_seconds / baseline_seconds as ratio, ratio > 1.5 as is_regressed
from j, range(14) t(d) where is_production and n <> 4 and getvariable('runs') > 0;

insert into dbt_cloud__test_flakiness by name
select account_id, account_name, project_id, project_name, 'test.core.t' || n as node_id,
    ['unique_orders_id', 'not_null_customers_email', 'relationships_orders_customers', 'accepted_values_status'][1 + n % 4] || '_' || n || getvariable('mark') as node_name,
    date_trunc('month', now_() - to_months(m::int))::date as month, 60 as executions, 0 as warned,
    case when n % 6 = 1 then 2 + (hash(n, m) % 7)::int when n % 5 = 1 then 1 else 0 end as flips, flips - (n % 4 = 1 and flips > 0)::int as sure_flips, flips + 1 as failed, 60 - failed as passed,
    flips / 60.0 as flake_rate, flips >= 2 as is_flaky,
    case when flips > 0 then now_() - to_days((n + 30 * m)::int) end as last_flip_at
from j, range(4) t(m) where getvariable('runs') > 0;

insert into dbt_cloud__source_freshness by name
select account_id, account_name, project_id, project_name, 20 + project_id as environment_id, 'Production' as environment_name, true as is_production,
    'source.core.s' || n as node_id, ['stripe', 'salesforce', 'app'][1 + n % 3] || getvariable('mark') as source_name, 'table_' || n as table_name,
    (select today from platform__as_of) - d::int as day, 24 as checks,
    case when n % 5 = 2 and d in (1, 2, 9) then 'error' when u(n, d, 'stale') < 0.04 then 'warn' else 'pass' end as status,
    case status when 'pass' then 24 else 9 end as passed, case status when 'warn' then 15 else 0 end as warned, case status when 'error' then 15 else 0 end as failed,
    0 as unknown, status = 'pass' as met, case status when 'pass' then 2 else 20 end as age_hours, 12.0 as warn_after_hours, 24.0 as error_after_hours,
    sum(24) over (partition by n) as checks_30d, sum(passed) over (partition by n) as passed_30d, passed_30d / checks_30d as share_met_30d
from j, range(30) t(d) where n % 3 = 0 and not (n % 4 = 1 and isodow(day) > 5) and getvariable('runs') > 0;
