"""Columns that tell of each row when it was read and loaded, as other Singer loaders name them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from target_dlt.rows.arrow import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_dlt.messages.schema import DataType, StreamSchema

#: Of `add_metadata_columns`, as Stitch defined them.
STITCH: Mapping[str, DataType] = {
    "_sdc_extracted_at": "timestamp",
    "_sdc_batched_at": "timestamp",
    "_sdc_deleted_at": "timestamp",
}
#: Of `add_record_metadata`, as the Meltano SDK has them.
SDK: Mapping[str, DataType] = {
    **STITCH,
    "_sdc_received_at": "timestamp",
    "_sdc_sequence": "bigint",
    VERSION: "bigint",
    "_sdc_sync_started_at": "bigint",
}


class RowMetadata:
    """Adds the columns to the records of one run.

    Args:
        columns: `STITCH` or `SDK`.
    """

    def __init__(self, columns: Mapping[str, DataType]) -> None:
        self._columns = columns
        self._started = _milliseconds(datetime.now(UTC))

    def declared(self, schema: StreamSchema) -> StreamSchema:
        """Add the columns to a stream; those it has keep their type."""
        return replace(schema, columns={**self._columns, **schema.columns})

    def add(self, record: dict[str, Any], message: Mapping[str, Any]) -> None:
        """Add the values to a record, of which the tap's own stay where the message has none.

        Args:
            record: Becomes a row; changed in place.
            message: The RECORD message it came in.
        """
        now = datetime.now(UTC)
        values = {
            "_sdc_extracted_at": message.get("time_extracted"),
            "_sdc_batched_at": now.isoformat(),
            "_sdc_received_at": now.isoformat(),
            "_sdc_sequence": _milliseconds(now),
            VERSION: message.get("version"),
            "_sdc_sync_started_at": self._started,
        }
        record.update(
            {name: values[name] for name in self._columns if values.get(name) is not None}
        )


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
