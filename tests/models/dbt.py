"""dbt in an environment of its own, as it takes older packages than the tests do."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "transform"
ENVIRONMENT = ROOT / ".venvs/transform"


@cache
def program() -> Path:
    """The executable of dbt; the first call installs it, or sees that it is there."""
    subprocess.run(
        ["uv", "sync", "--quiet", "--only-group", "transform"],
        cwd=ROOT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT)},
        check=True,
    )
    return ENVIRONMENT / "bin/dbt"


@dataclass(frozen=True)
class Place:
    """Where dbt works.

    Attributes:
        folder: For what it compiles, and its log.
        settings: What `transform/profiles.yml` reads, without the prefix of its variables.
    """

    folder: Path
    settings: Mapping[str, str]

    @classmethod
    def duckdb(cls, database: Path, source_schema: str = "raw") -> Place:
        """The tables in a DuckDB file, and the models beside them."""
        settings = {"PATH": str(database), "SOURCE_SCHEMA": source_schema}
        return cls(database.parent / f"dbt-{database.stem}", settings)

    @classmethod
    def postgres(cls, folder: Path, credentials: Mapping[str, object]) -> Place:
        """The tables and the models in a PostgreSQL of the tests' own."""
        names = {"username": "USER"}
        settings = {names.get(name, name.upper()): str(it) for name, it in credentials.items()}
        return cls(folder / "dbt-postgres", {**settings, "TARGET": "postgres"})

    def dbt(self, command: str, *arguments: str, **variables: Any) -> Ended:
        """Run a command of dbt.

        Args:
            command: Such as `build`.
            arguments: What it is given.
            variables: Of the project.
        """
        paths: dict[str, Path] = {
            "--project-dir": PROJECT,
            "--profiles-dir": PROJECT,
            "--target-path": self.folder,
            "--log-path": self.folder,
        }
        options = [str(word) for option in paths.items() for word in option]
        done = subprocess.run(
            [
                *(str(program()), "--no-use-colors", command, *options),
                *("--vars", json.dumps(variables), *arguments),
            ],
            env={
                **os.environ,
                **{f"CLOUDAPIS_MODELS_{name}": value for name, value in self.settings.items()},
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout + done.stderr)

    def must(self, command: str, *arguments: str, **variables: Any) -> str:
        """Run a command of dbt that has to succeed; what it printed."""
        ended = self.dbt(command, *arguments, **variables)
        assert ended.code == 0, ended.printed
        return ended.printed


@dataclass(frozen=True)
class Ended:
    """How a command of dbt ended, and what it printed."""

    code: int
    printed: str
