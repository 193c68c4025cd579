"""The console script: it begins and ends the process as only its owner may."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys

#: Allocations between two searches for garbage, of which imports make none.
_ALLOCATIONS = 100_000


def main() -> None:
    """Run ``tap-cloudapis``."""
    gc.set_threshold(_ALLOCATIONS)
    try:
        from tap_cloudapis.command_line import run_command  # noqa: PLC0415
        from tap_cloudapis.tap import TapCloudAPIs  # noqa: PLC0415

        run_command(TapCloudAPIs)
    except KeyboardInterrupt:
        # Before the tap has its handlers in place.
        _end(128 + signal.SIGINT)
    except SystemExit as exc:
        _end(exc.code)


def _end(code: str | int | None) -> None:
    """End the process at once: taking hundreds of modules apart is a fifth of a short sync.

    Args:
        code: As for ``sys.exit``.
    """
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    status = int(code is not None) if not isinstance(code, int) else code
    atexit._run_exitfuncs()  # noqa: SLF001 - what else is to be done at the end of a process
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it came closed
            stream.flush()
    except OSError:
        status = status or 1
    os._exit(status)


if __name__ == "__main__":
    main()
