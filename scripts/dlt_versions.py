#!/usr/bin/env python3
"""Hold the loader to other releases of dlt and DuckDB: `dlt_versions.py [DLT[,DUCKDB]]...`.

Each pair gets an environment of its own, made by uv in a temporary folder, and runs the contract
tests there. Without arguments: the ends of the ranges that `pyproject.toml` declares, and of each
DuckDB between them the newest.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
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
        python = str(Path(folder, "bin", "python"))
        _call("uv", "venv", "--quiet", "--python", sys.executable, folder)
        # Without the project's own limits, which may exclude the release that is to be tried.
        needed = [
            f"dlt[duckdb,parquet,postgres,deltalake,pyiceberg]{_exactly(dlt)}",
            f"duckdb{_exactly(duckdb or DUCKDB[-1])}",
            "sqlglot<30.21",
            *("adbc-driver-postgresql", "deltalake", "pyiceberg<1", "sqlalchemy<3"),
            "singer-sdk~=0.54.5",
            "msgspec",
            "jsonschema",
            "hypothesis",
            "pytest",
            "pytest-xdist",
            "requests",
            "python-dotenv",
        ]
        install = ("uv", "pip", "install", "--quiet", "--python", python)
        _call(*install, *needed, cwd=folder)
        _call(*install, "--no-deps", str(ROOT), cwd=folder)  # for its commands
        frozen = _call("uv", "pip", "freeze", "--python", python)
        found = [line for line in frozen.splitlines() if line.startswith(("dlt=", "duckdb="))]
        names = ", ".join(found)
        if names in tried:
            return
        result = subprocess.run(
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = result.stdout.splitlines()
        print(names, "-", lines[-1] if lines else result.stderr, flush=True)
        print("\n".join(line for line in lines if line.startswith(("FAILED", "ERROR"))), flush=True)
        tried[names] = result.returncode == 0


def _exactly(version: str) -> str:
    return version if version[0] in "<>=" else f"=={version}"


def _call(*command: str, cwd: str | None = None) -> str:
    """Run uv; outside of the project, whose constraints it would heed."""
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
