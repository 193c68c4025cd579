"""A sync that is cut at any record and resumed gives what an undisturbed one gives."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TINY
from tests.core.syncing import (
    Message,
    Outcome,
    Record,
    assert_rows,
    assert_true,
    every_state,
    latest,
    records_of,
    settings,
    start_tap,
    sync,
)
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tap_cloudapis.tap import TapCloudAPIs

pytestmark = pytest.mark.slow

HISTORIES = ["dbt_runs", "pulumi_stack_updates"]
DAY = 86_400


@pytest.fixture(scope="module")
def tiny() -> Iterator[Simulator]:
    with Simulator(now=END_OF_HISTORY, **TINY) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _one_clock(tiny: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tap live in the simulator's time."""
    monkeypatch.setattr("tap_cloudapis.dbt.runs._now", lambda: tiny.advance(0))


def cuts(messages: list[Message]) -> Iterator[tuple[list[Message], Record | None]]:
    """Every beginning of a sync that ends with a record, and the last state in it."""
    state: Record | None = None
    for number, message in enumerate(messages):
        if message["type"] == "STATE":
            state = message["value"]
        elif message["type"] == "RECORD":
            yield messages[: number + 1], state


def check_every_cut(
    config: dict[str, Any],
    before: list[Message],
    whole: Outcome,
    simulator: Simulator,
    streams: Sequence[str] = HISTORIES,
) -> None:
    """Resume from every state of a sync, and compare what there is in sum with the truth."""
    resumed: dict[str, Outcome] = {}
    truth = {stream: latest(simulator.rows(stream), stream) for stream in streams}
    for beginning, state in cuts(whole.messages):
        key = json.dumps(state, sort_keys=True)
        if key not in resumed:
            resumed[key] = sync(config, state=state, select=streams)
            assert resumed[key].code == 0
        everything = [*before, *beginning, *resumed[key].messages]
        for stream, expected in truth.items():
            found = latest(records_of(everything, stream), stream)
            assert_rows(expected, found, stream, keys_only_grow=True)
    assert len(resumed) > 10


@pytest.mark.parametrize("later", [0, DAY / 2])
def test_a_first_sync_cut_at_every_record(later: float, tiny: Simulator) -> None:
    config = settings(tiny)
    whole = sync(config, select=HISTORIES, prepare=every_state)
    assert whole.code == 0
    tiny.advance(later)
    check_every_cut(config, [], whole, tiny)


def test_a_later_sync_cut_at_every_record(tiny: Simulator) -> None:
    config = settings(tiny)
    first = sync(config, select=HISTORIES)
    tiny.advance(DAY / 4)
    second = sync(config, select=HISTORIES, state=first.state, prepare=every_state)
    tiny.advance(DAY / 4)
    check_every_cut(config, first.messages, second, tiny)


def test_a_sync_with_filters_and_a_start_date_cut_at_every_record(tiny: Simulator) -> None:
    jobs = sorted({row["job_definition_id"] for row in tiny.rows("dbt_runs")})
    config = settings(tiny, "dbt", dbt_job_ids=jobs, start_date="2026-01-01")
    whole = sync(config, select=["dbt_runs"], prepare=every_state)
    tiny.advance(DAY / 4)
    check_every_cut(config, [], whole, tiny, ["dbt_runs"])


def test_a_state_never_knows_more_than_was_written(tiny: Simulator) -> None:
    whole = sync(settings(tiny), select=HISTORIES, prepare=every_state)
    written: set[int] = set()
    versions: dict[str, set[int]] = {}
    for message in whole.messages:
        if message["type"] == "RECORD" and message["stream"] == "dbt_runs":
            written.add(message["record"]["id"])
        elif message["type"] == "RECORD":
            record = message["record"]
            versions.setdefault(record["stack_id"], set()).add(record["version"])
        elif message["type"] == "STATE":
            marks = message["value"]["bookmarks"]
            for partition in marks.get("dbt_runs", {}).get("partitions", []):
                for mark in partition.get("marks", {}).values():
                    assert {*mark["open"], mark.get("last_id")} - {None} <= written
            for stack, mark in marks.get("pulumi_stack_updates", {}).get("stacks", {}).items():
                still_open = {version for version, *_ in mark[4].values()} if mark[4:] else set()
                assert {*still_open, mark[2]} - {0} <= versions.get(stack, set())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_sync_between_two_records(
    number: signal.Signals, still: Simulator, tmp_path: Path
) -> None:
    still.settings(page_cap=10, latency_ms=40)
    config = settings(still, concurrency=2)
    tap = start_tap(config, tmp_path)
    assert tap.stdout is not None
    assert tap.stderr is not None
    lines: list[bytes] = []
    while len(lines) < 150:
        lines.append(tap.stdout.readline())
    tap.send_signal(number)
    lines += tap.stdout.readlines()
    errors = tap.stderr.read()
    outcome = Outcome(tap.wait(timeout=30), lines)
    assert outcome.code == 128 + number
    assert all(line.endswith(b"\n") for line in outcome.lines)
    assert outcome.messages[-1]["type"] == "STATE"
    assert b"Traceback" not in errors
    assert b"the last STATE is written" in errors
    still.settings(page_cap=None, latency_ms=0)
    resumed = sync(config, state=outcome.state)
    everything = [*outcome.messages, *resumed.messages]
    assert_true(lambda stream: latest(records_of(everything, stream), stream), still)


def test_a_hanging_request_does_not_hold_up_the_end(still: Simulator, tmp_path: Path) -> None:
    still.settings(latency_ms=60_000)
    tap = start_tap(settings(still), tmp_path)
    assert tap.stdout is not None
    assert tap.stdout.readline()
    time.sleep(0.3)
    tap.terminate()
    _, errors = tap.communicate(timeout=20)
    assert tap.returncode == 128 + signal.SIGTERM, errors


def test_a_target_that_is_gone_is_one_line(still: Simulator, tmp_path: Path) -> None:
    tap = start_tap(settings(still), tmp_path)
    assert tap.stdout is not None
    tap.stdout.readline()
    tap.stdout.close()
    assert tap.stderr is not None
    errors = tap.stderr.read()
    assert tap.wait(timeout=30) == 1
    assert b"Traceback" not in errors
    assert errors.count(b"ERROR") == 1
    assert b"closed the pipe" in errors


def test_a_crash_in_the_middle_still_leaves_a_state(tiny: Simulator) -> None:
    def crash(tap: TapCloudAPIs) -> None:
        stream = tap.streams["pulumi_stack_updates"]
        write, left = stream._write_record_message, [4]

        def failing(record: Record) -> None:
            left[0] -= 1
            if not left[0]:
                tap._handle_termination(signal.SIGTERM, None)
            write(record)

        stream._write_record_message = failing  # type: ignore[method-assign]

    outcome = sync(settings(tiny, "pulumi"), prepare=crash)
    assert outcome.code == 128 + signal.SIGTERM
    assert len(outcome.records("pulumi_stack_updates")) == 4
    assert outcome.messages[-1]["type"] == "STATE"
