"""A signal ends the load, and its last line says what is dropped."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from tests.loader.support import INTEGER, SCRIPT, query, record, schema, started, state, typed

MESSAGES = [schema("t", {"id": INTEGER, "list": typed("array")}, ["id"])]
MESSAGES += [record("t", id=n, list=[1, 2]) for n in range(10)]
MESSAGES += [state(10), *(record("t", id=n, list=[1, 2, 3]) for n in range(10, 1234))]
MESSAGES += [record("t", id=5000, more=1), record("t", id=None)]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "options",
    [{}, {"nesting": "tables"}, {"add_metadata_columns": True}, {"engine": "package"}],
)
def test_what_a_signal_drops_is_counted_in_one_warning(tmp_path, signum, options):
    path, config = tmp_path / "db.duckdb", tmp_path / "config.json"
    settings = {"path": str(path), "batch_size_rows": 10, "on_bad_record": "quarantine"}
    config.write_text(json.dumps({**settings, "default_target_schema": "raw", **options}))
    with started(SCRIPT, config, MESSAGES, subprocess.PIPE) as (process, stdout, stderr):
        assert any("kept in table" in line for line in iter(stderr.readline, ""))
        process.send_signal(signum)
        assert stdout.read() == "10\n"
        lines = stderr.read().splitlines()
    assert process.returncode == 128 + signum
    name = signal.Signals(signum).name
    (line,) = lines
    assert " | WARNING " in line
    assert line.endswith(
        f"Ended by signal {signum.value} ({name}): 1,226 records since the last commit were dropped"
    )
    assert query(path, "SELECT count(*) FROM raw.t") == [(10,)]
