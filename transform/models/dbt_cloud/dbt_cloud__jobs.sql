with runs as (
    select * from {{ ref('dbt_cloud__runs') }}
),

jobs as (
    select
        job.account_id,
        job.job_id,
        job.dbt_host,
        job.project_id,
        job.environment_id,
        job.job_name,
        job.job_type,
        job.state = 2 as is_deleted,
        coalesce(job.deactivated, false) as is_deactivated,
        coalesce(job.has_schedule, false) as has_schedule,
        job.schedule_in_words as schedule,
        job.next_run,
        job.run_failure_count
    from {{ ref('stg_dbt_cloud__jobs') }} as job
    union all
    -- Jobs that are in no list, but have run: deleted ones, if their account has a list at all.
    select
        run.account_id,
        run.job_id,
        max(run.dbt_host) as dbt_host,
        max(run.project_id) as project_id,
        max(run.environment_id) as environment_id,
        cast(null as {{ dbt.type_string() }}) as job_name,
        cast(null as {{ dbt.type_string() }}) as job_type,
        case
            when exists (
                select 1
                from {{ ref('stg_dbt_cloud__jobs') }} as listed
                where listed.account_id = run.account_id
            ) then true
        end as is_deleted,
        false as is_deactivated,
        false as has_schedule,
        cast(null as {{ dbt.type_string() }}) as schedule,
        cast(null as {{ cloudapis.type_time() }}) as next_run,
        cast(null as {{ dbt.type_bigint() }}) as run_failure_count
    from runs as run
    left join {{ ref('stg_dbt_cloud__jobs') }} as job
        on job.account_id = run.account_id and job.job_id = run.job_id
    where job.job_id is null and run.job_id is not null
    group by run.account_id, run.job_id
),

-- Runs of pull requests fail for these pull requests alone.
ordered as (
    select
        account_id,
        job_id,
        run_id,
        outcome,
        ended_at,
        run_url,
        row_number() over (
            partition by account_id, job_id order by ended_at desc, run_id desc
        ) as place
    from runs
    where outcome in ('success', 'error') and not is_ci
),

streaks as (
    select
        account_id,
        job_id,
        cast(
            coalesce(min(case when outcome = 'success' then place end) - 1, count(*)) as integer
        ) as consecutive_failures
    from ordered
    group by account_id, job_id
),

newest as (
    select
        account_id,
        job_id,
        run_id,
        outcome,
        ended_at,
        run_url,
        row_number() over (
            partition by account_id, job_id order by ended_at desc, run_id desc
        ) as place
    from runs
    where outcome <> 'open'
),

ever as (
    select
        account_id,
        job_id,
        count(*) as runs_ever,
        max(case when outcome = 'success' then ended_at end) as last_success_at,
        min(case when outcome = 'success' then ended_at end) as first_success_at
    from runs
    group by account_id, job_id
),

recent as (
    select
        account_id,
        job_id,
        cast(count(*) as integer) as runs,
        {{ cloudapis.count_if("outcome = 'success'") }} as succeeded,
        {{ cloudapis.count_if("outcome = 'error'") }} as failed,
        {{ cloudapis.count_if("outcome = 'cancelled'") }} as cancelled,
        {{ cloudapis.count_if('is_superseded') }} as superseded,
        {{ cloudapis.count_if('is_retry') }} as retries,
        {{ cloudapis.count_if('is_flaky') }} as flaky,
        cast(
            count(distinct case when outcome in ('success', 'error') then root_run_id end) as integer
        ) as roots,
        cast(
            count(distinct case when outcome = 'success' then root_run_id end) as integer
        ) as roots_succeeded,
        {{ cloudapis.percentile("case when outcome = 'success' then run_seconds end", 0.5) }}
            as p50_run_seconds,
        {{ cloudapis.p95("case when outcome = 'success' then run_seconds end") }}
            as p95_run_seconds,
        {{ cloudapis.percentile(
            "case when outcome = 'success' then run_seconds + coalesce(prep_seconds, 0) end", 0.5
        ) }} as p50_busy_seconds,
        {{ cloudapis.percentile('queue_seconds', 0.5) }} as p50_queue_seconds,
        {{ cloudapis.p95('queue_seconds') }} as p95_queue_seconds,
        coalesce(sum(run_seconds), 0) / 3600 as run_hours,
        {{ cloudapis.sum_if('is_ci', 'run_seconds') }} / 3600 as ci_run_hours,
        {{ cloudapis.sum_if("not is_ci and outcome = 'cancelled'", 'run_seconds') }} / 3600
            as cancelled_run_hours,
        {{ cloudapis.sum_if("not is_ci and outcome = 'error'", 'run_seconds') }} / 3600
            as failed_run_hours,
        {{ cloudapis.sum_if("not is_ci and outcome = 'success' and is_retry", 'run_seconds') }} / 3600
            as retried_run_hours,
        {{ cloudapis.sum_if("not is_ci and outcome = 'success' and not is_retry", 'run_seconds') }} / 3600
            as useful_run_hours
    from runs
    where outcome <> 'open' and ended_at >= {{ cloudapis.days_ago(30) }}
    group by account_id, job_id
),

-- The last 7 days, and the 28 days before them.
changes as (
    select
        account_id,
        job_id,
        {{ cloudapis.percentile('run_seconds_now', 0.5) }} as p50_now,
        {{ cloudapis.percentile('run_seconds_before', 0.5) }} as p50_before,
        count(run_seconds_now) as runs_now,
        count(run_seconds_before) as runs_before
    from (
        select
            account_id,
            job_id,
            case when ended_at >= {{ cloudapis.days_ago(7) }} then run_seconds end
                as run_seconds_now,
            case when ended_at < {{ cloudapis.days_ago(7) }} then run_seconds end
                as run_seconds_before
        from runs
        where outcome = 'success' and ended_at >= {{ cloudapis.days_ago(35) }}
    ) as succeeded
    group by account_id, job_id
),

described as (
    select
        job.*,
        account.account_name,
        project.project_name,
        environment.environment_name,
        environment.deployment_type,
        (
            coalesce(environment.deployment_type = 'production', false)
            or {{ cloudapis.is_chosen(
                ['environment.environment_name'], var('production_environments', [])
            ) }}
        ) as is_production,
        newest.run_id as last_run_id,
        newest.outcome as last_outcome,
        newest.ended_at as last_ended_at,
        newest.run_url as last_run_url,
        ever.last_success_at,
        coalesce(ever.runs_ever, 0) as runs_ever,
        coalesce(streak.consecutive_failures, 0) as consecutive_failures,
        recent.p50_run_seconds,
        recent.p95_run_seconds,
        recent.p50_queue_seconds,
        recent.p95_queue_seconds,
        coalesce(recent.runs, 0) as runs,
        coalesce(recent.succeeded, 0) as succeeded,
        coalesce(recent.failed, 0) as failed,
        coalesce(recent.cancelled, 0) as cancelled,
        coalesce(recent.superseded, 0) as superseded,
        coalesce(recent.retries, 0) as retries,
        coalesce(recent.flaky, 0) as flaky,
        coalesce(recent.roots, 0) as roots,
        coalesce(recent.roots_succeeded, 0) as roots_succeeded,
        coalesce(recent.run_hours, 0) as run_hours,
        coalesce(recent.useful_run_hours, 0) as useful_run_hours,
        coalesce(recent.failed_run_hours, 0) as failed_run_hours,
        coalesce(recent.retried_run_hours, 0) as retried_run_hours,
        coalesce(recent.cancelled_run_hours, 0) as cancelled_run_hours,
        coalesce(recent.ci_run_hours, 0) as ci_run_hours,
        change.p50_now,
        change.p50_before,
        case
            when change.runs_now >= 3 and change.runs_before >= 3
                then {{ cloudapis.ratio('change.p50_now', 'change.p50_before') }}
        end as p50_change,
        pace.expected_interval_seconds,
        greatest(
            1.5 * pace.expected_interval_seconds,
            coalesce(pace.longest_interval_seconds, 0) + 0.5 * pace.expected_interval_seconds
        ) as allowed_seconds,
        pace.on_time_share,
        coalesce(pace.superseded_7d, 0) as superseded_7d,
        (
            coalesce(recent.p50_busy_seconds > pace.expected_interval_seconds, false)
            or coalesce(pace.superseded_7d, 0) > 0
        ) as is_overscheduled
    from jobs as job
    left join {{ ref('stg_dbt_cloud__accounts') }} as account
        on account.account_id = job.account_id
    left join {{ ref('stg_dbt_cloud__projects') }} as project
        on project.account_id = job.account_id and project.project_id = job.project_id
    left join {{ ref('stg_dbt_cloud__environments') }} as environment
        on
            environment.account_id = job.account_id
            and environment.environment_id = job.environment_id
    left join newest
        on
            newest.account_id = job.account_id
            and newest.job_id = job.job_id
            and newest.place = 1
    left join ever
        on ever.account_id = job.account_id and ever.job_id = job.job_id
    left join streaks as streak
        on streak.account_id = job.account_id and streak.job_id = job.job_id
    left join recent
        on recent.account_id = job.account_id and recent.job_id = job.job_id
    left join changes as change
        on change.account_id = job.account_id and change.job_id = job.job_id
    left join {{ ref('dbt_cloud__job_pace') }} as pace
        on pace.account_id = job.account_id and pace.job_id = job.job_id
),

judged as (
    select
        *,
        case
            when is_deleted then 'deleted'
            when is_deactivated then 'paused'
            when runs_ever = 0 then 'never run'
            when consecutive_failures >= 3 then 'broken'
            when consecutive_failures > 0 and last_success_at is null then 'broken'
            when consecutive_failures > 0 then 'failing'
            when p50_change >= 1.5 then 'slower'
            when
                has_schedule
                and last_success_at is not null
                and {{ cloudapis.seconds_between('last_success_at', cloudapis.as_of()) }}
                > allowed_seconds
                then 'late'
            when is_overscheduled then 'over-scheduled'
            else 'healthy'
        end as health
    from described
)

select
    account_id,
    account_name,
    dbt_host,
    project_id,
    project_name,
    environment_id,
    environment_name,
    deployment_type,
    is_production,
    job_id,
    job_name,
    job_type,
    is_deleted,
    is_deactivated,
    has_schedule,
    schedule,
    next_run,
    health,
    case health
        when 'deleted' then 'it was deleted'
        when 'paused' then 'it was deactivated'
        when 'never run' then 'no run is known'
        when 'broken' then {{ cloudapis.times_failed('consecutive_failures') }} || case
            when last_success_at is null then ', and has never succeeded'
            else ', last success ' || {{ cloudapis.day_in_words(cloudapis.local('last_success_at')) }}
        end
        when 'failing' then {{ cloudapis.times_failed('consecutive_failures') }}
        when 'slower' then
            'takes ' || {{ cloudapis.rounded_text('p50_change', 1) }}
            || ' times as long as in the four weeks before'
        when 'late' then
            'last success ' || {{ cloudapis.day_in_words(cloudapis.local('last_success_at')) }}
            || ', expected every '
            || {{ cloudapis.rounded_text('expected_interval_seconds / 3600', 1) }} || ' hours'
        when 'over-scheduled' then case
            when superseded_7d > 0
                then {{ cloudapis.as_text('superseded_7d') }}
                || ' runs gave way to the next one in seven days'
            else 'runs take longer than the '
                || {{ cloudapis.rounded_text('expected_interval_seconds / 60', 0) }}
                || ' minutes from one to the next'
        end
        else 'nothing is wrong with it'
    end as why,
    last_run_id,
    last_outcome,
    last_ended_at,
    last_success_at,
    last_run_url,
    consecutive_failures,
    run_failure_count,
    runs as runs_30d,
    succeeded as succeeded_30d,
    failed as failed_30d,
    cancelled as cancelled_30d,
    superseded as superseded_30d,
    retries as retries_30d,
    {{ cloudapis.ratio('succeeded', '(succeeded + failed)') }} as success_rate_30d,
    roots as roots_30d,
    roots_succeeded as roots_succeeded_30d,
    {{ cloudapis.ratio('roots_succeeded', 'roots') }} as eventual_success_rate_30d,
    flaky as flaky_runs_30d,
    p50_run_seconds as p50_run_seconds_30d,
    p95_run_seconds as p95_run_seconds_30d,
    p50_now as p50_run_seconds_7d,
    p50_before as p50_run_seconds_before,
    p50_change,
    p50_queue_seconds as p50_queue_seconds_30d,
    p95_queue_seconds as p95_queue_seconds_30d,
    run_hours as run_hours_30d,
    useful_run_hours as useful_run_hours_30d,
    failed_run_hours as failed_run_hours_30d,
    retried_run_hours as retried_run_hours_30d,
    cancelled_run_hours as cancelled_run_hours_30d,
    ci_run_hours as ci_run_hours_30d,
    {{ cloudapis.ratio('run_hours', 'sum(run_hours) over (partition by account_id)') }}
        as share_of_run_hours,
    run_hours * {{ cloudapis.as_double(var('price_per_run_hour', none) or 'null') }}
        as run_cost_30d,
    expected_interval_seconds,
    on_time_share as on_time_share_30d,
    is_overscheduled
from judged
