"""The console script `target-duckdb`: light, so that it can say what is not installed."""

from __future__ import annotations

import gc
import sys
from importlib.util import find_spec

EXTRA = "duckdb"
NEEDED = ("dlt", "duckdb", "pyarrow")
_ALLOCATIONS = 100_000


def is_installed(module: str) -> bool:
    """Tell whether a top-level module can be found, without importing it."""
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def main() -> None:
    """Run `target-duckdb`, or say in one line what has to be installed first."""
    missing = [module for module in NEEDED if not is_installed(module)]
    if missing:
        sys.exit(f'target-duckdb needs {", ".join(missing)}: pip install "tap-cloudapis[{EXTRA}]"')
    try:
        _run()
    except KeyboardInterrupt:
        # Before the target has its handlers in place.
        sys.exit(130)


def _run() -> None:
    # Imports make many objects and no garbage; looking for some costs a twentieth of a short load.
    gc.set_threshold(_ALLOCATIONS)
    from target_dlt.target import TargetDuckDB  # noqa: PLC0415

    TargetDuckDB.cli()


if __name__ == "__main__":
    main()
