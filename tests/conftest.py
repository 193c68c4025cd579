"""What all tests share: the silence around them, and simulators.

The user's own settings take no part, and nobody but loopback is asked: not by this process, nor by
any that it starts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.loopback_only import sitecustomize as loopback_only
from tests.simulator_process import END_OF_HISTORY, Simulator, StandingSimulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

for _name in list(os.environ):
    if _name.startswith(("CLOUDAPIS_", "MELTANO_", "TAP_", "TARGET_")):
        del os.environ[_name]
os.environ["CLOUDAPIS_DOTENV"] = "off"
# The tests and the many processes that they start would compile all modules anew each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_FOLDER = TemporaryDirectory(prefix="tests-")
_NOTES = Path(_FOLDER.name, "refused")
os.environ[loopback_only.NOTES] = str(_NOTES)
_path = [str(loopback_only.FOLDER), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, _path)))
loopback_only.install()

# A busy machine is no fault. A check must not fail for what it has not looked at before; at a desk
# every run looks elsewhere.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "ci", hypothesis.settings.get_profile("patient"), derandomize=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Have a test more under way than there are cores: most wait for processes that they start."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return (os.cpu_count() or 1) + 1


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
    "missing": [],
    "unlisted": [],
    "slash_redirect": True,
    "ignore_keyset": False,
}
SMALL = {"dbt_jobs": 6, "dbt_runs": 50, "pulumi_stacks": 16, "pulumi_updates": 6}
TINY = {
    "dbt_accounts": 1,
    "dbt_jobs": 3,
    "dbt_runs": 12,
    "pulumi_orgs": 1,
    "pulumi_stacks": 7,
    "pulumi_updates": 3,
}


def _refused() -> list[str]:
    """Whom else the tests have asked since this was last called."""
    if not _NOTES.exists():
        return []
    lines = _NOTES.read_text("utf-8").splitlines()
    _NOTES.unlink()
    return lines


@pytest.fixture(scope="session", autouse=True)
def _nobody_at_the_end() -> Iterator[None]:
    yield
    assert _refused() == []


@pytest.fixture(autouse=True)
def refused() -> Iterator[Callable[[], list[str]]]:
    """Fail a test that asked others than loopback, but for what it takes by calling this."""
    yield _refused
    assert _refused() == []


@pytest.fixture(scope="session")
def _still() -> Iterator[Simulator]:
    with StandingSimulator(now=END_OF_HISTORY, **SMALL) as simulator:
        yield simulator


@pytest.fixture
def still(_still: Simulator) -> Iterator[Simulator]:
    """A small world at the end of history: its clock stands, its behaviour is reset."""
    _still.clear_requests()
    yield _still
    reset(_still)


@pytest.fixture(scope="session")
def _tiny() -> Iterator[Simulator]:
    with StandingSimulator(now=END_OF_HISTORY, **TINY) as simulator:
        yield simulator


@pytest.fixture
def tiny(_tiny: Simulator) -> Iterator[Simulator]:
    """A world with some of everything, and one account; else like the small one."""
    _tiny.clear_requests()
    yield _tiny
    reset(_tiny)


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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait hardly at all before a request is tried again."""
    monkeypatch.setattr("tap_cloudapis.core.connection.FIRST_WAIT", 0.001)


def reset(simulator: Simulator) -> None:
    """Have a simulator answer plainly again."""
    simulator.settings(**PLAIN)
    simulator.clear_faults()
