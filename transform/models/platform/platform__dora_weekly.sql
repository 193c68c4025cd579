with deployments as (
    select *
    from {{ ref('platform__deployments') }}
    where environment = 'PRODUCTION'
),

incidents as (
    select *
    from {{ ref('platform__incidents') }}
    where not is_open
),

scopes as (
    select
        service,
        scope_id,
        max(account_id) as account_id,
        max(org_name) as org_name,
        max(owner_name) as owner_name,
        max(scope_name) as scope_name,
        min(finished_week) as first_week
    from deployments
    group by service, scope_id
),

weeks as (
    select distinct week
    from {{ ref('platform__calendar') }}
),

counted as (
    select
        service,
        scope_id,
        finished_week as week,
        cast(count(*) as integer) as deployments,
        {{ cloudapis.count_if("result = 'SUCCESS'") }} as succeeded,
        {{ cloudapis.count_if("result = 'FAILURE'") }} as failed,
        {{ cloudapis.count_if('is_rework') }} as rework,
        cast(
            count(distinct case when result = 'SUCCESS' then finished_date end) as integer
        ) as deployment_days,
        {{ cloudapis.count_if('lead_seconds > 0') }} as leads,
        {{ cloudapis.count_if('lead_seconds <= 0') }} as leads_left_out,
        {{ cloudapis.percentile('case when lead_seconds > 0 then lead_seconds end', 0.5) }}
            as p50_lead_seconds,
        sum(case when lead_seconds > 0 then lead_seconds end) as lead_seconds
    from deployments
    group by service, scope_id, finished_week
),

recovered as (
    select
        service,
        deployment_scope_id as scope_id,
        recovered_week as week,
        cast(count(*) as integer) as recovered,
        {{ cloudapis.percentile('recovery_seconds', 0.5) }} as p50_recovery_seconds,
        sum(recovery_seconds) as recovery_seconds
    from incidents
    group by service, deployment_scope_id, recovered_week
)

select
    weeks.week,
    scope.service,
    scope.account_id,
    scope.org_name,
    scope.owner_name,
    scope.scope_id,
    scope.scope_name,
    coalesce(counted.deployments, 0) as deployments,
    coalesce(counted.succeeded, 0) as succeeded,
    coalesce(counted.failed, 0) as failed,
    coalesce(counted.rework, 0) as rework,
    coalesce(counted.deployment_days, 0) as deployment_days,
    coalesce(recovered.recovered, 0) as recovered,
    recovered.p50_recovery_seconds,
    recovered.recovery_seconds,
    coalesce(counted.leads, 0) as leads,
    coalesce(counted.leads_left_out, 0) as leads_left_out,
    counted.p50_lead_seconds,
    counted.lead_seconds
from scopes as scope
inner join weeks
    on weeks.week >= scope.first_week
left join counted
    on
        counted.service = scope.service
        and counted.scope_id = scope.scope_id
        and counted.week = weeks.week
left join recovered
    on
        recovered.service = scope.service
        and recovered.scope_id = scope.scope_id
        and recovered.week = weeks.week
