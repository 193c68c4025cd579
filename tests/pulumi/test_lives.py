"""Organizations as time passes: people leave, grants change, tokens end; each sync is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.pulumi.lists import OrganizationList
from tap_cloudapis.pulumi.members import Members
from tap_cloudapis.pulumi.teams import TeamParts
from tests.core.syncing import KINDS, NAMES, assert_true, latest, settings, sync
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.core.syncing import Record

DAY = 86_400
WORLD = {"dbt_accounts": 0, "pulumi_stacks": 8, "pulumi_updates": 2}
#: Full tables of organizations and teams.
TABLES = [
    name
    for name in NAMES
    if issubclass(KINDS[name], (OrganizationList, TeamParts, Members))
    and not issubclass(KINDS[name], MarkedStream)
]
#: Streams whose rows do not change in this world while it is looked at.
STILL = {"pulumi_package_usage", "pulumi_policy_packs", "pulumi_registry_packages"}


@pytest.fixture
def moving() -> Iterator[Simulator]:
    with Simulator(now=END_OF_HISTORY, **WORLD) as simulator:
        yield simulator


def test_each_sync_of_a_life_is_true(moving: Simulator) -> None:
    state: Record | None = None
    seen: dict[str, set[str]] = {name: set() for name in TABLES}
    for days in (0, 11, 30):
        moving.advance(days * DAY)
        outcome = sync(settings(moving, "pulumi"), select=TABLES, state=state)
        assert outcome.code == 0, outcome.log
        assert_true(outcome.latest, moving, TABLES)
        for name in TABLES:
            records = outcome.records(name)
            assert len(records) == len(latest(records, name)), name
            seen[name].add(repr(sorted(map(repr, records))))
        state = outcome.state
    unchanged = {name for name, contents in seen.items() if len(contents) == 1}
    assert unchanged <= STILL, "a life that stands still proves nothing"
