"""Records in the form of their schema, whatever type a value has and however many shapes come.

The SDK lets a value pass that has another type than its column, but for booleans. Here it becomes
what the column is declared with, where it can be read as that; that differs on purpose.
"""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.output import encode
from tap_cloudapis.core.scalars import to_boolean
from tap_cloudapis.core.scrubbing import Scrubber
from tap_cloudapis.core.shapes import _REMEMBERED_NAMES, Handling, Shaper

TIME = {"type": ["string", "null"], "format": "date-time"}
TEXT = {"type": ["string", "null"]}
WHOLE = {"type": ["integer", "null"]}
NUMBER = {"type": ["number", "null"]}
FLAG = {"type": ["boolean", "null"]}


def shaper(schema: dict[str, Any], told: list[tuple[Any, ...]], **more: Any) -> Shaper:
    """A shaper, and what it tells of."""
    replace = more.pop("replace", None)

    def tell(*what: Any) -> None:
        told.append(what)

    return Shaper(schema, Handling(tell, Scrubber(replace).scrub, replace), **more)


def shaped(schema: dict[str, Any], record: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A record in form; what is told of is no matter here."""
    shaper(schema, [], **more).shape(record)
    return record


@pytest.mark.parametrize(
    ("column", "value", "read_as"),
    [
        (TEXT, 17, "17"),
        (TEXT, Decimal("1.50"), "1.50"),
        (TEXT, Decimal("1E+2"), "100"),
        (TEXT, Decimal("-0.10"), "-0.10"),
        (TEXT, 10**40, str(10**40)),
        (TEXT, True, "true"),
        (TEXT, False, "false"),
        (TEXT, 0, "0"),
        (WHOLE, "17", 17),
        (WHOLE, " -17 ", -17),
        (WHOLE, "17.0", 17),
        (WHOLE, Decimal("17.0"), 17),
        (WHOLE, Decimal("0.0"), 0),
        (WHOLE, Decimal("1E+3"), 1000),
        (WHOLE, "9" * 50, int("9" * 50)),
        (WHOLE, 10**400, 10**400),
        (NUMBER, "1.50", Decimal("1.50")),
        (NUMBER, "17", 17),
        (NUMBER, "-1e3", Decimal("-1e3")),
        (NUMBER, 17, 17),
        (FLAG, 1, True),
        (FLAG, 0, False),
        (FLAG, "false", True),
        ({"type": ["object", "string", "null"]}, 17, "17"),
    ],
)
def test_a_value_becomes_what_its_column_is_declared_with(
    column: Any, value: Any, read_as: Any
) -> None:
    told: list[tuple[Any, ...]] = []
    record = {"value": value, "inner": {"value": value}, "many": [{"value": value}]}
    inner = {"type": ["object", "null"], "properties": {"value": column}}
    schema = {"properties": {"value": column, "inner": inner, "many": {"items": inner}}}
    shaper(schema, told).shape(record)
    # As text: to Python, 1 equals True and 17.0.
    assert encode(record) == encode(
        {"value": read_as, "inner": {"value": read_as}, "many": [{"value": read_as}]}
    )
    assert not told


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (TEXT, {"a": 1}),
        (TEXT, [1]),
        (WHOLE, "17.5"),
        (WHOLE, "seventeen"),
        (WHOLE, "1_000"),
        (WHOLE, ""),
        (WHOLE, True),
        (WHOLE, Decimal("17.5")),
        (WHOLE, Decimal("1E+999999999")),
        (WHOLE, "9" * 5000),
        (WHOLE, "\N{ARABIC-INDIC DIGIT TWO}"),
        (WHOLE, [17]),
        (NUMBER, "NaN"),
        (NUMBER, "1,5"),
        (NUMBER, "1e" + "9" * 30),
        (NUMBER, False),
        (TIME, {"at": 1}),
        (TIME, True),
        (TIME, "yesterday"),
        (TIME, "2024-02-30 10:20:30.123456+00:00"),
        (TIME, 10**400),
    ],
)
def test_a_value_that_cannot_be_read_stays_and_is_told_of(column: Any, value: Any) -> None:
    told: list[tuple[Any, ...]] = []
    record = {"inner": {"value": copy.deepcopy(value)}}
    inner = {"properties": {"value": column}}
    shaper({"properties": {"inner": inner}}, told).shape(record)
    assert record == {"inner": {"value": value}}
    assert [column for column, *_ in told] == ["inner.value"]


@pytest.mark.parametrize("value", [None, 1, "x", Decimal("1.5"), {"a": 1}, [1], True])
@pytest.mark.parametrize(
    "column", [{}, {"type": ["object", "array", "string", "number", "boolean", "null"]}], ids=str
)
def test_a_column_of_any_type_takes_any_value(column: Any, value: Any) -> None:
    told: list[tuple[Any, ...]] = []
    record = {"value": copy.deepcopy(value)}
    shaper({"properties": {"value": column}}, told).shape(record)
    assert record == {"value": value}
    assert not told


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.from_regex(r"-?\d{1,3}(\.\d)?", fullmatch=True)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
)
COLUMNS = {"text": TEXT, "whole": WHOLE, "number": NUMBER, "flag": FLAG}
rows = st.lists(
    st.fixed_dictionaries({}, optional={**dict.fromkeys(COLUMNS, values), "more": values}),
    max_size=12,
)


@given(rows)
def test_a_shape_that_is_known_is_treated_as_one_that_is_new(records: list[Any]) -> None:
    schema = {"properties": COLUMNS}
    apart = [shaped(schema, copy.deepcopy(record)) for record in records]
    one = shaper(schema, [])
    for record in records:
        one.shape(record)
    assert encode(records) == encode(apart)


@given(values)
def test_what_is_told_of_has_another_type_and_all_else_has_the_columns(value: Any) -> None:
    allowed: dict[str, tuple[type, ...]] = {
        "text": (str,),
        "whole": (int,),
        "number": (int, Decimal),
    }
    told: list[tuple[Any, ...]] = []
    record = dict.fromkeys(allowed, copy.deepcopy(value))
    shaper({"properties": COLUMNS}, told).shape(record)
    for name, types in allowed.items():
        if name in {column for column, *_ in told}:
            assert record[name] == value
        else:
            assert record[name] is None or type(record[name]) in types
    assert encode(shaped({"properties": COLUMNS}, {"flag": value})["flag"]) == encode(
        to_boolean(value)
    )


def test_more_shapes_than_are_remembered_are_treated_alike() -> None:
    one = shaper({"properties": {"id": WHOLE}}, [])
    for number in range(_REMEMBERED_NAMES):
        record = {"id": "7", f"more{number}": 1, "password": "x"}
        one.shape(record)
        assert record == {"id": 7, f"more{number}": 1}


# Timestamps and secrets


def test_nested_timestamps_are_declared_by_the_schema() -> None:
    schema = {
        "properties": {
            "at": TIME,
            "inside": {"properties": {"at": TIME, "name": {}}},
            "many": {"items": {"properties": {"at": TIME}}},
        }
    }
    record = {
        "at": 1,
        "inside": {"at": 1, "name": 1},
        "many": [{"at": 1}, None, 7],
        "other": {"at": 1},
    }
    second = "1970-01-01T00:00:01.000000Z"
    assert shaped(schema, record) == {
        "at": second,
        "inside": {"at": second, "name": 1},
        "many": [{"at": second}, None, 7],
        "other": {"at": 1},
    }


def test_declared_names_were_reviewed_and_stay() -> None:
    schema: dict[str, Any] = {"properties": {"token": {"properties": {"secret": {}}}}}
    record = {"token": {"secret": "reviewed", "password": "gone"}, "api_key": "gone"}
    assert shaped(schema, record) == {"token": {"secret": "reviewed"}}


def test_an_object_in_a_column_of_text_is_searched_for_secrets() -> None:
    assert shaped({"properties": {"name": TEXT}}, {"name": {"password": "gone", "a": 1}}) == {
        "name": {"a": 1}
    }


def test_stand_ins_and_fields_left_alone() -> None:
    record = {
        "config": {"password": "theirs"},
        "job": 1,
        "deep": [{"outputs": {"sig": 1, "x": "gone"}}],
    }
    shaped(
        {"properties": {}},
        record,
        replace=lambda value: "[hidden]" if "sig" in value else None,
        untouched={"config"},
        dropped={"job"},
    )
    assert json.dumps(record) == (
        '{"config": {"password": "theirs"}, "deep": [{"outputs": "[hidden]"}]}'
    )
