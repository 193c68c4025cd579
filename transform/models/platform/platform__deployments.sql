with dbt_runs as (
    select
        'dbt_cloud:' || {{ cloudapis.as_text('account_id') }} || ':'
        || {{ cloudapis.as_text('run_id') }} as deployment_id,
        'dbt_cloud' as service,
        account_id,
        cast(null as {{ dbt.type_string() }}) as org_name,
        account_name as owner_name,
        project_name,
        {{ cloudapis.as_text('account_id') }} || '/environment/'
        || {{ cloudapis.as_text('environment_id') }} as scope_id,
        coalesce(project_name || ' / ', '')
        || coalesce(environment_name, 'environment ' || {{ cloudapis.as_text('environment_id') }})
            as scope_name,
        case
            when is_production then 'PRODUCTION'
            when deployment_type = 'staging' then 'STAGING'
            else 'OTHER'
        end as environment,
        environment_name as original_environment,
        outcome,
        status_message as original_message,
        requested_at as queued_at,
        started_at,
        ended_at as finished_at,
        run_id as deployment_order,
        git_sha as commit_sha,
        true as is_change,
        trigger_cause as actor,
        run_url as url,
        cast(null as {{ dbt.type_bigint() }}) as pull_request,
        cast(null as {{ cloudapis.type_time() }}) as pull_request_created_at
    from {{ ref('dbt_cloud__runs') }}
    where is_first_of_commit and outcome in ('success', 'error') and environment_id is not null
),

queued as (
    select
        of_update.update_id,
        min(deployment.created) as queued_at
    from {{ ref('stg_pulumi_cloud__deployment_updates') }} as of_update
    inner join {{ ref('stg_pulumi_cloud__deployments') }} as deployment
        on
            deployment.org_name = of_update.org_name
            and deployment.id = of_update.deployment_id
    where of_update.update_id is not null
    group by of_update.update_id
),

-- An update that is read again after a rename is in the list twice.
merged as (
    select
        stack_id,
        version,
        max(pr_number) as pull_request,
        max(pr_created_at) as pull_request_created_at,
        max(pr_merge_commit_sha) as merge_commit_sha
    from {{ ref('stg_pulumi_cloud__update_timelines') }}
    where pr_merge_commit_sha is not null
    group by stack_id, version
),

pulumi_updates as (
    select
        'pulumi_cloud:' || u.stack_id || ':' || {{ cloudapis.as_text('u.version') }}
            as deployment_id,
        'pulumi_cloud' as service,
        cast(null as {{ dbt.type_bigint() }}) as account_id,
        u.org_name,
        u.org_name as owner_name,
        u.project_name,
        u.stack_id as scope_id,
        u.org_name || '/' || u.project_name || '/' || u.stack_name as scope_name,
        case
            when u.is_production then 'PRODUCTION'
            when {{ cloudapis.matches('u.stack_name', '^(staging|stage|stg|uat|preprod)([-_.].*)?$') }}
                then 'STAGING'
            when {{ cloudapis.matches('u.stack_name', '^(test|testing|qa|ci|pr|preview)([-_.].*)?$') }}
                then 'TESTING'
            else 'OTHER'
        end as environment,
        u.stack_name as original_environment,
        u.outcome,
        u.original_result as original_message,
        coalesce(queued.queued_at, u.started_at) as queued_at,
        u.started_at,
        coalesce(u.finished_at, u.started_at) as finished_at,
        u.version as deployment_order,
        u.commit_sha,
        coalesce(u.changed > 0, false) as is_change,
        u.actor_login as actor,
        u.console_url as url,
        case when merged.merge_commit_sha = u.commit_sha then merged.pull_request end
            as pull_request,
        case when merged.merge_commit_sha = u.commit_sha then merged.pull_request_created_at end
            as pull_request_created_at
    from {{ ref('pulumi_cloud__updates') }} as u
    left join queued
        on queued.update_id = u.update_id
    left join merged
        on merged.stack_id = u.stack_id and merged.version = u.version
    where
        u.kind in ('update', 'destroy')
        and (u.outcome = 'error' or (u.outcome = 'success' and u.changed > 0))
),

deployments as (
    select * from dbt_runs
    union all
    select * from pulumi_updates
),

numbered as (
    select
        *,
        row_number() over in_order as place,
        max(case when outcome = 'error' then finished_at end) over before as failed_before_at
    from deployments
    window
        in_order as (partition by service, scope_id order by finished_at, deployment_order),
        before as (
            partition by service, scope_id order by finished_at, deployment_order
            rows between unbounded preceding and 1 preceding
        )
),

linked as (
    select
        *,
        max(case when outcome = 'success' then place end) over (
            partition by service, scope_id order by place
            rows between unbounded preceding and 1 preceding
        ) as place_of_success,
        row_number() over (
            partition by service, scope_id, pull_request, commit_sha, outcome order by place
        ) as place_with_pull_request
    from numbered
)

select
    this.deployment_id,
    this.service,
    this.account_id,
    this.org_name,
    this.owner_name,
    this.project_name,
    this.scope_id,
    this.scope_name,
    this.environment,
    this.original_environment,
    case this.outcome when 'success' then 'SUCCESS' else 'FAILURE' end as result,
    case this.service when 'dbt_cloud' then this.outcome else this.original_message end
        as original_result,
    this.queued_at,
    this.started_at,
    this.finished_at,
    {{ cloudapis.local_date('this.finished_at') }} as finished_date,
    {{ cloudapis.local_week('this.finished_at') }} as finished_week,
    {{ cloudapis.seconds_between('this.started_at', 'this.finished_at') }} as duration_sec,
    {{ cloudapis.seconds_between('this.queued_at', 'this.started_at') }} as queued_duration_sec,
    this.commit_sha,
    this.is_change,
    coalesce(
        {{ cloudapis.seconds_between('this.failed_before_at', 'this.started_at') }}
        <= {{ var('recovery_hours', 24) }} * 3600,
        false
    ) as is_rework,
    success.deployment_id as prev_success_deployment_id,
    this.actor,
    this.url,
    this.pull_request,
    case
        when
            this.outcome = 'success'
            and this.environment = 'PRODUCTION'
            and this.pull_request is not null
            and this.place_with_pull_request = 1
            then {{ cloudapis.seconds_between('this.pull_request_created_at', 'this.finished_at') }}
    end as lead_seconds
from linked as this
left join numbered as success
    on
        success.service = this.service
        and success.scope_id = this.scope_id
        and success.place = this.place_of_success
