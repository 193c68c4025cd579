"""Pulumi Cloud as a test scripts it: an organization of lists that a test sets, by their paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.syncing import Outcome, Record

ORG = "acme"
#: Of no selected stream may any text hold this.
SECRET = "hunter2-hunter2"  # noqa: S105 - opens nothing


def refused(status: int = 403, message: str = "no permission") -> Reply:
    """An answer that gives nothing."""
    return Reply({"code": status, "message": message}, status=status)


@dataclass
class Organization:
    """An organization and what a test adds.

    Attributes:
        lists: Answers by what follows the organization's path, or by whole paths; functions of the
            query are called.
        instead: Answers in the place of all of it.
        features: The switches of the organization.
        clock: By how many seconds the service's clock differs.
        asked: What was asked of the organization, with its queries, in order.
        state: The state of the last sync.
    """

    lists: dict[str, Any]
    instead: Callable[[str, dict[str, str]], Any] | None = None
    features: Record = field(default_factory=dict)
    clock: float = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    state: Record | None = None

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        if self.instead is not None:
            return self.instead(path, query)
        if path == "/api/user":
            return {"organizations": [{"githubLogin": ORG}]}
        below = path.removeprefix(f"/api/orgs/{ORG}")
        if below in ("", "/metadata"):
            return {"githubLogin": ORG, "features": self.features}
        name = below.removeprefix("/") if below != path else path
        self.asked.append((name, query))
        answer = self.lists.get(name, refused(404, "not found"))
        return answer(query) if callable(answer) else answer

    def sync(self, *select: str, code: int = 0, **settings: Any) -> Outcome:
        """Sync some streams from the state of the last time."""
        self.asked.clear()
        catalog = settings.pop("catalog", None)
        with ScriptedServer(self, clock=self.clock) as server:
            config = {"pulumi_token": FAKE, "pulumi_url": server.url, **settings}
            chosen = None if catalog else select
            outcome = sync(config, state=self.state, select=chosen, catalog=catalog)
        assert outcome.code == code, outcome.log
        assert not outcome.says("unexpected"), outcome.log
        assert not outcome.says(SECRET)
        assert SECRET not in b"".join(outcome.lines).decode()
        self.state = outcome.state
        return outcome

    @property
    def paths(self) -> list[str]:
        """The paths that the last sync asked for, sorted."""
        return sorted(name for name, _ in self.asked)


def pages(key: str, *rows: list[Any]) -> Any:
    """Answers of a list by tokens, one for each page."""

    def answer(query: dict[str, str]) -> Record:
        number = int(query.get("continuationToken", 0))
        more = {"continuationToken": str(number + 1)} if number + 1 < len(rows) else {}
        return {key: rows[number], **more}

    return answer


def only(record: Record, *names: str) -> tuple[Any, ...]:
    """Some values of a record."""
    return tuple(record.get(name) for name in names)


def activated(outcome: Outcome) -> set[str]:
    """The streams of which a target may drop what a sync has not emitted."""
    return {m["stream"] for m in outcome.messages if m["type"] == "ACTIVATE_VERSION"}
