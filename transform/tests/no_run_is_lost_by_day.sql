-- Each run that has ended is in one day of its job.
select
    by_day.runs as by_day,
    by_run.runs as by_run
from (select coalesce(sum(runs), 0) as runs from {{ ref('dbt_cloud__job_daily') }}) as by_day
cross join (
    select count(*) as runs
    from {{ ref('dbt_cloud__runs') }}
    where outcome <> 'open' and job_id is not null
) as by_run
where by_day.runs <> by_run.runs
