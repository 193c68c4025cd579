-- The models of Pulumi Cloud.
create or replace temp table s as
select n, 'example' || getvariable('mark') as org_name,
    ['network', 'cluster', 'data', 'web', 'identity', 'billing'][1 + n % 6] || getvariable('mark') as project_name,
    case when n < 18 then ['prod', 'staging', 'dev'][1 + n // 6] else 'dev-' || n end || getvariable('mark') as stack_name,
    'stack-' || n as stack_id, n < 6 or n % 10 = 9 as is_production,
    case when n % 12 = 7 then 100 + 40 * u(n, 0, 'old') else pow(u(n, 0, 'age'), 3) * 60 end as idle_days,
    5 + cast(900 * pow(u(n, 0, 'size'), 4) as int) as size
from range(getvariable('stacks')) t(n);

insert into pulumi_cloud__updates by name
select s.* exclude (n, idle_days, size), 30 - k as version, n || '-' || k as update_id,
    case when u(n, k, 'kind') < 0.9 then 'update' when u(n, k, 'kind') < 0.95 then 'refresh' else 'destroy' end as kind,
    case when k = 0 and n % 23 = 11 then 'open' when u(n, k, 'fails') < 0.08 or (n in (2, 5) and k < 2) then 'error' else 'success' end as outcome,
    now_() - to_seconds((86400 * (idle_days + 4 * (k + u(n, k, 'when'))))::bigint) as started_at,
    40 + 400 * u(n, k, 'takes') as seconds,
    case when outcome <> 'open' then started_at + to_seconds(seconds::bigint) end as finished_at,
    local_(started_at)::date as started_date, date_trunc('week', local_(started_at))::date as started_week,
    date_trunc('month', local_(started_at))::date as started_month,
    local_(finished_at)::date as finished_date, date_trunc('week', local_(finished_at))::date as finished_week,
    (6 * u(n, k, 'c'))::int as created, (9 * u(n, k, 'u'))::int as updated, (4 * u(n, k, 'd'))::int as deleted, (2 * u(n, k, 'r'))::int as replaced,
    size as same, created + updated + deleted + replaced as changed, size - k as resource_count,
    ['ana', 'bo', 'chen', 'dee', 'ci-bot'][1 + (hash(n, k) % 5)::int] || getvariable('mark') as actor_login,
    case when u(n, k, 'by') < 0.62 then 'ci' when u(n, k, 'by') < 0.8 then 'deployments' else 'person' end as actor_kind,
    actor_kind = 'ci' as is_from_ci, actor_kind = 'person' and u(n, k, 'dirty') < 0.4 as is_dirty,
    case actor_kind when 'ci' then 'GitHub Actions' end as ci_system, md5((n * 100 + k)::text) as commit_sha,
    case when outcome = 'error' then 'error: bucket exists' else 'Deploy the change' end || getvariable('mark') as message,
    'https://app.example.com/' || n || '/updates/' || (30 - k) as console_url
from s, range(getvariable('updates')) t(k) where 4 * k < getvariable('days') - idle_days;

insert into pulumi_cloud__stacks by name
with of_stack as (
    select stack_id, max(started_at) as last_update, arg_max(outcome, started_at) as last_outcome, max(version) as last_version,
        max(finished_at) filter (outcome = 'success') as last_success_at, arg_max(actor_login, started_at) as last_actor,
        arg_max(kind, started_at) as last_kind, count(*) filter (started_at > now_() - interval 90 day) as updates_90d,
        count(*) filter (outcome = 'error' and started_at > now_() - interval 90 day) as failed_90d,
        count(distinct actor_login) as actors_365d, mode(actor_login) as main_actor
    from pulumi_cloud__updates group by stack_id
), streaks as (
    select stack_id, count(*)::int as failures from pulumi_cloud__updates join of_stack using (stack_id)
    where outcome = 'error' and started_at > coalesce(last_success_at, timestamp '2000-01-01') group by stack_id
)
select s.* exclude (n, idle_days, size), size as resource_count, of_stack.* exclude (stack_id), coalesce(failures, 0) as consecutive_failures,
    date_diff('second', last_update, now_()) / 86400.0 as age_days,
    case when last_update is null then 'never updated' when n % 29 = 13 then 'destroyed' when age_days <= 30 then 'active' when age_days <= 90 then 'quiet' else 'stale' end as staleness,
    case when actors_365d = 1 or n % 8 = 3 then 1 else 2 end as bus_factor_365d, 'https://app.example.com/stacks/' || n as console_url
from s left join of_stack using (stack_id) left join streaks using (stack_id);

insert into pulumi_cloud__stack_daily by name
with days as (
    select org_name, project_name, stack_name, stack_id, is_production, finished_date as day, finished_week as week, count(*) as updates,
        count(*) filter (outcome = 'success') as succeeded, count(*) filter (outcome = 'error') as failed,
        sum(created) as created, sum(updated) as updated, sum(deleted) as deleted, sum(replaced) as replaced, sum(changed) as changed,
        arg_max(resource_count, finished_at) as resource_count
    from pulumi_cloud__updates where finished_at is not null group by all
)
select *, case when lag(day) over of_stack is null and hash(stack_id) % 2 = 0 then greatest(resource_count - created + deleted, 0) else 0 end as resources_before,
    resource_count - coalesce(lag(resource_count) over of_stack, resources_before) as resource_delta
from days window of_stack as (partition by stack_id order by day);

insert into pulumi_cloud__drift by name
select org_name, project_name, stack_name, stack_id, is_production, n % 7 = 1 as is_drifted,
    case when n % 7 = 1 then 'drifted' when n % 3 = 0 then 'clean' else 'never checked' end as state,
    case when n % 7 = 1 then 3 else 0 end as drifted_resources, case when n % 7 = 1 then now_() - interval 3 day end as drifted_since
from s;
