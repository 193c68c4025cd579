"""Parents and children: requests of children run ahead, rows of a parent are handed down.

The SDK syncs the children of a record when it processes the record, one after another. To keep
requests in flight, a parent holds a window of its records back and asks for the first page of
each child meanwhile. A child whose rows come inside the parent's own rows costs no request.
"""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from singer_sdk.exceptions import AbortedSyncFailedException, AbortedSyncPausedException

from tap_cloudapis.core.containment import ContainedStream
from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row


def context_key(context: Context | None) -> str:
    """A context as a key of a dictionary, whatever a server has put into its values."""
    return repr(dict(context or {}))


_Kin = TypeVar("_Kin", bound="FamilyStream")


class FamilyStream(ContainedStream):
    """A stream that can have children, and be one."""

    #: Whether the rows come out of the parent's rows; see :class:`~core.parts.PartStream`.
    takes_parts: ClassVar[bool] = False
    #: Streams that have another parent and hang on this one as well, by name.
    leads_to: ClassVar[Sequence[str]] = ()
    #: Whether there is another way to this stream than by its parent.
    has_other_way = False

    def child_context(self, record: Row, context: Context) -> dict[str, Any] | None:
        """The context for the children of a record; ``None`` for no children.

        Returns:
            By default the stream's own context and the columns of the record's key.
        """
        return {**context, **{name: record[name] for name in self.primary_keys}}

    def wants(self, context: Context) -> bool:  # noqa: ARG002
        """Whether there can be anything to read for a context, by what its parent says."""
        return True

    def prefetch(self, context: Context) -> None:
        """Ask for the first pages of a context that will be synced soon."""

    def ask_on(self) -> None:
        """Ask for what the answers that are here by now lead to, without waiting."""

    def forget_prefetched(self) -> None:
        """Give up what was asked for, or handed down, and is not needed any more."""

    def take_parts(self, row: Row, context: Context) -> Any:
        """Take the rows of a parent's raw row, before any of its fields is dropped."""

    def hand_down(self, parts: Any, context: Context) -> None:
        """Keep the rows taken for the child context of the parent's record."""

    def _hand_down(
        self, parts: list[tuple[FamilyStream, Any]], record: Row, context: Context
    ) -> None:
        """Hand the rows that came inside a record's raw row to the children they are for."""
        if (child_context := self.child_context(record, context)) is not None:
            for child, rows in parts:
                child.hand_down(rows, child_context)

    def _wanted_children(self) -> list[FamilyStream]:
        """The children that are selected, or lead to a selected stream."""
        return [
            child
            for child in self.child_streams
            if isinstance(child, FamilyStream)
            and (child.selected or child.has_selected_descendents)
        ]

    def get_records(self, context: Context | None) -> Iterator[Row]:
        """Give the records of a context; requests of children run ahead of them."""
        records = iter(self.request_records(context))
        return self._announced(records, context) if self._wanted_children() else records

    def _announced(self, records: Iterator[Row], context: Context | None) -> Iterator[Row]:
        """Hold a window of records back, and ask for their children's first pages meanwhile.

        Those that are held back when the list fails were read, and come before the failure.
        """
        children = self._wanted_children()
        asking = [child for child in children if not child.takes_parts]
        test = self.ABORT_AT_RECORD_COUNT is not None
        window = self._window(asking) if asking and not test else 1
        waiting: deque[Row] = deque()
        passes_map = self.stream_maps[0].get_filter_result
        failures: list[TapError] = []
        try:
            with ExitStack() as stack:
                for child in filter(_asks_on, asking):
                    stack.enter_context(self.connection.pool.asking_on(child.ask_on))
                for record in _until(records, failures):
                    waiting.append(record)
                    if asking and not test and passes_map(record):
                        self._ask_first(asking, record, context)
                    if len(waiting) >= window:
                        yield waiting.popleft()
                while waiting:
                    yield waiting.popleft()
            if failures:
                raise failures[0]
        finally:
            for child in children:
                child.forget_prefetched()

    def _ask_first(self, asking: list[FamilyStream], record: Row, context: Context | None) -> None:
        """Ask for the first pages of the children of a record, and for what is known by now."""
        for child_context in self.generate_child_contexts(record, context):
            for child in asking:
                if child.wants(child_context):
                    child.prefetch(child_context)
        for child in asking:
            child.ask_on()

    def _window(self, asking: list[FamilyStream]) -> int:
        """How many records to hold back, with such children that ask for something of each.

        Answers that lead to further requests of the same record are given time to come.
        """
        enough = self.connection.pool.ahead * (2 if any(map(_asks_on, asking)) else 1)
        return max(2, enough // len(asking))

    def generate_child_contexts(
        self, record: Row, context: Context | None
    ) -> Iterator[dict[str, Any]]:
        """The context for the children, where there are any."""
        if self.child_streams:
            child_context = self.child_context(record, context or {})
            if child_context is not None:
                yield child_context

    def forget_rows(self, met: Collection[str], read: Collection[str]) -> None:
        """Forget what a stream keeps of its parent's rows; see :meth:`Ledger.forget`."""

    def parent_done(self, context: Context | None) -> None:
        """Called when the parent's list of a context, and what hangs on it, was written."""

    def _context_ended(self, context: Context | None) -> None:
        super()._context_ended(context)
        for child in self._wanted_children():
            child.parent_done(context)

    def skip(self, why: str, where: str = "", *, in_full: str = "") -> None:
        """Note and log what is left out; the streams below lack it, too, and are named."""
        below = ", ".join(self._selected_below()) if self.tap.report.names_below else ""
        if below:
            in_full = f"{in_full or why}; what hangs on it is left out as well: {below}"
        super().skip(why, where, in_full=in_full)
        self._skip_parts(f"{why} (as {self.name})", where)

    def _selected_below(self) -> Iterator[str]:
        """The names of the selected streams below this one."""
        for child in self._wanted_children():
            if child.selected and not child.has_other_way:
                yield child.name
            yield from child._selected_below()  # noqa: SLF001 - its own kind

    def _skip_parts(self, why: str, where: str) -> None:
        for child in self._wanted_children():
            if child.takes_parts:
                if child.selected:
                    self.tap.report.skip(child.name, why, where, quiet=True)
                child._skip_parts(why, where)  # noqa: SLF001 - its own kind

    # The SDK's private seams; the contract tests in tests/core compare them with stock

    def _process_record(
        self,
        record: Row,
        child_context: Context | None = None,
        partition_context: Context | None = None,
    ) -> None:
        """Sync the children of a record; a stream without any has nothing to do here.

        The columns that come from the context are in the record already.
        """
        if self.child_streams:
            super()._process_record(record, child_context, partition_context)

    def _sync_children(self, child_context: Context | None) -> None:
        """Sync the children that can have anything to read for this context."""
        if child_context is None:
            return
        for child in self._wanted_children():
            if not child.wants(child_context):
                child.outcomes[child.owner_of(child_context)].unchanged += 1
                continue
            sync = partial(self._sync_child, child, child_context)
            if child.takes_parts and self.selected:
                self._behind_record.append(sync)
            else:
                sync()

    @staticmethod
    def _sync_child(child: FamilyStream, context: Context) -> None:
        with suppress(AbortedSyncFailedException, AbortedSyncPausedException):
            child.sync(context=context)


def related(streams: list[_Kin]) -> list[_Kin]:
    """Have streams lead to those that have another parent: the SDK gives a stream one parent."""
    named = {stream.name: stream for stream in streams}
    for stream in streams:
        for child in (named[name] for name in stream.leads_to):
            child.has_other_way = True
            stream.child_streams.append(child)
    return streams


def _asks_on(stream: FamilyStream) -> bool:
    """Whether its first answers lead to further requests."""
    return type(stream).ask_on is not FamilyStream.ask_on


def _until(records: Iterator[Row], failures: list[TapError]) -> Iterator[Row]:
    """Give records until there are no more, or a failure, which is noted."""
    try:
        yield from records
    except TapError as exc:
        failures.append(exc)
