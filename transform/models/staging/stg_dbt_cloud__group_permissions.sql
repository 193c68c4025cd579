-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_group_permissions', [
        ['account_id', 'account_id', 'integer'],
        ['id', 'id', 'integer'],
        ['group_id', 'group_id', 'integer'],
        ['permission_set', 'permission_set', 'text'],
        ['all_projects', 'all_projects', 'boolean'],
        ['state', 'state', 'integer'],
    ]) }}
)

select
    account_id,
    id,
    group_id,
    permission_set,
    all_projects,
    state
from loaded
