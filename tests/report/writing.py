"""Pages that the command has written, and what it was given."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from tests.report.reading import Reading
from tests.report.world import SCHEMA, World, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

COMMAND = Path(sys.executable).with_name("cloudapis-report")


@dataclass
class Written:
    """A page, what it was made of, and what the command said.

    Attributes:
        database: The models are in it.
        path: The page.
        code: How the command ended.
        out: What it said.
        err: What it said of errors.
        counted: Gives the rows of a model from elsewhere than the models, if it can.
    """

    database: Path
    path: Path
    code: int
    out: str
    err: str
    counted: Callable[[str], list[dict[str, Any]]] | None = None

    @cached_property
    def page(self) -> Reading:
        return Reading.of(self.path)

    @cached_property
    def models(self) -> Callable[[str], list[dict[str, Any]]]:
        """All rows of a model, as Python has them."""
        if self.counted:
            return self.counted
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
