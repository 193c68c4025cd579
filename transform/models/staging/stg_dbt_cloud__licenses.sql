-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_licenses', [
        ['account_id', 'account_id', 'integer'],
        ['license_type', 'license_type', 'text'],
        ['dbt_host', 'dbt_host', 'text'],
        ['total', 'total', 'integer'],
        ['in_use', 'in_use', 'integer'],
        ['limited', 'limited', 'boolean'],
    ]) }}
)

select
    account_id,
    license_type,
    dbt_host,
    total,
    in_use,
    limited
from loaded
