"""Pulumi: tokens, pages, shapes, names in paths, authorization and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.simulator.client import PULUMI_ACCEPT, Client, stack_path
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

ORG = "Acme-Cloud"


@pytest.fixture(scope="module")
def crowded() -> Iterator[Client]:
    with Simulator(
        now=END_OF_HISTORY, dbt_accounts=0, pulumi_orgs=1, pulumi_stacks=1100, pulumi_updates=1
    ) as simulator:
        yield Client(simulator)


def names(stacks: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(row["orgName"], row["projectName"], row["stackName"]) for row in stacks]


def test_stacks_page_by_token(crowded: Client) -> None:
    first = crowded.pulumi("user/stacks", organization=ORG).json()
    assert len(first["stacks"]) == 500
    rows = crowded.pulumi_rows("user/stacks", "stacks", organization=ORG)
    assert len(set(names(rows))) == len(rows) == 1100
    assert names(crowded.pulumi_rows("user/stacks", "stacks", maxResults=333)) == names(rows)
    assert len(crowded.pulumi("user/stacks", maxResults=9999).json()["stacks"]) == 500


def test_older_clients_get_one_page_of_300(crowded: Client) -> None:
    url = f"{crowded.simulator.pulumi_url}/api/user/stacks"
    for accept in ("application/json", "application/vnd.pulumi+7", "*/*"):
        headers = {"Authorization": f"token {crowded.simulator.pulumi_token}", "Accept": accept}
        answer = requests.get(url, headers=headers, timeout=9).json()
        assert len(answer["stacks"]) == 300
        assert "continuationToken" not in answer


def test_page_cap_clamps_or_rejects() -> None:
    with Simulator(now=END_OF_HISTORY, pulumi_updates=30, page_cap=20) as simulator:
        client = Client(simulator)
        assert len(client.pulumi("user/stacks").json()["stacks"]) == 20
        assert len(client.pulumi_rows("user/stacks", "stacks")) == 80
        members = f"orgs/{ORG}/members"
        assert len(client.pulumi(members, type="backend").json()["members"]) == 20
        updates = f"stacks/{ORG}/website/dev/updates"
        page = client.pulumi(updates, output_type="service", page=1, pageSize=100).json()
        assert (len(page["updates"]), page["itemsPerPage"], page["total"]) == (20, 20, 30)
        simulator.settings(over_cap="reject")
        for path, params in (
            (updates, {"page": 1, "pageSize": 21}),
            ("user/stacks", {"maxResults": 21}),
        ):
            refused = client.pulumi(path, **params)
            assert (refused.status_code, refused.json()["code"]) == (400, 400)


def test_filters_of_stacks(still: Client) -> None:
    every = still.pulumi_rows("user/stacks", "stacks")
    own = still.pulumi_rows("user/stacks", "stacks", organization=ORG)
    assert names(own) == [key for key in names(every) if key[0] == ORG]
    website = still.pulumi_rows("user/stacks", "stacks", project="website")
    assert names(website) == [key for key in names(every) if key[1] == "website"]
    go = still.pulumi_rows("user/stacks", "stacks", tagName="pulumi:runtime", tagValue="go")
    assert 0 < len(go) < len(every)
    assert still.pulumi("user/stacks", organization="nobody").status_code == 404


@pytest.mark.parametrize("token", ["5-", "AAAA", "WzFd", "not base64!"])
def test_bad_continuation_tokens_are_400(still: Client, token: str) -> None:
    for path in ("user/stacks", f"orgs/{ORG}/members?type=backend"):
        assert still.pulumi(path, continuationToken=token).status_code == 400


def test_updates_in_both_shapes(still: Client) -> None:
    path = f"stacks/{ORG}/website/dev/updates"
    flat = still.pulumi(path).json()
    assert list(flat) == ["updates"]
    everything = still.pulumi(path, output_type="service").json()
    assert everything["total"] == len(everything["updates"]) == 12
    assert [row["info"] for row in everything["updates"]] == flat["updates"]
    versions = [row["version"] for row in everything["updates"]]
    assert versions == sorted(versions, reverse=True)
    first = still.pulumi(path, output_type="service", page=1).json()
    assert (len(first["updates"]), first["itemsPerPage"]) == (10, 10)
    second = still.pulumi(path, output_type="service", page=2, pageSize=10).json()
    assert first["updates"] + second["updates"] == everything["updates"]
    beyond = still.pulumi(path, output_type="service", page=3, pageSize=10).json()
    assert beyond["updates"] == []
    assert still.pulumi(path, page=-1).status_code == 400
    assert still.pulumi(path, page=1, pageSize="many").status_code == 400


def test_an_update_at_its_own_address(still: Client) -> None:
    gaps = 0
    for stack in still.pulumi_rows("user/stacks", "stacks")[:9]:
        path = f"{stack_path(stack)}/updates"
        rows = {row["version"]: row for row in still.updates(stack)}
        for version in range(max(rows, default=0) + 2):
            answer = still.pulumi(f"{path}/{version}")
            gaps += 0 < version < max(rows, default=0) and version not in rows
            assert answer.status_code == (200 if version in rows else 404)
            assert version not in rows or answer.json() == rows[version]
        assert still.pulumi(f"{path}/one").status_code == 400
    assert gaps, "no version was left out: this test shows less"


def test_last_update_is_the_start_of_the_newest(still: Client) -> None:
    stacks = still.pulumi_rows("user/stacks", "stacks")
    for stack in stacks[::4]:
        newest = still.pulumi(f"{stack_path(stack)}/updates", page=1, pageSize=1).json()["updates"]
        assert stack.get("lastUpdate") == (newest[0]["startTime"] if newest else None)
    assert any("lastUpdate" not in stack for stack in stacks)
    assert any("resourceCount" not in stack for stack in stacks)


def test_members_of_both_kinds(still: Client) -> None:
    path = f"orgs/{ORG}/members"
    first = still.pulumi(path, type="backend").json()
    assert len(first["members"]) == 50
    roster = still.pulumi_rows(path, "members", type="backend")
    logins = [row["user"]["githubLogin"] for row in roster]
    assert len(set(logins)) == len(roster) > 50
    (org_as_user,) = [row for row in roster if row["user"]["githubLogin"] == ORG]
    assert org_as_user["created"].startswith("0001-01-01")
    displayed = [row["user"]["name"] for row in roster]
    assert "" in displayed
    assert len(set(displayed)) < len(displayed)
    assert any(not row["knownToPulumi"] for row in roster)
    assert any("email" not in row["user"] for row in roster)
    seats = still.pulumi(path, type="frontend").json()
    assert len(seats["members"]) == 50
    assert "continuationToken" not in seats
    assert still.pulumi(path, type="other").status_code == 400


def test_teams_ignore_the_continuation_token(still: Client) -> None:
    path = f"orgs/{ORG}/teams"
    teams = still.pulumi(path).json()
    assert still.pulumi(path, continuationToken="anything").json() == teams
    assert "ops/on-call" in [team["name"] for team in teams["teams"]]


def test_encoded_path_parts_are_decoded_one_by_one(still: Client) -> None:
    assert still.pulumi(f"stacks/{ORG}/k8s%2Ecluster/d%65v").json()["stackName"] == "dev"
    assert still.pulumi(f"stacks/{ORG}/website%2Fdev/updates").status_code == 404


def test_token_is_needed_in_the_documented_form(still: Client) -> None:
    url = f"{still.simulator.pulumi_url}/api/user"
    token = still.simulator.pulumi_token
    for header in ("", token, f"Bearer {token}", f"Token {token}", "token pul-wrong"):
        headers = {"Authorization": header, "Accept": PULUMI_ACCEPT}
        refused = requests.get(url, headers=headers, timeout=9)
        assert (refused.status_code, refused.json()["code"]) == (401, 401)


def test_errors(still: Client) -> None:
    for path in ("orgs/nobody", "orgs/nobody/teams", f"stacks/{ORG}/website/none/updates"):
        missing = still.pulumi(path)
        assert missing.status_code == 404
        assert missing.json() == {"code": 404, "message": "not found"}
    nowhere = still.pulumi("orgs")
    assert nowhere.status_code == 404
    assert nowhere.headers["content-type"].startswith("text/plain")
