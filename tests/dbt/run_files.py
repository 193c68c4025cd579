"""Runs with files that a test writes, and syncs of what they have left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.dbt.lists import NOT_THERE
from tests.dbt.run_details import ALL, RESULTS
from tests.dbt.scripted import Dbt, run
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from tests.core.syncing import Outcome, Record


def step(index: int, command: str, **more: Any) -> Record:
    """A step that runs a command of dbt."""
    return {"index": index, "id": index, "name": f"Invoke dbt with `{command}`", **more}


def ended(run_id: int, *steps: Record, hours: float = 5, **more: Any) -> Record:
    """A run that has ended and saved its files."""
    row = run(run_id, hours=hours, artifacts_saved=True, run_steps=list(steps), **more)
    return {"started_at": row["created_at"], **row}


def file(run_id: int, invocation: str, *nodes: str | Record, **more: Any) -> Record:
    """A file of a command with some nodes."""
    made = [{"unique_id": n, "status": "success"} if isinstance(n, str) else n for n in nodes]
    metadata = {"invocation_id": invocation, "env": {"DBT_CLOUD_RUN_ID": str(run_id)}}
    return {"metadata": metadata, "results": made, "args": {"which": "build"}, **more}


@dataclass
class Service(Dbt):
    """The service with files of runs.

    Attributes:
        files: By run, step and name; of no step (0) what is asked for without one.
        listed: By run, the answer to who asks for the list of files.
        asked: What was asked for below runs: run, rest of the path, step, in order.
    """

    files: dict[tuple[int, int, str], Any] = field(default_factory=dict)
    listed: dict[int, Any] = field(default_factory=dict)
    asked: list[tuple[int, str, int]] = field(default_factory=list)

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        _, found, rest = path.partition("/runs/")
        number, _, below = rest.partition("/")
        if not found or not number:
            return super().__call__(path, query)
        place = int(query.get("step", 0))
        self.asked.append((int(number), below, place))
        if not below:
            return super().__call__(path, query)
        if below == "artifacts/":
            return self.listed.get(int(number), NOT_THERE)
        return self.files.get((int(number), place, below.removeprefix("artifacts/")), NOT_THERE)


@dataclass
class Syncs:
    """Syncs of a service in turn."""

    service: Service
    settings: dict[str, Any] = field(default_factory=dict)
    state: Record | None = None

    def sync(self, *streams: str, code: int = 0, **changes: Any) -> Outcome:
        """Sync some streams, all if none is named."""
        self.service.asked.clear()
        with ScriptedServer(self.service) as server:
            config = {"dbt_token": FAKE, "dbt_url": server.url, **self.settings, **changes}
            outcome = sync(config, state=self.state, select=streams or ALL)
        assert outcome.code == code, outcome.log
        assert not outcome.says("unexpected"), outcome.log
        self.state = outcome.state
        return outcome

    def mark(self, stream: str) -> Record:
        """The mark of a stream."""
        assert self.state is not None
        (part,) = self.state["bookmarks"][stream]["partitions"]
        mark: Record = part["walks"][""]
        return mark


def results(outcome: Outcome, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of the results that a sync has emitted."""
    return [tuple(row.get(name) for name in columns) for row in outcome.records(RESULTS)]
