"""STATE: written only after the commit that holds every record before it."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import duckdb
import pytest

from tests.loader.support import (
    ENGINES,
    INTEGER,
    STRING,
    load,
    problems,
    query,
    raw_record,
    record,
    run,
    schema,
    state,
)

T = schema("t", {"id": INTEGER}, ["id"])


def test_the_last_state_comes_out_as_it_went_in(tmp_path, capsys):
    value = '{"bookmarks": {"t": {"é": 1.10, "big": 123456789012345678901234567890}}}'
    last = f'{{"type": "STATE", "value": {value}}}'
    load(tmp_path / "db.duckdb", [T, state({"x": 1}), record("t", id=1), last, record("t", id=2)])
    assert capsys.readouterr().out == value + "\n"


def test_a_state_that_is_no_strict_json_keeps_its_meaning(tmp_path, capsys):
    """As Python writes it: Meltano, which reads it back, is written in Python too."""
    value = {"half a pair": "\ud83d", "number": 1.5, "no": float("inf"), "big": 10**30}
    load(tmp_path / "db.duckdb", [T, record("t", id=1), state(value)])
    assert json.loads(capsys.readouterr().out) == value


def test_states_come_out_commit_by_commit(tmp_path, capsys, caplog):
    path = tmp_path / "db.duckdb"
    messages = [T]
    for n in range(1, 10):
        messages += [record("t", id=n), state({"n": n})]
    messages.append(record("t", id=10))
    with caplog.at_level("INFO", logger="target_dlt"):
        load(path, messages, batch_size_rows=4)
    assert [json.loads(line)["n"] for line in capsys.readouterr().out.splitlines()] == [4, 8, 9]
    assert query(path, "SELECT count(*) FROM t") == [(10,)]
    assert query(path, "SELECT count(*), sum(status) FROM _dlt_loads") == [(3, 0)]
    assert query(path, "SELECT count(*) FROM _dlt_pipeline_state") == [(3,)]
    committed = [text for text in caplog.messages if "Committed" in text]
    assert len(committed) == 3
    assert "4 rows" in committed[0]


def test_a_run_that_changes_nothing_writes_the_state_back(tmp_path, capsys):
    path = tmp_path / "db.duckdb"
    for _ in range(2):
        load(path, [T, state({"n": 1})])
        assert capsys.readouterr().out == '{"n": 1}\n'
    assert query(path, "SELECT count(*) FROM _dlt_pipeline_state") == [(1,)]


def test_any_number_of_records_between_two_states_is_one_commit(tmp_path, monkeypatch):
    from target_dlt.load import Load  # noqa: PLC0415

    monkeypatch.setattr(Load, "chunk_bytes", 10_000)
    monkeypatch.setattr(Load, "memory_bytes", 100_000)
    monkeypatch.setattr("target_dlt.messages.lines.SingerLineReader.report_bytes", 5_000)
    path = tmp_path / "db.duckdb"
    text = "x" * 500
    rows = [raw_record("t", f'{{"id": {n}, "text": "{text}{n}"}}') for n in range(3000)]
    temporary = tmp_path / "temporary"
    seen: list[str] = []
    temporary.mkdir()
    monkeypatch.setattr(Load, "_commit", _watched(Load._commit, temporary, seen))
    messages = [schema("t", {"id": INTEGER, "text": STRING}), *rows]
    load(path, messages, batch_size_rows=10, temp_dir=str(temporary))
    assert seen
    assert list(temporary.iterdir()) == []
    assert query(path, "SELECT count(DISTINCT text), sum(id) FROM t") == [(3000, 3000 * 2999 // 2)]
    assert query(path, "SELECT count(*) FROM _dlt_loads") == [(1,)]


def _watched(commit, folder, seen):
    """The commit, that notes which files wait for it."""

    def watched(self):
        seen.extend(file.name for file in folder.glob("*/*.arrow"))
        commit(self)

    return watched


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":[', "]}")])
def test_a_state_may_be_two_hundred_levels_deep(tmp_path, capsys, engine, opening, closing):
    times = 200 // len([c for c in opening if c in "[{"])
    value = opening * times + closing * times
    messages = [schema("t", {"id": INTEGER}, ["id"]), f'{{"type":"STATE","value":{value}}}']
    for _ in range(2):
        load(tmp_path / "db.duckdb", messages, engine=engine, default_target_schema="raw")
        assert capsys.readouterr().out == value + "\n"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("damage", ["newer", "damaged", "settings"])
def test_what_dlt_cannot_go_on_with_is_told_in_one_line(tmp_path, engine, damage):
    path = tmp_path / "db.duckdb"
    messages = [schema("t", {"id": INTEGER}, ["id"]), state(1)]
    options: dict[str, Any] = {"engine": engine, "default_target_schema": "raw"}
    load(path, messages, **options)
    if damage == "settings":
        (tmp_path / ".dlt").mkdir()
        (tmp_path / ".dlt" / "config.toml").write_text("this is = not toml [\n")
    else:
        with duckdb.connect(str(path)) as connection:
            kept = connection.execute("SELECT state FROM raw._dlt_pipeline_state").fetchone()
            assert kept is not None
            changed = json.loads(zlib.decompress(base64.b64decode(kept[0])))
            changed["_state_engine_version"] = 99
            packed = base64.b64encode(zlib.compress(json.dumps(changed).encode())).decode()
            text = packed if damage == "newer" else "damaged"
            connection.execute("UPDATE raw._dlt_pipeline_state SET state = ?", [text])
    config = {"path": str(path), **options}
    result = run(messages=messages, config=config, folder=tmp_path, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = problems(result.stderr)
    assert " ERROR " in line
