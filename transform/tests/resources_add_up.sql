-- What a stack had before its history begins, and how its size changed since, are its size.
select
    daily.stack_id,
    daily.grown,
    newest.resource_count
from (
    select
        stack_id,
        sum(resource_delta) + sum(resources_before) as grown,
        max(case when resource_count is not null then day end) as last_day
    from {{ ref('pulumi_cloud__stack_daily') }}
    group by stack_id
) as daily
inner join {{ ref('pulumi_cloud__stack_daily') }} as newest
    on newest.stack_id = daily.stack_id and newest.day = daily.last_day
where daily.grown <> newest.resource_count
