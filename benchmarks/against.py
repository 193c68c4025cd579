"""This checkout against a commit: each runs in turn, and each pair of runs makes a ratio."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.commits import described
from benchmarks.loads import Loads
from benchmarks.measuring import in_turn, measure_and_count, medians, pairwise
from benchmarks.peers import SCRIPTS
from benchmarks.report import Section

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from benchmarks.bench import Bench
    from benchmarks.commits import Commit
    from benchmarks.measuring import Command
    from tests.simulator_process import Simulator

_HERE = "here"
_LATENCIES = (0, 50)


def dbt(bench: Bench, commit: Commit) -> Section:
    """Measure 20,000 runs, on one simulator."""
    section = _section("dbt", commit)
    size = bench.size(20_000)
    with bench.dbt(size) as (simulator, taps):
        commands = {_HERE: taps.dbt(), commit.name: taps.of(commit.scripts).dbt()}
        _add_syncs(section, f"{size:,} runs", simulator, commands, bench.repeat)
    return section


def pulumi(bench: Bench, commit: Commit) -> Section:
    """Measure 500 stacks of 20 updates, on one simulator."""
    section = _section("pulumi", commit)
    size = bench.size(500)
    with bench.pulumi(size, 20) as (simulator, taps):
        commands = {_HERE: taps.pulumi(), commit.name: taps.of(commit.scripts).pulumi()}
        _add_syncs(section, f"{size:,} stacks x 20", simulator, commands, bench.repeat)
    return section


def loads(bench: Bench, commit: Commit) -> Section:
    """Measure loads into DuckDB of the same files."""
    section = _section("loads", commit)
    ways = {_HERE: SCRIPTS, commit.name: commit.scripts}
    with TemporaryDirectory() as name:
        loads = Loads(section, bench.repeat, Path(name), ways)
        few = loads.generate(100)
        for who in ways:
            loads.run(who, few)  # compiles what is imported
        for what, files in {**loads.generate_all(bench), "100 wide": [few]}.items():
            loads.compare_in_pairs(what, files)
    return section


def _section(name: str, commit: Commit) -> Section:
    releases = commit.other_releases()
    return Section(
        f"{name} against {commit.name}",
        f"This checkout ({described()}) and {commit.name} ({commit.subject}), run in turn. The "
        "result is the ratio of here to there in each pair of runs: the median, and the least and "
        "the greatest." + (f" Installed there in another release: {releases}." if releases else ""),
    )


def _add_syncs(
    section: Section, what: str, simulator: Simulator, commands: Mapping[str, Command], repeat: int
) -> None:
    outputs = [measure_and_count(simulator, command, keep=True)[1] for command in commands.values()]
    difference = _difference(*(output.counts() for output in outputs))
    for latency in _LATENCIES:
        simulator.settings(latency_ms=latency)
        runs = in_turn(simulator, list(commands.values()), repeat)
        results = (pairwise(*runs), difference)
        for who, costs, output, result in zip(commands, runs, outputs, results, strict=True):
            section.add(f"{what}, {latency} ms", who, medians(costs), output, result)


def _difference(here: Counter[str], there: Counter[str]) -> str:
    """Tell which streams have another number of records."""
    names = sorted(name for name in here | there if here[name] != there[name])
    told = ", ".join(f"{name} {there[name]:,} for {here[name]:,}" for name in names)
    return f"OTHER NUMBERS of records: {told}" if told else "the same numbers of records"
