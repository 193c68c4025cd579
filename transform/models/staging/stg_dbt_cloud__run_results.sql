-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_run_results', [
        ['account_id', 'account_id', 'integer'],
        ['run_id', 'run_id', 'integer'],
        ['step', 'step', 'integer'],
        ['dbt_host', 'dbt_host', 'text'],
        ['project_id', 'project_id', 'integer'],
        ['environment_id', 'environment_id', 'integer'],
        ['node_id', 'unique_id', 'text'],
        ['resource_type', 'resource_type', 'text'],
        ['command_verb', 'command_verb', 'text'],
        ['is_full_refresh', 'is_full_refresh', 'boolean'],
        ['status', 'status', 'text'],
        ['execution_time', 'execution_time', 'double'],
        ['failures', 'failures', 'integer'],
        ['execute_started_at', 'execute_started_at', 'time'],
        ['execute_completed_at', 'execute_completed_at', 'time'],
        ['run_finished_at', 'run_finished_at', 'time'],
        ['rows_affected', 'rows_affected', 'integer'],
        ['bytes_processed', 'bytes_processed', 'integer'],
        ['message', 'message', 'text'],
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
    resource_type,
    command_verb,
    is_full_refresh,
    status,
    execution_time,
    failures,
    execute_started_at,
    execute_completed_at,
    run_finished_at,
    rows_affected,
    bytes_processed,
    message
from loaded
