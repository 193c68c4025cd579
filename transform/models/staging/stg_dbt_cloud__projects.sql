-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_projects', [
        ['account_id', 'account_id', 'integer'],
        ['project_id', 'id', 'integer'],
        ['project_name', 'name', 'text'],
        ['dbt_host', 'dbt_host', 'text'],
        ['state', 'state', 'integer'],
    ]) }}
)

select
    account_id,
    project_id,
    project_name,
    dbt_host,
    state
from loaded
