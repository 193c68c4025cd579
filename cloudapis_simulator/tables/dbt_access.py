"""dbt Cloud: tokens, invitations, licence rules, restrictions of addresses, SCIM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_simulator.chance import part, pick
from cloudapis_simulator.clock import spaced, with_t
from cloudapis_simulator.items import ACCOUNTS, Item
from cloudapis_simulator.table import ROOM, TOTAL, Offsets, Table, Whole
from cloudapis_simulator.tables.dbt_people import LICENSE_TYPES, SETS, last_use
from cloudapis_simulator.values import SECRET, Secret, Time, Untold, created, updated
from cloudapis_simulator.world import first_ids
from cloudapis_simulator.world.things import Thing

if TYPE_CHECKING:
    from collections.abc import Iterator

_CATEGORIES: tuple[list[str], ...] = (["production"], ["staging"], ["all"], [])
_TWICE_EVERY = 4


def _person(item: Item, index: int) -> int:
    """Return the id of somebody in the account."""
    return item.world.people.somebody(item.account.number, item.bits, index).id


def _credentials_of(token: Item) -> list[int]:
    """Return the ids of the semantic-layer credentials that a token may use."""
    return (
        [token.account.offset + first_ids.SEMANTIC_LAYER_CREDENTIALS + token.number % 5]
        if token.number % 5 == 0
        else []
    )


def _tokens_of(credentials: Item) -> list[int]:
    """Return the ids of the service tokens that may use semantic-layer credentials."""
    return [
        credentials.account.offset + first_ids.SERVICE_TOKENS + 4 * n
        for n in range(credentials.number % 3)
    ]


SERVICE_TOKENS = Table(
    stream="dbt_service_tokens",
    path="/api/v3/accounts/{account}/service-tokens/",
    under=ACCOUNTS,
    part="service_token",
    many=11,
    first_id=first_ids.SERVICE_TOKENS,
    step=4,
    deleted=lambda number: number % 4 == 1,
    late=lambda number: number % 6 in (4, 5),
    renamed=lambda number: number == 2,  # noqa: PLR2004
    # Those that are revoked stay in the list.
    paging=TOTAL,
    fields={
        "id": lambda it: it.id,
        "uid": lambda it: f"tok-{it.uuid[:8]}",
        "account_id": lambda it: it.account.id,
        "name": lambda it: it.named(f'CI "größe" {it.number}'),
        "state": lambda it: it.state,
        "permission_grants": Untold([]),
        "last_used": Time(lambda it: last_use(it) if it.number % 3 else None, (with_t, spaced)),
        "metadata_only": lambda it: it.number == 3,  # noqa: PLR2004
        "webhooks_only": False,
        "semantic_layer_credentials": Untold(
            lambda it: [
                {"id": number, "name": "sl", "values": {"password": SECRET}}
                for number in _credentials_of(it)
            ]
        ),
        # Never in a list of the real service; of a careless release, the more so.
        "token_string": SECRET,
        "token": Secret("dbtu_{}"),
        "created_at": created(with_t, spaced),
        "updated_at": updated(with_t, spaced),
    },
    more_truth={"semantic_layer_credential_ids": _credentials_of},
)


def _grants(token: Item) -> range:
    return range(token.number % 4)


def _granted_twice(token: Item) -> Iterator[Item]:
    """Yield the first grant once more, for other environments: rows of one key."""
    if token.number % _TWICE_EVERY == _TWICE_EVERY - 1:
        for grant in list(SERVICE_TOKEN_GRANTS.items(token))[:1]:
            thing = grant.thing
            again = Thing(thing.id, thing.number, thing.created_at, None, thing.bits + 1)
            yield Item(token.world, again, token)


def _categories(grant: Item) -> list[str]:
    return list(pick(_CATEGORIES, grant.bits, 0)) if grant.number % ROOM else ["production"]


def _project_of(grant: Item) -> int | None:
    """Return the project of a grant; all of them are None."""
    place = grant.number % ROOM
    return grant.account.projects[place % 2].id if place else None


def _is_again(grant: Item) -> bool:
    return any(it.bits == grant.bits for it in _granted_twice(grant.parent))


SERVICE_TOKEN_GRANTS = Table(
    stream="dbt_service_token_grants",
    under=SERVICE_TOKENS,
    carried="permission_grants",
    many=lambda token: len(_grants(token)),
    strangers=_granted_twice,
    key=("account_id", "service_token_id", "permission_set", "scope"),
    fields={
        "permission_set": lambda it: SETS[it.number % ROOM],
        "project_id": _project_of,
        "writable_environment_categories": lambda it: (
            ["staging"] if _is_again(it) else _categories(it)
        ),
    },
    more_truth={
        "scope": lambda it: str(_project_of(it) or "all"),
        # What is granted twice is one row, for the environments of both.
        "writable_environment_categories": lambda it: sorted(
            {
                *_categories(it),
                *(["staging"] if it.number % ROOM == 0 and any(_granted_twice(it.parent)) else []),
            }
        ),
    },
)

INVITES = Table(
    stream="dbt_invites",
    path="/api/v2/accounts/{account}/invites/",
    under=ACCOUNTS,
    many=9,
    first_id=9_100,
    deleted=lambda number: number % 4 == 2,  # noqa: PLR2004
    late=lambda number: number % 3 == 2,  # noqa: PLR2004
    paging=TOTAL,
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "email_address": lambda it: f"invited+{it.number}@example.com",
        "license_type": lambda it: pick(LICENSE_TYPES, it.bits, 3),
        "status": lambda it: 1 + it.number % 5,
        "type": lambda it: ("standard", "scim")[it.number % 4 == 3],  # noqa: PLR2004
        "group_ids": lambda it: [it.account.offset + first_ids.GROUPS + place for place in (0, 6)],
        "redeemed_at": Time(lambda it: it.created_at + 1 if it.number % 5 == 2 else None),  # noqa: PLR2004
        "created_at": created(with_t, spaced),
        "accept_invite_url": Secret("https://cloud.getdbt.com/invite/{}/"),
        "account": Untold(None),
        "groups": Untold(None),
    },
)

LICENSE_MAPS = Table(
    stream="dbt_license_maps",
    path="/api/v3/accounts/{account}/license-maps/",
    under=ACCOUNTS,
    many=4,
    first_id=7_300,
    deleted=lambda number: number == 1,
    late=lambda number: number == 3,  # noqa: PLR2004
    paging=Offsets(filters=("pk",)),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "license_type": lambda it: LICENSE_TYPES[it.number],
        "state": lambda it: it.state,
        "sso_license_mapping_groups": lambda it: ["okta-ana", "okta-größe", "alle"][: it.number],
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
)


def _cidrs(rule: Item) -> list[dict[str, object]]:
    return [
        {
            "id": rule.id * 10 + place,
            "state": 1,
            "ip_restriction_rule_id": rule.id,
            "enabled": place == 0,
            "cidr": f"10.{rule.number}.{place}.0/24",
            "cidr_ipv6": f"2001:db8:{place}::/48" if place else None,
        }
        for place in range(rule.number % 3)
    ]


IP_RESTRICTIONS = Table(
    stream="dbt_ip_restrictions",
    path="/api/v3/accounts/{account}/ip-restrictions/",
    under=ACCOUNTS,
    many=5,
    first_id=3_900,
    deleted=lambda number: number == 1,
    late=lambda number: number % 4 == 1,
    renamed=lambda number: number == 2,  # noqa: PLR2004
    paging=TOTAL,
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "name": lambda it: it.named(("Büro", "VPN", "CI “runners”")[it.number % 3]),
        "type": lambda it: 1 + it.number % 2,
        "state": lambda it: it.state,
        "ip_restriction_rule_set_id": lambda it: it.account.offset + 3_800,
        "rule_set_enabled": True,
        "enabled_for_service_tokens": lambda it: it.number % 2 == 0,
        "description": lambda it: "" if it.number % 2 else "Second floor,\n“north”",
        "cidrs": _cidrs,
        "created_by_id": lambda it: None if it.number % 4 == 3 else _person(it, 5),  # noqa: PLR2004
        "created_by_service_token_id": lambda it: (
            it.account.offset + 5_100 if it.number % 4 == 3 else None  # noqa: PLR2004
        ),
        "created_at": created(with_t, spaced),
        "updated_at": updated(with_t, spaced),
    },
)

SCIM_CONFIG = Table(
    stream="dbt_scim_config",
    path="/api/v3/accounts/{account}/scim-config/",
    under=ACCOUNTS,
    many=1,
    paging=Whole(single=True),
    key=("account_id",),
    fields={
        "enabled": lambda it: it.account.number % 2 == 0,
        "manual_updates_allowed": True,
        "scim_controlled_license_type": lambda it: part(it.bits, 3) % 2 == 0,
    },
)

SCIM_TOKENS = Table(
    stream="dbt_scim_tokens",
    path="/api/v3/accounts/{account}/scim-config/tokens/",
    under=ACCOUNTS,
    many=3,
    first_id=5_900,
    deleted=lambda number: number == 1,
    late=lambda number: number == 1,
    paging=TOTAL,
    fields={
        "id": lambda it: it.id,
        "name": lambda it: f"Okta {it.number}",
        "created_at": created(with_t),
        "last_used": Time(last_use),
        "token_string": Secret("dbts_{}"),
    },
)

SEMANTIC_LAYER_CREDENTIALS = Table(
    stream="dbt_semantic_layer_credentials",
    path="/api/v3/accounts/{account}/semantic-layer-credentials/",
    under=ACCOUNTS,
    many=6,
    first_id=first_ids.SEMANTIC_LAYER_CREDENTIALS,
    deleted=lambda number: number % 4 == 2,  # noqa: PLR2004
    late=lambda number: number in (2, 3),
    renamed=lambda number: number == 4,  # noqa: PLR2004
    paging=Offsets(filters=("pk", "project_id"), limit=False),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "project_id": lambda it: it.account.projects[it.number % 2].id,
        "adapter_version": "snowflake_v0",
        "schema_type": "semantic_layer_credentials",
        "name": lambda it: it.named(f"Semantik {it.number}"),
        "values": Untold({"user": "loader", "role": "r", "password": SECRET, "schema": "x"}),
        "state": lambda it: it.state,
        "service_tokens": Untold(
            lambda it: [
                {
                    "id": number,
                    "account_id": it.account.id,
                    "uid": f"tok-{it.uuid[:8]}",
                    "name": "t",
                    "token_string": SECRET,
                }
                for number in _tokens_of(it)
            ]
        ),
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
    more_truth={"service_token_ids": _tokens_of},
)
