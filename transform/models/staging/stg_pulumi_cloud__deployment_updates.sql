-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_deployment_updates', [
        ['org_name', 'org_name', 'text'],
        ['deployment_id', 'deployment_id', 'text'],
        ['update_id', 'update_id', 'text'],
    ]) }}
)

select
    org_name,
    deployment_id,
    update_id
from loaded
