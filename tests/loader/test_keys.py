"""The type of a key: what the first schema or value says of it, and wide enough for all values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_dlt.errors import BadRecordError, LoaderError
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    DECIMAL,
    ENGINES,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    TIME,
    column_types,
    load,
    load_dlt,
    query,
    raw_record,
    record,
    schema,
    state,
    typed,
)
from tests.loader.warehouses import Delta, Postgres

if TYPE_CHECKING:
    from pathlib import Path

U64 = 2**64 - 1
BOTH = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db.duckdb"


def keyed(kind: dict[str, Any], text: str, value: int) -> list[str]:
    return [
        schema("t", {"k": kind, "v": INTEGER}, ["k"]),
        raw_record("t", f'{{"k": {text}, "v": {value}}}'),
    ]


@pytest.mark.parametrize(
    ("kind", "plain", "beyond", "becomes"),
    [
        (INTEGER, "1", str(U64), "DECIMAL(38,0)"),
        (INTEGER, "1", "1e19", "DECIMAL(38,0)"),
        (INTEGER, "1", "1" + "0" * 40, "VARCHAR"),
        (typed("integer", maximum=2**70), "1", "1" + "0" * 40, "VARCHAR"),
        (NUMBER, "1.5", str(2**53 + 1), "VARCHAR"),
        (NUMBER, "1.5", "1.00000000000000000000001", "VARCHAR"),
        (DECIMAL, '"1.5"', '"1.00000000000000000000001"', "VARCHAR"),
        (MOMENT, '"2026-01-02T03:04:05Z"', '"2026-01-02T03:04:05.123456789Z"', "VARCHAR"),
        (TIME, '"03:04:05.123456"', '"03:04:05.1234567"', "VARCHAR"),
    ],
)
def test_a_key_beyond_its_type_makes_the_column_wider(path, kind, plain, beyond, becomes):
    """In a new table, in one that has rows, and the rows are replaced in either case."""
    for turn, texts in enumerate([(plain,), (plain, beyond), (beyond, plain)], start=1):
        messages = [line for text in texts for line in keyed(kind, text, turn)]
        load(path, messages, engine="package" if turn == 2 else "duckdb")
        assert query(path, "SELECT v FROM t") == [(turn,)] * (1 if turn == 1 else 2)
    assert column_types(path, "t")["k"] == becomes
    fresh = path.with_name("fresh.duckdb")
    for turn, engine in enumerate(["package", "duckdb"]):
        load(fresh, [*keyed(kind, beyond, turn), *keyed(kind, plain, turn)], engine=engine)
        assert query(fresh, "SELECT v FROM t") == [(turn,)] * 2
    assert column_types(fresh, "t") == column_types(path, "t")


def test_a_moment_finer_than_a_microsecond_is_one_key_in_all_spellings(path):
    moments = ["2026-01-02T03:04:05.1234567Z", "2026-01-02 04:04:05.123456700+01:00"]
    load(path, [line for text in moments for line in keyed(MOMENT, f'"{text}"', 1)])
    assert query(path, "SELECT k FROM t") == [("2026-01-02T03:04:05.1234567Z",)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (INTEGER, "1.5"),
        (INTEGER, '"1"'),
        (INTEGER, "1e999999999"),
        (INTEGER, "true"),
        (NUMBER, '"1"'),
        (DECIMAL, '"x"'),
        (DECIMAL, '"NaN"'),
        (MOMENT, '"2026-13-02T03:04:05.123456789Z"'),
        (MOMENT, "1"),
        (TIME, '"25:04:05.1234567"'),
    ],
)
def test_a_key_of_another_type_is_refused(path, kind, text):
    with pytest.raises(BadRecordError, match="line 2: stream 't': a value of the key 'k' is not"):
        load(path, keyed(kind, text, 1))


def test_a_key_that_may_not_change_is_told_of(path):
    load(path, keyed(INTEGER, "1", 1))
    with pytest.raises(LoaderError, match="stream 't': key 'k' is now wei, but its column is"):
        load(path, keyed(INTEGER, str(U64), 2), on_type_change="variant")
    assert query(path, "SELECT k, v FROM t") == [(1, 1)]


EMPTY = [schema("t", {"v": INTEGER}, ["k"]), state(0)]


@BOTH
@pytest.mark.parametrize(
    "config",
    [{}, {"data_flattening_max_level": 1}, {"stream_maps": {"t": {"w": "v"}}}],
    ids=["plain", "flat", "mapped"],
)
def test_a_run_without_rows_does_not_say_of_which_type_a_key_is(path, engine, config):
    load(path, EMPTY, engine=engine, **config)
    assert "k" not in column_types(path, "t")
    for turn in (1, 2):
        load(path, [*keyed(INTEGER, "9", turn), *keyed(INTEGER, "10", turn)], engine=engine)
    assert query(path, "SELECT k, v FROM t ORDER BY k") == [(9, 2), (10, 2)]
    load(path, EMPTY, engine=engine, **config)
    assert query(path, "SELECT k, v FROM t ORDER BY k") == [(9, 2), (10, 2)]


@BOTH
@pytest.mark.parametrize("config", [{}, {"additionalProperties": False}])
def test_values_say_of_which_type_a_key_is_that_no_schema_describes(path, engine, config):
    stream = schema("t", {"v": INTEGER}, ["k"], **config)
    load(path, [stream, record("t", k=1, v=1), record("t", k=2, v=1)], engine=engine)
    assert column_types(path, "t")["k"] == "BIGINT"
    load(path, [stream, record("t", k=2, v=2), record("t", k="x", v=2)], engine=engine)
    load(path, [stream, record("t", k="x", v=3), record("t", k=1, v=3)], engine=engine)
    load(path, [stream, record("t", k=True, v=3), record("t", k=U64, v=4)], engine=engine)
    assert query(path, "SELECT k, v FROM t ORDER BY k") == [
        ("1", 3),
        (str(U64), 4),
        ("2", 2),
        ("true", 3),
        ("x", 3),
    ]


def test_a_record_without_a_key_that_no_schema_describes_is_refused(path):
    for values in ({}, {"k": None}):
        with pytest.raises(
            BadRecordError, match=r"line 2: stream 't': .* no value for its key 'k'"
        ):
            load(path, [schema("t", {"v": INTEGER}, ["k"]), record("t", v=1, **values)])
    load(
        path,
        [schema("t", {"v": INTEGER}, ["k"]), record("t", v=1), record("t", k=1, v=2)],
        on_bad_record="quarantine",
    )
    assert query(path, "SELECT k, v FROM t") == [(1, 2)]


def test_nested_tables_follow_a_key_that_no_schema_describes(path):
    stream = schema("t", {"items": typed("array")}, ["k"])
    load(path, [stream], nesting="tables")
    for number in (1, 2):
        load(path, [stream, record("t", k=1, items=[number])], nesting="tables")
    assert query(path, "SELECT value FROM t__items") == [(2,)]


MAPS = {"stream_maps": {"a": {"__alias__": "all"}, "b": {"__alias__": "all"}}}


def test_the_schemas_of_streams_that_become_one_both_hold(path):
    one = schema("a", {"id": INTEGER, "at": MOMENT, "amount": NUMBER, "mixed": INTEGER}, ["id"])
    other = schema("b", {"id": INTEGER, "label": STRING, "mixed": STRING}, ["id"])
    rows = [
        record("a", id=1, at="2026-01-02T03:04:05Z", amount=1, mixed=1),
        record("b", id=2, label="x", mixed="y"),
        record("a", id=3, at="2026-01-02T03:04:06Z", amount=2.5, mixed=2),
    ]
    types = {
        "id": "BIGINT",
        "at": "TIMESTAMP WITH TIME ZONE",
        "amount": "DOUBLE",
        "mixed": "VARCHAR",
        "label": "VARCHAR",
    }
    for number, schemas in enumerate(([one, other], [other, one])):
        file = path.with_name(f"{number}.duckdb")
        load(file, [*schemas, *rows], validate_records=True, **MAPS)
        assert column_types(file, "all") == types
        assert query(file, 'SELECT id, amount, mixed, label FROM "all" ORDER BY id') == [
            (1, 1.0, "1", None),
            (2, None, "y", "x"),
            (3, 2.5, "2", None),
        ]


def test_streams_that_cannot_become_one_are_told_of(path):
    a = schema("a", {"id": INTEGER}, ["id"])
    with pytest.raises(LoaderError, match="streams 'a', 'b' become one, 'all', but have differ"):
        load(path, [a, schema("b", {"id": INTEGER}, [])], **MAPS)
    defined = [
        schema(name, {"id": {"$ref": "#/definitions/id"}}, definitions={"id": kind})
        for name, kind in (("a", INTEGER), ("b", STRING))
    ]
    with pytest.raises(LoaderError, match="streams 'a', 'b' become one, 'all', but define 'id'"):
        load(path, defined, **MAPS)


@needs_postgres
@pytest.mark.parametrize(
    ("kind", "plain", "beyond"),
    [
        (INTEGER, "1", str(U64)),
        (NUMBER, "1.5", str(2**53 + 1)),
        (MOMENT, '"2026-01-02T03:04:05Z"', '"2026-01-02T03:04:05.123456789Z"'),
    ],
)
def test_keys_beyond_their_type_in_postgres(server, kind, plain, beyond):
    warehouse = Postgres.new(server)
    load_dlt(EMPTY, **warehouse.config)
    for turn, texts in enumerate([(plain,), (plain, beyond), (beyond, plain)], start=1):
        messages = [line for text in texts for line in keyed(kind, text, turn)]
        load_dlt(messages, **warehouse.config)
        assert [row["v"] for row in warehouse.rows("t")] == [turn] * len(texts)


def test_keys_beyond_their_type_where_columns_are_never_changed(tmp_path):
    lake = Delta(tmp_path)
    for turn in (1, 2):
        load_dlt([*keyed(INTEGER, "1", turn), *keyed(INTEGER, str(U64), turn)], **lake.config)
        assert [row["v"] for row in lake.rows("t")] == [turn] * 2
    other = Delta(tmp_path / "other")
    load_dlt(keyed(INTEGER, "1", 1), **other.config)
    with pytest.raises(LoaderError, match="stream 't': key 'k' is now wei, but its column is"):
        load_dlt(keyed(INTEGER, str(U64), 2), **other.config)
