"""Everything of dbt Cloud by a real process, table by table: true, whole and once.

`EVERYTHING_RUNS=5000 scripts/test tests/dbt/test_everything.py` proves it for so many runs in each
of two accounts.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import (
    EXECUTABLE,
    KEYS,
    NAMES,
    NO_TOKENS,
    Outcome,
    assert_rows,
    catalog_of,
    settings,
)
from tests.simulator_process import END_OF_HISTORY, SECRET_MARKER, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.core.syncing import Record

RUNS = int(os.getenv("EVERYTHING_RUNS", "20"))
WORLD = {"dbt_accounts": 2, "dbt_jobs": 12, "dbt_runs": RUNS, "pulumi_orgs": 0}
DBT = [name for name in NAMES if name.startswith("dbt_")]
BEFORE_THE_WORLD = "2020-01-01"


def process(config: Record, folder: Path) -> Outcome:
    """Run the tap on all streams of dbt Cloud; its output stays in a file of the folder."""
    files = {"config": config, "catalog": catalog_of(DBT)}
    arguments = []
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content))
        arguments += [f"--{name}", str(path)]
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        done = subprocess.run(
            [EXECUTABLE, *arguments], stdout=out, stderr=log, env=NO_TOKENS, check=False
        )
    return Outcome(done.returncode, [], (folder / "log").read_text().splitlines())


def records(folder: Path, stream: str) -> Iterator[Record]:
    """The records of one stream in the file; others are not decoded."""
    beginning = f'{{"type":"RECORD","stream":"{stream}",'.encode()
    with (folder / "out").open("rb") as lines:
        for line in lines:
            if line.startswith(beginning):
                yield json.loads(line)["record"]


def assert_whole(folder: Path, simulator: Simulator) -> None:
    """Each table is what is true, and no row came twice."""
    for name in DBT:
        found: dict[tuple[Any, ...], Record] = {}
        for record in records(folder, name):
            key = tuple(record[column] for column in KEYS[name])
            assert key not in found, f"{name} {key} came twice"
            found[key] = record
        rows = {tuple(row[column] for column in KEYS[name]): row for row in simulator.rows(name)}
        assert rows, f"the simulator has no {name}"
        assert_rows(rows, found, name)


@pytest.mark.slow
@pytest.mark.parametrize("pages", [{}, {"page_cap": 10}, {"page_cap": 10, "over_cap": "reject"}])
def test_everything(pages: dict[str, Any], tmp_path: Path) -> None:
    with Simulator(now=END_OF_HISTORY, **WORLD, **pages) as simulator:
        config = settings(simulator, "dbt", start_date=BEFORE_THE_WORLD)
        outcome = process(config, tmp_path)
        assert outcome.code == 0, outcome.log
        assert_whole(tmp_path, simulator)
        with (tmp_path / "out").open("rb") as lines:
            assert not any(SECRET_MARKER.encode() in line for line in lines)
    assert not outcome.says(SECRET_MARKER)
