"""Whatever fails on the way: the first sync in which nothing does leaves nothing missing."""

from __future__ import annotations

import time
import zlib
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.core.syncing import NAMES, Message, assert_rows, latest, records_of, settings, sync
from tests.pulumi.odd import OddServer
from tests.scripted_server import Reply, ScriptedServer
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from tests.core.syncing import Record

STREAMS = [name for name in NAMES if name.startswith("pulumi_")]
WORLD = {"dbt_accounts": 0, "pulumi_orgs": 1, "pulumi_stacks": 4, "pulumi_updates": 3}
BROKEN = Reply({"code": 400, "message": "broken"}, status=400)


class Failing:
    """Passes requests on, but for every sixth or so while it is broken."""

    def __init__(self, simulator: Simulator) -> None:
        self._server = OddServer(simulator, lambda _path: False, lambda asked: asked)
        self._numbers = count()
        self.is_broken = True

    def __call__(self, path: str, query: dict[str, Any]) -> Any:
        self._server.asked.clear()
        number = zlib.crc32(f"{next(self._numbers)}{path}".encode())
        is_needed = path == "/api/user" or path.endswith("/metadata") or path.count("/") == 3
        return (
            BROKEN
            if self.is_broken and not is_needed and not number % 6
            else self._server(path, query)
        )


def test_nothing_is_missing_in_the_end() -> None:
    with Simulator(now=END_OF_HISTORY, **WORLD) as simulator:
        failing, state = Failing(simulator), None
        clock = datetime.fromisoformat(simulator.advance(0)).timestamp() - time.time()
        written: list[Message] = []
        codes: list[int] = []
        for _ in range(3):
            failing.is_broken = len(codes) < 2
            with ScriptedServer(failing, clock=clock) as server:
                config: Record = settings(simulator, "pulumi", pulumi_update_detail_days=3650)
                outcome = sync({**config, "pulumi_url": server.url}, state=state, select=STREAMS)
            codes.append(outcome.code)
            written += outcome.messages
            state = outcome.state
        assert codes == [1, 1, 0], outcome.log
        for stream, told in simulator.truths(*STREAMS).items():
            found = latest(records_of(written, stream), stream)
            assert_rows(latest(told["rows"], stream), found, stream, keys_only_grow=True)
