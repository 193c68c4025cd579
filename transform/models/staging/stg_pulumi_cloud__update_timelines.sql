-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_update_timelines', [
        ['org_name', 'org_name', 'text'],
        ['project_name', 'project_name', 'text'],
        ['stack_name', 'stack_name', 'text'],
        ['stack_id', 'stack_id', 'text'],
        ['version', 'version', 'integer'],
        ['update_id', 'update_id', 'text'],
        ['pr_number', 'pr_number', 'integer'],
        ['pr_created_at', 'pr_created_at', 'time'],
        ['pr_was_merged', 'pr_was_merged', 'boolean'],
        ['pr_merge_commit_sha', 'pr_merge_commit_sha', 'text'],
    ]) }}
)

select
    org_name,
    project_name,
    stack_name,
    stack_id,
    version,
    update_id,
    pr_number,
    pr_created_at,
    pr_was_merged,
    pr_merge_commit_sha
from loaded
