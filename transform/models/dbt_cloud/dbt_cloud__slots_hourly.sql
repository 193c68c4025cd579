{#- The sweep: what begins and ends, and each full hour, which changes nothing, so that no piece of
time between two events reaches from one hour into the next. -#}
with runs as (
    select
        account_id,
        started_at,
        case when outcome = 'open' then {{ cloudapis.as_of() }} else ended_at end as ended_at,
        requested_at,
        -- A run leaves the queue when it is taken out, when it starts, or when it is cancelled. Of
        -- one that never got an end nobody knows how long it waited.
        coalesce(
            dequeued_at,
            started_at,
            case when outcome = 'open' then {{ cloudapis.as_of() }} else finished_at end
        ) as left_queue_at
    from {{ ref('dbt_cloud__runs') }}
    where not is_ci
),

changes as (
    select account_id, started_at as ts, 1 as running, 0 as queued
    from runs where started_at is not null and ended_at > started_at
    union all
    select account_id, ended_at as ts, -1 as running, 0 as queued
    from runs where started_at is not null and ended_at > started_at
    union all
    select account_id, requested_at as ts, 0 as running, 1 as queued
    from runs where left_queue_at > requested_at
    union all
    select account_id, left_queue_at as ts, 0 as running, -1 as queued
    from runs where left_queue_at > requested_at
),

spans as (
    select
        account_id,
        min(ts) as first_ts,
        max(ts) as last_ts
    from changes
    group by account_id
),

-- Days in UTC: they may begin a day before those of the calendar, and end a day after.
days as (
    select day from {{ ref('platform__calendar') }}
    union
    select {{ cloudapis.days_later('min(day)', -1) }} as day from {{ ref('platform__calendar') }}
    union
    select {{ cloudapis.days_later('max(day)', 1) }} as day from {{ ref('platform__calendar') }}
),

numbers as ({{ cloudapis.numbers(2) }}),

-- Every offset from UTC that is in use is a multiple of a quarter of an hour.
quarters as (
    select
        {{ dbt.dateadd('minute', 'numbers.number * 15', 'cast(days.day as ' ~ cloudapis.type_time() ~ ')') }}
            as ts
    from days
    cross join numbers
    where numbers.number < 96
),

full_hours as (
    select
        ts as hour_utc,
        {{ cloudapis.local('ts') }} as hour,
        lead(ts) over (order by ts) as next_hour_utc
    from quarters
    where extract(minute from {{ cloudapis.local('ts') }}) = 0
),

hours as (
    select
        span.account_id,
        full_hours.hour_utc,
        full_hours.hour
    from spans as span
    inner join full_hours
        on full_hours.hour_utc < span.last_ts and full_hours.next_hour_utc > span.first_ts
),

events as (
    select account_id, ts, running, queued, cast(null as {{ cloudapis.type_time() }}) as hour_utc
    from changes
    union all
    select account_id, hour_utc as ts, 0 as running, 0 as queued, hour_utc
    from hours
),

-- What happens at one time happens at once.
moments as (
    select
        account_id,
        ts,
        sum(running) as running,
        sum(queued) as queued,
        max(hour_utc) as hour_utc
    from events
    group by account_id, ts
),

pieces as (
    select
        account_id,
        ts,
        sum(running) over in_order as running,
        sum(queued) over in_order as queued,
        max(hour_utc) over in_order as hour_utc,
        {{ cloudapis.seconds_between('ts', 'lead(ts) over (partition by account_id order by ts)') }}
            as seconds
    from moments
    window in_order as (partition by account_id order by ts rows unbounded preceding)
),

counted as (
    select
        piece.account_id,
        piece.hour_utc,
        max(account.account_name) as account_name,
        max(account.run_slots) as run_slots,
        sum(piece.seconds) as seconds,
        cast(max(piece.running) as integer) as max_running,
        cast(max(piece.queued) as integer) as max_queued,
        sum(piece.seconds * piece.running) as running_seconds,
        sum(piece.seconds * piece.queued) as waited_seconds,
        case
            when max(account.run_slots) is not null
                then {{ cloudapis.sum_if(
                    'piece.running >= account.run_slots', 'piece.seconds'
                ) }} / 60
        end as saturated_minutes
    from pieces as piece
    left join {{ ref('stg_dbt_cloud__accounts') }} as account
        on account.account_id = piece.account_id
    where piece.seconds > 0 and piece.hour_utc is not null
    group by piece.account_id, piece.hour_utc
)

select
    hours.account_id,
    counted.account_name,
    hours.hour,
    hours.hour_utc,
    cast(hours.hour as date) as day,
    {{ cloudapis.hour_of_day('hours.hour') }} as hour_of_day,
    {{ cloudapis.weekday_of('hours.hour') }} as weekday,
    counted.run_slots,
    counted.seconds,
    counted.max_running,
    counted.running_seconds / counted.seconds as avg_running,
    counted.max_queued,
    counted.running_seconds,
    counted.waited_seconds,
    counted.saturated_minutes
from counted
inner join hours
    on hours.account_id = counted.account_id and hours.hour_utc = counted.hour_utc
