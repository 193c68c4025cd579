"""Pulumi Cloud: policy groups with what is in them, and policy packs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part, uuid
from cloudapis_simulator.items import ORGANIZATIONS, Item
from cloudapis_simulator.table import WHOLE, Table
from cloudapis_simulator.values import SECRET
from cloudapis_simulator.world.things import Thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.world.stacks import Stack

GROUPS = ("default-policy-group", "prod / eu", "accounts-größe")
PACKS = ("aws-guard", "Cost & Tags", "hitrust", "internal-rules")
_OF_ACCOUNTS = 2
_ACCOUNTS = ("aws prod", "gcp/eu")


def stacks_in(group: Item) -> list[Stack]:
    """Return the stacks in a group at present."""
    stacks = group.organization.stacks.listed(group.now)
    if group.number == _OF_ACCOUNTS:
        return []
    return [one for one in stacks if one.number % 2 == 0 or group.number == 0]


def packs_in(group: Item) -> range:
    """Return the numbers of the packs that a group enforces."""
    return range(group.number, group.number + 2)


def _stacks(above: Item) -> Iterator[Thing]:
    for number, stack in enumerate(stacks_in(above)):
        yield Thing(stack.number, number, above.created_at, None, number)


def _stack(item: Item) -> Stack:
    return stacks_in(item.parent)[item.number]


def _accounts(above: Item) -> Iterator[Thing]:
    if above.number == _OF_ACCOUNTS:
        for number in range(len(_ACCOUNTS)):
            yield Thing(number, number, above.created_at, None, above.bits)


def _packs(above: Item) -> Iterator[Thing]:
    for number in packs_in(above):
        yield Thing(number, number, above.created_at, None, above.bits >> number)


def _pool(item: Item) -> str:
    return uuid(Dice(item.world.seed, "pool").roll(item.organization.number))


def _on_premises(group: Item) -> bool:
    return group.number == 1


POLICY_GROUPS = Table(
    stream="pulumi_policy_groups",
    path="/api/orgs/{org}/policygroups",
    under=ORGANIZATIONS,
    many=len(GROUPS),
    paging=WHOLE,
    rows_in="policyGroups",
    key=("org_name", "name"),
    part="policy_group",
    named_by="name",
    detail="/api/orgs/{org}/policygroups/{policy_group}",
    fields={
        "name": lambda it: GROUPS[it.number],
        "entityType": lambda it: "accounts" if it.number == _OF_ACCOUNTS else "stacks",
        "mode": lambda it: ("preventative", "audit")[it.number % 2],
        "isOrgDefault": lambda it: it.number == 0,
        "numStacks": lambda it: len(stacks_in(it)),
        "numAccounts": lambda it: len(_ACCOUNTS) if it.number == _OF_ACCOUNTS else 0,
        "numEnabledPolicyPacks": lambda it: len(packs_in(it)),
    },
    detail_fields={"agentPoolId": lambda it: _pool(it) if _on_premises(it) else ""},
    more_truth={"agent_pool_id": lambda it: _pool(it) if _on_premises(it) else None},
)

POLICY_GROUP_STACKS = Table(
    stream="pulumi_policy_group_stacks",
    under=POLICY_GROUPS,
    carried="stacks",
    detailed=True,
    things=_stacks,
    key=("org_name", "policy_group_name", "project_name", "stack_name"),
    fields={
        "name": lambda it: _stack(it).name,
        "routingProject": lambda it: _stack(it).project,
    },
    truth={
        "org_name": "org_name",
        "policy_group_name": "policy_group_name",
        "project_name": "routingProject",
        "stack_name": "name",
    },
)

POLICY_GROUP_ACCOUNTS = Table(
    stream="pulumi_policy_group_accounts",
    under=POLICY_GROUPS,
    carried="accounts",
    detailed=True,
    bare="accountName",
    things=_accounts,
    key=("org_name", "policy_group_name", "account_name"),
    fields={"accountName": lambda it: _ACCOUNTS[it.number]},
)

POLICY_GROUP_PACKS = Table(
    stream="pulumi_policy_group_packs",
    under=POLICY_GROUPS,
    carried="appliedPolicyPacks",
    detailed=True,
    things=_packs,
    key=("org_name", "policy_group_name", "name", "version"),
    fields={
        "name": lambda it: PACKS[it.number],
        "displayName": lambda it: PACKS[it.number].title() if it.number % 2 else "",
        "version": lambda it: 1 + part(it.bits, 3) % 20,
        "versionTag": lambda it: f"0.{part(it.bits, 3) % 20}.1",
        "config": {
            "require-tags": {"requiredTags": ["Owner", "costCenter"]},
            "Ask.Upstream": {"enforcementLevel": "advisory", "apiToken": SECRET},
        },
        "environments": lambda it: ["website/shared"] if it.number % 2 else [],
    },
)


def _versions(pack: Item) -> range:
    return range(1, 2 + pack.number * 2)


def registered(pack: Item) -> list[dict[str, Any]]:
    """Return what the registry has under the name of a pack: nothing, one or several packs."""
    publishers = ("pulumi", pack.organization.login)
    return [
        {
            "id": uuid(pack.bits >> number),
            "name": PACKS[pack.number],
            "displayName": PACKS[pack.number].title(),
            "source": "private" if number else "pulumi",
            "publisher": publishers[number],
            "version": "1.0.0",
            "accessLevel": "full" if number else "view-only",
            "enforcementLevels": ["advisory", "mandatory"],
        }
        for number in ((), (0,), (0, 1), (1,))[pack.number]
    ]


def _registered(name: str) -> Any:
    def of(pack: Item) -> Any:
        found = registered(pack)
        return found[0][name] if len(found) == 1 else None

    return of


POLICY_PACKS = Table(
    stream="pulumi_policy_packs",
    path="/api/orgs/{org}/policypacks",
    under=ORGANIZATIONS,
    many=len(PACKS),
    paging=WHOLE,
    rows_in="policyPacks",
    key=("org_name", "name"),
    fields={
        "name": lambda it: PACKS[it.number],
        "displayName": lambda it: PACKS[it.number].title(),
        "versions": lambda it: list(_versions(it)),
        "versionTags": lambda it: [
            f"0.{number}.0" if number % 3 else "" for number in _versions(it)
        ],
    },
    more_truth={
        "source": _registered("source"),
        "publisher": _registered("publisher"),
        "access_level": _registered("accessLevel"),
    },
)
