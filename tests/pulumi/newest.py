"""Pulumi Cloud as a test scripts it: lists of one organization, newest first, by their paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.core.syncing import latest, sync
from tests.core.test_odd_servers import FAKE
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from tests.core.syncing import Outcome, Record

NOT_THERE = Reply({"code": 404, "message": "not found"}, status=404)
REFUSED = Reply({"code": 403, "message": "no"}, status=403)
#: Of no selected stream may any text hold this.
SECRET = "hunter2-hunter2"  # noqa: S105 - opens nothing


@dataclass
class Org:
    """The organization acme.

    Attributes:
        answers: By what follows ``/api/``: rows in the order of the list, with the name under
            which an answer has them; a function of the query (or of the body of a POST); or what
            is answered as it is.
        cap: The most rows in a page.
        totals: Whether answers tell how many rows there are.
        features: The switches of the organization.
        asked: What was asked beside the organization itself, in order, with queries.
        rows: What a warehouse would hold by now, by stream and key.
    """

    answers: dict[str, Any]
    cap: int = 100
    totals: bool = True
    features: Record = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    state: Record | None = None
    rows: dict[str, dict[tuple[Any, ...], Record]] = field(default_factory=dict)
    outcome: Outcome = field(init=False)

    def __call__(self, path: str, query: dict[str, Any]) -> Any:
        if path == "/api/user":
            return {"organizations": [{"githubLogin": "acme"}]}
        if path in ("/api/orgs/acme", "/api/orgs/acme/metadata"):
            return {"githubLogin": "acme", "features": self.features}
        name = path.removeprefix("/api/")
        self.asked.append((name, query))
        answer = self.answers.get(name, NOT_THERE)
        if name == "user/stacks" and answer is NOT_THERE:
            return {"stacks": []}
        if callable(answer):
            answer = answer(query)
        if not isinstance(answer, tuple):
            return answer
        key, rows = answer
        size = min(self.cap, int(query.get("pageSize", self.cap)))
        start = (int(query.get("page", 1)) - 1) * size
        told = {"total": len(rows), "itemsPerPage": size} if self.totals else {}
        return {key: rows[start : start + size], **told}

    def sync(self, *select: str, code: int = 0, **settings: Any) -> Outcome:
        """Sync some streams from the state of the last time."""
        self.asked.clear()
        with ScriptedServer(self) as server:
            config = {"pulumi_token": FAKE, "pulumi_url": server.url, **settings}
            outcome = sync(config, state=self.state, select=select)
        assert outcome.code == code, outcome.log
        assert not outcome.says("unexpected"), outcome.log
        assert not outcome.says(SECRET)
        assert SECRET not in b"".join(outcome.lines).decode()
        self.state, self.outcome = outcome.state, outcome
        for stream in select:
            self.rows.setdefault(stream, {}).update(latest(outcome.records(stream), stream))
        return outcome

    def pages(self, name: str) -> list[str | None]:
        """The pages of a list that the last sync asked for."""
        return [query.get("page") for path, query in self.asked if path == name]

    def paths(self) -> list[str]:
        """What the last sync asked for, in order."""
        return [path for path, _ in self.asked]

    def column(self, stream: str, name: str) -> list[Any]:
        """A column of what the last sync has emitted."""
        return [record[name] for record in self.outcome.records(stream)]
