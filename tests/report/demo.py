"""The page of the demo at a given time: the tap, the loader, the models and the page, for real."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from tap_cloudapis.demo import WORLD
from tests.core.syncing import EXECUTABLE, KEYS, settings, sync
from tests.models.dbt import Place
from tests.report.writing import Written, report
from tests.simulator_process import Simulator

if TYPE_CHECKING:
    from pathlib import Path


def written_demo(folder: Path, now: str, zone: str = "UTC") -> Written:
    """Write the page of the demo's world.

    Args:
        folder: For the database and the page.
        now: The time there.
        zone: The time zone of the models.
    """
    options = {name[2:]: value for name, value in zip(WORLD[::2], WORLD[1::2], strict=True)}
    with Simulator(now=now, **options) as simulator:
        outcome = sync({**settings(simulator), "pulumi_update_detail_days": 36_500}, select=KEYS)
    assert outcome.code == 0, outcome.log
    database = folder / "demo.duckdb"
    config = folder / "target.json"
    config.write_text(json.dumps({"path": str(database), "default_target_schema": "raw"}))
    subprocess.run(
        [EXECUTABLE.with_name("target-duckdb"), "--config", config],
        input=b"\n".join(outcome.lines),
        capture_output=True,
        check=True,
    )
    printed = Place.duckdb(database).must("build", as_of=now, report_time_zone=zone)
    assert "WARN=0 ERROR=0 SKIP=0" in printed
    path = folder / "page" / "report.html"
    done = report(database, "--output", path, folder=folder)
    return Written(database, path, done.returncode, done.stdout, done.stderr)
