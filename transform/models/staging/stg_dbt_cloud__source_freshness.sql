-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_source_freshness', [
        ['account_id', 'account_id', 'integer'],
        ['run_id', 'run_id', 'integer'],
        ['step', 'step', 'integer'],
        ['dbt_host', 'dbt_host', 'text'],
        ['project_id', 'project_id', 'integer'],
        ['environment_id', 'environment_id', 'integer'],
        ['node_id', 'unique_id', 'text'],
        ['status', 'status', 'text'],
        ['max_loaded_at', 'max_loaded_at', 'time'],
        ['snapshotted_at', 'snapshotted_at', 'time'],
        ['generated_at', 'generated_at', 'time'],
        ['run_finished_at', 'run_finished_at', 'time'],
        ['age_seconds', 'age_seconds', 'double'],
        ['warn_after_count', 'warn_after_count', 'integer'],
        ['warn_after_period', 'warn_after_period', 'text'],
        ['error_after_count', 'error_after_count', 'integer'],
        ['error_after_period', 'error_after_period', 'text'],
    ]) }}
)

select
    account_id,
    run_id,
    step,
    dbt_host,
    project_id,
    environment_id,
    node_id,
    status,
    max_loaded_at,
    snapshotted_at,
    generated_at,
    run_finished_at,
    age_seconds,
    warn_after_count,
    warn_after_period,
    error_after_count,
    error_after_period
from loaded
