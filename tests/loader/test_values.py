"""What comes out of the file is what went in: value by value, through the real process."""

# ruff: noqa: S608 (table names are our own)

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from tests.loader.support import (
    BOOLEAN,
    DATE,
    DECIMAL,
    ENGINES,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    TIME,
    column_types,
    load,
    query,
    raw_record,
    record,
    schema,
    state,
    typed,
)

PROPERTIES = {
    "id": INTEGER,
    "text": STRING,
    "number": NUMBER,
    "flag": BOOLEAN,
    "at": MOMENT,
    "day": DATE,
    "clock": TIME,
    "price": DECIMAL,
    "huge": typed("integer", maximum=10**30),
    "tree": typed("object"),
    "list": typed("array"),
    "any": {},
}


def test_every_type(tmp_path, capsys):
    path = tmp_path / "deep" / "folder" / "types.duckdb"
    full = {
        "id": 2**63 - 1,
        "text": 'quote " newline \n nul \0 emoji 🦆 line\u2028 עברית',
        "number": 0.1,
        "flag": False,
        "at": "2026-03-04T05:06:07.000008-07:30",
        "day": "2026-02-28",
        "clock": "23:59:59.000001",
        "price": "12345678901234567890.123456789",
        "huge": 12345678901234567890123,
        "tree": {"User:ID": 1, "id": 2, "ID": [1.10, None, ""]},
        "list": [],
        "any": "text",
    }
    empty = dict.fromkeys(PROPERTIES) | {"id": 1, "text": ""}
    messages = [schema("t", PROPERTIES, ["id"])]
    messages += [record("t", **full), record("t", **empty), record("t", id=-(2**63))]
    load(path, messages)
    assert capsys.readouterr().out == ""
    assert column_types(path, "t") == {
        "id": "BIGINT",
        "text": "VARCHAR",
        "number": "DOUBLE",
        "flag": "BOOLEAN",
        "at": "TIMESTAMP WITH TIME ZONE",
        "day": "DATE",
        "clock": "TIME",
        "price": "DECIMAL(38,9)",
        "huge": "DECIMAL(38,0)",
        "tree": "JSON",
        "list": "JSON",
        "any": "JSON",
    }
    rows = {row[0]: row[1:-2] for row in query(path, "SELECT * FROM t")}
    assert rows[2**63 - 1] == (
        full["text"],
        0.1,
        False,
        datetime(2026, 3, 4, 12, 36, 7, 8, UTC),
        date(2026, 2, 28),
        time(23, 59, 59, 1),
        Decimal("12345678901234567890.123456789"),
        12345678901234567890123,
        '{"User:ID": 1, "id": 2, "ID": [1.1, null, ""]}',
        "[]",
        '"text"',
    )
    assert rows[1] == ("", *[None] * 10)
    assert rows[-(2**63)] == (None,) * 11


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, 0, UTC)),
        ("2026-01-02 03:04:05.5+00:00", datetime(2026, 1, 2, 3, 4, 5, 500_000, UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, 0, UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, 0, UTC)),
        ("2026-01-02", datetime(2026, 1, 2, 0, 0, 0, 0, UTC)),
        ("2026-01-02T03:04:05.123456000Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, UTC)),
    ],
)
def test_points_in_time(tmp_path, text, moment):
    path = tmp_path / "moments.duckdb"
    load(path, [schema("t", {"at": MOMENT}), record("t", at=text), record("t", at=None)])
    assert query(path, 'SELECT "at" FROM t') == [(moment,), (None,)]


FORMS = ["T03:04:05Z", " 03:04:05.5Z", "T03:04:05.12+0200", "T03:04:05+02"]


def test_points_in_time_beside_one_that_is_none(tmp_path):
    """Each is read for itself then, as keys always are."""
    path = tmp_path / "moments.duckdb"
    rows = [record("t", at=f"2026-01-02{form}", on=f"2026-01-02{form}") for form in FORMS]
    lines = [schema("t", {"at": MOMENT, "on": MOMENT}, ["on"]), *rows]
    load(path, [*lines, record("t", at="yesterday", on="2026-01-02T00:00:00.1Z")])
    found = query(path, 'SELECT "at" FROM t WHERE at__v_text IS NULL ORDER BY ALL')
    assert [at.isoformat()[11:] for (at,) in found] == [
        "01:04:05+00:00",
        "01:04:05.120000+00:00",
        "03:04:05+00:00",
        "03:04:05.500000+00:00",
    ]
    load(path, [lines[0], record("t", on="2026-01-02T03:04:05Z", at="today")])
    assert query(path, "SELECT count(*) FROM t") == [(5,)]


MISFITS = [
    (INTEGER, "1.5", "v_double", 1.5),
    (INTEGER, '"abc"', "v_text", "abc"),
    (INTEGER, "true", "v_bool", True),
    (INTEGER, "9223372036854775808", "v_wei", 9223372036854775808),
    (INTEGER, '{"a": 1}', "v_json", '{"a":1}'),
    (NUMBER, "123456789012345678.5", "v_decimal", Decimal("123456789012345678.5")),
    (NUMBER, "9007199254740993", "v_bigint", 2**53 + 1),
    (NUMBER, "1e400", "v_text", "1E+400"),
    (NUMBER, "1" + "0" * 50 + "1", "v_text", "1" + "0" * 50 + "1"),
    (NUMBER, '"12"', "v_text", "12"),
    (BOOLEAN, "1", "v_bigint", 1),
    (MOMENT, '"yesterday"', "v_text", "yesterday"),
    (MOMENT, '""', "v_text", ""),
    (MOMENT, '"2026-01-02T03:04:05.1234567Z"', "v_text", "2026-01-02T03:04:05.1234567Z"),
    (MOMENT, "1767322800", "v_bigint", 1767322800),
    (DATE, '"2026-01-02T03:04:05Z"', "v_text", "2026-01-02T03:04:05Z"),
    (TIME, '"24:00:36"', "v_text", "24:00:36"),
    (TIME, '"24:00:00"', "v_text", "24:00:00"),
    (MOMENT, '"0000-01-01T00:00:00Z"', "v_text", "0000-01-01T00:00:00Z"),
    (DATE, '"0000-01-01"', "v_text", "0000-01-01"),
    (DECIMAL, '"1.0000000001"', "v_text", "1.0000000001"),
    (DECIMAL, '"1_000"', "v_text", "1_000"),
]


def test_what_a_column_cannot_hold_exactly_goes_to_a_variant(tmp_path):
    path = tmp_path / "misfits.duckdb"
    properties = {f"c{n}": kind for n, (kind, *_) in enumerate(MISFITS)}
    values = ", ".join(f'"c{n}": {text}' for n, (_, text, *_) in enumerate(MISFITS))
    nothing = raw_record("t", '{"id": 2}')
    wild = raw_record("t", f'{{"id": 1, {values}}}')
    load(path, [schema("t", {"id": INTEGER, **properties}, ["id"]), nothing, wild, nothing])
    for n, (_, text, variant, expected) in enumerate(MISFITS):
        rows = query(path, f"SELECT c{n}, c{n}__{variant} FROM t ORDER BY id")
        assert rows == [(None, expected), (None, None)], text
        assert type(rows[0][1]) in {type(expected), Decimal}


def test_exact_values_in_another_spelling_are_taken(tmp_path):
    path = tmp_path / "spelling.duckdb"
    properties = {"i": INTEGER, "n": NUMBER, "s": STRING, "p": typed("number", "null")}
    load(
        path,
        [
            schema("t", properties),
            raw_record("t", '{"i": 1.0, "n": 10, "s": 5, "p": 0.30000000000000004}'),
            raw_record("t", '{"i": 2e3, "n": 1.5e300, "s": {"a": [1.10]}, "p": -0.0}'),
            raw_record("t", '{"i": 3, "n": NaN, "s": true, "p": -Infinity}'),
        ],
    )
    rows = query(path, "SELECT i, n, s, p FROM t")
    assert rows[0] == (1, 10.0, "5", 0.30000000000000004)
    assert rows[1] == (2000, 1.5e300, '{"a":[1.10]}', 0.0)
    assert str(rows[2]) == "(3, nan, 'true', -inf)"
    assert set(column_types(path, "t")) == set(properties)


def test_half_a_surrogate_pair_is_spelled_out(tmp_path):
    path = tmp_path / "surrogates.duckdb"
    load(
        path,
        [
            schema("t", {"s": STRING, "j": typed("object")}),
            raw_record("t", r'{"s": "a\ud83db", "j": {"k\udc00": ["\ud83e", NaN]}}'),
        ],
    )
    assert query(path, "SELECT s, j->>'$.\"k\\udc00\"[0]', j->'$.*[1]' FROM t") == [
        (r"a\ud83db", r"\ud83e", ['"NaN"'])
    ]


def test_unknown_keys_become_columns(tmp_path):
    path = tmp_path / "unknown.duckdb"
    load(
        path,
        [
            schema("t", {"id": INTEGER}, ["id"]),
            schema("closed", {"id": INTEGER}, ["id"], additionalProperties=False),
            record("closed", id=1, more=2),
            record("t", id=1, later=None),
            record("t", id=2, later="x", count=3, share=0.5, ok=True, tags=["a"], Später=1),
            record("t", id=3, count=4.5),
            record("t", id=4, later="y"),
        ],
    )
    assert column_types(path, "closed") == {"id": "BIGINT"}
    types = column_types(path, "t")
    assert {types.pop(name) for name in list(types) if name.startswith("sp")} == {"BIGINT"}
    assert types == {
        "id": "BIGINT",
        "later": "VARCHAR",
        "count": "BIGINT",
        "share": "DOUBLE",
        "ok": "BOOLEAN",
        "tags": "JSON",
        "count__v_double": "DOUBLE",
    }
    assert query(path, "SELECT id, later, count, count__v_double, tags FROM t ORDER BY id") == [
        (1, None, None, None, None),
        (2, "x", 3, None, '["a"]'),
        (3, None, None, 4.5, None),
        (4, "y", None, None, None),
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [{}, {"add_metadata_columns": True}])
def test_exponents_beyond_what_can_be_computed_stay_the_text_that_came(tmp_path, engine, shape):
    path = tmp_path / "db.duckdb"
    large, small = "1E999999999999999999999", "-1.5e-999999999999999999999"
    properties = {"id": INTEGER, "n": NUMBER, "d": DECIMAL, "i": INTEGER}
    described = schema("t", properties)
    rows = [
        raw_record("t", f'{{"id": 1, "n": {large}}}'),
        raw_record("t", f'{{"id": 2, "n": {small}, "d": {large}, "i": {small}, "more": {large}}}'),
    ]
    load(path, [described, *rows, state(1)], engine=engine, default_target_schema="raw", **shape)
    sql = "SELECT id, n, n__v_text, d__v_text, i__v_text, more FROM raw.t ORDER BY id"
    assert query(path, sql) == [
        (1, None, large, None, None, None),
        (2, None, small, large, small, large),
    ]
