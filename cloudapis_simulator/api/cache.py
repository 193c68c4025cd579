"""Encoded JSON that stays true as long as the clock stands still and nothing is moved."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cloudapis_simulator.clock import Clock


class JsonCache:
    """As many encoded values as fit into so many bytes; the longest unused go first."""

    def __init__(self, clock: Clock, most_bytes: int) -> None:
        self._clock = clock
        self._version = clock.version
        self._most_bytes = most_bytes
        self._bytes = 0
        self._values: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Return what was put under `key` since the world last changed."""
        if self._version != self._clock.version:
            self._values.clear()
            self._bytes, self._version = 0, self._clock.version
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: bytes) -> None:
        """Keep `value` for the time of the last `get`."""
        self._bytes += len(value) - len(self._values.pop(key, b""))
        self._values[key] = value
        while self._bytes > self._most_bytes:
            _, dropped = self._values.popitem(last=False)
            self._bytes -= len(dropped)
