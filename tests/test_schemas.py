"""The packaged schemas: sound, documented, free of secrets, and true to the vendors' own."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator

from cloudapis_simulator import truth
from tap_cloudapis.tap import SERVICES
from tests.core.syncing import discover

if TYPE_CHECKING:
    from collections.abc import Iterator

# As the simulator tells them, which was written without the tap.
KEYS = {name.replace("_", "/", 1): list(key) for name, key in truth.KEYS.items()}

# Reviewed: they label a secret, and cannot carry it. Numbers and flags never can.
NOT_SECRET = {
    "additional_secret_outputs",
    "apitoken_last_used",
    "group_access_token_expiration",
    "requested_by_token",
    "semantic_layer_credential_ids",
    "service_token_ids",
    "token_id",
    "token_name",
    "token_url",
}
SECRET_LOOKING = re.compile(
    r"token|secret|passw|credential|hmac|cipher|(private|api|access|deploy|encrypted)_?key",
    re.IGNORECASE,
)

# Relative to the moment of reading ("2 weeks ago"), so they would change at every sync.
STABLE_HUMANIZED = {"status_humanized", "cron_humanized", "cause_humanized"}

# Instants whose names do not end in "_at".
INSTANTS = {
    "dbt/accounts": {"run_locked_until", "copilot_locked_until", "trial_end_date"},
    "dbt/jobs": {"next_run"},
    "dbt/scim_tokens": {"last_used"},
    "dbt/service_tokens": {"last_used"},
    "dbt/users": {"apitoken_last_used", "last_login"},
    "dbt/webhook_events": {"event_time"},
    "pulumi/audit_logs": {"timestamp"},
    "pulumi/policy_issues": {"last_modified"},
    "pulumi/deployment_jobs": {"started", "last_updated"},
    "pulumi/deployment_steps": {"started", "last_updated"},
    "pulumi/deployment_updates": {"start_time", "end_time"},
    "pulumi/deployments": {
        "created",
        "modified",
        *(f"jobs.{name}" for name in ("started", "lastUpdated")),
        *(f"jobs.steps.{name}" for name in ("started", "lastUpdated")),
        "updates.startTime",
        "updates.endTime",
    },
    "pulumi/drift_runs": {"created", "detect_update.modified", "remediate_update.modified"},
    "pulumi/agent_pools": {"created", "last_deployment", "last_seen"},
    "pulumi/deleted_stacks": {"last_update_end_time", "last_update_start_time"},
    "pulumi/oidc_issuers": {"created", "last_used", "modified"},
    "pulumi/environment_revisions": {"created", "retracted.at"},
    "pulumi/environment_tags": {"created", "modified"},
    "pulumi/environments": {"created", "modified"},
    "pulumi/organization_members": {"created"},
    "pulumi/organization_tokens": {"created", "expires", "last_used"},
    "pulumi/organizations": {
        "created",
        "insights_trial_end",
        "past_due_since",
        "retrial_announced_end_date",
        "retrial_expiration",
        "subscription_period_end",
        "subscription_trial_end",
    },
    "pulumi/stack_details": {"current_operation_started"},
    "pulumi/stack_previews": {"start_time", "end_time"},
    "pulumi/stack_resources": {"created", "modified"},
    "pulumi/stack_schedules": {
        "created",
        "last_executed",
        "modified",
        "next_execution",
        "schedule_once",
    },
    "pulumi/stack_updates": {"start_time", "end_time"},
    "pulumi/package_usage": {"last_update_time"},
    "pulumi/resources": {"created", "modified"},
    "pulumi/roles": {"created", "modified"},
    "pulumi/stacks": {"last_update"},
    "pulumi/team_tokens": {"created", "expires", "last_used"},
    "pulumi/vcs_integrations": {"created", "group_access_token_expiration", "modified"},
    "pulumi/update_events": {"timestamp"},
}


def load(stream: str) -> dict[str, Any]:
    service, name = stream.split("/")
    text = (files(f"tap_cloudapis.{service}") / "schemas" / f"{name}.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the dotted path and the schema of every property, those of array items too."""
    for name, prop in schema.get("properties", {}).items():
        here = f"{path}{name}"
        yield here, prop
        yield from walk(prop, f"{here}.")
        yield from walk(prop.get("items", {}), f"{here}.")


def types(prop: dict[str, Any]) -> set[str]:
    declared = prop["type"]
    return {declared} if isinstance(declared, str) else set(declared)


def last(path: str) -> str:
    return path.rpartition(".")[2]


@pytest.fixture(params=KEYS)
def stream(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_package_holds_a_schema_for_each_stream_and_no_other():
    found = {
        f"{service.key}/{entry.name.removesuffix('.json')}"
        for service in SERVICES
        for entry in (files(f"tap_cloudapis.{service.key}") / "schemas").iterdir()
    }
    assert found == set(KEYS)


def test_the_keys_are_those_that_the_simulator_tells_rows_apart_by():
    declared = {
        entry["tap_stream_id"].replace("_", "/", 1): entry["key_properties"]
        for entry in discover()["streams"]
    }
    assert declared == KEYS


def test_is_a_valid_open_object_schema(stream):
    schema = load(stream)
    Draft7Validator.check_schema(schema)
    assert schema["type"] == "object"
    for path, prop in [("", schema), *walk(schema)]:
        if "object" in types(prop):
            assert prop["additionalProperties"] is True, path
        if "array" in types(prop) and types(prop) <= {"array", "null"}:
            assert "null" in types(prop["items"]), path
        assert not prop.keys() & {"enum", "const", "pattern", "minimum", "maxLength"}, path


def test_only_the_keys_are_required_and_they_come_first(stream):
    schema = load(stream)
    keys = KEYS[stream]
    assert schema["required"] == keys
    assert list(schema["properties"])[: len(keys)] == keys
    for path, prop in walk(schema):
        assert ("null" in types(prop)) is (path not in keys), path


def test_accepts_sparse_and_unknown_fields_but_no_record_without_its_key(stream):
    schema = load(stream)
    keys = {
        key: 1 if "integer" in types(schema["properties"][key]) else "a" for key in KEYS[stream]
    }
    validator = Draft7Validator(schema)
    assert validator.is_valid(keys)
    assert validator.is_valid(dict.fromkeys(schema["properties"]) | keys | {"brand_new": {"x": 1}})
    for key in keys:
        assert not validator.is_valid(keys | {key: None})
        assert not validator.is_valid({k: v for k, v in keys.items() if k != key})


def test_columns_are_snake_case(stream):
    for name in load(stream)["properties"]:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_{1,2}[a-z0-9]+)*", name)


def test_instants_are_date_times_and_nothing_else_is(stream):
    for path, prop in walk(load(stream)):
        is_instant = path in INSTANTS.get(stream, ()) or last(path).endswith(("_at", "At"))
        assert (prop.get("format") == "date-time") is is_instant, path
        if is_instant:
            assert types(prop) == {"string", "null"}, path


def test_every_description_says_more_than_the_name(stream):
    schema = load(stream)
    for path, prop in walk(schema):
        text = prop["description"]
        words = set(re.findall(r"\w+", text.lower()))
        news = words - set(re.findall(r"[a-z]+", path.lower())) - {"the", "a", "an", "of", "is"}
        assert len(news) >= (4 if "." not in path else 2), f"{path}: {text}"
        assert re.fullmatch(r"\S.*\S\.", text), f"{path}: {text}"
    columns = [prop["description"] for prop in schema["properties"].values()]
    assert len(set(columns)) == len(columns)


def test_no_property_looks_like_a_secret_or_changes_by_being_read(stream):
    for path, prop in walk(load(stream)):
        name = last(path)
        harmless = name in NOT_SECRET or types(prop) <= {"integer", "boolean", "null"}
        assert harmless or not SECRET_LOOKING.search(name), path
        assert name in STABLE_HUMANIZED or not name.endswith("_humanized"), path
