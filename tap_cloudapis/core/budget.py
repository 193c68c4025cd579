"""How much memory the answers may take that were received, or are being received.

Of a request that was sent nobody knows how large its answer is before the headers have come. Such
an answer counts as the large ones before it: after one of 30 MB few are asked for side by side,
until some small ones have come.
"""

from __future__ import annotations

import threading

#: What an answer counts before anything is known, in bytes.
FIRST_GUESS = 4_000_000
#: What remains of a guess with each answer that is smaller.
KEPT = 0.75


class Budget:
    """The bytes of answers that are held; all threads of a service tell it.

    Args:
        most: From how many bytes on nothing more should be asked for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held = 0
        self._unknown = 0
        self._guess: float = FIRST_GUESS

    def outstanding(self) -> int:
        """How many answers were asked for of which nothing has come yet."""
        return self._unknown

    def admits(self) -> bool:
        """Whether there is room for one more answer."""
        return self._held + (self._unknown + 1) * self._guess < self._most or not (
            self._held or self._unknown
        )

    def expect(self) -> Weight:
        """Count an answer that is asked for."""
        with self._lock:
            self._unknown += 1
        return Weight(self)

    def change(self, weight: Weight, size: int, *, over: bool = False) -> None:
        """Count what became known of an answer; called by its weight.

        Args:
            weight: Of the answer.
            size: How large it is.
            over: Whether nothing of it is held any more, whatever a thread still tells.
        """
        with self._lock:
            if weight.over:
                return
            if weight.size is None:
                self._unknown -= 1
                self._guess = max(size, self._guess * KEPT)
            self._held += size - (weight.size or 0)
            weight.size, weight.over = size, over


class Weight:
    """What one answer counts.

    Args:
        budget: Where it counts.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size: int | None = None
        self.over = False

    def tell(self, size: int) -> None:
        """Say how large the answer is, as far as it is known."""
        self._budget.change(self, size)

    def drop(self) -> None:
        """Say that nothing of the answer is held any more, or that none will come."""
        self._budget.change(self, 0, over=True)
