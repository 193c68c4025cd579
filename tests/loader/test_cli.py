"""The console script: settings, about, version, what is missing, what is in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import duckdb
import pytest
from singer_sdk.exceptions import ConfigValidationError

from target_dlt.engines import connecting
from target_dlt.errors import LoaderError
from target_dlt.target import TargetDlt, TargetDuckDB
from tests.loader.support import (
    ENGINES,
    INTEGER,
    MOMENT,
    SCRIPT,
    STRING,
    activate,
    load,
    problems,
    query,
    record,
    run,
    schema,
    state,
    versioned,
)

MESSAGES = [schema("t", {"id": INTEGER}, ["id"]), record("t", id=1), state({"n": 1})]


def test_about_lists_every_setting_with_a_title_and_a_description():
    result = run("--about", "--format=json")
    assert result.returncode == 0
    about = json.loads(result.stdout)
    settings = about["settings"]["properties"]
    assert set(settings) >= {"path", "nesting", "token", "stream_maps"}
    assert settings["token"]["secret"] is True
    assert about["settings"]["additionalProperties"] is False
    assert all(setting["title"] and setting["description"] for setting in settings.values())
    assert set(about["capabilities"]) == {
        "about",
        "activate-version",
        "batch",
        "hard-delete",
        "schema-flattening",
        "soft-delete",
        "stream-maps",
        "structured-logging",
        "target-schema",
        "validate-records",
    }


def test_version():
    assert run("--version").stdout.startswith("target-duckdb v")


def test_a_wrong_setting_is_named_in_one_line(tmp_path):
    config = {"path": "x.duckdb", "pth": "y"}
    result = run(config=config, folder=tmp_path, messages=MESSAGES, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = problems(result.stderr)
    assert line.endswith("wrong settings: there is no setting 'pth'; did you mean 'path'?")
    assert not (tmp_path / "x.duckdb").exists()


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"path": "x.duckdb", "temp_dir": "nowhere"}, "temp_dir 'nowhere' is no folder"),
        ({"path": "x.duckdb", "temp_dir": "x" * 300}, "temp_dir 'x+' is no folder"),
        ({"path": "x.duckdb", "temp_dir": "~nobody-here/x"}, "'temp_dir': there is no folder '~no"),
        ({"path": "~nobody-here/x.duckdb"}, "'path': there is no folder '~nobody-here'"),
        ({"path": "s3://bucket/x.duckdb"}, "'path' names no file"),
        ({"path": ":memory:"}, "'path' names no file"),
        (
            {"path": "x.duckdb", "default_target_schema": "X", "engine": "package"},
            "the schema cannot be called as the file, 'x'",
        ),
        ({"path": "postgres://me:hunter2@db"}, "'path' names no file: 'postgres:...' "),
        ({"filepath": "s3://bucket/x.duckdb"}, "'filepath' names no file"),
        ({}, "'path', the DuckDB file to load into, is missing"),
        ({"path": ""}, "'path', the DuckDB file to load into, is missing"),
        ({"path": None}, "'path', the DuckDB file to load into, is missing"),
        ({"path": "$HERE/x.duckdb"}, r"'path' holds a variable \(\$NAME"),
        ({"path": "md:${DB}", "token": "x"}, "'path' holds a variable"),
        ({"filepath": "out/${HERE}/x.duckdb"}, "'filepath' holds a variable"),
        ({"path": "%HERE%/x.duckdb"}, "'path' holds a variable"),
        ({"path": "x.duckdb", "temp_dir": "$TMPDIR"}, "'temp_dir' holds a variable"),
    ],
)
def test_settings_that_make_no_sense_are_named(config, error):
    with pytest.raises(LoaderError, match=error):
        TargetDuckDB(config=config)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("load_method", "merge", "one of upsert, append-only, overwrite, not 'merge'"),
        ("nesting", "yes", "one of json, tables, not 'yes'"),
        ("batch_size_rows", 0, "a whole number of at least 1, not 0"),
        ("batch_size_rows", "abc", "a whole number of at least 1, not 'abc'"),
        ("batch_size_rows", 1.5, "a whole number of at least 1, not 1.5"),
        ("storage_version", "1.4", "latest or a version of DuckDB, like v1.4.0, not '1.4'"),
        ("flattening_max_depth", "1", "a whole number of at least 0, not '1'"),
        ("memory_limit", "lots", "a size, like 512MB or 4GB, not 'lots'"),
        ("default_target_schema", "", "the name of a schema, not ''"),
        ("default_target_schema", " ", "the name of a schema, not ' '"),
        ("memory_limit", "", "a size, like 512MB or 4GB, not ''"),
        ("pipeline_name", "a/b", "made of letters, digits, _ and -, not 'a/b'"),
        ("hard_delete", "perhaps", "true or false, not 'perhaps'"),
        ("path", 1, "text, not 1"),
        ("token", 12345, "text"),
        ("settings", "hunter2", "a JSON object"),
    ],
)
def test_a_wrong_value_is_told_in_words(setting, value, expected):
    with pytest.raises(ConfigValidationError) as caught:
        TargetDuckDB(config={"path": "x.duckdb", setting: value})
    assert caught.value.errors == [f"'{setting}' must be {expected}"]


@pytest.mark.parametrize("engine", ENGINES)
def test_null_is_the_default_of_every_setting(tmp_path, engine):
    path = tmp_path / "db.duckdb"
    names = TargetDuckDB.config_jsonschema["properties"].keys() - {"path"}
    config = {**dict.fromkeys(names), "engine": engine}
    config |= {"default_target_schema": "raw"} if engine == "package" else {}
    load(path, [MESSAGES[0], versioned("t", 1, id=1), activate("t", 1)], **config)
    load(
        path,
        [MESSAGES[0], versioned("t", 2, id=2), activate("t", 2)],
        **{**config, "hard_delete": True},
    )
    sql = "SELECT id FROM raw.t" if engine == "package" else "SELECT id FROM main.t"
    assert query(path, sql) == [(2,)]  # ACTIVATE_VERSION is heeded


def test_null_and_empty_settings_of_target_dlt_are_named():
    with pytest.raises(ConfigValidationError) as caught:
        TargetDlt(config={"destination": None})
    assert caught.value.errors == ["'destination' is missing"]
    with pytest.raises(ConfigValidationError) as caught:
        TargetDlt(config={"destination": ""})
    assert caught.value.errors == ["'destination' must be the name of a destination, not ''"]
    config = {"destination": "filesystem", "destination_config": {"bucket_url": "file:///$HERE"}}
    with pytest.raises(LoaderError, match=r"'destination_config\.bucket_url' holds a variable"):
        TargetDlt(config=config)


@pytest.mark.parametrize("text", ["null", "[]", '[["path", "x"]]', '"path"', "7", "{", ""])
def test_a_file_that_holds_no_settings_is_told_without_a_traceback(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    result = run("--config", str(tmp_path / "config.json"))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    if text not in {"{", ""}:
        assert "a file of settings holds a JSON object" in result.stderr


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("BATCH_SIZE_ROWS", "abc", "'batch_size_rows' must be a whole number of at least 1"),
        ("SCHEMA_MAPPING", "{", "'schema_mapping' must be a JSON object"),
    ],
)
def test_a_wrong_value_in_the_environment_is_told_in_one_line(tmp_path, name, value, error):
    environment = {**os.environ, "TARGET_DUCKDB_PATH": "x.duckdb", f"TARGET_DUCKDB_{name}": value}
    result = run("--config=ENV", messages=MESSAGES, env=environment, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = problems(result.stderr)
    assert f"wrong settings: {error}" in line


def test_a_missing_configuration_file_is_named(tmp_path):
    result = run("--config", str(tmp_path / "missing.json"))
    assert result.returncode != 0
    assert "missing.json" in result.stderr
    assert "Traceback" not in result.stderr


def test_settings_from_files_and_the_environment_leave_nothing_but_the_file(tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(work), "TZ": "America/New_York"}
    environment.pop("RUNTIME__DLTHUB_TELEMETRY", None)
    environment["TARGET_DUCKDB_BATCH_SIZE_ROWS"] = "1"
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text(json.dumps({"filepath": "nowhere.duckdb", "default_target_schema": "raw"}))
    second.write_text(json.dumps({"filepath": "db.duckdb"}))
    messages = [
        schema("t", {"id": INTEGER, "at": MOMENT}, ["id"]),
        record("t", id=1, at="2026-07-01T12:00:00"),
        state({"n": 1}),
        record("t", id=2),
        state({"n": 2}),
    ]
    result = run(
        *("--config", str(first), "--config", str(second), "--config=ENV"),
        messages=messages,
        env=environment,
        cwd=work,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == '{"n": 1}\n{"n": 2}\n'
    assert problems(result.stderr) == []
    assert list(home.iterdir()) == []
    assert [file.name for file in work.iterdir()] == ["db.duckdb"]
    rows = query(work / "db.duckdb", 'SELECT id, "at"::VARCHAR FROM raw.t ORDER BY id')
    assert rows == [(1, "2026-07-01 12:00:00+00"), (2, None)]


@pytest.mark.parametrize("missing", ["dlt", "duckdb", "pyarrow"])
def test_without_the_extra_one_line_says_what_to_install(missing):
    """An import hook in front of all others stands for a package that is not installed."""
    program = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from target_dlt.cli import target_duckdb
target_duckdb()
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert missing in line
    assert 'pip install "tap-cloudapis[duckdb]"' in line


@pytest.mark.parametrize("name", ["text.duckdb", "folder.duckdb", "file/db.duckdb"])
def test_what_is_no_duckdb_file_is_named(tmp_path, name):
    (tmp_path / "text.duckdb").write_text("hello " * 1000)
    (tmp_path / "folder.duckdb").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(LoaderError) as caught:
        load(tmp_path / name, MESSAGES)
    assert str(tmp_path / name.partition("/")[0]) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("x" * 300, "cannot write .*: File name too long"),
        (f"{'x' * 245}.duckdb", "cannot write .*: File name too long"),
        ("file/db.duckdb", "cannot write .*: Not a directory"),
        ("file/folder/db.duckdb", "cannot write .*: Not a directory"),
        ("pipe", "is no regular file"),
        ("/dev/null", "/dev/null is no regular file"),
        ("/proc/db.duckdb", "cannot write /proc/db.duckdb: "),
        ("dangling", "cannot write .*: a link on the way leads to no folder"),
        ("dangling/db.duckdb", "cannot write .*: a link on the way leads to no folder"),
        ("loop", "cannot write .*: Too many levels of symbolic links"),
        ("nul\0", "cannot write .*: no file can have such a name"),
    ],
)
def test_a_path_that_leads_to_no_file_is_named_at_the_start(tmp_path, name, error):
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("missing/db.duckdb")
    (tmp_path / "loop").symlink_to("loop")
    there = sorted(tmp_path.iterdir())
    with pytest.raises(LoaderError, match=error) as caught:
        TargetDuckDB(config={"path": str(tmp_path / name)})
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize("name", ["link", "new/folder/db.duckdb"])
def test_a_new_file_is_made_where_its_path_leads(tmp_path, name):
    (tmp_path / "link").symlink_to("new.duckdb")
    load(tmp_path / name, MESSAGES)
    assert query(tmp_path / name, "SELECT id FROM t") == [(1,)]


@contextmanager
def held(path):
    """Another process holds the file until its standard input is closed."""
    program = f"import duckdb; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder


@pytest.mark.parametrize("signum", [None, signal.SIGTERM])
def test_a_file_in_use_is_waited_for(tmp_path, signum):
    path = tmp_path / "db.duckdb"
    environment = {**os.environ, "TARGET_DUCKDB_PATH": str(path)}
    with held(path) as holder:
        target = subprocess.Popen(
            [SCRIPT, "--config=ENV"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert target.stdin is not None
        assert target.stdout is not None
        assert target.stderr is not None
        target.stdin.write("\n".join(MESSAGES))
        target.stdin.close()
        lines = iter(target.stderr.readline, "")
        assert any("in use by another process; waiting" in line for line in lines)
        if signum is not None:
            target.send_signal(signum)
            assert target.wait(30) == 128 + signum
        holder.stdin.close()
    rest, output = target.stderr.read(), target.stdout.read()
    assert ("(SIGTERM): 1 records since the last commit were dropped" in rest) is bool(signum)
    assert target.wait(30) == (128 + signum if signum else 0), rest
    assert output == ("" if signum else '{"n": 1}\n')
    target.stderr.close()
    target.stdout.close()
    if signum is None:
        assert query(path, "SELECT id FROM t") == [(1,)]


def test_a_file_that_stays_in_use_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "db.duckdb"
    monkeypatch.setattr(connecting, "_LOCK_WAIT_SECONDS", 0.5)
    with held(path) as holder:
        with pytest.raises(LoaderError, match="is in use by another process"):
            load(path, MESSAGES)
        holder.stdin.close()


def test_a_file_written_with_an_index_of_the_user_is_loaded(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, MESSAGES)
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE UNIQUE INDEX by_id ON t (id)")
    load(path, [MESSAGES[0], record("t", id=2)])
    assert query(path, "SELECT id FROM t ORDER BY id") == [(1,), (2,)]


@pytest.mark.parametrize("name", ["data.json", "data.parquet", "data.duckdb", "data"])
def test_a_file_of_another_kind_is_refused_before_anything_is_read(name, tmp_path):
    # By its ending alone DuckDB would open some of them as a view of the data, in memory.
    path = tmp_path / name
    path.write_text('{"a": 1}')
    with pytest.raises(LoaderError, match="is not a DuckDB file"):
        TargetDuckDB(config={"path": str(path)})
    assert path.read_text() == '{"a": 1}'


def test_an_empty_file_of_another_kind_is_not_loaded_into_memory(tmp_path):
    path = tmp_path / "data.json"
    path.touch()
    with pytest.raises(LoaderError, match="is not a DuckDB file"):
        load(path, MESSAGES)


def test_an_input_without_messages_ends_quietly(tmp_path):
    result = run(config={"path": "x.duckdb"}, folder=tmp_path, messages=[], cwd=tmp_path)
    assert result.returncode == 0
    assert problems(result.stderr) == []


def test_the_last_lines_sum_up(tmp_path):
    messages = [*MESSAGES, schema("another", {"id": INTEGER}, ["id"])]
    messages += [record("another", id=n) for n in range(1234)]
    result = run(config={"path": "x.duckdb"}, folder=tmp_path, messages=messages, cwd=tmp_path)
    lines = [line.rpartition("| ")[2] for line in result.stderr.splitlines()[-3:]]
    assert lines == [
        "another       1,234 rows",
        "t                 1 rows",
        f"Loaded 1,235 rows into {tmp_path / 'x.duckdb'}, dataset main",
    ]


def test_quarantined_records_are_not_counted_as_loaded(tmp_path):
    config = {"path": "x.duckdb", "on_bad_record": "quarantine"}
    messages = [*MESSAGES, record("t"), record("t", id="x")]
    result = run(config=config, folder=tmp_path, messages=messages, cwd=tmp_path)
    lines = [line.rpartition("| ")[2] for line in result.stderr.splitlines()[-3:]]
    assert lines == [
        "_singer_quarantine           2 rows",
        "t                            1 rows",
        f"Loaded 1 rows into {tmp_path / 'x.duckdb'}, dataset main, 2 records quarantined",
    ]


FORGED = "t\n2026-01-02 | ERROR | forged\x1b[31m\u202e"


@pytest.mark.parametrize(
    ("messages", "config"),
    [
        ([schema(FORGED, {"id": INTEGER}), record(FORGED, id=1)], {}),
        (
            [schema("t", {FORGED: STRING}), record("t", **{FORGED: 1})],
            {"validate_records": True},
        ),
        ([schema("t", {FORGED: INTEGER}, [FORGED]), record("t")], {"on_bad_record": "quarantine"}),
        ([schema("t", {"id": INTEGER}), record("t", id=1), "\x1b[31m\u202e{"], {}),
        ([schema("t", {FORGED: {"type": "integer"}}), record("t", **{FORGED: "x"})], {}),
        (['{"type": "' + FORGED.replace("\n", "\\n").replace("\x1b", "\\u001b") + '"}'], {}),
        (
            [
                schema("t", {"id": INTEGER}),
                json.dumps(
                    {
                        "type": "BATCH",
                        "stream": "t",
                        "encoding": {"format": "jsonl"},
                        "manifest": [FORGED],
                    }
                ),
            ],
            {},
        ),
    ],
)
def test_what_a_tap_sends_forges_no_line_of_the_log(tmp_path, messages, config):
    result = run(
        config={"path": "x.duckdb", **config}, folder=tmp_path, messages=messages, cwd=tmp_path
    )
    lines = result.stderr.split("\n")
    assert lines.pop() == ""
    assert all(line.isprintable() for line in lines)
    assert all(line.count(" | ") >= 3 for line in lines)
    assert not any(line.startswith("2026-01-02 |") for line in lines)
    assert "\\u202e" in result.stderr
