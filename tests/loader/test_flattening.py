"""Flattening: the names and values of the SDK's own functions, exact."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.helpers._flattening import flatten_record, flatten_schema

from target_dlt.errors import LoaderError
from target_dlt.messages.schema import parse_schema
from target_dlt.shaping.flattening import Flattener, FlatteningOptions
from tests.loader.support import (
    DECIMAL,
    INTEGER,
    STRING,
    column_types,
    load,
    query,
    raw_record,
    record,
    schema,
    typed,
)

KEYS = st.sampled_from(["id", "userName", "a b", "é", "x", "aVeryLongNameIndeed"])
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)
RECORDS = st.dictionaries(KEYS, VALUES, max_size=4)


def declared(value):
    if isinstance(value, dict):
        return {
            "type": ["null", "object"],
            "properties": {key: declared(item) for key, item in value.items()},
        }
    return {"type": ["null", "array" if isinstance(value, list) else "string"]}


def as_text(value):
    """What the SDK makes of a value that it does not flatten."""
    is_nested = isinstance(value, (dict, list))
    return json.dumps(value, separators=(",", ":")) if is_nested else value


@settings(max_examples=100, deadline=None)
@given(RECORDS, RECORDS, st.integers(1, 3), st.sampled_from(["__", "."]), st.sampled_from([9, 255]))
def test_names_and_values_are_those_of_the_sdk(described, record_, depth, separator, longest):
    document = declared(described)
    options = {"separator": separator, "max_key_length": longest}
    try:
        theirs = flatten_schema(document, depth, **options)
    except ValueError:  # two properties of one name: the SDK gives up
        return
    ours = Flattener(parse_schema("t", document, []), FlatteningOptions(depth, longest, separator))
    spelled = ours.schema.spelled
    assert [spelled[name] for name in ours.schema.columns] == list(theirs["properties"])
    ((_, row),) = ours.rows(record_)
    flat = flatten_record(record_, theirs, depth, **options)
    names_of_the_sdk_clash = len(row) != len(flat)
    assert names_of_the_sdk_clash or {spelled[key]: as_text(row[key]) for key in row} == flat


T = schema(
    "t",
    {
        "id": INTEGER,
        "user": typed(
            "object",
            properties={
                "Name": STRING,
                "amount": DECIMAL,
                "home": typed("object", properties={"city": STRING}),
                "tags": typed("array"),
            },
        ),
    },
    ["id"],
)
USER = (
    '{"Name": "a", "amount": 1.10, "home": {"city": "b", "no": 123456789012345678901234567890}, '
    '"tags": [1, 2.50]}'
)


@pytest.mark.parametrize(
    "config",
    [
        {"flattening_enabled": True, "flattening_max_depth": 1},
        {"data_flattening_max_level": 1},
    ],
)
def test_one_level(tmp_path, config):
    path = tmp_path / "db.duckdb"
    load(path, [T, raw_record("t", f'{{"id": 1, "user": {USER}}}')], **config)
    assert column_types(path, "t") == {
        "id": "BIGINT",
        "user__name": "VARCHAR",
        "user__amount": "DECIMAL(38,9)",
        "user__home": "JSON",
        "user__tags": "JSON",
    }
    assert query(
        path, "SELECT user__name, user__amount::VARCHAR, user__home, user__tags FROM t"
    ) == [("a", "1.100000000", '{"city":"b","no":123456789012345678901234567890}', "[1,2.50]")]


def test_all_levels_and_names_that_clash(tmp_path):
    path = tmp_path / "db.duckdb"
    config = {"flattening_enabled": True, "flattening_max_depth": 9}
    line = raw_record(
        "t", f'{{"id": 1, "user": {USER}, "user__Name": "mine", "new": {{"x": NaN}}}}'
    )
    load(path, [T, line], **config)
    assert query(
        path, "SELECT user__name, user__home__city, user__home__no, user__name_2 FROM t"
    ) == [("a", "b", 123456789012345678901234567890, "mine")]
    assert query(path, "SELECT isnan(new__x) FROM t") == [(True,)]


def test_what_the_schema_excludes_is_left_out_of_the_record_itself_only(tmp_path):
    path = tmp_path / "db.duckdb"
    closed = schema(
        "t",
        {"id": INTEGER, "user": typed("object", properties={"a": INTEGER})},
        ["id"],
        additionalProperties=False,
    )
    load(
        path,
        [closed, record("t", id=1, user={"a": 1, "b": 2}, more={"c": 3})],
        data_flattening_max_level=1,
    )
    assert query(path, "SELECT user__a, user__b FROM t") == [(1, 2)]
    assert "more__c" not in column_types(path, "t")


def test_a_key_may_be_a_flattened_property(tmp_path):
    path = tmp_path / "db.duckdb"
    stream = schema("t", {"user": typed("object", properties={"id": INTEGER})}, ["user__id"])
    rows = [record("t", user={"id": id_, "n": n}) for id_, n in [(1, 1), (2, 2), (1, 3)]]
    for config in ({"data_flattening_max_level": 1}, {"nesting": "tables"}):
        load(path, [stream, *rows], **config)
        assert query(path, "SELECT user__id, user__n FROM t ORDER BY 1") == [(1, 3), (2, 2)]


def test_depth_zero_flattens_nothing(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [T, record("t", id=1)], flattening_enabled=True, flattening_max_depth=0)
    assert set(column_types(path, "t")) == {"id", "user"}


def test_flattening_needs_a_depth(tmp_path):
    with pytest.raises(LoaderError, match="'flattening_max_depth' is missing"):
        load(tmp_path / "db.duckdb", [T], flattening_enabled=True)
