"""A cell is what its own value makes of it: whatever stands beside it, and whichever way it takes.

Most lines are decoded in one pass. Something odd in a line, or beside a value in its column, has
them looked at more closely; and records that are reshaped are decoded and encoded again.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from target_dlt.decoding import (
    UnfitError,
    decode_exactly,
    decode_quickly,
    encode_exactly,
    encode_quickly,
)
from target_dlt.messages.schema import parse_schema
from target_dlt.rows.arrays import whole
from target_dlt.rows.arrow import RecordBuffer
from target_dlt.shaping.flattening import FlatteningOptions
from target_dlt.shaping.lanes import Shaping
from tests.loader.support import (
    BOOLEAN,
    DATE,
    DECIMAL,
    ENGINES,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    load,
    query,
    raw_record,
    schema,
    typed,
)

KINDS: dict[str, tuple[dict[str, Any], str]] = {  # each with a value that is read in one pass
    "bigint": (INTEGER, "1"),
    "double": (NUMBER, "1.5"),
    "text": (STRING, '"x"'),
    "bool": (BOOLEAN, "true"),
    "json": (typed("object", "array"), "{}"),
    "timestamp": (MOMENT, '"2026-01-02T03:04:05Z"'),
    "date": (DATE, '"2026-01-02"'),
    "time": (typed("string", format="time"), '"03:04:05"'),
    "decimal": (DECIMAL, '"1.5"'),
    "wei": (typed("integer", maximum=10**30), "1"),
}

_NUMBERS = """
0 -0 0.0 -0.0 1 -1 1.0 1.5 1e2 1E+2 100e-2 0.000000001 1e-9 1.1234567891 123456789012345.6
9007199254740993 9007199254740993.0 9223372036854775807 9223372036854775808 -9223372036854775809
9223372036854775807.0 18446744073709551616 12345678901234567890.123456789 1e28 1e30 5e-324 1e-400
1E400 -1e400 1E999999999999999999999 0e999999999999999999999 NaN Infinity -Infinity
"""
NUMBERS = [*_NUMBERS.split(), "1" * 38, "1" * 39, "1" * 5000]
TEXTS = [
    *("", " ", "null", "NaN", "-0", " 1 ", "1_000", "\uff11", "1e5", "1E400", "true", "\0", "a\0b"),
    *("\ud83d", "\udc00\ud83d", "\U0001f600", "é", "\u2028", "\ufeff", "\\", '"', "/", "\x7f"),
    *("0000-01-01", "0001-01-01", "9999-12-31", "2026-02-30", "2026-1-2", "20260102", "2026-W01-5"),
]
TEXTS += [
    f"{day}{clock}{offset}"
    for day in ("2026-01-02", "0000-01-01")
    for clock in ("T03:04:05", "t03:04", " 03:04:05.123456", "T23:59:60", "T24:00:00", "T00:00:00")
    for offset in ("", "Z", "z", " Z", "+05:30", "-0530", "+24:00")
]
TEXTS += [f"2026-01-02T03:04:05{more}Z" for more in (".1234567", ".123456000", ".123456789", ",5")]
TEXTS += ["03:04", "03:04:05.1234567", "03:04:05Z", "24:00", "T03:04:05", "23:59:60"]
SPELLED = [
    *("true", "false", "null", "{}", "[]", ' {"a" : 1 } ', "[1,\t2]", '"\\/"', '"\\u0031"', '"é"'),
    *(
        '{"a":1,"a":2}',
        '{"b":1,"a":2}',
        '{"\\u0061":1}',
        '["\\u00e9", "é", "\\u0000"]',
        "[-0, 1e5]",
    ),
    *("[1E400, 1E999999999999999999999]", "[NaN]", '{"\\ud83d": ["\\ud83d"]}', '"\\u00e9"'),
    *("[" * 300 + "]" * 300, "[" * 700 + "]" * 700, '{"": {"": null}}', '["null", null]'),
]
VALUES = [
    *NUMBERS,
    *SPELLED,
    *map(json.dumps, TEXTS),
    *(f'"{text}"' for text in TEXTS if text.isprintable() and not set(text) & set('"\\')),
]


def blank() -> st.SearchStrategy[str]:
    return st.sampled_from(["", "", "", " ", "\t ", "\n"])


def escaped(text: str) -> st.SearchStrategy[str]:
    """The ways to write a text in JSON."""
    plain = json.dumps(text, ensure_ascii=False).encode("utf-8", "replace").decode()
    every = "".join(f"\\u{unit:04x}" for unit in _units(text))
    return st.sampled_from([json.dumps(text), f'"{every}"', plain])


def _units(text: str) -> list[int]:
    data = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def listed(items: list[str], gap: str) -> str:
    return f"[{gap}" + f"{gap},{gap}".join(items) + f"{gap}]"


def keyed(items: list[tuple[str, str]], gap: str) -> str:
    return f"{{{gap}" + ",".join(f"{key}{gap}:{gap}{value}" for key, value in items) + f"{gap}}}"


STRINGS = (st.text(st.characters()) | st.sampled_from(TEXTS)).flatmap(escaped)
DIGITS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?", fullmatch=True
)
JSON = st.recursive(
    st.sampled_from(VALUES) | STRINGS | DIGITS,
    lambda inner: (
        st.builds(listed, st.lists(inner, max_size=3), blank())
        | st.builds(keyed, st.lists(st.tuples(STRINGS, inner), max_size=3), blank())
    ),
    max_leaves=6,
)

Cell = tuple[str, bool, str]


def cells(chunks: Any) -> list[list[Cell]]:
    """Where the value `v` of each row is: the type of its column, whether it is a variant's."""
    rows: list[list[Cell]] = []
    for chunk in chunks:
        found: list[list[Cell]] = [[] for _ in range(len(chunk.table))]
        for column, compact in zip(chunk.columns, chunk.table.columns, strict=False):
            if column.name != "v":
                continue
            values = whole(compact)
            plain = values.cast(pa.int64()) if column.type == "timestamp" else values
            for row, value in zip(found, plain.to_pylist(), strict=True):
                if value is not None:
                    row.append((column.type, column.variant, repr(value)))
        rows += found
    return rows


def stream(kind: str) -> Any:
    properties = {"v": KINDS[kind][0], "n": NUMBER, "i": INTEGER, "s": STRING}
    return parse_schema("t", {"type": "object", "properties": properties}, [])


def through(lane: Any, *records: str) -> list[list[Cell]]:
    for record in records:
        lane.add(f'{{"type": "RECORD", "stream": "t", "record": {record}}}'.encode())
    lane.seal()
    return cells(lane.take_chunks())


BESIDE = ('"i": 1.0', '"n": NaN', '"s": "\\ud83d"', '"new": 1', '"\\u0069": 1e0')
NEIGHBOURS = ("NaN", '"no"', '"0000-01-01"')


def check_each_way(kind: str, values: list[str]) -> None:
    """Take values each way, and find the same cells at the end."""
    described = stream(kind)
    alone = [f'{{"v": {value}}}' for value in values]
    expected = [through(RecordBuffer(described), record)[0] for record in alone]
    for value, cell in zip(values, expected, strict=True):
        assert len(cell) == (value.strip() != "null"), value
    records = [*alone, f'{{"v": {KINDS[kind][1]}}}']
    assert through(RecordBuffer(described), *records)[:-1] == expected
    validated = RecordBuffer(described, validate=lambda _: None)
    assert through(validated, *alone) == expected
    for other in NEIGHBOURS:
        records = [*alone, f'{{"v": {other}}}']
        assert through(RecordBuffer(described), *records)[:-1] == expected, other
    twice = [f'{{"v": NaN, "v": {value}}}' for value in values]
    assert through(RecordBuffer(described), *twice) == expected
    reshaped = [through(flattening(described), record)[0] for record in alone]
    for more in BESIDE:
        for records in (
            [f'{{"v": {value}, {more}}}' for value in values],
            [f'{{{more}, "v": {value}}}' for value in values],
        ):
            assert through(RecordBuffer(described), *records) == expected, more
            assert through(flattening(described), *records) == reshaped, more


def flattening(described: Any) -> Any:
    known: Any = None
    return Shaping(FlatteningOptions(0)).lane(described, None, known)


@pytest.mark.parametrize("kind", KINDS)
def test_odd_values_each_way(kind):
    check_each_way(kind, VALUES)


@settings(deadline=None, max_examples=40, phases=[Phase.generate])
@given(st.sampled_from(sorted(KINDS)), st.lists(JSON, min_size=5, max_size=15))
def test_any_value_each_way(kind, values):
    check_each_way(kind, values)


def decimals(value: Any) -> Any:
    """A decoded value without the difference between 5 and 5e0, 0 and -0."""
    if isinstance(value, dict):
        return {key: decimals(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(decimals, value))
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    return (Decimal(value) if value else Decimal(0)) if is_number else value


def check_decoders(text: bytes) -> None:
    exact = decode_exactly(text)
    again = encode_exactly(exact)
    assert repr(decimals(decode_exactly(again))) == repr(decimals(exact))
    try:
        quick = decode_quickly(text)
    except UnfitError:
        return
    assert repr(quick) == repr(exact)
    assert encode_quickly(quick) == again


def test_odd_values_are_decoded_alike():
    for value in VALUES:
        check_decoders(value.encode())


@settings(deadline=None, max_examples=300)
@given(JSON)
def test_any_value_is_decoded_alike(value):
    check_decoders(value.encode())


@given(
    st.binary(max_size=8) | st.text('{}[]",:\\/u0e1.-+ntf \ufeff\x01é', max_size=8).map(str.encode)
)
def test_what_is_taken_quickly_is_json(text):
    try:
        quick = decode_quickly(text)
    except UnfitError:
        return
    assert repr(decode_exactly(text)) == repr(quick)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_key_has_one_row_whatever_stands_beside_it(tmp_path, engine):
    """Keys of JSON are compared by their value."""
    path = tmp_path / "db.duckdb"
    rows = ['"n": 1', '"n": NaN', '"n": "x"', '"n": 4, "more": "\\ud83d"']
    records = [raw_record("t", f'{{"id": {{"a": 1e2}}, {row}}}') for row in rows]
    described = schema("t", {"id": typed("object"), "n": NUMBER}, ["id"])
    load(path, [described, *records], engine=engine, default_target_schema="raw")
    assert query(path, "SELECT id, n, more FROM raw.t") == [('{"a":100}', 4.0, "\\ud83d")]


@pytest.mark.parametrize(
    "order", ['"type":"RECORD","stream":"t",', '"stream":"t","type":"RECORD",']
)
def test_the_parts_of_a_record_may_come_in_any_order(tmp_path, order):
    path = tmp_path / "db.duckdb"
    line = f'{{{order}"schema":1,"version":3.0,"record":{{"id":1}}}}'
    load(path, [schema("t", {"id": INTEGER}, ["id"]), line])
    assert query(path, "SELECT id, _sdc_table_version FROM t") == [(1, 3)]
