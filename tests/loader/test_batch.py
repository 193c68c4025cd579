"""BATCH messages: files of records take the way of all other records."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from target_dlt.errors import LoaderError
from tests.loader.support import (
    DATE,
    DECIMAL,
    ENGINES,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    load,
    query,
    record,
    schema,
    state,
    typed,
)

PROPERTIES = {
    "id": INTEGER,
    "n": NUMBER,
    "s": STRING,
    "at": MOMENT,
    "day": DATE,
    "price": DECIMAL,
    "tree": typed("object"),
}
T = schema("t", PROPERTIES, ["id"])
ALL = 'SELECT id, n, s, "at", day, price, tree::VARCHAR FROM t ORDER BY id'
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
DAY = date(2026, 1, 2)


def batch(*files, format="jsonl", **more):  # noqa: A002
    manifest = [file if isinstance(file, str) else f"file://{file}" for file in files]
    compression = more.pop("compression", None)
    encoding = {"format": format, "compression": compression}
    return json.dumps(
        {"type": "BATCH", "stream": "t", "encoding": encoding, "manifest": manifest, **more}
    )


@pytest.mark.parametrize("compression", ["gzip", "none", None])
def test_json_lines(tmp_path, compression):
    path, file, other = tmp_path / "db.duckdb", tmp_path / "1", tmp_path / "2 ü.jsonl"
    lines = [
        '{"id": 1, "n": 1.5, "s": "", "at": "2026-01-02T03:04:05.678901Z", "tree": {"a": 1.10}}',
        "",
        '{"id": 2, "n": 12345678901234567890123, "price": "1.123456789", "day": "2026-01-02"}',
    ]
    opener = gzip.open if compression == "gzip" else open
    with opener(file, "wt") as out:
        out.write("\n".join(lines))
    with opener(other, "wt") as out:
        out.write('{"id": 3, "s": "x"}\n')
    load(path, [T, record("t", id=3, s="old"), batch(file, other, compression=compression)])
    variant = "SELECT n__v_wei FROM t WHERE id = 2"
    assert query(path, variant) == [(12345678901234567890123,)]
    assert query(path, ALL) == [
        (1, 1.5, "", AT, None, None, '{"a": 1.10}'),
        (2, None, None, None, DAY, Decimal("1.123456789"), None),
        (3, None, "x", None, None, None, None),
    ]


def test_parquet(tmp_path):
    path, file = tmp_path / "db.duckdb", tmp_path / "1.parquet"
    table = pa.table(
        {
            "id": pa.array([1.0, 2.0], pa.float64()),
            "n": pa.array([0.1, float("inf")], pa.float64()),
            "s": pa.array(["", None], pa.large_string()),
            "at": pa.array([AT, None], pa.timestamp("ns", "Europe/Warsaw")),
            "day": pa.array([DAY, None], pa.date32()),
            "price": pa.array([Decimal("1.123456789"), None], pa.decimal128(30, 9)),
            "tree": [{"a": [{"b": 2**60}], "at": AT}, None],
            "more": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    pq.write_table(table, file)
    load(path, [T, batch(file, format="parquet", version=3), state(1)])
    tree = '{"a":[{"b":1152921504606846976}],"at":"2026-01-02T03:04:05.678901+00:00"}'
    assert query(path, ALL) == [
        (1, 0.1, "", AT, DAY, Decimal("1.123456789"), tree),
        (2, float("inf"), None, None, None, None, None),
    ]
    assert query(path, "SELECT more, _sdc_table_version FROM t ORDER BY id") == [("x", 3), ("y", 3)]


@pytest.mark.parametrize(
    ("column", "error"),
    [
        (pa.array([b"x"]), "column 'v' is of type binary"),
        (pa.array([timedelta(1)]), "column 'v' is of type duration"),
        (pa.array([[b"x"]]), "column 'v' is of type binary"),
        (pa.array([1], pa.timestamp("ns")), "would lose data"),
    ],
)
def test_what_parquet_holds_and_json_does_not_is_refused(tmp_path, column, error):
    file = tmp_path / "1.parquet"
    pq.write_table(pa.table({"id": [1], "v": column}), file)
    with pytest.raises(LoaderError, match=f"line 2: .*{error}"):
        load(tmp_path / "db.duckdb", [T, batch(file, format="parquet")])
    assert not (tmp_path / "db.duckdb").exists()


@pytest.mark.parametrize(
    ("content", "more", "error"),
    [
        (b'{"id": 1}\n{"id"', {}, "BATCH file .*1"),
        (b'{"id": 1}\n{"id": null}', {}, "record 2 of a BATCH: .* no value for its key"),
        (b'{"id": 1}\n{"id": 2}, {"id": 3}', {}, "BATCH file .*1: line 2: "),
        (b'{"id": 1},"record":{"id": 2}', {}, "BATCH file .*1: line 1: "),
        (b'{"id": 1}},{"record":{"id": 2}', {}, "BATCH file .*1: line 1: "),
        (b'{"id": NaN},"record":{"id": 2}', {}, "BATCH file .*1: line 1: "),
        (b'1,"version":7', {}, "BATCH file .*1: line 1: "),
        (b"[" * 100_000, {}, "BATCH file .*1: line 1: nested too deeply"),
        (
            gzip.compress(b'{"id": 1}\n' * 999, mtime=0)[:-9],
            {"compression": "gzip"},
            "BATCH file .*1",
        ),
        (b'{"id": 1}', {"format": "parquet"}, "BATCH file .*1"),
        (b'{"id": 1}', {"format": "csv"}, "BATCH: Invalid enum value 'csv'"),
        (b'{"id": 1}', {"stream": "u"}, "stream 'u': a BATCH before its SCHEMA"),
        (b'{"id": 1}', {"compression": "magic"}, "BATCH file .*1"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, content, more, error):
    file = tmp_path / "1"
    file.write_bytes(content)
    with pytest.raises(LoaderError, match=f"line 2: {error}"):
        load(tmp_path / "db.duckdb", [T, batch(file, **more)])
    with pytest.raises(LoaderError, match=r"line 2: BATCH file .*nowhere"):
        load(tmp_path / "db.duckdb", [T, batch(tmp_path / "nowhere")])
    assert not (tmp_path / "db.duckdb").exists()


@pytest.mark.parametrize("said", ["none", "gzip", None])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_first_bytes_tell_gzip_and_a_byte_order_mark(tmp_path, mark, pack, said):
    path, file = tmp_path / "db.duckdb", tmp_path / "1"
    file.write_bytes(pack(mark + b'{"id": 1, "s": "x"}\n{"id": 2}\n'))
    load(path, [T, batch(file, compression=said)])
    assert query(path, "SELECT id, s FROM t ORDER BY id") == [(1, "x"), (2, None)]


@pytest.mark.parametrize("engine", ENGINES)
def test_lines_that_only_python_writes_are_read_with_their_version(tmp_path, engine):
    path, file = tmp_path / "db.duckdb", tmp_path / "1"
    file.write_text('{"id": 1, "n": NaN}\n{"id": 2, "n": 1.5}\n')
    load(path, [T, batch(file, version=3)], engine=engine, default_target_schema="raw")
    rows = query(path, "SELECT id, n::VARCHAR, _sdc_table_version FROM raw.t ORDER BY id")
    assert rows == [(1, "nan", 3), (2, "1.5", 3)]


def test_bad_records_of_files_are_quarantined(tmp_path):
    path, file, table = tmp_path / "db.duckdb", tmp_path / "1", tmp_path / "2"
    file.write_text('{"id": 1}\n{"s": "x"}\n7\n{"id": 2}\n')
    pq.write_table(pa.table({"id": [None, 3]}), table)
    load(path, [T, batch(file), batch(table, format="parquet")], on_bad_record="quarantine")
    assert query(path, "SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,)]
    kept = "SELECT line, record::VARCHAR FROM _singer_quarantine ORDER BY ALL"
    assert query(path, kept) == [(1, '{"id":null}'), (2, '{"s":"x"}'), (3, "7")]
