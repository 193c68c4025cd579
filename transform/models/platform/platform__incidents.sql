{#- Both services in one form; then gaps and islands: the successes before an attempt number the
streak that it is in, so a streak ends with the success that follows it. What was deleted while it
failed fails no longer, and has not recovered: its last streak is not open. -#}
with attempts as (
    select
        'dbt_cloud' as service,
        account_id,
        cast(null as {{ dbt.type_string() }}) as org_name,
        account_name as owner_name,
        project_name,
        {{ cloudapis.as_text('account_id') }} || '/job/' || {{ cloudapis.as_text('job_id') }}
            as scope_id,
        coalesce(project_name || ' / ', '')
        || coalesce(job_name, 'job ' || {{ cloudapis.as_text('job_id') }}) as scope_name,
        {{ cloudapis.as_text('account_id') }} || '/environment/'
        || {{ cloudapis.as_text('environment_id') }} as deployment_scope_id,
        {{ cloudapis.as_text('run_id') }} as attempt_id,
        run_id as attempt_order,
        ended_at as finished_at,
        outcome,
        git_sha as commit_sha,
        is_retry,
        status_message as message,
        run_url as url,
        trigger_cause as who,
        is_job_deleted as is_gone
    from {{ ref('dbt_cloud__runs') }}
    where
        outcome in ('success', 'error')
        and is_production
        and job_id is not null
        and trigger_category not in ('ci', 'merge')
        and not is_ci
    union all
    select
        'pulumi_cloud' as service,
        cast(null as {{ dbt.type_bigint() }}) as account_id,
        org_name,
        org_name as owner_name,
        project_name,
        stack_id as scope_id,
        org_name || '/' || project_name || '/' || stack_name as scope_name,
        stack_id as deployment_scope_id,
        coalesce(update_id, {{ cloudapis.as_text('version') }}) as attempt_id,
        version as attempt_order,
        coalesce(finished_at, started_at) as finished_at,
        outcome,
        commit_sha,
        false as is_retry,
        message,
        console_url as url,
        actor_login as who,
        (
            not exists (
                select 1
                from {{ ref('stg_pulumi_cloud__stacks') }} as stack
                where stack.stack_id = u.stack_id
            )
            and exists (
                select 1
                from {{ ref('stg_pulumi_cloud__stacks') }} as stack
                where stack.org_name = u.org_name
            )
        ) as is_gone
    from {{ ref('pulumi_cloud__updates') }} as u
    where
        outcome in ('success', 'error')
        and is_production
        and kind in ('update', 'destroy', 'refresh')
),

numbered as (
    select
        *,
        sum(case when outcome = 'success' then 1 else 0 end) over (
            partition by service, scope_id
            order by finished_at, attempt_order
            rows between unbounded preceding and current row
        ) - case when outcome = 'success' then 1 else 0 end as streak
    from attempts
),

placed as (
    select
        *,
        row_number() over (
            partition by service, scope_id, streak, outcome order by finished_at, attempt_order
        ) as place
    from numbered
),

streaks as (
    select
        service,
        scope_id,
        streak,
        max(account_id) as account_id,
        {% for column in [
            'org_name', 'owner_name', 'project_name', 'scope_name', 'deployment_scope_id',
            'attempt_id', 'message', 'url', 'who',
        ] -%}
        max(case when outcome = 'error' and place = 1 then {{ column }} end) as {{ column }},
        {% endfor -%}
        max(case when outcome = 'error' and place = 1 then commit_sha end) as failed_sha,
        max(case when outcome = 'success' then commit_sha end) as recovered_sha,
        max(case when outcome = 'success' and is_retry then 1 else 0 end) = 1 as is_retried,
        min(case when outcome = 'error' then finished_at end) as started_at,
        max(case when outcome = 'error' then finished_at end) as last_failed_at,
        min(case when outcome = 'success' then finished_at end) as recovered_at,
        max(case when is_gone then 1 else 0 end) = 1 as is_gone,
        {{ cloudapis.count_if("outcome = 'error'") }} as failed_attempts
    from placed
    group by service, scope_id, streak
    having count(case when outcome = 'error' then 1 end) > 0
)

select
    service,
    account_id,
    org_name,
    owner_name,
    project_name,
    scope_id,
    scope_name,
    deployment_scope_id,
    service || ':' || scope_id || ':' || attempt_id as incident_id,
    started_at,
    last_failed_at,
    recovered_at,
    recovered_at is null and not is_gone as is_open,
    {{ cloudapis.seconds_between('started_at', 'recovered_at') }} as recovery_seconds,
    case
        when recovered_at is null and not is_gone
            then {{ cloudapis.seconds_between('started_at', cloudapis.as_of()) }}
    end as open_seconds,
    failed_attempts,
    case
        when recovered_at is null then null
        when is_retried then 'retry'
        when failed_sha is null or recovered_sha is null then 'unknown commit'
        when failed_sha = recovered_sha then 'same commit later'
        else 'new commit'
    end as recovered_by,
    message as first_message,
    url as first_url,
    who,
    {{ cloudapis.local_date('started_at') }} as started_date,
    {{ cloudapis.local_week('started_at') }} as started_week,
    {{ cloudapis.local_week('recovered_at') }} as recovered_week
from streaks
