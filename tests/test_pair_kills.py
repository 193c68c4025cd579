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

from tests.core.syncing import BY_DEFAULT, EXECUTABLE, KEYS, NO_TOKENS, catalog_of, settings
from tests.loader.support import SCRIPT, without_end_of_life
from tests.meltano.test_run import by_key, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

pytestmark = pytest.mark.slow

LOGGER = logging.getLogger(__name__)

TRIALS = int(os.environ.get("KILL_TRIALS", "1"))
#: How long the tap takes at this latency, from its first message on.
SECONDS = 4.0
LATENCY_MS = 20


class Pair:
    """A tap and its loader, with all that they keep between two runs in one folder."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.root, self.database = folder / "files", folder / "all.duckdb"
        self._log = folder / "log"
        batch = {"storage": {"root": str(self.root)}, "batch_size": 7}
        tap = settings(simulator, concurrency=2, batch_config=batch)
        target = {"path": str(self.database), "batch_size_rows": 1, "default_target_schema": "all"}
        contents = {"tap": tap, "target": target, "catalog": catalog_of(BY_DEFAULT), "state": {}}
        paths = {name: folder / f"{name}.json" for name in contents}
        for name, content in contents.items():
            paths[name].write_text(json.dumps(content))
        self._state = paths["state"]
        options = ("--catalog", paths["catalog"], "--state", self._state)
        self._tap = [*map(str, (EXECUTABLE, "--config", paths["tap"], *options))]
        self._target = [SCRIPT, "--config", str(paths["target"])]

    def run(self, kill: str = "", after: float = 0) -> dict[str, int]:
        """Run the pair; its last whole STATE is the next run's.

        Args:
            kill: Which of the two is killed, if one is.
            after: So many seconds after the loader has seen the first message.

        Returns:
            The exit codes.
        """
        with self._log.open("ab") as log:
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
            while not self.root.exists() or not [*self.root.rglob("*.jsonl")]:
                assert tap.poll() is None, self._log.read_text()
                time.sleep(0.005)
            time.sleep(after)
            {"tap": tap, "target": target}[kill].kill()
        states, _ = target.communicate(timeout=120)
        lines = [line for line in states.splitlines(keepends=True) if line.endswith(b"\n")]
        if lines:
            self._state.write_bytes(lines[-1])
        codes = {"tap": tap.wait(timeout=120), "target": target.returncode}
        LOGGER.info("%s, %d STATEs, exit codes %s", kill or "nothing", len(lines), codes)
        return codes


@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize("killed", ["tap", "target"])
def test_nothing_is_lost_or_doubled_by_a_kill(
    killed: str, trial: int, still: Simulator, tmp_path: Path
) -> None:
    """The rows are the true ones, each once, when the next run has gone on from the last STATE."""
    dice = random.Random(f"{killed}{trial}")  # noqa: S311 (the same every time)
    pair = Pair(still, tmp_path)
    still.settings(latency_ms=LATENCY_MS)
    codes = pair.run(killed, dice.uniform(0, SECONDS))
    if codes != {"tap": 0, "target": 0}:  # the kill may come too late
        assert codes[killed] == -signal.SIGKILL
    still.settings(latency_ms=0)
    assert pair.run() == {"tap": 0, "target": 0}
    truth: dict[str, Any] = still.truths(*BY_DEFAULT)
    found = read(pair.database, "all", truth)  # refuses a key that comes twice
    for name, told in truth.items():
        assert found[name] == by_key(told["rows"], list(KEYS[name])), name
    # Of the run that ended by itself nothing is left.
    assert len([*pair.root.iterdir()]) <= 1
