"""dbt Cloud: whom an account tells of its runs, and how it reaches warehouses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cloudapis_simulator.chance import Dice, ksuid, part
from cloudapis_simulator.clock import DAY, SECOND, rfc3339, spaced, with_t
from cloudapis_simulator.items import ACCOUNTS, Item
from cloudapis_simulator.table import UNORDERED, Offsets, Table
from cloudapis_simulator.values import SECRET, Secret, Told, Untold, created, updated
from cloudapis_simulator.world import first_ids
from cloudapis_simulator.world.plan import STATUS_NAMES, SUCCESS, Plan
from cloudapis_simulator.world.things import Thing

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENT_RETENTION = 30 * DAY
_STARTED, _COMPLETED, _ERRORED = "job.run.started", "job.run.completed", "job.run.errored"
_KINDS = ([_COMPLETED], [_STARTED, _COMPLETED, _ERRORED], [_ERRORED])


def _jobs(item: Item, index: int) -> list[int]:
    """Return the ids of some jobs of the account, of none for every third thing."""
    jobs = item.account.jobs[index : index + item.number % 3]
    return [job.id for job in jobs]


NOTIFICATIONS = Table(
    stream="dbt_notifications",
    path="/api/v2/accounts/{account}/notifications/",
    under=ACCOUNTS,
    many=8,
    first_id=4_400,
    deleted=lambda number: number % 5 == 1,
    late=lambda number: number % 3 == 0,
    paging=Offsets(filters=("pk", "user_id", "type")),
    texts=("external_email", "slack_channel_id"),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "user_id": lambda it: it.world.people.somebody(it.account.number, it.bits, 3).id,
        "type": lambda it: (1, 2, 4)[it.number % 3],
        "external_email": lambda it: (
            f"alarm+{it.number}@example.com"
            if it.number % 3 == 2  # noqa: PLR2004
            else None
        ),
        "slack_channel_id": lambda it: f"C0{it.number}" if it.number % 3 == 1 else None,
        "slack_channel_name": lambda it: "#dätën" if it.number % 3 == 1 else None,
        "on_cancel": lambda it: _jobs(it, 0),
        "on_failure": lambda it: _jobs(it, 1),
        "on_success": [],
        "on_warning": lambda it: _jobs(it, 2),
        "state": lambda it: it.state,
        "created_at": created(with_t, spaced),
        "updated_at": updated(with_t, spaced),
        "user": Untold(None),
    },
)


def _micros(at: int) -> str:
    """Write a time as webhooks do: microseconds, as text."""
    return str(at)


def _subscription_id(item: Item) -> str:
    return f"wsu_{ksuid(item.created_at // SECOND, item.bits)}"


def _act(item: Item) -> str:
    return f"act_{item.account.offset + 1042:x}"


_HOOKS = (
    ("https://hooks.slack.com/services/T0/B0/{}", "https://hooks.slack.com"),
    ("https://example.com/hooks/{}?key=1", "https://example.com"),
    ("https://user:{}@hooks.example.org/in", "https://hooks.example.org"),
)


def _code(webhook: Item) -> str:
    return ("200", "0", "410")[webhook.number % 3]


WEBHOOKS = Table(
    stream="dbt_webhooks",
    path="/api/v3/accounts/{account}/webhooks/subscriptions",
    under=ACCOUNTS,
    part="subscription",
    many=13,
    first_id=1,
    deleted=lambda number: number % 6 == 4,  # noqa: PLR2004
    late=lambda number: number % 6 in (4, 5),
    renamed=lambda number: number == 2,  # noqa: PLR2004
    paging=Offsets(state=False, orders=(), size=10, terse=True),
    fields={
        "id": _subscription_id,
        "account_identifier": _act,
        "name": lambda it: it.named(f"Chat “{it.number}”"),
        "description": lambda it: "" if it.number % 2 else "Says\nwhen runs end",
        "job_ids": Told(lambda it: [str(n) for n in _jobs(it, 0)], lambda it: _jobs(it, 0)),
        "event_types": lambda it: list(_KINDS[it.number % 3]),
        "client_url": Told(
            lambda it: Secret(_HOOKS[it.number % 3][0]), lambda it: _HOOKS[it.number % 3][1]
        ),
        "active": lambda it: it.number % 4 != 3,  # noqa: PLR2004
        "created_at": created(_micros),
        "updated_at": updated(_micros),
        "account_id": Told(lambda it: str(it.account.id), lambda it: it.account.id),
        "http_status_code": Told(_code, lambda it: int(_code(it))),
        "hmac_secret": SECRET,
        "deactivate_reason": lambda it: "" if it.number % 4 != 3 else "too many “410”",  # noqa: PLR2004
    },
)


def _events(webhook: Item) -> Iterator[Thing]:
    """Yield the deliveries of a webhook that are still kept, newest first.

    A delivery has the number of its run and of its place in it, so that nothing is remembered.
    """
    world, now = webhook.world, webhook.now
    runs = world.runs[webhook.account.id]
    jobs, kinds = _jobs(webhook, 0), _KINDS[webhook.number % 3]
    oldest = max(now - _EVENT_RETENTION, webhook.created_at)
    dice = Dice(world.seed, "deliveries", webhook.id)
    found = []
    first = runs.first_created_from(oldest - 2 * DAY)
    for number in range(max(first, runs.kept(now).start), runs.kept(now).stop):
        plan = runs.plan(number)
        if jobs and plan.job.id not in jobs:
            continue
        for place, at in enumerate(_moments(plan)):
            kind = _kind(plan, place)
            if at is not None and oldest <= at <= now and kind in kinds:
                event = 2 * number + place
                found.append(Thing(event, event, at, None, dice.roll(event)))
    return iter(sorted(found, key=lambda thing: (thing.created_at, thing.id), reverse=True))


def _moments(plan: Plan) -> tuple[int | None, int | None]:
    return plan.started_at, plan.ended_at if plan.started_at else None


def _kind(plan: Plan, place: int) -> str:
    if place == 0:
        return _STARTED
    return _COMPLETED if plan.outcome == SUCCESS else _ERRORED


def _event_id(event: Item) -> str:
    # The second of a KSUID is all that sorts; within it the number of the event does.
    bits = event.number << 64 | event.bits & (1 << 64) - 1
    return f"wev_{ksuid(event.created_at // SECOND, bits)}"


def _plan(event: Item) -> Plan:
    return event.world.runs[event.account.id].plan(event.number // 2)


def _status(event: Item) -> str:
    return "Running" if event.number % 2 == 0 else STATUS_NAMES[_plan(event).outcome]


def _payload(event: Item) -> str:
    """Return what is sent, as text; it names people."""
    plan = _plan(event)
    return json.dumps(
        {
            "accountId": event.account.id,
            "webhookId": _subscription_id(event.parent),
            "eventId": _event_id(event),
            "timestamp": rfc3339(event.created_at),
            "eventType": _kind(plan, event.number % 2),
            "webhookName": "Chat",
            "data": {
                "jobId": str(plan.job.id),
                "jobName": plan.job.name,
                "runId": str(plan.id),
                "runStatus": _status(event),
                "runStatusCode": plan.outcome if event.number % 2 else 3,
                "runReason": f"Kicked off from UI by {SECRET.answer(event)}@example.com",
                "projectId": str(plan.job.project.id),
                "environmentId": str(plan.job.environment.id),
            },
        }
    )


WEBHOOK_EVENTS = Table(
    stream="dbt_webhook_events",
    path="/api/v3/accounts/{account}/webhooks/subscription/{subscription}/events",
    under=WEBHOOKS,
    things=_events,
    paging=Offsets(state=False, orders=(), limit=False, terse=True),
    fields={
        "id": _event_id,
        "subscription_id": lambda it: _subscription_id(it.parent),
        "account_identifier": _act,
        "job_id": Told(lambda it: str(_plan(it).job.id), lambda it: _plan(it).job.id),
        "trigger_event_type": lambda it: _kind(_plan(it), it.number % 2),
        "payload": Untold(_payload),
        "http_status_code": Told(
            lambda it: ("200", "500")[part(it.bits, 3) % 16 == 0],
            lambda it: (200, 500)[part(it.bits, 3) % 16 == 0],
        ),
        "account_id": Told(lambda it: str(it.account.id), lambda it: it.account.id),
    },
    more_truth={
        "run_id": lambda it: _plan(it).id,
        "event_time": lambda it: rfc3339(it.created_at),
        "run_status": _status,
    },
)

PRIVATE_ENDPOINTS = Table(
    stream="dbt_private_endpoints",
    path="/api/v3/accounts/{account}/private-endpoints/",
    under=ACCOUNTS,
    many=4,
    deleted=lambda number: number == 2,  # noqa: PLR2004
    late=lambda number: number in (2, 3),
    renamed=lambda number: number == 1,
    paging=UNORDERED,
    texts=("type",),
    fields={
        "id": lambda it: ksuid(it.created_at // SECOND, it.bits),
        "account_id": lambda it: it.account.id,
        "state": lambda it: it.state,
        "name": lambda it: it.named(f"Endpunkt {it.number}"),
        "type": lambda it: ("snowflake", "redshift")[it.number % 2],
        "private_link_endpoint": "com.amazonaws.vpce.eu-west-1.vpce-svc-0",
        "cidr_range": lambda it: None if it.number % 2 else "10.1.0.0/16",
        "egress_cidr": None,
        "endpoint_identifier": lambda it: f"vpce-{it.number:08x}",
        "endpoint_state": "available",
        "connectivity_status": lambda it: ("ok", "failed")[it.number % 2],
        "connection_count": lambda it: it.number,
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
)

SSH_TUNNELS = Table(
    stream="dbt_ssh_tunnels",
    path="/api/v2/accounts/{account}/encryptions/",
    under=ACCOUNTS,
    many=3,
    first_id=8_800,
    deleted=lambda number: number == 1,
    late=lambda number: number == 2,  # noqa: PLR2004
    paging=Offsets(filters=("pk", "connection_id"), orders=("id",)),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "connection_id": lambda it: it.account.offset + first_ids.CONNECTIONS + it.number,
        "username": "tunnel",
        "port": 22,
        "hostname": lambda it: f"bastion-{it.number}.example.com",
        "public_key": lambda it: f"ssh-ed25519 AAAA{it.uuid} dbt",
        "private_key": Secret("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n"),
        "state": lambda it: it.state,
    },
)

OAUTH_CONFIGURATIONS = Table(
    stream="dbt_oauth_configurations",
    path="/api/v3/accounts/{account}/oauth-configurations/",
    under=ACCOUNTS,
    many=4,
    first_id=first_ids.OAUTH_CONFIGURATIONS,
    # Without a field for it, whether one is deleted is told by the filter alone.
    deleted=lambda number: number == 1,
    late=lambda number: number == 3,  # noqa: PLR2004
    renamed=lambda number: number == 2,  # noqa: PLR2004
    paging=Offsets(filters=("pk",)),
    texts=("client_id", "type"),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "type": lambda it: ("entra", "okta", "ping", "other")[it.number],
        "name": lambda it: it.named(f"Sign-in {it.number}"),
        "extra_data": lambda it: {"application_id_uri": "api://dbt"} if it.number == 0 else None,
        "client_id": lambda it: f"client-{it.uuid}",
        "client_secret": SECRET,
        "authorize_url": "https://login.example.com/authorize",
        "token_url": "https://login.example.com/token",
        "redirect_uri": "https://cloud.getdbt.com/complete/oauth",
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
)
