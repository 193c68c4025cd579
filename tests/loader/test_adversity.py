"""What goes wrong around a load: full disks, readers that are gone, others that write too."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from target_dlt.errors import LoaderError
from tests.loader.support import (
    INTEGER,
    SCRIPT,
    STRING,
    load,
    problems,
    query,
    raw_record,
    record,
    run,
    schema,
    state,
    without_end_of_life,
)

T = schema("t", {"id": INTEGER, "text": STRING})
# prctl(2) and capabilities(7): CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
PR_CAPBSET_DROP, OVERRIDES = 24, (1, 2)
ORPHANS = "SELECT count(*) FROM t WHERE _dlt_load_id NOT IN (SELECT load_id FROM _dlt_loads)"


def numbered(rows, step, *, text=""):
    """Rows that do not compress, and a STATE with the number of rows before it."""
    yield T
    for n in range(rows):
        yield raw_record("t", f'{{"id": {n}, "text": "{text or os.urandom(300).hex()}"}}')
        if n % step == step - 1:
            yield state(n + 1)


def limited(size):
    """Let no file of the process become larger, as a full disk does."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_keeps_what_was_told(tmp_path):
    path = tmp_path / "db.duckdb"
    config = {"path": str(path), "batch_size_rows": 500}
    result = run(
        messages=numbered(6000, 500),
        config=config,
        folder=tmp_path,
        preexec_fn=limited(1_500_000),
    )
    assert result.returncode == 1
    (line,) = problems(result.stderr)
    assert "File too large" in line
    assert str(path) in line
    told = int(result.stdout.split()[-1])
    assert 0 < told < 6000
    assert query(path, "SELECT count(*), max(id) + 1 FROM t") == [(told, told)]
    assert query(path, ORPHANS) == [(0,)]
    load(path, [T, *[record("t", id=n) for n in range(told, 6000)]])
    assert query(path, "SELECT count(*), count(DISTINCT id) FROM t") == [(6000, 6000)]


def test_no_room_for_temporary_files_is_told_with_their_setting(tmp_path, monkeypatch):
    from target_dlt.load import Load  # noqa: PLC0415

    monkeypatch.setattr(Load, "chunk_bytes", 1_000_000)
    monkeypatch.setattr(Load, "memory_bytes", 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        with pytest.raises(LoaderError, match=r"temporary file.*temp_dir"):
            load(tmp_path / "db.duckdb", numbered(6000, 6000), temp_dir=str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "db.duckdb").exists()


def test_a_reader_of_states_that_is_gone_ends_the_load_in_one_line(tmp_path):
    path = tmp_path / "db.duckdb"
    reading, writing = os.pipe()
    os.close(reading)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"path": str(path), "batch_size_rows": 10}))
    result = subprocess.run(
        [SCRIPT, "--config", str(config)],
        input="".join(f"{line}\n" for line in numbered(100, 10)),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
        env=without_end_of_life(os.environ),
    )
    os.close(writing)
    assert result.returncode == 1
    (line,) = problems(result.stderr)
    assert "cannot write the STATE to standard output: [Errno 32] Broken pipe" in line
    assert query(path, "SELECT count(*) FROM t") == [(10,)]
    assert query(path, ORPHANS) == [(0,)]


def test_a_state_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    with open("/dev/full", "w") as full:  # noqa: PTH123 (a device)
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(LoaderError, match="cannot write the STATE to standard output"):
            load(tmp_path / "db.duckdb", [T, record("t", id=1), state(1)])
    assert query(tmp_path / "db.duckdb", "SELECT id FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("descriptor", "messages", "error"),
    [(0, [], "standard input is closed"), (1, [T, state(1)], "standard output: it is closed")],
)
def test_a_closed_standard_stream_is_told_in_one_line(tmp_path, descriptor, messages, error):
    result = run(
        messages=messages,
        config={"path": str(tmp_path / "db.duckdb")},
        folder=tmp_path,
        preexec_fn=lambda: os.close(descriptor),
    )
    assert result.returncode == 1
    (line,) = problems(result.stderr)
    assert error in line


def test_a_signal_does_not_cut_a_state_that_is_being_written(tmp_path):
    """The pipe is full in the middle of the line when the signal comes."""
    long = "é" * 200_000
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"path": str(tmp_path / "db.duckdb")}))
    with subprocess.Popen(
        [SCRIPT, "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join([T, record("t", id=1), state(long)]).encode())
        process.stdin.close()
        begin = process.stdout.read(1)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert json.loads(begin + process.stdout.read()) == long
        assert process.wait(60) == 128 + signal.SIGTERM


@pytest.mark.slow
def test_two_loads_into_one_file_at_the_same_time(tmp_path):
    path = tmp_path / "db.duckdb"
    processes = []
    for name in ("one", "two"):
        config = tmp_path / f"{name}.json"
        config.write_text(json.dumps({"path": str(path), "batch_size_rows": 25}))
        # Both streams make a table of their own, and both fill the same one.
        lines = [T, schema(name, {"id": INTEGER}, ["id"])]
        for n in range(100):
            lines += [record("t", id=n, text=name), record(name, id=n), state({name: n})]
        input_ = tmp_path / f"{name}.singer"
        input_.write_text("".join(f"{line}\n" for line in lines))
        with input_.open() as source:
            processes.append(
                subprocess.Popen(
                    [SCRIPT, "--config", str(config)],
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
    ended = [(process.communicate(timeout=120), process.returncode) for process in processes]
    for name, ((output, log), code) in zip(("one", "two"), ended, strict=True):
        assert code == 0, log
        assert json.loads(output.splitlines()[-1]) == {name: 99}
        assert query(path, f"SELECT count(*), max(id) FROM {name}") == [(100, 99)]  # noqa: S608
    assert query(
        path, "SELECT text, count(DISTINCT id), count(*) FROM t GROUP BY 1 ORDER BY 1"
    ) == [
        ("one", 100, 100),
        ("two", 100, 100),
    ]
    assert query(path, ORPHANS) == [(0,)]
    assert query(path, "SELECT count(DISTINCT load_id), count(*) FROM _dlt_loads") == [(16, 16)]


def heeding_modes():
    """Take from a superuser's process what lets it override file modes; others have nothing."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in OVERRIDES:
            libc.prctl(PR_CAPBSET_DROP, capability)


@pytest.mark.parametrize(
    ("is_there", "read_only"), [(True, "db.duckdb"), (True, "."), (False, ".")]
)
def test_a_file_that_may_not_be_written_is_named(tmp_path, is_there, read_only):
    folder = tmp_path / "output"
    folder.mkdir()
    path = folder / "db.duckdb"
    if is_there:
        load(path, [T, record("t", id=1)])
    (folder / read_only).chmod(0o555)
    result = run(
        messages=[T, record("t", id=2), state(1)],
        config={"path": str(path)},
        folder=tmp_path,
        preexec_fn=heeding_modes,
    )
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = problems(result.stderr)
    assert f"cannot write {path}: " in line
    assert list(folder.iterdir()) == [path] * is_there
    if is_there:
        assert query(path, "SELECT id FROM t") == [(1,)]
