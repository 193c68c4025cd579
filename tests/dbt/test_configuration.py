"""What projects are set up with: deleted ones ask for less, values come by a setting alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dbt.lists import ACCOUNT, NOT_THERE, REFUSED, SECRET, Account, envelope, only

P5 = "v3/projects/5/"
VARIABLES = f"{P5}environment-variables/environment/"
JOB_VARIABLES = f"{P5}environment-variables/job/"
PROJECTS = [{"id": 5, "name": "main", "state": 1}, {"id": 6, "name": "old", "state": 2}]
PROJECT_LISTS = {
    "dbt_profiles": "profiles/",
    "dbt_credentials": "credentials/",
    "dbt_environment_variables": "environment-variables/environment/",
    "dbt_lineage_integrations": "integrations/lineage/",
}


def variables(**names: Any) -> Any:
    return envelope({"environments": ["project", "Production"], "variables": names})


def test_deleted_projects_are_asked_for_environments_and_repositories_alone() -> None:
    lists: dict[str, Any] = {"v3/projects/": PROJECTS, VARIABLES: variables()}
    lists |= {f"{P5}{path}": [] for path in PROJECT_LISTS.values() if "variables" not in path}
    lists |= {
        f"v3/projects/{p}/{what}/": [] for p in (5, 6) for what in ("environments", "repositories")
    }
    account = Account(lists)
    account.sync(*PROJECT_LISTS, "dbt_environments", "dbt_repositories")
    assert account.paths("projects/6/") == [
        "v3/projects/6/environments/",
        "v3/projects/6/repositories/",
    ]
    assert len(account.paths("projects/5/")) == 6


def test_user_and_schema_have_one_name() -> None:
    rows = [
        {"id": 1, "type": "postgres", "username": "dbt", "default_schema": "dev"},
        {"id": 2, "type": "snowflake", "user": "DBT", "schema": "DEV", "role": "R"},
    ]
    outcome = Account({f"{P5}credentials/": rows}).sync("dbt_credentials")
    one, two = outcome.records("dbt_credentials")
    assert only(one, "user", "schema") == ("dbt", "dev")
    assert only(two, "user", "schema", "role") == ("DBT", "DEV", "R")
    assert not {"username", "default_schema"} & (one.keys() | two.keys())


# Variables


WITH_VALUES: dict[str, Any] = {"dbt_include_config_values": True}


def test_a_variable_is_a_row_in_each_scope_where_it_has_a_value() -> None:
    found = variables(
        DBT_X={"project": {"id": 1, "value": "a"}, "Production": {"id": 2, "value": "b"}},
        DBT_EMPTY={"project": {"id": None, "value": None}, "Production": None},
        DBT_UNSET={"project": {"id": 3, "value": None}},
    )
    rows = (
        Account({VARIABLES: found})
        .sync("dbt_environment_variables")
        .records("dbt_environment_variables")
    )
    assert [only(r, "project_id", "name", "scope", "id", "has_value") for r in rows] == [
        (5, "DBT_X", "project", 1, True),
        (5, "DBT_X", "Production", 2, True),
        (5, "DBT_UNSET", "project", 3, False),
    ]
    assert not any("value" in row for row in rows)


def test_values_come_by_a_setting_and_secret_ones_never() -> None:
    def in_project(value: str) -> Any:
        return {"project": {"id": 1, "value": value}}

    found = variables(
        DBT_X=in_project("plain"),
        DBT_ENV_SECRET_GIT=in_project(SECRET),
        DBT_PASSWORD=in_project(SECRET),
        DBT_MASKED=in_project("********"),
        DBT_URL=in_project(f"https://me:{SECRET}@example.com/"),
    )
    account = Account({VARIABLES: found})
    outcome = account.sync("dbt_environment_variables", **WITH_VALUES)
    rows = {row["name"]: row for row in outcome.records("dbt_environment_variables")}
    assert rows["DBT_X"]["value"] == "plain"
    assert {name for name, row in rows.items() if row["is_secret"]} == {"DBT_ENV_SECRET_GIT"}
    assert all(row["has_value"] for row in rows.values())
    hidden = {name for name, row in rows.items() if row["value"] is None}
    assert hidden == {"DBT_ENV_SECRET_GIT", "DBT_PASSWORD", "DBT_MASKED"}
    assert rows["DBT_URL"]["value"] == "https://me:***@example.com/"


JOBS = [
    {"id": 31, "project_id": 5, "state": 1},
    {"id": 32, "project_id": 5, "state": 2},
    {"id": 33, "project_id": 6, "state": 1},
]


def of_jobs() -> dict[str, Any]:
    answer = envelope(
        {
            "DBT_X": {"project": {"id": 1, "value": "a"}, "job": {"id": 8, "value": "c"}},
            "DBT_Y": {"project": {"id": 1, "value": "a"}, "job": None},
            "project": {"job": {"id": 9, "value": "no name"}},
        }
    )
    return {
        "v3/projects/": [{"id": 5, "state": 1}, {"id": 6, "state": 1}],
        VARIABLES: variables(DBT_X={"project": {"id": 1, "value": "a"}}),
        "v3/projects/6/environment-variables/environment/": variables(),
        "v2/jobs/": lambda query: [] if query.get("is_system") else JOBS,
        JOB_VARIABLES: answer,
        "v3/projects/6/environment-variables/job/": envelope({}),
    }


def test_a_job_has_a_row_for_each_value_of_its_own() -> None:
    account = Account(of_jobs())
    outcome = account.sync("dbt_job_environment_variables")
    (row,) = outcome.records("dbt_job_environment_variables")
    names = ("account_id", "project_id", "job_definition_id", "name", "id", "has_value")
    assert only(row, *names) == (ACCOUNT, 5, 31, "DBT_X", 8, True)
    asked = [query["job_definition_id"] for name, query in account.asked if "/job/" in name]
    assert sorted(asked) == ["31", "33"], "the deleted job is not asked for"


def test_jobs_of_projects_without_variables_cost_nothing_where_that_is_known() -> None:
    account = Account(of_jobs())
    account.sync("dbt_environment_variables", "dbt_job_environment_variables")
    assert account.paths("/job/") == [JOB_VARIABLES]


# Extended attributes


def attributes(set_id: int, **more: Any) -> Any:
    return envelope({"id": set_id, "project_id": 5, "state": 1, **more})


def of_attributes() -> dict[str, Any]:
    values = {"warehouse": "wh", "password": SECRET, "nested": {"api_key": SECRET, "port": 1}}
    return {
        f"{P5}environments/": [
            {"id": n, "extended_attributes_id": set_id}
            for n, set_id in enumerate([40, None, 40, 41], start=1)
        ],
        f"{P5}profiles/": [{"id": 1, "extended_attributes_id": n} for n in (41, 42)],
        f"{P5}extended-attributes/40/": attributes(40, extended_attributes=values),
        f"{P5}extended-attributes/42/": attributes(42, extended_attributes={}),
    }


def test_each_set_of_attributes_is_asked_for_once_and_one_that_is_gone_is_no_row() -> None:
    account = Account(of_attributes())
    outcome = account.sync("dbt_extended_attributes")
    (row,) = outcome.records("dbt_extended_attributes")
    assert only(row, "id", "project_id", "attribute_keys") == (
        40,
        5,
        ["warehouse", "password", "nested"],
    )
    assert "extended_attributes" not in row
    assert account.paths("extended-attributes") == [
        f"{P5}extended-attributes/40/",
        f"{P5}extended-attributes/41/",
    ]
    assert not outcome.logged("WARNING")


def test_profiles_name_sets_of_attributes_too() -> None:
    account = Account(of_attributes())
    account.lists[f"{P5}profiles/"] = [{"id": n, "extended_attributes_id": n} for n in (40, 42)]
    outcome = account.sync("dbt_profiles", "dbt_extended_attributes")
    assert [row["id"] for row in outcome.records("dbt_extended_attributes")] == [40, 42]
    assert len(account.paths("extended-attributes")) == 3


@pytest.mark.parametrize("odd", ["x", [1], {"id": 1}, 2.5, True])
def test_odd_ids_of_attributes_take_nothing_away(odd: Any) -> None:
    account = Account(of_attributes())
    account.lists[f"{P5}profiles/"] = [{"id": 1, "extended_attributes_id": odd}]
    account.lists[f"{P5}environments/"] = [
        {"id": 1, "extended_attributes_id": odd},
        {"id": 2, "extended_attributes_id": 40},
    ]
    outcome = account.sync("dbt_profiles", "dbt_environments", "dbt_extended_attributes")
    assert len(outcome.records("dbt_profiles")) == 1
    assert len(outcome.records("dbt_environments")) == 2
    assert [row["id"] for row in outcome.records("dbt_extended_attributes")] == [40]


@pytest.mark.parametrize(
    ("text", "keys"), [('{"a": 1.10, "password": "x"}', ["a", "password"]), ("a: 1", None)]
)
def test_attributes_that_come_as_text_are_read_or_left_out(text: str, keys: Any) -> None:
    lists = of_attributes()
    lists[f"{P5}extended-attributes/40/"] = attributes(40, extended_attributes=text)
    outcome = Account(lists).sync("dbt_extended_attributes", **WITH_VALUES)
    (row,) = outcome.records("dbt_extended_attributes")
    assert row["attribute_keys"] == keys
    assert row["extended_attributes"] == (None if keys is None else {"a": 1.10})


def test_values_of_attributes_come_by_a_setting_without_secrets() -> None:
    account = Account(of_attributes())
    (row,) = account.sync("dbt_extended_attributes", **WITH_VALUES).records(
        "dbt_extended_attributes"
    )
    assert row["extended_attributes"] == {"warehouse": "wh", "nested": {"port": 1}}


# Connections, jobs, repositories


def test_connections_have_their_configuration_by_a_setting() -> None:
    config = {
        "account": "ab1",
        "private_key": SECRET,
        "oauth_client_id": "who",
        "oauth_client_secret": SECRET,
        "client_email": "robot@x.example",
        "private_key_id": "k1",
        "keyfile": json.dumps({"project": "ours", "private_key": SECRET}),
        "session": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
    }
    listed = [{"id": n, "name": f"c{n}", "config": None} for n in (1, 2)]
    account = Account(
        {
            "v3/connections/": listed,
            "v3/connections/1/": envelope({"id": 1, "name": "c1", "config": config}),
            "v3/connections/2/": REFUSED,
        }
    )
    plain = account.sync("dbt_connections")
    assert not any("config" in row for row in plain.records("dbt_connections"))
    outcome = account.sync("dbt_connections", dbt_connection_details=True)
    one, two = outcome.records("dbt_connections")
    assert one["config"]["account"] == "ab1"
    assert one["config"].keys() <= {"account", "keyfile", "session"}
    assert json.loads(one["config"].get("keyfile") or "{}") in ({}, {"project": "ours"})
    assert one["config"].get("session") is None
    assert two["config"] is None


def test_the_webhook_of_a_job_is_cut_to_its_host() -> None:
    url = f"https://hooks.example.com/{SECRET}"
    account = Account({"v2/jobs/": [{"id": 1, "lifecycle_webhooks_url": url}]})
    (row,) = account.sync("dbt_jobs").records("dbt_jobs")
    assert row["lifecycle_webhooks_url"] == "https://hooks.example.com"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("git@github.com:acme/w.git", "git@github.com:acme/w.git"),
        ("git://github.com/acme/w.git", "git://github.com/acme/w.git"),
        ("https://acme@dev.azure.com/acme/w", "https://dev.azure.com/acme/w"),
        ("https://github.com/acme/w@1", "https://github.com/acme/w@1"),
        (None, None),
    ],
)
def test_users_are_cut_out_of_addresses(url: str | None, shown: str | None) -> None:
    account = Account({f"{P5}repositories/": [{"id": 1, "remote_url": url}]})
    (row,) = account.sync("dbt_repositories").records("dbt_repositories")
    assert row["remote_url"] == shown


def test_a_deployment_without_profiles_skips_them_with_a_word() -> None:
    account = Account({f"{P5}profiles/": NOT_THERE, f"{P5}repositories/": [{"id": 1}]})
    outcome = account.sync("dbt_profiles", "dbt_repositories")
    (warning,) = outcome.logged("WARNING", "dbt_profiles")
    assert "too old" in warning
