-- The hours of an account have between them the time that its runs took.
select
    hours.account_id,
    hours.seconds as in_hours,
    runs.seconds as in_runs
from (
    select
        account_id,
        sum(running_seconds) as seconds
    from {{ ref('dbt_cloud__slots_hourly') }}
    group by account_id
) as hours
inner join (
    select
        account_id,
        sum(
            case
                when started_at < coalesce(ended_at, {{ cloudapis.as_of() }})
                    then {{ cloudapis.seconds_between(
                        'started_at', 'coalesce(ended_at, ' ~ cloudapis.as_of() ~ ')'
                    ) }}
                else 0
            end
        ) as seconds
    from {{ ref('dbt_cloud__runs') }}
    where not is_ci
    group by account_id
) as runs
    on runs.account_id = hours.account_id
where abs(hours.seconds - runs.seconds) > 0.000001 * (1 + runs.seconds)
