"""How records become Singer messages, through the seams that the SDK's ``Stream`` has.

SCHEMA is written once per run, RECORD through a compiled projection, STATE when it is due, and
ACTIVATE_VERSION once a whole full-table stream was read. What is overridden here is private to
the SDK; the contract tests in ``tests/core`` compare the messages with those of the SDK alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import metrics
from singer_sdk.helpers._util import utc_now
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, Catalog
from singer_sdk.streams import Stream

from tap_cloudapis.core.bookmarks import Bookmark
from tap_cloudapis.core.describing import DescribedStream
from tap_cloudapis.core.output import BufferedSingerWriter, Envelope
from tap_cloudapis.core.projection import compile_projection
from tap_cloudapis.core.schemas import load_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.mapper import StreamMap

    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.core.ports import StreamTap
    from tap_cloudapis.core.report import StreamReport


class EmittingStream(DescribedStream):
    """A stream that writes its messages fast; what it reads is the business of its subclasses."""

    name: str
    #: The package whose folder ``schemas`` holds the schema file.
    schema_package: ClassVar[str]
    #: Whether users see the stream; see :class:`~tap_cloudapis.core.carriers.CarrierStream`.
    in_catalog: ClassVar[bool] = True
    #: The key of the stream's service: the prefix of its settings and streams.
    service_key: ClassVar[str]
    #: Whether the service lists no more than the latest rows, so that older ones stay in a target.
    adds_up: ClassVar[bool] = False
    #: The keys of a context that the state has entries for.
    state_keys: ClassVar[tuple[str, ...]] = ()
    #: The type of the stream's bookmark in the state.
    bookmark_form: ClassVar[Any] = Bookmark

    _LOG_REQUEST_METRICS = False

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap=tap)
        self.tap = cast("StreamTap", tap)
        self._schema_written = False
        #: Writes the rows that came inside the next record, right behind it.
        self._behind_record: list[Callable[[], None]] = []
        self._envelope = self._envelope_now()
        # The records carry their context; the state needs an entry only for what marks are of.
        if self.parent_stream_type is not None:
            self.state_partitioning_keys = self.state_keys

    @property
    def schema(self) -> dict[str, Any]:
        """The packaged schema, read at first use."""
        return load_schema(self.schema_package, self.name.removeprefix(f"{self.service_key}_"))

    @property
    def report(self) -> StreamReport:
        """The figures of this stream."""
        return self.tap.report[self.name]

    @property
    def configured(self) -> bool:
        """Whether the configuration has a token for the service."""
        return self.tap.is_configured(self.service_key)

    def get_record_counter(self, **_: Any) -> metrics.Counter:
        """A counter that logs nothing: the tap's own report counts, over all contexts."""
        return _SilentCounter(metrics.Metric.RECORD_COUNT)

    def get_sync_timer(self) -> metrics.Timer:
        """A timer that logs nothing: the tap's own report tells the time."""
        return _SilentTimer(metrics.Metric.SYNC_DURATION)

    # Records

    @property
    def stream_maps(self) -> list[StreamMap]:
        """The SDK's; where the user has none, the mapper is told of a stream at its first use."""
        if self.name not in self._tap.mapper.stream_maps:
            entry = self._tap.catalog[self.tap_stream_id]
            self._tap.mapper.register_raw_streams_from_catalog(Catalog({self.name: entry}))
        return super().stream_maps

    @cached_property
    def _fast(self) -> bool:
        """Whether records are written as they are: no stream map, no flattening."""
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and isinstance(self.tap.message_writer, BufferedSingerWriter)
        )

    @property
    def _is_plain(self) -> bool:
        """Whether the SDK's loop would do nothing with a record but write and count it."""
        return (
            self._fast
            and self.selected
            and not self.has_selected_descendents
            and self.ABORT_AT_RECORD_COUNT is None
            and type(self).post_process is Stream.post_process
        )

    def _sync_plain_records(self, context: Context | None, figures: StreamReport) -> None:
        """Emit the records of a context as the SDK's loop does, without what it does for others."""
        self._write_starting_replication_value(context)
        check_signal = self.tap.check_signal
        for record in self.get_records(context):
            self._write_record_message(record)
            self._increment_stream_state(record, context=context)
            figures.rows += 1
            if figures.rows % self.STATE_MSG_FREQUENCY == 0:
                self._write_state_message()
            check_signal()
        if self._get_state_partition_context(context) == context:
            self._finalize_state(self.get_context_state(context))
        if not context:
            self._finalize_state(self.stream_state)
        self._write_state_message()

    @cached_property
    def _projection(self) -> Any:
        return compile_projection(
            self.effective_schema, self.mask, conformed=self.schema, absent=self.absent_columns
        )

    def _envelope_now(self) -> Envelope:
        """What RECORD messages say of records that are extracted now."""
        return Envelope(self.name, self._stream_version, utc_now())

    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Never the SDK's own BATCH, which knows no selection, no types and no maps.

        The writer puts the records into files, as they would stand in their lines.
        """

    def _write_record_message(self, record: Row) -> None:
        """Write a RECORD: selected, conformed, encoded once."""
        if self._fast:
            if self._projection is not None:
                self._projection(record)
            self.tap.message_writer.write_record(self._envelope, record)
            self.state_manager.is_flushed = False
        else:
            super()._write_record_message(record)
        if self._behind_record:
            behind, self._behind_record = self._behind_record, []
            for write in behind:
                write()

    # SCHEMA and ACTIVATE_VERSION

    def _write_schema_message(self) -> None:
        """Write SCHEMA once per run, not for every context."""
        if self.configured and not self._schema_written:
            super()._write_schema_message()
            self._schema_written = True
            if self._versioned:
                self._stream_version = self._initialized_at // 1000
                self._envelope = self._envelope_now()

    @property
    def emit_activate_version_messages(self) -> bool:
        """Never by the SDK, which would for each context, and before its records were read."""
        return False

    @property
    def _emits_all(self) -> bool:
        """Whether a sync emits all rows there are, whatever those before it have emitted."""
        if self.replication_method != REPLICATION_FULL_TABLE or self.adds_up:
            return False
        return self.parent is None or self.parent._emits_all  # noqa: SLF001 - its own kind

    @property
    def _versioned(self) -> bool:
        """Whether the records of this stream carry a version."""
        return self._emits_all and bool(self.config.get("emit_activate_version_messages"))

    def _activate_version(self) -> None:
        """Tell a target to drop what is older than this run, if all there is was read.

        A stream whose parent has no record had no SCHEMA yet; its old rows are gone as well.
        """
        if self.selected and self._versioned and self._is_whole():
            self._write_schema_message()
            self._write_activate_version_message(self._initialized_at // 1000)
            self.tap.message_writer.flush()

    def _is_whole(self) -> bool:
        """Whether every record that the configuration names was emitted."""
        if not self.lists_whole() or not isinstance(self.stream_maps[0], SameRecordTransform):
            return False
        return self.parent is None or self.parent._is_whole()  # noqa: SLF001 - its own kind

    def lists_whole(self) -> bool:
        """Whether every list of this stream, and of those above it, was read to its end.

        Nothing was refused, nothing failed, and no filter of the settings left rows out.
        """
        if self.ABORT_AT_RECORD_COUNT is not None or self.tap.is_narrowed(self.name):
            return False
        if not self.configured or self.tap.connection(self.service_key).unusable:
            return False
        if self.report.skipped or self.report.failed or self.report.unlisted:
            return False
        return self.parent is None or self.parent.lists_whole()

    @cached_property
    def parent(self) -> EmittingStream | None:
        """The tap's stream of the parent's type, if this one has a parent."""
        found = (s for s in self.tap.streams.values() if type(s) is self.parent_stream_type)
        return cast("EmittingStream | None", next(found, None))

    # STATE

    def _increment_stream_state(
        self, latest_record: Row, *, context: Context | None = None
    ) -> None:
        """Advance the bookmark; a null replication key (an open run) moves nothing."""
        if self.replication_key and latest_record.get(self.replication_key) is not None:
            super()._increment_stream_state(latest_record, context=context)

    def _write_state_message(self) -> None:
        """Write STATE if one is due; in a dry run now, as nobody ends that with the last one."""
        super()._write_state_message()
        if self.ABORT_AT_RECORD_COUNT is not None:
            self.tap.state_writer.force_state(self.tap_state)

    def sync_ended(self) -> None:
        """Called when the last context of the sync was read; the place to tidy up the state."""

    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Close the stream's state and write it: the stream and those below it have ended.

        The SDK leaves out what lies below a stream that is not selected.
        """
        for child in self.child_streams:
            if not child.selected and child.has_selected_descendents:
                child.finalize_state_progress_markers()
        self.sync_ended()
        super().finalize_state_progress_markers(state)
        self._activate_version()
        self.tap.state_writer.force_state(self.tap_state)


class _SilentCounter(metrics.Counter):
    def increment(self, value: int = 1) -> None:
        pass

    def exit(self) -> None:
        return


class _SilentTimer(metrics.Timer):
    def __exit__(self, *_: object) -> None:
        return
