#!/usr/bin/env python3
"""Hold the loader to DuckLake, whose extension there is as a package for one release of DuckDB.

Makes an environment with it, by uv in a temporary folder, and runs the tests of DuckLake there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
NEEDED = (
    *("dlt[duckdb,parquet]~=1.31", "duckdb-ext-ducklake", "duckdb-ext-sqlite", "sqlglot<30.21"),
    *("singer-sdk~=0.54.5", "msgspec", "jsonschema", "python-dotenv", "requests"),
    *("psycopg2-binary", "deltalake", "pyiceberg<1", "sqlalchemy<3", "hypothesis"),
    *("pytest", "pytest-xdist"),
)


def main() -> None:
    """Run the tests; the exit code is pytest's."""
    with TemporaryDirectory() as folder:
        python = str(Path(folder, "bin", "python"))
        _call("uv", "venv", "--quiet", "--python", sys.executable, folder)
        install = ("uv", "pip", "install", "--quiet", "--python", python)
        # Outside of the project, whose constraints uv would heed.
        _call(*install, *NEEDED, cwd=folder)
        _call(*install, "--no-deps", str(ROOT), cwd=folder)  # for its commands
        tests = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *sys.argv[1:]]
        result = subprocess.run(
            [*tests, "tests/loader/on_ducklake.py"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        sys.exit(result.returncode)


def _call(*command: str, cwd: str | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True)


if __name__ == "__main__":
    main()
