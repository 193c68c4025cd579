-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('dbt_jobs', [
        ['account_id', 'account_id', 'integer'],
        ['job_id', 'id', 'integer'],
        ['job_name', 'name', 'text'],
        ['dbt_host', 'dbt_host', 'text'],
        ['project_id', 'project_id', 'integer'],
        ['environment_id', 'environment_id', 'integer'],
        ['job_type', 'job_type', 'text'],
        ['state', 'state', 'integer'],
        ['deactivated', 'deactivated', 'boolean'],
        ['run_failure_count', 'run_failure_count', 'integer'],
        ['schedule_in_words', 'cron_humanized', 'text'],
        ['created_at', 'created_at', 'time'],
        ['next_run', 'next_run', 'time'],
        ['json_of_triggers', 'triggers', 'json'],
        ['json_of_schedule', 'schedule', 'json'],
    ]) }}
)

select
    account_id,
    job_id,
    job_name,
    dbt_host,
    project_id,
    environment_id,
    job_type,
    state,
    deactivated,
    run_failure_count,
    schedule_in_words,
    created_at,
    next_run,
    {{ cloudapis.boolean_of_text(cloudapis.json_text('json_of_triggers', ['schedule'])) }} as has_schedule,
    {{ cloudapis.json_text('json_of_schedule', ['cron']) }} as cron
from loaded
