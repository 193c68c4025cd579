-- What a run hangs on is joined to it once, and no run is left out.
select
    models.runs as in_model,
    loaded.runs as loaded
from (select count(*) as runs from {{ ref('dbt_cloud__runs') }}) as models
cross join (select count(*) as runs from {{ ref('stg_dbt_cloud__runs') }}) as loaded
where models.runs <> loaded.runs
