-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_organizations', [
        ['org_name', 'org_name', 'text'],
        ['organization_name', 'name', 'text'],
        ['product', 'product', 'text'],
        ['member_count', 'member_count', 'integer'],
        ['max_members', 'max_members', 'integer'],
        ['stack_count', 'stack_count', 'integer'],
        ['max_stacks', 'max_stacks', 'integer'],
    ]) }}
)

select
    org_name,
    organization_name,
    product,
    member_count,
    max_members,
    stack_count,
    max_stacks
from loaded
