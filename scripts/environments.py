"""Environments of their own for the loader's tests, with other releases than the project's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What the loader and its tests need beside dlt and DuckDB; ours to keep like `pyproject.toml`.
COMMON = (
    *("sqlglot<30.21", "singer-sdk~=0.54.5", "msgspec", "jsonschema", "requests", "python-dotenv"),
    *("psycopg2-binary", "deltalake", "pyiceberg<1", "sqlalchemy<3"),
    *("hypothesis", "pytest", "pytest-xdist"),
)


def make(folder: str, *packages: str) -> str:
    """Make an environment with the project, and with no other packages than are named.

    Args:
        folder: Where to make it.
        packages: What it has beside `COMMON`, as pip takes it.

    Returns:
        Its Python.
    """
    python = str(Path(folder, "bin", "python"))
    call("uv", "venv", "--quiet", "--python", sys.executable, folder)
    install = ("uv", "pip", "install", "--quiet", "--python", python)
    # Outside of the project, whose constraints uv would heed.
    call(*install, *packages, *COMMON, cwd=folder)
    call(*install, "--no-deps", str(ROOT), cwd=folder)  # for its commands
    return python


def call(*command: str, cwd: str | None = None) -> str:
    """Run a command that must succeed; answer what it prints."""
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def run_tests(python: str, *arguments: str, quiet: bool) -> subprocess.CompletedProcess[str]:
    """Run tests of the project with the Python of an environment.

    Args:
        python: As `make` answers it.
        arguments: For pytest.
        quiet: Whether what it prints is in the answer, and not shown.
    """
    return subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=quiet,
        text=True,
        check=False,
    )
