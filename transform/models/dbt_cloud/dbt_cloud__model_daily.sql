{#- An execution is one that did something: what was skipped, or found to be unchanged, was none. -#}
with results as (
    select
        result.account_id,
        result.project_id,
        result.environment_id,
        result.node_id,
        result.resource_type,
        {{ cloudapis.local_date(
            'coalesce(result.execute_completed_at, result.run_finished_at, run.requested_at)'
        ) }} as day,
        case
            when result.status in ('success', 'partial success') then 'succeeded'
            when result.status in ('error', 'fail', 'runtime error') then 'failed'
            when result.status = 'skipped' then 'skipped'
        end as outcome,
        coalesce(result.is_full_refresh, false) as is_full_refresh,
        result.execution_time,
        result.rows_affected,
        result.bytes_processed
    from {{ ref('stg_dbt_cloud__run_results') }} as result
    left join {{ ref('dbt_cloud__runs') }} as run
        on run.account_id = result.account_id and run.run_id = result.run_id
    where result.resource_type in ('model', 'seed', 'snapshot')
),

timed as (
    select
        *,
        case when outcome = 'succeeded' and not is_full_refresh then execution_time end
            as comparable_seconds
    from results
    where outcome is not null and day is not null
),

daily as (
    select
        account_id,
        project_id,
        environment_id,
        node_id,
        max(resource_type) as resource_type,
        day,
        {{ cloudapis.count_if("outcome <> 'skipped'") }} as executions,
        {{ cloudapis.count_if("outcome = 'succeeded'") }} as succeeded,
        {{ cloudapis.count_if("outcome = 'failed'") }} as failed,
        {{ cloudapis.count_if("outcome = 'skipped'") }} as skipped,
        {{ cloudapis.count_if("is_full_refresh and outcome <> 'skipped'") }} as full_refreshes,
        {{ cloudapis.sum_if("outcome <> 'skipped'", 'execution_time') }} as execution_seconds,
        {{ cloudapis.percentile('comparable_seconds', 0.5) }} as p50_seconds,
        {{ cloudapis.p95('comparable_seconds') }} as p95_seconds,
        cast(sum(rows_affected) as {{ dbt.type_bigint() }}) as rows_affected,
        cast(sum(bytes_processed) as {{ dbt.type_bigint() }}) as bytes_processed
    from timed
    group by account_id, project_id, environment_id, node_id, day
),

weeks_back as (
    select 7 as days union all select 14 union all select 21 union all select 28
),

-- The medians of the same weekday in the four weeks before.
baselines as (
    select
        daily.account_id,
        daily.project_id,
        daily.environment_id,
        daily.node_id,
        daily.day,
        {{ cloudapis.percentile('earlier.p50_seconds', 0.5) }} as baseline_seconds,
        cast(count(*) as integer) as baseline_days
    from daily
    cross join weeks_back
    inner join daily as earlier
        on
            earlier.account_id = daily.account_id
            and earlier.project_id = daily.project_id
            and earlier.environment_id = daily.environment_id
            and earlier.node_id = daily.node_id
            and earlier.day = {{ cloudapis.days_later('daily.day', '-weeks_back.days') }}
    where earlier.p50_seconds is not null
    group by
        daily.account_id, daily.project_id, daily.environment_id, daily.node_id, daily.day
)

select
    daily.account_id,
    account.account_name,
    daily.project_id,
    project.project_name,
    daily.environment_id,
    environment.environment_name,
    (
        coalesce(environment.deployment_type = 'production', false)
        or {{ cloudapis.is_chosen(
            ['environment.environment_name'], var('production_environments', [])
        ) }}
    ) as is_production,
    daily.node_id,
    {{ cloudapis.part_after_dots('daily.node_id', 2) }} as node_name,
    daily.resource_type,
    daily.day,
    daily.executions,
    daily.succeeded,
    daily.failed,
    daily.skipped,
    daily.full_refreshes,
    daily.execution_seconds,
    daily.p50_seconds,
    daily.p95_seconds,
    daily.rows_affected,
    daily.bytes_processed,
    baseline.baseline_seconds,
    coalesce(baseline.baseline_days, 0) as baseline_days,
    {{ cloudapis.ratio('daily.p50_seconds', 'baseline.baseline_seconds') }} as ratio,
    coalesce(
        baseline.baseline_days >= 3
        and {{ cloudapis.ratio('daily.p50_seconds', 'baseline.baseline_seconds') }} > 1.5,
        false
    ) as is_regressed
from daily
left join baselines as baseline
    on
        baseline.account_id = daily.account_id
        and baseline.project_id = daily.project_id
        and baseline.environment_id = daily.environment_id
        and baseline.node_id = daily.node_id
        and baseline.day = daily.day
left join {{ ref('stg_dbt_cloud__accounts') }} as account
    on account.account_id = daily.account_id
left join {{ ref('stg_dbt_cloud__projects') }} as project
    on project.account_id = daily.account_id and project.project_id = daily.project_id
left join {{ ref('stg_dbt_cloud__environments') }} as environment
    on
        environment.account_id = daily.account_id
        and environment.environment_id = daily.environment_id
