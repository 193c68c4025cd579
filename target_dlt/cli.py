"""The console scripts: light, so that they can say what is not installed."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from importlib.util import find_spec

_NEEDED = ("dlt", "duckdb", "pyarrow")
_ALLOCATIONS = 100_000


def is_installed(module: str) -> bool:
    """Tell whether a top-level module can be found, without importing it."""
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def target_duckdb() -> None:
    """Run `target-duckdb`."""
    _main("target-duckdb", "TargetDuckDB")


def target_dlt() -> None:
    """Run `target-dlt`."""
    _main("target-dlt", "TargetDlt")


def _main(name: str, target: str) -> None:
    """Run a target, or say in one line what has to be installed first."""
    missing = [module for module in _NEEDED if not is_installed(module)]
    if missing:
        sys.exit(f'{name} needs {", ".join(missing)}: pip install "tap-cloudapis[duckdb]"')
    try:
        # Imports make many objects and no garbage; looking for some costs a twentieth of a
        # short load.
        gc.set_threshold(_ALLOCATIONS)
        getattr(import_module("target_dlt.target"), target).cli()
    except KeyboardInterrupt:
        # Before the target has its handlers in place.
        sys.exit(130)
