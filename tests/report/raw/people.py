"""People and seats of both services."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tests.report.counting import Row
    from tests.report.raw.tables import Raw

#: Such sets of permissions let their holder do all.
_ALL = ("owner", "account_admin")
_LIVE = 1


def people(raw: Raw) -> list[Row]:
    """Each person in an account or an organization."""
    return [*_of_dbt(raw), *_of_pulumi(raw)]


def _of_dbt(raw: Raw) -> list[Row]:
    rows = raw.rows("""
        select u.account_id, a.name as owner_name, u.id::text as person_id, u.email as login,
            u.is_active, u.last_login, u.apitoken_last_used, u.fullname as name
        from dbt_users u left join dbt_accounts a on a.id = u.account_id
    """)
    licences = {
        (row["account_id"], row["user_id"]): row["license_type"]
        for row in raw.rows(
            f"select account_id, user_id, license_type from dbt_user_licenses where state = {_LIVE}"
        )
    }
    admins = {
        (row["account_id"], row["user_id"])
        for row in raw.rows(f"""
            select m.account_id, m.user_id from dbt_user_groups m
            where m.state = {_LIVE} and exists (
                from dbt_group_permissions p where p.account_id = m.account_id
                    and p.group_id = m.group_id and p.state = {_LIVE}
                    and p.permission_set in {_ALL})
        """)
    }
    for row in rows:
        key = row["account_id"], int(row["person_id"])
        seen = (row["last_login"], row["apitoken_last_used"])
        row["service"] = "dbt_cloud"
        row["org_name"] = row["role"] = None
        row["seat"] = licences.get(key)
        row["has_seat"] = key in licences
        row["is_admin"] = key in admins
        row["is_member"] = row["is_active"] is not False
        row["last_active_at"] = max((moment for moment in seen if moment), default=None)
        row["seat_state"] = _state(row, raw)
    return rows


def _of_pulumi(raw: Raw) -> list[Row]:
    rows = raw.rows("""
        select org_name, user_login as login, user_name as name, has_seat, suspended,
            coalesce(fga_role ->> 'name', role) as role
        from pulumi_organization_members
    """)
    last: dict[tuple[str, str], datetime] = {}
    for update in raw("pulumi_cloud__updates"):
        if login := update["actor_login"]:
            key = update["org_name"], login
            last[key] = max(last.get(key, update["started_at"]), update["started_at"])
    members = {(row["org_name"], row["login"]) for row in rows}
    rows = [
        {**row, "has_seat": row["has_seat"] is not False, "is_member": not row["suspended"]}
        for row in rows
    ]
    rows += [
        {"org_name": org, "login": login, "name": None, "role": None}
        | {"has_seat": False, "is_member": False}
        for org, login in last
        if (org, login) not in members
    ]
    for row in rows:
        row["service"] = "pulumi_cloud"
        row["account_id"] = None
        row["owner_name"] = row["org_name"]
        row["person_id"] = row["login"]
        row["seat"] = "member" if row["has_seat"] else None
        row["is_admin"] = (row["role"] or "").lower() == "admin"
        row["last_active_at"] = last.get((row["org_name"], row["login"]))
        row["seat_state"] = _state(row, raw)
    return rows


def _state(person: Row, raw: Raw) -> str:
    if not person["has_seat"]:
        return "no seat"
    if person["last_active_at"] is None:
        return "never"
    return "active" if raw.since(person["last_active_at"], 90) else "idle"


def seats(raw: Raw) -> list[Row]:
    """Each kind of seat in an account or an organization."""
    kinds = raw.rows("""
        select 'dbt_cloud' as service, l.account_id, null as org_name, a.name as owner_name,
            l.license_type as seat, case when l.limited then l.total end as bought,
            l.in_use as used
        from dbt_licenses l left join dbt_accounts a on a.id = l.account_id
        union all
        select 'pulumi_cloud', null, org_name, org_name, 'member', max_members, member_count
        from pulumi_organizations
    """)
    states = Counter(
        (row["service"], row["account_id"], row["org_name"], row["seat"], row["seat_state"])
        for row in raw("platform__people")
    )
    kinds_known = {key[:4] for key in states}
    for row in kinds:
        key = row["service"], row["account_id"], row["org_name"], row["seat"]
        for state in ("active", "idle", "never"):
            row[state] = states[(*key, state)] if key in kinds_known else None
    return kinds
