"""JSON schemas of every form that taps and generators write: read for what they mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from target_dlt.errors import LoaderError
from target_dlt.messages.schema import data_type
from tests.loader.support import INTEGER, column_types, load, query, record, state

NESTED: dict[str, Any] = {"nesting": "tables"}
FLAT: dict[str, Any] = {"flattening_enabled": True, "flattening_max_depth": 2}
PACKAGE: dict[str, Any] = {"engine": "package"}
SHAPES = pytest.mark.parametrize("shape", [{}, NESTED, FLAT])
DOC: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}},
}
DEFINED = {"definitions": {"Doc": DOC}}
REFERENCE = {"$ref": "#/definitions/Doc"}


def message(document, keys=()):
    return json.dumps({"type": "SCHEMA", "stream": "t", "schema": document, "key_properties": keys})


@pytest.mark.parametrize("options", [{}, NESTED, FLAT, PACKAGE, {**PACKAGE, **FLAT}])
@pytest.mark.parametrize(
    "document",
    [
        {},
        {"type": "object"},
        {"type": None},
        {"type": "object", "properties": None, "required": None},
        {"type": "object", "properties": []},
    ],
)
def test_a_schema_that_describes_no_properties_leaves_them_to_the_records(
    tmp_path, document, options
):
    path = tmp_path / "db.duckdb"
    messages = [
        json.dumps({"type": "SCHEMA", "stream": "u", "schema": document, "key_properties": None}),
        message(document, ["_id"]),
        record("t", _id="k1", n=1),
        record("t", _id="k2", b=True),
        state(1),
    ]
    load(path, messages, default_target_schema="raw", **options)
    assert query(path, "SELECT _id, n, b FROM raw.t ORDER BY _id") == [
        ("k1", 1, None),
        ("k2", None, True),
    ]


@SHAPES
@pytest.mark.parametrize(
    "document",
    [
        {**REFERENCE, **DEFINED},
        {"allOf": [REFERENCE, {"properties": {"b": {"type": "boolean"}}}], **DEFINED},
        {"allOf": [REFERENCE, {"properties": {"id": {"description": "It."}}}], **DEFINED},
        {"anyOf": [DOC, {"type": "null"}]},
        {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/A~1B"}], "$defs": {"A/B": DOC}},
        {"type": "object", "anyOf": [{"required": ["id"]}, {"required": ["at"]}], **DOC},
        {
            "anyOf": [
                {"properties": {"id": INTEGER}},
                {"properties": {"at": DOC["properties"]["at"]}},
            ]
        },
        {"$ref": "#/definitions/Missing", **DOC},
    ],
)
def test_properties_are_found_through_the_root_of_a_schema(tmp_path, document, shape):
    path = tmp_path / "db.duckdb"
    messages = [message(document, ["id"]), record("t", id=1, at="2026-01-02T03:04:05Z")]
    load(path, messages, **shape)
    types = column_types(path, "t")
    assert {name: types[name] for name in ("id", "at")} == {
        "id": "BIGINT",
        "at": "TIMESTAMP WITH TIME ZONE",
    }


def test_stream_maps_know_the_properties_of_the_root_too(tmp_path):
    path = tmp_path / "db.duckdb"
    for document in ({**REFERENCE, **DEFINED}, {"type": "object"}):
        messages = [message(document, ["id"]), record("t", id=1)]
        load(path, messages, stream_maps={"t": {"twice": "record['id'] * 2"}})
    assert query(path, "SELECT twice FROM t") == [("2",)]


@pytest.mark.parametrize("closed", [True, False])
def test_a_root_that_refers_to_a_closed_schema_is_closed(tmp_path, closed):
    path = tmp_path / "db.duckdb"
    doc = {**DOC, "additionalProperties": not closed}
    load(path, [message({**REFERENCE, "definitions": {"Doc": doc}}), record("t", id=1, more=2)])
    assert ("more" in column_types(path, "t")) is not closed


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["null", "string"], "anyOf": [{"maxLength": 5}, {"pattern": "^x"}]}, "text"),
        ({"type": "string", "allOf": [{"maxLength": 5}]}, "text"),
        ({"type": "string", "allOf": [{"format": "date"}]}, "date"),
        ({"type": "string", "format": "date", "anyOf": [{"minLength": 1}]}, "date"),
        ({"type": "string", "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}, "timestamp"),
        ({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}, "text"),
        (
            {"type": ["string"], "oneOf": [{"type": "null"}, {"format": "date"}]},
            "date",
        ),
        ({"type": "string", "anyOf": [{"type": "null"}]}, "text"),
        ({"type": "string", "anyOf": [{"type": "string", "format": "date"}]}, "date"),
        ({"allOf": [{"type": "string"}, {"description": "x"}]}, "text"),
        ({"allOf": [{"type": "string"}, {"format": "date"}]}, "date"),
        ({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]}, "bigint"),
        ({"type": "integer", "allOf": [{"maximum": 2**70}]}, "wei"),
        ({"type": "integer", "maximum": "9"}, "bigint"),
        ({"type": "string", "format": ["date"]}, "text"),
        ({"anyOf": [{"type": "string"}, {}]}, "json"),
        ({"anyOf": [{"description": "x"}]}, "json"),
        ({"type": "object", "anyOf": [{"required": ["a"]}]}, "json"),
        ({"type": None, "anyOf": None, "enum": ["a"]}, "text"),
        ({"type": [], "const": 1}, "bigint"),
        ({"$ref": "#/definitions/Missing", "type": "string"}, "text"),
        (True, "json"),
        (None, "json"),
    ],
)
def test_what_stands_beside_a_union_holds_for_its_branches(schema, expected):
    assert data_type(schema, root={}) == expected


def test_types_that_name_each_other_come_to_an_end():
    many = [{"$ref": f"#/definitions/{name}"} for name in "abc"]
    root = {"definitions": {name: {"anyOf": [*many, {"type": "string"}]} for name in "abc"}}
    assert data_type({"$ref": "#/definitions/a"}, root=root) == "text"


@SHAPES
@pytest.mark.parametrize("validate", [False, True])
@pytest.mark.parametrize("name", ["a", "default", "enum", "properties"])
def test_keywords_that_are_null_are_not_there(tmp_path, shape, validate, name):
    inner = {"type": "object", "properties": {name: {"type": "string", "enum": None}}}
    document = {
        "type": "object",
        "required": None,
        "properties": {"id": INTEGER, "a": {**inner, "required": None, "items": None}},
        "additionalProperties": None,
    }
    path = tmp_path / "db.duckdb"
    messages = [message(document), record("t", id=1, a={name: "x"})]
    load(path, messages, validate_records=validate, **shape)
    assert query(path, "SELECT id FROM t") == [(1,)]


@pytest.mark.parametrize("shape", [NESTED, FLAT])
def test_a_nested_property_that_cannot_be_read_is_named(tmp_path, shape):
    inner = {"type": "object", "properties": {"wrong": {"type": 7}}}
    with pytest.raises(LoaderError, match=r"line 1: .*'(#/a/)?wrong': \"type\"") as caught:
        load(tmp_path / "db.duckdb", [message({"properties": {"a": inner}})], **shape)
    assert "\n" not in str(caught.value)
