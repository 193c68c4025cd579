"""Tap and loader with files between them, one of the two killed at a random moment, and resumed.

``KILL_TRIALS`` says how often each side is killed (default 1).
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import EXECUTABLE, KEYS, NO_TOKENS, catalog_of, settings, sync
from tests.loader.support import SCRIPT, without_end_of_life
from tests.meltano.test_run import by_key, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

pytestmark = pytest.mark.slow

LOGGER = logging.getLogger(__name__)

TRIALS = int(os.environ.get("KILL_TRIALS", "1"))
STREAMS = (
    *("dbt_accounts", "dbt_projects", "dbt_jobs", "dbt_runs", "pulumi_organizations"),
    *("pulumi_stacks", "pulumi_stack_updates", "pulumi_deployments", "pulumi_audit_logs"),
)
#: Records of a file at the most.
SIZE = 7
LATENCY_MS = 60
#: How long after a file has come the kill comes.
SECONDS = 0.3


class Pair:
    """A tap and its loader, with all that they keep between two runs in one folder."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.root, self.database = folder / "files", folder / "all.duckdb"
        self.log = folder / "log"
        batch = {"storage": {"root": str(self.root)}, "batch_size": SIZE}
        tap = settings(simulator, concurrency=2, batch_config=batch)
        target = {"path": str(self.database), "batch_size_rows": 1, "default_target_schema": "all"}
        contents = {"tap": tap, "target": target, "catalog": catalog_of(STREAMS), "state": {}}
        paths = {name: folder / f"{name}.json" for name in contents}
        for name, content in contents.items():
            paths[name].write_text(json.dumps(content))
        self._state = paths["state"]
        options = ("--catalog", paths["catalog"], "--state", self._state)
        self._tap = [*map(str, (EXECUTABLE, "--config", paths["tap"], *options))]
        self._target = [SCRIPT, "--config", str(paths["target"])]

    def run(self, kill: str = "", number: int = 0, after: float = 0) -> dict[str, int]:
        """Run the pair; its last whole STATE is the next run's.

        Args:
            kill: Which of the two is killed, if one is.
            number: When the tap has written so many files,
            after: and so many seconds later.

        Returns:
            The exit codes.
        """
        with self.log.open("ab") as log:
            tap = subprocess.Popen(
                self._tap, stdout=subprocess.PIPE, stderr=log, env=without_end_of_life(NO_TOKENS)
            )
            target = subprocess.Popen(
                self._target,
                stdin=tap.stdout,
                stdout=subprocess.PIPE,
                stderr=log,
                env=without_end_of_life(NO_TOKENS),
            )
        assert tap.stdout is not None
        tap.stdout.close()
        if kill:
            while self._written() < number and tap.poll() is None:
                time.sleep(0.002)
            time.sleep(after)
            {"tap": tap, "target": target}[kill].kill()
        states, _ = target.communicate(timeout=600)
        lines = [line for line in states.splitlines(keepends=True) if line.endswith(b"\n")]
        if lines:
            self._state.write_bytes(lines[-1])
        codes = {"tap": tap.wait(timeout=600), "target": target.returncode}
        LOGGER.info("%s, %d STATEs, exit codes %s", kill or "nothing", len(lines), codes)
        return codes

    def _written(self) -> int:
        """How many files the tap has written, as far as the loader has not removed them."""
        numbers = (int(path.stem.rpartition("-")[2]) for path in self.root.rglob("*.jsonl"))
        return max(numbers, default=0)


@pytest.fixture(scope="module")
def files(_still: Simulator, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many files there are in an undisturbed sync."""
    batch = {"storage": {"root": str(tmp_path_factory.mktemp("files"))}, "batch_size": SIZE}
    outcome = sync(settings(_still, batch_config=batch), select=STREAMS)
    assert outcome.code == 0, outcome.log
    return sum(message["type"] == "BATCH" for message in outcome.messages)


@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize("killed", ["tap", "target"])
def test_nothing_is_lost_or_doubled_by_a_kill(
    killed: str, trial: int, files: int, still: Simulator, tmp_path: Path
) -> None:
    """The rows are the true ones, each once, when the next run has gone on from the last STATE."""
    dice = random.Random(f"{killed}{trial}")  # noqa: S311 (the same every time)
    pair = Pair(still, tmp_path)
    still.settings(latency_ms=LATENCY_MS)
    codes = pair.run(killed, dice.randint(1, files), dice.uniform(0, SECONDS))
    if codes != {"tap": 0, "target": 0}:  # the kill may come too late
        assert codes[killed] == -signal.SIGKILL
        if killed == "tap":  # a message that it was amid is told, and no more
            assert codes["target"] == (1 if "not valid JSON" in pair.log.read_text() else 0)
    still.settings(latency_ms=0)
    assert pair.run() == {"tap": 0, "target": 0}
    truth: dict[str, Any] = still.truths(*STREAMS)
    found = read(pair.database, "all", truth)  # refuses a key that comes twice
    for name, told in truth.items():
        assert found[name] == by_key(told["rows"], list(KEYS[name])), name
    # Of the run that ended by itself nothing is left.
    assert len([*pair.root.iterdir()]) <= 1
