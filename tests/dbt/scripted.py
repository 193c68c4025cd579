"""dbt Cloud as a test scripts it: runs that a test sets, and lists that lag."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_cloudapis.tap import TapCloudAPIs
    from tests.core.syncing import Outcome, Record

RUNS = "dbt_runs"
QUEUED, RUNNING, SUCCESS, CANCELLED = 1, 3, 10, 30
RANGES = ("created_at__range", "finished_at__range")
#: The parameters that narrow a list.
ALL = frozenset({"id__gt", "pk__in", "status__in", "job_definition_id", "project_id__in", *RANGES})


def ago(**units: float) -> str:
    """A moment before now as the API writes it."""
    return f"{datetime.now(UTC) - timedelta(**units):%Y-%m-%d %H:%M:%S.%f}+00:00"


def run(run_id: int, *, hours: float = 5, **more: Any) -> Record:
    """A run that was created some hours ago and has ended well half an hour later."""
    row = {
        "id": run_id,
        "job_definition_id": 31,
        "project_id": 11,
        "status": SUCCESS,
        "is_complete": True,
        "created_at": ago(hours=hours),
        "finished_at": ago(hours=hours - 0.5),
    }
    return {**row, **more}


def waiting(run_id: int, **more: Any) -> Record:
    """A run in the queue, new."""
    fresh = {"status": QUEUED, "is_complete": False, "finished_at": None, "created_at": ago()}
    return run(run_id, **{**fresh, **more})


def cancel(row: Record) -> None:
    """Cancel a run in the queue, which leaves no end."""
    row.update(status=CANCELLED, is_complete=True)


@dataclass
class Dbt:
    """The service, with one account.

    Attributes:
        runs: What there is.
        heeds: The parameters that it heeds; it ignores others.
        rejects: Parameters that it answers with 400 where they come together.
        hidden: Runs that its lists lack for the moment.
        answers: By path, what is answered instead.
    """

    runs: list[Record]
    heeds: frozenset[str] = ALL
    rejects: frozenset[str] = frozenset({"nothing"})
    hidden: set[int] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        if path in self.answers:
            return self.answers[path]
        if path == "/api/v3/accounts/":
            return envelope([{"id": 1, "name": "Acme"}])
        last = path.split("/")[-2]
        if last.isdecimal():
            found = [row for row in self.runs if row["id"] == int(last)]
            return envelope(found[0]) if found else Reply({"status": {}}, status=404)
        if last != "runs":
            return envelope([])
        if query.keys() >= self.rejects:
            return Reply({"status": {"user_message": "no"}}, status=400)
        heeded = {name: json.loads(v) for name, v in query.items() if name in self.heeds}
        rows = [r for r in self.runs if r["id"] not in self.hidden and passes(r, heeded)]
        rows.sort(key=lambda row: row["id"])
        offset = int(query.get("offset", 0))
        return envelope(rows[offset : offset + 100], len(rows))


def passes(row: Record, query: Record) -> bool:
    """Whether a run is one that a query asks for."""
    for name, value in query.items():
        column, _, kind = name.partition("__")
        fits = {
            "id__gt": lambda row, value: row["id"] > value,
            "pk__in": lambda row, value: row["id"] in value,
        }.get(name)
        if kind == "range":
            low, high = (text.replace("T", " ") for text in value)
            ok = low <= (row[column] or "")[:26] <= high
        elif fits:
            ok = fits(row, value)
        else:
            ok = row[column] in value if kind else row[column] == value
        if not ok:
            return False
    return True


def envelope(data: Any, total: int = 1) -> Record:
    extra = {"pagination": {"total_count": total}}
    return {"status": {"is_success": True}, "data": data, "extra": extra}


class Syncs:
    """Syncs of the runs in turn, each from the state of the last one.

    Attributes:
        rows: The latest row of each run.
        state: The state of the last sync.
        outcome: What the last one did.
        requests: What the last one asked of runs: paths and queries.
    """

    def __init__(self, dbt: Dbt, **settings: Any) -> None:
        self.dbt = dbt
        self._settings = settings
        self.rows: dict[int, Record] = {}
        self.state: Record | None = None
        self.outcome: Outcome
        self.requests: list[tuple[str, dict[str, str]]] = []

    def sync(
        self,
        *,
        code: int | None = 0,
        prepare: Callable[[TapCloudAPIs], None] | None = None,
        **changes: Any,
    ) -> list[int]:
        """Sync, and give the ids of the runs that were emitted.

        Args:
            code: The exit code that is expected; ``None`` for any.
            prepare: Called with the tap before it runs.
            changes: Settings that differ.
        """
        with ScriptedServer(self.dbt) as server:
            config = {"dbt_token": FAKE, "dbt_url": server.url, **self._settings, **changes}
            self.outcome = sync(config, state=self.state, select=[RUNS], prepare=prepare)
        asked = [(r["path"], r["query"]) for r in server.requests]
        self.requests = [(path, query) for path, query in asked if "/runs/" in path]
        assert code in (None, self.outcome.code), self.outcome.log
        assert not self.outcome.says("unexpected")
        self.state = self.outcome.state
        found = self.outcome.records(RUNS)
        self.rows.update({row["id"]: row for row in found})
        return [row["id"] for row in found]

    @property
    def alone(self) -> list[int]:
        """The runs that the last sync asked for at their own addresses."""
        paths = [path for path, _ in self.requests]
        return [int(path.split("/")[-2]) for path in paths if not path.endswith("/runs/")]

    @property
    def part(self) -> Record:
        """The account's part of the state."""
        assert self.state is not None
        (part,) = self.state["bookmarks"][RUNS]["partitions"]
        found: Record = part
        return found

    @property
    def warnings(self) -> list[str]:
        """The warnings of the last sync."""
        return self.outcome.logged("WARNING")

    def assert_true(self) -> None:
        """Check that each run was emitted, and last as it is."""
        now = {row["id"]: row["status"] for row in self.dbt.runs}
        assert {i: row["status"] for i, row in self.rows.items() if i in now} == now
