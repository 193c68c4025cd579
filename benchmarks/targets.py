"""The way on into a target that flushes at every SCHEMA message: target-duckdb of jwills."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.dbt import OURS
from benchmarks.measuring import Cost, measure, measure_and_count, medians
from benchmarks.peers import TAP_PULUMI_CLOUD, TARGET_DUCKDB, rows_loaded, target_duckdb
from benchmarks.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.bench import Bench

_STREAMS = ("pulumi_organizations", "pulumi_stacks", "pulumi_stack_updates")


def into_target_duckdb(bench: Bench) -> Section:
    """500 child contexts against the same records as one stream after the other."""
    section = Section(
        "targets",
        f"Into {TARGET_DUCKDB.title} as published, a new file each time: from the tap, with the "
        "updates of each stack among the stacks; the same messages from a file; and the same "
        "records from a file, sorted by stream: one SCHEMA and all its records, then the next. "
        "Wall time, CPU seconds and memory are those of the whole pipeline. The rows are those "
        "that the target's table of updates has in the end: it loses some by itself.",
    )
    stacks = bench.size(500)
    with bench.pulumi(stacks, 20) as (simulator, taps), TemporaryDirectory() as name:
        folder = Path(name)
        updates = simulator.truth("pulumi_stack_updates", counts=True)["count"]
        tap, peer = taps.pulumi(), taps.tap_pulumi_cloud()
        _, output = measure_and_count(simulator, tap, keep=True)
        plain, regrouped = folder / "plain.singer", folder / "regrouped.singer"
        plain.write_bytes(b"".join(output.lines))
        regrouped.write_bytes(b"".join(_by_stream(output.lines)))
        ways: dict[str, Callable[[], Cost]] = {
            f"{OURS} \\| target": lambda: measure(tap, target_duckdb(folder)),
            "the same, from a file": lambda: measure(target_duckdb(folder), stdin=plain),
            "sorted by stream, from a file": lambda: measure(
                target_duckdb(folder), stdin=regrouped
            ),
        }
        runs: dict[str, list[Cost]] = {who: [] for who in ways}
        loaded = {}
        for _ in range(bench.repeat):
            for who, run in ways.items():
                runs[who].append(run())
                loaded[who] = rows_loaded(folder, "pulumi_stack_updates")
        costs = {who: medians(each) for who, each in runs.items()}
        peer_cost = measure(peer, target_duckdb(folder))
        peer_loaded = rows_loaded(folder, "stack_updates")
    what = f"{stacks:,} stacks x 20"
    single = list(costs.values())[-1]
    for who, cost in costs.items():
        ratio = "" if cost is single else f"{cost.wall / single.wall:.2f}x the time (aim: 1.5x); "
        section.add(what, who, cost, output, f"{ratio}{loaded[who]:,} of {updates:,} rows")
    section.add(
        what,
        f"{TAP_PULUMI_CLOUD.title} \\| target, once",
        peer_cost,
        None,
        f"{peer_cost.wall / single.wall:.2f}x the time; {peer_loaded:,} of {updates:,} rows",
    )
    return section


def _by_stream(lines: Iterable[bytes]) -> Iterable[bytes]:
    """Sort the messages of a sync by stream; the last STATE comes at the end."""
    lines = list(lines)
    for stream in _STREAMS:
        marker = b'"stream":"%b"' % stream.encode()
        yield from (line for line in lines if marker in line[:80])
    yield [line for line in lines if b'"STATE"' in line[:20]][-1]
