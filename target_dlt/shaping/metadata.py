"""Columns that tell of each row when it was read and loaded, as other Singer loaders name them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from target_dlt.decoding import to_json
from target_dlt.rows.own import DELETED_AT, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_dlt.messages.schema import DataType, StreamSchema

#: Of `add_metadata_columns`, as Stitch defined them.
STITCH: Mapping[str, DataType] = {
    "_sdc_extracted_at": "timestamp",
    "_sdc_batched_at": "timestamp",
    DELETED_AT: "timestamp",
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
        """Add the columns to a stream, beside those of its properties."""
        return replace(schema, own=self._columns)

    def values(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Make the values of a row, but those that come from elsewhere: version and deletion.

        Args:
            message: The RECORD message it came in.
        """
        now = datetime.now(UTC)
        extracted = message.get("time_extracted")
        if extracted is not None and not isinstance(extracted, str):
            extracted = to_json(extracted).decode()
        values = {
            "_sdc_extracted_at": extracted,
            "_sdc_batched_at": now.isoformat(),
            "_sdc_received_at": now.isoformat(),
            "_sdc_sequence": _milliseconds(now),
            "_sdc_sync_started_at": self._started,
        }
        return {name: values[name] for name in self._columns if name in values}


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
