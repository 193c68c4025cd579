{{ config(materialized='ephemeral') }}

-- How a job keeps to its schedule: a row for each that has run.
with runs as (
    select * from {{ ref('dbt_cloud__runs') }}
),

planned as (
    select
        account_id,
        job_id,
        should_start_at,
        lag(should_start_at) over (
            partition by account_id, job_id order by should_start_at
        ) as planned_before
    from (
        select distinct
            account_id,
            job_id,
            should_start_at
        from runs
        where
            trigger_category = 'scheduled'
            and not is_retry
            and should_start_at >= {{ cloudapis.days_ago(var('lookback_days', 90)) }}
    ) as starts
),

-- No cron expression is read: how often a job runs is seen from when it was to start.
intervals as (
    select
        account_id,
        job_id,
        {{ cloudapis.percentile(
            cloudapis.seconds_between('planned_before', 'should_start_at'), 0.5
        ) }} as expected_interval_seconds,
        max(
            case
                when should_start_at >= {{ cloudapis.days_ago(28) }}
                    then {{ cloudapis.seconds_between('planned_before', 'should_start_at') }}
            end
        ) as longest_interval_seconds
    from planned
    where planned_before is not null
    group by account_id, job_id
    having count(*) >= 2
),

overtaken as (
    select
        account_id,
        job_id,
        {{ cloudapis.count_if('is_superseded') }} as superseded_7d
    from runs
    where trigger_category = 'scheduled' and ended_at >= {{ cloudapis.days_ago(7) }}
    group by account_id, job_id
),

-- From one success to the next one, in seconds before now.
gaps as (
    select
        run.account_id,
        run.job_id,
        1.5 * pace.expected_interval_seconds as allowed,
        {{ cloudapis.seconds_between('run.ended_at', cloudapis.as_of()) }} as age,
        {{ cloudapis.seconds_between(
            "lead(run.ended_at) over (partition by run.account_id, run.job_id order by run.ended_at)",
            cloudapis.as_of()
        ) }} as age_of_next
    from runs as run
    inner join intervals as pace
        on pace.account_id = run.account_id and pace.job_id = run.job_id
    where run.outcome = 'success'
),

punctuality as (
    select
        account_id,
        job_id,
        1 - sum(greatest(least(age - allowed, 30 * 86400) - greatest(coalesce(age_of_next, 0), 0), 0))
        / nullif(least(max(age), 30 * 86400), 0) as on_time_share
    from gaps
    where coalesce(age_of_next, 0) < 30 * 86400 and age > 0
    group by account_id, job_id
)

select
    job.account_id,
    job.job_id,
    pace.expected_interval_seconds,
    pace.longest_interval_seconds,
    punctuality.on_time_share,
    coalesce(overtaken.superseded_7d, 0) as superseded_7d
from (select distinct account_id, job_id from runs) as job
left join intervals as pace
    on pace.account_id = job.account_id and pace.job_id = job.job_id
left join punctuality
    on punctuality.account_id = job.account_id and punctuality.job_id = job.job_id
left join overtaken
    on overtaken.account_id = job.account_id and overtaken.job_id = job.job_id
