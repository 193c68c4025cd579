"""Waiting as a service asks: told while it lasts, and not beyond the patience."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core.health import Health
from tap_cloudapis.core.throttling import BUDGET_WINDOW, Gate
from tests.core.boxes import Boxes, Lids, Things
from tests.core.syncing import Outcome, assert_true, settings, sync
from tests.core.toys import Shop, toy_tap
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulator_process import Simulator

pytestmark = pytest.mark.usefixtures("impatient")

FAKE = "fake-token-for-tests"
CONNECTION = "tap_cloudapis.core.connection"


@pytest.fixture(autouse=True)
def _short_cool_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.core.throttling.FIRST_COOL_DOWN", 0.02)


def first(times: int, reply: Reply, body: Any) -> Callable[[dict[str, str]], Any]:
    """Answer in one way some times, and then in another."""
    left = [times]

    def answer(_query: dict[str, str]) -> Any:
        left[0] -= 1
        return reply if left[0] >= 0 else body

    return answer


def asking(status: int, retry_after: str | None) -> Reply:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply({"message": "not now"}, status=status, headers=headers)


def shop_of(answer: Any, **answers: Any) -> Shop:
    others = {f"/{name}": value for name, value in answers.items()}
    return Shop(toy_tap(Boxes, Lids), {"/boxes": answer, "/lids": [{"id": 7}], **others})


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the gate was told to stay closed; it stays so for a hundredth of that."""
    told: list[float] = []
    throttled, pause = Gate.throttled, Gate.pause

    def shorter_throttled(gate: Gate, entered: float, asked: float | None) -> float:
        if asked is not None:
            told.append(asked)
            return 100 * throttled(gate, entered, asked / 100)
        return throttled(gate, entered, None)

    def shorter_pause(gate: Gate, seconds: float) -> float:
        told.append(seconds)
        return 100 * pause(gate, seconds / 100)

    monkeypatch.setattr(Gate, "throttled", shorter_throttled)
    monkeypatch.setattr(Gate, "pause", shorter_pause)
    return told


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_in_seconds_is_kept(status: int, waits: list[float]) -> None:
    shop = shop_of(first(3, asking(status, "9"), [{"id": 1}]))
    with shop.server:
        outcome = shop.sync()
    assert outcome.code == 0, outcome.log
    assert [r["id"] for m in outcome.messages if (r := m.get("record"))] == [1, 7]
    assert waits == [9, 9, 9]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("zone", [" GMT", "", " +0000"])
def test_a_wait_until_a_date_is_kept(zone: str, status: int, waits: list[float]) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=60)).replace(" +0000", zone)
    shop = shop_of(first(1, asking(status, until), [{"id": 1}]))
    with shop.server:
        outcome = shop.sync()
    assert outcome.code == 0, outcome.log
    assert len(waits) == 1
    assert 30 < waits[0] <= 60


def test_a_real_wait_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.core.health.SECONDS_BETWEEN_LINES", 0.0)
    shop = shop_of(first(1, asking(503, "1"), [{"id": 1}]))
    with shop.server:
        outcome = shop.sync()
    assert outcome.code == 0, outcome.log
    host = shop.server.url.removeprefix("http://")
    assert outcome.logged("INFO", f"{host} answered 503", "not now", "waiting 1 s")


def test_waits_are_told_but_not_each(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_of(first(5, asking(429, "5"), [{"id": 1}]))
    with shop.server:
        silent = shop.sync()
        monkeypatch.setattr("tap_cloudapis.core.health.SECONDS_BETWEEN_LINES", 0.0)
        shop.answers["/boxes"] = first(5, asking(429, "5"), [{"id": 1}])
        told = shop.sync()
    assert len(silent.logged("INFO", "answered 429", ", waiting ")) == 1
    assert len(told.logged("INFO", "answered 429", ", waiting ")) == 5


def test_tries_are_told_while_they_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.core.health.SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(f"{CONNECTION}.FIRST_WAIT", 0.35)
    monkeypatch.setattr(f"{CONNECTION}.MAX_FIRST_TRIES", 4)
    shop = shop_of(asking(500, None))
    with shop.server:
        outcome = shop.sync()
    lines = outcome.logged("INFO", "answered 500", "trying again in")
    assert lines
    assert all(" of 4)" in line for line in lines)


@pytest.mark.parametrize(
    "retry_after",
    ["0", "-5", "soon", "", "1e400", "Wed, 21 Oct 2015 07:28:00", "Thu, 32 Foo 99999", None],
    ids=repr,
)
@pytest.mark.parametrize("times", [1, 3])
def test_no_wait_that_makes_sense_is_the_taps_own(
    times: int, retry_after: str | None, waits: list[float]
) -> None:
    shop = shop_of(first(times, asking(429, retry_after), [{"id": 1}]))
    with shop.server:
        outcome = shop.sync()
        assert outcome.code == 0, outcome.log
        assert len(shop.asked()) == times + 2
    assert waits == []


@pytest.mark.parametrize("retry_after", ["0", "-5", "soon", None], ids=repr)
def test_503_without_a_wait_is_tried_a_few_times_only(retry_after: str | None) -> None:
    shop = shop_of(asking(503, retry_after))
    with shop.server:
        outcome = shop.sync()
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_boxes", "answered 503 (", "(6 tries)")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "wait", ["99999", "9" * 400, "Fri, 31 Dec 2099 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59"]
)
def test_a_wait_beyond_the_patience_ends_the_service_at_once(wait: str, status: int) -> None:
    shop = shop_of(asking(status, wait))
    with shop.server:
        outcome = shop.sync()
        assert len(shop.asked()) <= 2
    assert_gave_up(outcome, status, 900)
    assert outcome.logged("toy_lids", "[not read: ") or not outcome.logged(" rows ")
    if wait == "99999":
        assert outcome.logged("ERROR", "asks for a wait of 99999 s")


def assert_gave_up(outcome: Outcome, status: int, patience: int, *, of_many: bool = False) -> str:
    """Hold a sync to its one error, and answer it; of many requests another may end at the gate."""
    assert outcome.code == 1
    errors = outcome.logged("ERROR")
    assert 1 <= len(errors) <= 1 + of_many, outcome.log
    for error in errors:
        at_gate = of_many and "limits the rate of requests" in error
        assert at_gate or f"answered {status} (" in error
        assert "gave up" in error
        assert f"rate_limit_patience_seconds is {patience}" in error
    return errors[-1]


@pytest.mark.parametrize("wait", ["99999", "9" * 400])
def test_nobody_waits_behind_a_gate_that_stays_closed(wait: str) -> None:
    """Requests that are on their way when another one is asked for too much patience."""
    boxes = [{"id": number} for number in range(40)]
    things: dict[str, Any] = {f"/boxes/{number}/things": [{"id": 1}] for number in range(40)}
    things["/boxes/5/things"] = asking(429, wait)
    shop = Shop(toy_tap(Boxes, Things, Lids), {"/boxes": boxes, "/lids": [{"id": 7}], **things})
    with shop.server:
        outcome = shop.sync()
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "gave up", "rest of Toy Cloud is not read")) == 1
    assert outcome.logged("INFO", "toy_lids", "[not read: ", "gave up")
    assert "toy_boxes" in outcome.schemas
    assert len([m for m in outcome.messages if m.get("stream") == "toy_boxes"]) >= 6


def test_patience_of_less_than_the_wait_ends_at_once(waits: list[float]) -> None:
    shop = shop_of(asking(429, "40"))
    with shop.server:
        outcome = shop.sync(config={"rate_limit_patience_seconds": 39})
        assert len(shop.asked()) == 1
    assert_gave_up(outcome, 429, 39)
    assert waits == [40]


def test_many_are_told_to_wait_at_once(waits: list[float]) -> None:
    """All of a burst are answered 429: the first with a short wait, the others with a long one."""
    told: list[str] = []

    def things(_query: dict[str, str]) -> Reply:
        told.append("2" if not told else "99999")
        return asking(429, told[-1])

    boxes = [{"id": number} for number in range(8)]
    many = {f"/boxes/{number}/things": things for number in range(8)}
    shop = Shop(toy_tap(Boxes, Things), {"/boxes": boxes, **many})
    shop.server.seconds = 0.1
    with shop.server:
        outcome = shop.sync()
        assert len(told) <= 8
    assert waits
    error = assert_gave_up(outcome, 429, 900, of_many=True)
    # Whichever of the burst gives up, it names the long wait, of which the gate knows a hundredth.
    assert re.search(r"wait (of|would be) (99\d{3}|1000|99\d) s", error)


class Clock:
    """Time that passes while somebody waits, and at no other moment; what happens meanwhile.

    It stands for the module `time` and for the event that ends a sync.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.meanwhile: list[Callable[[], object]] = []

    def monotonic(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> None:
        self.now += seconds
        while self.meanwhile:
            self.meanwhile.pop()()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    passing = Clock()
    monkeypatch.setattr("tap_cloudapis.core.throttling.time", passing)
    return passing


def gate(clock: Any, budget: int | None = None) -> Gate:
    return Gate(budget, clock)


def test_waiting_at_the_gate_is_waiting_whoever_was_told_to(clock: Clock) -> None:
    closed = gate(clock)
    closed.throttled(closed.enter(0).moment, 0.2)
    entry = closed.enter(60)
    assert entry.waited == pytest.approx(0.2)
    assert entry.beyond == 0


def test_the_gate_is_left_at_once_where_the_patience_is_too_short(clock: Clock) -> None:
    closed = gate(clock)
    closed.throttled(closed.enter(0).moment, 1000)
    entry = closed.enter(900)
    assert (entry.waited, entry.beyond) == (0, 1000)


def test_patience_ends_at_the_gate_that_is_closed_again(clock: Clock) -> None:
    closed = gate(clock)
    closed.throttled(closed.enter(0).moment, 1)
    clock.meanwhile.append(lambda: closed.pause(900))
    entry = closed.enter(900)
    assert (entry.waited, entry.beyond) == (1, 900)


def test_waits_at_the_gate_add_up(clock: Clock) -> None:
    closed = gate(clock)
    closed.throttled(closed.enter(0).moment, 1)
    clock.meanwhile.append(lambda: closed.pause(2))
    entry = closed.enter(3)
    assert entry.waited == pytest.approx(3)
    assert entry.beyond == 0


def test_a_budget_is_no_waiting(clock: Clock) -> None:
    spent = gate(clock, 1)
    before = spent.enter(0).moment
    entry = spent.enter(0)
    assert entry.moment - before == pytest.approx(BUDGET_WINDOW)
    assert (entry.waited, entry.beyond) == (0, 0)


def test_one_request_gives_up_for_all_that_wait_behind_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Boxes are refused for a while; what waits at the gate meanwhile spends its own patience."""
    monkeypatch.setattr("tap_cloudapis.core.health.SECONDS_BETWEEN_LINES", 0.0)
    boxes = [{"id": number} for number in range(4)]
    things = {f"/boxes/{number}/things": asking(429, "1") for number in range(4)}
    shop = Shop(toy_tap(Boxes, Things), {"/boxes": boxes, **things})
    with shop.server:
        outcome = shop.sync(config={"rate_limit_patience_seconds": 3})
    error = assert_gave_up(outcome, 429, 3, of_many=True)
    assert re.search(r"gave up after waiting [23] s: ", error)


@pytest.fixture
def dropping() -> Iterator[str]:
    """The address of a host that answers no packet: its backlog is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        full = [socket.socket() for _ in range(6)]
        for each in full:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for each in full:
            each.close()


def test_a_host_that_drops_packets_is_tried_three_times(dropping: str) -> None:
    config = {"toy_token": FAKE, "toy_url": dropping, "request_timeout_seconds": 1}
    outcome = sync(config, tap_class=toy_tap(Boxes))
    (error,) = outcome.logged("ERROR")
    assert "no answer from 127.0.0.1" in error
    assert "(no connection in time); check toy_url (3 tries)" in error


def test_lines_about_waiting_keep_their_distance() -> None:
    said: list[str] = []
    health = Health("Toy Cloud", said.append)
    for number in range(5):
        health.say(f"line {number}")
    assert said == ["line 0"]


def test_no_patience_at_all() -> None:
    shop = shop_of(asking(429, None))
    with shop.server:
        outcome = shop.sync(config={"rate_limit_patience_seconds": 0})
    assert_gave_up(outcome, 429, 0)


def test_a_limit_that_never_passes() -> None:
    """The waits of the tap's own are counted as they are: 0.02, 0.04, 0.08 s ..."""
    shop = shop_of(asking(429, "0"))
    with shop.server:
        outcome = shop.sync(config={"rate_limit_patience_seconds": 1})
        assert 3 <= len(shop.asked()) <= 12
    assert_gave_up(outcome, 429, 1)


def test_the_other_service_is_read_whole(still: Simulator) -> None:
    with ScriptedServer(lambda _path, _query: asking(429, "99999")) as server:
        outcome = sync(settings(still, dbt_url=server.url))
    assert outcome.code == 1
    streams = [name for name in still.truth(counts=True)["streams"] if name.startswith("pulumi")]
    assert_true(outcome.latest, still, streams)


def test_a_hint_about_the_host_stands_once_in_a_message() -> None:
    tap = toy_tap(Boxes, url_hint="the default, as toy_url is not set")
    tap.services[0].__dict__["default_url"] = ""
    with ScriptedServer(lambda _path, _query: asking(429, "99999")) as server:
        tap.services[0].__dict__["default_url"] = server.url
        outcome = sync({"toy_token": FAKE}, tap_class=tap)
    error = outcome.logged("ERROR")[0]
    assert error.count("the default, as toy_url is not set") == 1, error
    assert "gave up" in error
