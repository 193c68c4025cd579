-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_deployments', [
        ['org_name', 'org_name', 'text'],
        ['id', 'id', 'text'],
        ['status', 'status', 'text'],
        ['created', 'created', 'time'],
    ]) }}
)

select
    org_name,
    id,
    status,
    created
from loaded
