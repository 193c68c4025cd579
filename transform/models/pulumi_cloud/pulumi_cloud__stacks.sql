with updates as (
    select * from {{ ref('pulumi_cloud__updates') }}
),

-- A stack that was renamed has a row under the old names as well; the one updated last is it.
stacks as (
    select *
    from (
        select
            *,
            row_number() over (
                partition by stack_id
                order by last_update desc nulls last, project_name, stack_name
            ) as place
        from {{ ref('stg_pulumi_cloud__stacks') }}
    ) as numbered
    where place = 1
),

ordered as (
    select
        *,
        row_number() over (
            partition by stack_id order by version desc, started_at desc
        ) as place
    from updates
    where outcome <> 'open'
),

streaks as (
    select
        stack_id,
        cast(
            coalesce(min(case when outcome = 'success' then place end) - 1, count(*)) as integer
        ) as consecutive_failures,
        min(case when outcome = 'success' then place end) as place_of_success,
        max(case when outcome = 'success' then finished_at end) as last_success_at
    from ordered
    group by stack_id
),

recent as (
    select
        stack_id,
        cast(count(*) as integer) as updates,
        {{ cloudapis.count_if("outcome = 'success'") }} as succeeded,
        {{ cloudapis.count_if("outcome = 'error'") }} as failed,
        {{ cloudapis.percentile("case when outcome = 'success' then seconds end", 0.5) }}
            as p50_seconds,
        {{ cloudapis.p95("case when outcome = 'success' then seconds end") }} as p95_seconds,
        {{ cloudapis.count_if("outcome = 'success' and actor_kind <> 'person'") }} as ci_updates,
        {{ cloudapis.count_if("outcome = 'success' and actor_kind = 'person'") }} as clicks,
        {{ cloudapis.count_if("outcome = 'success' and is_dirty") }} as dirty_updates
    from updates
    where outcome <> 'open' and finished_at >= {{ cloudapis.days_ago(90) }}
    group by stack_id
),

by_actor as (
    select
        stack_id,
        actor_login,
        count(*) as updates,
        sum(count(*)) over (partition by stack_id) as all_updates,
        row_number() over (
            partition by stack_id order by count(*) desc, actor_login
        ) as place
    from updates
    where actor_login is not null and started_at >= {{ cloudapis.days_ago(365) }}
    group by stack_id, actor_login
),

running_total as (
    select
        *,
        sum(updates) over (
            partition by stack_id order by place rows unbounded preceding
        ) as updates_up_to_here
    from by_actor
),

actors as (
    select
        stack_id,
        cast(count(*) as integer) as actors,
        max(case when place = 1 then actor_login end) as main_actor,
        max(case when place = 1 then {{ cloudapis.ratio('updates', 'all_updates') }} end)
            as main_actor_share,
        -- Those before whom the 80 % were not reached.
        {{ cloudapis.count_if('updates_up_to_here - updates < 0.8 * all_updates') }} as bus_factor
    from running_total
    group by stack_id
),

described as (
    select
        stack.org_name,
        stack.project_name,
        stack.stack_name,
        stack.stack_id,
        {{ cloudapis.is_chosen(
            [
                'stack.stack_name',
                "stack.project_name || '/' || stack.stack_name",
                "stack.org_name || '/' || stack.project_name || '/' || stack.stack_name",
            ],
            var('production', '^(prod|production|main|live)([-_].*)?$')
        ) }} as is_production,
        stack.resource_count,
        stack.last_update,
        newest.version as last_version,
        newest.kind as last_kind,
        newest.outcome as last_outcome,
        newest.actor_login as last_actor,
        good.kind as last_good_kind,
        streak.last_success_at,
        coalesce(streak.consecutive_failures, 0) as consecutive_failures,
        {{ cloudapis.seconds_between('stack.last_update', cloudapis.as_of()) }} / 86400 as age_days,
        coalesce(recent.updates, 0) as updates_90d,
        coalesce(recent.succeeded, 0) as succeeded_90d,
        coalesce(recent.failed, 0) as failed_90d,
        recent.p50_seconds as p50_seconds_90d,
        recent.p95_seconds as p95_seconds_90d,
        coalesce(recent.ci_updates, 0) as ci_updates_90d,
        coalesce(recent.clicks, 0) as clicks_90d,
        coalesce(recent.dirty_updates, 0) as dirty_updates_90d,
        coalesce(actors.actors, 0) as actors_365d,
        actors.main_actor,
        actors.main_actor_share,
        actors.bus_factor as bus_factor_365d,
        stack.console_url
    from stacks as stack
    left join streaks as streak
        on streak.stack_id = stack.stack_id
    left join ordered as newest
        on
            newest.stack_id = stack.stack_id
            and newest.place = 1
    left join ordered as good
        on
            good.stack_id = stack.stack_id
            and good.place = streak.place_of_success
    left join recent
        on recent.stack_id = stack.stack_id
    left join actors
        on actors.stack_id = stack.stack_id
)

select
    org_name,
    project_name,
    stack_name,
    stack_id,
    is_production,
    resource_count,
    last_update,
    last_version,
    last_kind,
    last_outcome,
    last_success_at,
    last_actor,
    consecutive_failures,
    age_days,
    case
        when last_update is null and last_version is null then 'never updated'
        when last_good_kind = 'destroy' and coalesce(resource_count, 0) = 0 then 'destroyed'
        when age_days <= 30 then 'active'
        when age_days <= {{ var('stale_days', 90) }} then 'quiet'
        else 'stale'
    end as staleness,
    updates_90d,
    succeeded_90d,
    failed_90d,
    {{ cloudapis.ratio('failed_90d', '(succeeded_90d + failed_90d)') }} as failed_share_90d,
    p50_seconds_90d,
    p95_seconds_90d,
    actors_365d,
    main_actor,
    main_actor_share,
    bus_factor_365d,
    ci_updates_90d,
    clicks_90d,
    dirty_updates_90d,
    {{ cloudapis.ratio('ci_updates_90d', 'succeeded_90d') }} as ci_share_90d,
    {{ cloudapis.ratio('dirty_updates_90d', 'succeeded_90d') }} as dirty_share_90d,
    console_url
from described
