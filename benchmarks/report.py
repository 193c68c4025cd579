"""Tables of what was measured, and the page that keeps them."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.peers import TAP_DBT, TAP_PULUMI_CLOUD, TARGET_DUCKDB, own_versions

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measuring import Cost, Output

_COLUMNS = (
    "what",
    "who",
    "wall s",
    "CPU s",
    "peak MB",
    "requests",
    "records",
    "MB written",
    "result",
)
_MB = 1e6


@dataclass
class Section:
    """The table of one comparison.

    Attributes:
        title: The comparison's name.
        text: What was run, and what the results mean.
        rows: The cells.
    """

    title: str
    text: str
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(
        self, what: str, who: str, cost: Cost | None, output: Output | None, result: str = ""
    ) -> None:
        """Add a row.

        Args:
            what: The case.
            who: Whose figures these are.
            cost: What the run cost, if it is a run.
            output: What it wrote, where that was counted.
            result: A ratio, in words.
        """
        spent = (
            (f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak_mb:.0f}", _count(cost.requests))
            if cost
            else ("",) * 4
        )
        written = (_count(output.records), f"{output.size / _MB:.1f}") if output else ("",) * 2
        self.rows.append((what, who, *spent, *written, result))

    def markdown(self) -> str:
        """The section as Markdown."""
        rows = [_COLUMNS, ("---", "---", *["---:"] * 6, "---"), *self.rows]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        return f"## {self.title}\n\n{self.text}\n\n{table}\n"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def keep(page: Path, section: Section, order: list[str]) -> None:
    """Put a section on the page in place of an older one, and bring the facts up to date.

    Args:
        page: A Markdown file; made if there is none.
        section: What was measured.
        order: The titles of all sections, in the order of the page.
    """
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    found = re.split(r"^(?=## )", old, flags=re.MULTILINE)[1:]
    sections = {text[3:].split("\n", 1)[0]: text.strip() + "\n" for text in found}
    sections[section.title] = section.markdown()
    kept = [sections[title] for title in order if title in sections]
    page.write_text("\n".join([_introduction(), *kept]), encoding="utf-8")


def _introduction() -> str:
    versions = "\n".join(
        f"- {line}"
        for line in (
            own_versions(),
            *(peer.versions() for peer in (TAP_DBT, TAP_PULUMI_CLOUD, TARGET_DUCKDB)),
        )
    )
    return f"""# Benchmarks

Written by `python -m benchmarks --write`; see `python -m benchmarks --help`. Every command runs
in a process of its own against the simulator of this repository, which answers on loopback
after a set latency; each peer has a virtual environment of its own.

{versions}
- Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors, shared by
  the simulator and what is measured

How figures are taken:

- Output goes to /dev/null. A first pass of every command is not measured: it fills the caches
  of the simulator and counts what is written. Commands that are compared then run in turn, and
  each figure is the median of as many runs as the section says, where it does not say once.
  Ratios are ratios of medians, from one session.
- CPU seconds are user and system time of the process; peak MB is its largest resident memory.
  Requests are those that the simulator answered, records the RECORD messages.
- The world of the simulator stands at 2026-07-01, so that its sizes are exact. It answers
  requests to dbt Cloud without the trailing slash instead of redirecting them: with the
  redirect, tap-dbt would pay two requests for each page.
- Both sides have only the compared streams selected: runs (and, on our side, the account they
  belong to); stacks and their updates (and the organization). tap-dbt gets a page size of 100,
  the most that the API gives, as it otherwise misses rows; this tap has a concurrency of 16.

What a change costs is told by pairs of runs, as figures of two sessions cannot be compared:
`scripts/bench dbt pulumi loads --against COMMIT` installs the commit below `benchmarks/.venvs`, by
its own constraints, and runs this checkout and the commit in turn, on one simulator and the same
files. The result is the median of the ratios of the pairs, with the least and the greatest: a
change shows where these lie on one side of 1. `--runs N` makes N pairs (5), `--scale 0.1` a first
glance. No peer is needed.
"""
