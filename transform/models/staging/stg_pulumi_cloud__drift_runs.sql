-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_drift_runs', [
        ['org_name', 'org_name', 'text'],
        ['project_name', 'project_name', 'text'],
        ['stack_name', 'stack_name', 'text'],
        ['stack_id', 'stack_id', 'text'],
        ['id', 'id', 'text'],
        ['drift_detected', 'drift_detected', 'boolean'],
        ['status', 'status', 'text'],
        ['checked_at', 'created', 'time'],
        ['json_of_detect_update', 'detect_update', 'json'],
        ['json_of_remediate_update', 'remediate_update', 'json'],
    ]) }}
)

select
    org_name,
    project_name,
    stack_name,
    stack_id,
    id,
    drift_detected,
    status,
    checked_at,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'create'])) }} as created,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'update'])) }} as updated,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'delete'])) }} as deleted,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'same'])) }} as unchanged,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'replace'])) }} as replaced_whole,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'create-replacement'])) }} as replaced_made,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'delete-replaced'])) }} as replaced_gone,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'import'])) }} as imported,
    {{ cloudapis.integer_of_text(cloudapis.json_text('json_of_detect_update', ['resourceChanges', 'import-replacement'])) }} as import_replaced,
    {{ cloudapis.json_text('json_of_remediate_update', ['status']) }} as remediation_status,
    {{ cloudapis.utc(cloudapis.json_text('json_of_remediate_update', ['modified']), 'text') }} as remediation_modified
from loaded
