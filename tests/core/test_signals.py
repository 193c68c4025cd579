"""SIGTERM at random moments, into a pipe that is read at once and one that is full.

``SIGNAL_TRIALS`` says how often each is tried (default 2).
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import Outcome, latest, records_of, start_tap, sync
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

TRIALS = int(os.environ.get("SIGNAL_TRIALS", "2"))
RUNS = 1500
ACCOUNT = 7


def answer(path: str, query: dict[str, str]) -> Any:
    """An account with runs whose messages are up to 64 kB long."""
    if path == "/api/v3/accounts/":
        return listing([{"id": ACCOUNT, "name": "big"}], 1)
    if not path.endswith("/runs/"):
        return listing([], 0)
    after = int(query.get("id__gt", 0))
    rows = [a_run(number) for number in range(after + 1, RUNS + 1)]
    start = int(query["offset"])
    return listing(rows[start : start + int(query["limit"])], len(rows))


def listing(rows: list[Any], total: int) -> Any:
    return {
        "status": {"code": 200, "is_success": True},
        "data": rows,
        "extra": {"pagination": {"count": len(rows), "total_count": total}},
    }


def a_run(number: int) -> Any:
    return {
        "id": number,
        "account_id": ACCOUNT,
        "status": 10,
        "is_complete": True,
        "created_at": "2026-05-01 10:00:00.000001+00:00",
        "finished_at": f"2026-05-01 11:{number // 60 % 60:02}:{number % 60:02}.000000+00:00",
        "status_message": "é" * (number % 32 * 1000),
    }


@pytest.fixture(name="config", scope="module")
def a_server_with_large_records() -> Iterator[dict[str, Any]]:
    with ScriptedServer(answer) as server:
        yield {"dbt_token": "fake-token", "dbt_url": server.url}


@pytest.mark.parametrize("pipe", ["fast", "full"])
@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_signal_loses_nothing(
    trial: int, pipe: str, config: dict[str, Any], tmp_path: Path
) -> None:
    dice = random.Random(f"{pipe}{trial}")  # noqa: S311 - the same moments in every run
    cut = terminated(config, tmp_path, dice, full=pipe == "full")
    assert all(line.endswith(b"\n") for line in cut.lines)
    assert cut.code == 128 + signal.SIGTERM
    resumed = sync(config, state=cut.state)
    runs = latest(records_of([*cut.messages, *resumed.messages], "dbt_runs"), "dbt_runs")
    assert {run["id"] for run in runs.values()} == set(range(1, RUNS + 1))


def terminated(config: dict[str, Any], folder: Path, dice: random.Random, *, full: bool) -> Outcome:
    """Run the tap, and end it by SIGTERM some time after its first message."""
    tap = start_tap(config, folder)
    assert tap.stdout is not None
    lines = [tap.stdout.readline()]
    if full:
        # Nobody reads: the pipe fills, and the signal comes in the middle of a write.
        time.sleep(dice.uniform(0.1, 1.5))
        tap.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    else:
        lines += [tap.stdout.readline() for _ in range(dice.randrange(RUNS // 2))]
        tap.send_signal(signal.SIGTERM)
    lines += tap.stdout.readlines()
    return Outcome(tap.wait(timeout=60), lines)
