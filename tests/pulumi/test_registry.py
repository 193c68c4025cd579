"""The registry, who uses its packages, and cloud accounts that lie below others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pulumi.lists import SECRET, Organization, activated, only, pages, refused

PACKAGES, TEMPLATES = "pulumi_registry_packages", "pulumi_registry_templates"
USAGE, ACCOUNTS = "pulumi_package_usage", "pulumi_insights_accounts"
REGISTRY = "/api/registry/packages"
INSIGHTS = "/api/preview/insights/acme/accounts"


def package(name: str, visibility: str = "private", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "publisher": "acme",
        "source": "private",
        "visibility": visibility,
        "readmeURL": SECRET,
        "schemaURL": SECRET,
        "logoUrl": SECRET,
        "pluginDownloadURL": SECRET,
        "parameterization": {"baseProvider": {"name": "tf"}, "parameter": [SECRET]},
        "repoUrl": f"https://x:{SECRET}@h.example/r?t={SECRET}",
        **more,
    }


def test_packages_without_addresses_that_open_something() -> None:
    rows = [package("net"), package("aws", "public")]
    organization = Organization({REGISTRY: {"packages": rows}})
    (row,) = organization.sync(PACKAGES).records(PACKAGES)
    assert only(row, "org_name", "name", "repo_url") == ("acme", "net", "https://h.example/r")
    assert row["parameterization"] == {"baseProvider": {"name": "tf"}}
    ((_, query),) = organization.asked
    assert (query["orgLogin"], query["visibility"], query["limit"]) == ("acme", "private", "500")


def test_templates_keep_no_default_of_a_secret() -> None:
    config = {
        "db:pass": {"default": SECRET, "secret": True, "description": "x"},
        "aws:region": {"default": "us-west-2"},
    }
    row = {"name": "a/b", "publisher": "acme", "source": "private", "config": config}
    more = {"downloadURL": SECRET, "readmeURL": SECRET, "url": f"https://h/x?key={SECRET}"}
    answer = {"templates": [{**row, **more}], "diagnostics": [{"message": "slow"}]}
    organization = Organization({"/api/registry/templates": answer})
    outcome = organization.sync(TEMPLATES, emit_activate_version_messages=True)
    (found,) = outcome.records(TEMPLATES)
    assert found["config"] == {
        "db:pass": {"secret": True, "description": "x"},
        "aws:region": {"default": "us-west-2"},
    }
    assert found["url"] == "https://h/x"
    assert outcome.says(TEMPLATES, "templates may be missing")
    assert activated(outcome) == set()


def usage(query: dict[str, str]) -> Any:
    name = query["packageName"]
    if name == "gone":
        return refused(404, "Package not found")
    row = {"projectName": "web", "stackName": "prod", "stackId": "s1", "version": "6.1.0"}
    last = {"time": "2026-07-01T00:00:00Z", "version": 4}
    return pages("stacks", [{**row, "providerUrn": f"urn:{name}", "lastUpdate": last}], [row])(
        query
    )


def registry(query: dict[str, str]) -> Any:
    if query["visibility"] == "private":
        return {"packages": [package("net"), package("gone")]}
    used = {name: {"totalStacks": number} for name, number in {"aws": 3, "net": 1, "no": 0}.items()}
    rows = [package(name, "public", usageStats=stats) for name, stats in used.items()]
    return pages("packages", rows, [package("old", "public")])(query)


def test_who_uses_which_package() -> None:
    organization = Organization({REGISTRY: registry, "packages/usage": usage})
    outcome = organization.sync(USAGE)
    rows = outcome.records(USAGE)
    found = {only(r, "package_name", "stack_name", "provider_urn") for r in rows}
    assert found == {
        ("net", "prod", "urn:net"),
        ("net", "prod", ""),
        ("aws", "prod", "urn:aws"),
        ("aws", "prod", ""),
    }
    assert only(rows[0], "last_update_time", "last_update_version", "stack_id") == (
        "2026-07-01T00:00:00.000000Z",
        4,
        "s1",
    )
    asked = [query["packageName"] for path, query in organization.asked if path == "packages/usage"]
    assert sorted(set(asked)) == ["aws", "gone", "net"], "none that no stack uses"
    assert set(outcome.schemas) == {USAGE}


def test_a_plan_without_private_packages_has_public_ones() -> None:
    def without(query: dict[str, str]) -> Any:
        return refused(402, "no plan") if query["visibility"] == "private" else registry(query)

    outcome = Organization({REGISTRY: without, "packages/usage": usage}).sync(USAGE)
    assert {r["package_name"] for r in outcome.records(USAGE)} == {"aws", "net"}


def test_a_registry_that_does_not_tell_what_is_in_use() -> None:
    def silent(query: dict[str, str]) -> Any:
        private = query["visibility"] == "private"
        return {"packages": [package("net") if private else package("aws", "public")]}

    organization = Organization({REGISTRY: silent, "packages/usage": usage})
    outcome = organization.sync(USAGE, emit_activate_version_messages=True)
    assert {r["package_name"] for r in outcome.records(USAGE)} == {"net"}
    assert outcome.says(USAGE, "does not tell which public packages are in use")
    assert activated(outcome) == set()


def test_where_no_usage_is_told_that_is_said() -> None:
    organization = Organization({REGISTRY: registry, "packages/usage": refused(404)})
    outcome = organization.sync(USAGE, PACKAGES)
    assert not outcome.records(USAGE)
    assert outcome.logged("WARNING", USAGE, "resources:search")


def account(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "provider": "aws", **more}


def accounts(query: dict[str, str]) -> Any:
    lists = {
        "": [account("aws"), account("a b/"), account("gcp")],
        "aws": [account("aws/us-west-2"), account("aws/eu")],
        "gcp": [account("aws"), account("gcp")],  # as a server that ignores the parameter
    }
    parent = query.get("parent", "")
    if parent not in lists:
        return refused(404, "Parent account not found")
    rows = lists[parent]
    start = int(query.get("continuationToken", 0))
    more = {"nextToken": str(start + 1)} if start + 1 < len(rows) else {}
    return {"accounts": rows[start : start + 1], **more}


def test_accounts_below_others_are_asked_for_where_the_list_has_none() -> None:
    def flat(query: dict[str, str]) -> Any:
        answer = accounts(query)
        for row in answer["accounts"] if isinstance(answer, dict) else []:
            row["name"] = row["name"].rstrip("/")
        return answer

    organization = Organization({INSIGHTS: flat})
    outcome = organization.sync(ACCOUNTS)
    names = [r["name"] for r in outcome.records(ACCOUNTS)]
    assert sorted(names) == ["a b", "aws", "aws/eu", "aws/us-west-2", "gcp"]
    assert {q.get("parent") for _, q in organization.asked} == {None, "aws", "a b", "gcp"}
    assert outcome.says(ACCOUNTS, "without those below a b")


def test_a_list_that_has_them_costs_no_more() -> None:
    organization = Organization({INSIGHTS: {"accounts": [account("aws"), account("aws/eu")]}})
    assert len(organization.sync(ACCOUNTS).records(ACCOUNTS)) == 2
    assert len(organization.asked) == 1


@pytest.mark.parametrize("answer", [{}, {"accounts": None}])
def test_no_accounts_at_all(answer: Any) -> None:
    assert not Organization({INSIGHTS: answer}).sync(ACCOUNTS).records(ACCOUNTS)


def test_scans_are_columns_and_configuration_has_no_secret() -> None:
    scan = {
        "id": "s1",
        "status": "",
        "startedAt": "0001-01-01T00:00:00Z",
        "finishedAt": "2026-07-01T00:00:00Z",
        "resourceCount": 4,
        "jobs": [{"worker": SECRET}],
    }
    row = account(
        "aws/x",
        scanStatus=scan,
        agentPoolID="",
        ownedBy={"githubLogin": "ana"},
        providerConfig={"aws:region": "eu", "aws:secretKey": SECRET},
    )
    (found,) = Organization({INSIGHTS: {"accounts": [row]}}).sync(ACCOUNTS).records(ACCOUNTS)
    assert only(found, "scan_id", "scan_status", "scan_started_at", "scan_finished_at") == (
        "s1",
        None,
        None,
        "2026-07-01T00:00:00.000000Z",
    )
    assert only(found, "scan_resource_count", "agent_pool_id", "owned_by_login") == (4, None, "ana")
    assert found["provider_config"] == {"aws:region": "eu"}
