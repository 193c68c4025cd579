"""When a commit is due, and the STATE messages that commits complete."""

from __future__ import annotations

import io
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from target_dlt.decoding import decode_exactly, storable
from target_dlt.errors import BadMessageError, LoaderError

#: The encoder of dlt's state goes some 250 levels deep.
_DEEPEST = 200


@dataclass
class CommitPolicy:
    """Decides at which STATE message to commit.

    Attributes:
        rows: Commit at the first STATE after this many rows,
        size: or after this many bytes of messages,
        seconds: or after this long since the last commit.
    """

    rows: int
    size: int = 256 << 20
    seconds: float = 60.0
    _read_rows: int = 0
    _read_bytes: int = 0
    _since: float = field(default_factory=time.monotonic)

    def add(self, rows: int, size: int) -> None:
        """Count what was read."""
        self._read_rows += rows
        self._read_bytes += size

    def is_due(self, more_rows: int) -> bool:
        """Tell whether a STATE message should be committed now.

        Args:
            more_rows: Rows that were read and not counted yet.
        """
        return (
            self._read_rows + more_rows >= self.rows
            or self._read_bytes >= self.size
            or time.monotonic() - self._since >= self.seconds
        )

    def reset(self) -> None:
        """Start to count anew, after a commit."""
        self._read_rows = self._read_bytes = 0
        self._since = time.monotonic()


class StateKeeper:
    """The last STATE read and not yet written; values stay the JSON text they came as."""

    def __init__(self) -> None:
        self._value: bytes | None = None

    def take(self, value: bytes) -> None:
        """Keep a STATE value; it stands for every record read before it.

        Raises:
            ValueError: If it is not UTF-8.
            BadMessageError: If it is nested deeper than dlt keeps it.
        """
        value.decode()
        opened = value.count(b"[") + value.count(b"{")
        if opened > _DEEPEST and _depth(decode_exactly(value)) > _DEEPEST:
            msg = f"a STATE that is nested deeper than {_DEEPEST} levels cannot be kept"
            raise BadMessageError(msg)
        self._value = value

    @property
    def is_pending(self) -> bool:
        """Whether a STATE waits for its commit."""
        return self._value is not None

    @property
    def value(self) -> Any:
        """The waiting value, decoded for dlt's state; None if there is none."""
        return None if self._value is None else storable(decode_exactly(self._value))

    def emit(self) -> None:
        """Write the waiting value to standard output, after the commit it waited for.

        Raises:
            LoaderError: If nobody takes it.
        """
        if self._value is None:
            return
        try:
            _write(self._value + b"\n")
        except (OSError, ValueError) as error:
            raise LoaderError(
                f"cannot write the STATE to standard output: {error}; "
                "the rows before it are committed"
            ) from error
        self._value = None


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [x for item in level for x in (item.values() if isinstance(item, dict) else item)]
    return depth


def _write(line: bytes) -> None:
    """Write to standard output past all buffers, which would try again when the process ends."""
    if sys.stdout is None:
        raise ValueError("it is closed")
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    sys.stdout.flush()
    if not isinstance(raw, io.RawIOBase):  # what stands for it in this process
        sys.stdout.write(line.decode())
        return
    rest = memoryview(line)
    while rest:  # a signal cuts a write short
        rest = rest[raw.write(rest) or 0 :]
