"""Messages in any order, wrong ones, and the ones that are not supported."""

# ruff: noqa: S608 (table names are our own)

from __future__ import annotations

import gzip
import json
import os
import subprocess
from operator import itemgetter

import pytest

from target_dlt.errors import LoaderError
from target_dlt.messages.unpacking import byte_lines
from tests.loader.support import (
    INTEGER,
    MOMENT,
    NUMBER,
    SCRIPT,
    STRING,
    column_types,
    load,
    problems,
    query,
    raw_record,
    record,
    run,
    schema,
    state,
    typed,
)

ID = schema("t", {"id": INTEGER, "tree": typed("object"), "at": MOMENT}, ["id"])
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([ID, '{"type": "RECORD", '], "line 2: not valid JSON"),
        ([ID, "\udc80\x01\x00\udcff"], "line 2: not valid JSON"),
        ([ID, raw_record("t", '{"id": 1, "tree": {"a": "\udcff"}}')], "line 2: .*'utf-8'"),
        ([ID, raw_record("t", '{"id": 1, "name": "\udcff"}')], "line 2: .*'utf-8'"),
        ([ID, '{"type": "STATE", "value": {"a": "\udcff"}}'], "line 2: .*'utf-8'"),
        ([ID, "", "nonsense"], "line 3: not valid JSON"),
        ([ID, '{"type":"RECORD","stream":"t","record":{"id":1}'], "line 2: not valid JSON"),
        ([ID, '{"type":"RECORD","stream":"t","record":' + DEEP], "line 2: nested too deeply"),
        ([record("t", id=1)], "line 1: stream 't': a RECORD before its SCHEMA"),
        ([ID, record("u", id=1)], "line 2: stream 'u': a RECORD before its SCHEMA"),
        ([ID, record("t", other=1)], "line 2: stream 't': .* no value for its key 'id'"),
        ([ID, record("t", id=None)], "line 2: stream 't': .* no value for its key 'id'"),
        ([ID, record("t", id="x")], "line 2: stream 't': .* the key 'id' .* bigint"),
        ([schema("t", {"k": {}}, ["k"]), record("t", k=None)], "line 2: .* its key 'k'"),
        ([schema("t", {"k": NUMBER}, ["k"]), record("t", k="x")], "line 2: .* the key 'k'"),
        ([schema("t", {"k": NUMBER}, ["k"]), record("t", k=None)], "line 2: .* its key 'k'"),
        ([schema("t", {"k": MOMENT}, ["k"]), record("t", k="noon")], "line 2: .* the key 'k'"),
        ([ID, '{"type": "RECORD", "stream": "t"}'], "line 2: stream 't': .* without a record"),
        ([ID, '{"type": "RECORD", "record": {}}'], "line 2: a RECORD without a stream"),
        (['{"type": "SCHEMA", "stream": "t"}'], 'line 1: a SCHEMA needs "stream" and "schema"'),
        (
            [schema("t", {"a": {"type": 7}})],
            "line 1: .* property 'a': \"type\" is neither",
        ),
        ([schema("t", {"a": {"type": [{}]}})], "line 1: .* property 'a': \"type\" is neither"),
        ([schema("t", {"a": {"anyOf": {}, "oneOf": {"a": 1}}})], "property 'a': \"oneOf\" is no"),
        ([schema("t", {"a": {"enum": "x"}})], "line 1: .* property 'a': \"enum\" is no list"),
        (
            [json.dumps({**json.loads(ID), "schema": {"properties": ["a"]}})],
            "line 1: stream 't': \"properties\" is no object",
        ),
        (['{"type": "ACTIVATE_VERSION", "stream": "t", "version": 1}'], "line 1: .* before its"),
        ([ID, '{"type": "ACTIVATE_VERSION", "stream": "t"}'], 'line 2: .* and "version"'),
        (['{"type": "STRANGE"}'], "line 1: a message of unknown type 'STRANGE'"),
        ([ID, state(1), '{"type": "STATE"}'], 'line 3: a STATE needs "value"'),
        ([ID, schema("\ud83d", {"id": INTEGER})], "line 2: the name of stream .* surrogate"),
        (["[]"], "line 1: "),
        (["{}"], "line 1: not a Singer message"),
        ([ID, '{"type": "BATCH", "stream": "t"}'], "line 2: a BATCH needs"),
        *[
            ([ID, ID, raw_record("t", '{"id": 1}, "version": ' + version)], "line 3: .* version")
            for version in ('"x"', "1.5", "true", "[]", "1" * 30, "1E999999999999999999999")
        ],
        (
            [ID, '{"type": "STATE", "value": ' + "[" * 201 + "]" * 201 + "}"],
            "line 2: a STATE",
        ),
        ([ID, '{"type": "STATE", "value": ' + DEEP + "}"], "line 2: nested too deeply"),
        ([ID, raw_record("t", '{"id": 1E999999999999999999999}')], "line 2: .* the key 'id'"),
        ([ID, raw_record("t", '{"id": 1, "at": ' + DEEP + "]" * len(DEEP) + "}")], "too deeply"),
    ],
)
def test_wrong_messages_are_named_in_one_line(tmp_path, messages, error):
    path = tmp_path / "db.duckdb"
    with pytest.raises(LoaderError, match=error) as caught:
        load(path, messages)
    assert "\n" not in str(caught.value)
    assert not path.exists()


def test_the_process_says_one_line_and_exits_with_1(tmp_path):
    path = tmp_path / "db.duckdb"
    result = run(config={"path": str(path)}, folder=tmp_path, messages=[ID, state(1), "{oops"])
    assert result.returncode == 1
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if "INFO" not in line]
    assert len(errors) == 1
    assert "line 3: not valid JSON" in errors[0]
    assert not path.exists()


def piped(path, data):
    """Run the loader on bytes of a pipe."""
    environment = {**os.environ, "TARGET_DUCKDB_PATH": str(path)}
    return subprocess.run(
        [SCRIPT, "--config=ENV"], input=data, env=environment, capture_output=True, check=False
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_first_bytes_of_the_input_tell_gzip_and_a_byte_order_mark(tmp_path, mark, pack):
    messages = [ID, *(record("t", id=n) for n in range(999)), state(1)]
    result = piped(tmp_path / "db.duckdb", pack(mark + "\n".join(messages).encode()))
    assert (result.returncode, result.stdout) == (0, b"1\n"), result.stderr
    assert query(tmp_path / "db.duckdb", "SELECT count(*) FROM t") == [(999,)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_are_read_as_a_pipe_brings_them(pack):
    reading, writing = os.pipe()
    data = pack(b"a\nb\n")
    with open(reading, "rb") as source, open(writing, "wb", 0) as sink:  # noqa: PTH123
        sink.write(data[:1])
        assert source.peek(2) == data[:1]
        sink.write(data[1:])
        lines = iter(byte_lines(source))
        assert [next(lines), next(lines)] == [b"a\n", b"b\n"]  # while the pipe is open
        sink.close()
        assert list(lines) == []
        assert not source.closed


def _without_every_second_byte(packed):
    return packed[:99] + packed[99::2]


@pytest.mark.parametrize(
    "damage", [itemgetter(slice(-9)), itemgetter(slice(20)), _without_every_second_byte]
)
def test_gzip_that_ends_early_or_is_damaged_is_told_in_one_line(tmp_path, damage):
    messages = [ID, *(record("t", id=n, name=f"{n * n}") for n in range(999)), state(1)]
    packed = gzip.compress("\n".join(messages).encode(), mtime=0)
    result = piped(tmp_path / "db.duckdb", damage(packed))
    assert (result.returncode, result.stdout) == (1, b"")
    (line,) = problems(result.stderr.decode())
    assert "the input cannot be read to its end: " in line


def test_any_spelling_of_a_message_is_read(tmp_path):
    path = tmp_path / "db.duckdb"
    load(
        path,
        [
            ID,
            '{"record":{"id":1},"stream":"t","type":"RECORD"}',
            '  { "type" : "RECORD" , "stream" : "t" , "record" : { "id" : 2 } }  ',
            '{"type":"RECORD","version":1,"stream":"t","record":{"id":3},"more":{"a":[]}}',
            '{"type": "RECORD", "stream": "\\u0074", "record": {"id": 4}}\r',
            '{"type": "RECORD", "stream": "t", "time_extracted": "2026", "record": {"id": 5}}',
        ],
    )
    assert query(path, "SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,), (4,), (5,)]


def test_streams_may_be_interleaved(tmp_path):
    path = tmp_path / "db.duckdb"
    names = ["a", "b", "c"]
    messages = [schema(name, {"id": INTEGER, "v": STRING}, ["id"]) for name in names]
    messages += [record(names[n % 3], id=n, v=str(n)) for n in range(99)]
    load(path, messages)
    for offset, name in enumerate(names):
        rows = query(path, f"SELECT id, v FROM {name} ORDER BY id")
        assert rows == [(n, str(n)) for n in range(offset, 99, 3)]


def test_streams_without_records_get_their_tables(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [schema("t", {"id": INTEGER, "v": typed("array")}, ["id"])])
    assert query(path, "SELECT id, v FROM t") == []


def test_no_message_leaves_no_file(tmp_path):
    load(tmp_path / "db.duckdb", [])
    assert not (tmp_path / "db.duckdb").exists()


def test_unions_references_and_enums_find_their_type(tmp_path):
    path = tmp_path / "db.duckdb"
    properties = {
        "a": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["null", "string"]}]},
        "b": {"oneOf": [{"type": "integer"}, {"type": "null"}]},
        "c": {"type": ["integer", "number", "null"]},
        "d": {"type": ["integer", "string"]},
        "e": {"anyOf": [{"type": "string"}, {"type": "object"}]},
        "f": {"$ref": "#/definitions/flag"},
        "g": {"enum": ["x", None]},
        "h": {"allOf": [{"type": "boolean"}]},
        "i": {"$ref": "#/definitions/loop"},
    }
    definitions = {"flag": {"type": "boolean"}, "loop": {"$ref": "#/definitions/loop"}}
    load(path, [schema("t", properties, definitions=definitions)])
    assert json.dumps(column_types(path, "t")) == json.dumps(
        {
            "a": "TIMESTAMP WITH TIME ZONE",
            "b": "BIGINT",
            "c": "DOUBLE",
            "d": "VARCHAR",
            "e": "JSON",
            "f": "BOOLEAN",
            "g": "VARCHAR",
            "h": "BOOLEAN",
            "i": "JSON",
        }
    )
