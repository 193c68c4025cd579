"""dbt Cloud as a test scripts it: an account of lists that a test sets, by their paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.core.syncing import Outcome, Record

ACCOUNT = 7
REFUSED = Reply({"status": {"user_message": "no permission"}}, status=403)
NOT_THERE = Reply({"status": {"user_message": "not found"}}, status=404)
#: Of no selected stream may any text hold this.
SECRET = "hunter2-hunter2"  # noqa: S105 - opens nothing


def envelope(data: Any, total: int | None = None) -> Record:
    """An answer with data, and with the number of rows where there is one to tell."""
    extra = {} if total is None else {"pagination": {"count": len(data), "total_count": total}}
    return {"status": {"code": 200, "is_success": True}, "data": data, "extra": extra}


@dataclass
class Account:
    """An account, one project (5) and what a test adds.

    Attributes:
        lists: Rows by what follows the account's path: ``v3/groups/``. Anything but a list of
            rows, or a function of the query that gives them, is answered as it is.
        cap: The most rows in a page.
        asked: What was asked of the account, with its queries, in order.
        state: The state of the last sync.
    """

    lists: dict[str, Any]
    cap: int = 100
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    state: Record | None = None

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/accounts/":
            return envelope([{"id": ACCOUNT, "name": "Acme"}], 1)
        version, _, _, below = path.removeprefix("/api/").split("/", 3)
        name = f"{version}/{below}"
        self.asked.append((name, query))
        known = {"v3/projects/": [{"id": 5, "name": "main", "state": 1}], **self.lists}
        answer = known.get(name, NOT_THERE)
        if callable(answer):
            answer = answer(query)
        if not isinstance(answer, list):
            return answer
        offset = int(query.get("offset", 0))
        size = min(self.cap, int(query.get("limit", self.cap)))
        return envelope(answer[offset : offset + size], len(answer))

    def sync(self, *select: str, code: int = 0, **settings: Any) -> Outcome:
        """Sync some streams from the state of the last time."""
        self.asked.clear()
        catalog = settings.pop("catalog", None)
        with ScriptedServer(self) as server:
            config = {"dbt_token": FAKE, "dbt_url": server.url, **settings}
            chosen: Iterable[str] | None = None if catalog else select
            outcome = sync(config, state=self.state, select=chosen, catalog=catalog)
        assert outcome.code == code, outcome.log
        assert not outcome.says("unexpected"), outcome.log
        assert not outcome.says(SECRET)
        assert SECRET not in b"".join(outcome.lines).decode()
        self.state = outcome.state
        return outcome

    def paths(self, below: str = "") -> list[str]:
        """The paths that the last sync asked for, sorted."""
        return sorted(name for name, _ in self.asked if below in name)


def only(record: Record, *names: str) -> tuple[Any, ...]:
    """Some values of a record."""
    return tuple(record.get(name) for name in names)
