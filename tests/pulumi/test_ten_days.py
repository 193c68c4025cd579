"""Twenty syncs over ten days of a life: after each one the tables say what is, or lately was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core import ledger
from tap_cloudapis.core.ledger import LedgerStream
from tests.core.everything import streams_of
from tests.core.syncing import INCREMENTAL, KINDS, latest, settings, sync
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from tests.core.syncing import Outcome, Record

    Rows = dict[tuple[Any, ...], Record]

SYNCS, HOURS, REFRESH_DAYS = 20, 12, 7
WORLD = {"dbt_accounts": 0, "pulumi_orgs": 1, "pulumi_stacks": 8, "pulumi_updates": 3}
STREAMS = streams_of("pulumi")
#: Read once, when the update has ended; what comes later, such as previews, is not in it.
ONCE = {"pulumi_update_timelines"}


def in_turn(name: str) -> bool:
    """Whether a stream is asked for in turn, or its rows come inside those of one that is."""
    kind: Any = KINDS[name]
    while kind.takes_parts:
        kind = kind.parent_stream_type
    return bool(getattr(kind, "in_slots", False))


def below_a_ledger(name: str) -> bool:
    """Whether a stream is asked for when its stack or environment has changed."""
    return issubclass(KINDS[name], LedgerStream) or in_turn(name)


class Tables:
    """What a target holds after each sync, beside what was true at each."""

    def __init__(self) -> None:
        self.held: dict[str, Rows] = {name: {} for name in STREAMS}
        self.true: list[dict[str, Rows]] = []

    def load(self, outcome: Outcome) -> None:
        for name in STREAMS:
            rows = outcome.latest(name)
            is_whole = not below_a_ledger(name) and name not in INCREMENTAL
            self.held[name] = rows if is_whole else {**self.held[name], **rows}

    def learn(self, simulator: Simulator) -> None:
        told = simulator.truths(*STREAMS)
        self.true.append({name: latest(told[name]["rows"], name) for name in STREAMS})

    def compare(self, name: str) -> None:
        """Each row is as it is; what is read in turn may be as it was in the last days."""
        now, held = self.true[-1][name], self.held[name]
        if name in ONCE:
            for key, row in now.items():
                versions = [each[name].get(key) for each in self.true]
                assert {column: held[key].get(column) for column in row} in versions, (name, key)
            return
        if not in_turn(name):
            for key, row in now.items():
                assert key in held, (name, key)
                assert {column: held[key].get(column) for column in row} == row, (name, key)
            return
        lately = self.true[-1 - REFRESH_DAYS * 24 // HOURS :]
        for key, row in now.items():
            versions = [each[name].get(key) for each in lately]
            if key not in held:
                assert None in versions, f"{name} {key} has been there for long"
                continue
            assert {column: held[key].get(column) for column in row} in versions, (name, key)


@pytest.mark.slow
def test_twenty_syncs_over_ten_days(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = Tables()
    state: Record | None = None
    with Simulator(now=END_OF_HISTORY, **WORLD) as simulator:
        config = settings(simulator, "pulumi", pulumi_refresh_days=REFRESH_DAYS)
        for _ in range(SYNCS):
            outcome = sync(config, state=state, select=STREAMS)
            assert outcome.code == 0, outcome.log
            state = outcome.state
            tables.load(outcome)
            tables.learn(simulator)
            for name in STREAMS:
                tables.compare(name)
            simulator.advance(HOURS * 3600)
        # A last sync, and then days on which nothing happens: each row has had its turn.
        monkeypatch.setattr(ledger, "day_of", lambda _: 10**6)
        outcome = sync(config, state=state, select=STREAMS)
        assert outcome.code == 0, outcome.log
        tables.load(outcome)
        tables.learn(simulator)
    for name in set(STREAMS) - ONCE:
        held = tables.held[name]
        for key, row in tables.true[-1][name].items():
            assert {column: held[key].get(column) for column in row} == row, (name, key)
    changing = {name for name in STREAMS if tables.true[0][name] != tables.true[-1][name]}
    assert len(changing) > len(STREAMS) / 2, "a life that stands still proves nothing"
