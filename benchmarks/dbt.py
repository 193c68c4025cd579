"""Runs of dbt Cloud: against tap-dbt, against a bare loop, against the ideal, and the memory."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from benchmarks.bench import LATENCIES, Bench
from benchmarks.measuring import Command, Cost, Output, interleaved, measure_and_count, medians
from benchmarks.peers import CONCURRENCY, TAP_DBT
from benchmarks.report import Section

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

OURS = "tap-cloudapis"
_WALL_TARGETS = {0: 2.5, 50: 6.0, 150: 10.0}


def counted(simulator: Simulator, *commands: Command) -> list[Output]:
    """The first pass of commands that are to be measured."""
    return [measure_and_count(simulator, command)[1] for command in commands]


def against_tap_dbt(bench: Bench) -> Section:
    """20,000 runs at three latencies; 100,000 for processor time."""
    section = Section(
        "dbt",
        "Runs of dbt Cloud, about 60 fields each, of which tap-dbt keeps those that its schema "
        "declares. The result is the ratio of wall times; of 100,000 runs that of CPU seconds, "
        "with start-up.",
    )
    size = bench.size(20_000)
    with bench.dbt(size) as (simulator, taps):
        commands = [taps.dbt(), taps.tap_dbt()]
        outputs = counted(simulator, *commands)
        for latency in LATENCIES:
            simulator.settings(latency_ms=latency)
            costs = interleaved(simulator, commands, bench.repeat)
            ratio = f"{costs[1].wall / costs[0].wall:.1f}x as fast (aim: {_WALL_TARGETS[latency]}x)"
            what = f"{size:,} runs, {latency} ms"
            section.add(what, OURS, costs[0], outputs[0], ratio)
            section.add(what, TAP_DBT.title, costs[1], outputs[1])
    size = bench.size(100_000)
    with bench.dbt(size) as (simulator, taps):
        commands = [taps.dbt(), taps.tap_dbt()]
        outputs = counted(simulator, *commands)
        costs = interleaved(simulator, commands, min(bench.repeat, 2))
        ratio = f"{costs[0].cpu / costs[1].cpu:.2f} of the CPU seconds (aim: 0.25)"
        what = f"{size:,} runs, 0 ms"
        section.add(what, OURS, costs[0], outputs[0], ratio)
        section.add(what, TAP_DBT.title, costs[1], outputs[1])
    return section


def against_bare_loop(bench: Bench) -> Section:
    """CPU seconds of 100,000 runs, start-up taken off, against a loop without an SDK."""
    section = Section(
        "ceiling",
        "The bare loop fetches one page after the other on one session, decodes with msgspec, "
        "calls the tap's functions for timestamps, durations and secrets, encodes and writes: "
        "no SDK, no threads, no selection, no state. Start-up is a run in a world without runs, "
        "and is taken off both sides of the ratio. The tap is shown with 16 and with 1 request in "
        "flight.",
    )
    size = bench.size(100_000)
    with (
        bench.dbt(size) as (simulator, taps),
        bench.dbt(0) as (empty, empty_taps),
    ):
        commands = [taps.dbt(), taps.bare_loop()]
        outputs = counted(simulator, *commands)
        costs = interleaved(simulator, commands, bench.repeat)
        starts = interleaved(empty, [empty_taps.dbt(), empty_taps.bare_loop()], bench.repeat)
        serial_command = taps.dbt(concurrency=1)
        serial = interleaved(simulator, [serial_command], bench.repeat)[0]
    loop = costs[1].cpu - starts[1].cpu
    section.add("start-up", OURS, starts[0], None)
    section.add("start-up", "bare loop", starts[1], None)
    what = f"{size:,} runs, 0 ms"
    for who, cost in ((OURS, costs[0]), (f"{OURS}, concurrency 1", serial)):
        ratio = f"{(cost.cpu - starts[0].cpu) / loop:.2f}x the CPU seconds (aim: 2x)"
        section.add(what, who, cost, outputs[0], ratio)
    section.add(what, "bare loop", costs[1], outputs[1])
    return section


def ideal_seconds(latency_ms: float, requests: int, start: Cost, busy: Cost) -> float:
    """The least wall time of a sync: start-up + rounds x latency + CPU.

    The account and the first page of runs, which tells how many there are, are a round each;
    the other pages come in rounds of as many as are in flight. CPU is what the same sync takes
    without latency, beyond start-up.

    Args:
        latency_ms: Of every request.
        requests: Of the sync.
        start: The cost of a sync of no runs at 0 ms.
        busy: The cost of the sync at 0 ms.
    """
    rounds = 2 + ceil(max(0, requests - 2) / CONCURRENCY)
    return start.wall + rounds * latency_ms / 1000 + busy.cpu - start.cpu


def against_ideal(bench: Bench) -> Section:
    """Wall time of 20,000 runs against what start-up, latency and processor time add up to."""
    section = Section(
        "ideal",
        "The ideal is start-up (a sync of no runs) + rounds x latency + CPU (of the same sync at "
        "0 ms, without start-up). The account and the first page are a round each, the other "
        "pages come 16 in a round.",
    )
    size = bench.size(20_000)
    with (
        bench.dbt(size) as (simulator, taps),
        bench.dbt(0) as (empty, empty_taps),
    ):
        command = taps.dbt()
        output = counted(simulator, command)[0]
        start = interleaved(empty, [empty_taps.dbt()], bench.repeat)[0]
        costs = {}
        for latency in LATENCIES:
            simulator.settings(latency_ms=latency)
            costs[latency] = interleaved(simulator, [command], bench.repeat)[0]
    section.add("start-up", OURS, start, None)
    for latency, cost in costs.items():
        ideal = ideal_seconds(latency, cost.requests, start, costs[0])
        result = f"{cost.wall / ideal:.2f}x the ideal {ideal:.2f} s (aim: 1.3x)" if latency else ""
        section.add(f"{size:,} runs, {latency} ms", OURS, cost, output, result)
    return section


def memory(bench: Bench) -> Section:
    """Peak memory for 300,000 runs."""
    section = Section(
        "memory",
        "One run, read and counted as it comes; the budget of requests is raised so that it does "
        "not wait for the minute to pass.",
    )
    size = bench.size(300_000)
    with bench.dbt(size) as (simulator, taps):
        command = taps.dbt(dbt_requests_per_minute=1_000_000)
        cost, output = measure_and_count(simulator, command)
    result = f"{cost.peak_mb:.0f} MB at the peak (aim: 150 MB)"
    section.add(f"{size:,} runs, 0 ms", OURS, cost, output, result)
    return section


def throttled(bench: Bench) -> Section:
    """Requests and time under failing requests, and under a limit of requests."""
    section = Section(
        "throttled",
        "One request in 20 answered 503, at 50 ms: the ideal is the undisturbed sync. A limit of "
        "20 requests a second, answered 429 with `Retry-After: 1`: the ideal is start-up and the "
        "undisturbed number of requests at that pace, after the burst of 20 that the limit allows. "
        "Records are compared with those of the undisturbed sync, whole.",
    )
    size = bench.size(20_000)
    with (
        bench.dbt(size, retry_after=1) as (simulator, taps),
        bench.dbt(0) as (empty, empty_taps),
    ):
        command = taps.dbt()
        calm = counted(simulator, command)[0]
        start = interleaved(empty, [empty_taps.dbt()], bench.repeat)[0]
        simulator.settings(latency_ms=50)
        undisturbed = interleaved(simulator, [command], bench.repeat)[0]
        section.add(f"{size:,} runs, 50 ms", OURS, undisturbed, calm)
        rate = 20
        burst_passed = max(0, undisturbed.requests - rate) / rate
        for what, settings, ideal in (
            ("one 503 in 20, 50 ms", {"error_rate": 0.05}, undisturbed.wall),
            (
                "20 requests/s, 0 ms",
                {"rate_limit": rate, "latency_ms": 0},
                start.wall + burst_passed,
            ),
        ):
            simulator.settings(**{"error_rate": 0.0, "rate_limit": None, **settings})
            runs = [measure_and_count(simulator, command) for _ in range(bench.repeat)]
            cost, output = medians(run for run, _ in runs), runs[0][1]
            same = all(
                (each.content, each.records) == (calm.content, calm.records) for _, each in runs
            )
            result = (
                f"{cost.requests / undisturbed.requests:.2f}x the requests, "
                f"{cost.wall / ideal:.2f}x the ideal {ideal:.2f} s (aim: 1.5x); "
                f"{'the same' if same else 'OTHER'} records"
            )
            section.add(what, OURS, cost, output, result)
    return section
