"""The console script: it begins and ends the process as only its owner may."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

#: Allocations between two searches for garbage, of which imports make none.
_ALLOCATIONS = 100_000


def main() -> None:
    """Run ``tap-cloudapis``."""
    gc.set_threshold(_ALLOCATIONS)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    try:
        from tap_cloudapis.command_line import run_command  # noqa: PLC0415
        from tap_cloudapis.tap import TapCloudAPIs  # noqa: PLC0415

        run_command(TapCloudAPIs)
    except SystemExit as exc:
        _end(exc.code)


def _interrupted(signum: int, _frame: FrameType | None) -> None:
    """End on Ctrl-C before the tap has its handlers; click would make it an error of its own."""
    sys.exit(128 + signum)


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
