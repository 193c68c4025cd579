"""One gate per service, which every request of every thread passes."""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

#: The window, in seconds, in which a budget of requests is counted.
BUDGET_WINDOW = 60.0


class Gate:
    """Decides when the next request of a service may be sent.

    A budget allows bursts: a request waits only when the budget of the last 60 seconds is
    spent. After an answer 429 the gate is closed for all threads until the cool-down is over.

    Args:
        requests_per_minute: Requests allowed in any 60 seconds; ``None`` for no budget.
        stopped: Set when the sync ends; whoever waits at the gate is then let through.
    """

    def __init__(self, requests_per_minute: int | None, stopped: threading.Event) -> None:
        self._lock = threading.Lock()
        self._stopped = stopped
        self._sent: deque[float] | None = (
            deque(maxlen=requests_per_minute) if requests_per_minute else None
        )
        self._closed_until = 0.0

    def enter(self) -> None:
        """Wait until a request may be sent, and count it against the budget."""
        while (delay := self._reserve()) > 0 and not self._stopped.is_set():
            self._stopped.wait(delay)

    def close(self, seconds: float) -> None:
        """Let no request pass for some seconds from now, whichever thread asks.

        Args:
            seconds: The length of the cool-down; a longer one in force stays in force.
        """
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def _reserve(self) -> float:
        """Take a place in the budget, or say how many seconds to wait before trying again."""
        with self._lock:
            now = time.monotonic()
            if now < self._closed_until:
                return self._closed_until - now
            if self._sent is None:
                return 0.0
            if len(self._sent) == self._sent.maxlen:
                free_at = self._sent[0] + BUDGET_WINDOW
                if now < free_at:
                    return free_at - now
            self._sent.append(now)
            return 0.0


def parse_retry_after(value: str | None) -> float | None:
    """Read a ``Retry-After`` header in either of its forms (RFC 9110, section 10.2.3).

    Args:
        value: Seconds ("120") or an HTTP date; ``None`` when the header is absent.

    Returns:
        Seconds to wait from now, never negative; ``None`` when absent or unreadable.
    """
    if not value:
        return None
    text = value.strip()
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
