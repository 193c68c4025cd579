"""Pulumi Cloud as a test scripts it: stacks that move, and updates that a test sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.core.syncing import Outcome, Record

STACKS, UPDATES = "pulumi_stacks", "pulumi_stack_updates"
#: The streams that a scripted cloud knows of.
KNOWN = (
    "pulumi_organizations",
    STACKS,
    UPDATES,
    "pulumi_organization_members",
    "pulumi_organization_teams",
)
FIRST_START = 1_780_000_000
_numbers = count(1)


def update(version: int, *, is_open: bool = False, **more: Any) -> Record:
    """A raw update; its id is new unless one is given."""
    start = FIRST_START + 60 * version
    info = {
        "kind": "update",
        "startTime": start,
        "endTime": 0 if is_open else start + 30,
        "result": "in-progress" if is_open else "succeeded",
        "version": version,
        "config": {},
    }
    found = {"updateID": f"u{next(_numbers)}", "version": version}
    found.update({name: more.pop(name) for name in found.keys() & more.keys()})
    info["version"] = found["version"]
    return {"info": {**info, **more}, **found}


def ended(row: Record, **more: Any) -> Record:
    """An update that was open, at its end."""
    version = more.pop("version", row["version"])
    info = {"endTime": row["info"]["startTime"] + 30, "result": "succeeded", "version": version}
    return {**row, "version": version, "info": {**row["info"], **info, **more}}


@dataclass
class Stack:
    """A stack.

    Attributes:
        place: Organization, project and name, joined by slashes.
        id: Its id; empty where the server gives none.
        last: When its newest update began.
        updates: Its updates, newest first.
    """

    place: str
    id: str
    updates: list[Record] = field(default_factory=list)
    last: int = FIRST_START

    def add(self, row: Record) -> Record:
        """Add an update, as the newest."""
        self.updates.insert(0, row)
        self.last += 60
        return row


@dataclass
class Cloud:
    """The service.

    Attributes:
        stacks: What there is.
        organizations: Logins that are told of the user.
        answers: By path, what is answered instead.
        cap: The most updates in a page.
        clock: By how many seconds the service's clock differs.
    """

    stacks: list[Stack]
    organizations: list[str] = field(default_factory=lambda: ["acme", "labs"])
    answers: dict[str, Any] = field(default_factory=dict)
    cap: int = 100
    clock: float = 0

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        name = query.get("organization", "")
        if (answer := self.answers.get(path if not name else f"{path}?{name}")) is not None:
            return answer() if callable(answer) else answer
        if path == "/api/user":
            return {"organizations": [{"githubLogin": name} for name in self.organizations]}
        if path == "/api/user/stacks":
            return {"stacks": [row(stack) for stack in self.stacks if at(stack)[0] == name]}
        place, _, version = path.removeprefix("/api/stacks/").partition("/updates")
        if place != path:
            rows = next((stack.updates for stack in self.stacks if stack.place == place), None)
            if rows is not None and not version:
                return self._page(rows, query)
            one = [row for row in rows or () if f"/{row['version']}" == version]
            return one[0] if one else Reply({}, status=404)
        login = path.split("/")[3]
        known = [org for org in self.organizations if org.casefold() == login.casefold()]
        return {"githubLogin": known[0]} if known else Reply({}, status=404)

    def _page(self, updates: list[Record], query: dict[str, str]) -> Record:
        size = min(self.cap, int(query.get("pageSize", self.cap)))
        start = (int(query.get("page", 1)) - 1) * size
        page = updates[start : start + size]
        return {"updates": page, "total": len(updates), "itemsPerPage": size}


def at(stack: Stack) -> list[str]:
    """The names of a stack."""
    return stack.place.split("/")


def row(stack: Stack) -> Record:
    names = dict(zip(("orgName", "projectName", "stackName"), at(stack), strict=True))
    identity = {"id": stack.id} if stack.id else {}
    return {**names, **identity, "lastUpdate": stack.last}


class Syncs:
    """Syncs of a cloud in turn, each from the state of the last one.

    Attributes:
        emitted: The updates of all syncs: place, version, id and result.
        state: The state of the last one.
        outcome: What the last one did.
        requests: What the last one asked for: paths and queries.
    """

    def __init__(self, cloud: Cloud, **settings: Any) -> None:
        self._cloud = cloud
        self._settings = settings
        self.emitted: list[tuple[str, int, str, str]] = []
        self.state: Record | None = None
        self.outcome: Outcome
        self.requests: list[tuple[str, dict[str, str]]] = []

    def sync(self, *, code: int = 0, **settings: Any) -> list[tuple[str, int, str, str]]:
        """Sync, and give the updates that were emitted; the exit code is checked."""
        with ScriptedServer(self._cloud, clock=self._cloud.clock) as server:
            config = {"pulumi_token": FAKE, "pulumi_url": server.url}
            config |= {**self._settings, **settings}
            self.outcome = sync(config, state=self.state, select=[STACKS, UPDATES])
        self.requests = [(r["path"], r["query"]) for r in server.requests]
        assert self.outcome.code == code, self.outcome.log
        assert not self.outcome.says("unexpected")
        self.state = self.outcome.state
        found = [
            (place_of(record), record["version"], record["update_id"], record["result"])
            for record in self.outcome.records(UPDATES)
        ]
        self.emitted += found
        return found

    @property
    def asked(self) -> list[str]:
        """What the last one asked of updates: pages by their numbers, updates by addresses."""
        found = [(p, q) for p, q in self.requests if "/updates" in p]
        return [query.get("page") or path.rpartition("/")[2] for path, query in found]

    @property
    def marks(self) -> dict[str, list[Any]]:
        """The marks in the state, by stack id, but for what tells one history from another."""
        assert self.state is not None
        found: dict[str, list[Any]] = self.state["bookmarks"][UPDATES]["stacks"]
        return {stack: [*mark[:3], *mark[4:]] for stack, mark in found.items()}


def place_of(record: Record) -> str:
    return f"{record['org_name']}/{record['project_name']}/{record['stack_name']}"


def ids(found: Iterable[tuple[Any, ...]]) -> list[Any]:
    """The ids of emitted updates."""
    return [entry[2] for entry in found]
