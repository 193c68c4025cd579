"""Files of dbt as bytes: taken apart without a loss, however large they are."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.schemas import load_schema
from tap_cloudapis.dbt import artifacts
from tap_cloudapis.dbt.artifacts import Artifact, read_artifact
from tap_cloudapis.dbt.invocation_records import invocation_record
from tap_cloudapis.dbt.node_records import result_record
from tests.reference import PAYLOADS, needs

SAMPLE = PAYLOADS / "dbt" / "airflow_run_results_v4.json"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
nodes = st.fixed_dictionaries(
    {"unique_id": st.sampled_from(["model.a", "model.b", "test.c"]) | texts},
    optional={"status": texts, "execution_time": st.integers(0, 9), "x": values},
)
headers = st.dictionaries(st.sampled_from(["metadata", "args", "elapsed_time", "y"]), values)


def read(content: bytes) -> tuple[Artifact, list[Any]]:
    artifact = read_artifact(content)
    return artifact, [row for rows in artifact.nodes() for row in rows]


@given(headers, st.lists(nodes, max_size=12), st.booleans())
def test_all_of_a_file_comes_in_its_order(header: Any, given_nodes: Any, large: bool) -> None:
    before = artifacts.AT_ONCE
    artifacts.AT_ONCE = 30 if large else before
    try:
        artifact, rows = read(json.dumps({**header, "results": given_nodes}).encode())
    finally:
        artifacts.AT_ONCE = before
    last = {node["unique_id"]: place for place, node in enumerate(given_nodes)}
    expected = [node for place, node in enumerate(given_nodes) if last[node["unique_id"]] == place]
    assert rows == expected
    assert artifact.header == header
    summary = artifact.summarise()
    assert summary.count == len(expected)
    assert sum(summary.statuses.values()) == sum("status" in node for node in expected)
    assert (summary.seconds or 0) == sum(node.get("execution_time", 0) for node in expected)


@pytest.mark.parametrize("padding", [0, artifacts.AT_ONCE])
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"results": [{"unique_id": "a", "x": NaN}, {"unique_id": "b"}]}', 2),
        ('{"results": [{"unique_id": "\\ud800"}]}', 1),
        ('{"results": null}', 0),
        ("{}", 0),
    ],
)
def test_what_only_another_decoder_reads(text: str, rows: int, padding: int) -> None:
    assert len(read(text.encode() + b" " * padding)[1]) == rows


@pytest.mark.parametrize("padding", [0, artifacts.AT_ONCE])
def test_numbers_keep_their_digits(padding: int) -> None:
    text = '{"results": [{"unique_id": "a", "execution_time": 0.10000000000000000001}]}'
    _, (row,) = read(text.encode() + b" " * padding)
    assert row["execution_time"] == Decimal("0.10000000000000000001")


@pytest.mark.parametrize("padding", [0, artifacts.AT_ONCE])
@pytest.mark.parametrize("text", ["[]", "null", "7", '{"results": {}}', '{"results": "x"}'])
def test_what_is_no_file_of_dbt(text: str, padding: int) -> None:
    with pytest.raises(TapError, match="not an object with a list of results"):
        read_artifact(text.encode() + b" " * padding)


@pytest.mark.parametrize("padding", [0, artifacts.AT_ONCE])
def test_what_is_no_json(padding: int) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_artifact(b'{"results": [' + b" " * padding)


def test_a_file_with_many_nodes_is_decoded_in_parts() -> None:
    rows = [{"unique_id": f"model.{n}", "code": "x" * 1000} for n in range(1000)]
    artifact = read_artifact(json.dumps({"results": [*rows, rows[0]]}).encode())
    sizes = [len(some) for some in artifact.nodes()]
    assert sum(sizes) == 1000
    assert max(sizes) <= 300


def test_other_phases_are_kept_as_they_came() -> None:
    phases = [{"name": "compile", "started_at": 1, "completed_at": 2}, {"name": "render"}, 7]
    record = result_record({"unique_id": "m.x", "timing": phases}, {}, with_sql=False)
    assert record["timing"] == phases[:2]
    assert record["compile_started_at"] == 1
    assert result_record({"timing": "odd"}, {}, with_sql=False) == {"timing": "odd"}
    assert "timing" not in result_record({"timing": phases[:1]}, {}, with_sql=False)


@given(st.dictionaries(st.sampled_from(["unique_id", "timing", "adapter_response"]), values))
def test_no_node_is_too_odd(node: Any) -> None:
    told = set(node) - {"timing"}
    assert told <= result_record(dict(node), {"step": 1}, with_sql=True).keys()


@needs(SAMPLE)
def test_a_real_file() -> None:
    content = Path(SAMPLE).read_bytes()
    raw = json.loads(content)
    artifact, rows = read(content)
    records = [result_record(row, {"step": 4}, with_sql=False) for row in rows]
    assert len(records) == len(raw["results"]) == 6
    declared = load_schema("tap_cloudapis.dbt", "run_results")["properties"].keys()
    assert all(record.keys() <= declared for record in records)
    told = invocation_record(artifact)
    assert told["schema_version"] == "v4"
    assert told["rpc_method"] == "docs.generate"
    assert told["result_count"] == 6
    assert told["status_counts"] == {"success": 6}
    assert "profiles_dir" not in told["args"]
    assert told["args"]["indirect_selection"] == "eager"
    assert told.keys() <= load_schema("tap_cloudapis.dbt", "run_invocations")["properties"].keys()
