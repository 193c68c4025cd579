"""Schemas that refer to each other are read once and laid out to a bound; the records decide on."""

from __future__ import annotations

from typing import Any

import pytest

from target_dlt.dlt_internals import KnownTables
from target_dlt.messages.schema import parse_schema
from target_dlt.shaping.declared import REPEATED_COLUMNS
from target_dlt.shaping.unnesting import Unnester
from tests.loader.support import MOMENT, STRING, column_types, load, query, record, run, schema


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


def mutual(count: int) -> dict[str, Any]:
    """A root whose property is one of some definitions of objects that all have each other."""
    names = [f"d{number}" for number in range(count)]
    definitions = {}
    for name in names:
        properties: dict[str, Any] = {other: reference(other) for other in names if other != name}
        definitions[name] = {"type": "object", "properties": {"at": MOMENT, **properties}}
    properties = {"id": {"type": "integer"}, "r": reference("d0")}
    return {"properties": properties, "definitions": definitions}


def test_objects_that_have_each_other_are_laid_out_once(tmp_path):
    path = tmp_path / "db.duckdb"
    messages = [
        schema("t", **mutual(8), keys=["id"]),
        record("t", id=1, r={"at": "2026-01-02T03:04:05Z"}),
    ]
    config = {"path": str(path), "nesting": "tables"}
    outcome = run(messages=messages, config=config, folder=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    inner = [f"r__d{number}__at" for number in range(1, 8)]
    assert set(column_types(path, "t")) == {"id", "r__at", *inner}


def test_what_is_not_laid_out_has_its_declared_type_once_it_comes(tmp_path):
    path = tmp_path / "db.duckdb"
    document = mutual(3)
    document["definitions"]["d0"]["properties"]["list"] = {
        "type": "array",
        "items": {"anyOf": [reference("d1"), {"type": "array", "items": reference("d2")}]},
    }
    head = schema("t", **document)
    moment: dict[str, Any] = {"at": "2026-01-02T03:04:05Z"}
    deep = {"d1": {"d2": {"d0": {**moment, "list": [{**moment, "d2": moment}, [moment]]}}}}
    plain = {"d1": moment, "list": [moment]}
    load(path, [head, record("t", r=plain), record("t", r=deep)], nesting="tables")
    types = column_types(path, "t")
    assert types["r__d1__d2__d0__at"] == "TIMESTAMP WITH TIME ZONE"
    assert query(path, "SELECT count(r__d1__d2__d0__at) FROM t") == [(1,)]
    items = "t__r__d1__d2__d0__list"
    assert column_types(path, items)["d2__at"] == "TIMESTAMP WITH TIME ZONE"
    assert query(path, f'SELECT count("at"), count(d2__at) FROM {items}') == [(1, 1)]  # noqa: S608
    assert column_types(path, f"{items}__list")["at"] == "TIMESTAMP WITH TIME ZONE"


def test_a_value_that_the_late_column_cannot_hold_is_beside_it(tmp_path):
    path = tmp_path / "db.duckdb"
    head = schema("t", **mutual(3))
    deep = {"d1": {"d2": {"d1": {"at": "noon"}}}}
    load(path, [head, record("t", r=deep)], nesting="tables", add_metadata_columns=True)
    assert column_types(path, "t")["r__d1__d2__d1__at"] == "TIMESTAMP WITH TIME ZONE"
    assert query(path, "SELECT r__d1__d2__d1__at__v_text FROM t") == [("noon",)]


def columns_of(document: dict[str, Any]) -> list[str]:
    """Lay out a schema in advance; answer what the names of its columns are made of."""
    made = Unnester(parse_schema("t", document, []), KnownTables("t")).schema
    return [made.spelled.get(name, name) for name in made.columns]


def test_a_schema_in_two_places_is_laid_out_in_both():
    address = {"type": "object", "properties": {"street": STRING, "zip": STRING}}
    customer = {"type": "object", "properties": {"address": reference("address")}}
    category = {"type": "object", "properties": {"name": STRING, "parent": reference("category")}}
    document = {
        "properties": {
            "address": reference("address"),
            "buyer": reference("customer"),
            "seller": reference("customer"),
            "of": reference("category"),
            "in": reference("category"),
        },
        "definitions": {"address": address, "customer": customer, "category": category},
    }
    assert columns_of(document) == [
        "address__street",
        "address__zip",
        "buyer__address__street",
        "buyer__address__zip",
        "seller__address__street",
        "seller__address__zip",
        "of__name",
        "in__name",
    ]


def test_what_branches_again_and_again_is_laid_out_to_a_number_of_columns():
    definitions = {
        f"d{number}": {
            "type": "object",
            "properties": {
                "v": STRING,
                "left": reference(f"d{number + 1}"),
                "right": reference(f"d{number + 1}"),
            },
        }
        for number in range(30)
    }
    document = {"properties": {"a": reference("d0")}, "definitions": definitions}
    made = columns_of(document)
    assert {"a__v", "a__left__v", "a__right__v", "a__right__left__v"} < set(made)
    assert 30 <= len(made) < REPEATED_COLUMNS


def test_what_is_odd_far_within_is_named_by_its_way(tmp_path):
    document = mutual(3)
    document["definitions"]["d2"]["properties"]["x"] = {"type": 1}
    head = schema("t", **document)
    config = {"path": str(tmp_path / "db.duckdb"), "nesting": "tables"}
    outcome = run(messages=[head], config=config, folder=tmp_path)
    assert outcome.returncode == 1
    assert "property 'r': property 'd2': property 'x': \"type\" is neither" in outcome.stderr
    assert "Traceback" not in outcome.stderr
