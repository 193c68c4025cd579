"""Objects of any content that the vendor's document allows: no crash, no loss, no secret."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tap_cloudapis.core.exchange import decode_body
from tap_cloudapis.core.scrubbing import looks_secret
from tap_cloudapis.pulumi.client import snake_case
from tap_cloudapis.pulumi.lists import OrganizationList
from tap_cloudapis.pulumi.teams import TeamParts
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import KINDS, own_signals
from tests.dbt.test_any_object import SECRET, rows_of
from tests.reference import PAYLOADS, SPECS, needs
from tests.vendor_schemas import ITEMS, OMITTED

pytestmark = needs(SPECS)

STREAMS = sorted(
    name
    for name in ITEMS
    if issubclass(KINDS[name.replace("/", "_", 1)], (OrganizationList, TeamParts))
)
CONTEXT = {"org_name": "acme", "team_name": "ops", "package_name": "aws"}
#: What the API calls the columns of a key.
RAW = {
    "project_name": "projectName",
    "stack_name": "stackName",
    "env_name": "envName",
    "account_name": "accountName",
    "provider_urn": "providerUrn",
}
#: Fields whose columns have another name.
RENAMED = {"max_open_duration", "scan_status", "parent.urn"}


@cache
def tap() -> TapCloudAPIs:
    url = "http://127.0.0.1:9"
    config = {"pulumi_token": "fake-token-for-tests", "pulumi_url": url, "pulumi_messages": True}
    with own_signals():
        return TapCloudAPIs(config=config)


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_crash_no_loss_no_secret(name: str, data: st.DataObject) -> None:
    stream: Any = tap().streams[name.replace("/", "_", 1)]
    row = data.draw(rows_of(name))
    own = [key for key in stream.primary_keys if key not in stream.context_columns]
    keys = {RAW.get(key, key): "k1" for key in own if key != "resource_key"}
    text = json.dumps({**row, **keys}).encode("utf-8", "surrogatepass")
    before = stream.report.left_out
    records = stream._records_of([decode_body(text)], dict(CONTEXT))
    assert stream.report.left_out == before
    (record,) = records
    told = json.dumps(record, default=str)
    assert SECRET not in told
    omitted = {snake_case(field) for field in OMITTED.get(name, {})}
    lost = {snake_case(field) for field in row} - record.keys() - omitted - RENAMED
    lost -= stream.dropped_fields
    assert not {field for field in lost if not looks_secret(field)}
    told_of = {what.split(",")[0] for what in stream.report.notes}
    errors = [
        f"{list(error.path)}: {error.message}"
        for error in Draft7Validator(stream.schema).iter_errors(json.loads(told))
        if ".".join(part for part in error.path if isinstance(part, str)) not in told_of
    ]
    assert not errors


@needs(PAYLOADS)
@pytest.mark.parametrize(
    ("file", "stream"), [("21_tokens.json", "pulumi_organization_tokens")], ids=str
)
def test_a_real_payload_is_a_record_without_loss(file: str, stream: str) -> None:
    kind: Any = tap().streams[stream]
    body = decode_body((PAYLOADS / "pulumi" / file).read_bytes())
    rows = kind.read_page(body).rows
    assert rows
    records = kind._records_of(rows, dict(CONTEXT))
    assert len(records) == len(rows)
    for record in records:
        told = json.loads(json.dumps(record, default=str))
        assert not [error.message for error in Draft7Validator(kind.schema).iter_errors(told)]
