"""A simulator whose clock these tests move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import TINY, reset
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def _own() -> Iterator[Simulator]:
    with Simulator(now=END_OF_HISTORY, seed=3, **TINY) as simulator:
        yield simulator


@pytest.fixture
def own(_own: Simulator) -> Iterator[Simulator]:
    """A world with some of everything, whose clock tests may move; its behaviour is reset."""
    _own.clear_requests()
    yield _own
    reset(_own)
