"""The console scripts: light, so that they can say what is not installed."""

from __future__ import annotations

import atexit
import gc
import os
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
    # Imports make many objects and no garbage; looking for some costs a twentieth of a short load.
    gc.set_threshold(_ALLOCATIONS)
    try:
        getattr(import_module("target_dlt.target"), target).cli()
    except KeyboardInterrupt:
        # Before the target has its handlers in place.
        _end(130)
    except SystemExit as exc:
        _end(exc.code)


def _end(code: str | int | None) -> None:
    """End the process at once: taking a thousand modules apart is a tenth of a short load.

    Args:
        code: As for `sys.exit`.
    """
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    status = code if isinstance(code, int) else int(code is not None)
    atexit._run_exitfuncs()  # noqa: SLF001 - what else is to be done at the end of a process
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it came closed
            stream.flush()
    except OSError:
        status = status or 1
    os._exit(status)
