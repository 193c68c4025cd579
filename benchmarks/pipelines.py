"""Pipelines of dlt into DuckDB: the source against a plain configuration of dlt's REST source."""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.bench import LATENCIES
from benchmarks.measuring import Command, Cost, interleaved, medians
from benchmarks.report import Section

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from tests.simulator_process import Simulator

OURS = "dlt source of this repository"
_AIMS = {50: " (aim: 3x)"}
_SCRIPT = Path(__file__).with_name("dlt_pipeline.py")


@dataclass
class _Told:
    """What came of some runs: the medians.

    Attributes:
        cost: Of the processes.
        rate: Records per second of `pipeline.run`.
        rows: What the table has.
    """

    cost: Cost
    rate: float
    rows: int

    def __str__(self) -> str:
        return f"{self.rate:,.0f} records/s, {self.rows:,} rows"


class _Pipeline:
    """One of the two, and what its runs have told since they were last asked for."""

    def __init__(self, who: str, simulator: Simulator, folder: Path) -> None:
        self._folder = folder / who
        self._folder.mkdir()
        account = str(simulator.rows("dbt_accounts")[0]["id"])
        root = str(Path(__file__).parents[1])
        what = [simulator.dbt_url, simulator.dbt_token, account, str(self._folder)]
        self._command = Command([sys.executable, str(_SCRIPT), who, *what], {"PYTHONPATH": root})
        self._simulator = simulator
        self._costs: list[Cost] = []
        self._seconds: list[float] = []
        self._rows = 0

    def run(self) -> None:
        """Run it once."""
        self._costs += interleaved(self._simulator, [self._command], 1)
        told = json.loads((self._folder / "told.json").read_text())
        self._seconds.append(told["seconds"])
        self._rows = told["rows"]

    def told(self) -> _Told:
        """What came of the runs since this was last called."""
        rate = self._rows / statistics.median(self._seconds)
        told = _Told(medians(self._costs), rate, self._rows)
        self._costs, self._seconds = [], []
        return told


def by_source(bench: Bench) -> Section:
    """20,000 runs at three latencies, the whole of `pipeline.run` into a new DuckDB file."""
    peer = f"rest_api of dlt {metadata.version('dlt')}"
    section = Section(
        "pipelines",
        "Runs of dbt Cloud into a new DuckDB file, merged by key. The peer is what people write "
        "with dlt's REST source: pages of 100 by offset. The result is in records per second of "
        "the whole `pipeline.run`, without imports; the other figures are those of the process. "
        "The source has its default concurrency of 8.",
    )
    size = bench.size(20_000)
    with bench.dbt(size) as (simulator, _), TemporaryDirectory() as name:
        pipelines = [_Pipeline(who, simulator, Path(name)) for who in ("source", "rest_api")]
        for latency in LATENCIES:
            simulator.settings(latency_ms=latency)
            for pipeline in [*pipelines] * bench.repeat:
                pipeline.run()
            ours, theirs = (pipeline.told() for pipeline in pipelines)
            ratio = f"; {ours.rate / theirs.rate:.1f}x of the peer{_AIMS.get(latency, '')}"
            what = f"{size:,} runs, {latency} ms"
            section.add(what, OURS, ours.cost, None, f"{ours}{ratio}")
            section.add(what, peer, theirs.cost, None, str(theirs))
    return section
