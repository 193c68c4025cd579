-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_team_members', [
        ['org_name', 'org_name', 'text'],
        ['team_name', 'team_name', 'text'],
        ['user_login', 'user_login', 'text'],
        ['role', 'role', 'text'],
    ]) }}
)

select
    org_name,
    team_name,
    user_login,
    role
from loaded
