"""Answers that are hardly HTTP, and redirects: one line each, and no token to anyone else."""

from __future__ import annotations

import gzip
import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tap_cloudapis.core.connection import MAX_FIRST_TRIES
from tests.core.boxes import Boxes
from tests.core.syncing import Outcome, sync
from tests.core.toys import TOKEN, toy_tap
from tests.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.usefixtures("impatient")

ROW = b'[{"id": 1}]'
GOOD = [http(ROW)]
CHUNKED = http(b"", "Transfer-Encoding: chunked")
HEAD = b"HTTP/1.1 200 OK\r\n"


TAP = toy_tap(Boxes)


def sync_of(server: RawServer, **config: Any) -> Outcome:
    settings = {"toy_token": TOKEN, "toy_url": server.url, "request_timeout_seconds": 1, **config}
    return sync(settings, tap_class=TAP)


def error_of(outcome: Outcome) -> str:
    assert outcome.code == 1
    assert not outcome.says("Traceback")
    assert not outcome.says("unexpected")
    (error,) = outcome.logged("ERROR")
    return error


SPOILED: dict[str, list[bytes]] = {
    "nothing": [],
    "half a status": [b"HTTP/1."],
    "no HTTP": [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "HTTP/0.9": [ROW],
    "a body that is cut": [http(ROW[:5], "Content-Length: 11")],
    "a packed body that is cut": [http(gzip.compress(ROW)[:-12], "Content-Encoding: gzip")],
    "a body that is not packed": [http(ROW, "Content-Encoding: gzip")],
    "a packed body that is spoiled": [
        http(gzip.compress(ROW)[:14] + b"\xff" * 9, "Content-Encoding: gzip")
    ],
    "an unknown packing": [http(b"\x01\x02", "Content-Encoding: compress")],
    "a chunk of size -5": [CHUNKED, b"-5\r\n" + ROW],
    "a chunk of size -1": [CHUNKED, b"-1\r\n" + ROW],
    "a chunk without a size": [CHUNKED, b"\r\n" + ROW],
    "a chunk of no size": [CHUNKED, b"many\r\n" + ROW],
    "a chunk of an endless size": [CHUNKED, b"F" * 100_000],
    "a chunk that is cut": [CHUNKED, b"40\r\n" + ROW],
    "chunks without the last": [CHUNKED, b"4\r\n[{}]\r\n"],
    "a long header": [HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n" + ROW],
    "many headers": [HEAD + b"X: y\r\n" * 200 + b"\r\n" + ROW],
    "a long status": [b"HTTP/1.1 200 " + b"O" * 100_000 + b"\r\n\r\n" + ROW],
    "headers without end": [HEAD + b"X: y\r\n"],
    "another protocol": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", *GOOD],
    "interim answers without end": [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000, *GOOD],
    "an interim answer alone": [b"HTTP/1.1 102 Processing\r\n\r\n"],
}


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints", "199 X"])
def test_an_interim_answer_is_no_answer(status: str) -> None:
    """On connections that are kept, each row comes in the stream that it was asked for."""
    later = [type(name, (Boxes,), {"name": f"toy_{name}", "path": f"/{name}"}) for name in "abcde"]

    def answer(path: str) -> Iterable[bytes]:
        yield f"HTTP/1.1 {status}\r\nLink: </x>\r\n\r\n".encode()
        time.sleep(0.05)
        name = path.rpartition("/")[2].encode()
        body = b'[{"id": %d}]' % (name[0] if len(name) == 1 else 1)
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    with RawServer(answer, keeps=True) as server:
        settings = {"toy_token": TOKEN, "toy_url": server.url, "concurrency": 2}
        outcome = sync(settings, tap_class=toy_tap(Boxes, *later))
    assert outcome.code == 0, outcome.log
    for number, name in [(1, "boxes"), *((ord(name), name) for name in "abcde")]:
        assert [row["id"] for row in outcome.records(f"toy_{name}")] == [number], name
    assert server.connections < len(server.asked)


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_spoiled_answer_is_tried_again_a_few_times(spoiled: str) -> None:
    with RawServer(lambda _path: SPOILED[spoiled]) as server:
        error = error_of(sync_of(server))
    assert "toy_boxes: " in error
    assert "check toy_url" in error
    assert f"({MAX_FIRST_TRIES} tries)" in error
    assert len(server.asked) == MAX_FIRST_TRIES


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_spoiled_answer_and_then_a_good_one(spoiled: str) -> None:
    answers = iter([SPOILED[spoiled], SPOILED[spoiled], GOOD])
    with RawServer(lambda _path: next(answers)) as server:
        outcome = sync_of(server)
    assert outcome.code == 0, outcome.log
    assert [r["id"] for r in outcome.records("toy_boxes")] == [1]


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        ("no HTTP", "its answer is not HTTP"),
        ("HTTP/0.9", "its answer is not HTTP"),
        ("a long header", "its headers are too long"),
        ("many headers", "its headers are too many"),
        ("a body that is not packed", "its answer cannot be unpacked"),
        ("a body that is cut", "the connection was cut"),
        ("a chunk of size -1", "the connection was cut"),
        ("a packed body that is cut", "a body that is cut, which is not JSON"),
    ],
)
def test_what_was_wrong_is_said(spoiled: str, words: str) -> None:
    with RawServer(lambda _path: SPOILED[spoiled]) as server:
        assert words in error_of(sync_of(server))


@pytest.mark.parametrize("length", ["many", "-4", "", "0x0b", "11, 11"])
def test_a_length_that_says_nothing(length: str) -> None:
    with RawServer(lambda _path: [http(ROW, f"Content-Length: {length}")]) as server:
        outcome = sync_of(server)
    assert outcome.code == 0, outcome.log
    assert len(outcome.records("toy_boxes")) == 1


def test_two_lengths() -> None:
    with RawServer(lambda _path: [http(ROW, "Content-Length: 11, 12")]) as server:
        assert "cannot ask 127.0.0.1" in error_of(sync_of(server))


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.sampled_from([HEAD, b"\r\n", CHUNKED, ROW, b"-1\r\n", b"5\r\n", b"0\r\n\r\n", b"\xff"])
        | st.binary(max_size=20),
        max_size=6,
    )
)
def test_any_bytes_at_all(pieces: list[bytes]) -> None:
    """Nothing comes out of it but one line."""
    with RawServer(lambda _path: pieces) as server:
        outcome = sync_of(server)
    if outcome.code:
        error_of(outcome)
    else:
        assert all(type(r["id"]) is int for r in outcome.records("toy_boxes"))


# Redirects


def moved(location: str, status: str = "302 Found", body: bytes = b"") -> list[bytes]:
    return [http(body, f"Location: {location}", status=status)]


@pytest.mark.parametrize(
    "status",
    ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"],
)
@pytest.mark.parametrize("location", ["/there", "there", "{url}/there", "//{host}/there#part"])
def test_a_redirect_within_the_host_is_followed(location: str, status: str) -> None:
    def answer(path: str) -> Iterable[bytes]:
        here = {"url": server.url, "host": server.url.removeprefix("http://")}
        return GOOD if path == "/there" else moved(location.format(**here), status, b"x" * 200_000)

    with RawServer(answer) as server:
        outcome = sync_of(server)
    assert outcome.code == 0, outcome.log
    assert server.asked == ["/boxes", "/there"]
    assert all(TOKEN.encode() in head for head in server.heads)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_token_goes_to_no_other_host(host: str) -> None:
    with RawServer(lambda _path: GOOD) as other:
        elsewhere = other.url.replace("127.0.0.1", host)
        with RawServer(lambda _path: moved(f"{elsewhere}/boxes?a={TOKEN}")) as server:
            error = error_of(sync_of(server))
    assert f"redirects to {elsewhere}, where the token is not sent; check toy_url" in error
    assert other.asked == []


def test_a_page_of_another_host_is_waited_out() -> None:
    answers = iter([moved("https://status.example.com/"), moved("//example.com"), GOOD])
    with RawServer(lambda _path: next(answers)) as server:
        outcome = sync_of(server)
    assert outcome.code == 0, outcome.log
    assert len(outcome.records("toy_boxes")) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://[::bad/",
        "http://[::1",
        "http://h:port/",
        "http://h:99999999/",
        "http://",
        "//",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
        "http://user:secret@example.com/",
        "http://\xff\xfe/",
        "x://\t",
    ],
)
def test_a_redirect_to_nowhere(location: str) -> None:
    with RawServer(lambda _path: moved(location)) as server:
        error = error_of(sync_of(server))
    assert "redirects " in error
    assert "secret" not in error
    assert len(server.asked) <= 6


LOOPS: dict[str, Callable[[str], str]] = {
    "to itself": lambda path: path,
    "to and fro": lambda path: "/fro" if path == "/boxes" else "/boxes",
    "on and on": lambda path: f"{path}s",
    "nowhere": lambda _path: "",
}


@pytest.mark.parametrize("loop", LOOPS)
def test_redirects_without_end(loop: str) -> None:
    with RawServer(lambda path: moved(LOOPS[loop](path))) as server:
        error = error_of(sync_of(server))
    assert "redirects without end" in error
    assert len(server.asked) == 6


def test_a_redirect_with_a_page_without_end() -> None:
    def answer(path: str) -> Iterable[bytes]:
        if path == "/there":
            return GOOD
        head = b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n"
        return itertools.chain([head], itertools.repeat(b"x" * 65536))

    with RawServer(answer) as server:
        outcome = sync_of(server)
    assert outcome.code == 0, outcome.log
