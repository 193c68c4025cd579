-- The five kinds of run hours of a job are its run hours.
select *
from {{ ref('dbt_cloud__jobs') }}
where
    abs(
        run_hours_30d - useful_run_hours_30d - failed_run_hours_30d - retried_run_hours_30d
        - cancelled_run_hours_30d - ci_run_hours_30d
    ) > 0.000001 * (1 + run_hours_30d)
