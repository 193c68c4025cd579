"""The end of the process at random moments, and the run that goes on from its last STATE.

``KILL_TRIALS`` says how often each is tried (default 1).
"""

# ruff: noqa: S608 (table names are our own)

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import threading
import time
import zlib
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.loader.support import INTEGER, SCRIPT, STRING, query, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
LOGGER = logging.getLogger(__name__)

TRIALS = int(os.environ.get("KILL_TRIALS", "1"))
RECORDS = 270
STEP = 15
COMMIT_ROWS = 45
# Stream, its key, and how many different keys it has: the last stream updates its rows.
STREAMS = (("plain", (), RECORDS), ("keyed", ("id",), RECORDS), ("changing", ("id",), 30))
TEXT = "x" * 100


def messages(start: int) -> Iterator[str]:
    """What the tap sends when it goes on from a STATE: records in turn, a STATE now and then."""
    for name, keys, _ in STREAMS:
        yield schema(name, {"id": INTEGER, "n": INTEGER, "text": STRING}, keys)
    for n in range(start, RECORDS):
        name, _, different = STREAMS[n % len(STREAMS)]
        yield record(name, id=n % different, n=n, text=TEXT)
        if n % STEP == STEP - 1:
            yield state({"next": n + 1})


def tables(sent: Iterable[int], method: str) -> dict[str, list[int]]:
    """The `n` of every row that those records make, in the order of `n`."""
    rows: dict[str, list[tuple[int, int]]] = {name: [] for name, *_ in STREAMS}
    for n in sent:
        name, keys, different = STREAMS[n % len(STREAMS)]
        key = n % different
        if keys and method == "upsert":
            rows[name] = [row for row in rows[name] if row[0] != key]
        rows[name].append((key, n))
    return {name: sorted(n for _, n in found) for name, found in rows.items()}


@dataclass
class Outcome:
    """How a run ended: the STATE told last, the one committed last, and the exit code."""

    told: int
    stored: int
    code: int


@dataclass
class Loading:
    """Runs of the target on one file; each goes on from what the one before it told."""

    path: Path
    method: str
    told: int = 0
    sent: list[int] = field(default_factory=list)

    def run(self, signum: int | None = None, after: float = 0) -> Outcome:
        """Run the target, and send it a signal some seconds after its start."""
        config = {
            "path": str(self.path),
            "batch_size_rows": COMMIT_ROWS,
            "load_method": self.method,
        }
        file = self.path.with_suffix(".json")
        file.write_text(json.dumps(config))
        process = subprocess.Popen(
            [SCRIPT, "--config", str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        feeder = threading.Thread(target=_feed, args=(process, list(messages(self.told))))
        feeder.start()
        watchdog = threading.Timer(180, process.kill)
        watchdog.start()
        if signum is not None:
            time.sleep(after)
            process.send_signal(signum)
        assert process.stdout is not None
        with process.stdout as output:
            lines = output.readlines()
        code = process.wait()
        watchdog.cancel()
        feeder.join()
        assert all(line.endswith(b"\n") for line in lines)
        start, self.told = self.told, json.loads(lines[-1])["next"] if lines else self.told
        stored = self.stored()
        self.sent += range(start, stored)
        return Outcome(self.told, stored, code)

    def stored(self) -> int:
        """Read from the file, as dlt does, how far the committed STATE goes."""
        if not self.path.exists() or not self.rows("_dlt_pipeline_state", "count(*)"):
            return 0
        found = query(
            self.path,
            "SELECT state FROM _dlt_pipeline_state WHERE _dlt_load_id IN "
            "(SELECT load_id FROM _dlt_loads WHERE status = 0) ORDER BY version DESC LIMIT 1",
        )
        if not found:
            return 0
        document = json.loads(zlib.decompress(b64decode(found[0][0])))
        return int(document["sources"]["singer"]["state"]["next"])

    def rows(self, table: str, columns: str) -> list[tuple[int, ...]]:
        """Read a table, which may not have been made yet."""
        known = query(self.path, f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{table}'")
        return query(self.path, f"SELECT {columns} FROM {table} ORDER BY ALL") if known else []

    def check(self) -> None:
        """Hold every row to what was sent; none may be of a load that dlt does not know."""
        if not self.path.exists():
            assert not self.sent
            return
        for name, expected in tables(self.sent, self.method).items():
            assert [n for (n,) in self.rows(name, "n")] == expected, name
            loads = {load for (load,) in self.rows("_dlt_loads", "load_id")}
            assert {load for (load,) in self.rows(name, "_dlt_load_id")} <= loads


def _feed(process: subprocess.Popen[bytes], lines: list[str]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as entry:
        entry.write("".join(f"{line}\n" for line in lines).encode())


@pytest.fixture(name="seconds", scope="module")
def how_long_a_whole_run_takes(tmp_path_factory: pytest.TempPathFactory) -> float:
    loading = Loading(tmp_path_factory.mktemp("whole") / "db.duckdb", "upsert")
    started = time.monotonic()
    assert loading.run() == Outcome(RECORDS, RECORDS, 0)
    taken = time.monotonic() - started
    loading.check()
    return taken


@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize("method", ["append-only", "upsert"])
def test_nothing_is_lost_by_a_kill_at_any_moment(
    trial: int, method: str, seconds: float, tmp_path: Path
) -> None:
    """Every moment: start-up, reading, commits, exit.

    Rows that are appended come twice only if the kill hits between their commit and its STATE.
    """
    dice = random.Random(f"{method}{trial}")  # noqa: S311 (the same in every run)
    loading = Loading(tmp_path / "db.duckdb", method)
    outcome = loading.run(signal.SIGKILL, dice.uniform(0, 1.05 * seconds))
    loading.check()
    LOGGER.info("%s: %s", method, outcome)
    assert outcome.code in {-signal.SIGKILL, 0}
    assert outcome.told <= outcome.stored
    assert loading.run() == Outcome(RECORDS, RECORDS, 0)
    loading.check()


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_signal_loses_and_doubles_nothing(trial: int, seconds: float, tmp_path: Path) -> None:
    dice = random.Random(trial)  # noqa: S311 (the same in every run)
    signum = dice.choice([signal.SIGTERM, signal.SIGINT])
    loading = Loading(tmp_path / "db.duckdb", "append-only")
    outcome = loading.run(signum, dice.uniform(0, 1.05 * seconds))
    loading.check()
    LOGGER.info("%s: %s", signum.name, outcome)
    # Until the handlers are in place, a signal does what it does by default.
    assert outcome.code in {128 + signum, 0, -signum}
    assert outcome.told == outcome.stored
    assert loading.run() == Outcome(RECORDS, RECORDS, 0)
    loading.check()
