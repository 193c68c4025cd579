"""What a sync did, stream by stream: progress, closing summary, exit code."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator, Mapping

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 15.0
#: How many of a stream's records that are left out are named.
NAMED_RECORDS = 3


@dataclass
class StreamReport:
    """The figures of one stream over all its contexts.

    Attributes:
        rows: Records emitted.
        requests: Requests sent, retries included.
        retries: Requests that were sent again.
        seconds: Time spent in the stream, its children excluded.
        skipped: What was left out and why, in few words.
        failures: What should have been there and is not.
        notes: What else a reader of the summary should know.
        left_out: Records that are left out because they cannot be told from others.
        begun: Whether any of its lists was to be read.
        unlisted: Whether an answer had no list where one belongs, and counted as an empty one.
        cut_off: Whether a list was not read because its service could not be used any more.
        given_up: Why its other lists are not read, after some in a row failed; empty if they are.
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    skipped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: int = 0
    begun: bool = False
    unlisted: bool = False
    cut_off: bool = False
    given_up: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def failed(self) -> bool:
        """Whether rows are missing that should be there."""
        return bool(self.failures or self.left_out or self.cut_off)

    def count(self, *, requests: int = 0, retries: int = 0) -> None:
        """Count requests; called from worker threads."""
        with self._lock:
            self.requests += requests
            self.retries += retries


class SyncReport:
    """Collects the figures of all streams."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._streams: dict[str, StreamReport] = {}
        self._running: list[str] = []
        self._told: set[str] = set()
        self._since = time.monotonic()
        self._next_progress = self._since + PROGRESS_INTERVAL

    def __getitem__(self, stream: str) -> StreamReport:
        """The report of a stream; created at first use."""
        return self._streams.setdefault(stream, StreamReport())

    @property
    def rows(self) -> int:
        """Records emitted by all streams."""
        return sum(report.rows for report in self._streams.values())

    @property
    def has_figures(self) -> bool:
        """Whether any stream has emitted or left out a record."""
        return any(report.rows or report.left_out for report in self._streams.values())

    @property
    def failed(self) -> bool:
        """Whether data is missing that should be there."""
        return any(report.failed for report in self._streams.values())

    @contextmanager
    def timing(self, stream: str) -> Iterator[StreamReport]:
        """Count the time that passes inside to a stream, and not to the one around it."""
        self._charge()
        self._running.append(stream)
        self[stream].begun = True
        try:
            yield self[stream]
        finally:
            self._charge()
            self._running.pop()

    def _charge(self) -> None:
        now = time.monotonic()
        if self._running:
            self[self._running[-1]].seconds += now - self._since
        self._since = now

    def skip(self, stream: str, what: str, *, in_full: str = "", quiet: bool = False) -> None:
        """Note and log what is left out; once, however many contexts say the same.

        Args:
            stream: The stream it is left out of.
            what: What and why, in few words, as the summary has it.
            in_full: What the warning says instead, if there is more to say.
            quiet: Whether another stream has warned of it already.
        """
        if what not in self[stream].skipped:
            self[stream].skipped.append(what)
            if not quiet:
                self._logger.warning("%s: skipped, %s", stream, in_full or what)

    def leave_out(self, stream: str, what: str) -> None:
        """Count a record that is left out because it cannot be told from others; log the first.

        Args:
            stream: The record's stream.
            what: Which record, and what is wrong with it.
        """
        report = self[stream]
        report.left_out += 1
        if report.left_out <= NAMED_RECORDS:
            more = "; further ones are only counted" if report.left_out == NAMED_RECORDS else ""
            self._logger.error("%s: left out a record, %s%s", stream, what, more)

    def note(self, stream: str, what: str) -> None:
        """Warn of something that is valid but may be a mistake."""
        self[stream].notes.append(what)
        self._logger.warning("%s: %s", stream, what)

    def fail(self, stream: str, what: str) -> None:
        """Note and log what went wrong; once, however many contexts say the same."""
        if what not in self[stream].failures:
            self[stream].failures.append(what)
            self._logger.error("%s: %s", stream, what)

    def cut_off(self, stream: str, why: str) -> None:
        """Note that a list was not read as its service cannot be used; say why, but once."""
        self[stream].cut_off = True
        failures = [text for report in self._streams.values() for text in report.failures]
        if why not in self._told and not any(why in text for text in failures):
            self._told.add(why)
            self._logger.error("%s", why)

    def progress(self) -> None:
        """Log a line about the running stream when the last one is long enough ago."""
        if time.monotonic() < self._next_progress or not self._running:
            return
        self._next_progress = time.monotonic() + PROGRESS_INTERVAL
        name = self._running[-1]
        report = self[name]
        self._logger.info(
            "%s: %s rows, %s requests so far", name, f"{report.rows:,}", f"{report.requests:,}"
        )

    def log_summary(
        self, streams: Iterable[str] = (), reasons: Mapping[str, str] | None = None
    ) -> None:
        """Log one line per stream, and a last one with the total.

        Args:
            streams: Streams that should have been read; those that were not are named, too.
            reasons: Why nothing more was read of a stream's service, by stream.

        What failed was logged as an error when it did, so it is only pointed at here.
        """
        reasons = reasons or {}
        for name in streams:
            why = f": {reasons[name]}" if name in reasons else ""
            report = self._streams.get(name)
            told = report is not None and (report.skipped or report.failures)
            if (
                report is None
                or not (report.begun or told)
                or (report.cut_off and not report.requests)
            ):
                self[name].notes.append(f"not read{why}")
            elif report.cut_off and not report.failures:
                report.notes.append(f"not read to its end{why}")
        width = max(map(len, self._streams), default=0)
        for name, report in self._streams.items():
            notes = ["FAILED: see the error above"] if report.failures else []
            if report.left_out:
                notes.append(f"FAILED: {report.left_out:,} records left out")
            notes += [f"skipped: {text}" for text in report.skipped] + report.notes
            self._logger.info(
                "%-*s %9s rows %7s requests %4d retries %8.1f s%s",
                width,
                name,
                f"{report.rows:,}",
                f"{report.requests:,}",
                report.retries,
                report.seconds,
                "".join(f"  [{note}]" for note in notes),
            )
        self._logger.info(
            "%-*s %9s rows %7s requests %4d retries %8.1f s%s",
            width,
            "total",
            f"{self.rows:,}",
            f"{sum(r.requests for r in self._streams.values()):,}",
            sum(r.retries for r in self._streams.values()),
            sum(r.seconds for r in self._streams.values()),
            "  [FAILED]" if self.failed else "",
        )
