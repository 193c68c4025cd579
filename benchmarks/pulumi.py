"""Stacks and their updates: against tap-pulumi-cloud, by size, and when little has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.bench import LATENCIES, Bench
from benchmarks.dbt import OURS, counted
from benchmarks.measuring import Cost, interleaved, measure_and_count, medians
from benchmarks.peers import TAP_PULUMI_CLOUD
from benchmarks.report import Section

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

    Rows = dict[tuple[Any, ...], dict[str, Any]]

_WALL_TARGETS = {0: 4, 50: 8, 150: 13}
_STEP_SECONDS = 120
_STACK_KEY = ("org_name", "project_name", "stack_name")


def against_tap_pulumi_cloud(bench: Bench) -> Section:
    """500 stacks of 20 updates at three latencies; 4,000 of 5 at none, once."""
    section = Section(
        "pulumi",
        "Stacks and their updates, one organization. The result is the ratio of wall times. The "
        "4,000 stacks run once on each side, counted as they come: the peer's states, one after "
        "each stack and each with all stacks before it, make up nearly all that it writes.",
    )
    stacks = bench.size(500)
    with bench.pulumi(stacks, 20) as (simulator, taps):
        commands = [taps.pulumi(), taps.tap_pulumi_cloud()]
        outputs = counted(simulator, *commands)
        for latency in LATENCIES:
            simulator.settings(latency_ms=latency)
            costs = interleaved(simulator, commands, bench.repeat)
            what = f"{stacks:,} stacks x 20, {latency} ms"
            ratio = f"{costs[1].wall / costs[0].wall:.1f}x as fast (aim: {_WALL_TARGETS[latency]}x)"
            section.add(what, OURS, costs[0], outputs[0], ratio)
            section.add(what, TAP_PULUMI_CLOUD.title, costs[1], outputs[1])
    stacks = bench.size(4_000)
    with bench.pulumi(stacks, 5) as (simulator, taps):
        commands = [taps.pulumi(), taps.tap_pulumi_cloud()]
        counted(simulator, commands[0])
        (cost, output), (peer_cost, peer_output) = (
            measure_and_count(simulator, command) for command in commands
        )
        what = f"{stacks:,} stacks x 5, 0 ms"
        ratio = f"{peer_cost.wall / cost.wall:.1f}x as fast (aim: 30x)"
        section.add(what, OURS, cost, output, ratio)
        states = f"{peer_output.state_share:.0%} of the bytes are STATE"
        section.add(what, TAP_PULUMI_CLOUD.title, peer_cost, peer_output, states)
    return section


def by_size(bench: Bench) -> Section:
    """4,000 and 8,000 stacks; a second sync of 10,000 of which about 50 have changed."""
    section = Section(
        "stacks",
        "Stacks of 5 updates at 0 ms. The share is that of STATE in the bytes written. For the "
        "second sync the clock of the simulator moves until about 50 stacks have changed; what "
        "comes out is compared with the updates that are new, or were open before.",
    )
    _doubled(bench, section)
    _second_sync(bench, section)
    return section


def _doubled(bench: Bench, section: Section) -> None:
    sizes = bench.size(4_000), bench.size(8_000)
    with (
        bench.pulumi(sizes[0], 5) as (fewer, fewer_taps),
        bench.pulumi(sizes[1], 5) as (more, more_taps),
    ):
        commands = fewer_taps.pulumi(), more_taps.pulumi()
        outputs = [*counted(fewer, commands[0]), *counted(more, commands[1])]
        runs: tuple[list[Cost], list[Cost]] = ([], [])
        for _ in range(bench.repeat):
            for simulator, command, same in zip((fewer, more), commands, runs, strict=True):
                same.extend(interleaved(simulator, [command], 1))
    costs = [medians(run) for run in runs]
    for index, size in enumerate(sizes):
        result = f"STATE is {outputs[index].state_share:.1%} of the bytes (aim: 5%)"
        if index:
            result = f"{costs[1].wall / costs[0].wall:.2f}x the time (aim: 2.2x); {result}"
        section.add(f"{size:,} stacks x 5, first sync", OURS, costs[index], outputs[index], result)


def _second_sync(bench: Bench, section: Section) -> None:
    stacks, wanted = bench.size(10_000), bench.size(50)
    with bench.pulumi(stacks, 5) as (simulator, taps):
        _, first = measure_and_count(simulator, taps.pulumi())
        before = _updates(simulator)
        listed = _rows(simulator, "pulumi_stacks", _STACK_KEY)
        changed = 0
        while changed < wanted:
            simulator.advance(_STEP_SECONDS)
            now = _rows(simulator, "pulumi_stacks", _STACK_KEY)
            changed = sum(listed.get(key) != row for key, row in now.items())
        after = _updates(simulator)
        command = taps.pulumi(state=first.state)
        cost, output = measure_and_count(simulator, command, keep=True)
    was_open = {key for key, row in before.items() if row["end_time"] is None}
    expected = {key for key in after if key not in before or key in was_open}
    found = output.keys("pulumi_stack_updates", (*_STACK_KEY, "version"))
    exact = set(found) == expected and len(found) == len(expected)
    section.add(
        f"{stacks:,} stacks x 5, second sync, {changed} stacks changed",
        OURS,
        cost,
        output,
        f"{cost.requests} requests (aim: 100); {len(found)} updates, "
        f"{'exactly' if exact else 'NOT'} the {len(expected)} expected",
    )


def _updates(simulator: Simulator) -> Rows:
    return _rows(simulator, "pulumi_stack_updates", (*_STACK_KEY, "version"))


def _rows(simulator: Simulator, stream: str, key: tuple[str, ...]) -> Rows:
    return {tuple(row[name] for name in key): row for row in simulator.rows(stream)}
