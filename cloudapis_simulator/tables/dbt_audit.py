"""dbt Cloud: the audit log, with events in the form of today and in that of 2022."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part, pick, uuid
from cloudapis_simulator.clock import BEGINNING, DAY, HOUR, SECOND, rfc3339, spaced
from cloudapis_simulator.items import ACCOUNTS, Item
from cloudapis_simulator.table import Days, Offsets, Table
from cloudapis_simulator.values import SECRET, Time
from cloudapis_simulator.world import first_ids
from cloudapis_simulator.world.people import name_of
from cloudapis_simulator.world.things import Thing
from cloudapis_simulator.world.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETENTION = 365 * DAY
_FIRST = BEGINNING - 2 * _RETENTION
_PACE = 7 * HOUR
_LATE_EVERY = 40

_KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("job.changed", "Job changed", {"job": {"name": 'Nachtlauf "groß"', "state": 1}}),
    (
        "service_token.created",
        "Service token created",
        {"service_token": {"id": 5100, "name": "CI", "token_string": SECRET}},
    ),
    (
        "credentials.changed",
        "Credentials changed",
        {"credentials": {"id": 1701, "password": SECRET, "nested": {"private_key": SECRET}}},
    ),
    (
        "access_token.issued",
        "Access token issued",
        {"access_token": {"client": "cli", "access_token": SECRET, "refresh_token": SECRET}},
    ),
    ("v1.events.scim.UserChanged", "SCIM user changed", {"user": {"email": "a@example.com"}}),
    ("user_license.changed", "Licence changed", {}),
)


def _events(above: Item) -> Iterator[Thing]:
    """Yield what is kept of the log, newest first."""
    account, now = above.account, above.now
    dice = Dice(above.world.seed, "audit", account.number)
    times = Timeline(dice, 0, _PACE, begin=_FIRST, end=_FIRST)
    oldest = times.until(now - _RETENTION) + 1
    for number in range(times.until(now), oldest - 1, -1):
        at, bits = times.at(number), dice.roll(number)
        if _written(at, bits) <= now:
            yield Thing(account.offset + 77_000_000 + number, number, at, None, bits)


def _written(logged_at: int, bits: int) -> int:
    """Return when an event appears: seconds after it, but for some that are late."""
    late = 3 * HOUR if part(bits, 6) % _LATE_EVERY == 0 else 0
    return logged_at + SECOND + part(bits, 7) * 40 + late


def _is_old(event: Item) -> bool:
    return part(event.bits, 3) % 3 == 0


def _kind(event: Item) -> tuple[str, str, dict[str, Any]]:
    return pick(_KINDS, event.bits, 4)


def _routing_key(event: Item) -> str:
    kind, _, _ = _kind(event)
    if not _is_old(event) or kind.startswith("v1."):
        return kind
    topic, _, verb = kind.partition(".")
    return f"v1.events.{topic}.{verb.title()}"


def _actor(event: Item) -> tuple[str, str, str, str]:
    """Return type, id, name and address of who did it: a person or a token."""
    account = event.account
    if part(event.bits, 5) % 4 == 0:
        return "SERVICE_TOKEN", str(account.offset + first_ids.SERVICE_TOKENS), "CI", "198.51.100.7"
    person = event.world.people.somebody(account.number, event.bits, 8)
    return "USER", str(person.id), name_of(person, event.created_at), f"203.0.113.{person.number}"


def _shape(event: Item) -> dict[str, Any]:
    """Return the fields of the event's generation."""
    actor_type, actor_id, actor_name, actor_ip = _actor(event)
    kind, label, about = _kind(event)
    if not _is_old(event):
        actor = {"type": actor_type, "id": actor_id, "name": actor_name, "ip": actor_ip}
        return {
            "id": str(event.id),
            "actor": actor,
            "event_type": kind,
            "event_label": label,
            "event_context": about,
        }
    return {
        "id": event.id,
        "uuid": uuid(event.bits),
        "routing_key": _routing_key(event),
        "actor_type": actor_type,
        "actor_id": int(actor_id),
        "actor_name": actor_name,
        "actor_ip": actor_ip,
        "metadata": about,
        "internal": False,
        "state": 1,
        "logged_at": spaced(event.created_at),
        "updated_at": spaced(_written(event.created_at, event.bits)),
    }


def _new(what: Any) -> Any:
    return lambda it: None if _is_old(it) else what(it)


def _old(what: Any) -> Any:
    return lambda it: what(it) if _is_old(it) else None


AUDIT_LOGS = Table(
    stream="dbt_audit_logs",
    path="/api/v3/accounts/{account}/audit-logs/",
    under=ACCOUNTS,
    things=_events,
    paging=Offsets(state=False, orders=(), days=Days("logged_at_start", "logged_at_end", 90 * DAY)),
    spread=_shape,
    fields={
        "account_id": lambda it: it.account.id,
        "service": "SERVICE_DBT_CLOUD",
        "source": lambda it: ("SOURCE_CLOUD_UI", "SOURCE_API")[it.number % 2],
        "created_at": Time(lambda it: _written(it.created_at, it.bits), (spaced,)),
    },
    more_truth={
        "id": lambda it: str(it.id),
        "event_type": _routing_key,
        "event_label": _new(lambda it: _kind(it)[1]),
        "event_context": _new(lambda it: _kind(it)[2]),
        "actor_type": lambda it: _actor(it)[0],
        "actor_id": lambda it: _actor(it)[1],
        "actor_name": lambda it: _actor(it)[2],
        "actor_ip": lambda it: _actor(it)[3],
        "metadata": _old(lambda it: _kind(it)[2]),
        "uuid": _old(lambda it: uuid(it.bits)),
        "routing_key": _old(_routing_key),
        "internal": _old(lambda _: False),
        "state": _old(lambda _: 1),
        "logged_at": _old(lambda it: rfc3339(it.created_at)),
        "updated_at": _old(lambda it: rfc3339(_written(it.created_at, it.bits))),
    },
)
