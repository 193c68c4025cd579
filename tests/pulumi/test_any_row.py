"""Rows of every stream that the vendor's document allows, with what users and servers put in.

Keys that users have chosen stay as they are, integers keep every digit, times of any unit become
those of records, those that mean "never" are null, and no planted secret comes out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tap_cloudapis.core.exchange import decode_body
from tap_cloudapis.pulumi.client import snake_case
from tap_cloudapis.pulumi.stacks import Stacks
from tests.core.syncing import KINDS, hear_anew
from tests.dbt.test_any_object import SECRET, SECRET_NAMES, objects, specification
from tests.pulumi.test_any_object import tap
from tests.reference import PAYLOADS, SPECS, needs
from tests.vendor_schemas import ITEMS, PULUMI

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from tests.core.syncing import Record

pytestmark = needs(SPECS)

#: The components of streams whose schemas are not held against the document column by column.
COMPONENTS = {
    name.replace("/", "_", 1): components
    for name, (document, components) in ITEMS.items()
    if document == PULUMI
} | {
    "pulumi_stack_references": ["StackReference"],
    "pulumi_stack_schedules": ["ScheduledAction"],
    "pulumi_stack_deployment_settings": ["DeploymentSettings"],
    "pulumi_stack_deployment_status": ["StackDeploymentsMetadataResponse"],
    "pulumi_update_events": ["AppEngineEvent"],
    "pulumi_update_timelines": ["GetUpdateTimelineResponse"],
    "pulumi_usage_daily": ["ResourceCountSummary"],
}
#: Whose rows have no component: they are made of the fields of another row.
MADE = {
    "pulumi_stack_tags",
    "pulumi_environment_referrers",
    "pulumi_policy_group_accounts",
    "pulumi_team_members",
    "pulumi_organization_members",
    "pulumi_organization_webhooks",
    "pulumi_roles",
    "pulumi_vcs_integrations",
    "pulumi_organizations",
}
STREAMS = sorted(COMPONENTS.keys() & KINDS.keys() - MADE)
STACK = {"project_name": "web", "stack_name": "prod", "stack_id": "s1", "last_update": None}
CONTEXT = {
    "org_name": "acme",
    "team_name": "ops",
    "package_name": "aws",
    "env_name": "shared",
    "env_id": "e1",
    "policy_group_name": "default",
    "deployment_id": "d1",
    "version": 7,
    "update_id": "u7",
    **STACK,
}
LARGE = 2**53 + 1
#: Keys as users write them, and values that only careful readers keep.
USERS: list[Record] = [
    {"camelCase": "a", "snake_case": "b", "with.dot": "c", "Größe 1": "d"},
    {"aws:region": LARGE, "HTTPServer": [LARGE, -LARGE], "": None},
    {"nested": {"URLPath": {"a-b": LARGE}}, "x/y": [{"keepMe": 1}]},
]
#: What servers send for a time, and what that is in a record.
TIMES: list[tuple[Any, str | None]] = [
    (0, None),
    ("", None),
    (None, None),
    ("0001-01-01T00:00:00Z", None),
    (1_772_323_200, "2026-03-01T00:00:00.000000Z"),
    (1_772_323_200_123, "2026-03-01T00:00:00.123000Z"),
    ("2026-03-01T01:00:00.123456789+01:00", "2026-03-01T00:00:00.123456Z"),
    ("2026-03-01 00:00:00.000", "2026-03-01T00:00:00.000000Z"),
]
#: Columns that are made of other fields than the one of their name.
OWN = {
    "pulumi_registry_packages": {"parameterization"},
    "pulumi_insights_accounts": {"provider_config"},
    "pulumi_registry_templates": {"config"},
    "pulumi_stack_deployment_settings": {"git_hub", "vcs"},
    "pulumi_stack_resources": {"inputs", "outputs", "provider_inputs"},
    "pulumi_stack_updates": {"config", "version"},
    "pulumi_stack_previews": {"config", "version"},
}


def filled(stream: Any, row: Record, data: st.DataObject) -> tuple[Record, Record]:
    """A row with users' keys and odd times, and what its record must have of these."""
    expected: Record = {}
    keys = keys_for(stream)
    row = {**row, **keys}
    for name in row.keys() - keys.keys():
        column = snake_case(name)
        declared = stream.schema["properties"].get(column)
        is_own = column in OWN.get(stream.name, ()) or column in stream.dropped_fields
        if declared is None or is_own or column in stream.context_columns:
            continue
        types = declared["type"] if isinstance(declared["type"], list) else [declared["type"]]
        if declared.get("format") == "date-time":
            row[name], expected[column] = data.draw(st.sampled_from(TIMES))
        elif "object" in types and not declared.get("properties"):
            row[name] = expected[column] = data.draw(st.sampled_from(USERS))
        elif "integer" in types and type(row[name]) is int:
            expected[column] = row[name]
    return row, expected


def planted(names: tuple[str, ...] = SECRET_NAMES) -> SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), st.just(SECRET), max_size=3)


def made_of(stream: Any, row: Record) -> list[Record]:
    """What a stream makes of a row that comes as JSON."""
    text = json.dumps(row).encode("utf-8", "surrogatepass")
    records: list[Record] = stream._records_of([decode_body(text)], dict(CONTEXT))
    return records


def ready(name: str) -> Any:
    """A stream that begins to read a context, and asks nobody."""
    stream: Any = tap().streams[name]
    stacks: Any = next(s for s in tap().streams.values() if isinstance(s, Stacks))
    stacks._asked_ids.add("acme")
    stream._names = [CONTEXT[key] for key in ("org_name", "project_name", "stack_name")]
    hear_anew(stream)
    return stream


#: What rows have for their keys, by the names that the API gives.
GIVEN: Record = {
    "id": "k1",
    "name": "k1",
    "projectName": "web",
    "stackName": "prod",
    "accountName": "a",
    "envName": "shared",
    "providerUrn": "urn:p",
    "urn": "urn:x",
    "number": 3,
    "event_number": 4,
    "event_hash": "h",
    "job_number": 1,
    "step_number": 1,
    "policyGroupName": "default",
    "policyPack": "p",
    "policyName": "n",
    "source": "private",
    "publisher": "acme",
    "resource_key": "r",
    "date": "2026-03-01",
    "metric": "secrets",
}
#: And beside these, for keys that are made of other fields.
BESIDE: dict[str, Record] = {
    "pulumi_environments": {"name": "shared", "project": "default"},
    "pulumi_stack_references": {"name": "prod", "routingProject": "web", "organization": "acme"},
    "pulumi_policy_group_stacks": {"project_name": "web", "stack_name": "prod"},
    "pulumi_stack_updates": {"version": 7, "updateID": "u1"},
    "pulumi_stack_previews": {"version": 7, "updateID": "u1"},
    "pulumi_deployment_updates": {"updateID": "u1"},
    "pulumi_policy_group_packs": {"version": 7},
    "pulumi_usage_daily": {"year": 2026, "month": 3, "day": 1},
}


def keys_for(stream: Any) -> Record:
    """What a row has of the key of its stream."""
    own = {name: told for name, told in GIVEN.items() if snake_case(name) in stream.primary_keys}
    return {**own, **BESIDE.get(stream.name, {})}


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_users_and_servers_put_in_comes_out(name: str, data: st.DataObject) -> None:
    stream = ready(name)
    spec = specification(PULUMI)
    schemas = [{"$ref": f"#/components/schemas/{one}"} for one in COMPONENTS[name]]
    row = data.draw(st.one_of([objects(spec, schema) for schema in schemas]))
    row, expected = filled(stream, {**data.draw(planted()), **row}, data)
    before = stream.report.left_out
    records = made_of(stream, row)
    assert stream.report.left_out == before
    assert SECRET not in json.dumps(records, default=str)
    for record in records:
        found = {column: record.get(column) for column in expected}
        assert found == expected


def test_every_stream_is_tried_here_or_made_of_others() -> None:
    rest = {n for n in KINDS if n.startswith("pulumi_") and KINDS[n].in_catalog} - set(STREAMS)
    assert rest == MADE


#: Where real payloads have the rows of which stream, and what these are made with beside the row.
SAMPLES: dict[str, tuple[str, Record]] = {
    "01_stacks_list.json": ("pulumi_stacks", {}),
    "02_stack_get.json": ("pulumi_stack_details", {}),
    "04_updates_service_shape.json": ("pulumi_stack_updates", {}),
    "07_org_deployments.json": ("pulumi_deployments", {}),
    "11b_audit_logs_2026_cli_test.json": ("pulumi_audit_logs", {"event_hash": "h"}),
    "12_resource_summary_daily.json": ("pulumi_usage_daily", {"metric": "resources"}),
    "13_policy_groups.json": ("pulumi_policy_groups", {}),
    "15_environments.json": ("pulumi_environments", {}),
    "19_drift_runs.json": ("pulumi_drift_runs", {}),
}


@needs(PAYLOADS)
@pytest.mark.parametrize("file", SAMPLES)
def test_a_real_payload_is_records_of_the_declared_types(file: str) -> None:
    name, beside = SAMPLES[file]
    stream = ready(name)
    text = (PAYLOADS / "pulumi" / file).read_bytes()
    rows = stream.read_page(decode_body(text)).rows
    assert rows
    for row in rows:
        organization = row.get("orgName") or row.get("organization") or "acme"
        context = {**CONTEXT, "org_name": organization}
        before = stream.report.left_out
        (record,) = stream._records_of([{**row, **beside}], context)
        assert stream.report.left_out == before
        told = json.loads(json.dumps(record, default=str))
        assert not [error.message for error in Draft7Validator(stream.schema).iter_errors(told)]
