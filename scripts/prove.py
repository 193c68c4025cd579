"""Run the proofs that take too long for every change, and tell in a table how each ended."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
INTERRUPTED = "FAILED: interrupted"
EXAMPLES = """
examples:
  scripts/prove                          all of them, one after the other: some hours
  scripts/prove hub kills                these two
  KILL_TRIALS=200 scripts/prove kills    more trials than --list shows
  scripts/prove --list                   what each one proves, and the command that runs it alone

What a proof prints goes into a file, which `tail -f` follows. A proof that has nothing to run on,
as without a PostgreSQL server, is skipped, and the table says why. The exit code is 1 if one
failed. Benchmarks only fail if they break off: compare their figures with the aims beside them,
and with docs/benchmarks.md.
"""


class Proof(NamedTuple):
    """A command that takes long, as one types it in the checkout, and what holds if it is well."""

    name: str
    about: str
    proves: str
    typed: str

    @property
    def command(self) -> str:
        """The command; a variable that is set outside goes before the one it begins with."""
        return re.sub(
            r"^(\w+)=(\d+)", lambda match: f"{match[1]}={os.getenv(*match.groups())}", self.typed
        )

    def run(self, log: Path) -> str:
        """Run the command, and say how it ended.

        Args:
            log: Takes all that it prints.
        """
        words = shlex.split(self.command)
        if words[0].startswith("scripts/") and not (ROOT / words[0]).exists():
            return f"skipped: there is no {words[0]}"
        # Without bytecode each of many processes would compile all that it imports.
        command = ["env", "-u", "PYTHONDONTWRITEBYTECODE", *words]
        with log.open("wb") as out:
            try:
                code = subprocess.run(
                    command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
                ).returncode
            except KeyboardInterrupt:
                return INTERRUPTED
        printed = log.read_text("utf-8", errors="replace")
        if code:
            print(*printed.splitlines()[-15:], sep="\n")
            return f"FAILED: exit code {code}"
        # pytest says why it skipped tests, and in its last line whether any passed.
        skipped = re.search(r"^SKIPPED \[\d+\] \S+ (.+)$", printed, re.MULTILINE)
        return f"skipped: {skipped[1]}" if skipped and " passed" not in printed else "ok"


PROOFS = (
    Proof(
        *("hub", "1 min", "from `meltano add` to rows in DuckDB and Delta, on the newest packages"),
        "uv run scripts/hub.py prove --newest",
    ),
    Proof(
        *("dlt", "5 min", "the loader holds on the oldest and newest dlt, and on DuckDB 1 and 2"),
        "uv run scripts/dlt_versions.py",
    ),
    Proof(
        *("ducklake", "5 min", "the loader holds on DuckLake, with the DuckDB that has it"),
        "uv run scripts/ducklake.py",
    ),
    Proof(
        *("kills", "10 min", "target-duckdb, killed at any moment, loses and doubles nothing"),
        "KILL_TRIALS=50 scripts/test tests/loader/test_kills.py",
    ),
    Proof(
        *("package-kills", "5 min", "nor does target-dlt, on PostgreSQL"),
        "KILL_TRIALS=20 scripts/test tests/loader/test_package_kills.py",
    ),
    Proof(
        *("signals", "5 min", "the tap, ended at any moment, goes on from its last STATE"),
        "SIGNAL_TRIALS=50 scripts/test tests/core/test_signals.py",
    ),
    Proof(
        *("dbt", "15 min", "all of dbt Cloud, 10,000 runs, is true, whole and once"),
        "EVERYTHING_RUNS=5000 scripts/test tests/dbt/test_everything.py",
    ),
    Proof(
        *("pulumi", "15 min", "all of Pulumi Cloud, 2,000 stacks, is true, whole and once"),
        "EVERYTHING_STACKS=1000 scripts/test tests/pulumi/test_everything.py",
    ),
    Proof(
        *("few-changes", "5 min", "10,000 stacks, 50 changed: their updates alone, few requests"),
        "FEW_OF_STACKS=10000 scripts/test tests/pulumi/test_few_changes.py",
    ),
    Proof("matrix", "30 min", "all tests pass on every Python found", "scripts/matrix"),
    Proof("bench", "2 h", "tap and loader beside their peers, with aims", "scripts/bench all"),
)


def main() -> int:
    """Run the proofs that the command line names, and return the exit code."""
    known = {proof.name: proof for proof in PROOFS}
    parser = argparse.ArgumentParser(
        "scripts/prove",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help=f"one of {', '.join(known)} (default: all)")
    parser.add_argument("--list", action="store_true", help="tell what there is; run nothing")
    args = parser.parse_args()
    if unknown := [name for name in args.name if name not in known]:
        parser.error(f"no proof is called {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[name] for name in args.name or known]
    if args.list:
        listed = [(proof.name, proof.about, proof.proves, proof.command) for proof in chosen]
        print_table(("proof", "about", "what it proves", "command"), *listed)
        return 0
    folder, rows = Path(mkdtemp(prefix="proofs-")), []
    for proof in chosen:
        log, start = folder / f"{proof.name}.log", time.monotonic()
        print(f"{proof.name}: {proof.about} or so; {log}", flush=True)
        result = proof.run(log)
        seconds = f"{time.monotonic() - start:.0f}"
        print(f"{proof.name}: {result}, {seconds} s", flush=True)
        rows.append((proof.name, result, seconds, proof.command, str(log) if log.exists() else ""))
        if result == INTERRUPTED:
            break
    print()
    print_table(("proof", "result", "seconds", "command", "output"), *rows)
    return int(any(result.startswith("FAILED") for _, result, *_ in rows))


def print_table(*rows: Sequence[str]) -> None:
    """Print rows, the header first, in columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
