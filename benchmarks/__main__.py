"""The command: `python -m benchmarks COMPARISON...` prints a Markdown table for each."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks import (
    against,
    dbt,
    insight,
    loads,
    organization,
    pipelines,
    pulumi,
    results,
    targets,
    through_meltano,
)
from benchmarks.bench import Bench
from benchmarks.commits import NoCommitError, installed
from benchmarks.report import keep

COMPARISONS = {
    "dbt": dbt.against_tap_dbt,
    "pulumi": pulumi.against_tap_pulumi_cloud,
    "ceiling": dbt.against_bare_loop,
    "ideal": dbt.against_ideal,
    "stacks": pulumi.by_size,
    "memory": dbt.memory,
    "organization": organization.by_default,
    "results": results.of_nodes,
    "targets": targets.into_target_duckdb,
    "throttled": dbt.throttled,
    "pipelines": pipelines.by_source,
    "loads": loads.into_duckdb,
    "load-memory": loads.load_memory,
    "meltano": through_meltano.into_duckdb,
    "insight": insight.of_a_large_account,
}
AGAINST = {"dbt": against.dbt, "pulumi": against.pulumi, "loads": against.loads}
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    """Run the comparisons that the command line names."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description="Measure the tap, on the simulator, and the loader against their peers.",
        epilog=" ".join(f"{name}: {run.__doc__}" for name, run in COMPARISONS.items())
        + f" With --against: {', '.join(AGAINST)} (default: all), without peers.",
    )
    parser.add_argument(
        "comparison", nargs="*", metavar="COMPARISON", help=f"{', '.join(COMPARISONS)}, or all"
    )
    parser.add_argument(
        "--against",
        metavar="COMMIT",
        help="run this checkout and a commit in turn, and compare each pair of runs",
    )
    parser.add_argument(
        *("--repeat", "--runs"),
        type=int,
        metavar="N",
        help="runs of each command (default: 3; with --against: 5)",
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help="multiply all sizes, for a trial"
    )
    parser.add_argument(
        "--write", action="store_true", help="keep the tables in docs/benchmarks.md, too"
    )
    options = parser.parse_args()
    known = AGAINST if options.against else COMPARISONS
    named = options.comparison or (["all"] if options.against else [])
    if not named or set(named) - known.keys() - {"all"}:
        parser.error(f"choose comparisons from {', '.join(known)}, or all")
    chosen = known if "all" in named else named
    repeat = (5 if options.against else 3) if options.repeat is None else options.repeat
    if repeat < 1 or options.scale <= 0:
        parser.error("--repeat and --scale must be positive")
    if options.write and (options.scale != 1 or options.against):
        parser.error("--write keeps whole comparisons only: it goes without --scale and --against")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed for good is compiled once
    bench = Bench(repeat, options.scale)
    if options.against:
        try:
            commit = installed(options.against)
        except NoCommitError as exc:
            parser.error(str(exc))
    for name in chosen:
        section = AGAINST[name](bench, commit) if options.against else COMPARISONS[name](bench)
        section.text += f" (`--repeat {repeat}`)"
        print(section.markdown(), flush=True)
        if options.write:
            keep(PAGE, section, list(COMPARISONS))


if __name__ == "__main__":
    main()
