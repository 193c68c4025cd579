{#- The service cuts these days itself, in UTC; no other zone can be made of them. -#}
with days as (
    select
        org_name,
        day,
        sum(case when metric = 'resources' then resources end) as resources,
        sum(case when metric = 'resources' then resource_hours end) as resource_hours,
        sum(case when metric = 'discovered_resources' then resources end) as discovered_resources,
        sum(case when metric = 'discovered_resources' then resource_hours end)
            as discovered_resource_hours,
        sum(case when metric = 'deployments' then resources end) as deployment_minutes,
        sum(case when metric = 'secrets' then resources end) as secrets,
        sum(case when metric = 'secrets' then resource_hours end) as secret_hours,
        sum(case when metric = 'insights_scans' then resources end) as insights_scans,
        sum(case when metric = 'neo_tokens' then resources end) as neo_tokens
    from {{ ref('stg_pulumi_cloud__usage_daily') }}
    group by org_name, day
),

firsts as (
    select
        org_name,
        min(day) as first_day
    from days
    group by org_name
),

numbers as ({{ cloudapis.numbers(2) }}),

-- The same weekday in the four weeks up to a day; a day without usage counts as 0.
offsets as (
    select
        ahead.number as days_ahead,
        back.number as days_back
    from numbers as ahead
    inner join numbers as back
        on mod(ahead.number + back.number, 7) = 0
    where ahead.number between 1 and 30 and back.number between 0 and 27
),

forecasts as (
    select
        days.org_name,
        days.day,
        offsets.days_ahead,
        {{ cloudapis.as_double('sum(coalesce(then_day.resource_hours, 0))') }} / count(*)
            as resource_hours,
        {{ cloudapis.as_double('sum(coalesce(then_day.deployment_minutes, 0))') }} / count(*)
            as deployment_minutes
    from days
    inner join firsts
        on firsts.org_name = days.org_name
    inner join offsets
        on
            offsets.days_back <= {{ cloudapis.days_between('firsts.first_day', 'days.day') }}
            and offsets.days_ahead <= {{ cloudapis.days_between(
                'days.day', cloudapis.month_of(cloudapis.days_later(cloudapis.month_of('days.day'), 31))
            ) }} - 1
    left join days as then_day
        on
            then_day.org_name = days.org_name
            and then_day.day = {{ cloudapis.days_later('days.day', '-offsets.days_back') }}
    group by days.org_name, days.day, offsets.days_ahead
),

ahead as (
    select
        org_name,
        day,
        sum(resource_hours) as resource_hours,
        sum(deployment_minutes) as deployment_minutes
    from forecasts
    group by org_name, day
),

to_date as (
    select
        *,
        sum(coalesce(resource_hours, 0)) over in_month as month_to_date_resource_hours,
        sum(coalesce(deployment_minutes, 0)) over in_month as month_to_date_deployment_minutes
    from days
    window in_month as (
        partition by org_name, {{ cloudapis.month_of('day') }} order by day rows unbounded preceding
    )
)

select
    to_date.org_name,
    to_date.day,
    {% for column in [
        'resources', 'resource_hours', 'discovered_resources', 'discovered_resource_hours',
        'deployment_minutes', 'secrets', 'secret_hours', 'insights_scans', 'neo_tokens',
        'month_to_date_resource_hours',
    ] -%}
    cast(to_date.{{ column }} as {{ dbt.type_bigint() }}) as {{ column }},
    {% endfor -%}
    to_date.month_to_date_resource_hours + coalesce(ahead.resource_hours, 0)
        as forecast_resource_hours,
    cast(to_date.month_to_date_deployment_minutes as {{ dbt.type_bigint() }})
        as month_to_date_deployment_minutes,
    to_date.month_to_date_deployment_minutes + coalesce(ahead.deployment_minutes, 0)
        as forecast_deployment_minutes
from to_date
left join ahead
    on ahead.org_name = to_date.org_name and ahead.day = to_date.day
