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
import time
import zlib
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.loader.support import (
    INTEGER,
    SCRIPT,
    STRING,
    load,
    query,
    record,
    schema,
    started,
    state,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
LOGGER = logging.getLogger(__name__)

TRIALS = int(os.environ.get("KILL_TRIALS", "1"))
RECORDS = 270
STEP = 15
COMMIT_ROWS = 45
COMMITS = RECORDS // COMMIT_ROWS
# How many seconds a commit may take, and all before the first one.
COMMIT, START = 0.1, 2.0
# Stream, its key, and how many different keys it has: the last stream updates its rows.
STREAMS = (("plain", (), RECORDS), ("keyed", ("id",), RECORDS), ("changing", ("id",), 30))

Row = tuple[int, int, str]


def row_of(n: int) -> tuple[str, Row]:
    """The stream of a record, and its values."""
    name, _, different = STREAMS[n % len(STREAMS)]
    return name, (n % different, n, f"{n} {'x' * 50}")


def messages(start: int) -> Iterator[str]:
    """What the tap sends when it goes on from a STATE: records in turn, a STATE now and then."""
    for name, keys, _ in STREAMS:
        yield schema(name, {"id": INTEGER, "n": INTEGER, "text": STRING}, keys)
    for n in range(start, RECORDS):
        name, (key, _, text) = row_of(n)
        yield record(name, id=key, n=n, text=text)
        if n % STEP == STEP - 1:
            yield state({"next": n + 1})


def tables(sent: Iterable[int], method: str) -> dict[str, list[Row]]:
    """The rows that those records make, in order."""
    keyed = {name for name, keys, _ in STREAMS if keys and method == "upsert"}
    rows: dict[str, dict[int, Row]] = {name: {} for name, *_ in STREAMS}
    for number, n in enumerate(sent):
        name, row = row_of(n)
        rows[name][row[0] if name in keyed else number] = row
    return {name: sorted(found.values()) for name, found in rows.items()}


@dataclass
class Loading:
    """Loads into one file, each of which goes on from the last STATE that the one before told.

    Attributes:
        told: That STATE.
        sent: The records that are in the file by what its own state says.
    """

    path: Path
    method: str
    told: int = 0
    sent: list[int] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        return {"batch_size_rows": COMMIT_ROWS, "load_method": self.method}

    def cut(self, signum: int, trial: int) -> int:
        """Start the target, send it a signal, and answer its exit code.

        The signal comes before the first STATE, or amid the commit after any of the others, in
        turn. The input stays open until then, so that the target cannot have ended by itself.
        """
        dice = random.Random(f"{self.method}{signum}{trial}")  # noqa: S311 (the same every time)
        awaited = (trial + COMMITS // 2) % COMMITS
        file = self.path.with_suffix(".json")
        file.write_text(json.dumps({**self.config, "path": str(self.path)}))
        with started(SCRIPT, file, messages(0)) as (process, stdout, _):
            lines = [stdout.readline() for _ in range(awaited)]
            time.sleep(dice.uniform(0, COMMIT if awaited else START))
            process.send_signal(signum)
            lines += stdout.readlines()
        assert all(line.endswith("\n") for line in lines)
        self.told = json.loads(lines[-1])["next"] if lines else 0
        self.sent += range(self.stored())
        LOGGER.info("Exit code %d, STATE %d of %d", process.returncode, self.told, self.stored())
        return process.returncode

    def go_on(self) -> None:
        """Load what the tap sends after the last STATE, in this process."""
        load(self.path, messages(self.told), **self.config)
        self.sent += range(self.told, RECORDS)
        assert self.stored() == RECORDS

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

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Read a table, which may not have been made yet."""
        known = query(self.path, f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{table}'")
        return query(self.path, f"SELECT {columns} FROM {table} ORDER BY ALL") if known else []

    def check(self) -> None:
        """Hold every row to what was sent; none may be of a load that dlt does not know."""
        if not self.path.exists():
            assert not self.sent
            return
        for name, expected in tables(self.sent, self.method).items():
            assert self.rows(name, "id, n, text") == expected, name
            loads = {load for (load,) in self.rows("_dlt_loads", "load_id")}
            assert {load for (load,) in self.rows(name, "_dlt_load_id")} <= loads


@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize("method", ["append-only", "upsert"])
def test_nothing_is_lost_by_a_kill_at_any_moment(trial: int, method: str, tmp_path: Path) -> None:
    """Rows that are appended come twice only if it hits between their commit and its STATE."""
    loading = Loading(tmp_path / "db.duckdb", method)
    assert loading.cut(signal.SIGKILL, trial) == -signal.SIGKILL
    assert loading.told <= loading.stored()
    loading.check()
    loading.go_on()
    loading.check()


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_signal_loses_and_doubles_nothing(trial: int, tmp_path: Path) -> None:
    signum = (signal.SIGTERM, signal.SIGINT)[trial % 2]
    loading = Loading(tmp_path / "db.duckdb", "append-only")
    # Until the handlers are in place, a signal does what it does by default.
    assert loading.cut(signum, trial) in {128 + signum, -signum}
    assert loading.told == loading.stored()
    loading.check()
    loading.go_on()
    loading.check()
