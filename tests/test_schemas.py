"""The packaged schemas: sound, documented, free of secrets, and true to the vendors' own."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
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
    "apitoken_last_used",
    "requested_by_token",
    "semantic_layer_credential_ids",
    "service_token_ids",
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
    "pulumi/organization_members": {"created"},
    "pulumi/organizations": {
        "created",
        "insights_trial_end",
        "past_due_since",
        "retrial_announced_end_date",
        "retrial_expiration",
        "subscription_period_end",
        "subscription_trial_end",
    },
    "pulumi/stack_updates": {"start_time", "end_time"},
    "pulumi/stacks": {"last_update"},
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


# The vendors' OpenAPI documents are no part of the distribution; where they lie beside the
# checkout, the schemas of these streams are held against them.
SPECS = Path(__file__).resolve().parents[2] / "shared" / "openapi"
DBT_V2, DBT_V3, PULUMI = "dbt-cloud-v2.yaml", "dbt-cloud-v3.yaml", "pulumi-cloud.json"
ITEMS = {
    "dbt/accounts": (DBT_V3, ["AccountResponse"]),
    "dbt/audit_logs": (DBT_V3, ["PublicAuditLogResponse"]),
    "dbt/connections": (DBT_V3, ["AccountConnectionDetail", "AccountConnectionList"]),
    "dbt/credentials": (
        DBT_V3,
        [
            "PostgresCredentials",
            "RedshiftCredentials",
            "SnowflakeCredentials",
            "BigqueryCredentials",
            "DbtAdapterCredentials",
        ],
    ),
    "dbt/environment_variables": (DBT_V3, ["EnvVarValue"]),
    "dbt/environments": (DBT_V3, ["EnvironmentV3Response"]),
    "dbt/extended_attributes": (DBT_V3, ["ExtendedAttributes"]),
    "dbt/group_permissions": (DBT_V3, ["GroupPermissionResponse", "GroupPermission"]),
    "dbt/groups": (DBT_V3, ["GroupResponse"]),
    "dbt/invites": (DBT_V2, ["InviteResponse"]),
    "dbt/ip_restrictions": (DBT_V3, ["IPRestrictionRuleResponse"]),
    "dbt/job_environment_variables": (DBT_V3, ["EnvVarValue"]),
    "dbt/jobs": (DBT_V2, ["HumanReadableJobDefinitionResponse"]),
    "dbt/license_maps": (DBT_V3, ["LicenseMapResponse"]),
    "dbt/licenses": (DBT_V2, ["LicenseDetail"]),
    "dbt/lineage_integrations": (DBT_V3, ["LineageIntegration"]),
    "dbt/notifications": (DBT_V2, ["JobNotificationSettingsResponse"]),
    "dbt/oauth_configurations": (DBT_V3, ["OAuthConfigurationResponse"]),
    "dbt/private_endpoints": (DBT_V3, ["PrivateEndpointList"]),
    "dbt/profiles": (DBT_V3, ["ProfileList"]),
    "dbt/projects": (DBT_V3, ["ProjectResponse"]),
    "dbt/repositories": (DBT_V3, ["RepositoryV3Response"]),
    "dbt/runs": (DBT_V2, ["RunResponse"]),
    "dbt/scim_config": (DBT_V3, ["SCIMConfig"]),
    "dbt/scim_tokens": (DBT_V3, ["SCIMToken"]),
    "dbt/semantic_layer_credentials": (DBT_V3, ["SemanticLayerCredentialsResponse"]),
    "dbt/service_token_grants": (DBT_V3, ["ServiceTokenPermissionGrant"]),
    "dbt/service_tokens": (DBT_V3, ["ServiceToken"]),
    "dbt/ssh_tunnels": (DBT_V2, ["ConnectionEncryptionResponse"]),
    "dbt/user_licenses": (DBT_V3, ["UserLicense"]),
    "dbt/users": (DBT_V3, ["UserResponse"]),
    "dbt/webhook_events": (DBT_V3, ["Event"]),
    "dbt/webhooks": (DBT_V3, ["Subscription"]),
    "pulumi/organization_members": (PULUMI, ["OrganizationMember", "UserInfo"]),
    "pulumi/organization_teams": (PULUMI, ["Team"]),
    "pulumi/organizations": (PULUMI, ["OrganizationMetadata", "Organization"]),
    "pulumi/stack_updates": (PULUMI, ["UpdateInfo", "AppUpdateInfo"]),
    "pulumi/stacks": (PULUMI, ["AppStackSummary"]),
}

# Names that differ by more than their case.
RENAMED = {
    "pulumi/organizations": {"githubLogin": "org_name"},
    "pulumi/organization_members": {
        "githubLogin": "user_login",
        "name": "user_name",
        "email": "user_email",
        "avatarUrl": "user_avatar_url",
    },
    "pulumi/stacks": {"id": "stack_id"},
}

RELATED = "a related object: never asked for, and extracted by a stream of its own if at all"
VOLATILE = "relative to the moment of reading"
FLATTENED = "its fields are columns"
OMITTED = {
    "dbt/connections": {"config": "always null in a list; one call per connection otherwise"},
    "dbt/environments": {
        "project": RELATED,
        "credentials": "holds secrets, and is null unless asked for",
    },
    "dbt/jobs": {
        "account": RELATED,
        "project": RELATED,
        "environment": RELATED,
        "fusion_readiness": "computed on request only",
    },
    "dbt/projects": dict.fromkeys(
        ["connection", "docs_job", "environments", "freshness_job", "group_permissions"], RELATED
    )
    | {"repository": RELATED},
    "dbt/runs": dict.fromkeys(["job", "environment", "run_steps", "audit"], RELATED)
    | dict.fromkeys(
        [
            "created_at_humanized",
            "duration_humanized",
            "finished_at_humanized",
            "queued_duration_humanized",
            "run_duration_humanized",
        ],
        VOLATILE,
    ),
    "pulumi/organization_members": {"user": FLATTENED},
    "pulumi/stack_updates": {
        "info": FLATTENED,
        "deployment": "the checkpoint: large, and full of secrets",
        "latestVersion": "a fact of the stack, which changes old updates at every new one",
    },
}

# Properties that the specifications do not know, by where they come from.
IN_PAYLOADS = {
    "dbt/accounts": {
        "develop_file_system",
        "enterprise_authentication_method",
        "enterprise_login_url",
        "enterprise_unique_identifier",
        "force_sso",
        "groups.id",
        "sso_reauth",
        "unlock_if_subscription_renewed",
    },
    "dbt/connections": {"type"},
    "dbt/environments": {"created_by_id", "dbt_project_subdirectory", "repository_id"},
    "dbt/jobs": {"cron_humanized", "deactivated", "next_run"},
    "dbt/projects": {"skipped_setup"},
    "dbt/runs": {"scribe_enabled", "trigger.cause_humanized", "trigger.created_at", "trigger.id"},
}
IN_NEWER_CLIENTS = {
    "pulumi/organization_members": {"suspended"},
    "pulumi/organizations": {"past_due_since", "retrial_announced_end_date", "retrial_product"},
}
MADE_BY_THE_TAP = {
    **{stream: {"dbt_host"} for stream in KEYS if stream.startswith("dbt/")},
    "dbt/runs": {
        "dbt_host",
        "duration_seconds",
        "queued_duration_seconds",
        "run_duration_seconds",
    },
    "pulumi/organization_members": {"org_name"},
    "pulumi/organization_teams": {"org_name"},
    "pulumi/stack_updates": {
        "org_name",
        "project_name",
        "requested_by_login",
        "stack_id",
        "stack_name",
    },
    "pulumi/stacks": {"console_url"},
}


class Specification:
    """One vendor document, with references and `allOf` resolved on the way."""

    def __init__(self, name: str) -> None:
        text = (SPECS / name).read_text("utf-8")
        is_json = name.endswith(".json")
        document = json.loads(text) if is_json else yaml.load(text, yaml.CSafeLoader)
        self.components: dict[str, Any] = document["components"]["schemas"]

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """Return the node with what it refers to merged in, its properties united."""
        merged: dict[str, Any] = {k: v for k, v in node.items() if k not in ("$ref", "allOf")}
        parts = list(node.get("allOf", []))
        if "$ref" in node:
            parts.append(self.components[node["$ref"].rpartition("/")[2]])
        for part in map(self.resolve, parts):
            properties = part.get("properties", {}) | merged.get("properties", {})
            merged = part | merged | ({"properties": properties} if properties else {})
        return merged


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def differences(
    spec: Specification, theirs: dict[str, Any], ours: dict[str, Any], path: str
) -> Iterator[str]:
    """Yield where our property is typed unlike theirs or lacks one of their properties.

    An object that we leave open (a user's own map) is not compared further.
    """
    theirs = spec.resolve(theirs)
    kind = theirs.get("type")
    if ours.get("format") == "date-time":
        if theirs.get("format") != "date-time" and kind != "integer":  # Unix seconds
            yield f"{path}: not an instant"
    elif kind is not None and kind not in types(ours):
        yield f"{path}: {kind}"
    elif theirs.get("format") == "date-time":
        yield f"{path}: an instant"
    if kind == "array":
        yield from differences(spec, theirs.get("items", {}), ours["items"], path)
    elif "properties" in theirs and "properties" in ours:
        for name, node in theirs["properties"].items():
            if name in ours["properties"]:
                yield from differences(spec, node, ours["properties"][name], f"{path}.{name}")
            else:
                yield f"{path}.{name}: missing"


def known_paths(
    spec: Specification, theirs: dict[str, Any], ours: dict[str, Any], path: str
) -> Iterator[str]:
    """Yield the dotted paths below our property that the specification leaves open or knows."""
    theirs = spec.resolve(theirs)
    if theirs.get("type") == "array":
        theirs, ours = spec.resolve(theirs.get("items", {})), ours["items"]
    for name, prop in ours.get("properties", {}).items():
        here = f"{path}.{name}"
        if "properties" not in theirs or name in theirs["properties"]:
            yield here
            yield from known_paths(spec, theirs.get("properties", {}).get(name, {}), prop, here)


@pytest.mark.skipif(not SPECS.is_dir(), reason="the vendors' OpenAPI documents are not at hand")
@pytest.mark.parametrize("stream", ITEMS)
def test_follows_the_vendors_specification(stream):
    document, components = ITEMS[stream]
    spec = Specification(document)
    fields: dict[str, Any] = {}
    for component in reversed(components):  # the first one rules
        fields |= spec.components[component]["properties"]
    columns = load(stream)["properties"]
    renamed, omitted = RENAMED.get(stream, {}), OMITTED.get(stream, {})
    assert omitted.keys() <= fields.keys(), "an omission that the vendor no longer offers"

    found: list[str] = []
    known: set[str] = set()
    for name, node in fields.items():
        column = renamed.get(name) or (name if stream.startswith("dbt/") else snake(name))
        if name in omitted:
            if column in columns:
                found.append(f"{name}: both declared and omitted")
        elif column not in columns:
            found.append(f"{name}: neither declared nor omitted")
        else:
            found += differences(spec, node, columns[column], column)
            known |= {column, *known_paths(spec, node, columns[column], column)}
    assert not found

    beyond = {path for path, _ in walk(load(stream))} - known
    declared_beyond = (
        IN_PAYLOADS.get(stream, set())
        | IN_NEWER_CLIENTS.get(stream, set())
        | MADE_BY_THE_TAP.get(stream, set())
    )
    assert beyond == declared_beyond
