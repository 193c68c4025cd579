"""Records on their way from the thread of the tap to the resources, a bounded number at a time."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

#: Records of one stream that make a table, and about so many bytes of them.
BATCH_ROWS, BATCH_BYTES = 5_000, 8 << 20
#: Records, and bytes, of all streams that may be under way before the tap waits.
MOST_ROWS, MOST_BYTES = 20_000, 32 << 20


class Stopped(BaseException):
    """The pipeline has ended before the tap."""


@dataclass
class Batch:
    """Records of one stream.

    Attributes:
        rows: The records.
        size: About how many bytes they are.
        whole: Whether they are the last ones of a table that was read whole, so that what the
            table has beside is gone.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0
    whole: bool = False


class Channel:
    """Holds what the tap has emitted until the resources take it.

    The tap waits in :meth:`add` while too much is under way; the resources never wait.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: dict[str, Batch] = {}
        self._closed: dict[str, deque[Batch]] = {}
        self._dropped: set[str] = set()
        self._open_rows = self._open_bytes = 0
        self._waiting_rows = self._waiting_bytes = 0
        self._is_stopped = False

    # In the thread of the tap

    def add(self, stream: str, row: dict[str, Any], size: int) -> None:
        """Take a record.

        Raises:
            Stopped: When nobody takes records any more.
        """
        batch = self._open.get(stream)
        if batch is None:
            batch = self._open[stream] = Batch()
        batch.rows.append(row)
        batch.size += size
        self._open_rows += 1
        self._open_bytes += size
        if len(batch.rows) >= BATCH_ROWS or batch.size >= BATCH_BYTES:
            self._close([stream])
        elif self._open_rows >= MOST_ROWS // 2 or self._open_bytes >= MOST_BYTES // 2:
            self._close([*self._open])

    def end_table(self, stream: str) -> None:
        """Note that a table was read whole."""
        self._open.setdefault(stream, Batch()).whole = True
        self._close([stream])

    def flush(self) -> None:
        """Hand over what is there."""
        self._close([*self._open])

    def check(self) -> None:
        """End the tap here if nobody takes records any more.

        Raises:
            Stopped: When it is so.
        """
        if self._is_stopped:
            raise Stopped

    def _close(self, streams: list[str]) -> None:
        with self._changed:
            while not self._is_stopped and (
                self._waiting_rows >= MOST_ROWS or self._waiting_bytes >= MOST_BYTES
            ):
                self._changed.wait()
            self.check()
            for stream in streams:
                batch = self._open.pop(stream)
                self._open_rows -= len(batch.rows)
                self._open_bytes -= batch.size
                if stream not in self._dropped:
                    self._waiting_rows += len(batch.rows)
                    self._waiting_bytes += batch.size
                    self._closed.setdefault(stream, deque()).append(batch)

    # In the thread of the pipeline

    def take(self, stream: str) -> Batch | None:
        """The next records of a stream, if there are any by now."""
        with self._changed:
            waiting = self._closed.get(stream)
            if not waiting:
                return None
            batch = waiting.popleft()
            self._taken(batch)
            return batch

    def drop(self, stream: str) -> None:
        """Take no more of a stream."""
        with self._changed:
            self._dropped.add(stream)
            for batch in self._closed.pop(stream, ()):
                self._taken(batch)

    def _taken(self, batch: Batch) -> None:
        self._waiting_rows -= len(batch.rows)
        self._waiting_bytes -= batch.size
        self._changed.notify_all()

    def stop(self) -> None:
        """Take nothing any more."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
