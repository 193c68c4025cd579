-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_accounts', [
        ['account_id', 'id', 'integer'],
        ['account_name', 'name', 'text'],
        ['dbt_host', 'dbt_host', 'text'],
        ['plan', 'plan', 'text'],
        ['state', 'state', 'integer'],
        ['run_slots', 'run_slots', 'integer'],
        ['developer_seats', 'developer_seats', 'integer'],
        ['read_only_seats', 'read_only_seats', 'integer'],
        ['it_seats', 'it_seats', 'integer'],
    ]) }}
)

select
    account_id,
    account_name,
    dbt_host,
    plan,
    state,
    run_slots,
    developer_seats,
    read_only_seats,
    it_seats
from loaded
