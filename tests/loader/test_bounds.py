"""What a load holds is bounded by what the rows are, however they come: wide, sparse or odd."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from itertools import product
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_dlt.engines import placing
from target_dlt.errors import BadRecordError
from target_dlt.messages.schema import parse_schema
from target_dlt.rows import arrow
from target_dlt.rows.arrays import whole
from target_dlt.rows.arrow import RecordBuffer
from target_dlt.rows.spool import Spool
from tests.loader.support import (
    ENGINES,
    INTEGER,
    NUMBER,
    SCRIPT,
    STRING,
    load,
    problems,
    query,
    record,
    schema,
    state,
    without_end_of_life,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit // 2**20)
"""


def measured(folder: Path, messages: Iterable[str], **config: Any) -> tuple[int, int, str]:
    """Load in a process; answer its exit code, its largest memory in MiB, and its log."""
    file, lines = folder / "config.json", folder / "messages"
    file.write_text(json.dumps({"path": str(folder / "db.duckdb"), **config}))
    lines.write_text("".join(f"{message}\n" for message in messages))
    with lines.open() as source:
        # A process that is started by a large one is said to have been as large.
        command = [sys.executable, "-c", MEASURE, SCRIPT, "--config", str(file)]
        done = subprocess.run(
            command,
            stdin=source,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
            env=without_end_of_life(os.environ),
        )
    code, size = map(int, done.stdout.splitlines()[-1].split())
    return code, size, done.stderr


def buffer_of(properties: dict[str, Any], keys: list[str]) -> RecordBuffer:
    return RecordBuffer(parse_schema("t", {"properties": properties}, keys))


def rows_of(buffer: RecordBuffer) -> list[dict[str, Any]]:
    """What the chunks of a buffer hold, without nulls."""
    buffer.seal()
    rows: list[dict[str, Any]] = []
    for chunk in buffer.take_chunks():
        table = chunk.table
        found: list[dict[str, Any]] = [{} for _ in range(chunk.size)]
        for column, values in zip(chunk.columns, table.columns, strict=False):
            name = f"{column.name}__v_{column.type}" if column.variant else column.name
            for row, value in zip(found, whole(values).to_pylist(), strict=True):
                if value is not None:
                    row[name] = value
        rows += found
    return rows


def test_names_that_come_once_make_few_types_and_little_data() -> None:
    buffer = buffer_of({"id": INTEGER}, ["id"])
    for n in range(1500):
        buffer.add(record("t", id=n, **{f"k{n}": "x"}).encode())
    compiled = len(buffer.columns)
    assert compiled < 200
    buffer.seal()
    assert len(buffer.chunks) < 20
    assert sum(chunk.table.nbytes for chunk in buffer.chunks) < 1_000_000
    assert rows_of(buffer) == [{"id": n, f"k{n}": "x"} for n in range(1500)]


def test_names_that_come_often_are_compiled_soon() -> None:
    buffer = buffer_of({}, [])
    names = [f"often{n}" for n in range(40)]
    chance = random.Random(3)  # noqa: S311
    for n in range(3000):
        some = {name: n for name in names if chance.random() < 0.05}
        buffer.add(record("t", always=n, **some, **{f"once{n}": 1}).encode())
    assert {"always", *names} <= set(buffer.columns)
    assert len(buffer.columns) < 250


def test_nulls_under_names_that_come_once_make_few_types() -> None:
    buffer = buffer_of({}, [])
    for n in range(3000):
        buffer.add(record("t", id=n, **{f"k{n}": None}).encode())
    buffer.seal()
    assert len(buffer.chunks) < 20
    assert rows_of(buffer) == [{"id": n} for n in range(3000)]


def test_what_is_rare_keeps_the_type_of_its_first_value() -> None:
    buffer = buffer_of({}, [])
    for n in range(200):
        buffer.add(record("t", id=n, **{f"k{n}": n}).encode())
    odd: list[Any] = [1, None, 0.5, "x", 7, [1], None, 9]
    for n, value in enumerate(odd):
        buffer.add(record("t", id=n, rare=value, **{f"more{n}": True}).encode())
    assert "rare" not in buffer.columns
    found = [{k: v for k, v in row.items() if k.startswith("rare")} for row in rows_of(buffer)]
    assert found[200:] == [
        {"rare": 1},
        {},
        {"rare__v_double": 0.5},
        {"rare__v_text": "x"},
        {"rare": 7},
        {"rare__v_json": "[1]"},
        {},
        {"rare": 9},
    ]


# In JSON, whose text is kept as it came or as it is spelled again, these are spelled alike.
NUMBERS = st.sampled_from([0.5, 2.25, 7.0]) | st.integers()
VALUES = st.none() | NUMBERS | st.text("xyz", max_size=3) | st.booleans()
RECORDS = st.dictionaries(st.sampled_from("abcdefgh"), VALUES | st.lists(VALUES, max_size=2))


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, max_size=12), st.sets(st.integers(0, 12)))
def test_what_is_rare_is_kept_as_what_is_compiled(
    records: list[dict[str, Any]], sealed: set[int]
) -> None:
    buffers = [buffer_of({"a": NUMBER}, []) for _ in range(3)]
    buffers[0]._rare.patience = 10**9  # all that is not declared stays rare
    for number, values in enumerate(records):
        text = json.dumps(
            {"type": "RECORD", "stream": "t", "record": values}, separators=(",", ":")
        )
        for buffer in buffers:
            buffer.add(text.encode())
        if number in sealed:
            buffers[1].seal()
    first, *others = [[sorted(row.items()) for row in rows_of(buffer)] for buffer in buffers]
    assert all(rows == first for rows in others)


def test_a_rare_number_that_its_column_cannot_hold_is_beside_it() -> None:
    buffer = buffer_of({}, [])
    for n in range(200):
        buffer.add(record("t", id=n, **{f"k{n}": n}).encode())
    for text in ("0.5", "1.00000000000000000001", "2.5"):
        buffer.add(b'{"type":"RECORD","stream":"t","record":{"rare":%s}}' % text.encode())
    assert "rare" not in buffer.columns
    (*_, first, second, third) = rows_of(buffer)
    assert first == {"rare": 0.5}
    assert second == {"rare__v_text": "1.00000000000000000001"}
    assert third == {"rare": 2.5}


def test_a_chunk_has_a_bound_of_fields_and_only_columns_with_values() -> None:
    buffer = buffer_of({"id": INTEGER, **{f"c{n}": STRING for n in range(1000)}}, ["id"])
    for n in range(10_000):
        buffer.add(record("t", id=n, **{f"c{n % 7}": "x"}).encode())
    buffer.seal()
    assert buffer.records == 10_000
    assert all(chunk.size * 1000 <= arrow._MOST_FIELDS for chunk in buffer.chunks)
    assert all(len(chunk.columns) == 8 for chunk in buffer.chunks)
    assert sum(chunk.table.nbytes for chunk in buffer.chunks) < 1_000_000


def test_versions_that_change_with_each_record_make_one_chunk() -> None:
    buffer = buffer_of({"id": INTEGER}, ["id"])
    versions = [None, 1, 2, 1, 2, 2, None, 3]
    for n, version in enumerate(versions):
        buffer.add_record({"id": n}, version)
    with pytest.raises(BadRecordError):
        buffer.add_record({"id": None}, 4)
    buffer.seal()
    assert len(buffer.chunks) == 1
    buffer.add_record({"id": 8}, 4)
    buffer.add_record({"id": 9}, 4)
    assert rows_of(buffer) == [
        {"id": n} if version is None else {"id": n, "_sdc_table_version": version}
        for n, version in enumerate([*versions, 4, 4])
    ]


def test_rows_without_any_value_are_rows() -> None:
    buffer = buffer_of({"a": STRING}, [])
    for _ in range(3):
        buffer.add(record("t").encode())
    buffer.seal()
    assert [chunk.size for chunk in buffer.chunks] == [3]
    assert buffer.chunks[0].columns == ()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("properties", [{}, {"a": STRING}])
def test_empty_records_are_loaded(tmp_path: Path, engine: str, properties: dict[str, Any]) -> None:
    path = tmp_path / "db.duckdb"
    config = {"engine": engine, "default_target_schema": "raw"}
    load(path, [schema("t", properties), record("t"), record("t")], **config)
    assert query(path, "SELECT count(*) FROM raw.t") == [(2,)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("memory", [0, 1 << 27])
def test_a_commit_in_many_batches_is_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, memory: int
) -> None:
    """The last row of a key wins over all batches, and replaces the whole of older rows."""
    monkeypatch.setattr(placing, "_MOST_CELLS", 60)
    monkeypatch.setattr(arrow, "_MOST_FIELDS", 90)
    monkeypatch.setattr("target_dlt.load.Load.memory_bytes", memory - 1)
    path = tmp_path / "db.duckdb"
    head = schema("t", {"id": INTEGER, "n": NUMBER, "s": STRING}, ["id"])
    keyless = schema("u", {"n": INTEGER})
    chance = random.Random(5)  # noqa: S311
    config = {"engine": engine, "default_target_schema": "raw", "batch_size_rows": 300}
    wanted: dict[int, dict[str, Any]] = {}
    kept: list[tuple[int, int | None]] = []
    messages = [head, keyless]
    for n in range(600):
        key = chance.randrange(200)
        values: dict[str, Any] = {"id": key, f"k{chance.randrange(30)}": n}
        if chance.random() < 0.1:
            values["n"] = n / 8
        if chance.random() < 0.1:
            values["s"] = f"text {n}"
        wanted[key] = values
        kept.append((n, n if n % 50 == 0 else None))
        messages += [record("t", **values), record("u", n=n, rare=kept[-1][1])]
        messages += [state(n)] if n % 100 == 99 else []
    load(path, messages, **config)
    names = ["id", "n", "s", *(f"k{n}" for n in range(30))]
    columns = ", ".join(names)
    found = query(path, f"SELECT {columns} FROM raw.t ORDER BY id")  # noqa: S608
    assert [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in found
    ] == [wanted[key] for key in sorted(wanted)]
    assert query(path, "SELECT n, rare FROM raw.u ORDER BY n") == kept


def test_nested_rows_in_many_batches_are_all_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "_MOST_CELLS", 60)
    path = tmp_path / "db.duckdb"
    head = schema("t", {"id": INTEGER}, ["id"])
    rows = [record("t", id=n % 50, list=[{f"k{n % 9}": n}, {"all": n}]) for n in range(200)]
    load(path, [head, *rows], nesting="tables")
    found = query(path, 'SELECT "all" FROM t__list WHERE "all" IS NOT NULL ORDER BY 1')
    assert found == [(n,) for n in range(150, 200)]
    assert query(path, "SELECT count(*) FROM t__list") == [(100,)]


def test_a_commit_holds_no_more_than_a_batch_however_long_its_rows_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are copied where only some of them stay; what is in the table is let go."""
    monkeypatch.setattr(placing, "_MOST_BYTES", 1 << 20)
    monkeypatch.setattr("target_dlt.load.Load.memory_bytes", -1)
    monkeypatch.setattr("target_dlt.load.Load.chunk_bytes", 1 << 20)
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    path = tmp_path / "db.duckdb"
    head = schema("t", {"id": INTEGER, "s": STRING}, ["id"])
    rows = [record("t", id=n // 2, s=str(n % 2) * (1 << 19)) for n in range(80)]
    pa.set_memory_pool(pool)
    try:
        load(path, [head, *rows])
    finally:
        pa.set_memory_pool(usual)
    found = query(path, "SELECT count(*), sum(length(s)), min(s[1]) FROM t")
    assert found == [(40, 40 << 19, "1")]
    assert 1 << 20 < pool.max_memory() < 10 << 20


def test_chunks_are_opened_few_times_however_many_names_are_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target_dlt.load.Load.memory_bytes", -1)
    opened: list[str] = []
    memory_map = pa.memory_map

    def counted(name: str) -> Any:
        opened.append(name)
        return memory_map(name)

    monkeypatch.setattr(pa, "memory_map", counted)
    path = tmp_path / "db.duckdb"
    spellings = ["x".join(signs) for signs in product("-. +", repeat=4)]
    rows = [record("t", id=n, **{f"a{name}a": n}) for n, name in enumerate(spellings)]
    load(path, [schema("t", {"id": INTEGER}, ["id"]), *rows])
    assert len(opened) < 10 * len(set(opened))
    assert query(path, "SELECT count(*) FROM t") == [(len(spellings),)]


def test_chunks_on_disk_are_opened_only_when_they_are_read(tmp_path: Path) -> None:
    spool = Spool(-1, tmp_path)
    buffer = buffer_of({"id": INTEGER, "s": STRING}, ["id"])
    buffer.add(record("t", id=1).encode())
    buffer.seal()
    (chunk,) = buffer.take_chunks()
    spool.add("t", chunk)
    (kept,) = spool.chunks("t")
    assert kept.table is not kept.table
    assert kept.table.equals(chunk.table)
    assert list(tmp_path.iterdir()) != []
    spool.clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_new_name_in_each_record_takes_memory_in_line_with_their_number(tmp_path: Path) -> None:
    rows = [record("t", id=n, **{f"k{n}": "x"}) for n in range(800)]
    code, size, log = measured(tmp_path, [schema("t", {"id": INTEGER}, ["id"]), *rows])
    assert code == 0, log
    assert size < 600
    assert query(tmp_path / "db.duckdb", "SELECT count(*), count(k0), count(k799) FROM t") == [
        (800, 1, 1)
    ]


@pytest.mark.slow
def test_wide_rows_with_few_values_take_memory_for_these_or_say_what_to_change(
    tmp_path: Path,
) -> None:
    head = schema("t", {"id": INTEGER, **{f"c{n}": STRING for n in range(500)}}, ["id"])
    rows = [record("t", id=n, **{f"c{n % 500}": "x"}) for n in range(60_000)]
    code, size, log = measured(tmp_path, [head, *rows])
    assert code == 0, log
    assert size < 900
    code, size, log = measured(tmp_path, [head, *rows], memory_limit="100MB")
    assert code == 1
    assert size < 500
    (problem,) = problems(log)
    assert "Out of Memory" in problem
    assert "raise its memory_limit" in problem


@pytest.mark.slow
def test_many_bad_records_wait_on_disk_and_are_told_of_in_few_lines(tmp_path: Path) -> None:
    head = schema("t", {"id": INTEGER}, ["id"])
    rows = [record("t", v="x" * 1000)] * 150_000
    code, size, log = measured(tmp_path, [head, *rows], on_bad_record="quarantine")
    assert code == 0
    assert size < 750
    assert len(problems(log)) == 14
    assert "100,000 records are kept in table '_singer_quarantine' by now" in log
    assert "150,000 records quarantined" in log
    kept = query(
        tmp_path / "db.duckdb",
        "SELECT count(*), min(line), max(line), count(DISTINCT record::VARCHAR) "
        "FROM _singer_quarantine",
    )
    assert kept == [(150_000, 2, 150_001, 1)]
