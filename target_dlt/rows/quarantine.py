"""Records that cannot become rows, kept with the reason in a table of their own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from target_dlt.decoding import to_json
from target_dlt.messages.schema import StreamSchema
from target_dlt.rows.chunks import Chunk, Column

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_dlt.errors import BadRecordError

LOGGER = logging.getLogger("target_dlt")
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


#: By what the spool knows it: no stream of a tap has an empty name.
PLACE = ""
_ROWS_OF_A_CHUNK = 10_000
# So many records are told of one by one; then the tenth, hundredth, thousandth part of them.
_TOLD = 10


class Quarantine:
    """Makes chunks of refused records, of the stream of `SCHEMA`, and tells of them.

    Args:
        keep: Takes the chunks.
    """

    def __init__(self, keep: Callable[[Chunk], None]) -> None:
        self._keep = keep
        self._rows: list[tuple[str, int, str, str]] = []
        self._total = 0

    def add(self, stream: str, line: int, error: BadRecordError, record: Any) -> None:
        """Keep a record.

        Args:
            stream: Name of its stream.
            line: Number of the input's line, from 1.
            error: Why it was refused.
            record: Its decoded value; None if the message had none.
        """
        self._rows.append((stream, line, error.message, to_json(record).decode()))
        self._total += 1
        if self._total <= _TOLD:
            LOGGER.warning("%s; kept in table %r", error, SCHEMA.stream)
        elif f"{self._total}".rstrip("0") == "1":
            LOGGER.warning(
                "%s records are kept in table %r by now; the last one: %s",
                f"{self._total:,}",
                SCHEMA.stream,
                error,
            )
        if len(self._rows) >= _ROWS_OF_A_CHUNK:
            self.seal()

    def seal(self) -> None:
        """Make a chunk of what was collected."""
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [pa.array(c, kind) for c, kind in zip(columns, _ARROW.types, strict=True)]
            table = pa.Table.from_arrays(arrays, schema=_ARROW)
            self._rows = []
            self._keep(Chunk(_COLUMNS, lambda: table, len(table)))
