"""One gate per service, which every request of every thread passes."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: The window, in seconds, in which a budget of requests is counted.
BUDGET_WINDOW = 60.0
#: Cool-downs, in seconds, after a 429 that names none: the first, and the longest.
FIRST_COOL_DOWN = 5.0
LONGEST_COOL_DOWN = 60.0
#: A wait for the own budget, in seconds, from which on it is said.
LONG_WAIT = 3.0
#: How the pace (requests per second) is found and kept. The first 429 may be an exception, so the
#: pace measured then grows fast; a second one shows that there is a limit, and the pace stays near
#: it for a while.
PROBING_GROWTH = 0.3
KEEPING_GROWTH = 0.01
KEPT_FOR = 60.0
MARGIN = 0.95
#: The most requests that the pace is measured by, the fewest that make it reliable, and the pace
#: from which on there is no limit to keep.
SAMPLE = 6000
TELLING = 5
UNLIMITED = 1000.0
#: The longest that a thread sleeps at once, and the longest wait that is told apart from others,
#: in seconds; the clocks of a system have no room for any number that a header may hold.
LONGEST_SLEEP = 3600.0
LONGEST_ASKED = 1e9


class Cause(Enum):
    """What a request waits for at the gate."""

    ASKED = "the service has asked for it"
    PACE = "the pace that the service allows"
    BUDGET = "the requests of a minute are spent"


@dataclass(frozen=True)
class Entry:
    """How a request passed the gate.

    Attributes:
        moment: When it was let through.
        waited: Seconds that it waited because a service asked for it; not those of a budget.
        beyond: Seconds that it would have to wait beyond its patience; zero if it was let through.
    """

    moment: float
    waited: float = 0.0
    beyond: float = 0.0


class Gate:
    """Decides when the next request of a service may be sent, for all of its threads.

    A budget allows bursts: a request waits only when the budget of the last 60 seconds is
    spent. A 429 closes the gate for a cool-down. The requests that passed before it tell the pace
    that the service allows; it then grows slowly until it is forgotten.

    Args:
        requests_per_minute: Requests allowed in any 60 seconds; ``None`` for no budget.
        stopped: Set when the sync ends; whoever waits at the gate is then let through.
        spent: Told that the budget is spent, and in how many seconds there is more; called in any
            thread, and often.
    """

    def __init__(
        self,
        requests_per_minute: int | None,
        stopped: threading.Event,
        spent: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._spent = spent
        self._lock = threading.Lock()
        self._stopped = stopped
        self._sent: deque[float] | None = (
            deque(maxlen=requests_per_minute) if requests_per_minute else None
        )
        # An episode lasts from the end of one cool-down to the next 429.
        self._episode_began = 0.0
        self._passed: deque[float] = deque(maxlen=SAMPLE)
        self._cool_down = 0.0
        # Requests a second at the begin of the episode, and how they grow; None for no pace.
        self._pace: float | None = None
        self._growth = PROBING_GROWTH
        self._next_at = 0.0

    def enter(self, patience: float) -> Entry:
        """Wait until a request may be sent, and count it.

        Args:
            patience: Seconds that it may wait because a service asks for it, whichever request
                was told so.
        """
        waited = 0.0
        while not self._stopped.is_set():
            delay, cause = self._reserve()
            is_asked = cause is Cause.ASKED
            if delay <= 0:
                break
            if is_asked and waited + delay > patience:
                return Entry(time.monotonic(), waited, beyond=delay)
            if cause is Cause.BUDGET and delay > LONG_WAIT:
                self._spent(delay)
            began = time.monotonic()
            self._stopped.wait(min(delay, LONGEST_SLEEP))
            if is_asked:
                waited += time.monotonic() - began
        return Entry(time.monotonic(), waited)

    def throttled(self, entered: float, retry_after: float | None) -> float:
        """Close the gate after a 429; requests of one burst count as one.

        Args:
            entered: When :meth:`enter` let the request through.
            retry_after: Seconds that the answer asks to wait; ``None`` when it does not say.

        Returns:
            Seconds until the gate opens.
        """
        with self._lock:
            now = time.monotonic()
            if entered < self._episode_began:
                if retry_after is not None:
                    until = max(self._episode_began, now + retry_after)
                    self._episode_began = self._next_at = until
                return max(0.0, self._episode_began - now)
            if retry_after is not None:
                self._cool_down = max(0.1, retry_after)
            elif self._passed and self._passed[-1] > self._episode_began:
                self._cool_down = FIRST_COOL_DOWN
            else:
                # Nothing passed since the last cool-down: it was too short.
                self._cool_down = min(LONGEST_COOL_DOWN, 2 * self._cool_down or FIRST_COOL_DOWN)
            pace = self._pace_at(now)
            passed, seconds = self._passed_lately(now)
            known = pace is not None and passed >= TELLING
            self._growth = KEEPING_GROWTH if known else PROBING_GROWTH
            self._pace = MARGIN * min(pace or UNLIMITED, max(1, passed) / seconds)
            self._episode_began = self._next_at = now + self._cool_down
            return self._cool_down

    def pause(self, seconds: float) -> float:
        """Close the gate for a while, as a service asks that is down and not limiting the rate.

        Returns:
            Seconds until the gate opens.
        """
        with self._lock:
            now = time.monotonic()
            self._episode_began = self._next_at = max(self._episode_began, now + seconds)
            return self._episode_began - now

    def succeeded(self) -> None:
        """Count a request that was not answered by 429."""
        with self._lock:
            self._passed.append(time.monotonic())

    def _passed_lately(self, now: float) -> tuple[int, float]:
        """Requests that passed, and in how many seconds; as many as the limit asks to wait."""
        since = max(now - max(1.0, self._cool_down), self._episode_began)
        return sum(1 for moment in self._passed if moment > since), max(0.25, now - since)

    def _pace_at(self, now: float) -> float | None:
        """Requests a second that may be sent now; ``None`` when there is no limit to keep."""
        if self._pace is None:
            return None
        calm = max(0.0, now - self._episode_began)
        kept = min(calm, KEPT_FOR)
        probing = min(calm - kept, KEPT_FOR)
        growth: float = (1 + self._growth) ** kept * (1 + PROBING_GROWTH) ** probing
        if self._pace * growth >= UNLIMITED:
            self._pace = None
            return None
        return self._pace * growth

    def _reserve(self) -> tuple[float, Cause]:
        """Take a place, or say how many seconds to wait before trying again.

        Returns:
            The seconds, and what they are for.
        """
        with self._lock:
            now = time.monotonic()
            if now < self._episode_began:
                return self._episode_began - now, Cause.ASKED
            pace = self._pace_at(now)
            if pace is not None:
                if now < self._next_at:
                    return self._next_at - now, Cause.PACE
                self._next_at = now + 1 / pace
            if self._sent is None:
                return 0.0, Cause.PACE
            if len(self._sent) == self._sent.maxlen:
                free_at = self._sent[0] + BUDGET_WINDOW
                if now < free_at:
                    return free_at - now, Cause.BUDGET
            self._sent.append(now)
            return 0.0, Cause.PACE


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
    try:
        if text.isdecimal():
            return min(LONGEST_ASKED, float(text))
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return min(LONGEST_ASKED, max(0.0, (moment - datetime.now(UTC)).total_seconds()))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
