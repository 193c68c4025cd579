"""`meltano run` into DuckDB: records in lines and in files, the bare pipe, and the peers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.dbt import OURS
from benchmarks.measuring import Command, Cost, measure, medians
from benchmarks.peers import CONCURRENCY, SCRIPTS, TAP_DBT, TARGET_DUCKDB
from benchmarks.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.peers import Taps
    from tests.simulator_process import Simulator

_LINES, _FILES, _PIPE = "meltano run, lines", "meltano run, files", "bare pipe, lines"
_PEERS = f"meltano run, {TAP_DBT.title} \\| {TARGET_DUCKDB.title}"
#: No request waits for the minute to pass.
_PLENTY: dict[str, Any] = {"dbt_requests_per_minute": 1_000_000}
_QUIET = {
    "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
    "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
    "MELTANO_AUTO_INSTALL": "false",
    "NO_COLOR": "1",
}
_COUNT = "import duckdb, sys; print(len(duckdb.connect(sys.argv[1]).table(sys.argv[2])))"


def into_duckdb(bench: Bench) -> Section:
    """300,000 runs by Meltano, in lines in files, and by the bare pipe; 100,000 by the peers."""
    section = Section(
        "meltano",
        "Runs of dbt Cloud at 0 ms into a new DuckDB file. `meltano run` with records in lines and "
        "with BATCH messages; the bare pipe of the same two programs, in lines. Start-up is the "
        "same run in a world without runs (Meltano itself, and a discovery before each sync, are "
        "in it); it is taken off both sides of ratios to the bare pipe, and of no other. CPU "
        "seconds are those of all processes but the simulator. After each run the rows are "
        "counted: the peer loses some by itself.",
    )
    with TemporaryDirectory() as name, bench.dbt(0) as (empty, empty_taps):
        begun = _Ways(Path(name), empty, empty_taps)
        starts = begun.in_turn([_LINES, _FILES, _PIPE, _PEERS], bench.repeat, None)
    for who, cost in starts.items():
        section.add("start-up", who, cost, None)
    size = bench.size(300_000)
    with TemporaryDirectory() as name, bench.dbt(size) as (simulator, taps):
        costs = _Ways(Path(name), simulator, taps).in_turn(
            [_LINES, _FILES, _PIPE], bench.repeat, size
        )
    pipe, empty_pipe = costs[_PIPE], starts[_PIPE]
    for who, cost in costs.items():
        aim = " (aim: 1.2x)" if who == _FILES else ""
        wall = (cost.wall - starts[who].wall) / (pipe.wall - empty_pipe.wall)
        cpu = (cost.cpu - starts[who].cpu) / (pipe.cpu - empty_pipe.cpu)
        ratio = f"{wall:.2f}x the bare pipe{aim}; {cpu:.2f}x the CPU seconds"
        section.add(f"{size:,} runs, 0 ms", who, cost, None, "" if who == _PIPE else ratio)
    size = bench.size(100_000)
    with TemporaryDirectory() as name, bench.dbt(size) as (simulator, taps):
        ways = _Ways(Path(name), simulator, taps)
        costs = ways.in_turn([_LINES, _FILES, _PEERS], bench.repeat, size)
    for who, cost in costs.items():
        aim = " (aim: 3.5x)" if who == _FILES else ""
        peers = costs[_PEERS]
        ratio = (
            ""
            if who == _PEERS
            else f"{peers.wall / cost.wall:.2f}x as fast{aim}; "
            f"{cost.cpu / peers.cpu:.2f} of the CPU seconds; "
        )
        result = f"{ratio}{ways.found[who]:,} of {size:,} rows"
        section.add(f"{size:,} runs, 0 ms", who, cost, None, result)
    return section


class _Ways:
    """The ways from one simulator into DuckDB.

    Args:
        folder: For the project of Meltano, settings and the database.
        simulator: The server.
        taps: Commands of the bare pipe.

    Attributes:
        found: How many rows there were after the last run of each way.
    """

    def __init__(self, folder: Path, simulator: Simulator, taps: Taps) -> None:
        self._folder = folder
        self._database = folder / "runs.duckdb"
        self.found: dict[str, int] = {}
        (folder / "meltano.yml").write_text(yaml.safe_dump(self._project(simulator)), "utf-8")
        target = folder / "target.json"
        target.write_text(json.dumps(self._target), "utf-8")
        pipe = (
            taps.dbt(**_PLENTY),
            Command([str(SCRIPTS / "target-duckdb"), "--config", str(target)]),
        )
        self._ways: dict[str, Callable[[], Cost]] = {
            _LINES: lambda: measure(self._run("tap-lines", "target-ours")),
            _FILES: lambda: measure(self._run("tap-files", "target-ours")),
            _PIPE: lambda: measure(*pipe),
            _PEERS: lambda: measure(self._run("tap-peer", "target-peer")),
        }

    def in_turn(self, names: list[str], repeat: int, rows: int | None) -> dict[str, Cost]:
        """Run ways in turn, each into a file of its own, and count the rows.

        Raises:
            RuntimeError: When there are not as many as there should be.
        """
        runs: dict[str, list[Cost]] = {name: [] for name in names}
        for _ in range(repeat):
            for name in names:
                self._database.unlink(missing_ok=True)
                runs[name].append(self._ways[name]())
                if rows is None:
                    continue
                self.found[name] = self._rows(name)
                if name != _PEERS and self.found[name] != rows:
                    msg = f"{name}: {self.found[name]:,} rows of {rows:,}"
                    raise RuntimeError(msg)
        return {name: medians(costs) for name, costs in runs.items()}

    def _rows(self, name: str) -> int:
        python, table = (
            (TARGET_DUCKDB.python, "runs") if name == _PEERS else (sys.executable, "dbt_runs")
        )
        command = [python, "-c", _COUNT, str(self._database), table]
        return int(subprocess.run(command, check=True, capture_output=True).stdout)

    def _run(self, tap: str, target: str) -> Command:
        words = ("--cwd", str(self._folder), "run", "--full-refresh", tap, target)
        return Command([str(SCRIPTS / "meltano"), *words], _QUIET)

    @property
    def _target(self) -> dict[str, Any]:
        return {"path": str(self._database), "default_target_schema": "main"}

    def _project(self, simulator: Simulator) -> dict[str, Any]:
        ours = {
            "dbt_token": simulator.dbt_token,
            "dbt_url": simulator.dbt_url,
            "concurrency": CONCURRENCY,
            **_PLENTY,
        }
        batch = {"batch_config": {"storage": {"root": str(self._folder / "batches")}}}
        peer = {
            "api_key": simulator.dbt_token,
            "base_url": f"{simulator.dbt_url}/api/v2",
            "account_ids": [str(row["id"]) for row in simulator.rows("dbt_accounts")],
            "page_size": 100,
        }
        tap, select = SCRIPTS / OURS, ["dbt_accounts.*", "dbt_runs.*"]
        return {
            "project_id": "benchmark",
            "default_environment": "dev",
            "environments": [{"name": "dev"}],
            "plugins": {
                "extractors": [
                    _plugin("tap-lines", tap, ours, select=select),
                    _plugin("tap-files", tap, {**ours, **batch}, select=select),
                    _plugin("tap-peer", TAP_DBT.executable("tap-dbt"), peer, select=["runs.*"]),
                ],
                "loaders": [
                    _plugin("target-ours", SCRIPTS / "target-duckdb", self._target),
                    _plugin("target-peer", TARGET_DUCKDB.executable("target-duckdb"), self._target),
                ],
            },
        }


def _plugin(name: str, executable: Path, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plugin of Meltano that is installed already."""
    kinds = {bool: "boolean", int: "integer", list: "array", dict: "object", str: "string"}
    return {
        "name": name,
        "namespace": name.replace("-", "_"),
        "executable": str(executable),
        "capabilities": ["catalog", "discover", "state"],
        "settings": [{"name": key, "kind": kinds[type(held)]} for key, held in config.items()],
        "config": config,
        **more,
    }
