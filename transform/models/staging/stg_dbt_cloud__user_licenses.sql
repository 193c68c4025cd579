-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_user_licenses', [
        ['account_id', 'account_id', 'integer'],
        ['user_id', 'user_id', 'integer'],
        ['id', 'id', 'integer'],
        ['license_type', 'license_type', 'text'],
        ['state', 'state', 'integer'],
    ]) }}
)

select
    account_id,
    user_id,
    id,
    license_type,
    state
from loaded
