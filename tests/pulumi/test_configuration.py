"""What organizations have set up: no address that opens anything, no kind that hides another."""

from __future__ import annotations

from typing import Any

import pytest

from tap_cloudapis.pulumi.urls import bare, host_of
from tests.pulumi.lists import SECRET, Organization, activated, only, refused

POOLS = "pulumi_agent_pools"
HOOKS = "pulumi_organization_webhooks"
DELETED = "pulumi_deleted_stacks"
SOURCES = "pulumi_template_sources"
VCS = "pulumi_vcs_integrations"
INTEGRATIONS = "/api/console/orgs/acme/integrations"
SECONDS = 1782864000
FIRST_OF_JULY = "2026-07-01T00:00:00.000000Z"


def read(stream: str, path: str, answer: Any, **settings: Any) -> list[dict[str, Any]]:
    return Organization({path: answer}).sync(stream, **settings).records(stream)


def test_pools_of_older_servers_and_times_in_two_units() -> None:
    pools = [
        {"id": "a", "created": SECONDS, "lastSeen": SECONDS * 1000, "tokenValue": SECRET},
        {"id": "b", "created": 0, "lastDeployment": None, "isDefault": False},
    ]
    beside = {"agentPools": pools, "defaultAgentPoolID": "a"}
    first, second = read(POOLS, "agent-pools", beside)
    assert only(first, "id", "is_default", "created", "last_seen") == (
        "a",
        True,
        FIRST_OF_JULY,
        FIRST_OF_JULY,
    )
    assert only(second, "is_default", "created", "last_deployment") == (False, None, None)
    (alone, _) = read(POOLS, "agent-pools", {"agentPools": pools})
    assert alone.get("is_default") is None


def test_of_webhooks_only_the_host_is_told() -> None:
    hook = {
        "name": "h",
        "organizationName": "acme",
        "active": True,
        "payloadUrl": f"https://u:{SECRET}@hooks.example.com:8443/{SECRET}?t={SECRET}",
        "secret": SECRET,
        "secretCiphertext": SECRET,
        "hasSecret": True,
        "filters": [],
    }
    slack = {"name": "s", "payloadUrl": f"https://hooks.slack.com/services/T0/{SECRET}"}
    first, second = read(HOOKS, "hooks", [hook, slack])
    assert only(first, "name", "payload_host", "has_secret", "filters") == (
        "h",
        "hooks.example.com:8443",
        True,
        [],
    )
    assert second["payload_host"] == "hooks.slack.com"
    assert not {"payload_url", "secret", "organization_name"} & first.keys()


def test_no_hooks_is_an_empty_list_and_an_object_is_none() -> None:
    assert read(HOOKS, "hooks", []) == []
    outcome = Organization({"hooks": {"hooks": []}}).sync(HOOKS, code=1)
    assert outcome.logged("ERROR", HOOKS, "shape that is not its API's")


def test_deleted_stacks_add_up() -> None:
    last = {"result": "succeeded", "startTime": SECONDS, "endTime": 0, "resourceCount": 3}
    row = {"id": "d1", "programId": "p1", "deletedAt": SECONDS, "lastUpdate": last}
    organization = Organization({"restore-stack": {"deletedStacks": [row, {"id": "d2"}]}})
    outcome = organization.sync(DELETED, emit_activate_version_messages=True)
    first, second = outcome.records(DELETED)
    names = ("deleted_at", "last_update_result", "last_update_start_time", "last_update_end_time")
    assert only(first, *names) == (FIRST_OF_JULY, "succeeded", FIRST_OF_JULY, None)
    assert first["last_update_resource_count"] == 3
    assert "last_update" not in first
    assert second["last_update_result"] is None
    assert activated(outcome) == set(), "older ones stay"


def test_addresses_of_sources_are_cut() -> None:
    row = {
        "id": "1",
        "sourceURL": f"https://oauth2:{SECRET}@git.example.com/t.git?private_token={SECRET}",
        "destination": {"url": f"https://{SECRET}@git.example.com/out"},
        "error": "",
    }
    (found,) = read(SOURCES, "templates/sources", {"sources": [row]})
    assert only(found, "source_url", "destination_url", "error") == (
        "https://git.example.com/t.git",
        "https://git.example.com/out",
        None,
    )


@pytest.mark.parametrize(
    ("url", "expected", "host"),
    [
        ("https://a:b@h.example/x?y#z", "https://h.example/x", "h.example"),
        ("git@h.example:acme/x", "git@h.example:acme/x", None),
        ("ssh://git@h.example/x", "ssh://h.example/x", "h.example"),
        ("", None, None),
        (None, None, None),
        (7, None, None),
        ("https://[broken", None, None),
    ],
)
def test_what_stays_of_a_url(url: Any, expected: str | None, host: str | None) -> None:
    assert (bare(url), host_of(url)) == (expected, host)


def integrations(**kinds: Any) -> Organization:
    listed = [
        {"id": f"{kind}-{n}", "vcsProvider": kind, "host": "", "hasIndividualAccess": True}
        for kind in kinds
        for n in (1, 2)
    ]
    lists: dict[str, Any] = {INTEGRATIONS: {"integrations": listed}}
    for kind, answer in kinds.items():
        lists[f"{INTEGRATIONS}/{kind.replace('_', '-')}"] = answer
    return Organization(lists)


def test_each_kind_of_integration_is_asked_for_once() -> None:
    user = {"githubLogin": "ana", "email": f"{SECRET}@example.com"}
    gitlab = {
        "id": "gitlab-1",
        "valid": False,
        "authUser": user,
        "groupName": "Acme",
        "groupPath": "acme/infra",
        "gitLabGroupId": 2**53 + 1,
        "gitLabOrg": {"name": "Other", "hasRequiredPermissions": True},
        "groupAccessTokenExpiration": "2026-07-01T00:00:00Z",
    }
    azure = {
        "id": "azure_devops-2",
        "organization": {"id": "o1", "name": "ado", "hasRequiredPermissions": False},
        "project": {"id": "p", "name": "Platform"},
        "valid": True,
    }
    organization = integrations(
        gitlab={"integrations": [gitlab]}, azure_devops={"integrations": [azure]}
    )
    outcome = organization.sync(VCS)
    assert organization.paths == [
        INTEGRATIONS,
        f"{INTEGRATIONS}/azure-devops",
        f"{INTEGRATIONS}/gitlab",
    ]
    rows = {row["id"]: row for row in outcome.records(VCS)}
    assert len(rows) == 4
    names = ("valid", "account_name", "account_slug", "account_id", "has_required_permissions")
    assert only(rows["gitlab-1"], *names) == (False, "Acme", "acme/infra", str(2**53 + 1), True)
    ends = ("auth_user_login", "group_access_token_expiration", "host")
    assert only(rows["gitlab-1"], *ends) == ("ana", FIRST_OF_JULY, None)
    assert only(rows["azure_devops-2"], *names, "project_name") == (
        True,
        "ado",
        None,
        "o1",
        False,
        "Platform",
    )
    assert rows["gitlab-2"].get("valid") is None
    assert not {"auth_user", "has_individual_access", "organization"} & rows["gitlab-1"].keys()


def test_a_kind_that_is_refused_leaves_its_columns_empty() -> None:
    organization = integrations(github=refused(), gitlab={"integrations": [{"id": "gitlab-1"}]})
    outcome = organization.sync(VCS)
    assert len(outcome.records(VCS)) == 4
    assert outcome.says(VCS, "rows of github come without their details")


def test_a_kind_that_is_no_list_fails() -> None:
    outcome = integrations(github={"integrations": "x"}).sync(VCS, code=1)
    assert outcome.logged("ERROR", VCS, "details of github")
    assert not outcome.records(VCS)
