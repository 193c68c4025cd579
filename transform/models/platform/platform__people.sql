with dbt_teams as (
    select
        account_id,
        user_id,
        {{ cloudapis.joined('group_name') }} as teams,
        cast(count(*) as integer) as team_count
    from {{ ref('stg_dbt_cloud__user_groups') }}
    where coalesce(state, 1) = 1
    group by account_id, user_id
),

dbt_seats as (
    select
        account_id,
        user_id,
        max(license_type) as seat
    from {{ ref('stg_dbt_cloud__user_licenses') }}
    where coalesce(state, 1) = 1
    group by account_id, user_id
),

dbt_admins as (
    select distinct
        member.account_id,
        member.user_id
    from {{ ref('stg_dbt_cloud__user_groups') }} as member
    inner join {{ ref('stg_dbt_cloud__group_permissions') }} as granted
        on
            granted.account_id = member.account_id
            and granted.group_id = member.group_id
    where
        coalesce(member.state, 1) = 1
        and coalesce(granted.state, 1) = 1
        and granted.permission_set in ('owner', 'account_admin')
),

-- Who started a run is known only where the column audit of dbt_runs was selected.
dbt_starts as (
    select
        account_id,
        triggered_by_id as person_id,
        max(requested_at) as last_start_at,
        {{ cloudapis.count_if('requested_at >= ' ~ cloudapis.days_ago(90)) }} as runs_90d
    from {{ ref('dbt_cloud__runs') }}
    where triggered_by_id is not null
    group by account_id, triggered_by_id
),

dbt_audited as (
    select distinct account_id
    from dbt_starts
),

dbt_people as (
    select
        'dbt_cloud' as service,
        person.account_id,
        cast(null as {{ dbt.type_string() }}) as org_name,
        account.account_name as owner_name,
        {{ cloudapis.as_text('person.user_id') }} as person_id,
        person.email as login,
        coalesce(
            nullif(person.fullname, ''),
            nullif(trim(coalesce(person.first_name, '') || ' ' || coalesce(person.last_name, '')), '')
        ) as name,
        cast(null as {{ dbt.type_string() }}) as role,
        seat.seat,
        seat.seat is not null as has_seat,
        team.teams,
        coalesce(team.team_count, 0) as team_count,
        {{ cloudapis.later_of('person.last_login', 'person.apitoken_last_used', 'start.last_start_at') }}
            as last_active_at,
        cast(null as integer) as updates_90d,
        case when audited.account_id is not null then coalesce(start.runs_90d, 0) end as runs_90d,
        admin.user_id is not null as is_admin,
        coalesce(person.is_active, true) as is_member
    from {{ ref('stg_dbt_cloud__users') }} as person
    left join {{ ref('stg_dbt_cloud__accounts') }} as account
        on account.account_id = person.account_id
    left join dbt_seats as seat
        on seat.account_id = person.account_id and seat.user_id = person.user_id
    left join dbt_teams as team
        on team.account_id = person.account_id and team.user_id = person.user_id
    left join dbt_admins as admin
        on admin.account_id = person.account_id and admin.user_id = person.user_id
    left join dbt_audited as audited
        on audited.account_id = person.account_id
    left join dbt_starts as start
        on
            start.account_id = person.account_id
            and start.person_id = {{ cloudapis.as_text('person.user_id') }}
),

pulumi_teams as (
    select
        org_name,
        user_login,
        {{ cloudapis.joined('team_name') }} as teams,
        cast(count(*) as integer) as team_count
    from {{ ref('stg_pulumi_cloud__team_members') }}
    group by org_name, user_login
),

pulumi_updates as (
    select
        org_name,
        actor_login,
        max(actor_name) as actor_name,
        max(started_at) as last_update_at,
        {{ cloudapis.count_if('started_at >= ' ~ cloudapis.days_ago(90)) }} as updates_90d
    from {{ ref('pulumi_cloud__updates') }}
    where actor_login is not null
    group by org_name, actor_login
),

-- Members, and whoever has updated a stack without being one: robots, and people who have left.
pulumi_people as (
    select
        'pulumi_cloud' as service,
        cast(null as {{ dbt.type_bigint() }}) as account_id,
        coalesce(member.org_name, u.org_name) as org_name,
        coalesce(member.org_name, u.org_name) as owner_name,
        coalesce(member.user_login, u.actor_login) as person_id,
        coalesce(member.user_login, u.actor_login) as login,
        coalesce(nullif(member.user_name, ''), nullif(u.actor_name, '')) as name,
        coalesce(member.role_name, member.role) as role,
        case
            when member.user_login is not null and coalesce(member.has_seat, true) then 'member'
        end as seat,
        member.user_login is not null and coalesce(member.has_seat, true) as has_seat,
        team.teams,
        coalesce(team.team_count, 0) as team_count,
        u.last_update_at as last_active_at,
        coalesce(u.updates_90d, 0) as updates_90d,
        cast(null as integer) as runs_90d,
        coalesce(
            member.role = 'admin' or member.virtual_admin or lower(member.role_name) = 'admin', false
        ) as is_admin,
        member.user_login is not null and not coalesce(member.suspended, false) as is_member
    from {{ ref('stg_pulumi_cloud__organization_members') }} as member
    full outer join pulumi_updates as u
        on u.org_name = member.org_name and u.actor_login = member.user_login
    left join pulumi_teams as team
        on team.org_name = member.org_name and team.user_login = member.user_login
),

people as (
    select * from dbt_people
    union all
    select * from pulumi_people
)

select
    service,
    account_id,
    org_name,
    owner_name,
    person_id,
    login,
    name,
    role,
    seat,
    has_seat,
    teams,
    team_count,
    last_active_at,
    updates_90d,
    runs_90d,
    case
        when not has_seat then 'no seat'
        when last_active_at is null then 'never'
        when last_active_at >= {{ cloudapis.days_ago(var('lookback_days', 90)) }} then 'active'
        else 'idle'
    end as seat_state,
    is_admin,
    is_member
from people
