#!/usr/bin/env python3
"""Hold the loader to DuckLake, whose extension there is as a package for one release of DuckDB.

Makes an environment with it, by uv in a temporary folder, and runs the tests of DuckLake there.
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory

import environments

NEEDED = ("dlt[duckdb,parquet]~=1.31", "duckdb-ext-ducklake", "duckdb-ext-sqlite")


def main() -> None:
    """Run the tests; the exit code is pytest's."""
    with TemporaryDirectory() as folder:
        python = environments.make(folder, *NEEDED)
        tests = (*sys.argv[1:], "tests/loader/on_ducklake.py")
        sys.exit(environments.run_tests(python, *tests, quiet=False).returncode)


if __name__ == "__main__":
    main()
