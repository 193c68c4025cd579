"""Pages of made-up worlds, each written once by the command itself, and the page of the demo."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.counting import Time
from tests.report.demo import written_demo
from tests.report.raw import counted
from tests.report.world import World
from tests.report.writing import Written, written

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What somebody may have called a job: it would end elements, attributes, strings and templates.
HOSTILE = (
    "</td></script><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"' onmouseover=alert(3) x='{{7*7}}${7*7}{%if%} & datum.x \u202e\u0007\n\\"
)


def _fixture(name: str, world: World | None, drop: Iterable[str] = ()) -> Any:
    def make(tmp_path_factory: pytest.TempPathFactory) -> Written:
        made = written(tmp_path_factory.mktemp(name), world, drop)
        assert made.code == 0, made.err
        return made

    return pytest.fixture(make, scope="session", name=name)


usual = _fixture("usual", World())
#: Another time zone, in which the day of the models is another one than in UTC.
elsewhere = _fixture(
    "elsewhere", World(jobs=20, stacks=30, zone="Pacific/Auckland", as_of="2026-04-12 15:30:00")
)
hostile = _fixture("hostile", World(jobs=40, stacks=40, mark=HOSTILE))
empty = _fixture("empty", None)
one_run = _fixture("one_run", World(jobs=1, runs=1, stacks=0))

#: When the page of the demo is written, and where it is read: days and hours are not those of UTC.
_NOW, _ZONE = "2026-07-01T08:00:00Z", "Europe/Berlin"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The page of the demo: what its models should say is counted from the loader's tables."""
    page = written_demo(tmp_path_factory.mktemp("raw"), _NOW, _ZONE)
    assert page.code == 0, page.err
    return replace(page, counted=counted(page.database, _NOW, _ZONE))


@pytest.fixture(params=["usual", "elsewhere", "demo"])
def made(request: pytest.FixtureRequest) -> Written:
    """A page, with the rows that all its numbers have to follow from."""
    found: Written = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def time(made: Written) -> Time:
    """The time of that page."""
    return Time(made)
