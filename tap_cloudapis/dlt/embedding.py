"""The tap inside another process: its messages go to a channel, and signals are not its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.singerlib.encoding.simple import (
    ActivateVersionMessage,
    RecordMessage,
    SchemaMessage,
)

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.output import BufferedSingerWriter, ThrottledStateWriter, encode
from tap_cloudapis.dlt.channel import Channel
from tap_cloudapis.tap import TapCloudAPIs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from singer_sdk.singerlib.encoding.simple import Message

    from tap_cloudapis.core.output import Envelope


class ChannelWriter(BufferedSingerWriter):
    """Hands records to a channel, where the tap's own writer would encode and write them.

    Args:
        channel: Takes the records.

    Attributes:
        described: The streams that have a table, be it without rows.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self.described: set[str] = set()

    def write_message(self, message: Message) -> None:
        """Take what a table is made of; the rest is known otherwise."""
        if isinstance(message, RecordMessage):
            self._take(message.stream, message.record)
        elif isinstance(message, ActivateVersionMessage):
            self._channel.end_table(message.stream)
        elif isinstance(message, SchemaMessage):
            self.described.add(message.stream)

    def write_record(self, envelope: Envelope, record: Mapping[str, Any]) -> None:
        """Take a record."""
        self._take(envelope.stream, record)

    def _take(self, stream: str, record: Mapping[str, Any]) -> None:
        """Copy a record: what is nested becomes JSON now, as the tap may go on with it."""
        row: dict[str, Any] = {}
        size = 0
        for name, value in record.items():
            kind = type(value)
            if kind is str:
                size += len(value)
            elif kind is dict or kind is list:
                row[name] = encoded = encode(value)
                size += len(encoded)
                continue
            row[name] = value
        self._channel.add(stream, row, size)

    def write_line(self, line: bytes) -> None:
        """Nothing: only STATE comes this way, which is taken from the tap at its end."""

    def flush(self) -> None:
        """Nothing: the tap flushes before each wait, which would make many small tables."""


class _NoState(ThrottledStateWriter):
    def write_state(self, state: Mapping[str, Any]) -> None:
        """Nothing; see :meth:`ChannelWriter.write_line`."""

    force_state = write_state


class EmbeddedTap(TapCloudAPIs):
    """The tap without a command line, an environment and signals of its own.

    Args:
        settings: Those of the tap.
        select: The names of the streams to read; ``None`` for those selected by default.
        columns: Columns to add to those selected by default, as ``stream.column``, or with a ``!``
            in front to leave them out.
        state: Where an earlier sync has ended.
        channel: Takes the records; left out where the tap is only asked what it has.

    Raises:
        TapError: When settings, columns or the state cannot be used.
    """

    #: So that errors name the variables that dlt reads.
    _env_var_prefix: ClassVar[str] = "SOURCES__CLOUDAPIS__"

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        select: Collection[str] | None = None,
        columns: Iterable[str] = (),
        state: dict[str, Any] | None = None,
        channel: Channel | None = None,
    ) -> None:
        self._channel = channel or Channel()
        self.writer = writer = ChannelWriter(self._channel)
        try:
            super().__init__(config=dict(settings), state=state, message_writer=writer)
        except ConfigValidationError as exc:
            raise TapError("; ".join(exc.errors)) from None
        self._state_writer = _NoState(writer)
        for name in columns:
            self._select_column(name)
        if select is not None:
            for stream in self.streams.values():
                stream.selected = stream.name in select

    def _select_column(self, text: str) -> None:
        selected = not text.startswith("!")
        stream_name, _, column = text.removeprefix("!").partition(".")
        stream = self.streams.get(stream_name)
        if stream is None or column not in stream.schema["properties"]:
            msg = f"column_selection: there is no column {text.removeprefix('!')!r:.200}"
            raise TapError(msg)
        if column in stream.primary_keys and not selected:
            msg = (
                f"column_selection: {text.removeprefix('!')} is of the key, and cannot be left out"
            )
            raise TapError(msg)
        stream.metadata["properties", column].selected = selected
        stream.selected = stream.selected  # which reads the selection of columns anew

    def _setup_signal_handlers(self) -> None:
        """None: signals belong to the process, and a thread cannot have any."""

    def check_signal(self) -> None:
        """End the sync here, between two records, if nobody takes them any more."""
        self._channel.check()
