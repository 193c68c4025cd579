with begun as (
    select stack_id, min(version) as first_version
    from {{ ref('pulumi_cloud__updates') }}
    group by stack_id
),

ended as (
    select
        *,
        row_number() over (
            partition by stack_id, finished_date order by version desc, finished_at desc
        ) as place_in_day
    from {{ ref('pulumi_cloud__updates') }}
    where outcome <> 'open' and finished_date is not null
),

counted as (
    select
        stack_id,
        finished_date as day,
        max(case when place_in_day = 1 then org_name end) as org_name,
        max(case when place_in_day = 1 then project_name end) as project_name,
        max(case when place_in_day = 1 then stack_name end) as stack_name,
        max(case when is_production then 1 else 0 end) = 1 as is_production,
        cast(count(*) as integer) as updates,
        {{ cloudapis.count_if("outcome = 'success'") }} as succeeded,
        {{ cloudapis.count_if("outcome = 'error'") }} as failed,
        cast(coalesce(sum(created), 0) as {{ dbt.type_bigint() }}) as created,
        cast(coalesce(sum(updated), 0) as {{ dbt.type_bigint() }}) as updated,
        cast(coalesce(sum(deleted), 0) as {{ dbt.type_bigint() }}) as deleted,
        cast(coalesce(sum(replaced), 0) as {{ dbt.type_bigint() }}) as replaced,
        cast(coalesce(sum(same), 0) as {{ dbt.type_bigint() }}) as same,
        cast(coalesce(sum(changed), 0) as {{ dbt.type_bigint() }}) as changed,
        coalesce(sum(seconds), 0) as seconds,
        min(case when resource_count is not null then place_in_day end) as place_of_count
    from ended
    group by stack_id, finished_date
),

sized as (
    select
        counted.*,
        {{ cloudapis.week_of('counted.day') }} as week,
        last_of_day.resource_count
    from counted
    left join ended as last_of_day
        on
            last_of_day.stack_id = counted.stack_id
            and last_of_day.finished_date = counted.day
            and last_of_day.place_in_day = counted.place_of_count
),

-- Days that tell no size leave it as it was. Where the first updates are not known, what a stack had
-- before is what it has after the first day that is, less what that day has added.
before as (
    select
        sized.stack_id,
        sized.day,
        sized.resource_count,
        lag(sized.resource_count) over (partition by sized.stack_id order by sized.day)
            as previous_count,
        case
            when begun.first_version <= 1 then 0
            else greatest(sized.resource_count - sized.created + sized.deleted, 0)
        end as count_at_first
    from sized
    inner join begun
        on begun.stack_id = sized.stack_id
    where sized.resource_count is not null
),

grown as (
    select
        stack_id,
        day,
        resource_count - coalesce(previous_count, count_at_first) as resource_delta,
        case when previous_count is null then count_at_first else 0 end as resources_before
    from before
)

select
    sized.org_name,
    sized.project_name,
    sized.stack_name,
    sized.stack_id,
    sized.is_production,
    sized.day,
    sized.week,
    sized.updates,
    sized.succeeded,
    sized.failed,
    sized.created,
    sized.updated,
    sized.deleted,
    sized.replaced,
    sized.same,
    sized.changed,
    sized.seconds,
    sized.resource_count,
    coalesce(grown.resource_delta, 0) as resource_delta,
    coalesce(grown.resources_before, 0) as resources_before
from sized
left join grown
    on
            grown.stack_id = sized.stack_id
        and grown.day = sized.day
