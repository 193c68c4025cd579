"""Syncs of the tap, as a process and in this one, and what came out of them."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from cloudapis_simulator import truth
from tap_cloudapis.command_line import run_command
from tap_cloudapis.core.ledger import LedgerParent, LedgerStream
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.pulumi.audit_logs import AuditLogs
from tap_cloudapis.tap import SERVICES, TapCloudAPIs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tests.simulator_process import Simulator

Record = dict[str, Any]
Message = dict[str, Any]

EXECUTABLE = Path(sys.executable).with_name("tap-cloudapis")
KINDS = {stream.name: stream for service in SERVICES for stream in service.streams}
# That there is a table for each stream, and a stream for each table, is held by test_schemas.
KEYS = {name: tuple(key) for name, key in truth.KEYS.items() if name in KINDS}
NAMES = tuple(KEYS)
#: What is selected where nobody says what to select.
BY_DEFAULT = tuple(name for name in NAMES if KINDS[name].facts.unselected is None)
NO_TOKENS = {name: text for name, text in os.environ.items() if "TAP_CLOUDAPIS" not in name}


@dataclass
class Outcome:
    """What a sync wrote, said and exited with.

    Attributes:
        code: The exit code.
        lines: Standard output, by line.
        log: What was logged, by line.
    """

    code: int
    lines: list[bytes]
    log: list[str] = field(default_factory=list)

    @cached_property
    def messages(self) -> list[Message]:
        return [json.loads(line) for line in self.lines]

    def records(self, stream: str) -> list[Record]:
        return records_of(self.messages, stream)

    def latest(self, stream: str) -> dict[tuple[Any, ...], Record]:
        return latest(self.records(stream), stream)

    @property
    def states(self) -> list[Record]:
        return [m["value"] for m in self.messages if m["type"] == "STATE"]

    @property
    def state(self) -> Record:
        return self.states[-1]

    @property
    def schemas(self) -> dict[str, Record]:
        return {m["stream"]: m["schema"] for m in self.messages if m["type"] == "SCHEMA"}

    @property
    def _total_at(self) -> int:
        totals = [n for n, line in enumerate(self.log) if re.search(r" total +[\d,]+ rows? ", line)]
        return totals[-1] + 1 if totals else len(self.log)

    @property
    def repeated(self) -> list[str]:
        """The log lines below the summary, which repeat what is missing."""
        return self.log[self._total_at :]

    def logged(self, *words: str) -> list[str]:
        """The log lines down to the summary's total that hold all of the words."""
        lines = self.log[: self._total_at]
        return [line for line in lines if all(word in line for word in words)]

    def says(self, *words: str) -> bool:
        """Whether any line at all of the log holds all of the words."""
        return any(all(word in line for word in words) for line in self.log)


def records_of(messages: Iterable[Message], stream: str) -> list[Record]:
    return [m["record"] for m in messages if m["type"] == "RECORD" and m["stream"] == stream]


def latest(records: Iterable[Record], stream: str) -> dict[tuple[Any, ...], Record]:
    """The last version of each record, by key, as a warehouse that merges would have it."""
    return {tuple(record[key] for key in KEYS[stream]): record for record in records}


def settings(simulator: Simulator, service: str | None = None, **more: Any) -> dict[str, Any]:
    """The settings for a sync of all there is from a simulator, of one service or both."""
    dbt: dict[str, Any] = {
        "dbt_token": simulator.dbt_token,
        "dbt_url": simulator.dbt_url,
        "dbt_audit_log_days": 600,
        "dbt_run_details_days": 600,
        "dbt_requests_per_minute": 1_000_000,
    }
    pulumi = {
        "pulumi_token": simulator.pulumi_token,
        "pulumi_url": simulator.pulumi_url,
        "pulumi_update_detail_days": 3_650,
    }
    chosen = {"dbt": dbt, "pulumi": pulumi, None: {**dbt, **pulumi}}[service]
    return {**chosen, **more}


def start_tap(config: Mapping[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    """Start the executable, its output and its log in pipes; the settings go into a file."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return subprocess.Popen(
        [EXECUTABLE, "--config", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=NO_TOKENS,
    )


def run_tap(
    *arguments: Any,
    config: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    **files: Any,
) -> Outcome:
    """Run the executable to its end.

    Args:
        arguments: Arguments of the command line.
        config: The settings, given as a file.
        folder: Where files are written; needed with any file.
        env: Variables added to an environment without settings of the tap.
        files: Contents of ``state`` and ``catalog``.
    """
    command = [str(EXECUTABLE), *map(str, arguments)]
    for name, content in {"config": config, **files}.items():
        if content is not None:
            assert folder is not None
            path = folder / f"{name}.json"
            path.write_text(json.dumps(content))
            command += [f"--{name}", str(path)]
    done = subprocess.run(
        command, capture_output=True, env={**NO_TOKENS, **(env or {})}, timeout=120, check=False
    )
    return Outcome(done.returncode, done.stdout.splitlines(), done.stderr.decode().splitlines())


@contextmanager
def own_signals() -> Iterator[None]:
    """Give the test runner its signal handlers back: a tap takes them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {self.format(record)}")


def sync(  # noqa: PLR0913 - what a sync is given
    config: Mapping[str, Any],
    *,
    state: Record | None = None,
    catalog: Record | None = None,
    select: Iterable[str] | None = None,
    prepare: Callable[[TapCloudAPIs], None] | None = None,
    tap_class: type[TapCloudAPIs] = TapCloudAPIs,
) -> Outcome:
    """Run a sync in this process, through the SDK's Tap class and real HTTP.

    Args:
        config: The settings.
        state: The state to go on from.
        catalog: The catalog.
        select: Names of the only streams to select; without them and a catalog it is all.
        prepare: Called with the tap before it runs.
        tap_class: The tap, or one with other services.
    """
    if select is not None:
        catalog = catalog_of(select)
    elif catalog is None and tap_class is TapCloudAPIs:
        catalog = catalog_of(NAMES)

    def run() -> int:
        tap = tap_class(
            config=dict(config),
            state=json.loads(json.dumps(state)) if state else None,
            catalog=catalog,
        )
        if prepare is not None:
            prepare(tap)
        return tap.run()

    return _captured(run)


def command(*arguments: Any, tap_class: type[TapCloudAPIs] = TapCloudAPIs) -> Outcome:
    """Run the command line in this process: as :func:`run_tap`, without a start of Python."""

    def run() -> int:
        before, sys.argv = sys.argv, [tap_class.name, *map(str, arguments)]
        try:
            run_command(tap_class)
        except SystemExit as exc:
            return int(exc.code or 0)
        finally:
            sys.argv = before
        return 0

    return _captured(run)


def _captured(run: Callable[[], int]) -> Outcome:
    handler = _Lines()
    logger = logging.getLogger(TapCloudAPIs.name)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    collecting = gc.get_threshold()
    try:
        with own_signals(), redirect_stdout(stdout):
            code = run()
    finally:
        logger.removeHandler(handler)
        # A process that goes on after a sync wants its garbage back.
        gc.unfreeze()
        gc.set_threshold(*collecting)
    stdout.flush()
    assert isinstance(stdout.buffer, io.BytesIO)
    return Outcome(code, stdout.buffer.getvalue().splitlines(), handler.lines)


@cache
def _catalog_text(tap_class: type[TapCloudAPIs]) -> str:
    with own_signals():
        return json.dumps(tap_class(config={}).catalog_dict)


def discover(tap_class: type[TapCloudAPIs] = TapCloudAPIs) -> Record:
    """The catalog of a tap without settings; the caller may change it."""
    catalog: Record = msgspec.json.decode(_catalog_text(tap_class))
    return catalog


def catalog_of(streams: Iterable[str], **deselect: Iterable[str]) -> Record:
    """A catalog that selects some streams, without some of their properties.

    Args:
        streams: Names of the streams to select.
        deselect: By stream, properties to leave out, as dotted paths.
    """
    return selecting(streams, discover(), **deselect)


def selecting(streams: Iterable[str], catalog: Record, **deselect: Iterable[str]) -> Record:
    """Change a catalog as :func:`catalog_of` does."""
    wanted = set(streams)
    for entry in catalog["streams"]:
        name = entry["tap_stream_id"]
        entry["selected"] = name in wanted
        unwanted = [path.replace(".", ".properties.").split(".") for path in deselect.get(name, ())]
        for meta in entry["metadata"]:
            if not meta["breadcrumb"]:
                meta["metadata"]["selected"] = entry["selected"]
            elif meta["breadcrumb"][1:] in unwanted:
                meta["metadata"]["selected"] = False
    return catalog


def every_state(tap: TapCloudAPIs) -> None:
    """Have STATE written after every record, as if each were long due."""
    for stream in tap.streams.values():
        stream.STATE_MSG_FREQUENCY = 1
    tap.state_writer.is_due = lambda: True  # type: ignore[method-assign]


def cut_after(records: int, stream: str) -> Callable[[TapCloudAPIs], None]:
    """Have a signal arrive behind some records of a stream, with STATE after each."""

    def prepare(tap: TapCloudAPIs) -> None:
        every_state(tap)
        target: Any = tap.streams[stream]
        write, left = target._write_record_message, [records]

        def counting(record: Record) -> None:
            write(record)
            left[0] -= 1
            if not left[0]:
                tap._handle_termination(signal.SIGTERM, None)

        target._write_record_message = counting

    return prepare


def hear_anew(stream: Any) -> None:
    """Have a stream tell of all columns again: it does so once for each."""
    stream.__dict__.pop("_shape", None)
    stream.report.notes.clear()


def assert_true(
    records: Callable[[str], Mapping[tuple[Any, ...], Record]],
    simulator: Simulator,
    streams: Iterable[str] = NAMES,
    *,
    keys_only_grow: bool = False,
) -> None:
    """Compare what a warehouse holds with what is true now, by key and by facts.

    Args:
        records: Gives the latest records of a stream by key.
        simulator: Knows what is true.
        streams: Names of streams.
        keys_only_grow: Whether records of what is deleted by now may be there as well.
    """
    for stream, told in simulator.truths(*streams).items():
        expected = latest(told["rows"], stream)
        assert expected, f"the simulator has no {stream}"
        assert_rows(expected, records(stream), stream, keys_only_grow=keys_only_grow)


def without_runs(state: Record) -> Record:
    """A state without what counts the runs of the tap, or tells when the last one was."""
    counting = (LedgerParent, LedgerStream, AuditLogs)
    marks = state["bookmarks"].items()
    kept = {name: mark for name, mark in marks if not issubclass(KINDS[name], counting)}
    return {**state, "bookmarks": kept}


def family(stream: str) -> set[str]:
    """A stream and all that lie below it, without what is in no catalog."""
    below = [name for name, kind in KINDS.items() if kind.parent_stream_type is KINDS[stream]]
    return {stream}.union(*map(family, below)) & KEYS.keys()


#: The streams that do not emit again what they have emitted.
INCREMENTAL = {
    below
    for name in NAMES
    if issubclass(KINDS[name], (MarkedStream, LedgerStream))
    for below in family(name)
}


class StreamWarehouse:
    """What syncs of one stream in turn leave behind; a subclass names the stream.

    Attributes:
        stream: The name of the stream.
        keeps_deleted: Whether rows of what is deleted by now may be there as well.
        rows: The latest records by key.
        state: The state of the last sync.
    """

    stream: ClassVar[str]
    keeps_deleted: ClassVar[bool] = False

    def __init__(self, simulator: Simulator, **more: Any) -> None:
        self._settings = settings(simulator, self.stream.partition("_")[0], **more)
        self.rows: dict[tuple[Any, ...], Record] = {}
        self.state: Record | None = None

    def sync(self, catalog: Record | None = None, **changes: Any) -> Outcome:
        """Sync from the state of the last time, with other settings if some are given."""
        select = None if catalog else [self.stream]
        config = {**self._settings, **changes}
        outcome = sync(config, state=self.state, select=select, catalog=catalog)
        assert outcome.code == 0, outcome.log
        self.state = outcome.state
        self.rows.update(outcome.latest(self.stream))
        return outcome

    def assert_true(self, simulator: Simulator) -> None:
        """Compare the rows with what is true now."""
        streams, grow = [self.stream], self.keeps_deleted
        assert_true(lambda _: self.rows, simulator, streams, keys_only_grow=grow)


def assert_rows(
    expected: Mapping[tuple[Any, ...], Record],
    found: Mapping[tuple[Any, ...], Record],
    stream: str,
    *,
    keys_only_grow: bool = False,
) -> None:
    """Compare records with the rows that there should be; see :func:`assert_true`."""
    missing = expected.keys() - found.keys()
    assert not missing, f"{stream} lacks {sorted(missing)[:5]}"
    if not keys_only_grow:
        surplus = found.keys() - expected.keys()
        assert not surplus, f"{stream} has {sorted(surplus)[:5]} too many"
    for key, row in expected.items():
        facts = {name: found[key].get(name) for name in row}
        assert facts == row, f"{stream} {key}"
