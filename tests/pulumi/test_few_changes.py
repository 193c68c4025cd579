"""A sync of many stacks of which few have changed: what it asks for, and that it brings just that.

`FEW_OF_STACKS=10000 scripts/test tests/pulumi/test_few_changes.py` proves it for so many stacks.
"""

from __future__ import annotations

import os
from collections import Counter
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.everything import process, records
from tests.core.syncing import settings
from tests.pulumi.scripted import STACKS, UPDATES, place_of
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.syncing import Record

SIZE = int(os.getenv("FEW_OF_STACKS", "300"))
WANTED = max(5, SIZE // 200)
WORLD = {"dbt_accounts": 0, "pulumi_orgs": 1, "pulumi_stacks": SIZE, "pulumi_updates": 5}
STREAMS = ("pulumi_organizations", STACKS, UPDATES)


def updates(simulator: Simulator) -> dict[tuple[Any, ...], Record]:
    """The updates that there are, by stack and version."""
    return {(row["stack_id"], row["version"]): row for row in simulator.rows(UPDATES)}


def stacks(simulator: Simulator) -> dict[str, Record]:
    return {row["stack_id"]: row for row in simulator.rows(STACKS)}


def disturb(simulator: Simulator) -> None:
    """Have one stack renamed, two made again, and five more shown, with all that they did."""
    quiet = sorted(place_of(row) for row in stacks(simulator).values())[:3]
    organization = quiet[0].partition("/")[0]
    for number, place in enumerate(quiet):
        simulator.move_stack(place, f"{organization}/moved/stack-{number}")
        if number:
            simulator.make_stack(place, updates=2)
    for number in range(5):
        simulator.make_stack(f"{organization}/shown/stack-{number}", updates=7)


@pytest.mark.slow
def test_few_changes_cost_few_requests(tmp_path: Path) -> None:
    with Simulator(now=END_OF_HISTORY, **WORLD) as simulator:
        config = settings(simulator, "pulumi")
        first = process(config, STREAMS, tmp_path)
        assert first.code == 0, first.log
        before, listed = updates(simulator), stacks(simulator)
        changed: set[str] = set()
        while len(changed) < WANTED:
            simulator.advance(60)
            changed = {key for key, row in stacks(simulator).items() if listed[key] != row}
        disturb(simulator)
        after = updates(simulator)
        simulator.clear_requests()
        second = process(config, STREAMS, tmp_path, goes_on=True)
        assert second.code == 0, second.log
        asked = sum(simulator.request_counts().values())
    still_open = {key for key, row in before.items() if row["end_time"] is None}
    expected = {key for key in after if key not in before or key in still_open}
    found = Counter((r["stack_id"], r["version"]) for r in records(tmp_path, UPDATES))
    assert found == Counter(expected)
    touched = {stack for stack, _ in expected}
    assert len(touched) >= WANTED + 7, "too little has happened"
    pages = ceil((SIZE + 10) / 500)
    assert asked <= 3 + pages + len(touched) + 10
