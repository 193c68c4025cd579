"""The console script: light, so that it can say what is not installed."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

_NEEDED = ("duckdb", "dlt", "jinja2", "vl_convert")


def main() -> None:
    """Run ``cloudapis-report``, or say in one line what has to be installed first."""
    missing = [module for module in _NEEDED if find_spec(module) is None]
    if missing:
        sys.exit(
            f'cloudapis-report needs {", ".join(missing)}: pip install "tap-cloudapis[report]"'
        )
    try:
        code: int = import_module("cloudapis_report.command").run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
