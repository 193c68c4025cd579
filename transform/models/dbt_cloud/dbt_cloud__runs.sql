with recursive

loaded as (
    select
        run.*,
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
        job.job_name,
        job.job_type,
        case
            when job.job_id is not null then coalesce(job.state = 2, false)
            else run.job_id is not null and exists (
                select 1
                from {{ ref('stg_dbt_cloud__jobs') }} as listed
                where listed.account_id = run.account_id
            )
        end as is_job_deleted,
        lower(run.trigger_kind) as kind,
        case
            when run.status = 10 then 'success'
            when run.status = 20 then 'error'
            when run.status = 30 then 'cancelled'
            else 'open'
        end as outcome,
        -- Some that were cancelled in the queue never get an end.
        case
            when run.status in (10, 20, 30)
                then coalesce(run.finished_at, run.updated_at, run.created_at)
        end as ended_at
    from {{ ref('stg_dbt_cloud__runs') }} as run
    left join {{ ref('stg_dbt_cloud__accounts') }} as account
        on account.account_id = run.account_id
    left join {{ ref('stg_dbt_cloud__projects') }} as project
        on project.account_id = run.account_id and project.project_id = run.project_id
    left join {{ ref('stg_dbt_cloud__environments') }} as environment
        on
            environment.account_id = run.account_id
            and environment.environment_id = run.environment_id
    left join {{ ref('stg_dbt_cloud__jobs') }} as job
        on job.account_id = run.account_id and job.job_id = run.job_id
),

retries as (
    select
        account_id,
        run_id,
        retrying_run_id
    from loaded
    where retrying_run_id is not null
),

-- From the second attempts on. Where the first one is not there, its number still is.
chains as (
    select
        retry.account_id,
        retry.run_id,
        retry.retrying_run_id as root_run_id,
        2 as attempt
    from retries as retry
    left join retries as retried
        on retried.account_id = retry.account_id and retried.run_id = retry.retrying_run_id
    where retried.run_id is null
    union all
    select
        retry.account_id,
        retry.run_id,
        chain.root_run_id,
        chain.attempt + 1 as attempt
    from chains as chain
    inner join retries as retry
        on retry.account_id = chain.account_id and retry.retrying_run_id = chain.run_id
    -- No chain is so long; a circle would be.
    where chain.attempt < 1000
),

categories as (
    select
        account_id,
        run_id,
        case
            when kind = 'scheduled' then 'scheduled'
            when kind = 'ci' or kind like '%pull%request%' or kind like '%merge%request%' then 'ci'
            when kind = 'merge' then 'merge'
            when kind = 'api' then 'api'
            when kind = 'ui' then 'ui'
            when kind like 'job%completion%' then 'job_completion'
            when job_type in ('ci', 'merge') then job_type
            else 'other'
        end as category
    from loaded
),

attempts as (
    select
        run.account_id,
        run.run_id,
        coalesce(chain.root_run_id, run.run_id) as root_run_id,
        coalesce(chain.attempt, 1) as attempt,
        coalesce(root.category, own.category) as trigger_category,
        exists (
            select 1
            from retries as retry
            where retry.account_id = run.account_id and retry.retrying_run_id = run.run_id
        ) as was_retried
    from loaded as run
    inner join categories as own
        on own.account_id = run.account_id and own.run_id = run.run_id
    left join chains as chain
        on chain.account_id = run.account_id and chain.run_id = run.run_id
    left join categories as root
        on root.account_id = chain.account_id and root.run_id = chain.root_run_id
),

rooted as (
    select
        run.*,
        attempt.root_run_id,
        attempt.attempt,
        attempt.was_retried,
        attempt.trigger_category,
        attempt.trigger_category = 'ci' or coalesce(run.job_type = 'ci', false) as is_ci,
        lead(run.created_at) over (
            partition by run.account_id, run.job_id order by run.created_at, run.run_id
        ) as next_created_at
    from loaded as run
    inner join attempts as attempt
        on attempt.account_id = run.account_id and attempt.run_id = run.run_id
),

-- The commits that an environment has seen, one run after the other.
commits as (
    select
        account_id,
        run_id,
        git_sha,
        lag(git_sha) over (
            partition by account_id, environment_id order by started_at, run_id
        ) as previous_sha
    from rooted
    where
        git_sha is not null
        and started_at is not null
        and outcome <> 'cancelled'
        and retrying_run_id is null
        and not is_ci
),

-- What came of the next run of a job, and of the last attempt of a run.
followed as (
    select
        account_id,
        run_id,
        git_sha,
        lead(git_sha) over job_in_order as next_sha,
        lead(outcome) over job_in_order as next_outcome,
        max(case when outcome = 'success' then attempt end) over (
            partition by account_id, root_run_id
        ) as attempt_that_succeeded
    from rooted
    where outcome in ('success', 'error')
    window job_in_order as (partition by account_id, job_id order by ended_at, run_id)
)

select
    run.account_id,
    run.account_name,
    run.dbt_host,
    run.run_id,
    run.project_id,
    run.project_name,
    run.environment_id,
    run.environment_name,
    run.deployment_type,
    run.is_production,
    run.job_id,
    run.job_name,
    run.job_type,
    run.is_job_deleted,
    run.trigger_category,
    run.trigger_cause,
    run.triggered_by_id,
    run.is_ci,
    run.outcome,
    case
        when run.outcome <> 'open' then 'ended'
        when run.status = 3 then 'running'
        when run.status = 2 then 'starting'
        else 'queued'
    end as state,
    case
        when run.outcome = 'cancelled' and run.started_at is null then 'queue'
        when run.outcome = 'cancelled' then 'run'
    end as cancelled_in,
    (
        run.outcome = 'cancelled'
        and run.started_at is null
        and coalesce(run.next_created_at <= run.ended_at, false)
    ) as is_superseded,
    run.created_at as requested_at,
    run.should_start_at,
    run.dequeued_at,
    run.started_at,
    run.finished_at,
    run.ended_at,
    {{ cloudapis.seconds_between(
        'run.created_at', "coalesce(run.dequeued_at, case when run.started_at is null then run.finished_at end)"
    ) }} as wait_seconds,
    {{ cloudapis.seconds_between('run.dequeued_at', 'run.started_at') }} as prep_seconds,
    {{ cloudapis.seconds_between('run.created_at', 'run.started_at') }} as queue_seconds,
    case
        when run.outcome <> 'open' and run.started_at is not null
            then coalesce(
                {{ cloudapis.seconds_between('run.started_at', 'run.finished_at') }},
                {{ cloudapis.as_double('run.run_duration_seconds') }}
            )
    end as run_seconds,
    {{ cloudapis.seconds_between('run.created_at', 'run.finished_at') }} as total_seconds,
    case
        when run.trigger_category = 'scheduled' and run.retrying_run_id is null
            then {{ cloudapis.seconds_between('run.should_start_at', 'run.started_at') }}
    end as schedule_delay_seconds,
    cast(run.attempt as integer) as attempt,
    run.root_run_id,
    run.retrying_run_id is not null as is_retry,
    not run.was_retried as is_last_attempt,
    (
        commit_seen.run_id is not null
        and coalesce(commit_seen.previous_sha <> commit_seen.git_sha, true)
    ) as is_first_of_commit,
    (
        run.outcome = 'error'
        and (
            coalesce(after.attempt_that_succeeded > run.attempt, false)
            or coalesce(after.next_sha = run.git_sha and after.next_outcome = 'success', false)
        )
    ) as is_flaky,
    run.git_sha,
    run.git_branch,
    run.dbt_version,
    run.status_message,
    run.run_url,
    {{ cloudapis.local_date('run.created_at') }} as requested_date,
    {{ cloudapis.hour_of_day(cloudapis.local('run.created_at')) }} as requested_hour_of_day,
    {{ cloudapis.weekday_of(cloudapis.local('run.created_at')) }} as requested_weekday,
    {{ cloudapis.local_date('run.ended_at') }} as ended_date,
    {{ cloudapis.local_week('run.ended_at') }} as ended_week
from rooted as run
left join commits as commit_seen
    on commit_seen.account_id = run.account_id and commit_seen.run_id = run.run_id
left join followed as after
    on after.account_id = run.account_id and after.run_id = run.run_id
