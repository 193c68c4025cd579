"""Any value that JSON has is in one column, exactly; columns keep their types from run to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.output import encode
from tap_cloudapis.dlt import cloudapis
from tap_cloudapis.dlt.tables import Tables
from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.dbt.scripted import Dbt, run
from tests.dlt_source.support import DATASET, Warehouse
from tests.loader.comparing import check_stored, decoded
from tests.loader.support import load
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

PROPERTIES = {
    "id": {"type": "integer"},
    "text": {"type": ["string", "null"]},
    "count": {"type": ["integer", "null"]},
    "share": {"type": ["number", "null"]},
    "flag": {"type": ["boolean", "null"]},
    "at": {"type": ["string", "null"], "format": "date-time"},
    "day": {"type": ["string", "null"], "format": "date"},
    "things": {"type": ["array", "null"]},
    "any": {"type": ["object", "array", "string", "number", "boolean", "null"]},
}
MOMENTS = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | MOMENTS
    | st.dates().map(str)
    | st.sampled_from(["0000-01-01T00:00:00Z", "2026-01-01T00:00:00.1234567Z", "2026-02-30"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
NAMES = st.sampled_from([name for name in PROPERTIES if name != "id"])
RECORDS = st.lists(st.dictionaries(NAMES | st.sampled_from(["new", "other"]), VALUES), max_size=6)


def tables_of(known: dict[str, str] | None = None) -> Tables:
    return Tables({"properties": PROPERTIES}, ("id",), known or {}, str, "1")


def rows_of(tables: Tables, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells of records as the tap emits them: numbers with a point are decimals."""
    emitted = [
        {
            name: encode(value) if isinstance(value, (dict, list)) else value
            for name, value in decoded(encode({"id": number, **record}).decode()).items()
        }
        for number, record in enumerate(records)
    ]
    rows: list[dict[str, Any]] = tables.table(emitted).to_pylist()
    return rows


@given(RECORDS, RECORDS)
def test_every_value_is_in_one_column_exactly(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    tables = tables_of()
    for records in (first, second):
        rows = rows_of(tables, records)
        for record, row in zip(records, rows, strict=True):
            check_stored(decoded(encode(record).decode()), row)


@given(RECORDS, st.sampled_from(["text", "json", "bigint", "double", "bool", "timestamp"]))
def test_a_column_that_is_there_keeps_its_type(records: list[dict[str, Any]], kind: str) -> None:
    tables = tables_of(known={"new": kind, "count": kind})
    for record, row in zip(records, rows_of(tables, records), strict=True):
        check_stored(decoded(encode(record).decode()), row)
    types = {hint["name"]: hint["data_type"] for hint in tables.hints}
    assert types["count"] == kind
    assert types.get("new", kind) == kind


def test_rows_are_told_apart_and_ordered_by_their_ids() -> None:
    tables = tables_of()
    ids = [row["_dlt_id"] for _ in range(3) for row in rows_of(tables, [{}, {}])]
    assert ids == sorted(set(ids))
    assert len(ids) == 6
    assert not set(ids) & {row["_dlt_id"] for row in rows_of(tables_of(), [{}, {}])}


@pytest.mark.usefixtures("impatient")
def test_what_the_api_adds_and_changes_is_loaded_as_the_loader_does(tmp_path: Path) -> None:
    """Fields that no schema has come and change their type, in a run and from run to run.

    The loader would widen columns, which dlt does not, unless it is told not to.
    """
    first = [run(1), run(2, brandNew=7), run(3, brandNew="a", nested={"a": [1]}, id_2=1)]
    service = Dbt(first)
    ours, theirs = Warehouse(tmp_path), Warehouse(tmp_path, "theirs")
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"brandNew": {"b": 1}, "priority": "high"},
        {"brandNew": 2.5},
    )
    state = None
    for change in changes:
        service.runs.append(run(len(service.runs) + 1, **change))
        with ScriptedServer(service) as server:
            config = {"dbt_token": FAKE, "dbt_url": server.url}
            ours.pipeline().run(cloudapis(**config).with_resources("dbt_runs"))
            outcome = sync(config, state=state, select=["dbt_runs"])
        state = outcome.state
        load(
            theirs.path,
            [line.decode() for line in outcome.lines],
            default_target_schema=DATASET,
            pipeline_name="theirs",
            on_type_change="variant",
        )
    columns = ours.columns()
    assert columns == theirs.columns()
    new = {"brand_new", "brand_new__v_text", "brand_new__v_json", "brand_new__v_double", "nested"}
    assert {*new, "priority"} <= {name for _, name in columns}
    # Of new properties, the loader has the first value of each run tell the type.
    own = {"_dlt_id", "_dlt_load_id", *(name for name in new if name.startswith("brand_new"))}
    # Each server has its own port.
    names = ", ".join(sorted(name for _, name in columns if name not in {*own, "dbt_host"}))
    rows = f"SELECT {names} FROM {{raw}}.dbt_runs ORDER BY id"  # noqa: S608
    assert ours.query(rows) == theirs.query(rows)
    values = "brand_new, brand_new__v_text, brand_new__v_json::VARCHAR, brand_new__v_double"
    assert ours.query(f"SELECT id, {values} FROM {{raw}}.dbt_runs ORDER BY id") == [  # noqa: S608
        (1, None, None, None, None),
        (2, 7, None, None, None),
        (3, None, "a", None, None),
        (4, None, None, None, None),
        (5, None, None, '{"b":1}', None),
        (6, None, None, None, 2.5),
    ]
    assert ours.count("dbt_runs") == len(service.runs)


@pytest.mark.usefixtures("impatient")
def test_of_a_row_that_comes_twice_the_last_one_stays(tmp_path: Path) -> None:
    """A run that is read while it is open, and again among those that ended."""
    service = Dbt([run(number, hours=30) for number in range(1, 40)])
    ours = Warehouse(tmp_path)
    with ScriptedServer(service) as server:
        for status in (10, 20):
            for row in service.runs:
                row.update(status=status)
            source = cloudapis(dbt_token=FAKE, dbt_url=server.url, lookback_hours=1000)
            ours.pipeline().run(source.with_resources("dbt_runs"))
    assert ours.query("SELECT DISTINCT status FROM {raw}.dbt_runs") == [(20,)]
    assert ours.count("dbt_runs") == 39
