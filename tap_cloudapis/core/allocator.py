"""Large blocks of memory go back to the system when they are freed.

The GNU C library keeps them after the first, in a pool for each thread that has asked for one: of
answers of 30 MB, received by 16 threads in turn, half a gigabyte would stay.
"""

from __future__ import annotations

import ctypes

#: From how many bytes on a block has a mapping of its own.
LARGE = 1 << 20
#: The parameter's number in ``malloc.h``.
_MMAP_THRESHOLD = -3


def give_back_large_blocks() -> None:
    """Set that from now on; other C libraries do it by themselves, or cannot be told."""
    try:
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)
    except (AttributeError, OSError, TypeError):
        return
