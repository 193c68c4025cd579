"""From raw rows to records: a row that is not as it should be is left out, and counted."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.answers import AnsweredStream
from tap_cloudapis.core.paging import NO_ROW, Row
from tap_cloudapis.core.records import RecordShape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context


class RowStream(AnsweredStream):
    """A stream that makes records of raw rows, none of which can take the others away."""

    #: Columns copied from the context into each record: column -> context key.
    context_columns: ClassVar[Mapping[str, str]] = {}
    #: Top-level fields never emitted: volatile, or of no use without what is left out.
    dropped_fields: ClassVar[frozenset[str]] = frozenset()
    #: Top-level fields whose keys are users' own and are scrubbed by the service itself.
    unscrubbed_fields: ClassVar[frozenset[str]] = frozenset()
    #: See :class:`~tap_cloudapis.core.scrubbing.Scrubber`.
    replace_secret: Any = None

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Turn a raw row into a record, before timestamps and secrets are seen to.

        Returns:
            The record; ``None`` leaves the row out.
        """
        return row

    def constants(self) -> Mapping[str, Any]:
        """Columns that are the same in every record of a sync."""
        return {}

    def _objects(self, rows: list[Row], context: Context | None) -> list[Row]:
        """Leave out the rows that are no objects, and count them."""
        objects = [row for row in rows if type(row) is dict and row is not NO_ROW]
        for _ in range(len(rows) - len(objects)):
            self.tap.report.leave_out(self.name, "one that is no object", self.place(context))
        return objects

    def _records_of(self, rows: list[Row], context: Context) -> list[Row]:
        """Turn a batch of raw rows into records; what has to be left out is counted."""
        shape, to_record = self._shape, self.to_record
        finish, key = shape.finish, shape.key
        takers = [child for child in self._wanted_children() if child.takes_parts]
        known: dict[Any, Row] = {}
        records: list[Row] = []
        for row in rows:
            parts: list[tuple[Any, Any]] = []
            try:
                if takers:
                    parts = [(c, c.take_parts(row, context)) for c in takers]
                record = to_record(row, context)
                if record is None:
                    continue
                trouble = finish(record, context)
            except (AttributeError, LookupError, TypeError, ValueError) as exc:
                # One row of another shape must not take the others away.
                record, trouble = row, f"of a shape that is not its API's ({exc!r:.120})"
                self.logger.debug("It failed here", exc_info=True)
            if not trouble:
                first = known.setdefault(key(record), record)
                if first is record:
                    records.append(record)
                    if parts:
                        self._hand_down(parts, record, context)
                else:
                    trouble = shape.contradiction(record, first)
            if trouble:
                self.tap.report.leave_out(self.name, f"one {trouble}", self.place(context))
        return records

    @cached_property
    def _shape(self) -> RecordShape:
        return RecordShape(
            self.schema,
            self.primary_keys,
            dropped=self.dropped_fields | self.absent_columns,
            context_columns=self.context_columns,
            constants=self.constants(),
            untouched=self.unscrubbed_fields,
            replace_secret=self.replace_secret,
            note=partial(self.tap.report.note, self.name),
        )
