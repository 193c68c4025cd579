"""What the catalog tells of streams: keys, descriptions, and what columns refer to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.syncing import command, discover

STREAMS = {entry["stream"]: entry for entry in discover()["streams"]}
DBT = [name for name in STREAMS if name.startswith("dbt_")]
REFERENCES = [
    pytest.param(name, reference, id=f"{name}.{reference['columns'][-1]}")
    for name in DBT
    for reference in STREAMS[name]["references"]
]


def column_of(schema: dict[str, Any], path: str) -> dict[str, Any] | None:
    """What a schema says of a column that may lie within objects and arrays."""
    found: dict[str, Any] = schema
    for part in path.split("."):
        inner = found.get("properties", {}).get(part.removesuffix("[]"))
        if inner is None:
            return None
        found = inner["items"] if part.endswith("[]") else inner
    return found


def types_of(definition: dict[str, Any]) -> set[str]:
    declared = definition["type"]
    return {declared} - {"null"} if isinstance(declared, str) else {*declared} - {"null"}


def test_discovery_needs_no_settings() -> None:
    assert command("--discover").code == 0
    assert len(DBT) >= 35
    for name in DBT:
        assert STREAMS[name]["key_properties"], name
        properties = STREAMS[name]["schema"]["properties"]
        assert all(definition["description"] for definition in properties.values()), name
        assert name == "dbt_accounts" or STREAMS[name]["references"], name


@pytest.mark.parametrize(("stream", "reference"), REFERENCES)
def test_both_ends_of_a_reference_are_there(stream: str, reference: dict[str, Any]) -> None:
    own, other = STREAMS[stream]["schema"], STREAMS[reference["stream"]]["schema"]
    assert len(reference["columns"]) == len(reference["to"])
    for column, target in zip(reference["columns"], reference["to"], strict=True):
        here, there = column_of(own, column), column_of(other, target)
        assert here is not None, column
        assert there is not None, target
        # Ids of actors are texts, as service tokens have some too.
        assert types_of(here) == types_of(there) or "actor" in column
    keys = STREAMS[reference["stream"]]["key_properties"]
    # A name, or the id of an invocation, tells rows apart as well.
    named = {"name", "invocation_id"} & {*reference["to"]}
    assert set(keys) <= {*reference["to"], "scope"} or named
    if reference["stream"] != "dbt_accounts":
        assert reference["to"][0] == "account_id", "ids are unique within one deployment only"


def test_what_a_row_takes_from_its_context_refers_to_it() -> None:
    for name in DBT:
        told = {reference["columns"][-1] for reference in STREAMS[name]["references"]}
        own = STREAMS[name]["schema"]["properties"].keys()
        missing = own & {"account_id", "project_id", "user_id", "group_id", "connection_id"} - told
        assert not missing, name


@pytest.mark.parametrize(
    ("stream", "columns", "target", "weak"),
    [
        ("dbt_projects", ["account_id", "repository_id"], "dbt_repositories", False),
        ("dbt_projects", ["account_id", "connection_id"], "dbt_connections", True),
        ("dbt_accounts", ["id", "docs_job_id"], "dbt_jobs", False),
        ("dbt_profiles", ["account_id", "primary_bindings[].id"], "dbt_environments", False),
        ("dbt_invites", ["account_id", "group_ids[]"], "dbt_groups", True),
        ("dbt_runs", ["account_id", "job_definition_id"], "dbt_jobs", True),
        ("dbt_user_groups", ["account_id", "user_id"], "dbt_users", False),
        ("dbt_run_results", ["account_id", "run_id"], "dbt_runs", False),
        ("dbt_run_results", ["account_id", "run_id", "step"], "dbt_run_steps", True),
        (
            "dbt_source_freshness",
            ["account_id", "run_id", "step", "invocation_id"],
            "dbt_run_invocations",
            False,
        ),
        (
            "dbt_environment_variables",
            ["account_id", "project_id", "scope"],
            "dbt_environments",
            True,
        ),
    ],
)
def test_some_references_are_told_as_they_are(
    stream: str, columns: list[str], target: str, *, weak: bool
) -> None:
    (found,) = [r for r in STREAMS[stream]["references"] if r["columns"] == columns]
    assert (found["stream"], found["weak"]) == (target, weak)


def test_a_catalog_with_references_is_read_again(tmp_path: Any) -> None:
    path = tmp_path / "catalog.json"
    written = command("--discover")
    path.write_bytes(b"\n".join(written.lines))
    outcome = command("--catalog", path)
    assert outcome.code == 1
    assert outcome.says("no token"), "all else of the catalog was read"
