"""The command: `python -m benchmarks COMPARISON...` prints a Markdown table for each."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks import dbt, loads, pulumi, targets
from benchmarks.bench import Bench
from benchmarks.report import keep

COMPARISONS = {
    "dbt": dbt.against_tap_dbt,
    "pulumi": pulumi.against_tap_pulumi_cloud,
    "ceiling": dbt.against_bare_loop,
    "ideal": dbt.against_ideal,
    "stacks": pulumi.by_size,
    "memory": dbt.memory,
    "targets": targets.into_target_duckdb,
    "throttled": dbt.throttled,
    "loads": loads.into_duckdb,
    "load-memory": loads.load_memory,
}
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    """Run the comparisons that the command line names."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description="Measure the tap, on the simulator, and the loader against their peers.",
        epilog=" ".join(f"{name}: {run.__doc__}" for name, run in COMPARISONS.items()),
    )
    parser.add_argument("comparison", nargs="+", choices=[*COMPARISONS, "all"])
    parser.add_argument(
        "--repeat", type=int, default=3, metavar="N", help="runs of each command (default: 3)"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help="multiply all sizes, for a trial"
    )
    parser.add_argument(
        "--write", action="store_true", help="keep the tables in docs/benchmarks.md, too"
    )
    options = parser.parse_args()
    if options.repeat < 1 or options.scale <= 0:
        parser.error("--repeat and --scale must be positive")
    if options.write and options.scale != 1:
        parser.error("a trial is not worth keeping: --write goes without --scale")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed for good is compiled once
    chosen = COMPARISONS if "all" in options.comparison else options.comparison
    bench = Bench(options.repeat, options.scale)
    for name in chosen:
        section = COMPARISONS[name](bench)
        section.text += f" (`--repeat {options.repeat}`)"
        print(section.markdown(), flush=True)
        if options.write:
            keep(PAGE, section, list(COMPARISONS))


if __name__ == "__main__":
    main()
