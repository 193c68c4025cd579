-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_user_groups', [
        ['account_id', 'account_id', 'integer'],
        ['user_id', 'user_id', 'integer'],
        ['group_id', 'group_id', 'integer'],
        ['group_name', 'name', 'text'],
        ['state', 'state', 'integer'],
    ]) }}
)

select
    account_id,
    user_id,
    group_id,
    group_name,
    state
from loaded
