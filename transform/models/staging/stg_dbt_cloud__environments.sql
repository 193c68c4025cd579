-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_environments', [
        ['account_id', 'account_id', 'integer'],
        ['environment_id', 'id', 'integer'],
        ['environment_name', 'name', 'text'],
        ['environment_type', 'type', 'text'],
        ['dbt_host', 'dbt_host', 'text'],
        ['project_id', 'project_id', 'integer'],
        ['deployment_type', 'deployment_type', 'text'],
        ['connection_id', 'connection_id', 'integer'],
        ['state', 'state', 'integer'],
    ]) }}
)

select
    account_id,
    environment_id,
    environment_name,
    environment_type,
    dbt_host,
    project_id,
    deployment_type,
    connection_id,
    state
from loaded
