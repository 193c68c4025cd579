"""What a sync did, stream by stream, as far as it has come: figures, and what went wrong."""

from __future__ import annotations

import re
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping, Sequence

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 15.0
#: How many lists, or records, of which the same is to be said are named; others are counted.
NAMED = 3


def first_of(names: Sequence[str], most: int) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - most
    told = ", ".join(name[:200] for name in names[:most])
    return f"{told} and {more:,} more" if more > 0 else told


class Places:
    """The lists of a stream of which the same is to be said, in the order of their names."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._names)

    def add(self, name: str) -> bool:
        """Add a list by its name ("account 7"); whether it was not among them before."""
        known = name in self._names
        self._names[name] = None
        return not known

    @property
    def names(self) -> list[str]:
        """All that have a name."""
        return [name for name in self._names if name]

    def __str__(self) -> str:
        """The first of them, and how many more there are."""
        names = self.names
        shown, more = names[:NAMED], len(names) - NAMED
        *first, last = [*shown, f"{more:,} more"] if more > 0 else shown or [""]
        return f"{', '.join(first)} and {last}" if first else last


@dataclass
class StreamReport:
    """The figures of one stream over all its contexts.

    Attributes:
        rows: Records emitted.
        requests: Requests sent, retries included.
        retries: Requests that were sent again.
        seconds: Time spent in the stream, its children excluded.
        skipped: What was left out: why, in few words, and of which lists.
        failures: What should have been there and is not: what happened, and in which lists.
        notes: What else a reader of the summary should know, and of which lists.
        left_out: Records that are left out because they cannot be told from others.
        begun: Whether any of its lists was to be read.
        unlisted: Whether an answer left open what is in the list: none where one belongs, which
            counted as an empty one, or a total that is no number.
        cut_off: Whether a list was not read because its service could not be used any more.
        given_up: Why its other lists are not read, after some in a row failed; empty if they are.
        kind: What its lists are of: those of streams of one kind fail together.
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    skipped: dict[str, Places] = field(default_factory=dict)
    failures: dict[str, Places] = field(default_factory=dict)
    notes: dict[str, Places] = field(default_factory=dict)
    left_out: int = 0
    begun: bool = False
    unlisted: bool = False
    cut_off: bool = False
    given_up: str = ""
    kind: str = ""
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
    """Collects the figures of all streams.

    Attributes:
        streams: By name, in the order in which they were first met.
        faults: What went wrong that is not of one stream alone.
        ended: What ended the sync before its end, such as a signal; empty for nothing.
        names_below: Whether what is skipped is told with the streams below that lack it as well.
    """

    names_below = True

    def __init__(self, logger: logging.Logger) -> None:
        self.streams: dict[str, StreamReport] = {}
        self.faults: list[str] = []
        self.ended = ""
        self._logger = logger
        self._running: list[str] = []
        # What was said, without what differs from list to list, and of which lists.
        self._said: dict[tuple[str, str], tuple[str, Places]] = {}
        self._reasons: set[str] = set()
        self._since = time.monotonic()
        self._next_progress = self._since + PROGRESS_INTERVAL

    def __getitem__(self, stream: str) -> StreamReport:
        """The report of a stream; created at first use."""
        return self.streams.setdefault(stream, StreamReport(kind=stream))

    @property
    def rows(self) -> int:
        """Records emitted by all streams."""
        return sum(report.rows for report in self.streams.values())

    @property
    def has_figures(self) -> bool:
        """Whether any stream has emitted or left out a record."""
        return any(report.rows or report.left_out for report in self.streams.values())

    @property
    def failed(self) -> bool:
        """Whether data is missing that should be there."""
        return bool(self.faults) or any(report.failed for report in self.streams.values())

    @property
    def skipped(self) -> bool:
        """Whether anything was left out that is not readable."""
        return any(report.skipped for report in self.streams.values())

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

    def skip(
        self, stream: str, why: str, where: str = "", *, in_full: str = "", quiet: bool = False
    ) -> None:
        """Note what is left out, and warn of it; of many lists the first few are named.

        Args:
            stream: The stream it is left out of.
            why: What it did, in few words ("answered 403").
            where: The list, as the beginning of a message ("account 7").
            in_full: What the warning says instead of why, if there is more to say.
            quiet: Whether another stream has warned of it already.
        """
        is_new = self[stream].skipped.setdefault(why, Places()).add(where)
        if is_new and not quiet:
            # Other lists may be refused for other reasons: each kind is told.
            _, places = self._kind_of(stream, in_full or why, where)
            if places.add(where) and len(places) <= NAMED:
                text = placed(where, in_full or why)
                self._logger.warning("%s: skipped, %s%s", stream, text, _and_more(len(places)))

    def leave_out(self, stream: str, what: str, where: str = "") -> None:
        """Count a record that is left out because it cannot be told from others; log the first.

        Args:
            stream: The record's stream.
            what: Which record, and what is wrong with it.
            where: The list that it came in.
        """
        report = self[stream]
        report.left_out += 1
        if report.left_out <= NAMED:
            text, more = placed(where, what), _and_more(report.left_out)
            self._logger.error("%s: left out a record, %s%s", stream, text, more)

    def note(self, stream: str, what: str, where: str = "") -> None:
        """Warn of something that is valid but may be a mistake; see :meth:`fail`."""
        places = self[stream].notes.setdefault(what, Places())
        if places.add(where) and len(places) <= NAMED:
            self._logger.warning("%s: %s%s", stream, placed(where, what), _and_more(len(places)))

    def fail(self, stream: str, what: str, where: str = "") -> None:
        """Note and log what went wrong; of many lists the first few are named.

        Args:
            stream: The stream that lacks rows now.
            what: What happened, and what to do.
            where: The list ("account 7").
        """
        first, places = self._kind_of(stream, what, where)
        self[stream].failures[first] = places
        if places.add(where) and len(places) <= NAMED:
            self._logger.error("%s: %s%s", stream, placed(where, what), _and_more(len(places)))

    def _kind_of(self, stream: str, what: str, where: str) -> tuple[str, Places]:
        """What was first said like this of a stream, and of which lists it was said."""
        return self._said.setdefault((stream, _kind(what, where)), (what, Places()))

    def fault(self, what: str) -> None:
        """Note and log what went wrong, where it is not of one stream alone."""
        self.faults.append(what)
        self._logger.error("%s", what)

    def interrupted(self, signum: int) -> None:
        """Note and log that a signal ended the sync."""
        self.ended = f"ended by signal {signum}, before all was read"
        self._logger.warning(
            "Ended by signal %d (%s); the last STATE is written, and the next sync goes on from "
            "the last one that a target gives back",
            signum,
            signal.Signals(signum).name,
        )

    def cut_off(self, stream: str, why: str) -> None:
        """Note that a list was not read as its service cannot be used; say why, but once."""
        self[stream].cut_off = True
        if why in self._reasons:
            return
        self._reasons.add(why)
        failures = (all_placed(figures.failures) for figures in self.streams.values())
        told = [_kind(text, "") for texts in failures for text in texts]
        if not any(_kind(why, "") in text for text in told):
            self.fault(why)

    def progress(self) -> None:
        """Log a line about the running stream when the last one is long enough ago."""
        if time.monotonic() < self._next_progress or not self._running:
            return
        self._next_progress = time.monotonic() + PROGRESS_INTERVAL
        name = self._running[-1]
        report = self[name]
        self._logger.info(
            "%s: %s, %s so far",
            name,
            numbered(report.rows, "row"),
            numbered(report.requests, "request"),
        )


def numbered(number: int, one: str, more: str = "") -> str:
    """A number of things in words."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def placed(where: str, text: str) -> str:
    """A text behind the list that it is about, if it is about one."""
    return f"{where}: {text}" if where else text


def all_placed(what: Mapping[str, Places]) -> list[str]:
    """What is to be said of lists, each behind their names."""
    return [placed(str(places), text) for text, places in what.items()]


def _kind(text: str, where: str) -> str:
    """A text without its numbers but the status, ids, and the names of the list it is about."""
    names = [rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in re.findall(r"[\w.-]{2,}", where)]
    return re.sub("|".join([r"(?<!answered )(?<![\w-])[\w-]*\d[\w-]*", *names]), "#", text)


def _and_more(count: int) -> str:
    return "; further ones are only counted" if count == NAMED else ""
