"""Messages as other taps write them: every style loads, and is read back cell by cell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.loader.comparing import check_loaded
from tests.loader.support import INTEGER, STRING, load, query, record, schema, state, typed


def message(kind: str, **parts: Any) -> str:
    return json.dumps({"type": kind, **parts})


ROWS = [{"id": 1, "name": "a", "amount": 1.5}, {"id": 2, "name": None, "amount": None}]
PROPERTIES = {"id": INTEGER, "name": STRING, "amount": typed("number")}


def rows(stream: str, **parts: Any) -> list[str]:
    return [message("RECORD", stream=stream, record=row, **parts) for row in ROWS]


def described(properties: dict[str, Any] = PROPERTIES, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


STYLES: dict[str, list[str]] = {
    "state first": [
        state({"bookmarks": {}}),
        message("SCHEMA", stream="t", schema=described(), key_properties=["id"]),
        *rows("t"),
    ],
    "time of extraction, bookmarks, nulls": [
        message(
            "SCHEMA",
            stream="t",
            schema=described(),
            key_properties=["id"],
            bookmark_properties=["amount"],
        ),
        *rows("t", time_extracted="2026-01-02T03:04:05.000000Z", version=None),
        message("STATE", value={"currently_syncing": None}),
    ],
    "no keys at all": [message("SCHEMA", stream="t", schema=described()), *rows("t")],
    "keys null": [message("SCHEMA", stream="t", schema=described(), key_properties=None)],
    "type last": [
        json.dumps(
            {"stream": "t", "schema": described(), "key_properties": ["id"], "type": "SCHEMA"}
        ),
        *[json.dumps({"stream": "t", "record": row, "type": "RECORD"}) for row in ROWS],
    ],
    "version before the first record": [
        message("SCHEMA", stream="t", schema=described(), key_properties=["id"]),
        message("ACTIVATE_VERSION", stream="t", version=1767322800000),
        *rows("t", version=1767322800000),
        message("ACTIVATE_VERSION", stream="t", version=1767322800000),
    ],
    "a catalog's words, draft 4": [
        message(
            "SCHEMA",
            stream="t",
            schema={
                "$schema": "http://json-schema.org/draft-04/schema#",
                "selected": True,
                "type": ["null", "object"],
                "properties": {
                    "id": {
                        "type": "integer",
                        "minimum": 0,
                        "exclusiveMinimum": True,
                        "maximum": None,
                        "selected": True,
                        "inclusion": "automatic",
                    },
                    "name": {"type": ["string", "null"], "maxLength": 10, "sql-datatype": "text"},
                    "amount": {"type": ["number", "null"], "multipleOf": 1e-9, "maximum": 1e38},
                },
            },
            key_properties=["id"],
        ),
        *rows("t"),
    ],
    "empty properties": [
        message("SCHEMA", stream="t", schema=described({}), key_properties=[]),
        *rows("t"),
    ],
    "pattern properties": [
        message("SCHEMA", stream="t", schema={"type": "object", "patternProperties": {".+": {}}}),
        *rows("t"),
    ],
    "any properties": [
        message("SCHEMA", stream="t", schema={"type": "object", "additionalProperties": True}),
        *rows("t"),
    ],
    "properties that say nothing": [
        message(
            "SCHEMA",
            stream="t",
            schema=described({"id": INTEGER, "name": {}, "amount": {"type": []}}),
            key_properties=["id"],
        ),
        *rows("t"),
    ],
    "every type at once": [
        message(
            "SCHEMA",
            stream="t",
            schema=described(
                {"id": INTEGER, "v": typed("integer", "number", "string", "boolean", "array")}
            ),
            key_properties=["id"],
        ),
        *[record("t", id=n, v=v) for n, v in enumerate([1, 1.5, "x", True, [None], None])],
    ],
    "names with capitals, dots, umlauts": [
        schema("My Orders", {"Order ID": INTEGER, "größe.cm": STRING, "🦆": STRING}, ["Order ID"]),
        record("My Orders", **{"Order ID": 1, "größe.cm": "x", "🦆": "quack"}),
    ],
    "names that need escapes": [
        schema("t", {"id": INTEGER, 'a "quoted" name': STRING, "a\\b": STRING, "c\td": STRING}),
        record("t", **{"id": 1, 'a "quoted" name': "x", "a\\b": "y", "c\td": "z"}),
        record("t", **{"id": 2, 'another "one"': "x"}),
    ],
    "long names": [
        schema("s" * 300, {"id": INTEGER, "n" * 300: STRING, "n" * 299: STRING}, ["id"]),
        record("s" * 300, **{"id": 1, "n" * 300: "x", "n" * 299: "y"}),
    ],
    "names that mean something to a database": [
        schema("select", {"id": INTEGER, "group": STRING, "rowid": INTEGER, "t": INTEGER}, ["id"]),
        *[record("select", id=n % 2, group="x", rowid=7, t=n) for n in range(4)],
        schema("information_schema", {"b": INTEGER}, ["b"]),
        *[record("information_schema", b=n % 2) for n in range(4)],
        schema("_batch", {"id": INTEGER, "_order": INTEGER}, ["id"]),
        *[record("_batch", id=n % 2, _order=-n) for n in range(4)],
    ],
    "names with prefixes": [
        line
        for name in ("public-orders", "public.orders_v2", "db/orders/v3", "x; DROP TABLE y; --")
        for line in (schema(name, PROPERTIES, ["id"]), *rows(name))
    ],
    "a name twice": [
        schema("t", {"id": INTEGER, "v": typed("number")}, ["id"]),
        '{"type":"RECORD","stream":"t","record":{"id":1,"id":2,"v":1.5,"v":null}}',
        '{"type":"RECORD","stream":"t","record":{"id":"x","id":3,"v":"y","v":2.5}}',
    ],
    "windows": ["", *[f"  {line}  \r" for line in (schema("t", PROPERTIES, ["id"]), *rows("t"))]],
}


@pytest.mark.parametrize("style", sorted(STYLES))
def test_a_style_is_read_back_cell_by_cell(tmp_path, style):
    path = tmp_path / "db.duckdb"
    load(path, STYLES[style])
    assert check_loaded(path, STYLES[style]) > 0 or style == "keys null"
    again = [*STYLES[style], *STYLES[style]]
    load(path, STYLES[style])
    check_loaded(path, again)


def test_names_that_are_those_of_dlt_get_others(tmp_path):
    path = tmp_path / "db.duckdb"
    for _ in range(2):
        load(
            path,
            [
                schema("_dlt_loads", {"load_id": STRING, "_dlt_id": STRING}, ["load_id"]),
                record("_dlt_loads", load_id="1", _dlt_id="x"),
            ],
        )
    assert query(path, "SELECT load_id, _dlt_id_2 FROM singer_dlt_loads") == [("1", "x")]
    assert query(path, "SELECT count(*) FROM _dlt_loads") == [(2,)]


def test_a_version_of_no_records_marks_all_with_the_time(tmp_path):
    begun = datetime.now(UTC)
    path = tmp_path / "db.duckdb"
    lines = [
        schema("t", PROPERTIES, ["id"]),
        message("RECORD", stream="t", record=ROWS[0], version=1),
        message("ACTIVATE_VERSION", stream="t", version=1),
    ]
    load(path, lines)
    load(path, [lines[0], message("ACTIVATE_VERSION", stream="t", version=2)])
    ((deleted,),) = query(path, "SELECT _sdc_deleted_at FROM t")
    assert begun <= deleted <= datetime.now(UTC)
