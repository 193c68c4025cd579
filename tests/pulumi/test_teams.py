"""Teams: one request each for all that they have; and tokens, roles, issuers."""

from __future__ import annotations

from typing import Any

import pytest

from tap_cloudapis.pulumi.access import PURPOSES
from tap_cloudapis.pulumi.teams import seconds_of
from tests.pulumi.lists import SECRET, Organization, activated, only, refused

MEMBERS = "pulumi_team_members"
STACKS = "pulumi_team_stack_permissions"
ENVIRONMENTS = "pulumi_team_environment_permissions"
ACCOUNTS = "pulumi_team_account_permissions"
PARTS = (MEMBERS, STACKS, ENVIRONMENTS, ACCOUNTS)
TOKENS = "pulumi_team_tokens"

TEAM: dict[str, Any] = {
    "name": "a/b c",
    "members": [{"name": "Ana", "githubLogin": "ana", "avatarUrl": "x", "role": "admin"}],
    "stacks": [
        {"projectName": "web", "stackName": "prod", "permission": 104},
        {"projectName": "web", "stackName": "dev", "permission": 999, "permissionSetName": "Mine"},
    ],
    "environments": [{"envName": "shared", "permission": "open", "maxOpenDuration": "1h30m0s"}],
    "accounts": [{"accountName": "Fizz Buzz/us", "permission": 3}],
}


def teams(*names: str, **details: Any) -> Organization:
    lists: dict[str, Any] = {"teams": {"teams": [{"name": name} for name in names]}}
    for name in names:
        quoted = name.replace("/", "%2F").replace(" ", "%20")
        lists[f"teams/{quoted}"] = details.get(name, {**TEAM, "name": name})
        lists[f"teams/{name}"] = lists[f"teams/{quoted}"]
    return Organization(lists)


def test_one_request_per_team_has_all_that_it_has() -> None:
    organization = teams("a/b c", "ops")
    outcome = organization.sync(*PARTS)
    assert len(organization.asked) == 3
    assert {r["team_name"] for r in outcome.records(MEMBERS)} == {"a/b c", "ops"}
    person, *_ = outcome.records(MEMBERS)
    assert only(person, "org_name", "user_login", "user_name", "role") == (
        "acme",
        "ana",
        "Ana",
        "admin",
    )
    creator, other, *_ = outcome.records(STACKS)
    assert only(creator, "stack_name", "permission", "permission_label") == ("prod", 104, "creator")
    assert only(other, "permission", "permission_label", "permission_set_name") == (
        999,
        None,
        "Mine",
    )
    opened, *_ = outcome.records(ENVIRONMENTS)
    names = ("project_name", "env_name", "permission", "max_open_duration_seconds")
    assert only(opened, *names) == ("default", "shared", "open", 5400)
    account, *_ = outcome.records(ACCOUNTS)
    assert only(account, "account_name", "permission_label") == ("Fizz Buzz/us", "admin")


@pytest.mark.parametrize("stream", PARTS)
def test_each_can_be_read_alone(stream: str) -> None:
    outcome = teams("ops").sync(stream)
    assert outcome.records(stream)
    assert set(outcome.schemas) == {stream}


def test_of_a_team_whose_members_nobody_knows_there_are_none() -> None:
    unknown = {"name": "ops", "members": [], "listMembersError": "github is away"}
    organization = teams("ops", "dev", ops=unknown)
    outcome = organization.sync(*PARTS, emit_activate_version_messages=True)
    assert {r["team_name"] for r in outcome.records(MEMBERS)} == {"dev"}
    assert outcome.says(MEMBERS, "team ops", "nobody knows who is in it")
    assert activated(outcome) == {STACKS, ENVIRONMENTS, ACCOUNTS}


def test_a_team_that_is_gone_takes_nothing_of_others_away() -> None:
    outcome = teams("ops", "dev", ops=refused(404, "not found")).sync(*PARTS)
    assert {r["team_name"] for r in outcome.records(STACKS)} == {"dev"}
    assert not outcome.logged("WARNING")


@pytest.mark.parametrize("status", [403, 404])
def test_where_no_team_can_be_read_that_is_said_of_all_four(status: int) -> None:
    refusals = dict.fromkeys(("ops", "dev"), refused(status))
    outcome = teams("ops", "dev", **refusals).sync("pulumi_organization_teams", *PARTS)
    assert not any(outcome.records(stream) for stream in PARTS)
    assert 1 <= len(outcome.logged("WARNING", "team:read")) <= 2
    for stream in PARTS:
        assert outcome.logged("INFO", f"{stream} ", "skipped")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("45s", 45), ("1h0m0.5s", 3600), ("", None), ("soon", None), (90, None)],
)
def test_durations(text: Any, seconds: int | None) -> None:
    assert seconds_of(text) == seconds


def test_tokens_come_with_times_and_without_values() -> None:
    token = {"id": "t1", "name": "ci", "lastUsed": 0, "expires": 1782864000, "tokenValue": SECRET}
    role = {"id": "r1", "name": "Reader"}
    organization = teams("ops")
    organization.lists["tokens"] = {"tokens": [{**token, "role": role, "value": SECRET}]}
    organization.lists["teams/ops/tokens"] = {"tokens": [token]}
    outcome = organization.sync("pulumi_organization_tokens", TOKENS)
    (own,) = outcome.records("pulumi_organization_tokens")
    assert only(own, "id", "role_id", "last_used", "expires") == (
        "t1",
        "r1",
        None,
        "2026-07-01T00:00:00.000000Z",
    )
    (of_team,) = outcome.records(TOKENS)
    assert only(of_team, "org_name", "team_name", "id") == ("acme", "ops", "t1")
    queries = [query for path, query in organization.asked if path.endswith("tokens")]
    assert [q["filter"] for q in queries] == ["all", "all"]
    assert {q["maxResults"] for q in queries} == {"1000"}


def test_a_purpose_that_a_server_does_not_know_is_noted() -> None:
    def roles(query: dict[str, str]) -> Any:
        purpose = query["uxPurpose"]
        if purpose == "role_temporary":
            return refused(400, "Role purpose is not valid")
        row = {
            "id": purpose,
            "uxPurpose": purpose,
            "defaultIdentifier": "",
            "details": {"__type": "X"},
        }
        return {"roles": [row]}

    outcome = Organization({"roles": roles}).sync("pulumi_roles")
    rows = outcome.records("pulumi_roles")
    assert {r["id"] for r in rows} == {*PURPOSES} - {"role_temporary"}
    assert {r["default_identifier"] for r in rows} == {None}
    assert rows[0]["details"] == {"__type": "X"}
    assert outcome.says("pulumi_roles", "without those for role_temporary")
