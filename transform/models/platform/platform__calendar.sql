with firsts as (
    select {{ cloudapis.local_date('min(created_at)') }} as day
    from {{ ref('stg_dbt_cloud__runs') }}
    union all
    select {{ cloudapis.local_date('min(start_time)') }} as day
    from {{ ref('stg_pulumi_cloud__stack_updates') }}
    union all
    select {{ cloudapis.today() }} as day
),

-- A run that ended after "now", or a clock that is ahead, is still in it.
lasts as (
    select {{ cloudapis.local_date('max(updated_at)') }} as day
    from {{ ref('stg_dbt_cloud__runs') }}
    union all
    select {{ cloudapis.local_date('max(finished_at)') }} as day
    from {{ ref('stg_dbt_cloud__runs') }}
    union all
    select {{ cloudapis.local_date('max(coalesce(end_time, start_time))') }} as day
    from {{ ref('stg_pulumi_cloud__stack_updates') }}
    union all
    select {{ cloudapis.today() }} as day
),

bounds as (
    select
        (select min(day) from firsts) as first_day,
        (select max(day) from lasts) as last_day
),

numbers as ({{ cloudapis.numbers(5) }}),

days as (
    select {{ cloudapis.days_later('bounds.first_day', 'numbers.number') }} as day
    from bounds
    cross join numbers
    where
        numbers.number <= {{ cloudapis.days_between('bounds.first_day', 'bounds.last_day') }}
)

select
    day,
    {{ cloudapis.week_of('day') }} as week,
    {{ cloudapis.month_of('day') }} as month,
    {{ cloudapis.weekday_of('day') }} as weekday
from days
