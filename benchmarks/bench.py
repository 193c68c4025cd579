"""What every comparison is given: how often to repeat, how large, and a simulator to run on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.peers import Taps
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

LATENCIES = (0, 50, 150)


@dataclass(frozen=True)
class Bench:
    """How to run comparisons.

    Attributes:
        repeat: How often each command runs.
        scale: What sizes are multiplied with; less than 1 for a trial.
    """

    repeat: int
    scale: float

    def size(self, number: int) -> int:
        """A size, scaled."""
        return max(1, round(number * self.scale))

    @contextmanager
    def dbt(self, runs: int, **options: Any) -> Iterator[tuple[Simulator, Taps]]:
        """Start a simulator with one account of so many runs; unscaled."""
        with self._world(dbt_accounts=1, dbt_runs=runs, pulumi_orgs=0, **options) as started:
            yield started

    @contextmanager
    def pulumi(self, stacks: int, updates: int) -> Iterator[tuple[Simulator, Taps]]:
        """Start a simulator with one organization of so many stacks; unscaled."""
        with self._world(
            dbt_accounts=0, pulumi_orgs=1, pulumi_stacks=stacks, pulumi_updates=updates
        ) as started:
            yield started

    @staticmethod
    @contextmanager
    def _world(**options: Any) -> Iterator[tuple[Simulator, Taps]]:
        with (
            Simulator(now=END_OF_HISTORY, no_slash_redirect=True, **options) as simulator,
            TemporaryDirectory() as folder,
        ):
            yield simulator, Taps(simulator, Path(folder))
