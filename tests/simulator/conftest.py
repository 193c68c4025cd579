"""A simulator that many tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.client import Client
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def still() -> Iterator[Client]:
    """A client of a default world at the end of history, which no test may change."""
    with Simulator(now=END_OF_HISTORY) as simulator:
        yield Client(simulator)
