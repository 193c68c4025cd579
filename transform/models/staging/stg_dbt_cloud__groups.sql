-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_groups', [
        ['account_id', 'account_id', 'integer'],
        ['group_id', 'id', 'integer'],
        ['group_name', 'name', 'text'],
        ['state', 'state', 'integer'],
    ]) }}
)

select
    account_id,
    group_id,
    group_name,
    state
from loaded
