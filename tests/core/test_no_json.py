"""Answers that are no JSON: waited out as a 503 is, with the same tries, pauses and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core.bodies import oddity
from tap_cloudapis.core.connection import MAX_FIRST_TRIES
from tests.core.boxes import Boxes, Lids, Notes, Things
from tests.core.toys import Shop, toy_tap
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from tests.core.syncing import Outcome

pytestmark = pytest.mark.usefixtures("impatient")

CONNECTION = "tap_cloudapis.core.connection"

#: What shows at the ends of a body, and what the decoder alone finds.
ODD = {
    "a web page": b"<!doctype html><title>Back soon</title>",
    "an empty body": b"",
    "blanks": b" \r\n\t " * 100,
    "a text": b"Back soon",
    "cut": b'[{"id": 1}, {"id": 2',
    "cut at a brace": b'[{"id": 1}, {"id": 2}',
    "cut inside": b'[{"id": 1}, {"id": 2, {"id": 3}]',
    "half of a letter": b'[{"id": "\xc3"}]',
    "two values": b"[] []",
    "a word": b"true story",
}
DECODER = ("cut inside", "half of a letter", "two values", "a word")
UNAVAILABLE = Reply({"message": "out of order"}, status=503)


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CONNECTION}.MAX_TRIES", 4)


def shop(spoiled: Any, *, times: int = 10**9, first: bool = False) -> Shop:
    """A shop whose lids are spoiled some times; they are read last, or alone."""
    left = [times]

    def lids(_query: dict[str, str]) -> Any:
        left[0] -= 1
        return spoiled if left[0] >= 0 else [{"id": 7}]

    streams = [Lids] if first else [Boxes, Lids]
    return Shop(toy_tap(*streams), {"/boxes": [{"id": 1}], "/lids": lids})


@pytest.mark.parametrize("body", ODD)
def test_it_is_waited_out(body: str) -> None:
    toys = shop(Reply(ODD[body]), times=3)
    with toys.server:
        outcome = toys.sync()
    assert outcome.code == 0, outcome.log
    assert [r["id"] for r in outcome.records("toy_lids")] == [7]
    assert toys.asked() == ["/boxes", *["/lids"] * 4]


@pytest.mark.parametrize("body", ODD)
def test_it_is_tried_as_often_as_503(body: str) -> None:
    requests, figures = {}, {}
    for name, reply in {"odd": Reply(ODD[body]), "503": UNAVAILABLE}.items():
        toys = shop(reply)
        with toys.server:
            outcome = toys.sync()
        assert outcome.code == 1
        assert outcome.logged("ERROR", "toy_lids: ", "(4 tries)")
        requests[name] = toys.asked()
        figures[name] = outcome.logged("toy_lids ", " row")[0].split()[:7]
    assert requests["odd"] == requests["503"]
    assert figures["odd"] == figures["503"]


@pytest.mark.parametrize("body", ODD)
def test_the_address_is_blamed_only_where_it_never_answered(body: str) -> None:
    toys = shop(Reply(ODD[body]))
    with toys.server:
        (later,) = toys.sync().logged("ERROR")
    toys = shop(Reply(ODD[body]), first=True)
    with toys.server:
        (first,) = toys.sync().logged("ERROR")
    what = {"blanks": "an empty body", "a text": "a text that is not JSON"}.get(body, body)
    what = "a body that is cut" if body.startswith("cut") and body not in DECODER else what
    what = "something" if body in DECODER else what
    assert f"answered {what}, which is not JSON" in later
    assert "check" not in later
    assert f"answered {what}, which is not JSON" in first
    if body in ("a web page", "an empty body", "a text", "a word"):
        assert f"; check toy_url ({MAX_FIRST_TRIES} tries)" in first


def test_pauses_are_told_as_those_of_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.core.health.SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(f"{CONNECTION}.FIRST_WAIT", 0.7)
    monkeypatch.setattr(f"{CONNECTION}.LONGEST_WAIT", 1.3)
    for reply in (Reply(ODD["a web page"]), Reply(ODD["cut inside"]), UNAVAILABLE):
        toys = shop(reply, times=2)
        with toys.server:
            outcome = toys.sync()
        (line,) = outcome.logged("INFO", "trying again in ", "(2 of 4)")
        assert "answered" in line
        assert outcome.code == 0


def crowd(broken: Reply) -> Outcome:
    """A service that is broken once it has given the boxes."""
    boxes = [{"id": number} for number in range(30)]
    toys = Shop(toy_tap(Boxes, Things, Notes, Lids), {"/boxes": boxes, "/lids": broken})
    for number in range(30):
        toys.answers[f"/boxes/{number}/things"] = toys.answers[f"/boxes/{number}/notes"] = broken
    with toys.server:
        outcome = toys.sync(config={"concurrency": 3})
        assert len(toys.asked()) < 40 * 4
    return outcome


@pytest.mark.parametrize("body", ["a web page", "an empty body", *DECODER])
def test_a_service_that_answers_no_json_any_more_is_given_up(body: str) -> None:
    outcome = crowd(Reply(ODD[body]))
    assert outcome.code == 1
    assert outcome.logged("in a row failed, so the rest of Toy Cloud is not read", "not JSON")
    assert len(outcome.logged("ERROR")) <= 6
    assert not outcome.records("toy_lids")


def test_one_list_that_is_no_json_leaves_the_others() -> None:
    boxes = [{"id": number} for number in range(30)]
    toys = Shop(toy_tap(Boxes, Things, Lids), {"/boxes": boxes, "/lids": [{"id": 7}]})
    for number in range(30):
        toys.answers[f"/boxes/{number}/things"] = [{"id": 1}]
    toys.answers["/boxes/4/things"] = toys.answers["/boxes/20/things"] = Reply(b"[{]")
    with toys.server:
        outcome = toys.sync()
    assert outcome.code == 1
    assert len(outcome.logged("ERROR")) == 2
    assert len(outcome.records("toy_things")) == 28
    assert outcome.records("toy_lids")


@pytest.mark.parametrize(
    "body",
    [b"[]", b" {} \n", b'"text"', b"0", b"-1", b"null", b"true", b"\xef\xbb\xbf[]"]
    + ["[]".encode(coding) for coding in ("utf-16", "utf-32", "utf-16-be")]
    + [b" " * 500 + b"[]" + b"\n" * 500],
)
def test_what_may_be_json_is_left_to_the_decoder(body: bytes) -> None:
    assert oddity(body) == ""
