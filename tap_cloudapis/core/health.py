"""Whether a service can still be used, as its requests found it, and what is said meanwhile."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_cloudapis.core.report import StreamReport

#: Requests that fail for good, one after another, before the service counts as down.
EXHAUSTED_IN_A_ROW = 3
#: Seconds between two lines in the log that say what is waited for.
SECONDS_BETWEEN_LINES = 10.0


class Health:
    """The health of one service, which all threads share.

    Args:
        service: The service's name, as users know it.
        log: Logs a line; called in worker threads.

    Attributes:
        unusable: Why nothing can be read any more, once the token was refused, or the service is
            down or asks for more patience than there is.
        stopped: Set when nothing more is sent; whoever waits is woken.
        reached: Whether the service has ever answered as an API does.
    """

    def __init__(self, service: str, log: Callable[[str], None]) -> None:
        self.unusable: TapError | None = None
        self.stopped = threading.Event()
        self.reached = False
        self._service = service
        self._log = log
        self._said_at = -SECONDS_BETWEEN_LINES
        # Whether the decoder refused the last answer: what comes may look right, and not be.
        self._doubted = False
        self._exhausted: list[StreamReport] = []
        self._lock = threading.Lock()

    def check(self, report: StreamReport) -> None:
        """Refuse to send what would be in vain.

        Raises:
            TapError: When nothing more is to be read of the service, or of the stream.
        """
        if self.unusable is not None:
            raise self.unusable
        if report.given_up:
            raise TapError(report.given_up)
        if self.stopped.is_set():
            msg = f"{self._service}: the sync was stopped"
            raise TapError(msg)

    def give_up(self, reason: TapError) -> None:
        """Read nothing more of this service."""
        with self._lock:
            self.unusable = self.unusable or reason
        self.stopped.set()

    @property
    def is_failing(self) -> bool:
        """Whether a request has failed for good, and none has succeeded since."""
        return bool(self._exhausted)

    def answered(self, *, properly: bool) -> None:
        """Note an answer that looks right.

        Args:
            properly: Whether it begins as the answers of an API do.
        """
        if properly:
            self.reached = True
        if not self._doubted:
            self._exhausted.clear()

    def decoded(self) -> None:
        """Note that an answer was right; called in the main thread."""
        if self._doubted:
            self._doubted = False
            self._exhausted.clear()

    def doubt(self) -> None:
        """Note that an answer was not what it looked like; called in the main thread."""
        self._doubted = True

    def count_failure(self, report: StreamReport, failure: str, *, answered: bool) -> None:
        """Count a request that failed for good; after a few in a row the service may be down.

        It is if it does not answer at all, or fails whatever stream is read. One kind of list that
        it cannot give is no reason to leave out the others.
        """
        with self._lock:
            self._exhausted.append(report)
            count = len(self._exhausted)
            is_down = not answered or any(other.kind != report.kind for other in self._exhausted)
        if is_down and count >= EXHAUSTED_IN_A_ROW:
            self.give_up(
                TapError(
                    f"{count} requests in a row failed, so the rest of {self._service} is not "
                    f"read: {failure}"
                )
            )

    def say(self, text: str) -> None:
        """Log a line about waiting, but not more than one in some seconds; from any thread."""
        now = time.monotonic()
        with self._lock:
            due = now - self._said_at >= SECONDS_BETWEEN_LINES
            if due:
                self._said_at = now
        if due:
            self._log(text)
