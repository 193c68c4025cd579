"""What syncs of steps, results, freshness, commands and files of runs leave behind, in turn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.core.syncing import KEYS, assert_rows, latest, settings, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_cloudapis.tap import TapCloudAPIs
    from tests.core.syncing import Outcome, Record
    from tests.simulator_process import Simulator

STEPS, RESULTS, FRESHNESS = "dbt_run_steps", "dbt_run_results", "dbt_source_freshness"
INVOCATIONS, FILES = "dbt_run_invocations", "dbt_run_artifacts"
ALL = (STEPS, RESULTS, FRESHNESS, INVOCATIONS, FILES)
HOUR = 3600


class Warehouse:
    """Syncs in turn, each from the state of the last one, in the time of a simulator.

    Attributes:
        rows: The latest rows by stream and key.
        times: How often a row was emitted, by stream and key.
        state: The state of the last sync.
        requests: What the last sync asked for.
    """

    def __init__(self, simulator: Simulator, **more: Any) -> None:
        self.simulator = simulator
        self._settings = settings(simulator, "dbt", **more)
        self.rows: dict[str, dict[tuple[Any, ...], Record]] = {name: {} for name in ALL}
        self.times: dict[str, Counter[tuple[Any, ...]]] = {name: Counter() for name in ALL}
        self.state: Record | None = None
        self.requests: list[Record] = []

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.simulator.advance(seconds)

    def sync(
        self,
        *streams: str,
        code: int = 0,
        prepare: Callable[[TapCloudAPIs], None] | None = None,
        **changes: Any,
    ) -> Outcome:
        """Sync some of the streams, all if none is named."""
        self.simulator.clear_requests()
        config = {**self._settings, **changes}
        chosen = streams or ALL
        outcome = sync(config, state=self.state, select=chosen, prepare=prepare)
        assert outcome.code == code, outcome.log
        self.requests = self.simulator.requests()
        self.state = outcome.state
        for name in chosen:
            records = outcome.records(name)
            self.times[name].update(tuple(row[key] for key in KEYS[name]) for row in records)
            self.rows[name].update(latest(records, name))
        return outcome

    def assert_true(self, *streams: str) -> None:
        """Compare the rows with what is true now, and that none came twice."""
        for name in streams or ALL:
            assert_rows(latest(self.simulator.rows(name), name), self.rows[name], name)
            twice = [key for key, times in self.times[name].items() if times > 1]
            assert not twice, f"{name} has read {twice[:5]} twice"

    def marks(self, stream: str) -> list[Mapping[str, Any]]:
        """The marks of a stream, of all accounts."""
        assert self.state is not None
        partitions = self.state["bookmarks"][stream]["partitions"]
        return [mark for partition in partitions for mark in partition["walks"].values()]

    def waiting(self, stream: str) -> dict[int, list[int]]:
        """The runs that a stream waits for, and which steps of them."""
        marks = self.marks(stream)
        return {int(run): steps for mark in marks for run, steps in mark["waiting"].items()}

    def asked(self, ending: str) -> list[int]:
        """The runs that were asked for something, by how the template of its path ends."""
        found = [r["path"] for r in self.requests if r["template"].endswith(ending)]
        return [int(path.split("/runs/")[1].split("/")[0]) for path in found]
