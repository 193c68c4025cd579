"""Pulumi Cloud: resources in the search index, those of stacks and those that were discovered."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import uuid
from cloudapis_simulator.clock import DAY, moment
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import Table
from cloudapis_simulator.tables.pulumi_teams import ACCOUNTS
from cloudapis_simulator.values import SECRET, Time, Untold
from cloudapis_simulator.world.things import Thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.items import Item
    from cloudapis_simulator.world.stacks import Stack

Row = dict[str, Any]

_TYPES = ("aws:s3/bucket:Bucket", "random:index/randomId:RandomId", "pulumi:pulumi:Stack")
_MOST_STACKS = 10
_DISCOVERED = 2  # in each account
_BEHIND = 1000


def nanos(at: int) -> str:
    """Write a moment with nine decimals."""
    return moment(at).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"


def _stacks(above: Item) -> list[Stack]:
    return above.organization.stacks.listed(above.now)[:_MOST_STACKS]


def _things(above: Item) -> Iterator[Thing]:
    dice = above.dice("resources")
    managed = range(len(_stacks(above)) * len(_TYPES))
    discovered = range(_BEHIND, _BEHIND + len(ACCOUNTS) * _DISCOVERED)
    for number in (*managed, *discovered):
        made = above.now - above.now % DAY - 100 * DAY
        yield Thing(number, number, made, None, dice.roll(number))


def _stack(it: Item) -> Stack:
    return _stacks(it.parent)[it.number // len(_TYPES)]


def _is_managed(it: Item) -> bool:
    return it.number < _BEHIND


def _account(it: Item) -> str | None:
    if _is_managed(it):
        return None
    return ACCOUNTS[(it.number - _BEHIND) // _DISCOVERED]


def _id(it: Item) -> str:
    return uuid(it.bits) if it.number % len(_TYPES) != 2 else ""  # noqa: PLR2004


def _urn(it: Item) -> str:
    kind = _TYPES[it.number % len(_TYPES)]
    if not _is_managed(it):
        return f"urn:pulumi:insights::aws::{kind}::größe-{it.number}"
    stack = _stack(it)
    return f"urn:pulumi:{stack.name}::{stack.project}::{kind}::größe-{it.number}"


def _key(it: Item) -> str:
    managed = _is_managed(it)
    project, stack = (_stack(it).project, _stack(it).name) if managed else ("", "")
    identity = [_account(it) or "", project, stack, _urn(it), _id(it)]
    text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _place(it: Item) -> Row:
    if _is_managed(it):
        return {"project": _stack(it).project, "stack": _stack(it).name}
    return {"account": _account(it)}


def _parent(it: Item) -> Row:
    """Return what a resource is grouped under, under one of two names."""
    name = ("parent.urn", "parent_urn")[it.number // 2 % 2]
    return {name: f"{_urn(it)}-parent"} if it.number % 2 else {}


RESOURCES = Table(
    stream="pulumi_resources",
    under=ORGANIZATIONS,
    key=("org_name", "resource_key"),
    things=_things,
    more_truth={
        "resource_key": _key,
        "parent_urn": lambda it: f"{_urn(it)}-parent" if it.number % 2 else None,
        "project": lambda it: _stack(it).project if _is_managed(it) else None,
        "stack": lambda it: _stack(it).name if _is_managed(it) else None,
        "account": _account,
    },
    fields={
        "urn": _urn,
        "id": _id,
        "name": lambda it: f"größe-{it.number}",
        "type": lambda it: _TYPES[it.number % len(_TYPES)],
        "module": lambda it: _TYPES[it.number % len(_TYPES)].split(":")[1],
        "package": lambda it: _TYPES[it.number % len(_TYPES)].split(":")[0],
        "managed": lambda it: "managed" if _is_managed(it) else "discovered",
        "custom": lambda it: it.number % len(_TYPES) != 2,  # noqa: PLR2004
        "protected": lambda it: it.number % 4 == 0,
        "dependencies": lambda it: [_urn(it)] if it.number % 2 else [],
        "created": Time(lambda it: it.created_at, (nanos,)),
        "modified": Time(lambda it: it.now - it.now % DAY, (nanos,)),
        "matches": Untold({"name": [{"value": SECRET}]}),
        "metadata": {"Cost-Center": "1", "apiKey": SECRET},
    },
    spread=lambda it: _place(it) | _parent(it),
)
