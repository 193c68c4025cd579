"""The end of a process that cannot end itself: a write that nobody reads never returns."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds without any progress after which a process that a signal asked to end is ended.
GRACE = 4.0


class Watch:
    """Ends the process by a timer, should it get no further after a signal.

    A blocked write is interrupted by signals, but goes on behind their handlers. So a second one,
    of a timer, looks whether anything has happened since. A thread would do as well, but must not
    be started in a handler.

    Args:
        progress: Tells by its value whether the process gets on.
    """

    def __init__(self, progress: Callable[[], Any]) -> None:
        self._progress = progress
        self._seen: Any = None
        self._signum = 0
        self._before: Any = None

    def start(self, signum: int) -> None:
        """Watch from now on, where there are such timers."""
        if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
            return
        self._signum, self._seen = signum, self._progress()
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, GRACE, GRACE)

    def stop(self) -> None:
        """Watch no longer: the process ends."""
        if sys.platform != "win32" and self._signum:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            self._signum = 0

    def _ring(self, *_: Any) -> None:
        now = self._progress()
        if now != self._seen:
            self._seen = now
            return
        with suppress(OSError):
            # Nobody may be reading this, either.
            os.set_blocking(2, False)
            line = f"Ended by signal {self._signum} in the middle: nobody reads the output\n"
            os.write(2, line.encode())
        os._exit(128 + self._signum)
