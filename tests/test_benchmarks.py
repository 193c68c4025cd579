"""Tests of the benchmarks' own arithmetic, and of what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import Cost, Output, pairwise

ROOT = Path(__file__).parents[1]


def test_bench_refuses_a_commit_that_is_not_there() -> None:
    command = [sys.executable, "-m", "benchmarks", "dbt", "--against", "no-such-commit"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "fatal" in done.stderr.splitlines()[-1]


def test_pairs_of_runs_make_ratios() -> None:
    ours = [Cost(wall=2, cpu=1, peak_mb=50), Cost(3, 1, 50), Cost(1, 4, 50)]
    theirs = [Cost(wall=1, cpu=1, peak_mb=100), Cost(2, 2, 100), Cost(1, 2, 100)]
    assert pairwise(ours, theirs) == (
        "CPU 1.00x (0.50 to 2.00), wall 1.50x (1.00 to 2.00), memory 0.50x (0.50 to 0.50)"
    )


def test_records_are_counted_by_stream() -> None:
    output = Output()
    lines = [b'{"type":"RECORD","stream":"%b","record":{}}\n' % name for name in (b"a", b"b", b"a")]
    output.read([b'{"type":"SCHEMA","stream":"a"}\n', *lines], keep=True)
    assert output.counts() == {"a": 2, "b": 1}
