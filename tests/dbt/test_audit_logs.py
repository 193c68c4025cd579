"""The audit log: in windows of days, resumable, in both generations, and without secrets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.dbt.lists import ACCOUNT, SECRET, Account, envelope, only
from tests.scripted_server import Reply

STREAM, PATH = "dbt_audit_logs", "v3/audit-logs/"
NOT_ENABLED = Reply(
    {
        "status": {"code": 400, "is_success": False, "User_message": "The request was invalid."},
        "data": {"reason": "Audit logs are not enabled on this account"},
    },
    status=400,
)


def today() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()


def event(number: int, when: datetime, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "event_type": "x.y", "created_at": f"{when}+00:00", **more}


class Log:
    """The log of an account.

    Attributes:
        events: Newest last.
        inclusive: Whether the last day of a filter belongs to it.
        shift: By how many hours the server's days begin earlier than those of UTC.
        heeds: Whether the server heeds days at all.
        arrives: Called at each request, which may add events.
    """

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.events = events
        self.inclusive = True
        self.shift = 0
        self.heeds = True
        self.windows: list[tuple[str, str]] = []
        self.arrives = lambda: None

    def __call__(self, query: dict[str, str]) -> Any:
        self.windows.append((query["logged_at_start"], query["logged_at_end"]))
        rows = [row for row in self.events if self._is_in(row, query)]
        offset, limit = int(query["offset"]), int(query["limit"])
        answer = envelope(rows[::-1][offset : offset + limit], len(rows))
        self.arrives()
        return answer

    def _is_in(self, row: dict[str, Any], query: dict[str, str]) -> bool:
        when = datetime.fromisoformat(row["created_at"]) + timedelta(hours=self.shift)
        if not self.heeds:
            return when.date() > today() - timedelta(days=90)
        begin = date.fromisoformat(query["logged_at_start"])
        end = date.fromisoformat(query["logged_at_end"])
        return begin <= when.date() < end + timedelta(days=int(self.inclusive))


def history(days: int, *, each: int = 1) -> list[dict[str, Any]]:
    """Events of the last days, some each day, the last of them at the end of today.

    Where a server's days begin earlier, they belong to its tomorrow, whatever the time is now.
    """
    end = datetime.combine(today() + timedelta(days=1), datetime.min.time())
    moments = [
        end - timedelta(days=day, minutes=1 + n) for day in range(days, -1, -1) for n in range(each)
    ]
    return [event(n, when) for n, when in enumerate(sorted(moments), start=1)]


def ids(outcome: Any) -> list[str]:
    return [row["id"] for row in outcome.records(STREAM)]


def known(log: Log, days: int) -> set[str]:
    """The events since the beginning of a day."""
    since = f"{today() - timedelta(days=days)}"
    return {row["id"] for row in log.events if row["created_at"] >= since}


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("shift", [0, 14, -12])
def test_every_event_once_whatever_a_day_is(shift: int, *, inclusive: bool) -> None:
    log = Log(history(400, each=3))
    log.shift, log.inclusive = shift, inclusive
    account = Account({PATH: log})
    outcome = account.sync(STREAM)
    assert len(ids(outcome)) == len(set(ids(outcome)))
    assert set(ids(outcome)) == known(log, 365)
    assert outcome.says("dbt_audit_log_days", f"{today() - timedelta(days=365)}")
    assert 50 <= len({begin for begin, _ in log.windows}) <= 54


def test_the_days_of_the_settings_are_read_or_those_of_the_start_date() -> None:
    log = Log(history(100))
    assert set(ids(Account({PATH: log}).sync(STREAM, dbt_audit_log_days=10))) == known(log, 10)
    start = f"{today() - timedelta(days=50)}T12:00:00Z"
    found = set(ids(Account({PATH: log}).sync(STREAM, start_date=start)))
    late = {row["id"] for row in log.events if row["created_at"] >= start.replace("T", " ")}
    assert found == late


def test_the_next_sync_reads_a_few_days_and_all_that_is_new() -> None:
    log = Log(history(100))
    account = Account({PATH: log})
    first = set(ids(account.sync(STREAM)))
    assert account.state is not None
    (part,) = account.state["bookmarks"][STREAM]["partitions"]
    assert part["through"] == f"{today() - timedelta(days=1)}"
    log.windows.clear()
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    log.events += [event(1000 + n, now) for n in range(250)]
    second = ids(account.sync(STREAM))
    assert {row["id"] for row in log.events} - first <= set(second)
    assert len(second) == len(set(second))
    assert {begin for begin, _ in log.windows} == {f"{today() - timedelta(days=2)}"}


@pytest.mark.parametrize("turn", range(5))
def test_events_that_come_while_pages_are_read_push_no_other_out(turn: int) -> None:
    log = Log(history(3, each=200))
    before = {row["id"] for row in log.events}

    def arrive() -> None:
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        log.events.append(event(10_000 + len(log.events), now))

    log.arrives = arrive
    account = Account({PATH: log})
    outcome = account.sync(STREAM, dbt_audit_log_days=5, concurrency=8)
    found = ids(outcome)
    assert len(found) == len(set(found))
    assert set(found) >= before
    log.arrives = lambda: None
    assert {row["id"] for row in log.events} <= {*found, *ids(account.sync(STREAM))}


def test_a_window_of_very_many_events_is_read_day_by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.dbt.audit_logs.MOST_EVENTS", 500)
    log = Log(history(20, each=120))
    outcome = Account({PATH: log}).sync(STREAM, dbt_audit_log_days=30)
    found = ids(outcome)
    assert len(found) == len(set(found))
    assert set(found) == {row["id"] for row in log.events}
    lengths = {date.fromisoformat(end) - date.fromisoformat(begin) for begin, end in log.windows}
    assert timedelta(days=1) in lengths
    assert timedelta(days=7) in lengths


def test_a_server_that_heeds_no_days_is_asked_for_its_list_once() -> None:
    log = Log(history(200))
    log.heeds = False
    account = Account({PATH: log})
    outcome = account.sync(STREAM, dbt_audit_log_days=60, concurrency=1)
    assert set(ids(outcome)) == known(log, 60)
    assert len(ids(outcome)) == len(set(ids(outcome)))
    assert outcome.logged("WARNING", "gives other days than it is asked for")
    assert len(log.windows) <= 3
    assert known(log, 1) <= set(ids(account.sync(STREAM)))


def test_a_plan_without_audit_logs_is_a_skip() -> None:
    account = Account({PATH: NOT_ENABLED, "v3/groups/": [{"id": 1}]})
    outcome = account.sync(STREAM, "dbt_groups")
    (warning,) = outcome.logged("WARNING", STREAM)
    assert "not enabled" in warning
    assert "Enterprise" in warning
    assert "partitions" not in outcome.state["bookmarks"].get(STREAM, {}) or not [
        part for part in outcome.state["bookmarks"][STREAM]["partitions"] if "through" in part
    ]


@pytest.mark.parametrize("through", ["2026-13-45", "yesterday", 7, "2999-01-01", None])
def test_a_spoiled_mark_is_named_and_read_from_the_start(through: Any) -> None:
    log = Log(history(5))
    account = Account({PATH: log})
    account.sync(STREAM)
    assert account.state is not None
    account.state["bookmarks"][STREAM]["partitions"][0]["through"] = through
    outcome = account.sync(STREAM)
    assert set(ids(outcome)) == {row["id"] for row in log.events}
    assert outcome.logged("WARNING", "through")


# Both generations


def test_both_generations_have_the_same_columns() -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    new = event(
        1,
        now,
        actor={"type": "user", "id": 12, "name": "a@example.com", "ip": "203.0.113.1"},
        event_context={"job": {"id": 3}},
    )
    old = {
        "id": 17,
        "uuid": "0b1",
        "routing_key": "v1.events.job_definition.Changed",
        "actor_type": "service_token",
        "actor_id": 5,
        "logged_at": f"{now}+00:00",
        "created_at": f"{now}+00:00",
        "metadata": {"job": 3},
    }
    outcome = Account({PATH: lambda _: [old, new]}).sync(STREAM, dbt_audit_log_days=1)
    rows = {row["id"]: row for row in outcome.records(STREAM)}
    names = ("account_id", "event_type", "actor_type", "actor_id", "actor_name", "actor_ip")
    assert only(rows["1"], *names) == (
        ACCOUNT,
        "x.y",
        "user",
        "12",
        "a@example.com",
        "203.0.113.1",
    )
    assert only(rows["17"], *names[:4]) == (
        ACCOUNT,
        "v1.events.job_definition.Changed",
        "service_token",
        "5",
    )


def test_which_secret_it_was_is_told_and_the_secret_is_not() -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    context = {
        "service_token": {"id": 4, "name": "ours", "token_string": SECRET, "value": SECRET},
        "credentials": [{"id": 9, "values": [SECRET], "type": "snowflake"}, SECRET],
        "tokens": {"list": [SECRET, 5, {"rawValue": SECRET, "owner": "me"}]},
        "access_token": SECRET,
        "connection": {"password": SECRET, "host": "db.example.com"},
        "deep": {"list": [{"client_secret": SECRET, "uid": "u1"}]},
    }
    row = event(
        1, now, event_context=context, actor={"api_key": SECRET}, metadata=[{"jwt": SECRET}]
    )
    (found,) = Account({PATH: lambda _: [row]}).sync(STREAM, dbt_audit_log_days=1).records(STREAM)
    assert found["event_context"] == {
        "service_token": {"id": 4, "name": "ours"},
        "credentials": [{"id": 9, "values": [], "type": "snowflake"}],
        "tokens": {"list": [{"owner": "me"}]},
        "connection": {"host": "db.example.com"},
        "deep": {"list": [{"uid": "u1"}]},
    }
