"""What a stream needs of the tap it belongs to, so that no stream has to know the tap's class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.streams import Stream

    from tap_cloudapis.core.connection import Connection
    from tap_cloudapis.core.output import BufferedSingerWriter, ThrottledStateWriter
    from tap_cloudapis.core.report import SyncReport


class StreamTap(Protocol):
    """The tap, as its streams see it.

    Attributes:
        report: The figures of all streams.
        message_writer: Where messages go.
    """

    report: SyncReport
    message_writer: BufferedSingerWriter

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings."""

    @property
    def streams(self) -> Mapping[str, Stream]:
        """All streams, by name."""

    @property
    def state_writer(self) -> ThrottledStateWriter:
        """Writes STATE when it is due."""

    @property
    def user_agent(self) -> str:
        """What the tap calls itself in requests."""

    def connection(self, service: str) -> Connection:
        """The connection to a service, by the service's key; made at first use."""

    def is_configured(self, service: str) -> bool:
        """Whether there is a token for a service."""

    def is_narrowed(self, stream: str) -> bool:
        """Whether a filter of the settings leaves out some of a stream's rows."""

    def check_signal(self) -> None:
        """End the sync here, between two records, if a signal asked for it."""
