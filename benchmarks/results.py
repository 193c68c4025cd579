"""Results of the nodes of many runs: against a bare loop and the ideal, and the memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.dbt import OURS, counted
from benchmarks.measuring import Command, interleaved
from benchmarks.peers import CONCURRENCY
from benchmarks.report import Section

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from tests.simulator_process import Simulator

_SCRIPT = Path(__file__).with_name("bare_results.py")
_STEPS, _NODES = 3, 20
_LATENCY = 50
_LARGE = 30
#: What has a row per node, with the parent that it needs.
STREAMS = {"dbt_accounts", "dbt_run_results"}
PLENTY: dict[str, Any] = {"dbt_requests_per_minute": 1_000_000, "start_date": "2020-01-01"}


def bare(simulator: Simulator, *mode: str) -> Command:
    """The bare loop; with "fetch" it asks and forgets."""
    words = (simulator.dbt_url, simulator.dbt_token, CONCURRENCY, *mode)
    return Command([sys.executable, str(_SCRIPT), *map(str, words)])


def of_nodes(bench: Bench) -> Section:
    """Results of 11,500 runs, three commands each of 20 nodes: time, CPU seconds, memory."""
    section = Section(
        "results",
        f"Results of the nodes of runs, {_STEPS} commands a run with {_NODES} nodes each, at "
        f"{_LATENCY} ms and {CONCURRENCY} requests at a time. The bare loop asks for the same on "
        "one session and as many threads, decodes, takes apart and writes: no SDK, no selection, "
        "no state, no search for secrets. The ideal is the largest of requests x latency / "
        f"{CONCURRENCY}, CPU, and what the simulator takes to answer a loop that only asks. In "
        f"the last case one run in 50 has files of {_LARGE} MB.",
    )
    runs = bench.size(11_500)
    sizes = {"dbt_steps": _STEPS, "dbt_nodes": _NODES}
    with bench.dbt(runs, **sizes) as (simulator, taps):
        commands = [taps.dbt(streams=STREAMS, **PLENTY), bare(simulator)]
        outputs = counted(simulator, *commands)
        simulator.settings(latency_ms=_LATENCY)
        tap, loop = interleaved(simulator, commands, bench.repeat)
        simulator.settings(latency_ms=0)
        (asked,) = interleaved(simulator, [bare(simulator, "fetch")], bench.repeat)
    bounds = (tap.requests * _LATENCY / 1000 / CONCURRENCY, tap.cpu, asked.wall)
    told = ", ".join(f"{bound:.1f}" for bound in bounds)
    what = f"{runs:,} runs, {_LATENCY} ms"
    result = (
        f"{tap.wall / max(bounds):.2f}x the ideal {max(bounds):.1f} s, of {told} (aim: 1.3x); "
        f"{tap.cpu / loop.cpu:.2f}x the CPU seconds (aim: 2x); {tap.peak_mb:.0f} MB (aim: 200)"
    )
    section.add(what, OURS, tap, outputs[0], result)
    section.add(what, "bare loop", loop, outputs[1])
    runs = bench.size(1_000)
    with bench.dbt(runs, dbt_large_mb=_LARGE, **sizes) as (simulator, taps):
        command = taps.dbt(streams=STREAMS, **PLENTY)
        outputs = counted(simulator, command)
        simulator.settings(latency_ms=_LATENCY)
        (large,) = interleaved(simulator, [command], bench.repeat)
    what = f"{runs:,} runs, one in 50 of {_LARGE} MB, {_LATENCY} ms"
    section.add(what, OURS, large, outputs[0], f"{large.peak_mb:.0f} MB at the peak (aim: 300 MB)")
    return section
