"""Lists that change while they are read: nothing that stayed is lost, and the next sync is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core.marks import MarkedStream
from tests.core.syncing import KINDS, NAMES, assert_rows, latest, settings, sync
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.core.syncing import Outcome, Record

WORLD = {"dbt_jobs": 24, "dbt_runs": 20, "pulumi_orgs": 1, "pulumi_stacks": 1}
DBT = [name for name in NAMES if name.startswith("dbt_")]
HOUR = 3600
DAY = 24 * HOUR

Rows = dict[str, dict[tuple[Any, ...], "Record"]]


def truth(simulator: Simulator) -> Rows:
    told = {name: latest(entry["rows"], name) for name, entry in simulator.truths(*DBT).items()}
    assert all(told.values())
    return told


def told(record: Mapping[str, Any], row: Record) -> Record:
    """What a record says of what a row says."""
    return {name: record.get(name) for name in row}


def assert_of_that_time(outcome: Outcome, before: Rows, after: Rows) -> None:
    """Each row that was there all the time is there once, as it was at some time of it."""
    for name in DBT:
        records = outcome.records(name)
        found = latest(records, name)
        if not issubclass(KINDS[name], MarkedStream):
            assert len(records) == len(found), f"{name} has rows twice"
        missing = (before[name].keys() & after[name].keys()) - found.keys()
        assert not missing, f"{name} lacks {sorted(missing)[:5]}"
        for key, record in found.items():
            rows = [rows[name][key] for rows in (before, after) if key in rows[name]]
            assert any(told(record, row) == row for row in rows), f"{name} {key}: {record}"


@pytest.mark.parametrize(
    ("requests", "over_cap"), [(3, "clamp"), (60, "reject"), (200, "clamp"), (500, "reject")]
)
def test_what_happens_while_lists_are_read(requests: int, over_cap: str) -> None:
    with Simulator(now=END_OF_HISTORY, page_cap=10, over_cap=over_cap, **WORLD) as simulator:
        before = truth(simulator)
        simulator.advance(4 * DAY, after_requests=requests)
        config = settings(simulator, "dbt", concurrency=4)
        outcome = sync(config, select=DBT)
        assert outcome.code == 0, outcome.log
        after = truth(simulator)
        assert before["dbt_runs"].keys() < after["dbt_runs"].keys(), "time has passed"
        assert_of_that_time(outcome, before, after)
        again = sync(config, state=outcome.state, select=DBT)
        assert again.code == 0, again.log
        for name in DBT:
            marked = issubclass(KINDS[name], MarkedStream)
            found = {**(outcome.latest(name) if marked else {}), **again.latest(name)}
            assert_rows(after[name], found, name, keys_only_grow=marked)


def test_ten_syncs_while_time_passes() -> None:
    held: Rows = {name: {} for name in DBT}
    state: Record | None = None
    with Simulator(now=END_OF_HISTORY, seed=3, page_cap=20, **WORLD) as simulator:
        for turn in range(10):
            simulator.advance((1 + 5 * turn) * HOUR)
            before = simulator.advance(0)
            simulator.advance(2 * HOUR, after_requests=10 + 10 * turn)
            outcome = sync(settings(simulator, "dbt"), select=DBT, state=state)
            assert outcome.code == 0, outcome.log
            assert simulator.advance(0) > before, "time has passed meanwhile"
            state = outcome.state
            for name in DBT:
                held[name].update(outcome.latest(name))
        outcome = sync(settings(simulator, "dbt"), select=DBT, state=state)
        assert outcome.code == 0, outcome.log
        for name, rows in truth(simulator).items():
            marked = issubclass(KINDS[name], MarkedStream)
            found = {**held[name], **outcome.latest(name)} if marked else outcome.latest(name)
            assert_rows(rows, found, name, keys_only_grow=marked)
