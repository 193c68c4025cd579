-- Each failure of a production job is in one incident.
select
    incidents.failures as in_incidents,
    runs.failures as in_runs
from (
    select coalesce(sum(failed_attempts), 0) as failures
    from {{ ref('platform__incidents') }}
    where service = 'dbt_cloud'
) as incidents
cross join (
    select count(*) as failures
    from {{ ref('dbt_cloud__runs') }}
    where
        outcome = 'error'
        and is_production
        and not is_ci
        and job_id is not null
        and trigger_category not in ('ci', 'merge')
) as runs
where incidents.failures <> runs.failures
