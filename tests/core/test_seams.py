"""The tap's own path of a record against the SDK's: the same lines, for any record."""

from __future__ import annotations

import copy
import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.helpers._typing import conform_record_data_types
from singer_sdk.singerlib.json import serialize_json

from tap_cloudapis.core.exchange import decode_body
from tap_cloudapis.core.output import encode
from tap_cloudapis.core.projection import compile_projection
from tap_cloudapis.core.stream import CloudStream
from tests.core.syncing import NAMES, Outcome, catalog_of, settings, sync

if TYPE_CHECKING:
    from tap_cloudapis.tap import TapCloudAPIs
    from tests.simulator_process import Simulator

SELECTIONS: dict[str, Any] = {
    "all": None,
    "columns": catalog_of(
        NAMES,
        dbt_runs=["trigger", "duration", "git_branch"],
        dbt_jobs=["name", "schedule"],
        pulumi_stack_updates=["config", "message"],
        pulumi_organization_members=["fga_role"],
    ),
    "nested": catalog_of(
        NAMES,
        dbt_runs=["trigger.cause", "trigger.id"],
        dbt_jobs=["settings.threads", "triggers"],
        pulumi_stack_updates=["requested_by.email", "github_commit_info.author"],
    ),
}


def calm(tap: TapCloudAPIs) -> None:
    """Have no STATE be due because of the time that has passed."""
    tap.state_writer.is_due = lambda: False  # type: ignore[method-assign]


def slow(tap: TapCloudAPIs) -> None:
    """Send every record through the SDK's own path."""
    calm(tap)
    for stream in tap.streams.values():
        assert "_fast" not in vars(stream)
        stream._fast = False  # type: ignore[attr-defined]


def lines(outcome: Outcome) -> list[bytes]:
    """The lines without the times at which they were extracted."""
    return [line.split(b',"time_extracted":')[0] for line in outcome.lines]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_all_streams_byte_for_byte(selection: str, still: Simulator) -> None:
    catalog = SELECTIONS[selection]
    quick = sync(settings(still), catalog=copy.deepcopy(catalog), prepare=calm)
    stock = sync(settings(still), catalog=copy.deepcopy(catalog), prepare=slow)
    assert quick.code == stock.code == 0
    assert len(quick.lines) > 500
    assert lines(quick) == lines(stock)


def test_the_identity_map_takes_the_path_of_the_sdk(still: Simulator) -> None:
    maps = {"dbt_runs": {"id": "id", "status": "status"}}
    mapped = sync(settings(still, "dbt", stream_maps=maps), select=["dbt_runs"])
    quick = sync(settings(still, "dbt"), select=["dbt_runs"])
    assert [
        {name: record[name] for name in mapped_record}
        for record, mapped_record in zip(
            quick.records("dbt_runs"), mapped.records("dbt_runs"), strict=True
        )
    ] == mapped.records("dbt_runs")


def test_deselected_columns_are_gone(still: Simulator) -> None:
    outcome = sync(settings(still), catalog=copy.deepcopy(SELECTIONS["nested"]))
    runs = outcome.records("dbt_runs")
    triggers = [run["trigger"] for run in runs if run["trigger"]]
    assert triggers
    assert not any({"cause", "id"} & trigger.keys() for trigger in triggers)
    assert all("cause_category" in trigger for trigger in triggers)
    assert "cause" not in outcome.schemas["dbt_runs"]["properties"]["trigger"]["properties"]


# Wild records

SCALARS: list[dict[str, Any]] = [
    {"type": ["boolean", "null"]},
    {"type": "boolean"},
    {"type": ["integer", "null"]},
    {"type": ["number", "null"]},
    {"type": ["string", "null"]},
    {"type": ["string", "null"], "format": "date-time"},
]
types = st.sampled_from([*SCALARS, {"type": ["object", "null"], "additionalProperties": True}])
names = st.sampled_from("abcdef")


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda properties, extra: {
            "type": ["object", "null"],
            "properties": properties,
            **({} if extra is None else {"additionalProperties": extra}),
        },
        st.dictionaries(names, inner, min_size=1, max_size=4),
        st.sampled_from([True, True, False, None]),
    )


properties = st.recursive(
    types,
    lambda inner: (
        objects(inner)
        | st.builds(
            lambda items: {"type": ["array", "null"], "items": items},
            # On objects without properties in a list, the SDK fails.
            inner.filter(lambda items: "properties" in items or "object" not in items["type"]),
        )
    ),
    max_leaves=8,
)
schemas = st.builds(
    lambda declared: {
        "type": "object",
        "properties": {"id": {"type": "integer"}, **declared},
        "additionalProperties": True,
    },
    st.dictionaries(names, properties, min_size=2, max_size=5),
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4)
    | st.text(max_size=6)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=10,
)


def records(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have, of a schema's properties, some, and few others."""
    declared = {name: fitting(each) for name, each in schema["properties"].items()}
    return st.builds(
        lambda more, known: {**more, **known},
        st.dictionaries(names, values, max_size=2),
        st.fixed_dictionaries({}, optional=declared),
    )


def fitting(definition: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that have the shape that is declared, or any."""
    if "properties" in definition:
        return records(definition) | values
    if "items" in definition:
        return st.lists(fitting(definition["items"]), max_size=3) | values
    return leaves | values


def paths(schema: dict[str, Any], crumb: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The breadcrumbs of the objects' properties: where a selection can be made."""
    found = []
    for name, definition in schema.get("properties", {}).items():
        here = (*crumb, "properties", name)
        found += [here, *paths(definition, here)]
    return found


@hypothesis_settings(max_examples=120, deadline=None)
@given(schemas, st.data())
def test_projection_of_any_record_is_the_sdks(schema: dict[str, Any], data: st.DataObject) -> None:
    crumbs = [crumb for crumb in paths(schema) if crumb != ("properties", "id")]
    unwanted = data.draw(st.sets(st.sampled_from(crumbs), max_size=3) if crumbs else st.just(set()))
    mask = Mask({(): True, **{crumb: crumb not in unwanted for crumb in paths(schema)}})
    record = {**data.draw(records(schema)), "id": 1}
    # The SDK makes True of a list in a boolean column; the tap leaves it as it came.
    assume(not container_for_boolean(schema, record))
    check_projection(schema, mask, record)


@pytest.mark.parametrize(
    "value", [None, True, 0, 1, -7, 2**70, Decimal("0.0"), Decimal("1.50"), "", "0", "false", "x"]
)
def test_projection_of_a_value_in_each_type_of_column_is_the_sdks(value: Any) -> None:
    columns = {f"c{number}": definition for number, definition in enumerate(SCALARS)}
    nested = {"type": ["object", "null"], "properties": columns}
    schema = {
        "properties": {
            **columns,
            "object": nested,
            "list": {"type": ["array", "null"], "items": nested},
            **{
                f"list_{name}": {"type": ["array", "null"], "items": each}
                for name, each in columns.items()
            },
        }
    }
    row = dict.fromkeys(columns, value)
    lists = {f"list_{name}": [value, value] for name in columns}
    check_projection(schema, Mask({(): True}), {**row, **lists, "object": row, "list": [row, row]})


def check_projection(schema: dict[str, Any], mask: Mask, record: dict[str, Any]) -> None:
    """Hold a projected record to what the SDK makes of it."""
    expected = copy.deepcopy(record)
    pop_deselected_record_properties(expected, schema, mask)  # type: ignore[arg-type]
    expected = conform_record_data_types(
        stream_name="wild",
        record=expected,
        schema=schema,
        level=CloudStream.TYPE_CONFORMANCE_LEVEL,
        logger=logging.getLogger("quiet"),
    )
    found = copy.deepcopy(record)
    project = compile_projection(schema, mask)  # type: ignore[arg-type]
    if project is not None:
        project(found)
    # As text: to Python, 1 and 0.0 equal True and False.
    assert encode(found) == encode(expected)


def container_for_boolean(schema: dict[str, Any], value: Any) -> bool:
    if isinstance(value, (dict, list)) and "boolean" in schema.get("type", ""):
        return True
    if isinstance(value, dict):
        declared = schema.get("properties", {})
        return any(container_for_boolean(declared.get(k, {}), v) for k, v in value.items())
    items = schema.get("items", {})
    return isinstance(value, list) and any(container_for_boolean(items, v) for v in value)


class Mask(dict[tuple[str, ...], bool]):
    """A selection mask: what it does not name is selected with its parent."""

    def __missing__(self, crumb: tuple[str, ...]) -> bool:
        return self[crumb[:-2]] if len(crumb) >= 2 else True


@given(values)
def test_encoding_loses_nothing(value: Any) -> None:
    assert json.loads(encode(value), parse_float=Decimal) == json.loads(
        serialize_json(value), parse_float=Decimal
    )


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[0.1]", [Decimal("0.1")]),
        (b"[123456789012345678901234567890]", [123456789012345678901234567890]),
        (b"[1.000000000000000000000000001]", [Decimal("1.000000000000000000000000001")]),
        (b"[NaN, Infinity, -Infinity]", [None, None, None]),
        (b'["\\ud800"]', ["\ud800"]),
        ('{"größe": "\u2028"}'.encode(), {"größe": "\u2028"}),
    ],
)
def test_bodies_are_decoded_losslessly(body: bytes, value: Any) -> None:
    assert decode_body(body) == value
    assert json.loads(encode(decode_body(body)), parse_float=Decimal) == value


@pytest.mark.parametrize("body", [b"", b'{"data": [{"id": 1', b"<html>", b"\xff", b"{} {}"])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its class is
        decode_body(body)
