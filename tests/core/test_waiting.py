"""Waiting as a service asks: told while it lasts, and not beyond the patience."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.core.syncing import Outcome, assert_true, settings, sync
from tests.core.toys import Shop, ToyStream, shape, toy_tap
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator_process import Simulator

FAKE = "fake-token-for-tests"
CONNECTION = "tap_cloudapis.core.connection"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CONNECTION}.FIRST_WAIT", 0.005)
    monkeypatch.setattr("tap_cloudapis.core.throttling.FIRST_COOL_DOWN", 0.02)


class Boxes(ToyStream):
    name = "toy_boxes"
    path = "/boxes"
    schema = shape("id")
    scope = "the boxes"


class Lids(ToyStream):
    name = "toy_lids"
    path = "/lids"
    schema = shape("id")


class Things(ToyStream):
    name = "toy_things"
    path = "/boxes/{boxes_id}/things"
    schema = shape("id", boxes_id="integer")
    primary_keys = ("boxes_id", "id")
    context_columns: ClassVar[dict[str, str]] = {"boxes_id": "boxes_id"}
    parent_stream_type = Boxes
    scope = "box {boxes_id}"


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
    from tap_cloudapis.core.throttling import Gate  # noqa: PLC0415

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
def test_a_wait_until_a_date_is_kept(status: int, waits: list[float]) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
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


@pytest.mark.parametrize("retry_after", ["0", "-5", "soon", "", None], ids=repr)
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
@pytest.mark.parametrize("wait", ["99999", "Fri, 31 Dec 2099 23:59:59 GMT"])
def test_a_wait_beyond_the_patience_ends_the_service_at_once(wait: str, status: int) -> None:
    shop = shop_of(asking(status, wait))
    with shop.server:
        outcome = shop.sync()
        assert len(shop.asked()) <= 2
    assert_gave_up(outcome, status, 900)
    assert outcome.logged("toy_lids", "[not read: ") or not outcome.logged(" rows ")
    if wait == "99999":
        assert outcome.logged("ERROR", "asks for a wait of 99999 s")


def assert_gave_up(outcome: Outcome, status: int, patience: int) -> None:
    assert outcome.code == 1
    errors = outcome.logged("ERROR")
    assert len(errors) == 1, outcome.log
    assert f"answered {status} (" in errors[0]
    assert "gave up" in errors[0]
    assert f"rate_limit_patience_seconds is {patience}" in errors[0]


def test_nobody_waits_behind_a_gate_that_stays_closed() -> None:
    """Requests that are on their way when another one is asked for too much patience."""
    boxes = [{"id": number} for number in range(40)]
    things: dict[str, Any] = {f"/boxes/{number}/things": [{"id": 1}] for number in range(40)}
    things["/boxes/5/things"] = asking(429, "99999")
    shop = Shop(toy_tap(Boxes, Things, Lids), {"/boxes": boxes, "/lids": [{"id": 7}], **things})
    with shop.server:
        outcome = shop.sync()
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "gave up", "rest of Toy Cloud is not read")) == 1
    assert outcome.logged("INFO", "toy_lids", "[not read: ", "gave up")
    assert "toy_boxes" in outcome.schemas
    assert len([m for m in outcome.messages if m.get("stream") == "toy_boxes"]) >= 6


def test_patience_is_spent_by_waits_that_add_up(waits: list[float]) -> None:
    shop = shop_of(asking(429, "40"))
    with shop.server:
        outcome = shop.sync(config={"rate_limit_patience_seconds": 39})
        assert len(shop.asked()) == 1
    assert_gave_up(outcome, 429, 39)
    assert waits == [40]


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
