with checks as (
    select
        *,
        coalesce(snapshotted_at, generated_at, run_finished_at) as checked_at,
        {{ cloudapis.period_seconds('warn_after_count', 'warn_after_period') }}
            as warn_after_seconds,
        {{ cloudapis.period_seconds('error_after_count', 'error_after_period') }}
            as error_after_seconds
    from {{ ref('stg_dbt_cloud__source_freshness') }}
),

dated as (
    select
        *,
        {{ cloudapis.local_date('checked_at') }} as day,
        -- A check passes as long as the age is below both limits.
        coalesce(
            least(warn_after_seconds, error_after_seconds), warn_after_seconds, error_after_seconds
        ) as limit_seconds,
        lag(checked_at) over (
            partition by account_id, project_id, environment_id, node_id
            order by checked_at, run_id, step
        ) as checked_before_at,
        row_number() over (
            partition by
                account_id,
                project_id,
                environment_id,
                node_id,
                {{ cloudapis.local_date('checked_at') }}
            order by checked_at desc, run_id desc, step desc
        ) as place_in_day
    from checks
    where checked_at is not null
),

-- How long before a check the source was too old already, back to the check before at most.
outside as (
    select
        *,
        case
            when max_loaded_at is not null and limit_seconds is not null
                then greatest(
                    least(
                        {{ cloudapis.seconds_between('max_loaded_at', 'checked_at') }}
                        - limit_seconds,
                        coalesce(
                            {{ cloudapis.seconds_between('checked_before_at', 'checked_at') }}, 0
                        )
                    ),
                    0
                )
            else 0
        end as outside_seconds
    from dated
),

daily as (
    select
        account_id,
        project_id,
        environment_id,
        node_id,
        day,
        cast(count(*) as integer) as checks,
        {{ cloudapis.count_if("status = 'pass'") }} as passed,
        {{ cloudapis.count_if("status = 'warn'") }} as warned,
        {{ cloudapis.count_if("status = 'error'") }} as failed,
        {{ cloudapis.count_if("status not in ('pass', 'warn', 'error')") }} as unknown,
        max(max_loaded_at) as max_loaded_at,
        max(case when place_in_day = 1 then age_seconds end) / 3600 as age_hours,
        max(case when place_in_day = 1 then warn_after_seconds end) / 3600 as warn_after_hours,
        max(case when place_in_day = 1 then error_after_seconds end) / 3600 as error_after_hours,
        sum(outside_seconds) / 3600 as hours_outside
    from outside
    group by account_id, project_id, environment_id, node_id, day
),

numbered as (
    select
        *,
        {{ cloudapis.days_between("cast('2000-01-01' as date)", 'day') }} as day_number
    from daily
),

over_30_days as (
    select
        *,
        sum(checks) over thirty_days as checks_30d,
        sum(passed) over thirty_days as passed_30d
    from numbered
    window thirty_days as (
        partition by account_id, project_id, environment_id, node_id
        order by day_number
        range between 29 preceding and current row
    )
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
    {{ cloudapis.part_after_dots('daily.node_id', 2) }} as source_name,
    {{ cloudapis.part_after_dots('daily.node_id', 3) }} as table_name,
    daily.day,
    daily.checks,
    daily.passed,
    daily.warned,
    daily.failed,
    daily.unknown,
    case
        when daily.unknown > 0 then 'runtime error'
        when daily.failed > 0 then 'error'
        when daily.warned > 0 then 'warn'
        else 'pass'
    end as status,
    daily.max_loaded_at,
    daily.age_hours,
    daily.warn_after_hours,
    daily.error_after_hours,
    daily.passed = daily.checks as met,
    cast(daily.checks_30d as integer) as checks_30d,
    cast(daily.passed_30d as integer) as passed_30d,
    {{ cloudapis.ratio('daily.passed_30d', 'daily.checks_30d') }} as share_met_30d,
    daily.hours_outside
from over_30_days as daily
left join {{ ref('stg_dbt_cloud__accounts') }} as account
    on account.account_id = daily.account_id
left join {{ ref('stg_dbt_cloud__projects') }} as project
    on project.account_id = daily.account_id and project.project_id = daily.project_id
left join {{ ref('stg_dbt_cloud__environments') }} as environment
    on
        environment.account_id = daily.account_id
        and environment.environment_id = daily.environment_id
