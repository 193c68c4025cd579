with used as (
    select
        service,
        account_id,
        org_name,
        max(owner_name) as owner_name,
        seat,
        {{ cloudapis.count_if('1 = 1') }} as people,
        {{ cloudapis.count_if("seat_state = 'active'") }} as active,
        {{ cloudapis.count_if("seat_state = 'idle'") }} as idle,
        {{ cloudapis.count_if("seat_state = 'never'") }} as never
    from {{ ref('platform__people') }}
    where has_seat
    group by service, account_id, org_name, seat
),

bought as (
    select
        'dbt_cloud' as service,
        license.account_id,
        cast(null as {{ dbt.type_string() }}) as org_name,
        account.account_name as owner_name,
        license.license_type as seat,
        case when coalesce(license.limited, true) then license.total end as bought,
        license.in_use as told
    from {{ ref('stg_dbt_cloud__licenses') }} as license
    left join {{ ref('stg_dbt_cloud__accounts') }} as account
        on account.account_id = license.account_id
    union all
    select
        'pulumi_cloud' as service,
        cast(null as {{ dbt.type_bigint() }}) as account_id,
        org_name,
        org_name as owner_name,
        'member' as seat,
        max_members as bought,
        member_count as told
    from {{ ref('stg_pulumi_cloud__organizations') }}
)

select
    coalesce(bought.service, used.service) as service,
    coalesce(bought.account_id, used.account_id) as account_id,
    coalesce(bought.org_name, used.org_name) as org_name,
    coalesce(bought.owner_name, used.owner_name) as owner_name,
    coalesce(bought.seat, used.seat) as seat,
    bought.bought,
    coalesce(bought.told, used.people) as used,
    used.active,
    used.idle,
    used.never
from bought
full outer join used
    on
        used.service = bought.service
        and coalesce(used.account_id, -1) = coalesce(bought.account_id, -1)
        and coalesce(used.org_name, '') = coalesce(bought.org_name, '')
        and used.seat = bought.seat
