"""``dlt init`` from a checkout: what it copies, and that this runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

ROOT = Path(__file__).parents[2]
#: The command of dlt, in an interpreter of ours.
COMMAND = """
import sys
if {is_missing}:
    sys.modules["tap_cloudapis"] = None
from dlt._workspace.cli._dlt import main
sys.exit(main())
"""


def run(command: list[str], folder: Path, **more: str) -> str:
    env = {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", **more}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the layout, as a clone of this one has it."""
    folder = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "sources", folder / "sources", ignore=shutil.ignore_patterns("__pycache__")
    )
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        run(["git", *who, *step], folder)
    return folder


@pytest.mark.parametrize("is_missing", [False, True], ids=["installed", "missing"])
def test_init_makes_a_pipeline_that_runs(
    is_missing: bool, checkout: Path, tmp_path: Path, tiny: Simulator
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    init = [sys.executable, "-c", COMMAND.format(is_missing=is_missing), "--non-interactive"]
    command = [*init, "init", "cloudapis", "duckdb", "--location", str(checkout)]
    told = run(command, folder, DLT_DATA_DIR=str(tmp_path / "dlt"))
    assert "Verified source cloudapis was added to your project!" in told
    made = {str(p.relative_to(folder)) for p in folder.rglob("*.py")}
    assert made == {"cloudapis/__init__.py", "cloudapis_pipeline.py"}
    requirements = (folder / "requirements.txt").read_text().splitlines()
    assert "tap-cloudapis[dlt]" in requirements
    secrets = folder / ".dlt" / "secrets.toml"
    asked = tomllib.loads(secrets.read_text())["sources"]["cloudapis"]
    assert asked == {"dbt_token": "<configure me>", "pulumi_token": "<configure me>"}

    # Only one of the services is filled in.
    text = secrets.read_text().replace("<configure me>", tiny.dbt_token, 1)
    secrets.write_text(text)
    (folder / ".dlt" / "config.toml").write_text(
        f'[sources.cloudapis]\ndbt_url = "{tiny.dbt_url}"\ndbt_account_ids = []\n'
    )
    run([sys.executable, "cloudapis_pipeline.py"], folder, DLT_DATA_DIR=str(tmp_path / "dlt"))
    with duckdb.connect(str(folder / "cloudapis.duckdb"), read_only=True) as connection:
        runs = connection.execute("SELECT count(*) FROM cloudapis_data.dbt_runs").fetchall()
    assert runs == [(len(tiny.rows("dbt_runs")),)]
