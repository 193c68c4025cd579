{#- Only a check that succeeded has looked. -#}
with checks as (
    select
        *,
        coalesce(remediation_status = 'succeeded', false) as is_remediated,
        row_number() over (
            partition by stack_id order by checked_at desc, id desc
        ) as place
    from {{ ref('stg_pulumi_cloud__drift_runs') }}
    where status = 'succeeded'
),

summed as (
    select
        stack_id,
        max(checked_at) as last_checked_at,
        max(
            case when not coalesce(drift_detected, false) or is_remediated then checked_at end
        ) as last_clean_at,
        max(
            case when is_remediated then coalesce(remediation_modified, checked_at) end
        ) as remediated_at,
        {{ cloudapis.count_if('checked_at >= ' ~ cloudapis.days_ago(30)) }} as checks_30d,
        {{ cloudapis.count_if('drift_detected and checked_at >= ' ~ cloudapis.days_ago(30)) }}
            as drifted_30d
    from checks
    group by stack_id
),

failed as (
    select
        stack_id,
        {{ cloudapis.count_if('checked_at >= ' ~ cloudapis.days_ago(30)) }} as failed_checks_30d
    from {{ ref('stg_pulumi_cloud__drift_runs') }}
    where status = 'failed'
    group by stack_id
),

begun as (
    select
        checks.stack_id,
        min(checks.checked_at) as drifted_since
    from checks
    inner join summed
        on summed.stack_id = checks.stack_id
    where
        checks.drift_detected
        and not checks.is_remediated
        and checks.checked_at > coalesce(summed.last_clean_at, {{ cloudapis.days_ago(36500) }})
    group by checks.stack_id
),

judged as (
    select
        stack.org_name,
        stack.project_name,
        stack.stack_name,
        stack.stack_id,
        stack.is_production,
        summed.last_checked_at,
        summed.remediated_at,
        begun.drifted_since,
        coalesce(summed.checks_30d, 0) as checks_30d,
        coalesce(summed.drifted_30d, 0) as drifted_30d,
        coalesce(failed.failed_checks_30d, 0) as failed_checks_30d,
        case
            when summed.last_checked_at is null then 'never checked'
            when summed.last_checked_at < {{ cloudapis.days_ago(7) }} then 'unknown'
            when begun.drifted_since is not null then 'drifted'
            else 'clean'
        end as state,
        coalesce(newest.drifted_resources, 0) as drifted_resources
    from {{ ref('pulumi_cloud__stacks') }} as stack
    left join summed
        on summed.stack_id = stack.stack_id
    left join failed
        on failed.stack_id = stack.stack_id
    left join begun
        on begun.stack_id = stack.stack_id
    left join (
        select
            stack_id,
            coalesce(created, 0) + coalesce(updated, 0) + coalesce(deleted, 0)
            + coalesce(imported, 0) + coalesce(import_replaced, 0)
            + greatest(
                coalesce(replaced_whole, 0), coalesce(replaced_made, 0), coalesce(replaced_gone, 0)
            ) as drifted_resources
        from checks
        where place = 1
    ) as newest
        on newest.stack_id = stack.stack_id
)

select
    org_name,
    project_name,
    stack_name,
    stack_id,
    is_production,
    state,
    case state when 'drifted' then true when 'clean' then false end as is_drifted,
    last_checked_at,
    case state when 'drifted' then drifted_resources when 'clean' then 0 end as drifted_resources,
    case when state = 'drifted' then drifted_since end as drifted_since,
    remediated_at,
    checks_30d,
    drifted_30d,
    failed_checks_30d
from judged
