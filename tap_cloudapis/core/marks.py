"""Bookmarks that the streams keep themselves, where one replication key cannot tell enough."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context


class MarkedStream(CloudStream):
    """An incremental stream whose state is its own marks, true after every record.

    The SDK's progress markers and signposts are for bookmarks that hold only once a stream has
    ended; marks hold always, so a sync that is cut goes on where it was.
    """

    lists_at_rest: ClassVar[int | None] = 1

    @cached_property
    def start(self) -> str:
        """The start date as records have times; empty for none."""
        return to_timestamp(self.config.get("start_date")) or ""

    @property
    def incremental(self) -> bool:
        """Whether to go on from the marks in the state; a catalog may ask for a full table."""
        return self.replication_method == REPLICATION_INCREMENTAL

    @property
    def _emits_all(self) -> bool:
        """Never: what was read before is not read again."""
        return False

    def get_replication_key_signpost(self, context: Context | None = None) -> None:  # noqa: ARG002
        """None: marks come from records that were written, never from the clock."""
        return

    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Nothing: where to begin is in the marks."""

    def _increment_stream_state(
        self, latest_record: dict[str, Any], *, context: Context | None = None
    ) -> None:
        """Move the marks for a record that was written; the default moves none."""
