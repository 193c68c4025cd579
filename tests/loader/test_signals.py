"""A signal ends the load, and its last line says what is dropped."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.loader.support import INTEGER, SCRIPT, query, record, schema, state, typed

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
    with subprocess.Popen(
        [SCRIPT, "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("".join(f"{message}\n" for message in MESSAGES))
        process.stdin.flush()
        assert any("kept in table" in line for line in iter(process.stderr.readline, ""))
        process.send_signal(signum)
        assert process.stdout.read() == "10\n"
        lines = process.stderr.read().splitlines()
    assert process.returncode == 128 + signum
    name = signal.Signals(signum).name
    (line,) = lines
    assert " | WARNING " in line
    assert line.endswith(
        f"Ended by signal {signum.value} ({name}): 1,226 records since the last commit were dropped"
    )
    assert query(path, "SELECT count(*) FROM raw.t") == [(10,)]
