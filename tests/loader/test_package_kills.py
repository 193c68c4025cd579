"""target-dlt killed at random moments, on PostgreSQL, and resumed from its last STATE.

KILL_TRIALS sets the number of kills for each load method; without it, upsert is tried once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.loader import postgres
from tests.loader.support import DLT_SCRIPT, INTEGER, STRING, record, schema, state
from tests.loader.warehouses import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIALS = int(os.environ.get("KILL_TRIALS", "0"))
METHODS = ["append-only", "upsert"] if TRIALS else ["upsert"]
STEPS = 6
ROWS = 40
EARLY, LATE = 3.0, 6.0

pytestmark = pytest.mark.skipif(
    postgres.binaries() is None, reason="no PostgreSQL server is installed here"
)


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, object]]:
    with postgres.server() as credentials:
        yield credentials


def messages(first: int, run: int) -> list[str]:
    """Rows with and without a key; each step ends with a STATE."""
    lines = [
        schema("keyed", {"id": INTEGER, "run": INTEGER, "text": STRING}, ["id"]),
        schema("keyless", {"n": INTEGER, "text": STRING}),
    ]
    for step in range(first, STEPS):
        begin = step * ROWS
        for n in range(begin, begin + ROWS):
            lines += [record("keyed", id=n, run=run, text="x" * 50), record("keyless", n=n)]
        lines.append(state({"next": step + 1}))
    return lines


def run_until_killed(config: Path, lines: list[str], trial: int) -> list[int]:
    """Feed a target, kill it, and answer the states it told.

    Every other time the kill comes after the first STATE, amid a commit or between two.
    """
    with subprocess.Popen(
        [DLT_SCRIPT, "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"{line}\n" for line in lines))  # less than a pipe holds
        process.stdin.flush()
        told = [process.stdout.readline()] if trial % 2 else []
        time.sleep(random.uniform(0, EARLY if told else LATE))  # noqa: S311
        process.send_signal(signal.SIGKILL)
        return [json.loads(line)["next"] for line in (*told, *process.stdout)]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_lost_doubled_or_left_by_a_kill(server, tmp_path, method):
    config = tmp_path / "config.json"
    completed = 0
    trials = TRIALS or 1
    for trial in range(1, trials + 1):
        name = f"{method[:6]}_{trial}"
        Postgres(server, "postgres").execute(f"CREATE DATABASE {name}")
        warehouse = Postgres(server, name)
        settings = {"batch_size_rows": 1, "load_method": method, "temp_dir": str(tmp_path)}
        config.write_text(json.dumps({**warehouse.config, **settings}))
        states = run_until_killed(config, messages(0, 1), trial)
        assert states == list(range(1, len(states) + 1))
        completed += len(states)
        reached = states[-1] if states else 0
        subprocess.run(
            [DLT_SCRIPT, "--config", str(config)],
            input="".join(f"{line}\n" for line in messages(reached, 2)),
            text=True,
            check=True,
            capture_output=True,
        )
        for table, column in {"keyed": "id", "keyless": "n"}.items():
            rows = warehouse.rows(table)
            found = Counter(row[column] for row in rows)
            assert found == dict.fromkeys(range(STEPS * ROWS), 1), (trial, table, states)
            loads = {row["load_id"] for row in warehouse.rows("_dlt_loads")}
            assert {row["_dlt_load_id"] for row in rows} <= loads, (trial, table, states)
        runs = {row["id"]: row["run"] for row in warehouse.rows("keyed")}
        assert all(runs[n] == 2 for n in range(reached * ROWS, STEPS * ROWS))
        Postgres(server, "postgres").execute(f"DROP DATABASE {name} WITH (FORCE)")
    print(f"{method}: {trials} kills, {completed} states told before them")  # noqa: T201
