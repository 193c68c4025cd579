"""What all tests share: no settings of the user's own, and simulators."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

for _name in list(os.environ):
    if _name.startswith(("TAP_", "TARGET_", "CLOUDAPIS_")):
        del os.environ[_name]
os.environ["CLOUDAPIS_DOTENV"] = "off"


# A check must not fail for what it has not looked at before; at a desk every run looks elsewhere.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

#: How a simulator answers unless a test says otherwise.
PLAIN: dict[str, Any] = {
    "latency_ms": 0,
    "page_cap": None,
    "over_cap": "clamp",
    "rate_limit": None,
    "retry_after": None,
    "error_rate": 0,
    "cut_rate": 0,
    "forbid": [],
    "slash_redirect": True,
    "ignore_keyset": False,
}
SMALL = {"dbt_jobs": 6, "dbt_runs": 130, "pulumi_stacks": 16, "pulumi_updates": 6}
TINY = {
    "dbt_accounts": 1,
    "dbt_jobs": 3,
    "dbt_runs": 12,
    "pulumi_orgs": 1,
    "pulumi_stacks": 7,
    "pulumi_updates": 3,
}


@pytest.fixture(scope="session")
def _still() -> Iterator[Simulator]:
    with Simulator(now=END_OF_HISTORY, **SMALL) as simulator:
        yield simulator


@pytest.fixture
def still(_still: Simulator) -> Iterator[Simulator]:
    """A small world at the end of history: its clock stands, its behaviour is reset."""
    _still.clear_requests()
    yield _still
    reset(_still)


@pytest.fixture(scope="module")
def _moving() -> Iterator[Simulator]:
    with Simulator(now=END_OF_HISTORY, seed=2, **SMALL) as simulator:
        yield simulator


@pytest.fixture
def moving(_moving: Simulator) -> Iterator[Simulator]:
    """A small world whose clock tests may move; its behaviour is reset."""
    _moving.clear_requests()
    yield _moving
    reset(_moving)


def reset(simulator: Simulator) -> None:
    """Have a simulator answer plainly again."""
    simulator.settings(**PLAIN)
    simulator.clear_faults()
