"""Pages of made-up worlds, each written once by the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.report.reading import Reading
from tests.report.world import SCHEMA, World, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

COMMAND = Path(sys.executable).with_name("cloudapis-report")
#: What somebody may have called a job: it would end elements, attributes, strings and templates.
HOSTILE = (
    "</td></script><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"' onmouseover=alert(3) x='{{7*7}}${7*7}{%if%} & datum.x \u202e\u0007\n\\"
)


@dataclass
class Written:
    """A page, the models it was made of, and what the command said."""

    database: Path
    path: Path
    code: int
    out: str
    err: str

    @cached_property
    def page(self) -> Reading:
        return Reading.of(self.path)

    @cached_property
    def models(self) -> Callable[[str], list[dict[str, Any]]]:
        """All rows of a model, as Python has them."""
        known: dict[str, list[dict[str, Any]]] = {}

        def rows(name: str) -> list[dict[str, Any]]:
            if name not in known:
                with duckdb.connect(str(self.database), read_only=True) as connection:
                    cursor = connection.execute(f"select * from {SCHEMA}.{name}")
                    names = [column[0] for column in cursor.description or ()]
                    known[name] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            return known[name]

        return rows


def report(*arguments: object, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def written(folder: Path, world: World | None, drop: Iterable[str] = ()) -> Written:
    """Write the page of a world."""
    database = write(folder / "models.duckdb", world, drop)
    path = folder / "page" / "report.html"
    done = report(database, "--output", path, folder=folder)
    return Written(database, path, done.returncode, done.stdout, done.stderr)


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
