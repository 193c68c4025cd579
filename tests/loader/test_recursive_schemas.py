"""Schemas that refer to each other are read once and laid out to a bound; the records decide on."""

from __future__ import annotations

from typing import Any

import pytest

from target_dlt.messages.schema import parse_schema


class Counted(dict[str, Any]):
    """A schema that counts how often it is looked at."""

    looks = 0

    def get(self, key, default=None):
        if key == "$ref":
            Counted.looks += 1
        return super().get(key, default)


def reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def unions(count, keyword):
    """Definitions, each of which may be each of them, itself as well, or a number."""
    names = [f"d{number}" for number in range(count)]
    options = [*(Counted(reference(name)) for name in names), {"type": "integer"}]
    return {name: Counted({keyword: options}) for name in names}


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf", "allOf"])
def test_definitions_that_may_be_each_other_are_each_read_once(keyword):
    Counted.looks = 0
    document = {"properties": {"a": reference("d0")}, "definitions": unions(7, keyword)}
    assert parse_schema("t", document, []).columns == {"a": "bigint"}
    assert 0 < Counted.looks < 200


def test_a_chain_of_parts_that_are_named_twice_is_read_once():
    parts = {f"d{n}": Counted({"allOf": [Counted(reference(f"d{n + 1}"))] * 2}) for n in range(15)}
    definitions = {**parts, "d15": {"type": "string", "format": "date"}}
    Counted.looks = 0
    document = {"properties": {"a": reference("d0")}, "definitions": definitions}
    assert parse_schema("t", document, []).columns == {"a": "date"}
    assert 0 < Counted.looks < 100


def test_references_that_lead_on_and_on_are_left_to_the_records():
    definitions = {f"d{number}": reference(f"d{number + 1}") for number in range(1000)}
    document: dict[str, Any] = {"properties": {"a": reference("d0"), "b": reference("d950")}}
    document["definitions"] = {**definitions, "d1000": {"type": "integer"}}
    assert parse_schema("t", document, []).columns == {"a": "json", "b": "bigint"}
