"""What columns of Pulumi's streams refer to: both ends are there, and rows that must be, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import NAMES, discover, settings, sync
from tests.dbt.test_references import column_of, types_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

STREAMS = {entry["stream"]: entry for entry in discover()["streams"]}
REFERENCES = [
    (name, reference)
    for name in NAMES
    if name.startswith("pulumi_")
    for reference in STREAMS[name].get("references", ())
]


def test_every_stream_refers_to_its_organization() -> None:
    for name in NAMES:
        if name.startswith("pulumi_") and name != "pulumi_organizations":
            targets = {reference["stream"] for reference in STREAMS[name]["references"]}
            assert "pulumi_organizations" in targets, name


@pytest.mark.parametrize(("stream", "reference"), REFERENCES, ids=str)
def test_both_ends_of_a_reference_are_there(stream: str, reference: dict[str, Any]) -> None:
    own, other = STREAMS[stream]["schema"], STREAMS[reference["stream"]]["schema"]
    for column, target in zip(reference["columns"], reference["to"], strict=True):
        here, there = column_of(own, column), column_of(other, target)
        assert here is not None, column
        assert there is not None, target
        assert types_of(here) == types_of(there)
    assert reference["to"][0] == "org_name", "names and ids mean nothing outside of it"


def values(record: Record, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    """The values that refer to other rows; one of the columns may be a list."""
    lists = [name for name in columns if name.endswith("[]")]
    for each in record[lists[0][:-2]] or () if lists else (None,):
        yield tuple(each if name.endswith("[]") else record[name] for name in columns)


def test_rows_that_must_be_there_are(still: Simulator) -> None:
    names = [name for name in NAMES if name.startswith("pulumi_")]
    outcome = sync(settings(still, "pulumi"), select=names)
    strong = [(name, ref) for name, ref in REFERENCES if not ref["weak"]]
    assert strong
    for name, reference in strong:
        targets = {
            tuple(row[column] for column in reference["to"])
            for row in outcome.records(reference["stream"])
        }
        found = {v for row in outcome.records(name) for v in values(row, reference["columns"])}
        found = {value for value in found if value[-1] is not None}
        assert found, (name, reference)
        assert found <= targets, (name, reference)
