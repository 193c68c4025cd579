{#- No stream tells what a test depends on. So a failure that is followed by a pass counts as a flip,
and as a sure one where no model of the environment was built in between. -#}
with results as (
    select
        result.account_id,
        result.project_id,
        result.environment_id,
        result.run_id,
        result.step,
        result.node_id,
        case
            when result.status = 'pass' then 'passed'
            when result.status in ('fail', 'error', 'runtime error') then 'failed'
            else 'warned'
        end as outcome,
        run.git_sha,
        coalesce(result.execute_completed_at, result.run_finished_at, run.requested_at) as happened_at
    from {{ ref('stg_dbt_cloud__run_results') }} as result
    left join {{ ref('dbt_cloud__runs') }} as run
        on run.account_id = result.account_id and run.run_id = result.run_id
    where
        result.resource_type in ('test', 'unit_test')
        and result.status in ('pass', 'fail', 'error', 'runtime error', 'warn')
),

dated as (
    select
        *,
        {{ cloudapis.local_date('happened_at') }} as day,
        {{ cloudapis.local_month('happened_at') }} as month
    from results
    where happened_at is not null
),

in_order as (
    select
        *,
        lag(outcome) over same_code as outcome_before,
        lag(happened_at) over same_code as happened_before_at
    from dated
    window same_code as (
        partition by account_id, project_id, environment_id, node_id, day, git_sha
        order by happened_at, run_id, step
    )
),

flips as (
    select *
    from in_order
    where outcome = 'passed' and outcome_before = 'failed' and git_sha is not null
),

builds as (
    select
        account_id,
        project_id,
        environment_id,
        execute_completed_at as built_at,
        {{ cloudapis.local_date('execute_completed_at') }} as day
    from {{ ref('stg_dbt_cloud__run_results') }}
    where
        resource_type in ('model', 'seed', 'snapshot')
        and status in ('success', 'partial success')
        and execute_completed_at is not null
),

rebuilt as (
    select distinct
        flip.account_id,
        flip.run_id,
        flip.step,
        flip.node_id
    from flips as flip
    inner join builds as build
        on
            build.account_id = flip.account_id
            and build.project_id = flip.project_id
            and build.environment_id = flip.environment_id
            and build.day = flip.day
            and build.built_at > flip.happened_before_at
            and build.built_at <= flip.happened_at
),

counted_flips as (
    select
        flip.account_id,
        flip.project_id,
        flip.node_id,
        flip.month,
        cast(count(*) as integer) as flips,
        cast(count(case when rebuilt.run_id is null then 1 end) as integer) as sure_flips,
        max(flip.happened_at) as last_flip_at
    from flips as flip
    left join rebuilt
        on
            rebuilt.account_id = flip.account_id
            and rebuilt.run_id = flip.run_id
            and rebuilt.step = flip.step
            and rebuilt.node_id = flip.node_id
    group by flip.account_id, flip.project_id, flip.node_id, flip.month
),

counted as (
    select
        account_id,
        project_id,
        node_id,
        month,
        cast(count(*) as integer) as executions,
        {{ cloudapis.count_if("outcome = 'passed'") }} as passed,
        {{ cloudapis.count_if("outcome = 'failed'") }} as failed,
        {{ cloudapis.count_if("outcome = 'warned'") }} as warned
    from dated
    group by account_id, project_id, node_id, month
)

select
    counted.account_id,
    account.account_name,
    counted.project_id,
    project.project_name,
    counted.node_id,
    {{ cloudapis.part_after_dots('counted.node_id', 2) }} as node_name,
    counted.month,
    counted.executions,
    counted.passed,
    counted.failed,
    counted.warned,
    coalesce(counted_flips.flips, 0) as flips,
    coalesce(counted_flips.sure_flips, 0) as sure_flips,
    {{ cloudapis.ratio('coalesce(counted_flips.flips, 0)', 'counted.executions') }} as flake_rate,
    coalesce(counted_flips.flips, 0) >= 2 as is_flaky,
    counted_flips.last_flip_at
from counted
left join counted_flips
    on
        counted_flips.account_id = counted.account_id
        and counted_flips.project_id = counted.project_id
        and counted_flips.node_id = counted.node_id
        and counted_flips.month = counted.month
left join {{ ref('stg_dbt_cloud__accounts') }} as account
    on account.account_id = counted.account_id
left join {{ ref('stg_dbt_cloud__projects') }} as project
    on project.account_id = counted.account_id and project.project_id = counted.project_id
