"""One run of the tap in a thread, shared by the resources of a source."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.summary import errors_of
from tap_cloudapis.dlt.channel import Batch, Channel, Stopped
from tap_cloudapis.dlt.embedding import EmbeddedTap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

#: How long, in seconds, the end of a pipeline waits for the thread: a tenth of one is usual.
_PATIENCE = 10.0


class Sync:
    """Reads some streams with the tap, while resources take their records.

    Args:
        settings: Those of the tap.
        streams: The streams to read.
        columns: As :class:`EmbeddedTap` takes them.
        state: Where the sync before has ended.

    Raises:
        TapError: When the state cannot be used.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        streams: Collection[str],
        columns: Iterable[str],
        state: dict[str, Any],
    ) -> None:
        self.streams = frozenset(streams)
        self._channel = Channel()
        self._tap = EmbeddedTap(
            settings, select=self.streams, columns=columns, state=state, channel=self._channel
        )
        self._error: BaseException | None = None
        self._left: set[str] = set()
        self._cut = False
        self.begun: set[str] = set()
        self._thread = threading.Thread(target=self._read, name="tap-cloudapis", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self._tap.read()
            self._channel.flush()
        except Stopped:
            pass
        except BaseException as exc:  # noqa: BLE001 - raised again where the records are taken
            self._error = exc

    def take(self, stream: str) -> Batch | None:
        """The next records of a stream, if there are any by now.

        Raises:
            TapError: When nothing can be read at all.
        """
        batch = self._channel.take(stream)
        if batch is None and self._error is not None:
            raise self._error
        return batch

    @property
    def is_over(self) -> bool:
        """Whether the tap has ended, so that a stream without records has none any more."""
        return not self._thread.is_alive()

    def is_described(self, stream: str) -> bool:
        """Whether a stream has a table, be it without rows."""
        return stream in self._tap.writer.described

    @property
    def has_ended(self) -> bool:
        """Whether all resources are done with it."""
        return self._left >= self.streams

    def leave(self, stream: str, *, whole: bool) -> None:
        """Take no more of a stream.

        Args:
            stream: Its name.
            whole: Whether all of its records were taken.
        """
        self._left.add(stream)
        if not whole:
            self._cut = True
            self._channel.drop(stream)
            if self.begun <= self._left:
                self.stop()  # the pipeline has ended

    def stop(self) -> None:
        """End the thread."""
        self._left |= self.streams
        self._cut = True
        self._channel.stop()
        self._thread.join(_PATIENCE)

    @property
    def progress(self) -> dict[str, Any] | None:
        """The state of the tap; ``None`` while there are records that nobody has taken."""
        whole = self.has_ended and self.is_over and not self._cut and self._error is None
        return dict(self._tap.state) if whole else None

    @property
    def errors(self) -> list[str]:
        """What is missing that should be there, in lines; empty where nothing is."""
        report = self._tap.report
        return (errors_of(report) or ["see the log"]) if report.failed else []
