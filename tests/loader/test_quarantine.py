"""Records that cannot become rows are kept, with their reason; all others are loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from target_dlt.errors import BadRecordError
from target_dlt.rows.quarantine import Quarantine
from tests.loader.support import (
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    dlt_attach,
    load,
    query,
    raw_record,
    read_by_dlt,
    record,
    schema,
    state,
)

if TYPE_CHECKING:
    from target_dlt.rows.chunks import Chunk

T = schema("t", {"id": INTEGER, "n": NUMBER, "s": STRING}, ["id"])
U = schema("u", {"at": MOMENT, "price": {"type": "number"}, "tree": {}}, ["at", "price", "tree"])
KEPT = (
    "SELECT stream, line, reason, record::VARCHAR FROM _singer_quarantine "
    "WHERE _dlt_load_id IN (SELECT load_id FROM _dlt_loads) ORDER BY line"
)


def test_a_refused_record_is_kept_word_by_word(tmp_path, capsys):
    path = tmp_path / "db.duckdb"
    messages = [
        T,
        record("t", id=1),
        raw_record("t", '{"id": null, "n": 1.10, "big": 123456789012345678901234567890}'),
        raw_record("t", '{"n": "misfit", "s": "\\ud800"}'),
        record("t", id="x"),
        '{"type": "RECORD", "stream": "t"}',
        '{"record": {}, "stream": "t", "type": "RECORD"}',
        state({"n": 1}),
        record("t", id=2, n=2.5),
    ]
    load(path, messages, on_bad_record="quarantine")
    assert query(path, "SELECT id, n, s FROM t ORDER BY id") == [(1, None, None), (2, 2.5, None)]
    no_key = "stream 't': a record has no value for its key 'id'"
    assert query(path, KEPT) == [
        ("t", 3, no_key, '{"id":null,"n":1.10,"big":123456789012345678901234567890}'),
        ("t", 4, no_key, '{"n":"misfit","s":"\\\\ud800"}'),
        ("t", 5, "stream 't': a value of the key 'id' is not of its type, bigint", '{"id":"x"}'),
        ("t", 6, "stream 't': a RECORD without a record", "null"),
        ("t", 7, no_key, "{}"),
    ]
    assert capsys.readouterr().out == '{"n": 1}\n'


def test_keys_of_any_type_are_checked_record_by_record(tmp_path):
    path = tmp_path / "db.duckdb"
    good = {"at": "2026-01-02T03:04:05Z", "price": 1.5, "tree": {"a": 1}}
    bad = [
        {**good, "at": "noon"},
        {**good, "at": "2026-01-32T03:04:05.0000001Z"},
        {**good, "price": None},
        {**good, "price": "x"},
        {**good, "tree": None},
    ]
    messages = [U, record("u", **good)]
    messages += [raw_record("u", json.dumps(values)) for values in bad]
    messages.append(raw_record("u", json.dumps({**good, "price": True})))
    load(path, messages, on_bad_record="quarantine")
    assert query(path, "SELECT price FROM u") == [(1.5,)]
    assert [row[1] for row in query(path, KEPT)] == [3, 4, 5, 6, 7, 8]


def test_the_quarantine_grows_whatever_the_load_method(tmp_path):
    path = tmp_path / "db.duckdb"
    for _ in range(2):
        load(
            path,
            [T, record("t", n=1), state(1), record("t", id=1), state(2), record("t", n=2)],
            on_bad_record="quarantine",
            load_method="overwrite",
            batch_size_rows=1,
        )
    assert len(query(path, KEPT)) == 4
    pipeline = dlt_attach(path, "db", "main", tmp_path / "pipelines")
    rows = read_by_dlt(pipeline.dataset()["_singer_quarantine"])
    assert [row["line"] for row in rows] == [2, 6, 2, 6]


def test_without_a_bad_record_there_is_no_quarantine(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [T, record("t", id=1)], on_bad_record="quarantine")
    assert query(path, "FROM duckdb_tables() WHERE table_name = '_singer_quarantine'") == []


def test_refused_records_become_chunks_as_they_come() -> None:
    chunks: list[Chunk] = []
    kept = Quarantine(chunks.append)
    error = BadRecordError("no key")
    for n in range(25_000):
        kept.add("t", n, error, {"n": n})
    assert [chunk.size for chunk in chunks] == [10_000, 10_000]
    kept.seal()
    kept.seal()
    assert [chunk.size for chunk in chunks] == [10_000, 10_000, 5000]
    assert chunks[2].table["line"].to_pylist() == list(range(20_000, 25_000))
