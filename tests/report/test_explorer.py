"""The notebook: it runs from its first cell to its last, and writes nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cloudapis_report
from tests.report.world import World, write

NOTEBOOK = Path(cloudapis_report.__file__).parents[1] / "insight" / "explore.py"
PACKAGES = "duckdb,polars,altair"


def explore(database: Path) -> subprocess.CompletedProcess[str]:
    """Run the notebook as a script, with what the line of the documents brings."""
    uv = [os.environ.get("UV", "uv"), "run", "--quiet", "--no-project", "--python", sys.executable]
    return subprocess.run(
        [*uv, "--with", f"marimo,{PACKAGES}", NOTEBOOK, "--", "--database", str(database)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("world", [World(jobs=3, runs=5, stacks=2), None])
def test_the_notebook_runs_and_only_reads(world: World | None, tmp_path: Path) -> None:
    path = write(tmp_path / "models.duckdb", world)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    done = explore(path)
    assert (done.returncode, done.stderr) == (0, "")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_the_notebook_says_what_is_missing(tmp_path: Path) -> None:
    done = explore(tmp_path / "nowhere.duckdb")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_the_notebook_is_what_the_documents_say() -> None:
    line = f"uvx --with {PACKAGES} marimo run insight/explore.py -- --database "
    for path in (NOTEBOOK, NOTEBOOK.parents[1] / "docs" / "report.md"):
        assert line in path.read_text("utf-8")
    assert "read_only=True" in NOTEBOOK.read_text("utf-8")
