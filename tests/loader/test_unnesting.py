"""Contract: records are unnested into the rows that dlt's own normalizer makes of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from dlt.common.normalizers.json.relational import DataItemNormalizer
from dlt.common.schema import Schema
from dlt.common.schema.utils import new_table
from hypothesis import given, settings
from hypothesis import strategies as st

from target_dlt.dlt_internals import KnownTables, Naming
from target_dlt.messages.schema import parse_schema
from target_dlt.names import path_of
from target_dlt.shaping.unnesting import Unnester

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
# No two of them are the same to dlt, which would lose one of the two values.
# Nor is one of them blank: dlt would put the items of its array into the record's own table.
KEYS = st.sampled_from(["id", "userName", "a b", "x-y", "_z", "é", "value", "list", "9", "w_"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
RECORDS = st.dictionaries(KEYS, VALUES, max_size=4)


def rows_of_dlt(record, root_id, json_column=None):
    schema = Schema("any")
    columns: list[Any] = [{"name": "id", "primary_key": True, "data_type": "bigint"}]
    if json_column:
        columns.append({"name": json_column, "data_type": "json"})
    table = new_table("t_x", write_disposition="merge", columns=columns)
    schema.update_table(table)
    DataItemNormalizer.update_normalizer_config(schema, {"root_key_propagation": True})
    DataItemNormalizer(schema).extend_table("t_x")  # tells the next one what to pass on
    normalizer = DataItemNormalizer(schema)
    tables = defaultdict(list)
    given_id = {**record, "_dlt_id": root_id}
    for (name, *_), row in normalizer.normalize_data_item(given_id, "1", "t_x"):
        tables[name].append({key: row[key] for key in row if key != "_dlt_load_id"})
    return dict(tables)


def our_rows(record, properties=None, json_columns=None):
    schema = parse_schema("t_x", {"properties": properties or {}}, [])
    unnester = Unnester(schema, KnownTables("t_x", json_columns or {}))
    naming = Naming()
    tables = defaultdict(list)
    for path, row in unnester.rows(record):
        final = {naming.column(path_of(name)): value for name, value in row.items()}
        assert len(final) == len(row)
        names = tuple(naming.list_key(path_of(array)) for array in path)
        tables[naming.table("t_x", names)].append(final)
    return dict(tables)


@settings(max_examples=100, deadline=None)
@given(RECORDS)
def test_rows_are_those_of_dlt(record):
    ours = our_rows(record)
    (root,) = ours["t_x"]
    assert ours == rows_of_dlt(record, root["_dlt_id"])


def declared(value):
    """A schema that describes a value."""
    if isinstance(value, dict):
        return {
            "type": "object",
            "properties": {key: declared(item) for key, item in value.items()},
        }
    if isinstance(value, list):
        return {"type": "array", "items": {"anyOf": [declared(item) for item in value]}}
    return {"type": ["null", "string"]}


@settings(max_examples=40, deadline=None)
@given(RECORDS)
def test_a_declared_schema_changes_no_row(record):
    """Names made for declared properties are those that undeclared ones get."""
    ours = our_rows(record, declared(record)["properties"])
    (root,) = ours["t_x"]
    assert ours == rows_of_dlt(record, root["_dlt_id"])


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_what_is_kept_as_json_stays_whole(value):
    record = {"id": 1, "tree": value}
    ours = our_rows(record, json_columns={(): frozenset({"tree"})})
    assert ours == rows_of_dlt(record, ours["t_x"][0]["_dlt_id"], "tree")
    assert ours["t_x"][0]["tree"] == value


@pytest.mark.parametrize(
    "record",
    [
        {"id": 1, "ID": 2},
        {"a": {"b": 1}, "a__b": 2},
        {"a": {"b": 1, "B": 2}, "A": {"b": 3}},
        {"_dlt_id": 1, "_dlt_load_id": 2, "_dlt_root_id": 3},
        {"a": [{"_dlt_parent_id": 1, "_dlt_list_idx": 2}], "A": [{"x": 4}]},
        {"a": [1, 2], "A": [3], "a ": [4], "b": {"c": [5]}, "b__c": [6]},
    ],
)
def test_no_value_is_lost_where_names_clash(record):
    def leaves(value):
        if isinstance(value, dict):
            return sorted(leaf for item in value.values() for leaf in leaves(item))
        if isinstance(value, list):
            return sorted(leaf for item in value for leaf in leaves(item))
        return [value]

    schema = parse_schema("t_x", {"properties": {}}, [])
    system = {"_dlt_id", "_dlt_parent_id", "_dlt_root_id", "_dlt_list_idx"}
    rows = [
        ((path, name), value)
        for path, row in Unnester(schema, KnownTables("t_x")).rows(record)
        for name, value in row.items()
        if name not in system
    ]
    assert sorted(value for _, value in rows) == leaves(record)


def test_the_tables_of_arrays_have_the_declared_types():
    schema = parse_schema(
        "t_x",
        {
            "properties": {
                "id": {"type": "integer"},
                "tags": {"type": ["null", "array"], "items": {"type": "string"}},
                "user": {
                    "type": "object",
                    "properties": {
                        "at": {"type": "string", "format": "date-time"},
                        "grid": {
                            "type": "array",
                            "items": {"type": "array", "items": {"$ref": "#/definitions/cell"}},
                        },
                    },
                },
                "loop": {"$ref": "#/definitions/loop"},
                "mixed": {"type": ["string", "object"], "properties": {"x": {"type": "number"}}},
                "map": {"type": "object"},
            },
            "definitions": {
                "cell": {"type": "object", "properties": {"n": {"type": "number"}}},
                "loop": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "left": {"$ref": "#/definitions/loop"},
                        "right": {"$ref": "#/definitions/loop"},
                        "more": {"type": "array", "items": {"$ref": "#/definitions/loop"}},
                    },
                },
            },
        },
        ["id"],
    )
    unnester = Unnester(schema, KnownTables("t_x"))
    assert unnester.schema.columns == {
        "id": "bigint",
        "#/user/at": "timestamp",
        "#/loop/name": "text",
        "mixed": "text",
        "#/mixed/x": "double",
    }
    system = {"_dlt_parent_id": "text", "_dlt_list_idx": "bigint"}
    assert unnester.schema_of(("tags",)).columns == {**system, "value": "text"}
    assert unnester.schema_of(("#/user/grid",)).columns == system
    assert unnester.schema_of(("#/user/grid", "list")).columns == {**system, "n": "double"}
