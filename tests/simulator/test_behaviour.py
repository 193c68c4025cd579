"""What can be told to go wrong: limits, latency, errors, cuts, refusals, time in mid-sync."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.simulator.client import Client
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = "v2/accounts/1042/runs/"


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, dbt_runs=250) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Iterator[Simulator]:
    """One process for all tests here, its settings put back after each."""
    before = running.settings()
    running.clear_requests()
    yield running
    running.clear_faults()
    running.settings(**before)


def test_requests_are_noted(simulator: Simulator) -> None:
    client = Client(simulator)
    client.dbt(RUNS, limit=3, order_by="-id")
    client.pulumi("orgs/nobody/teams")
    client.dbt("v2/accounts/1042")
    runs, teams, redirect, account = simulator.requests()
    assert runs == {
        "service": "dbt",
        "method": "GET",
        "path": "/api/v2/accounts/1042/runs/",
        "query": {"limit": "3", "order_by": "-id"},
        "status": 200,
        "fault": None,
        "template": "/api/v2/accounts/{account}/runs/",
        "stream": "dbt_runs",
    }
    assert (teams["service"], teams["status"]) == ("pulumi", 404)
    assert (redirect["status"], account["status"]) == (308, 200)
    assert simulator.request_counts() == {
        "/api/v2/accounts/{account}/runs/": 1,
        "/api/orgs/{org}/teams": 1,
        "/api/v2/accounts/{account}/": 1,
        "(not routed)": 1,
    }
    simulator.clear_requests()
    assert simulator.requests() == []


def test_forbidden_streams(simulator: Simulator) -> None:
    client = Client(simulator)
    simulator.settings(forbid=["dbt_jobs", "pulumi_organization_members"])
    jobs = client.dbt("v2/accounts/1042/jobs/")
    assert jobs.status_code == 404
    assert "proper permissions" in jobs.json()["status"]["user_message"]
    members = client.pulumi("orgs/Acme-Cloud/members", type="backend")
    assert (members.status_code, members.json()["code"]) == (403, 403)
    assert client.dbt(RUNS).status_code == 200
    assert client.pulumi("orgs/Acme-Cloud/teams").status_code == 200


def test_rate_limit_of_each_service(simulator: Simulator) -> None:
    simulator.settings(rate_limit=1, retry_after=17)
    client = Client(simulator)
    answers = [client.dbt("v3/accounts/") for _ in range(8)]
    assert answers[0].status_code == 200
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "17"
    assert refused.json()["status"]["code"] == 429
    others = [client.pulumi("user") for _ in range(8)]
    refused = next(answer for answer in others if answer.status_code == 429)
    assert refused.text == "rate-limit error"
    assert others[0].status_code == 200


def test_latency_holds_up_nobody_else(simulator: Simulator) -> None:
    simulator.settings(latency_ms=1500)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(Client(simulator).pulumi, "user")
        while not slow.running():
            time.sleep(0.01)
        time.sleep(0.3)
        simulator.settings(latency_ms=0)
        Client(simulator).pulumi("capabilities")
        assert slow.result().status_code == 200
    answered = [entry["path"] for entry in simulator.requests()]
    assert answered == ["/api/capabilities", "/api/user"]


def is_cut(client: Client) -> bool:
    try:
        client.dbt(RUNS).json()
    except requests.RequestException:
        return True
    return False


def test_share_of_errors_and_cuts(simulator: Simulator) -> None:
    client = Client(simulator)
    simulator.settings(error_rate=0.3)
    statuses = [client.pulumi("user").status_code for _ in range(100)]
    assert set(statuses) == {200, 503}
    assert 10 <= statuses.count(503) <= 55
    simulator.settings(error_rate=0, cut_rate=0.3)
    cuts = sum(is_cut(Client(simulator)) for _ in range(60))
    assert 5 <= cuts <= 40
    assert sum(entry["fault"] == "cut" for entry in simulator.requests()) >= cuts


def test_faults_strike_once(simulator: Simulator) -> None:
    client = Client(simulator)
    simulator.faults(
        [
            {"path": "/runs/", "status": 500, "after": 1},
            {"path": "/runs/", "status": 429, "retry_after": 3, "after": 1},
            {"path": "/runs/", "query": "offset=200", "status": 503},
            {"path": "/teams$", "status": 502, "body": "<html>bad gateway</html>", "times": 2},
        ]
    )
    answers = [client.dbt(RUNS, limit=1) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 500, 429, 200]
    paged = [client.dbt(RUNS, offset=offset).status_code for offset in (0, 200, 200)]
    assert paged == [200, 503, 200]
    assert answers[1].json()["status"]["is_success"] is False
    assert answers[2].headers["retry-after"] == "3"
    teams = [client.pulumi("orgs/Acme-Cloud/teams") for _ in range(3)]
    assert [answer.status_code for answer in teams] == [502, 502, 200]
    assert teams[0].text == "<html>bad gateway</html>"


def test_spoiled_bodies(simulator: Simulator) -> None:
    client = Client(simulator)
    simulator.faults([{"path": "/runs/", "status": what} for what in ("empty", "garbage", "cut")])
    empty = client.dbt(RUNS)
    assert (empty.status_code, empty.content) == (200, b"")
    garbage = client.dbt(RUNS)
    assert garbage.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        garbage.json()
    with pytest.raises(requests.RequestException):
        client.dbt(RUNS)
    assert client.dbt(RUNS).status_code == 200
    assert [entry["fault"] for entry in simulator.requests()] == ["empty", "garbage", "cut", None]


def test_one_request_hangs_alone(simulator: Simulator) -> None:
    simulator.faults([{"path": "/api/user$", "status": "hang"}])
    headers = {"Authorization": f"token {simulator.pulumi_token}"}
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{simulator.pulumi_url}/api/user", headers=headers, timeout=0.5)
    assert Client(simulator).pulumi("user").status_code == 200


def test_time_passes_between_two_requests() -> None:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, dbt_runs=250) as simulator:
        client = Client(simulator)
        simulator.advance(3 * 86_400, after_requests=2, path="/runs/")
        client.pulumi("user")
        totals = [
            client.dbt(RUNS, limit=100, offset=offset).json()["extra"]["pagination"]["total_count"]
            for offset in (0, 100, 200)
        ]
        assert totals[0] == totals[1] == 250
        assert totals[2] > 300


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "clock", {"advance_seconds": -5}),
        ("POST", "clock", {"now": "2026-01-02"}),
        ("POST", "clock", {"now": "yesterday"}),
        ("POST", "clock", {}),
        ("POST", "settings", {"latency": 3}),
        ("POST", "settings", {"over_cap": "maybe"}),
        ("POST", "settings", {"forbid": ["dbt_nothing"]}),
        ("POST", "faults", [{"status": 200}]),
        ("POST", "faults", [{"path": "("}]),
        ("POST", "faults", [{"verb": "GET"}]),
        ("POST", "stacks", {"from": "Acme-Cloud/website/dev"}),
        ("POST", "stacks", {"from": "Acme-Cloud/website/dev", "to": "Acme-Cloud/website"}),
        ("POST", "stacks", {"from": "Acme-Cloud/website/dev", "to": "nobody/website/dev"}),
        ("POST", "stacks", {"from": "Acme-Cloud/website/dev", "to": "Acme-Cloud/website/prod"}),
        ("POST", "stacks", {"from": "Acme-Cloud/website/none", "to": "Acme-Cloud/website/other"}),
        ("POST", "stacks", {"make": "Acme-Cloud/website/dev"}),
        ("POST", "stacks", {"make": "Acme-Cloud/website/other", "updates": -1}),
        ("GET", "truth?stream=dbt_nothing", None),
    ],
)
def test_door_refuses_nonsense(simulator: Simulator, method: str, path: str, body: Any) -> None:
    url = f"{simulator.door_url}/{path}"
    before = requests.get(f"{simulator.door_url}/health", timeout=9).json()
    refused = requests.request(method, url, json=body, timeout=9)
    assert refused.status_code == 400
    assert refused.json()["error"]
    assert requests.get(f"{simulator.door_url}/health", timeout=9).json() == before
