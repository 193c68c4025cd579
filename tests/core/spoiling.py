"""The simulator behind a server that spoils its answers, a field of each row at a time."""

from __future__ import annotations

import copy
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

#: Where an answer has its list, by the end of its path.
LISTS = {
    **dict.fromkeys(
        ("accounts", "projects", "environments", "connections", "jobs", "runs"), "data"
    ),
    "stacks": "stacks",
    "updates": "updates",
    "members": "members",
    "teams": "teams",
}


class Spoiler:
    """Answers as the simulator does, but for what a test spoils.

    Attributes:
        kind: The end of the paths whose answers are spoiled.
        value: What stands in the place of a field.
        turn: Which fields: every second row of a list has another one spoiled; in the next turn it
            is the next fields, of the rows between.
        envelope: The field of the answer itself that is spoiled instead, as a path.
        spoiled: The rows that were spoiled, as they were, each with the name of the field.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._known: dict[str, tuple[int, bytes]] = {}
        self.kind = ""
        self.value: Any = None
        self.turn = 0
        self.envelope: tuple[str, ...] = ()
        self.spoiled: list[tuple[Record, str]] = []
        self.server = ScriptedServer(self._answer)

    def settings(self) -> Record:
        """The settings of a sync."""
        simulator = self._simulator
        return {
            "dbt_token": simulator.dbt_token,
            "dbt_url": self.server.url,
            "pulumi_token": simulator.pulumi_token,
            "pulumi_url": self.server.url,
        }

    @staticmethod
    def _rows(kind: str, body: Any) -> list[Record]:
        rows = body.get(LISTS[kind]) if isinstance(body, dict) else None
        return rows if isinstance(rows, list) else []

    def _answer(self, path: str, query: dict[str, str]) -> Any:
        status, body = self._ask(path, query)
        if status != 200 or _kind(path) != self.kind:
            return Reply(body, status)
        answer = json.loads(body)
        if self.envelope:
            place = answer
            for name in self.envelope[:-1]:
                place = place[name]
            place[self.envelope[-1]] = self.value
        else:
            self._spoil(self._rows(self.kind, answer))
        return answer

    def _spoil(self, rows: list[Record]) -> None:
        chosen = rows[self.turn % 2 :: 2]
        for number, row in enumerate(chosen, self.turn * len(chosen)):
            places = list(_places(row))
            if number < len(places):
                self.spoiled.append((copy.deepcopy(row), ".".join(places[number])))
                *path, last = places[number]
                inner: Any = row
                for name in path:
                    inner = inner[name]
                inner[last] = copy.deepcopy(self.value)

    def _ask(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        simulator = self._simulator
        is_dbt = path.startswith(("/api/v2/", "/api/v3/"))
        base = simulator.dbt_url if is_dbt else simulator.pulumi_url
        token = f"Token {simulator.dbt_token}" if is_dbt else f"token {simulator.pulumi_token}"
        url = f"{base}{quote(path)}?{urlencode(query)}"
        if url not in self._known:
            accept = "application/json" if is_dbt else "application/vnd.pulumi+8"
            headers = {"Authorization": token, "Accept": accept}
            request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
            try:
                with urllib.request.urlopen(request) as response:  # noqa: S310
                    self._known[url] = response.status, response.read()
            except urllib.error.HTTPError as exc:
                self._known[url] = exc.code, exc.read()
        return self._known[url]


def _kind(path: str) -> str:
    return path.partition("?")[0].rstrip("/").rpartition("/")[2]


def _places(row: Record) -> Iterator[tuple[str, ...]]:
    """The paths of a row's fields, nested ones too."""
    for name, value in row.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, *rest) for rest in _places(value))
