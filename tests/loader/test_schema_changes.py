"""Schemas that change, in mid-stream and between runs; keys; names."""

# ruff: noqa: S608 (table names are our own)

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from target_dlt.errors import LoaderError
from tests.loader.support import (
    BOOLEAN,
    DATE,
    DECIMAL,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    column_types,
    dlt_attach,
    dlt_pipeline,
    load,
    query,
    record,
    schema,
    typed,
)

ID = {"id": INTEGER}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "db.duckdb"


def test_the_last_row_of_a_key_wins_within_a_batch_and_over_runs(path):
    keys = ["id", "part"]
    message = schema("t", {"id": INTEGER, "part": STRING, "v": INTEGER}, keys)
    first = [record("t", id=n % 10, part="a", v=n) for n in range(100)]
    load(path, [message, *first, record("t", id=1, part="b", v=7)])
    assert query(path, "SELECT id, part, v FROM t ORDER BY part, id") == [
        *[(n, "a", 90 + n) for n in range(10)],
        (1, "b", 7),
    ]
    load(path, [message, record("t", id=1, part="b"), record("t", id=11, part="a", v=1)])
    assert query(path, "SELECT part, v FROM t WHERE id IN (1, 11) ORDER BY id, part") == [
        ("a", 91),
        ("b", None),
        ("a", 1),
    ]


def test_without_a_key_every_row_stays(path):
    for _ in range(2):
        load(path, [schema("t", ID), record("t", id=1), record("t", id=1)])
    assert query(path, "SELECT count(*), count(DISTINCT _dlt_id) FROM t") == [(4, 4)]


@pytest.mark.parametrize(
    ("method", "expected"), [("append-only", [(1, 2), (1, 3), (2, 2)]), ("overwrite", [(1, 3)])]
)
def test_load_methods(path, method, expected):
    message = schema("t", {"id": INTEGER, "v": INTEGER}, ["id"])
    load(path, [message, record("t", id=1, v=2), record("t", id=2, v=2)], load_method=method)
    load(path, [message, record("t", id=1, v=3)], load_method=method)
    assert query(path, "SELECT id, v FROM t ORDER BY id, v") == expected


def test_the_same_schema_again_changes_nothing_a_wider_one_adds_columns(path):
    load(
        path,
        [
            schema("t", ID, ["id"]),
            record("t", id=1),
            schema("t", ID, ["id"]),
            record("t", id=2),
            schema("t", {**ID, "more": STRING}, ["id"]),
            record("t", id=3, more="x"),
            schema("t", ID, ["id"]),
            record("t", id=1),
        ],
    )
    assert query(path, "SELECT id, more FROM t ORDER BY id") == [(1, None), (2, None), (3, "x")]
    assert query(path, "SELECT count(*) FROM _dlt_version") == [(1,)]


WIDENINGS: list[tuple[Any, Any, Any, Any, str, list[Any]]] = [
    (INTEGER, 7, NUMBER, 1.5, "DOUBLE", [7.0, 1.5]),
    (INTEGER, 2**53 - 1, NUMBER, 1.5, "DOUBLE", [float(2**53 - 1), 1.5]),
    (INTEGER, 7, STRING, "x", "VARCHAR", ["7", "x"]),
    (NUMBER, 1.5, STRING, "x", "VARCHAR", ["1.5", "x"]),
    (BOOLEAN, True, STRING, "x", "VARCHAR", ["true", "x"]),
    (DATE, "2026-01-02", STRING, "x", "VARCHAR", ["2026-01-02", "x"]),
    (typed("object"), {"a": 1}, STRING, "x", "VARCHAR", ['{"a": 1}', "x"]),
    (MOMENT, "2026-01-02T03:04:05Z", STRING, "x", "VARCHAR", ["2026-01-02T03:04:05.000000Z", "x"]),
    (
        DATE,
        "2026-01-02",
        MOMENT,
        "2026-01-02T03:04:05Z",
        "TIMESTAMP WITH TIME ZONE",
        [
            datetime(2026, 1, 2, tzinfo=UTC),
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ],
    ),
    (STRING, "x", INTEGER, 7, "VARCHAR", ["x", "7"]),
    (
        STRING,
        "x",
        MOMENT,
        "2026-01-02T03:04:05.5Z",
        "VARCHAR",
        ["x", "2026-01-02T03:04:05.500000Z"],
    ),
    (NUMBER, 1.5, INTEGER, 7, "DOUBLE", [1.5, 7.0]),
    (
        MOMENT,
        None,
        DATE,
        "2026-01-02",
        "TIMESTAMP WITH TIME ZONE",
        [None, datetime(2026, 1, 2, tzinfo=UTC)],
    ),
]


@pytest.mark.parametrize("in_one_run", [True, False])
def test_types_widen_where_nothing_is_lost(path, in_one_run):
    before = [schema("t", {**ID, **{f"c{n}": w[0] for n, w in enumerate(WIDENINGS)}}, ["id"])]
    before.append(record("t", id=1, **{f"c{n}": w[1] for n, w in enumerate(WIDENINGS)}))
    after = [schema("t", {**ID, **{f"c{n}": w[2] for n, w in enumerate(WIDENINGS)}}, ["id"])]
    after.append(record("t", id=2, **{f"c{n}": w[3] for n, w in enumerate(WIDENINGS)}))
    for messages in [[*before, *after]] if in_one_run else [before, after]:
        load(path, messages)
    types = column_types(path, "t")
    assert types == {"id": "BIGINT", **{f"c{n}": w[4] for n, w in enumerate(WIDENINGS)}}
    for n, (*_, expected) in enumerate(WIDENINGS):
        assert query(path, f"SELECT c{n} FROM t ORDER BY id") == [(value,) for value in expected], n


def test_what_would_be_lost_goes_to_a_variant(path):
    load(
        path,
        [
            schema("t", {**ID, "big": INTEGER, "flag": BOOLEAN, "n": NUMBER}, ["id"]),
            record("t", id=1, big=2**60 + 1, flag=True, n=0.5),
        ],
    )
    load(
        path,
        [
            schema("t", {**ID, "big": NUMBER, "flag": INTEGER, "n": INTEGER}, ["id"]),
            record("t", id=2, big=0.5, flag=3, n=2**60 + 1),
            record("t", id=3, n=4),
        ],
    )
    load(path, [schema("t", {**ID, "big": INTEGER}, ["id"]), record("t", id=4, big=5)])
    assert query(
        path,
        "SELECT id, big, big__v_double, flag, flag__v_bigint, n, n__v_bigint FROM t ORDER BY id",
    ) == [
        (1, 2**60 + 1, None, True, None, 0.5, None),
        (2, None, 0.5, None, 3, None, 2**60 + 1),
        (3, None, None, None, None, 4.0, None),
        (4, 5, None, None, None, None, None),
    ]


def test_widening_reaches_the_staging_tables_of_dlt(path, tmp_path):
    def pipeline(folder):
        return dlt_pipeline(path, "db", "raw", tmp_path / folder)

    load(
        path,
        [schema("t", {**ID, "v": INTEGER}, ["id"]), record("t", id=1, v=1)],
        default_target_schema="raw",
    )
    pipeline("one").run([{"id": 2, "v": 2}], table_name="t", write_disposition="merge")
    load(
        path,
        [schema("t", {**ID, "v": NUMBER}, ["id"]), record("t", id=3, v=1.5)],
        default_target_schema="raw",
    )
    pipeline("two").run([{"id": 4, "v": 2.5}], table_name="t", write_disposition="merge")
    assert query(path, "SELECT id, v FROM raw.t ORDER BY id") == [
        (1, 1.0),
        (2, 2.0),
        (3, 1.5),
        (4, 2.5),
    ]


@pytest.mark.skipif(
    duckdb.__version__ < "1.5", reason="DuckDB 1.4 cannot put points in time into nanoseconds"
)
def test_columns_of_a_dlt_pipeline_that_hold_more_are_left_alone(path, tmp_path):
    hints: dict[str, Any] = {
        "big": {"data_type": "bigint", "precision": 128},
        "price": {"data_type": "decimal", "precision": 38, "scale": 2},
        "rate": {"data_type": "decimal", "precision": 38, "scale": 18},
        "moment": {"data_type": "timestamp", "precision": 9, "timezone": False},
    }
    key = {"id": {"data_type": "bigint", "primary_key": True, "nullable": False}}
    pipeline = dlt_pipeline(path, "db", "main", tmp_path / "theirs")
    pipeline.run([{"id": 0}], table_name="t", write_disposition="append", columns=hints | key)
    with duckdb.connect(path) as connection:
        connection.execute(
            f"UPDATE t SET big = {2**126}, price = {10**34}.25, rate = 0.{10**16}1, "
            "moment = TIMESTAMP_NS '2026-01-02 03:04:05.123456789'"
        )
    old = "SELECT big, price, rate, moment::VARCHAR FROM t WHERE id = 0"
    before = query(path, old)
    types = {"id": INTEGER, "big": INTEGER, "price": DECIMAL, "rate": DECIMAL, "moment": MOMENT}
    row = {"big": 7, "price": "1.125", "rate": "0.5", "moment": "2026-01-02T03:04:05.123456Z"}
    for n in (1, 2):
        load(path, [schema("t", types, ["id"]), record("t", id=n, **row)])
    assert query(path, old) == before
    assert (
        query(
            path, "SELECT big, price, price__v_decimal, rate, moment::VARCHAR FROM t WHERE id > 0"
        )
        == [(7, None, Decimal("1.125"), Decimal("0.5"), "2026-01-02 03:04:05.123456")] * 2
    )
    stored = dlt_attach(path, "db", "main", tmp_path / "again").default_schema
    for name, hint in hints.items():
        column: Any = stored.get_table_columns("t")[name]
        assert {**column, **hint} == column


def test_a_key_may_change(path):
    first, second = {"a": INTEGER, "b": INTEGER}, ["a"]
    load(
        path,
        [
            schema("t", first, second),
            record("t", a=1, b=1),
            record("t", a=2, b=1),
            schema("t", first, ["b"]),
            record("t", a=None, b=1),
        ],
    )
    assert query(path, "SELECT a, b FROM t") == [(None, 1)]
    load(path, [schema("t", first), record("t", b=None)])
    assert query(path, "SELECT a, b FROM t ORDER BY b") == [(None, 1), (None, None)]


def test_a_key_whose_type_no_longer_fits_is_an_error(path):
    load(path, [schema("t", {"id": BOOLEAN}, ["id"]), record("t", id=True)])
    with pytest.raises(LoaderError, match=r"stream 't': key 'id' is now bigint.*bool"):
        load(path, [schema("t", {"id": INTEGER}, ["id"]), record("t", id=2)])


def test_names_follow_dlt_and_do_not_collide(path, caplog):
    names = ["id", "ID", "Id ", "user__id", "user.id", "_dlt_id", "_dlt_load_id", "", "ёж", "a-b"]
    values = {name: f"value of {name}" for name in names}
    for rotation in (0, 4):
        order = names[rotation:] + names[:rotation]
        messages = [
            schema(stream, dict.fromkeys(order, STRING), ["ID"])
            for stream in ("Runs", "runs", "RUNS!")
        ]
        rows = [record(stream, **values) for stream in ("Runs", "runs")]
        load(path, [*messages, *rows])
    (connection,) = [duckdb.connect(str(path))]
    for table in ("runs", "runs_2"):
        frame = connection.execute(f"SELECT * FROM {table}")
        columns = [column[0] for column in frame.description]
        row = dict(zip(columns, frame.fetchall()[0], strict=True))
        assert frame.fetchall() == []
        assert sorted(v for k, v in row.items() if k not in {"_dlt_id", "_dlt_load_id"}) == sorted(
            values.values()
        )
        assert row["id"] == "value of id"
        assert row["id_2"] == "value of ID"
        assert row["user__id"] == "value of user__id"
    connection.close()
    assert "the name of 'ID' is taken; its column is 'id_2'" in caplog.text


def test_variants_only(path):
    load(path, [schema("t", {**ID, "n": INTEGER}, ["id"]), record("t", id=1, n=1)])
    message = schema("t", {**ID, "n": NUMBER}, ["id"])
    load(path, [message, record("t", id=2, n=1.5)], on_type_change="variant")
    assert column_types(path, "t") == {"id": "BIGINT", "n": "BIGINT", "n__v_double": "DOUBLE"}
    assert query(path, "SELECT n, n__v_double FROM t ORDER BY id") == [(1, None), (None, 1.5)]


@pytest.mark.parametrize(
    "messages",
    [
        [schema("t", {**ID, "n": NUMBER}, ["id"])],
        [schema("t", {**ID, "n": INTEGER}, ["id"]), record("t", id=2, n="x")],
        [schema("t", {**ID, "n": INTEGER}, ["id"]), record("t", id=2, n=1.5)],
    ],
)
def test_a_change_of_type_as_an_error(path, messages):
    load(path, [schema("t", {**ID, "n": INTEGER}, ["id"]), record("t", id=1, n=1)])
    with pytest.raises(LoaderError, match="stream 't': 'n' has values of type"):
        load(path, messages, on_type_change="error")
    assert column_types(path, "t") == {"id": "BIGINT", "n": "BIGINT"}
    assert query(path, "SELECT id, n FROM t") == [(1, 1)]
    load(path, [schema("t", {**ID, "n": INTEGER}, ["id"]), record("t", id=2, n=2)])
    assert query(path, "SELECT count(*) FROM t") == [(2,)]
