"""Every list of Pulumi Cloud from servers that page oddly: all of it, or one error; no loop."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TINY
from tests.core.syncing import KINDS, NAMES, assert_rows, latest, settings, sync
from tests.pulumi import odd
from tests.pulumi.odd import MOST_REQUESTS, OddServer
from tests.scripted_server import ScriptedServer
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.core.syncing import Record

PULUMI = [name for name in NAMES if name.startswith("pulumi_")]
#: Lists whose rows lead to others: a fault in them would hide what becomes of those below.
LEADING = {
    "pulumi_stacks",
    "pulumi_stack_updates",
    "pulumi_organization_teams",
    "pulumi_environments",
    "pulumi_deployments",
    "pulumi_policy_groups",
    "pulumi_registry_packages",
}
GROUPS = {
    "leading": LEADING,
    "others": set(PULUMI) - LEADING - {"pulumi_organizations"},
}
ODDITIES = (
    odd.caps,
    odd.ignores_paging,
    odd.ignores_pages,
    odd.repeats_the_last_page,
    odd.has_new_tokens_for_the_same,
    odd.has_new_tokens_for_nothing,
    odd.repeats_a_token,
)
#: Those that give all rows: nothing can be wrong with them.
HARMLESS = {odd.caps, odd.ignores_paging, odd.repeats_the_last_page}


def test_every_stream_is_tried() -> None:
    assert GROUPS["leading"] | GROUPS["others"] | {"pulumi_organizations"} == set(PULUMI)
    assert KINDS.keys() >= LEADING


@dataclass
class World:
    """A world that gives out two rows at a time.

    Attributes:
        simulator: Has it.
        paths: What is asked for each stream.
        true: What is true, by stream and key.
    """

    simulator: Simulator
    paths: dict[str, set[str]]
    true: dict[str, dict[tuple[Any, ...], Record]]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Simulator(now=END_OF_HISTORY, page_cap=2, **TINY) as simulator:
        outcome = sync(settings(simulator, "pulumi"), select=PULUMI)
        assert outcome.code == 0, outcome.log
        paths: dict[str, set[str]] = {}
        for request in simulator.requests():
            paths.setdefault(request["stream"], set()).add(request["path"])
        told = simulator.truths(*PULUMI)
        true = {name: latest(told[name]["rows"], name) for name in PULUMI}
        yield World(simulator, paths, true)


def reasons(log: list[str], stream: str) -> set[str]:
    """What the errors of a stream say, whichever list they are about."""
    found = [line for line in log if line.startswith(f"ERROR {stream}: ")]
    return {re.sub(r"; further ones .*", "", line.rpartition(": ")[2]) for line in found}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda oddity: oddity.__name__)
def test_all_of_it_or_one_error(oddity: Callable[[Any], Any], group: str, world: World) -> None:
    paths = set().union(*(world.paths.get(name, set()) for name in GROUPS[group]))
    server = OddServer(world.simulator, lambda path: path in paths, oddity)
    clock = datetime.fromisoformat(END_OF_HISTORY).timestamp() - time.time()
    with ScriptedServer(server, clock=clock) as front:
        config = {**settings(world.simulator, "pulumi"), "pulumi_url": front.url}
        outcome = sync(config, select=PULUMI)
    assert max(server.asked.values()) < MOST_REQUESTS, "without end"
    assert not outcome.says("unexpected"), outcome.log
    for name, rows in world.true.items():
        told = reasons(outcome.log, name)
        assert len(told) <= (oddity not in HARMLESS), (name, told)
        above = {kind for kind in leading_to(name) if reasons(outcome.log, kind)}
        if told:
            assert outcome.code == 1
        elif not above:
            assert_rows(rows, outcome.latest(name), name)


def leading_to(stream: str) -> Iterator[str]:
    """The streams without which another one lacks rows, or the ids of stacks."""
    kind: Any = KINDS[stream].parent_stream_type
    while kind is not None:
        yield kind.name
        kind = kind.parent_stream_type
    if "deployment" in stream or stream == "pulumi_drift_runs":
        yield "pulumi_stacks"
