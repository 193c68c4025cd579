"""dbt Cloud: people with their licences, groups and rights; groups with their permissions.

A person's row tells of all accounts that the person is in, as the service's does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part, pick
from cloudapis_simulator.clock import DAY, HOUR, SECOND, spaced, with_t
from cloudapis_simulator.items import ACCOUNTS, Item
from cloudapis_simulator.table import TOTAL, Offsets, Table, Whole
from cloudapis_simulator.values import SECRET, Time, Untold, created, updated
from cloudapis_simulator.world import findings, first_ids
from cloudapis_simulator.world.dbt import SEATS
from cloudapis_simulator.world.people import address_of, name_of, names_of
from cloudapis_simulator.world.things import ACTIVE, Thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.world.dbt import Account

SETS = ("account_admin", "developer", "job_viewer", "stakeholder", "git_admin", "analyst")
LICENSE_TYPES = ("developer", "read_only", "it", "analyst")
"""Kinds of licence that people have."""
_RIGHTS = ("projects_read", "runs_read", "billing_read", "jobs_write", "members_read")
_GROUPS = ("Everyone", "Analysts", "Größe & Co", "Owners", "فريق البيانات", 'The "ops"', "Bots")
_CATEGORIES: tuple[list[str], ...] = (["all"], ["production", "staging"], ["development"], [])


def last_use(item: Item) -> int | None:
    """Return when a person or token was here last: some never, some long ago, others lately."""
    one, now = item.thing, item.now
    if one.number % 9 == 0:
        return None
    at = now - (now - part(one.bits, 9) * SECOND) % (one.number % 9 * DAY)
    if one.number % findings.IDLE.every == 1:
        at = now - now % DAY - (findings.IDLE.days + one.number % 60) * DAY + 9 * HOUR
    return max(min(at, one.deleted_at or at), one.created_at)


_GROUP: dict[str, Any] = {
    "id": lambda it: it.id,
    "account_id": lambda it: it.account.id,
    "name": lambda it: it.named(_GROUPS[it.number]),
    "state": lambda it: it.state,
    "assign_by_default": lambda it: it.number == 0,
    "sso_mapping_groups": lambda it: ["okta-ana", "okta-größe"][: it.number % 3],
}
"""What is told of a group, wherever it is."""

GROUPS = Table(
    stream="dbt_groups",
    path="/api/v3/accounts/{account}/groups/",
    under=ACCOUNTS,
    part="group",
    many=len(_GROUPS),
    first_id=first_ids.GROUPS,
    step=2,
    deleted=lambda number: number in (2, 5),
    late=lambda number: number in (4, 5),
    renamed=lambda number: number == 3,  # noqa: PLR2004
    paging=Offsets(filters=("pk", "pk__in")),
    texts=("name",),
    fields={
        **_GROUP,
        "created_at": created(with_t, spaced),
        "updated_at": updated(with_t, spaced),
        # Who is in it changes from day to day; the row's own table does not know.
        "member_count": lambda it: 3 + it.number,
        "scim_managed": lambda it: it.number == 3,  # noqa: PLR2004
        "group_permissions": Untold([]),
    },
)

GROUP_PERMISSIONS = Table(
    stream="dbt_group_permissions",
    under=GROUPS,
    carried="group_permissions",
    related=True,
    many=lambda group: group.number % 4,
    first_id=20_000,
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "group_id": lambda it: it.parent.id,
        "project_id": lambda it: (
            pick(it.account.projects, it.bits, 3).id if it.number % 2 else None
        ),
        "all_projects": lambda it: it.number % 2 == 0,
        "permission_set": lambda it: pick(SETS, it.bits, 4),
        "permission_level": None,
        "state": lambda it: it.state,
        "writable_environment_categories": lambda it: pick(_CATEGORIES, it.bits, 5),
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
)


def _licence_id(account: Account, person: Thing) -> int:
    return account.offset + 610_000 + person.number


def _licences(user: Item) -> Iterator[Thing]:
    person, account = user.thing, user.account
    bits = Dice(user.world.seed, "licences", account.number).roll(person.number)
    yield Thing(_licence_id(account, person), person.number, person.created_at, None, bits)


def _kind_of(licence: Item | Thing) -> str:
    return pick(LICENSE_TYPES, licence.bits, 4)


def _licences_elsewhere(user: Item) -> Iterator[Item]:
    world = user.world
    for number in world.people.accounts_of(user.thing):
        account = world.accounts[number]
        if account is not user.account:
            there = Item(world, user.thing, Item(world, account))
            for licence in _licences(there):
                yield Item(world, licence, there)


def _all_licences(user: Item) -> dict[str, Any]:
    mine = [Item(user.world, licence, user) for licence in _licences(user)]
    return {
        str(licence.account.id): {
            "id": licence.id,
            "license_type": _kind_of(licence),
        }
        for licence in (*mine, *_licences_elsewhere(user))
    }


def _groups_of(licence: Item) -> list[Thing]:
    """Return the groups of a person in the account of a licence: everyone's, and some more."""
    account = Item(licence.world, licence.account)
    return [
        group.thing
        for group in GROUPS.items(account)
        if group.state == ACTIVE
        and (group.number == 0 or part(licence.bits, group.number) % 4 == 0)
    ]


def _group_elsewhere(licence: Item) -> Iterator[Item]:
    """Yield a group of another account, of which some rows tell in the wrong place."""
    person = licence.parent.thing
    others = [n for n in licence.world.people.accounts_of(person) if n != licence.account.number]
    if others and person.number % 30 == 0:
        account = Item(licence.world, licence.world.accounts[others[0]])
        for group in list(GROUPS.items(account))[-1:]:
            yield Item(licence.world, group.thing, Item(licence.world, licence.thing, account))


_PERSON: dict[str, Any] = {
    "id": lambda it: it.id,
    "first_name": lambda it: names_of(it.thing, it.now)[0],
    "last_name": lambda it: names_of(it.thing, it.now)[1],
    "email": lambda it: address_of(it.thing),
    "email_verified": True,
    "is_active": lambda it: it.number % 11 != 0,
    "is_staff": False,
    "created_at": created(with_t, spaced),
}
"""What is told of a person, in the list and in the detail."""

USERS = Table(
    stream="dbt_users",
    path="/api/v3/accounts/{account}/users/",
    detail="/api/v3/accounts/{account}/users/{user}/",
    under=ACCOUNTS,
    part="user",
    things=lambda above: above.world.people.within(above.account.number),
    paging=TOTAL,
    fields={
        **_PERSON,
        "apitoken_last_used": Time(last_use, (spaced,)),
        "azure_active_directory_connected": False,
        "azure_active_directory_token_retrieval_failure": False,
        "azure_active_directory_username": None,
        "email_connected": lambda it: it.number % 4 == 0,
        "enterprise_connected": lambda it: it.number % 4 != 0,
        "enterprise_authentication_method": lambda it: ("okta", None)[it.number % 4 == 0],
        "github_connected": lambda it: it.number % 2 == 0,
        "github_username": lambda it: f"hub-{it.number}" if it.number % 2 == 0 else None,
        "gitlab_connected": False,
        "gitlab_username": None,
        "last_login": Time(last_use, (with_t, spaced)),
        "sso_only_user": lambda it: it.number % 4 != 0,
        "github_token_retrieval_failure": False,
        "gitlab_token_retrieval_failure": False,
        "show_existing_user_email_verification": Untold(False),
        "auth_provider_infos": Untold({"okta": {"subject": SECRET, "access_token": SECRET}}),
        "licenses": Untold(_all_licences),
        "permissions": Untold([]),
    },
    # Another shape than in the list.
    detail_alone=True,
    detail_fields={
        **_PERSON,
        "updated_at": updated(with_t),
        "fullname": lambda it: name_of(it.thing, it.now),
        "license": Untold(lambda it: _all_licences(it)[str(it.account.id)]),
        "scim_managed": lambda it: it.number % 4 == 1,
    },
)

USER_LICENSES = Table(
    stream="dbt_user_licenses",
    under=USERS,
    carried="permissions",
    things=_licences,
    strangers=_licences_elsewhere,
    key=("account_id", "user_id", "id"),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "user_id": lambda it: it.parent.id,
        "license_type": _kind_of,
        "state": lambda it: it.state,
        "groups": Untold([]),
        # Some releases do not tell.
        "permission_statements": Untold(None),
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
)

USER_GROUPS = Table(
    stream="dbt_user_groups",
    under=USER_LICENSES,
    carried="groups",
    things=_groups_of,
    strangers=_group_elsewhere,
    key=("account_id", "user_id", "group_id"),
    truth={
        "account_id": "account_id",
        "user_id": "user_id",
        "group_id": "id",
        "name": "name",
        "state": "state",
    },
    fields={
        **_GROUP,
        "group_permissions": lambda it: [
            {"permission_set": pick(SETS, it.bits, 6), "project_id": None, "state": 1}
        ],
    },
)


def _right_of(statement: Item) -> tuple[str, int | None]:
    """Return a right and the project that it is for; None is all."""
    place = statement.number % len(_RIGHTS)
    projects = statement.account.projects
    return _RIGHTS[place], None if place % 2 else projects[place % len(projects)].id


USER_PERMISSIONS = Table(
    stream="dbt_user_permissions",
    under=USER_LICENSES,
    carried="permission_statements",
    many=lambda licence: licence.number % (len(_RIGHTS) + 1),
    key=("account_id", "user_id", "permission", "target"),
    fields={
        "permission": lambda it: _right_of(it)[0],
        "target_resource": lambda it: _right_of(it)[1],
        "all_resources": lambda it: _right_of(it)[1] is None,
    },
    more_truth={"target": lambda it: str(_right_of(it)[1] or "all")},
)


def _is_limited(seats: Item) -> bool:
    return seats.number % 2 == 0


def _bought(seats: Item) -> int:
    return tuple(SEATS.values())[seats.number]


def _in_use(seats: Item) -> int:
    """Return how many people of the account have a licence of a kind."""
    kind = tuple(SEATS)[seats.number]
    account = Item(seats.world, seats.account)
    licences = (licence for user in USERS.items(account) for licence in _licences(user))
    return sum(_kind_of(licence) == kind for licence in licences)


def _seats(_account: Item, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a map by type of licence, where the document has a list."""
    return {row.pop("license_type"): row for row in (dict(row) for row in rows)}


LICENSES = Table(
    stream="dbt_licenses",
    path="/api/v2/accounts/{account}/licenses/",
    under=ACCOUNTS,
    many=len(SEATS),
    paging=Whole(shape=_seats),
    key=("account_id", "license_type"),
    fields={
        "license_type": lambda it: tuple(SEATS)[it.number],
        "limited": _is_limited,
        "over_limit": lambda it: _is_limited(it) and _in_use(it) > _bought(it),
        "total": _bought,
        "in_use": _in_use,
        "available": lambda it: max(_bought(it) - _in_use(it), 0),
        "assigned": _in_use,
        "enterprise_plan": True,
    },
)
