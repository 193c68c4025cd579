"""dbt: lists of access and configuration, strict where the service is; what they must not tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cloudapis_simulator.tables import TABLES
from tests.simulator.client import Client
from tests.simulator.test_tables import places
from tests.simulator.test_world import utc
from tests.simulator_process import END_OF_HISTORY, SECRET_MARKER, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.table import Table

Row = dict[str, Any]
A2, A3 = "v2/accounts/1042/", "v3/accounts/1042/"
DBT = [table for table in TABLES.values() if table.stream.startswith("dbt_")]
AUDIT = f"{A3}audit-logs/"
#: The lists in which a careless release could send a secret; and the details.
WITH_SECRETS = {
    "dbt_audit_logs",
    "dbt_connections",
    "dbt_credentials",
    "dbt_environment_variables",
    "dbt_invites",
    "dbt_job_environment_variables",
    "dbt_lineage_integrations",
    "dbt_oauth_configurations",
    "dbt_repositories",
    "dbt_scim_tokens",
    "dbt_semantic_layer_credentials",
    "dbt_service_tokens",
    "dbt_ssh_tunnels",
    "dbt_users",
    "dbt_webhook_events",
    "dbt_webhooks",
}


@pytest.fixture
def lively() -> Iterator[Client]:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=2, dbt_runs=60) as simulator:
        yield Client(simulator)


def texts(client: Client, table: Table, *, details: bool = False) -> Iterator[str]:
    for path, columns in places(table, client, details=details):
        params: Row = {"include_related": ",".join(child.carried for child in table.carries)}
        if table.asks_for:
            params[table.asks_for[0]] = columns[table.asks_for[0]]
        response = client.dbt(path, **params)
        assert response.status_code == 200
        yield response.text


def test_secrets_are_planted_where_they_could_be_and_never_true(still: Client) -> None:
    planted = {
        table.stream
        for table in DBT
        if table.path and any(SECRET_MARKER in text for text in texts(still, table))
    }
    assert planted == WITH_SECRETS
    for stream in ("dbt_connections", "dbt_extended_attributes"):
        assert SECRET_MARKER in "".join(texts(still, TABLES[stream], details=True))
    for table in DBT:
        assert SECRET_MARKER not in str(still.simulator.truth(table.stream, details=True))


def test_what_is_forbidden_is_404_or_as_a_fault_says(lively: Client) -> None:
    simulator = lively.simulator
    simulator.settings(forbid=["dbt_groups", "dbt_users"])
    for path in ("groups/", "users/", "users/700000/"):
        assert lively.dbt(A3 + path).status_code == 404
    assert lively.dbt(f"{A3}service-tokens/").status_code == 200
    reason = '{"status": {"code": 400}, "data": {"reason": "Audit logs are not enabled"}}'
    simulator.faults(
        [
            {"path": "/license-maps/", "status": 403, "times": 9},
            {"path": "/audit-logs/", "status": 400, "times": 9, "body": reason},
        ]
    )
    assert lively.dbt(f"{A3}license-maps/").status_code == 403
    assert lively.dbt(AUDIT).json()["data"]["reason"] == "Audit logs are not enabled"


def test_a_deleted_project_has_no_lists_but_environments_and_repositories(still: Client) -> None:
    projects = still.dbt_rows(f"{A3}projects/", state="all")
    (gone,) = [row["id"] for row in projects if row["state"] == 2]
    below = ("profiles", "credentials", "environment-variables/environment", "integrations/lineage")
    for name in below:
        assert still.dbt(f"{A3}projects/{gone}/{name}/").status_code == 404
        assert still.dbt(f"{A3}projects/{projects[0]['id']}/{name}/").status_code == 200
    for name in ("environments", "repositories"):
        assert still.dbt(f"{A3}projects/{gone}/{name}/", state="all").status_code == 200


def test_people_are_in_several_accounts_and_their_rows_tell_of_all(still: Client) -> None:
    first, second = (
        {row["id"]: row for row in still.dbt_rows(f"v3/accounts/{account['id']}/users/")}
        for account in still.accounts()
    )
    shared = first.keys() & second.keys()
    assert len(shared) > 20
    assert len(first) > len(shared) < len(second)
    for number in shared:
        for row in (first[number], second[number]):
            assert len({licence["account_id"] for licence in row["permissions"]}) == 2
            assert set(row["licenses"]) == {str(account["id"]) for account in still.accounts()}
    astray = [
        group
        for row in first.values()
        for licence in row["permissions"]
        for group in licence["groups"]
        if group["account_id"] != licence["account_id"]
    ]
    assert astray
    # No page but the first without offset, and never more than a page.
    answer = still.dbt(f"{A3}users/", limit=5).json()
    assert answer["extra"]["pagination"]["count"] == min(len(first), 100)


def test_things_are_made_deleted_and_renamed_as_time_passes(lively: Client) -> None:
    def state() -> dict[str, dict[Any, Row]]:
        found: dict[str, dict[Any, Row]] = {}
        for table in DBT:
            if table.path and "id" in table.fields and "runs" not in table.stream:
                truth = lively.simulator.truth(table.stream)["rows"]
                found[table.stream] = {(row["account_id"], row["id"]): row for row in truth}
        return found

    before = state()
    lively.simulator.advance(45 * 86_400.0)
    after = state()
    assert {stream for stream in before if after[stream].keys() - before[stream].keys()} >= {
        "dbt_groups",
        "dbt_service_tokens",
        "dbt_webhooks",
    }
    gone = {stream for stream in before if before[stream].keys() - after[stream].keys()}
    assert {"dbt_invites", "dbt_users"} <= gone
    assert "dbt_service_tokens" not in gone  # revoked ones stay
    renamed = {
        stream
        for stream, rows in before.items()
        for key, row in rows.items()
        if "name" in row and after[stream].get(key, row)["name"] != row["name"]
    }
    assert len(renamed) >= 4


def test_job_variables_want_a_job(still: Client) -> None:
    job = still.dbt_rows(f"{A2}jobs/")[0]
    path = f"{A3}projects/{job['project_id']}/environment-variables/job/"
    assert still.dbt(path).status_code == 400
    assert still.dbt(path, job_definition_id="x").status_code == 400
    assert still.dbt(path, job_definition_id=1).status_code == 404
    assert still.dbt(path, job_definition_id=job["id"]).json()["data"]
    elsewhere = f"{A3}projects/2103/environment-variables/job/"
    assert job["project_id"] != 2103
    assert still.dbt(elsewhere, job_definition_id=job["id"]).status_code == 404


def test_webhooks_have_their_own_envelope_and_page(still: Client) -> None:
    path = f"{A3}webhooks/subscriptions"
    answer = still.dbt(path)
    assert answer.history == []
    assert answer.json()["status"] == {"code": 200}
    assert answer.json()["extra"]["filters"] == {"limit": 10, "offset": 0}
    pages = answer.json()["extra"]["pagination"]
    assert len(answer.json()["data"]) == pages["count"] == 10 < pages["total_count"]
    assert all(isinstance(row["account_id"], str) for row in answer.json()["data"])
    assert still.dbt(f"{path}/").status_code == 404
    seen = 0
    for row in still.dbt_rows(path):
        events = still.dbt_rows(f"{A3}webhooks/subscription/{row['id']}/events")
        ids = [event["id"] for event in events]
        assert ids == sorted(ids, reverse=True)
        seen += len(ids)
    assert seen
    assert still.dbt(f"{A3}webhooks/subscription/wsu_no/events").status_code == 404


def test_the_audit_log_is_asked_by_days_and_begins_with_the_newest(still: Client) -> None:
    def events(**days: str) -> list[str]:
        rows = still.dbt_rows(AUDIT, **days)
        assert len({str(row["id"]) for row in rows}) == len(rows)
        return [str(utc(row.get("logged_at") or row["created_at"])) for row in rows]

    now = datetime(2026, 7, 1, tzinfo=UTC)
    recent = events()
    assert min(recent) >= (now - timedelta(days=90)).isoformat()[:10]
    assert max(recent) > (now - timedelta(days=2)).isoformat()[:10]
    whole = events(logged_at_start="2025-01-01")
    assert min(whole)[:10] == "2025-07-01"
    day = events(logged_at_start="2026-05-05", logged_at_end="2026-05-06")
    assert day
    # What is logged on a day may be written on the next.
    assert {text[:10] for text in day} <= {"2026-05-05", "2026-05-06"}
    assert events(logged_at_start="2026-05-05", logged_at_end="2026-05-05") == []
    rows = still.dbt_rows(AUDIT)
    assert {type(row["id"]) for row in rows} == {str, int}
    for wrong in ("yesterday", "2026-05-05T00:00:00", "20260505"):
        assert still.dbt(AUDIT, logged_at_start=wrong).status_code == 400
