"""What the catalog says that columns of Pulumi Cloud's streams refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import discover, settings, sync
from tests.dbt.test_references import column_of, types_of

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

STREAMS = {entry["stream"]: entry for entry in discover()["streams"]}
PULUMI = [name for name in STREAMS if name.startswith("pulumi_")]
REFERENCES = [(name, reference) for name in PULUMI for reference in STREAMS[name]["references"]]


def test_every_stream_refers_to_its_organization() -> None:
    for name in PULUMI:
        targets = {reference["stream"] for reference in STREAMS[name]["references"]}
        assert name == "pulumi_organizations" or "pulumi_organizations" in targets, name


@pytest.mark.parametrize(("stream", "reference"), REFERENCES, ids=str)
def test_both_ends_of_a_reference_are_there(stream: str, reference: dict[str, Any]) -> None:
    own, other = STREAMS[stream]["schema"], STREAMS[reference["stream"]]["schema"]
    for column, target in zip(reference["columns"], reference["to"], strict=True):
        here, there = column_of(own, column), column_of(other, target)
        assert here is not None, column
        assert there is not None, target
        assert types_of(here) == types_of(there)
    assert reference["to"][0] == "org_name", "names and ids mean nothing outside of it"


def test_rows_that_must_be_there_are(still: Simulator) -> None:
    outcome = sync(settings(still, "pulumi"), select=PULUMI)
    assert outcome.code == 0, outcome.log
    strong = [(name, r) for name, r in REFERENCES if not r["weak"] and r["columns"] != ["org_name"]]
    assert strong
    for name, reference in strong:
        rows = outcome.records(reference["stream"])
        known = {tuple(row[column] for column in reference["to"]) for row in rows}
        for row in outcome.records(name):
            values = tuple(row[column] for column in reference["columns"])
            assert None in values or values in known, (name, values)
