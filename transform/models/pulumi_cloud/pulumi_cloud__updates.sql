with loaded as (
    select
        *,
        -- A stack that is renamed, a history that is read again, and a server that numbers an update
        -- late bring it twice. No two updates of a stack begin at one time.
        row_number() over (
            partition by
                stack_id,
                coalesce(
                    update_id,
                    {{ cloudapis.as_text('start_time') }},
                    {{ cloudapis.as_text('version') }}
                )
            order by version desc, load_id desc, project_name, stack_name
        ) as place
    from {{ ref('stg_pulumi_cloud__stack_updates') }}
),

deployed as (
    select distinct update_id
    from {{ ref('stg_pulumi_cloud__deployment_updates') }}
    where update_id is not null
),

counted as (
    select
        *,
        coalesce(created, 0) + coalesce(imported, 0) as made,
        -- A replacement is told as one number, or as what was made and what has gone.
        greatest(
            coalesce(replaced_whole, 0),
            coalesce(replaced_made, 0),
            coalesce(replaced_gone, 0)
        ) + coalesce(import_replaced, 0) as replaced,
        coalesce(
            created, updated, deleted, unchanged, replaced_whole, replaced_made, replaced_gone,
            imported, import_replaced
        ) is not null as has_changes
    from loaded
    where place = 1
),

-- After a rename a stack has a row under the old names as well.
stacks as (
    select
        stack_id,
        console_url,
        row_number() over (
            partition by stack_id order by last_update desc nulls last, project_name, stack_name
        ) as place
    from {{ ref('stg_pulumi_cloud__stacks') }}
),

named as (
    select
        counted.*,
        stack.console_url as stack_url,
        case
            when counted.result = 'succeeded' then 'success'
            when counted.result = 'failed' then 'error'
            when counted.end_time is not null then 'error'
            else 'open'
        end as outcome,
        {{ cloudapis.is_chosen(
            [
                'counted.stack_name',
                "counted.project_name || '/' || counted.stack_name",
                "counted.org_name || '/' || counted.project_name || '/' || counted.stack_name",
            ],
            var('production', '^(prod|production|main|live)([-_].*)?$')
        ) }} as is_production,
        (
            deployed.update_id is not null
            or {{ cloudapis.matches('counted.ci_system', 'pulumi') }}
        ) as is_deployed,
        nullif(counted.ci_system, '') is not null as is_from_ci
    from counted
    left join stacks as stack
        on stack.stack_id = counted.stack_id and stack.place = 1
    left join deployed
        on deployed.update_id = counted.update_id
)

select
    org_name,
    project_name,
    stack_name,
    stack_id,
    version,
    update_id,
    kind,
    outcome,
    result as original_result,
    is_production,
    start_time as started_at,
    end_time as finished_at,
    {{ cloudapis.seconds_between('start_time', 'end_time') }} as seconds,
    {{ cloudapis.local_date('start_time') }} as started_date,
    {{ cloudapis.local_week('start_time') }} as started_week,
    {{ cloudapis.local_month('start_time') }} as started_month,
    {{ cloudapis.local_date('end_time') }} as finished_date,
    {{ cloudapis.local_week('end_time') }} as finished_week,
    case when has_changes then made end as created,
    case when has_changes then coalesce(updated, 0) end as updated,
    case when has_changes then coalesce(deleted, 0) end as deleted,
    case when has_changes then replaced end as replaced,
    case when has_changes then coalesce(unchanged, 0) end as same,
    case
        when has_changes
            then made + coalesce(updated, 0) + coalesce(deleted, 0) + replaced
    end as changed,
    (
        outcome = 'success'
        and has_changes
        and made + coalesce(updated, 0) + coalesce(deleted, 0) + replaced = 0
    ) as is_noop,
    resource_count,
    actor_login,
    actor_name,
    case
        when is_deployed then 'deployments'
        when is_from_ci then 'ci'
        -- People use tokens, too; but what has no person behind it is a machine.
        when actor_login is null and actor_token is not null then 'ci'
        else 'person'
    end as actor_kind,
    nullif(ci_system, '') as ci_system,
    is_from_ci,
    coalesce(is_dirty, false) as is_dirty,
    coalesce(nullif(commit_sha, ''), github_sha) as commit_sha,
    branch,
    case
        when nullif(vcs_repo, '') is not null then coalesce(vcs_owner || '/', '') || vcs_repo
    end as repository,
    message,
    lag(version) over in_order as previous_version,
    {{ cloudapis.seconds_between('lag(start_time) over in_order', 'start_time') }} / 3600
        as hours_since_previous,
    coalesce(
        lag(outcome) over in_order = 'error', false
    ) as after_failure,
    stack_url || '/updates/' || {{ cloudapis.as_text('version') }} as console_url
from named
window in_order as (partition by stack_id order by version, start_time, update_id)
