"""Objects of any content that the vendor's documents allow: no crash, no loss, no secret."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tap_cloudapis.core.exchange import decode_body
from tap_cloudapis.core.scrubbing import looks_secret
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import hear_anew, own_signals
from tests.reference import PAYLOADS, SPECS, needs
from tests.test_vendor_schemas import Specification
from tests.vendor_schemas import ITEMS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from tap_cloudapis.core.stream import CloudStream

pytestmark = needs(SPECS)

SECRET = "pLaNtEd"  # noqa: S105 - marks planted values, is none
STREAMS = sorted(name for name in ITEMS if name.startswith("dbt/"))
CONTEXT = {
    "account_id": 7,
    "project_id": 5,
    "environment_id": 3,
    "job_definition_id": 31,
    "group_id": 4,
    "user_id": 9,
    "service_token_id": 6,
    "subscription_id": "wsu_1",
    "run_id": 8,
    "run_finished_at": "2026-01-01T00:00:00.000000Z",
}
#: Columns of a record that stand for fields of a row under other names.
TAKEN = {"username", "default_schema"}
TIMES = st.datetimes().map(lambda moment: f"{moment}+00:00")
SECRET_NAMES = ("password", "api_key", "private_key", "clientSecret", "access-token", "hmac_secret")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "name", "id"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@cache
def tap() -> TapCloudAPIs:
    config = {"dbt_token": "fake-token-for-tests", "dbt_url": "http://127.0.0.1:9"}
    more: dict[str, Any] = dict.fromkeys(
        ("dbt_include_config_values", "dbt_connection_details"), True
    )
    more["dbt_include_logs"] = "full"
    with own_signals():
        return TapCloudAPIs(config={**config, **more})


@cache
def specification(name: str) -> Specification:
    return Specification(name)


def objects(spec: Specification, node: dict[str, Any], depth: int = 0) -> SearchStrategy[Any]:
    """Values of a schema of the document, null among them, as payloads are."""
    node = spec.resolve(node)
    for choice in ("anyOf", "oneOf"):
        if choice in node:
            return st.one_of([objects(spec, each, depth) for each in node[choice]])
    kind = node.get("type")
    if kind == "array":
        items = node.get("items") or {"type": "string"}
        return st.none() | st.lists(objects(spec, items, depth + 1), max_size=2)
    if "properties" in node:
        fields = {name: objects(spec, each, depth + 1) for name, each in node["properties"].items()}
        planted = st.dictionaries(st.sampled_from(SECRET_NAMES), st.just(SECRET), max_size=2)
        made = st.fixed_dictionaries({}, optional=fields)
        whole = st.builds(lambda row, more: {**more, **row}, made, planted)
        return whole if depth == 0 else st.none() | whole
    scalars: dict[Any, SearchStrategy[Any]] = {
        "integer": st.integers(-(2**63), 2**63 - 1),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "object": st.dictionaries(st.sampled_from(SECRET_NAMES), st.just(SECRET), max_size=1),
        "string": TIMES if node.get("format") == "date-time" else st.text(max_size=12),
    }
    return st.none() | scalars.get(kind, ANYTHING)


@cache
def rows_of(stream: str) -> SearchStrategy[Any]:
    document, components = ITEMS[stream]
    spec = specification(document)
    return st.one_of(
        [objects(spec, {"$ref": f"#/components/schemas/{name}"}) for name in components]
    )


def records_of(stream: CloudStream, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What a stream makes of a row that comes as JSON; of the row's key what its lists have."""
    keys = {"id": "k1" if stream.schema["properties"].get("id", {}).get("type") == "string" else 1}
    texts = {"license_type": "it", "permission_set": "x", "scope": "all", "name": "n"}
    keys["index"] = 4
    own = {name: {**keys, **texts, **CONTEXT}[name] for name in stream.primary_keys}
    given = {name: CONTEXT[name] for name in stream.context_columns if name in row}
    decoded = decode_body(json.dumps({**row, **own, **given}).encode("utf-8", "surrogatepass"))
    return stream._records_of([decoded], dict(CONTEXT))


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_crash_no_loss_no_secret(name: str, data: st.DataObject) -> None:
    stream: Any = tap().streams[name.replace("/", "_", 1)]
    row = data.draw(rows_of(name))
    hear_anew(stream)
    before = stream.report.left_out
    records = records_of(stream, row)
    assert stream.report.left_out == before
    (record,) = records
    told = json.dumps(record, default=str)
    assert SECRET not in told
    lost = row.keys() - record.keys() - stream.dropped_fields - TAKEN
    lost -= stream.absent_columns
    assert not {field for field in lost if not looks_secret(field)}
    # What cannot be read as what its column is declared with stays, and is told of.
    told_of = {what.split(",")[0] for what in stream.report.notes}
    errors = [
        f"{list(error.path)}: {error.message}"
        for error in Draft7Validator(stream.schema).iter_errors(json.loads(told))
        if ".".join(part for part in error.path if isinstance(part, str)) not in told_of
    ]
    assert not errors


#: Where real payloads have rows of which stream.
SAMPLES = {
    "dagster_run_details.json": "dbt/runs",
    "dbtcloudcli_environment_list.json": "dbt/environments",
    "environment_variables_v3_shape.json": "dbt/environment_variables",
    "group_item_fragment.json": "dbt/groups",
    "kestra_run_queued_with_trigger_job.json": "dbt/runs",
    "notification_item.json": "dbt/notifications",
    "openmetadata_jobs_v2.json": "dbt/jobs",
    "preset_accounts_v3.json": "dbt/accounts",
    "webhooks_subscriptions_list.json": "dbt/webhooks",
}


@pytest.mark.parametrize("file", SAMPLES)
def test_a_real_payload_is_a_record_without_loss(file: str) -> None:
    name = SAMPLES[file]
    stream: Any = tap().streams[name.replace("/", "_", 1)]
    body = decode_body((PAYLOADS / "dbt" / file).read_bytes())
    data = body.get("data", body)
    if name == "dbt/environment_variables":
        data = stream.rows_of(data)
    rows = data if isinstance(data, list) else [data]
    for row in rows:
        (record,) = records_of(stream, row)
        lost = row.keys() - record.keys() - stream.dropped_fields - stream.absent_columns
        assert not {field for field in lost if not looks_secret(field)}
        told = json.loads(json.dumps(record, default=str))
        errors = [error.message for error in Draft7Validator(stream.schema).iter_errors(told)]
        assert not errors
