"""Records that cannot become rows, kept with the reason in a table of their own."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from target_dlt.decoding import to_json
from target_dlt.messages.schema import StreamSchema
from target_dlt.rows.chunks import Chunk, Column

SCHEMA = StreamSchema(
    "_singer_quarantine",
    {"stream": "text", "line": "bigint", "reason": "text", "record": "json"},
    keys=(),
    keeps_unknown=False,
)
_ARROW = pa.schema(
    {"stream": pa.string(), "line": pa.int64(), "reason": pa.string(), "record": pa.string()}
)
_COLUMNS = tuple(Column(name, kind) for name, kind in SCHEMA.columns.items())


class Quarantine:
    """Collects refused records until the next commit takes them."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def add(self, stream: str, line: int, reason: str, record: Any) -> None:
        """Keep a record.

        Args:
            stream: Name of its stream.
            line: Number of the input's line, from 1.
            reason: Why it was refused.
            record: Its decoded value; None if the message had none.
        """
        text = to_json(record).decode()
        self._rows.append({"stream": stream, "line": line, "reason": reason, "record": text})

    def __len__(self) -> int:
        return len(self._rows)

    def take(self) -> list[Chunk]:
        """Hand over what was collected, as chunks of the stream of `SCHEMA`."""
        rows, self._rows = self._rows, []
        return [Chunk(_COLUMNS, pa.Table.from_pylist(rows, _ARROW))] if rows else []
