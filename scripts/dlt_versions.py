#!/usr/bin/env python3
"""Hold the loader to other releases of dlt and DuckDB: `dlt_versions.py [DLT[,DUCKDB]]...`.

Each pair gets an environment of its own, made by uv in a temporary folder, and runs the contract
tests there. Without arguments: the ends of the ranges that `pyproject.toml` declares, and of each
DuckDB between them the newest.
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory

import environments

DUCKDB = ("1.4.3", "<2", ">=2")
DLT = ("1.31.0", "<2")
TESTS = (
    "tests/loader/test_dlt_internals.py",
    "tests/loader/test_dlt_packages.py",
    "tests/loader/test_dlt_dataset.py",
    "tests/loader/test_duckdb_versions.py",
    "tests/loader/test_values.py",
    "tests/loader/test_ways_of_a_line.py",
    "tests/loader/test_switching.py",
    "tests/loader/test_naming_conventions.py",
    "tests/loader/test_descriptions.py",
    "tests/loader/test_declared_digits.py",
    "tests/loader/test_schema_changes.py",
    "tests/loader/test_type_changes.py",
    "tests/loader/test_unnesting.py",
)


def main() -> None:
    """Try each pair, print one line for each, and exit with 1 if one of them failed."""
    pairs = [argument.partition(",")[::2] for argument in sys.argv[1:]]
    tried: dict[str, bool] = {}
    for pair in pairs or _ends():
        _try(*pair, tried)
    sys.exit(0 if all(tried.values()) else 1)


def _ends() -> list[tuple[str, str]]:
    return [(dlt, duckdb) for dlt in DLT for duckdb in DUCKDB]


def _try(dlt: str, duckdb: str, tried: dict[str, bool]) -> None:
    """Run the tests, unless they have run with the releases that the pair stands for."""
    with TemporaryDirectory() as folder:
        # Without the project's own limits, which may exclude the release that is to be tried.
        python = environments.make(
            folder,
            f"dlt[duckdb,parquet,postgres,deltalake,pyiceberg]{_exactly(dlt)}",
            f"duckdb{_exactly(duckdb or DUCKDB[-1])}",
            "adbc-driver-postgresql",
        )
        frozen = environments.call("uv", "pip", "freeze", "--python", python)
        found = [line for line in frozen.splitlines() if line.startswith(("dlt=", "duckdb="))]
        names = ", ".join(found)
        if names in tried:
            return
        result = environments.run_tests(python, *TESTS, quiet=True)
        lines = result.stdout.splitlines()
        print(names, "-", lines[-1] if lines else result.stderr, flush=True)
        print("\n".join(line for line in lines if line.startswith(("FAILED", "ERROR"))), flush=True)
        tried[names] = result.returncode == 0


def _exactly(version: str) -> str:
    return version if version[0] in "<>=" else f"=={version}"


if __name__ == "__main__":
    main()
