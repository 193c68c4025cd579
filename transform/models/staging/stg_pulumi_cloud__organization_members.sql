-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_organization_members', [
        ['org_name', 'org_name', 'text'],
        ['user_login', 'user_login', 'text'],
        ['user_name', 'user_name', 'text'],
        ['role', 'role', 'text'],
        ['virtual_admin', 'virtual_admin', 'boolean'],
        ['suspended', 'suspended', 'boolean'],
        ['on_roster', 'on_roster', 'boolean'],
        ['has_seat', 'has_seat', 'boolean'],
        ['created', 'created', 'time'],
        ['json_of_fga_role', 'fga_role', 'json'],
    ]) }}
)

select
    org_name,
    user_login,
    user_name,
    role,
    virtual_admin,
    suspended,
    on_roster,
    has_seat,
    created,
    {{ cloudapis.json_text('json_of_fga_role', ['name']) }} as role_name
from loaded
