-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_stacks', [
        ['org_name', 'org_name', 'text'],
        ['project_name', 'project_name', 'text'],
        ['stack_name', 'stack_name', 'text'],
        ['stack_id', 'stack_id', 'text'],
        ['resource_count', 'resource_count', 'integer'],
        ['console_url', 'console_url', 'text'],
        ['last_update', 'last_update', 'time'],
    ]) }}
)

select
    org_name,
    project_name,
    stack_name,
    stack_id,
    resource_count,
    console_url,
    last_update
from loaded
