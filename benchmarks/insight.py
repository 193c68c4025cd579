"""The models and the page of a large account: seconds, and how large the page is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.measuring import Command, measure
from benchmarks.report import Section
from tests.models.dbt import PROJECT, program

if TYPE_CHECKING:
    from benchmarks.bench import Bench

_JOBS, _RUNS, _STACKS, _UPDATES = 3_000, 300_000, 10_000, 12
_NOW = "2026-07-01T08:00:00Z"
_BIN = Path(sys.executable).parent
_MODELS, _PAGE, _BYTES = 60, 20, 1_500_000


def of_a_large_account(bench: Bench) -> Section:
    """Models and page of 3,000 jobs, 300,000 runs, 10,000 stacks, results of 14 days."""
    section = Section(
        "insight",
        "What is true of a simulated world is loaded without HTTP: an account of dbt Cloud and an "
        "organization of Pulumi Cloud over 200 days, results of nodes and checks of sources of "
        "the last 14. Then dbt makes all models and tests them, and the page is written.",
    )
    sizes = {
        "days": 200,
        "dbt_accounts": 1,
        "dbt_jobs": bench.size(_JOBS),
        "dbt_runs": bench.size(_RUNS),
        "dbt_detail_days": 14,
        "pulumi_orgs": 1,
        "pulumi_stacks": bench.size(_STACKS),
        "pulumi_updates": _UPDATES,
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        database, page = folder / "large.duckdb", folder / "report.html"
        messages = _messages(folder, sizes)
        (folder / "target.json").write_text(
            json.dumps({"path": str(database), "default_target_schema": "raw"})
        )
        what = f"{sizes['dbt_runs']:,} runs, {sizes['pulumi_stacks']:,} stacks"
        load = [str(_BIN / "target-duckdb"), "--config", str(folder / "target.json")]
        cost = measure(Command(load), stdin=messages)
        section.add(what, "target-duckdb", cost, None, f"{messages.stat().st_size / 1e6:,.0f} MB")
        messages.unlink()
        for command, aim in (("run", f" (aim: {_MODELS} s)"), ("test", "")):
            cost = measure(_dbt(command, folder, database))
            section.add(what, f"dbt {command}", cost, None, f"{cost.wall:.0f} s{aim}")
        written = [str(_BIN / "cloudapis-report"), str(database), "--output", str(page)]
        cost = measure(Command(written))
        size = page.stat().st_size
        section.add(
            *(what, "cloudapis-report", cost, None),
            f"{cost.wall:.0f} s (aim: {_PAGE} s), {size / 1e6:.2f} MB (aim: {_BYTES / 1e6} MB)",
        )
    return section


def _messages(folder: Path, sizes: dict[str, int]) -> Path:
    """Write what the staging views read, as Singer messages."""
    views = sorted((PROJECT / "models" / "staging").glob("stg_*.sql"))
    names = [re.sub(r"^stg_(dbt|pulumi)_cloud__", r"\1_", view.stem) for view in views]
    path = folder / "messages.jsonl"
    asked = json.dumps({"now": _NOW, "sizes": sizes, "streams": names})
    with path.open("w") as out:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.truth_messages"],
            input=asked,
            stdout=out,
            text=True,
            check=True,
        )
    return path


def _dbt(command: str, folder: Path, database: Path) -> Command:
    options = (
        *("--project-dir", PROJECT, "--profiles-dir", PROJECT),
        *("--target-path", folder / "dbt", "--log-path", folder / "dbt"),
        *("--vars", json.dumps({"as_of": _NOW, "source_schema": "raw"})),
    )
    env = {"CLOUDAPIS_MODELS_PATH": str(database), "CLOUDAPIS_MODELS_SOURCE_SCHEMA": "raw"}
    return Command([str(program()), command, *map(str, options)], env)
