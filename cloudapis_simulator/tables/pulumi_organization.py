"""Pulumi Cloud: what an organization has set up, and what it has deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import uuid
from cloudapis_simulator.clock import BEGINNING, DAY, MINUTE, SECOND, rfc3339
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import WHOLE, Table
from cloudapis_simulator.values import SECRET, Secret, Time, Told, Untold, seconds
from cloudapis_simulator.world.things import Thing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudapis_simulator.items import Item
    from cloudapis_simulator.world.stacks import Stack, Update

Row = dict[str, Any]

_MOST_DELETED = 25
_LONG_DELETED = 3


def _in_turns(at: Callable[[Item], int | None]) -> Time:
    """Return the field of a moment that comes in seconds or in milliseconds."""
    forms = (lambda moment: moment // SECOND, lambda moment: moment // SECOND * 1000)
    return Time(at, forms, SECOND)


def _is_online(it: Item) -> bool:
    return it.number % 3 != 2  # noqa: PLR2004


AGENT_POOLS = Table(
    stream="pulumi_agent_pools",
    path="/api/orgs/{org}/agent-pools",
    under=ORGANIZATIONS,
    paging=WHOLE,
    rows_in="agentPools",
    key=("org_name", "id"),
    many=4,
    late=lambda number: number % 2 == 1,
    renamed=lambda number: number == 0,
    beside=lambda above: {"defaultAgentPoolID": _default_pool(above)},
    fields={
        "id": lambda it: it.uuid,
        "name": lambda it: it.named(f"runners “{it.number}”"),
        "description": lambda it: "" if it.number % 2 else "In our own network 🏢",
        "status": lambda it: "online" if _is_online(it) else "offline",
        "isDefault": lambda it: it.number == 0,
        "created": _in_turns(lambda it: it.created_at),
        "lastSeen": _in_turns(
            lambda it: it.now - MINUTE if _is_online(it) else it.created_at + DAY
        ),
        "lastDeployment": _in_turns(
            lambda it: it.now - it.now % DAY if it.number % 2 == 0 else None
        ),
        "tokenValue": SECRET,
    },
)


def _default_pool(above: Item) -> str:
    return next(AGENT_POOLS.items(above)).uuid


WEBHOOKS = Table(
    stream="pulumi_organization_webhooks",
    path="/api/orgs/{org}/hooks",
    under=ORGANIZATIONS,
    paging=WHOLE,
    key=("org_name", "name"),
    many=4,
    deleted=lambda number: number == 2,  # noqa: PLR2004
    late=lambda number: number % 2 == 0,
    renamed=lambda number: number == 1,
    more_truth={"payload_host": lambda it: f"hooks-{it.number}.example.com:8443"},
    fields={
        "name": lambda it: f"hook/{it.number} ü",
        "displayName": lambda it: it.named("Chat “ops”"),
        "organizationName": Untold(lambda it: it.organization.login),
        "active": lambda it: it.number != 1,
        "format": lambda it: ("raw", "slack", "ms_teams")[it.number % 3],
        "filters": lambda it: ["stack_created", "update_failed"][: it.number % 3],
        "groups": lambda it: [] if it.number % 2 else ["stacks"],
        "hasSecret": lambda it: it.number % 2 == 0,
        "secretCiphertext": SECRET,
        "payloadUrl": Untold(
            lambda it: Secret(f"https://user:{{0}}@hooks-{it.number}.example.com:8443/in/{{0}}")
        ),
    },
)


def _deleted(above: Item) -> Iterator[Thing]:
    """Yield the stacks that were deleted last; some were so before the history begins."""
    dice = above.dice("deleted_stacks")
    ends = [BEGINNING - (_LONG_DELETED - n) * DAY for n in range(_LONG_DELETED)]
    ends += [stack.died_at or 0 for stack in above.organization.stacks.deleted(above.now)]
    for number, end in [*enumerate(ends)][-_MOST_DELETED:]:
        yield Thing(number, number, end, None, dice.roll(number))


def _life(it: Item) -> Stack | None:
    lives = it.organization.stacks.deleted(it.now)
    return lives[it.number - _LONG_DELETED] if it.number >= _LONG_DELETED else None


def _last(it: Item) -> Update | None:
    stack = _life(it)
    count = stack.count(it.created_at) if stack else 0
    return stack.update(count) if stack and count else None


def _last_update(it: Item) -> Row:
    stack, last = _life(it), _last(it)
    if stack is None or last is None:
        return {"result": "succeeded", "startTime": 0, "endTime": 0, "resourceCount": 2}
    is_open = last.is_open(it.created_at)
    return {
        "result": last.result(it.created_at),
        "startTime": last.started_at // SECOND,
        "endTime": 0 if is_open or last.ended_at is None else last.ended_at // SECOND,
        "resourceCount": stack.resource_count(it.created_at),
    }


def _moment(it: Item, name: str) -> Told:
    at = _last_update(it)[name]
    return Told(at, rfc3339(at * SECOND) if at else None)


DELETED_STACKS = Table(
    stream="pulumi_deleted_stacks",
    path="/api/orgs/{org}/restore-stack",
    under=ORGANIZATIONS,
    paging=WHOLE,
    rows_in="deletedStacks",
    key=("org_name", "id"),
    things=_deleted,
    more_truth={
        "last_update_result": lambda it: _last_update(it)["result"],
        "last_update_start_time": lambda it: _moment(it, "startTime"),
        "last_update_end_time": lambda it: _moment(it, "endTime"),
        "last_update_resource_count": lambda it: _last_update(it)["resourceCount"],
    },
    fields={
        "id": lambda it: it.uuid,
        "programId": lambda it: stack.id if (stack := _life(it)) else uuid(it.bits >> 7),
        "projectName": lambda it: stack.project if (stack := _life(it)) else "website",
        "stackName": lambda it: stack.name if (stack := _life(it)) else f"old-{it.number}",
        "version": lambda it: last.version if (last := _last(it)) else 0,
        "deletedAt": seconds(lambda it: it.created_at),
        "lastUpdate": Untold(_last_update),
    },
)
_SOURCE = "https://git.example.com/templates/größe"
TEMPLATE_SOURCES = Table(
    stream="pulumi_template_sources",
    path="/api/orgs/{org}/templates/sources",
    under=ORGANIZATIONS,
    paging=WHOLE,
    rows_in="sources",
    key=("org_name", "id"),
    many=3,
    late=lambda number: number == 1,
    renamed=lambda number: number == 2,  # noqa: PLR2004
    fields={
        "id": lambda it: it.uuid,
        "name": lambda it: it.named(f"Templates {it.number}"),
        "sourceURL": Told(
            lambda it: (
                Secret("https://ci:{}@git.example.com/templates/größe?private_token=x")
                if it.number % 2
                else _SOURCE
            ),
            _SOURCE,
        ),
        "destinationURL": Told(
            Secret("https://git.example.com/out?key={}"),
            "https://git.example.com/out",
        ),
        "destination": Untold({"url": Secret("https://git.example.com/out?key={}")}),
        "isValid": lambda it: it.number != 1,
        "error": Told(
            lambda it: "" if it.number != 1 else "authentication failed",
            lambda it: None if it.number != 1 else "authentication failed",
        ),
    },
)
