"""People: what they have in this account and in no other, and what is told of groups and seats."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dbt.lists import ACCOUNT, NOT_THERE, REFUSED, SECRET, Account, envelope, only

OTHER = 8
PARTS = ("dbt_user_licenses", "dbt_user_groups", "dbt_user_permissions")


def person(user_id: int, **more: Any) -> dict[str, Any]:
    return {"id": user_id, "email": f"p{user_id}@example.com", **more}


def permission(permission_id: int, account: int, **more: Any) -> dict[str, Any]:
    licence = {"id": permission_id, "license_type": "developer", "state": 1}
    return {**licence, "account_id": account, **more}


def test_what_a_person_has_in_other_accounts_is_no_row() -> None:
    elsewhere = {
        "groups": [{"id": 90, "name": "theirs", "account_id": OTHER}],
        "permission_statements": [{"permission": "theirs", "target_resource": None}],
    }
    here = {
        "groups": [
            {"id": 1, "name": "ours", "state": 1, "account_id": ACCOUNT, "group_permissions": []},
            {"id": 91, "name": "theirs", "account_id": OTHER},
        ],
        "permission_statements": [
            {"permission": "jobs_read", "target_resource": 5, "all_resources": False},
            {"permission": "jobs_write", "target_resource": None, "all_resources": True},
        ],
    }
    own = permission(11, ACCOUNT, user_id=3, **here)
    row = person(
        3,
        permissions=[permission(10, OTHER, user_id=3, **elsewhere), own],
        licenses={str(OTHER): {"license_type": "theirs"}},
    )
    outcome = Account({"v3/users/": [row]}).sync("dbt_users", *PARTS)
    (licence,) = outcome.records("dbt_user_licenses")
    assert only(licence, "account_id", "user_id", "id") == (ACCOUNT, 3, 11)
    assert not {"groups", "permission_statements"} & licence.keys()
    (group,) = outcome.records("dbt_user_groups")
    assert only(group, "user_id", "group_id", "name", "state") == (3, 1, "ours", 1)
    rights = outcome.records("dbt_user_permissions")
    assert {only(r, "permission", "target", "target_resource") for r in rights} == {
        ("jobs_read", "5", 5),
        ("jobs_write", "all", None),
    }
    assert "theirs" not in b"".join(outcome.lines).decode()


def test_the_rows_of_people_cost_no_request_and_come_behind_them() -> None:
    people = [person(n, permissions=[permission(n, ACCOUNT)]) for n in range(1, 6)]
    account = Account({"v3/users/": people}, cap=2)
    outcome = account.sync("dbt_users", *PARTS)
    assert set(account.paths()) == {"v3/users/"}
    order = [
        m["record"].get("user_id") or m["record"]["id"]
        for m in outcome.messages
        if m["type"] == "RECORD"
    ]
    assert order == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    alone = account.sync("dbt_user_licenses")
    assert len(alone.records("dbt_user_licenses")) == 5
    assert not alone.records("dbt_users")


@pytest.mark.parametrize("licence", [{"license_type": "it"}, "it"], ids=["object", "text"])
def test_a_seat_without_a_permission_has_no_number(licence: Any) -> None:
    row = person(3, permissions=[], licenses={str(ACCOUNT): licence, str(OTHER): "theirs"})
    outcome = Account({"v3/users/": [row]}).sync("dbt_user_licenses")
    (found,) = outcome.records("dbt_user_licenses")
    assert only(found, "id", "license_type", "user_id") == (0, "it", 3)


def test_a_group_or_right_that_two_permissions_name_is_one_row() -> None:
    both = {
        "groups": [{"id": 1, "name": "ours", "state": 1}],
        "permission_statements": [{"permission": "read", "target_resource": None}],
    }
    again = {
        "groups": [{"id": 1, "name": "ours", "state": 2}],
        "permission_statements": [{"permission": "read", "all_resources": True}],
    }
    row = person(3, permissions=[permission(1, ACCOUNT, **both), permission(2, ACCOUNT, **again)])
    outcome = Account({"v3/users/": [row]}).sync(*PARTS)
    assert len(outcome.records("dbt_user_groups")) == 1
    assert len(outcome.records("dbt_user_permissions")) == 1


def test_odd_permissions_are_left_out_and_counted() -> None:
    people = [person(1, permissions="none"), person(2, permissions=[permission(5, ACCOUNT), 7])]
    outcome = Account({"v3/users/": people}).sync("dbt_users", "dbt_user_licenses", code=1)
    assert len(outcome.records("dbt_users")) == 2
    assert len(outcome.records("dbt_user_licenses")) == 1
    assert outcome.says("dbt_user_licenses", "left out a record")


def test_details_of_people_are_asked_for_by_a_setting() -> None:
    detail = {**person(1), "fullname": "P One", "scim_managed": True, "email": "other@x.com"}
    lists = {
        "v3/users/": [person(1), person(2), person(3)],
        "v3/users/1/": envelope(detail),
        "v3/users/2/": NOT_THERE,
        "v3/users/3/": REFUSED,
    }
    account = Account(lists)
    plain = account.sync("dbt_users")
    assert account.paths() == ["v3/users/"]
    assert not any("fullname" in record for record in plain.records("dbt_users"))
    outcome = account.sync("dbt_users", dbt_user_details=True)
    assert account.paths() == ["v3/users/", "v3/users/1/", "v3/users/2/", "v3/users/3/"]
    one, two, three = outcome.records("dbt_users")
    assert only(one, "fullname", "scim_managed", "email") == ("P One", True, "p1@example.com")
    assert "fullname" not in two | three
    assert outcome.logged("WARNING", "rows come without their details")


@pytest.mark.parametrize(
    "data",
    [
        {"developer": {"total": 3, "in_use": 1}, "it": {"total": 1}, "analyst": None},
        [{"developer": {"total": 3, "in_use": 1}, "it": {"total": 1}}],
        [{"license_type": "developer", "total": 3, "in_use": 1}, {"license_type": "it"}],
    ],
    ids=["a map", "a list of maps", "a list"],
)
def test_seats_come_in_any_of_the_forms_that_were_seen(data: Any) -> None:
    outcome = Account({"v2/licenses/": envelope(data)}).sync("dbt_licenses")
    rows = outcome.records("dbt_licenses")
    assert [row["license_type"] for row in rows] == ["developer", "it"]
    assert only(rows[0], "account_id", "total", "in_use") == (ACCOUNT, 3, 1)


def test_grants_of_groups_are_rows_of_their_own() -> None:
    grants = [
        {"id": 4, "permission_set": "developer", "project_id": None, "state": 1},
        {"permission_set": "job_admin", "project_id": 5, "state": 1, "account_id": ACCOUNT},
    ]
    group = {"id": 1, "name": "ours", "group_permissions": grants, "sso_mapping_groups": ["a"]}
    account = Account({"v3/groups/": [group, {"id": 2, "group_permissions": None}]})
    outcome = account.sync("dbt_groups", "dbt_group_permissions")
    ((_, query),) = account.asked
    assert query["include_related"] == "group_permissions"
    assert not any("group_permissions" in record for record in outcome.records("dbt_groups"))
    rows = outcome.records("dbt_group_permissions")
    assert [only(r, "group_id", "permission_set") for r in rows] == [
        (1, "developer"),
        (1, "job_admin"),
    ]
    made = rows[1]["id"]
    assert rows[0]["id"] == 4
    assert 0 < made < 2**63
    again = account.sync("dbt_group_permissions").records("dbt_group_permissions")
    assert again[1]["id"] == made, "the same at each sync"


def test_no_secret_of_an_invitation_gets_out() -> None:
    row = {
        "id": 1,
        "email_address": "new@example.com",
        "accept_invite_url": f"https://x.example/{SECRET}",
        "group_ids": [1, 2],
        "account": {"name": "Acme"},
        "groups": [],
    }
    (found,) = Account({"v2/invites/": [row]}).sync("dbt_invites").records("dbt_invites")
    assert found["group_ids"] == [1, 2]
    assert not {"accept_invite_url", "account", "groups"} & found.keys()
