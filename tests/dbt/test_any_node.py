"""Nodes and headers of any content: no crash, no loss, no secret, and each column as declared."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tap_cloudapis.dbt.artifacts import read_artifact
from tap_cloudapis.dbt.run_reading import Step
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import hear_anew, own_signals
from tests.dbt.run_details import FRESHNESS, INVOCATIONS, RESULTS

SECRET = "pLaNtEd"  # noqa: S105 - marks planted values, is none
CONTEXT = {
    "account_id": 7,
    "project_id": 5,
    "environment_id": 3,
    "job_definition_id": 31,
    "run_id": 8,
    "run_finished_at": "2026-01-01T00:00:00.000000Z",
}
STEP = Step(4, "build", "run_results.json")
NAMES = st.sampled_from(["a", "name", "started_at", "count", "password", "api_key", "clientSecret"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
PLANTED = st.dictionaries(
    st.sampled_from(["password", "api_key", "clientSecret"]), st.just(SECRET), max_size=2
)
VALUES = st.recursive(
    SCALARS | PLANTED,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
PHASE = st.fixed_dictionaries(
    {"name": st.sampled_from(["compile", "execute", "other"])},
    optional={"started_at": SCALARS, "completed_at": SCALARS},
)
#: What dbt writes of a node, in some version.
NODE = {
    "status": SCALARS,
    "timing": VALUES | st.lists(PHASE, max_size=3),
    "thread_id": SCALARS,
    "execution_time": SCALARS,
    "adapter_response": VALUES,
    "message": SCALARS,
    "failures": SCALARS,
    "relation_name": SCALARS,
    "compiled": SCALARS,
    "batch_results": VALUES,
    "max_loaded_at": SCALARS,
    "max_loaded_at_time_ago_in_s": SCALARS,
    "criteria": VALUES,
    "error": SCALARS,
    "brand_new": VALUES,
}
NODES = st.fixed_dictionaries({"unique_id": st.just("model.x")}, optional=NODE)
#: What becomes of fields that are no columns.
SPLIT = {"timing", "criteria", "max_loaded_at_time_ago_in_s"}
ARGS = st.dictionaries(
    st.sampled_from(
        [
            "which",
            "target",
            "threads",
            "full_refresh",
            "select",
            "selector",
            "vars",
            "log_path",
            "x",
        ]
    ),
    VALUES,
)


@cache
def tap() -> TapCloudAPIs:
    with own_signals():
        config = {"dbt_token": "fake-token-for-tests", "dbt_url": "http://127.0.0.1:9"}
        return TapCloudAPIs(config=config)


def check(stream: Any, rows: list[Any]) -> list[dict[str, Any]]:
    hear_anew(stream)
    before = stream.report.left_out
    records: list[dict[str, Any]] = stream._records_of(rows, dict(CONTEXT))
    assert stream.report.left_out == before
    told_of = {what.split(",")[0] for what in stream.report.notes}
    for record in records:
        told = json.dumps(record, default=str)
        assert SECRET not in told
        as_json = json.loads(json.dumps(record, default=float))
        for error in Draft7Validator(stream.schema).iter_errors(as_json):
            path = ".".join(part for part in error.path if isinstance(part, str))
            # What cannot be read as its column is declared stays, and is told of; with flags the
            # tap does as the SDK.
            is_flag = error.validator == "type" and "boolean" in error.validator_value
            assert path in told_of or is_flag, error.message
    return records


@pytest.mark.parametrize("name", [RESULTS, FRESHNESS])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(node=NODES)
def test_any_node(name: str, node: dict[str, Any]) -> None:
    stream: Any = tap().streams[name]
    artifact = read_artifact(json.dumps({"results": [node]}).encode())
    (rows,) = stream.rows_in(artifact, STEP)
    (record,) = check(stream, rows)
    assert node.keys() - record.keys() <= SPLIT


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    metadata=VALUES | st.dictionaries(st.sampled_from(["env", "invocation_id", "y"]), VALUES),
    args=ARGS | VALUES,
    elapsed=SCALARS,
)
def test_any_header(metadata: Any, args: Any, elapsed: Any) -> None:
    stream: Any = tap().streams[INVOCATIONS]
    file = {"metadata": metadata, "args": args, "elapsed_time": elapsed, "results": []}
    (rows,) = stream.rows_in(read_artifact(json.dumps(file).encode()), STEP)
    (record,) = check(stream, rows)
    assert record["result_count"] == 0
