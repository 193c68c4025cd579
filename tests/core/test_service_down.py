"""A service that dies, or cannot give one kind of list: what is left out, and what is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.boxes import Boxes, Lids, Notes, Things
from tests.core.syncing import (
    BY_DEFAULT,
    EXECUTABLE,
    NAMES,
    NO_TOKENS,
    Outcome,
    assert_true,
    latest,
    records_of,
    run_tap,
    settings,
    sync,
)
from tests.core.toys import NOT_FOUND, Shop, ToyStream, shape, toy_tap
from tests.scripted_server import Reply
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_cloudapis.tap import TapCloudAPIs

pytestmark = pytest.mark.usefixtures("impatient")

BROKEN = Reply({"message": "out of order"}, status=502)
PULUMI = [name for name in NAMES if name.startswith("pulumi")]
DBT = [name for name in NAMES if name.startswith("dbt")]


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.core.connection.MAX_TRIES", 4)


class Corks(ToyStream):
    name = "toy_corks"
    path = "/corks"
    schema = shape("id")


def answers(count: int = 30) -> dict[str, Any]:
    boxes = [{"id": number} for number in range(count)]
    inside = {
        f"/boxes/{number}/{kind}": [{"id": 1}]
        for number in range(count)
        for kind in ("things", "notes")
    }
    return {"/boxes": boxes, "/lids": [{"id": 7}], "/corks": [{"id": 8}], **inside}


class MortalShop(Shop):
    """A shop that may answer otherwise, see ``answering``."""

    answering: Callable[[str, dict[str, str]], Any] | None = None

    def whole(self, path: str, query: dict[str, str]) -> Any:
        return super()._answer(path, query)

    def _answer(self, path: str, query: dict[str, str]) -> Any:
        return (self.answering or self.whole)(path, query)


def shop() -> MortalShop:
    return MortalShop(toy_tap(Boxes, Things, Notes, Lids, Corks), answers())


def figures(outcome: Outcome, stream: str) -> str:
    """The line of a stream in the summary."""
    return outcome.logged("INFO", f"{stream} ", " row")[0]


def test_one_kind_of_list_that_always_fails_leaves_the_others() -> None:
    toys = shop()
    toys.answers.update({path: BROKEN for path in toys.answers if path.endswith("things")})
    with toys.server:
        outcome = toys.sync()
        asked = [path for path in toys.asked() if path.endswith("things")]
    assert outcome.code == 1
    assert len(outcome.records("toy_boxes")) == len(outcome.records("toy_notes")) == 30
    assert outcome.records("toy_lids")
    assert outcome.records("toy_corks")
    errors = outcome.logged("ERROR", "toy_things")
    assert len(errors) == 4, errors
    assert "3 lists in a row failed, so its other lists are not read" in errors[-1]
    assert "FAILED" in figures(outcome, "toy_things")
    assert len(set(asked)) < 30
    assert not outcome.logged("not read to its end")


def test_lists_that_fail_here_and_there_are_each_told() -> None:
    toys = shop()
    broken = [f"/boxes/{number}/things" for number in range(0, 30, 3)]
    toys.answers.update(dict.fromkeys(broken, BROKEN))
    with toys.server:
        outcome = toys.sync()
    assert outcome.code == 1
    assert len(outcome.records("toy_things")) == 20
    told = outcome.logged("ERROR", "toy_things: box ")
    assert [line.split(":")[1] for line in told] == [" box 0", " box 3", " box 6"]
    assert told[-1].endswith("further ones are only counted")
    (repeated,) = outcome.repeated
    assert "toy_things: box 0, box 3, box 6 and 7 more: " in repeated


def test_lists_that_are_refused_do_not_count() -> None:
    toys = shop()
    toys.answers.update({path: NOT_FOUND for path in toys.answers if path.endswith("things")})
    toys.answers["/boxes/29/things"] = [{"id": 5}]
    with toys.server:
        outcome = toys.sync()
    assert outcome.code == 0
    assert [record["id"] for record in outcome.records("toy_things")] == [5]


@pytest.mark.parametrize("passed", [0, 1, 2, 5, 17, 40])
def test_a_service_that_answers_502_to_all(passed: int) -> None:
    toys = shop()
    left = [passed]

    def dying(path: str, query: dict[str, str]) -> Any:
        left[0] -= 1
        return toys.whole(path, query) if left[0] >= 0 else BROKEN

    assert_cut_off(toys, dying)


@pytest.mark.parametrize("passed", [1, 2, 5, 17, 40])
def test_a_service_that_is_gone(passed: int) -> None:
    toys = shop()
    left = [passed]

    def dying(path: str, query: dict[str, str]) -> Any:
        left[0] -= 1
        if left[0] == 0:
            toys.server._server.socket.close()
        if left[0] < 0:
            raise ConnectionAbortedError
        return toys.whole(path, query)

    toys.server._server.handle_error = lambda *_: None  # type: ignore[method-assign]
    assert_cut_off(toys, dying)


def test_not_every_request_waits_as_long_as_the_first_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One at a time, the waits of three requests would add up."""
    monkeypatch.setattr("tap_cloudapis.core.connection.MAX_TRIES", 9)
    toys = shop()
    for name in toys.answers:
        toys.answers[name] = toys.answers[name] if name == "/boxes" else BROKEN
    with toys.server:
        outcome = toys.sync(config={"concurrency": 1})
        asked = Counter(toys.asked())
    assert outcome.code == 1
    assert outcome.logged("3 requests in a row failed")
    assert sorted(asked.values()) == [1, 6, 6, 9]


def assert_cut_off(toys: MortalShop, dying: Callable[[str, dict[str, str]], Any]) -> None:
    """Sync while the service dies; all that was not read is told, and not asked for in vain."""
    toys.answering = dying
    with toys.server:
        outcome = toys.sync()
        requests = len(toys.asked())
    assert outcome.code == 1
    assert not outcome.says("Traceback")
    assert not outcome.says("unexpected")
    errors = outcome.logged("ERROR")
    assert 1 <= len(errors) <= 12, errors
    assert requests < 40 + 6 * 40
    records = [m for m in outcome.messages if m["type"] == "RECORD"]
    if not records:
        return
    assert outcome.messages[-1]["type"] == "STATE"
    assert "[FAILED: 4 of 5 streams]" in outcome.logged("total")[0]
    told = outcome.logged("in a row failed, so the rest of Toy Cloud is not read")
    assert told
    for name, count in {"toy_things": 30, "toy_notes": 30, "toy_lids": 1, "toy_corks": 1}.items():
        line = figures(outcome, name)
        complete = len(outcome.records(name)) == count
        assert complete or "FAILED" in line or "not read" in line, line
        assert not (complete and "not read" in line), line


class Acorns(ToyStream):
    name = "toy_acorns"  # streams are read in the order of their names
    path = "/acorns"
    schema = shape("id")


def test_a_stream_that_was_read_whole_is_not_said_to_lack_anything() -> None:
    inside = {path: BROKEN for path in answers() if path.startswith("/boxes/")}
    toys = Shop(
        toy_tap(Acorns, Lids, Boxes, Things, Notes),
        {**answers(), **inside, "/acorns": [{"id": 1}]},
    )
    with toys.server:
        outcome = toys.sync()
    assert outcome.code == 1
    assert (
        len(outcome.logged("ERROR", "in a row failed, so the rest of Toy Cloud is not read")) == 1
    )
    assert "[" not in figures(outcome, "toy_acorns")
    assert "[not read: " in figures(outcome, "toy_lids")


WORLD: dict[str, Any] = {
    "now": END_OF_HISTORY,
    "seed": 5,
    "pulumi_stacks": 100,
    "pulumi_updates": 3,
}


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 100, 400])
def test_pulumi_dies_while_its_stacks_are_read(after: int, tiny: Simulator) -> None:
    with Simulator(**WORLD) as mortal:
        config = settings(tiny) | settings(mortal, "pulumi")

        def kill(tap: TapCloudAPIs) -> None:
            stream = tap.streams["pulumi_stack_updates"]
            write, left = stream._write_record_message, [after]

            def counting(record: dict[str, Any]) -> None:
                left[0] -= 1
                if not left[0]:
                    os.kill(mortal.pid, signal.SIGKILL)
                write(record)

            stream._write_record_message = counting  # type: ignore[method-assign]

        cut = sync(config, prepare=kill)
    assert cut.code == 1
    assert 1 <= len(cut.logged("ERROR")) <= 15, cut.log
    assert cut.logged("in a row failed, so the rest of Pulumi Cloud is not read")
    assert_true(cut.latest, tiny, DBT)
    with Simulator(**WORLD) as again:
        config = settings(tiny) | settings(again, "pulumi")
        resumed = sync(config, state=cut.state)
        assert resumed.code == 0, resumed.logged("ERROR")
        messages = [*cut.messages, *resumed.messages]
        assert_true(lambda name: latest(records_of(messages, name), name), again, PULUMI)
        if after == 400:
            assert len(resumed.records("pulumi_stack_updates")) < len(
                again.rows("pulumi_stack_updates")
            )


def sync_whose_service_dies(after: int, folder: Path) -> tuple[Outcome, float]:
    """Kill the service after so many lines; what the process left, and how long it took to end."""
    config = folder / "config.json"
    lines: list[bytes] = []
    died = 0.0
    with Simulator(**WORLD) as mortal:
        config.write_text(json.dumps(settings(mortal, "pulumi")))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [EXECUTABLE, "--config", config], stdout=subprocess.PIPE, stderr=log, env=NO_TOKENS
            )
            assert process.stdout is not None
            with process.stdout as output:
                for line in output:
                    lines.append(line)
                    if len(lines) == after:
                        os.kill(mortal.pid, signal.SIGKILL)
                        died = time.monotonic()
            code = process.wait(timeout=120)
    log_lines = (folder / "log").read_text().splitlines()
    return Outcome(code, lines, log_lines), time.monotonic() - died


@pytest.mark.slow
def test_a_process_ends_soon_when_its_service_dies(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """As users see it: the real waits, the real exit code, and the next sync on the saved state."""
    folders = [tmp_path / str(after) for after in (200, 2500)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as side_by_side:
        ends = list(side_by_side.map(sync_whose_service_dies, (200, 2500), folders))
    reason = "in a row failed, so the rest of Pulumi Cloud is not read: no answer from 127.0.0.1"
    for (cut, seconds), folder in zip(ends, folders, strict=True):
        record_property(f"seconds after {folder.name} lines", seconds)
        assert cut.code == 1
        assert not cut.says("Traceback")
        assert 1 <= len(cut.logged("ERROR")) <= 12, cut.log
        assert any(reason in line for line in cut.log[-12:]), cut.log
        assert "[FAILED: " in cut.logged(" total ")[-1]
        assert any(reason in line for line in cut.repeated), cut.log[-14:]
        with Simulator(**WORLD) as again:
            state = cut.state if cut.states else {}
            resumed = run_tap(config=settings(again, "pulumi"), folder=folder, state=state)
            assert resumed.code == 0, resumed.logged("ERROR")
            messages = [*cut.messages, *resumed.messages]
            found = {name: latest(records_of(messages, name), name) for name in BY_DEFAULT}
            by_default = [name for name in PULUMI if name in BY_DEFAULT]
            assert_true(found.__getitem__, again, by_default)


def test_what_was_given_up_comes_with_the_next_sync(still: Simulator) -> None:
    still.faults([{"path": "/stacks/.*/updates$", "status": 500, "times": 5000}])
    lacking = ["pulumi_stack_updates", "pulumi_stack_previews"]
    lacking += ["pulumi_update_timelines", "pulumi_update_events"]
    cut = sync(settings(still))
    still.clear_faults()
    assert cut.code == 1
    assert cut.logged("ERROR", "pulumi_stack_updates", "its other lists are not read")
    assert_true(cut.latest, still, set(NAMES).difference(lacking))
    resumed = sync(settings(still), state=cut.state)
    assert resumed.code == 0, resumed.logged("ERROR")
    assert_true(lambda name: {**cut.latest(name), **resumed.latest(name)}, still, lacking)
