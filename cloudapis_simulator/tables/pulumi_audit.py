"""Pulumi Cloud: the audit log, newest first; some events are alike in all that they tell."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part, pick, uuid
from cloudapis_simulator.clock import BEGINNING, DAY, HOUR, SECOND
from cloudapis_simulator.items import ORGANIZATIONS, Item
from cloudapis_simulator.table import Table, Tokens
from cloudapis_simulator.values import seconds
from cloudapis_simulator.world.things import Thing
from cloudapis_simulator.world.timeline import Timeline
from cloudapis_simulator.world.updates import person

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETENTION = 60 * DAY
_FIRST = BEGINNING - 400 * DAY
_PACE = 9 * HOUR
_EVENTS = (
    ("stack-update-started", "Stack update started for “website/prod”."),
    ("member-added", 'Member "山田 太郎" was added.'),
    ("Stack Deleted", "Stack k8s.cluster/Dev-Ana was deleted."),
    ("access-token-created", "Access token “CI” was created."),
    ("environment-secret-changed", "A secret that ends in …c2ltdWxh was changed."),
)


def _events(above: Item) -> Iterator[Thing]:
    """Yield what is kept of the log; every ninth event comes twice."""
    dice, now = Dice(above.world.seed, "pulumi audit", above.organization.login), above.now
    times = Timeline(dice, 0, _PACE, begin=_FIRST, end=_FIRST)
    for number in range(times.until(now), times.until(now - _RETENTION), -1):
        at, bits = times.at(number), dice.roll(number)
        for twin in range(2 if number % 9 == 0 else 1):
            yield Thing(2 * number + twin, 2 * number + twin, at, None, bits)


def _some(event: Item) -> dict[str, Any]:
    """Return the fields that only some events have."""
    fields: dict[str, Any] = {}
    if part(event.bits, 3) % 3 == 0:
        fields |= {"tokenID": uuid(event.bits >> 2), "tokenName": "ci-deploy"}
    if part(event.bits, 4) % 4 == 0:
        fields |= {"actorName": "deploy token", "actorUrn": f"urn:pulumi:token:{event.bits % 99}"}
    if part(event.bits, 5) % 5 == 0:
        fields |= {"reqOrgAdmin": True, "reqStackAdmin": False}
    if part(event.bits, 6) % 20 == 0:
        fields["authFailure"] = True
    return fields


def _only(name: str) -> Any:
    return lambda it: _some(it).get(name)


def _user(event: Item) -> dict[str, Any]:
    return person(part(event.bits, 8) % 60)


def _kind(event: Item) -> tuple[str, str]:
    return pick(_EVENTS, event.bits, 7)


def _address(event: Item) -> str:
    return f"203.0.113.{part(event.bits, 9) % 250}"


def _hash(event: Item) -> str:
    """Return what tells an event from others, and from those that are like it."""
    some = _some(event)
    told = [event.created_at // SECOND, *_kind(event), _address(event), _user(event)["githubLogin"]]
    told += [some.get(name) for name in ("tokenID", "actorUrn", "authFailure")]
    text = json.dumps(told, separators=(",", ":"))
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits}-2" if event.number % 2 else digits


AUDIT_LOGS = Table(
    stream="pulumi_audit_logs",
    path="/api/orgs/{org}/auditlogs/v2",
    under=ORGANIZATIONS,
    things=_events,
    paging=Tokens(40, bounds=("startTime", "endTime")),
    rows_in="auditLogEvents",
    key=("org_name", "event_hash"),
    spread=_some,
    fields={
        "timestamp": seconds(lambda it: it.created_at),
        "sourceIP": _address,
        "event": lambda it: _kind(it)[0],
        "description": lambda it: _kind(it)[1],
        "user": _user,
    },
    more_truth={
        "event_hash": _hash,
        "user_login": lambda it: _user(it)["githubLogin"],
        "token_id": _only("tokenID"),
        "token_name": _only("tokenName"),
        "actor_name": _only("actorName"),
        "actor_urn": _only("actorUrn"),
        "req_org_admin": _only("reqOrgAdmin"),
        "req_stack_admin": _only("reqStackAdmin"),
        "auth_failure": _only("authFailure"),
    },
)
