"""Tests of `scripts/prove`: what it tells of the proofs it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts/prove.py"


def prove(*args: str, script: Path = SCRIPT, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, *args],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("matrix", "result", "code"),
    [
        (None, "skipped: there is no scripts/matrix", 0),
        ("echo '2 passed in 1s'", "ok", 0),
        (
            "echo 'SKIPPED [2] tests/test_a.py: no server'; echo '2 skipped'",
            "skipped: no server",
            0,
        ),
        ("echo 'SKIPPED [2] tests/test_a.py: no server'; echo '1 passed, 2 skipped'", "ok", 0),
        ("echo what went wrong; exit 3", "FAILED: exit code 3", 1),
    ],
)
def test_prove_says_how_a_proof_ended(
    matrix: str | None, result: str, code: int, tmp_path: Path
) -> None:
    script = tmp_path / "scripts/prove.py"
    script.parent.mkdir()
    script.write_text(SCRIPT.read_text("utf-8"), "utf-8")
    if matrix:
        (tmp_path / "scripts/matrix").write_text(f"#!/bin/sh\n{matrix}\n", "utf-8")
        (tmp_path / "scripts/matrix").chmod(0o755)
    done = prove("matrix", script=script, TMPDIR=str(tmp_path))
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"matrix  {result}  ")
    assert ("what went wrong" in done.stdout) == (code == 1)


def test_prove_lists_proofs_that_are_there() -> None:
    listed = prove("--list").stdout.splitlines()[1:]
    assert {line.split()[0] for line in listed} >= {"hub", "dlt", "kills", "signals", "bench"}
    named = {word for line in listed for word in line.split() if word.startswith("tests/")}
    assert named
    assert all((ROOT / file).exists() for file in named)


def test_prove_refuses_what_it_does_not_know() -> None:
    done = prove("hub", "nothing")
    assert done.returncode == 2
    assert "no proof is called nothing" in done.stderr
