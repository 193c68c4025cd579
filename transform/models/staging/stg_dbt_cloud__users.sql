-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_users', [
        ['account_id', 'account_id', 'integer'],
        ['user_id', 'id', 'integer'],
        ['dbt_host', 'dbt_host', 'text'],
        ['email', 'email', 'text'],
        ['first_name', 'first_name', 'text'],
        ['last_name', 'last_name', 'text'],
        ['fullname', 'fullname', 'text'],
        ['is_active', 'is_active', 'boolean'],
        ['last_login', 'last_login', 'time'],
        ['apitoken_last_used', 'apitoken_last_used', 'time'],
        ['created_at', 'created_at', 'time'],
    ]) }}
)

select
    account_id,
    user_id,
    dbt_host,
    email,
    first_name,
    last_name,
    fullname,
    is_active,
    last_login,
    apitoken_last_used,
    created_at
from loaded
