"""What opens an account: tokens without their values, grants, addresses, old paths, deny lists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.dbt.lists import ACCOUNT, NOT_THERE, REFUSED, SECRET, Account, envelope, only
from tests.scripted_server import ScriptedServer

#: Fields that must never be in a row of a stream, with what else there is in it.
SECRETS: dict[str, tuple[str, dict[str, Any]]] = {
    "dbt_service_tokens": (
        "v3/service-tokens/",
        {"token": SECRET, "token_string": SECRET, "permission_grants": [{"token": SECRET}]},
    ),
    "dbt_scim_tokens": ("v3/scim-config/tokens/", {"token_string": SECRET}),
    "dbt_ssh_tunnels": ("v2/encryptions/", {"private_key": SECRET, "public_key": "ssh-rsa A"}),
    "dbt_oauth_configurations": ("v3/oauth-configurations/", {"client_secret": SECRET}),
    "dbt_semantic_layer_credentials": (
        "v3/semantic-layer-credentials/",
        {"values": {"password": SECRET, "user": SECRET}, "service_tokens": [{"id": 3}]},
    ),
    "dbt_webhooks": (
        "v3/webhooks/subscriptions",
        {"hmac_secret": SECRET, "client_url": f"https://u:{SECRET}@hooks.example.com/{SECRET}"},
    ),
    "dbt_repositories": (
        "v3/projects/5/repositories/",
        {
            "remote_url": f"https://{SECRET}@git.example.com/acme/{ACCOUNT}.git",
            "pull_request_url_template": f"https://me:{SECRET}@git.example.com/pr",
            "web_url": f"https://{SECRET}@git.example.com/acme",
            "deploy_key": {"public_key": SECRET},
            "gitlab": {"project_access_token_id": SECRET},
        },
    ),
    "dbt_credentials": (
        "v3/projects/5/credentials/",
        {
            "password": SECRET,
            "_refresh_token": SECRET,
            "private_key": SECRET,
            "values": {"x": SECRET},
            "credential_details": {"fields": {"x": {"value": SECRET}}},
            "unencrypted_credential_details": {"token": SECRET},
        },
    ),
    "dbt_lineage_integrations": (
        "v3/projects/5/integrations/lineage/",
        {"config": {"token": SECRET, "token_name": "ours", "host": "tableau.example.com"}},
    ),
    "dbt_notifications": ("v2/notifications/", {"user": {"last_name": SECRET}}),
}


@pytest.mark.parametrize("stream", SECRETS)
def test_no_secret_gets_out_and_all_else_stays(stream: str) -> None:
    path, fields = SECRETS[stream]
    row = {"id": "a" if stream == "dbt_webhooks" else 1, "name": "ours", "brand_new": 1, **fields}
    (found,) = Account({path: [row]}).sync(stream).records(stream)
    assert only(found, "account_id", "id", "name", "brand_new") == (ACCOUNT, row["id"], "ours", 1)


def test_what_only_looks_secret_stays() -> None:
    lists = {
        "v3/oauth-configurations/": [{"id": 1, "token_url": "https://idp.example.com/token"}],
        "v3/projects/5/integrations/lineage/": [{"id": 1, "config": {"token_name": "ours"}}],
        "v3/semantic-layer-credentials/": [{"id": 1, "service_tokens": [{"id": 3, "uid": "x"}]}],
        "v3/service-tokens/": [
            {"id": 1, "semantic_layer_credentials": [{"id": 4}], "last_used": "2026-01-02 03:04:05"}
        ],
        "v2/encryptions/": [{"id": 1, "public_key": "ssh-rsa AAAA"}],
    }
    outcome = Account(lists).sync(
        "dbt_oauth_configurations",
        "dbt_lineage_integrations",
        "dbt_semantic_layer_credentials",
        "dbt_service_tokens",
        "dbt_ssh_tunnels",
    )
    (oauth,) = outcome.records("dbt_oauth_configurations")
    assert oauth["token_url"].endswith("/token")
    (lineage,) = outcome.records("dbt_lineage_integrations")
    assert lineage["config"] == {"token_name": "ours"}
    (semantic,) = outcome.records("dbt_semantic_layer_credentials")
    assert semantic["service_token_ids"] == [3]
    (token,) = outcome.records("dbt_service_tokens")
    assert token["semantic_layer_credential_ids"] == [4]
    assert token["last_used"] == "2026-01-02T03:04:05.000000Z"
    (tunnel,) = outcome.records("dbt_ssh_tunnels")
    assert tunnel["public_key"] == "ssh-rsa AAAA"


@pytest.mark.parametrize("field", ["permission_grants", "service_token_permissions"])
def test_grants_of_a_token_are_rows_and_equal_ones_are_united(field: str) -> None:
    name = "writable_environment_categories"
    grants = [
        {"permission_set": "job_admin", "project_id": None, name: ["production"]},
        {"permission_set": "job_admin", "project_id": None, name: ["staging", "production"]},
        {"id": 9, "permission_set": "job_admin", "project_id": 5, name: None},
    ]
    outcome = Account({"v3/service-tokens/": [{"id": 2, field: grants}]}).sync(
        "dbt_service_token_grants"
    )
    rows = outcome.records("dbt_service_token_grants")
    assert [only(r, "service_token_id", "permission_set", "scope", name) for r in rows] == [
        (2, "job_admin", "all", ["production", "staging"]),
        (2, "job_admin", "5", None),
    ]


def test_an_old_deployment_has_private_endpoints_elsewhere() -> None:
    old = "v3/private-link-endpoints/"
    account = Account({old: [{"id": "ple_1", "name": "ours"}]})
    outcome = account.sync("dbt_private_endpoints")
    assert [r["id"] for r in outcome.records("dbt_private_endpoints")] == ["ple_1"]
    assert account.paths() == ["v3/private-endpoints/", old]


def test_every_account_of_an_old_deployment_has_them_elsewhere() -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/accounts/":
            return envelope([{"id": 7, "name": "Acme"}, {"id": 8, "name": "Other"}], 2)
        account = path.split("/")[4]
        if path.endswith("/private-link-endpoints/"):
            return envelope([{"id": f"ple_{account}"}], 1)
        return NOT_THERE

    with ScriptedServer(answer) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url}
        outcome = sync(config, select=["dbt_private_endpoints"])
    assert outcome.code == 0, outcome.log
    rows = outcome.records("dbt_private_endpoints")
    assert {only(row, "account_id", "id") for row in rows} == {(7, "ple_7"), (8, "ple_8")}


def test_private_endpoints_that_are_nowhere_are_skipped_once() -> None:
    account = Account({"v3/groups/": [{"id": 1}]})
    outcome = account.sync("dbt_private_endpoints", "dbt_groups")
    (warning,) = outcome.logged("WARNING", "dbt_private_endpoints")
    assert "the permission to read connections" in warning
    assert "Enterprise" in warning
    forbidden = Account({"v3/private-endpoints/": REFUSED, "v3/groups/": [{"id": 1}]})
    forbidden.sync("dbt_private_endpoints", "dbt_groups")
    assert "v3/private-link-endpoints/" not in forbidden.paths()


def test_the_switches_of_scim_are_one_row() -> None:
    account = Account({"v3/scim-config/": envelope({"enabled": True})})
    (row,) = account.sync("dbt_scim_config").records("dbt_scim_config")
    assert only(row, "account_id", "enabled") == (ACCOUNT, True)


def test_a_refused_parent_is_one_warning_for_what_it_carries() -> None:
    lists = {"v3/service-tokens/": NOT_THERE, "v3/groups/": [{"id": 1}]}
    outcome = Account(lists).sync("dbt_service_tokens", "dbt_service_token_grants", "dbt_groups")
    (warning,) = outcome.logged("WARNING", "dbt_service_token")
    assert "the permission to read service tokens" in warning
    assert warning.endswith("left out as well: dbt_service_token_grants")
    assert outcome.says("dbt_service_token_grants", "(as dbt_service_tokens)")


def test_deleted_rows_are_asked_for_unless_the_settings_say_no() -> None:
    account = Account(
        {"v2/encryptions/": [], "v3/groups/": [], "v3/semantic-layer-credentials/": []}
    )
    streams = ("dbt_ssh_tunnels", "dbt_groups", "dbt_semantic_layer_credentials")
    account.sync(*streams)
    assert {query.get("state") for _, query in account.asked} == {"all"}
    account.sync(*streams, dbt_include_deleted=False)
    assert {query.get("state") for _, query in account.asked} == {None}
