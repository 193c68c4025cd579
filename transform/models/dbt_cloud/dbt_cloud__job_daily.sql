{#- A day of which nothing is known but that it lies between two that had runs has zeros. -#}
with ended as (
    select *
    from {{ ref('dbt_cloud__runs') }}
    where outcome <> 'open' and job_id is not null
),

counted as (
    select
        account_id,
        job_id,
        trigger_category,
        ended_date as day,
        cast(count(*) as integer) as runs,
        {{ cloudapis.count_if("outcome = 'success'") }} as succeeded,
        {{ cloudapis.count_if("outcome = 'error'") }} as failed,
        {{ cloudapis.count_if("outcome = 'cancelled'") }} as cancelled,
        {{ cloudapis.count_if('is_superseded') }} as superseded,
        {{ cloudapis.count_if('is_retry') }} as retries,
        coalesce(sum(run_seconds), 0) as run_seconds,
        {{ cloudapis.sum_if("outcome = 'error'", 'run_seconds') }} as failed_run_seconds,
        {{ cloudapis.sum_if("outcome = 'cancelled'", 'run_seconds') }} as cancelled_run_seconds,
        {{ cloudapis.sum_if('is_retry', 'run_seconds') }} as retried_run_seconds,
        coalesce(sum(queue_seconds), 0) as queue_seconds,
        cast(count(queue_seconds) as integer) as queued_runs,
        {{ cloudapis.percentile("case when outcome = 'success' then run_seconds end", 0.5) }}
            as p50_run_seconds,
        {{ cloudapis.p95("case when outcome = 'success' then run_seconds end") }}
            as p95_run_seconds,
        {{ cloudapis.p95('queue_seconds') }} as p95_queue_seconds
    from ended
    group by account_id, job_id, trigger_category, ended_date
),

-- A run with its retries counts once, on the day on which its last attempt ended.
roots as (
    select
        account_id,
        job_id,
        trigger_category,
        root_run_id,
        max(ended_date) as day,
        max(case when outcome = 'success' then 1 else 0 end) as has_succeeded
    from ended
    where outcome in ('success', 'error')
    group by account_id, job_id, trigger_category, root_run_id
),

counted_roots as (
    select
        account_id,
        job_id,
        trigger_category,
        day,
        cast(count(*) as integer) as roots,
        cast(sum(has_succeeded) as integer) as roots_succeeded
    from roots
    group by account_id, job_id, trigger_category, day
),

spans as (
    select
        account_id,
        job_id,
        trigger_category,
        min(day) as first_day,
        max(day) as last_day
    from counted
    group by account_id, job_id, trigger_category
),

filled as (
    select
        span.account_id,
        span.job_id,
        span.trigger_category,
        calendar.day,
        calendar.week
    from spans as span
    inner join {{ ref('platform__calendar') }} as calendar
        on calendar.day between span.first_day and span.last_day
),

names as (
    select
        account_id,
        job_id,
        account_name,
        project_id,
        project_name,
        job_name,
        is_production
    from {{ ref('dbt_cloud__jobs') }}
)

select
    filled.account_id,
    names.account_name,
    names.project_id,
    names.project_name,
    filled.job_id,
    names.job_name,
    names.is_production,
    filled.day,
    filled.week,
    filled.trigger_category,
    coalesce(counted.runs, 0) as runs,
    coalesce(counted.succeeded, 0) as succeeded,
    coalesce(counted.failed, 0) as failed,
    coalesce(counted.cancelled, 0) as cancelled,
    coalesce(counted.superseded, 0) as superseded,
    coalesce(counted.retries, 0) as retries,
    coalesce(counted_roots.roots, 0) as roots,
    coalesce(counted_roots.roots_succeeded, 0) as roots_succeeded,
    {{ cloudapis.ratio('counted.succeeded', '(counted.succeeded + counted.failed)') }}
        as success_rate,
    coalesce(counted.run_seconds, 0) as run_seconds,
    coalesce(counted.failed_run_seconds, 0) as failed_run_seconds,
    coalesce(counted.cancelled_run_seconds, 0) as cancelled_run_seconds,
    coalesce(counted.retried_run_seconds, 0) as retried_run_seconds,
    coalesce(counted.queue_seconds, 0) as queue_seconds,
    coalesce(counted.queued_runs, 0) as queued_runs,
    counted.p50_run_seconds,
    counted.p95_run_seconds,
    counted.p95_queue_seconds
from filled
left join counted
    on
        counted.account_id = filled.account_id
        and counted.job_id = filled.job_id
        and counted.trigger_category = filled.trigger_category
        and counted.day = filled.day
left join counted_roots
    on
        counted_roots.account_id = filled.account_id
        and counted_roots.job_id = filled.job_id
        and counted_roots.trigger_category = filled.trigger_category
        and counted_roots.day = filled.day
left join names
    on names.account_id = filled.account_id and names.job_id = filled.job_id
