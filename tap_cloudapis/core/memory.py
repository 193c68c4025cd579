"""How memory is given back: by the collector of cycles, and by the C library."""

from __future__ import annotations

import ctypes
import gc

#: From how many bytes on a block has a mapping of its own.
LARGE = 1 << 20
#: The parameter's number in ``malloc.h``.
_MMAP_THRESHOLD = -3


def tune() -> None:
    """Tune both for a process that reads much, and keeps little of it."""
    # Records are trees without cycles: what the collector finds is not worth its searches.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    # The GNU C library keeps large blocks, once there were some, in a pool for each thread that has
    # asked for one: of answers of 30 MB, received by 16 threads in turn, half a gigabyte would
    # stay. Other libraries do better by themselves, or cannot be told.
    try:
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)
    except (AttributeError, OSError, TypeError):
        return
