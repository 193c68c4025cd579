-- The models that both services fill.
insert into platform__incidents by name
with finished as (
    select 'dbt_cloud' as service, account_id, null as org_name, account_name as owner_name, project_name, job_id::text as scope_id, job_name as scope_name,
        finished_at, outcome = 'error' as failed, status_message as message, run_url as url, git_sha as sha
    from dbt_cloud__runs where outcome in ('success', 'error') and is_production
    union all
    select 'pulumi_cloud', null, org_name, org_name, project_name, stack_id, project_name || '/' || stack_name,
        finished_at, outcome = 'error', message, console_url, commit_sha
    from pulumi_cloud__updates where outcome in ('success', 'error') and is_production
), numbered as (
    select *, count(*) filter (not failed) over (partition by service, scope_id order by finished_at rows between unbounded preceding and 1 preceding) as streak
    from finished
)
select service, account_id, org_name, owner_name, project_name, scope_id, scope_name, service || scope_id || streak as incident_id,
    min(finished_at) filter (failed) as started_at, min(finished_at) filter (not failed) as recovered_at, recovered_at is null as is_open,
    epoch(recovered_at) - epoch(started_at) as recovery_seconds, case when is_open then epoch(now_()) - epoch(started_at) end as open_seconds,
    count(*) filter (failed) as failed_attempts, arg_min(message, finished_at) filter (failed) as first_message, arg_min(url, finished_at) filter (failed) as first_url,
    case when not is_open then case when arg_min(sha, finished_at) filter (failed) = arg_min(sha, finished_at) filter (not failed) then 'same commit later' else 'new commit' end end as recovered_by,
    local_(started_at)::date as started_date, date_trunc('week', local_(started_at))::date as started_week, date_trunc('week', local_(recovered_at))::date as recovered_week
from numbered group by all having count(*) filter (failed) > 0;

insert into platform__deployments by name
with changes as (
    select 'run-' || run_id as deployment_id, 'dbt_cloud' as service, account_id, null as org_name, account_name as owner_name, project_name,
        environment_id::text as scope_id, project_name || ' production' as scope_name, outcome, started_at, finished_at, null::double as lead_seconds
    from (select *, row_number() over (partition by environment_id, git_sha order by finished_at) as nth from dbt_cloud__runs where is_production and outcome in ('success', 'error')) where nth = 1
    union all
    select 'update-' || update_id, 'pulumi_cloud', null, org_name, org_name, project_name, stack_id, project_name || '/' || stack_name, outcome, started_at, finished_at,
        case when outcome = 'success' and version % 3 = 0 then 3600 + 90000 * u(version, 1, 'lead') end
    from pulumi_cloud__updates where is_production and outcome in ('success', 'error')
)
select * exclude (outcome), 'PRODUCTION' as environment, case outcome when 'success' then 'SUCCESS' else 'FAILURE' end as result,
    local_(finished_at)::date as finished_date, date_trunc('week', local_(finished_at))::date as finished_week,
    coalesce(lag(outcome) over w = 'error' and finished_at - lag(finished_at) over w < interval 24 hour, false) as is_rework
from changes window w as (partition by service, scope_id order by finished_at);

insert into platform__dora_weekly by name
select finished_week as week, service, account_id, org_name, owner_name, scope_id, scope_name, count(*) as deployments,
    count(*) filter (result = 'SUCCESS') as succeeded, count(*) filter (result = 'FAILURE') as failed, count(*) filter (is_rework) as rework,
    count(distinct finished_date) filter (result = 'SUCCESS') as deployment_days
from platform__deployments group by all;

insert into platform__people by name
select service, seat_state, role, seat, has_seat, is_admin, is_member, person_id, account_id, org_name, owner_name, login, name, last_active_at from (
select service, case service when 'dbt_cloud' then 1 end as account_id, case service when 'pulumi_cloud' then 'example' || getvariable('mark') end as org_name,
    case service when 'dbt_cloud' then 'Example' else 'example' end || getvariable('mark') as owner_name, 'p' || n as person_id,
    ['ana', 'bo', 'chen', 'dee', 'eli', 'fay', 'gus', 'hal', 'ivy', 'jo', 'kim', 'lee'][1 + n % 12] || case when n < 12 then '' else n::text end || getvariable('mark') as login, login as name,
    case when n % 9 = 0 then 'admin' else 'member' end as role, case when service = 'dbt_cloud' then case when n % 4 = 3 then 'read_only' else 'developer' end else 'member' end as seat, true as has_seat,
    n % 9 = 0 as is_admin, true as is_member, case when n % 6 = 4 then 'idle' when n % 11 = 7 then 'never' else 'active' end as seat_state,
    case seat_state when 'idle' then now_() - interval 120 day when 'active' then now_() - to_hours((n * 9)::int) end as last_active_at
from (values ('dbt_cloud', getvariable('jobs')), ('pulumi_cloud', getvariable('stacks'))) v(service, there), range(30) t(n) where there > 0);

insert into platform__seats by name
select service, account_id, org_name, owner_name, seat, case seat when 'developer' then 25 when 'read_only' then 50 end as bought, count(*) as used,
    count(*) filter (seat_state = 'active') as active, count(*) filter (seat_state = 'idle') as idle, count(*) filter (seat_state = 'never') as never
from platform__people group by all;

-- A kind of seat of which the service counts more than it names.
insert into platform__seats by name
select distinct service, account_id, org_name, owner_name, 'it' as seat, 3 as used
from platform__people where service = 'dbt_cloud';
