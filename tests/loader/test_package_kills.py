"""target-dlt killed at random moments, on PostgreSQL, and resumed from its last STATE.

``KILL_TRIALS`` says how often for each load method; without it, upsert is tried once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    DLT_SCRIPT,
    INTEGER,
    STRING,
    load_dlt,
    record,
    schema,
    started,
    state,
)
from tests.loader.warehouses import Postgres

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.slow, needs_postgres]

TRIALS = int(os.environ.get("KILL_TRIALS", "0"))
METHODS = ["append-only", "upsert"] if TRIALS else ["upsert"]
STEPS = 6
ROWS = 40
# How many seconds a commit may take, and all before the first one.
COMMIT, START = 1.5, 6.0


def row(n: int, run: int) -> dict[str, Any]:
    return {"n": n, "run": run, "text": f"{n} {'x' * 20}"}


def messages(reached: int, run: int) -> list[str]:
    """Rows with and without a key; each step ends with a STATE."""
    columns = {"n": INTEGER, "run": INTEGER, "text": STRING}
    lines = [schema("keyed", columns, ["n"]), schema("keyless", columns)]
    for step in range(reached, STEPS):
        for n in range(step * ROWS, (step + 1) * ROWS):
            lines += [record(stream, **row(n, run)) for stream in ("keyed", "keyless")]
        lines.append(state(step + 1))
    return lines


def run_until_killed(config: Path, trial: int) -> list[int]:
    """Feed a target, kill it, and answer the states it told.

    The kill comes before the first STATE, or amid the commit after any of the others, in turn.
    """
    dice = random.Random(trial)  # noqa: S311 (the same every time)
    awaited = (trial + STEPS // 2) % STEPS
    with started(DLT_SCRIPT, config, messages(0, 1)) as (process, stdout, _):
        told = [stdout.readline() for _ in range(awaited)]
        time.sleep(dice.uniform(0, COMMIT if awaited else START))
        process.kill()
        states = [json.loads(line) for line in (*told, *stdout)]
    assert process.returncode == -signal.SIGKILL
    return states


@pytest.mark.parametrize("trial", range(TRIALS or 1))
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_lost_doubled_or_left_by_a_kill(
    server: Mapping[str, Any], tmp_path: Path, method: str, trial: int
) -> None:
    warehouse = Postgres.new(server)
    config = {
        **warehouse.config,
        "batch_size_rows": 1,
        "load_method": method,
        "temp_dir": str(tmp_path),
    }
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    states = run_until_killed(file, trial)
    assert states == list(range(1, len(states) + 1))
    load_dlt(messages(len(states), 2), **config)
    reached = len(states) * ROWS
    expected = [row(n, 1 if n < reached else 2) for n in range(STEPS * ROWS)]
    loads = {row["load_id"] for row in warehouse.rows("_dlt_loads")}
    for table in ("keyed", "keyless"):
        found = sorted(warehouse.rows(table), key=lambda row: row["n"])
        assert {row.pop("_dlt_load_id") for row in found} <= loads
        assert len({row.pop("_dlt_id") for row in found}) == len(found)
        assert found == expected, (table, states)
