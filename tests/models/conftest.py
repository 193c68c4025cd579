"""What tests of the models share."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import KEYS, settings, sync
from tests.meltano.projects import BIN
from tests.models import known
from tests.models.dbt import Place
from tests.models.tables import Row, rows_of, write
from tests.simulator_process import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = "2026-07-01T12:00:00Z"
WORLD = {
    "now": NOW,
    "days": 60,
    "dbt_accounts": 1,
    "dbt_jobs": 6,
    "dbt_runs": 150,
    "dbt_detail_days": 20,
    "pulumi_orgs": 1,
    "pulumi_stacks": 14,
    "pulumi_updates": 6,
}
VARIABLES = {"as_of": NOW, "report_time_zone": "America/St_Johns"}


@pytest.fixture(scope="session", name="ask")
def ask_the_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Row]]:
    """The models of a small world, read in Berlin, by queries."""
    database: Path = tmp_path_factory.mktemp("known") / "known.duckdb"
    write(database, known.tables())
    place = Place.duckdb(database)
    # Every test of the project holds, though most streams and columns are not there.
    printed = place.must("build", as_of=known.NOW, report_time_zone="Europe/Berlin")
    assert "WARN=0 ERROR=0" in printed
    return partial(rows_of, database)


@pytest.fixture(scope="session", name="messages")
def read_by_the_tap() -> bytes:
    """What the tap says of everything in a simulated world."""
    with Simulator(**WORLD) as simulator:
        outcome = sync(settings(simulator), select=KEYS)
    assert outcome.code == 0, outcome.log
    return b"\n".join(outcome.lines)


def load(messages: bytes, target: str, config: Path, where: dict[str, Any]) -> None:
    """Have a loader load messages; its settings are written into a file."""
    config.write_text(json.dumps(where))
    command = [str(BIN / target), "--config", str(config)]
    done = subprocess.run(command, input=messages, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="session", name="database")
def built_in_duckdb(messages: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables of that world, and the models of them."""
    database: Path = tmp_path_factory.mktemp("duckdb") / "loaded.duckdb"
    where = {"path": str(database), "default_target_schema": "raw"}
    load(messages, "target-duckdb", database.with_suffix(".json"), where)
    printed = Place.duckdb(database).must("build", **VARIABLES)
    assert "WARN=0 ERROR=0 SKIP=0" in printed
    return database
