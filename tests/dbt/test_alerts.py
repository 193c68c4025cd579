"""Webhooks and what they have delivered: in columns of one type, and new events only."""

from __future__ import annotations

import json
from typing import Any

from tests.dbt.lists import ACCOUNT, SECRET, Account, only

HOOK = {
    "id": "wsu_1",
    "account_id": str(ACCOUNT),
    "job_ids": ["123", "321"],
    "client_url": "https://hooks.example.com/services/abc",
    "http_status_code": "410",
    "created_at": "1675735768491774",
    "dispatched_at": "",
}
EVENTS = "v3/webhooks/subscription/wsu_1/events"
STREAM = "dbt_webhook_events"


def event(number: int, **more: Any) -> dict[str, Any]:
    payload = {
        "timestamp": f"2026-06-01T00:{number % 60:02}:00Z",
        "webhookName": SECRET,
        "data": {"runId": str(number), "runStatus": "Errored", "jobName": SECRET},
    }
    return {
        "id": f"wev_{number:04}",
        "subscription_id": "wsu_1",
        "account_id": str(ACCOUNT),
        "job_id": "123",
        "http_status_code": "200",
        "trigger_event_type": "job.run.errored",
        "payload": json.dumps(payload),
        **more,
    }


def account(*numbers: int, cap: int = 10) -> Account:
    """An account with a webhook whose events come newest first."""
    rows = [event(n) for n in sorted(numbers, reverse=True)]
    return Account({"v3/webhooks/subscriptions": [HOOK], EVENTS: rows}, cap=cap)


def ids(outcome: Any) -> list[int]:
    return [int(row["id"][4:]) for row in outcome.records(STREAM)]


def test_texts_become_what_their_columns_are() -> None:
    (row,) = (
        Account({"v3/webhooks/subscriptions": [HOOK]}).sync("dbt_webhooks").records("dbt_webhooks")
    )
    names = ("account_id", "job_ids", "client_url", "http_status_code", "dispatched_at")
    assert only(row, *names) == (ACCOUNT, [123, 321], "https://hooks.example.com", 410, None)
    assert row["created_at"] == "2023-02-07T02:09:28.491774Z"


def test_an_event_tells_of_its_run_and_no_names() -> None:
    (row,) = account(4).sync(STREAM).records(STREAM)
    assert "payload" not in row
    names = ("subscription_id", "job_id", "run_id", "run_status", "http_status_code")
    assert only(row, *names) == ("wsu_1", 123, 4, "Errored", 200)
    assert row["event_time"] == "2026-06-01T00:04:00.000000Z"


def test_a_payload_that_cannot_be_read_leaves_the_row() -> None:
    server = account()
    odd = (None, "no JSON", "[1]", {"data": 3}, "9" * 5000)
    server.lists[EVENTS] = [event(9 - n, payload=payload) for n, payload in enumerate(odd)]
    outcome = server.sync(STREAM)
    assert ids(outcome) == [9, 8, 7, 6, 5]
    assert all(row["run_id"] is None for row in outcome.records(STREAM))


def test_the_second_sync_reads_down_to_what_is_known() -> None:
    server = account(*range(1, 101))
    assert ids(server.sync(STREAM)) == [*range(100, 0, -1)]
    assert len(server.paths(EVENTS)) == 11
    server.lists[EVENTS] = [event(n) for n in range(115, 0, -1)]
    again = ids(server.sync(STREAM))
    assert set(again) >= set(range(101, 116))
    assert len(server.paths(EVENTS)) == 2
    quiet = server.sync(STREAM)
    assert len(server.paths(EVENTS)) == 1
    assert len(ids(quiet)) == 10, "the page that has the newest known one"


def test_events_in_another_order_are_read_whole() -> None:
    server = account(*range(1, 41))
    server.lists[EVENTS] = [event(n) for n in range(1, 41)]
    server.sync(STREAM)
    server.lists[EVENTS] = [event(n) for n in range(1, 61)]
    assert set(ids(server.sync(STREAM))) == set(range(1, 61))


def test_a_webhook_that_is_gone_is_forgotten() -> None:
    server = account(1, 2)
    server.sync(STREAM)
    assert server.state is not None
    (part,) = server.state["bookmarks"][STREAM]["partitions"]
    assert part["newest"] == {"wsu_1": "wev_0002"}
    server.lists["v3/webhooks/subscriptions"] = []
    server.sync(STREAM)
    (part,) = server.state["bookmarks"][STREAM]["partitions"]
    assert part["newest"] == {}


def test_a_start_date_holds_for_events_too() -> None:
    outcome = account(1, 2, 3, 4).sync(STREAM, start_date="2026-06-01T00:03:00Z")
    assert ids(outcome) == [4, 3]
