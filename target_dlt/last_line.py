"""The last line of a process that a signal ends."""

from __future__ import annotations

import logging
import os
import select
import signal
from contextlib import suppress

_STDERR = 2


def tell_of_signal(signum: int, dropped: int) -> None:
    """Say what is dropped, in the form of the log but past its locks.

    The signal may have come amid another line, whose locks would be waited for for ever. A line
    that nobody reads is not waited for either.

    Args:
        signum: The signal.
        dropped: How many records are in no commit.
    """
    logger = logging.getLogger("target_dlt")
    if logger.getEffectiveLevel() > logging.WARNING:
        return
    message = "Ended by signal %d (%s): %s records since the last commit were dropped"
    values = (signum, signal.Signals(signum).name, f"{dropped:,}")
    record = logger.makeRecord(logger.name, logging.WARNING, "", 0, message, values, None)
    handler = next(iter([*logger.handlers, *logging.getLogger().handlers]), None)
    line = (handler.format(record) if handler else record.getMessage()) + "\n"
    with suppress(OSError, ValueError):
        if select.select([], [_STDERR], [], 0)[1]:
            os.write(_STDERR, line.encode("utf-8", "backslashreplace"))
