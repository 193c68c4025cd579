"""Answers without measure: in bytes, in time, in depth. Each ends in one line, the rest is read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.boxes import Lids
from tests.core.syncing import EXECUTABLE, NO_TOKENS, Outcome, sync
from tests.core.toys import TOKEN, Shop, ToyStream, shape, toy_tap
from tests.raw_server import RawServer, http
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("impatient")

MEGABYTE = 1_000_000
ROW = b'[{"id": 1}]'


class Boxes(ToyStream):
    name = "toy_boxes"
    path = "/boxes"
    schema = shape("id", label="string", things={"type": ["array", "null"]})


TAP = toy_tap(Boxes, Lids)


def raw_sync(boxes: Callable[[], Iterable[bytes]], **config: Any) -> tuple[Outcome, int]:
    """Sync with boxes that are answered in pieces, and lids as they should be.

    Returns:
        The outcome, and how often the boxes were asked for.
    """
    with RawServer(lambda path: boxes() if path == "/boxes" else [http(b'[{"id": 7}]')]) as server:
        outcome = sync({"toy_token": TOKEN, "toy_url": server.url, **config}, tap_class=TAP)
    return outcome, server.asked.count("/boxes")


def assert_one_line(outcome: Outcome, *words: str) -> None:
    """One error that says the words, and the other stream as if nothing was."""
    assert outcome.code == 1
    (error,) = outcome.logged("ERROR")
    assert all(word in error for word in ("toy_boxes: ", *words)), error
    assert not outcome.says("Traceback")
    assert [r["id"] for r in outcome.records("toy_lids")] == [7]


def packed_zeros(megabytes: int, wbits: int = 31) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    blanks = b" " * MEGABYTE
    packed = [packer.compress(b"["), *(packer.compress(blanks) for _ in range(megabytes))]
    return b"".join([*packed, packer.compress(b"]"), packer.flush()])


def endless(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    while True:
        yield piece


BOMB = packed_zeros(20)
CHUNK = b"10000\r\n" + b" " * 65536 + b"\r\n"
CHUNKS = b"4\r\n" + ROW[:4] + b"\r\n7\r\n" + ROW[4:] + b"\r\n0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: [http(BOMB, "Content-Encoding: gzip")],
        lambda: [http(packed_zeros(20, 15), "Content-Encoding: deflate")],
        lambda: [http(packed_zeros(20, -15), "Content-Encoding: deflate")],
        lambda: [http(BOMB, "Content-Encoding: x-gzip")],
        lambda: [http(gzip.compress(BOMB), "Content-Encoding: gzip, gzip")],
        lambda: [http(gzip.compress(packed_zeros(1) * 20), "Content-Encoding: gzip, gzip")],
        lambda: [http(packed_zeros(1) * 20, "Content-Encoding: gzip")],
        lambda: stuck(http(b"[", f"Content-Length: {10**9}")),
        lambda: stuck(http(b"[", f"Content-Length: {10**30}")),
        lambda: stuck(http(b"[", f"Content-Length: {10**9}", "Content-Encoding: gzip")),
        lambda: endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
        lambda: [http(b"", "Transfer-Encoding: chunked"), b"FFFFFFFFFFF\r\n", b" " * 2 * MEGABYTE],
        lambda: endless(HEAD + b"\r\n", b" " * 65536),
        lambda: endless(HEAD + b"Content-Length: many\r\n\r\n", b" " * 65536),
        lambda: [http(b" " * 1_100_000)],
    ],
    ids=[
        "gzip",
        "deflate",
        "raw deflate",
        "x-gzip",
        "gzip of gzip",
        "gzip of many gzips",
        "many gzips",
        "announced",
        "announced beyond all measure",
        "announced and packed",
        "chunks without end",
        "an absurd chunk",
        "no end",
        "no length",
        "plain",
    ],
)
def test_an_answer_beyond_its_bytes(answer: Callable[[], Iterable[bytes]]) -> None:
    outcome, asked = raw_sync(answer, max_answer_megabytes=1)
    assert_one_line(outcome, "127.0.0.1", "more than 1 MB (max_answer_megabytes)")
    assert asked == 1


def stuck(beginning: bytes) -> Iterator[bytes]:
    """A beginning, and for long nothing."""
    yield beginning
    yield from sleeping(20)


def sleeping(seconds: int) -> Iterator[bytes]:
    """Nothing, for some seconds."""
    for _ in range(10 * seconds):
        time.sleep(0.1)
        yield b""


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (ROW, []),
        (gzip.compress(ROW), ["Content-Encoding: gzip"]),
        (gzip.compress(ROW), ["Content-Encoding: GZIP"]),
        (gzip.compress(gzip.compress(ROW)), ["Content-Encoding: gzip, gzip"]),
        (gzip.compress(zlib.compress(ROW)), ["Content-Encoding: deflate , gzip"]),
        (gzip.compress(ROW[:4]) + gzip.compress(ROW[4:]), ["Content-Encoding: gzip"]),
        (gzip.compress(ROW + b" " * 900_000), ["Content-Encoding: gzip"]),
        (gzip.compress(ROW) + b"rest", ["Content-Encoding: gzip"]),
        (b" " * 900_000 + ROW + b" " * 1000, []),
        (CHUNKS, ["Transfer-Encoding: chunked"]),
    ],
    ids=[
        "plain",
        "gzip",
        "GZIP",
        "twice",
        "deflate",
        "members",
        "blanks",
        "rest",
        "long",
        "chunks",
    ],
)
def test_an_answer_within_its_bytes(body: bytes, headers: list[str]) -> None:
    outcome, asked = raw_sync(lambda: [http(body, *headers)], max_answer_megabytes=1)
    assert outcome.code == 0, outcome.log
    assert [r["id"] for r in outcome.records("toy_boxes")] == [1]
    assert asked == 1


def test_an_answer_packed_too_often() -> None:
    codings = "Content-Encoding: " + ", ".join(["gzip"] * 50)
    outcome, _ = raw_sync(lambda: [http(gzip.compress(ROW), codings)])
    assert_one_line(outcome, "cannot be unpacked")


@pytest.mark.parametrize("status", ["403 Forbidden", "418 Teapot"])
def test_an_error_page_without_end(status: str) -> None:
    head = f"HTTP/1.1 {status}\r\n\r\nno boxes for you ".encode()
    outcome, _ = raw_sync(lambda: endless(head, b"x" * 65536), on_forbidden="fail")
    assert_one_line(outcome, "no boxes for you", "xxx")


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)
"""


def test_two_lists_that_unpack_to_400_megabytes_each(tmp_path: Path) -> None:
    """The memory of a real process."""
    bomb = packed_zeros(400)
    envelope = {"status": {"is_success": True}, "extra": {"pagination": {}}}

    def answer(path: str, _query: dict[str, str]) -> Any:
        if path.endswith("/jobs/"):
            return Reply(bomb, headers={"Content-Encoding": "gzip"})
        rows = [{"id": 1, "name": "Acme"}] if path == "/api/v3/accounts/" else []
        return {**envelope, "data": rows}

    with ScriptedServer(answer) as server:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"dbt_token": TOKEN, "dbt_url": server.url}))
        # A process that is started by a large one is said to have been as large.
        measured = [sys.executable, "-c", MEASURE, str(EXECUTABLE), "--config", str(path)]
        done = subprocess.run(measured, capture_output=True, text=True, env=NO_TOKENS, check=False)
    code, size = map(int, done.stdout.split())
    assert code == 1
    assert size < 300 * 1024**2
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert len({line.partition("dbt_jobs: ")[2] for line in errors}) == 1
    assert "dbt_jobs: account 1: " in errors[0]
    assert "more than 64 MB (max_answer_megabytes)" in errors[0]


# Time


def drip(head: bytes, piece: bytes = b" ") -> Iterator[bytes]:
    """A piece every twentieth of a second: none is too late, but there is no end."""
    yield head
    for _ in range(400):
        time.sleep(0.05)
        yield piece


def moving(path: str) -> Iterator[bytes]:
    """A redirect to the next path, after most of the time that an answer has."""
    time.sleep(0.4)
    number = int(path.rpartition("-")[2] or 0) if "-" in path else 0
    yield http(b"", f"Location: /boxes-{number + 1}", status="302 Found")


@pytest.mark.parametrize(
    "answer",
    [
        lambda: drip(HEAD + b"Content-Length: 1000\r\n\r\n"),
        lambda: drip(HEAD + b"\r\n"),
        lambda: drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        lambda: drip(HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"")),
        lambda: drip(b"", b"H"),
        lambda: drip(HEAD, b"X"),
        lambda: drip(HEAD, b"X: y\r\n"),
        lambda: drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        lambda: drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        lambda: drip(b"HTTP/1.1 500 Oh\r\n\r\n"),
        lambda: sleeping(20),
    ],
    ids=[
        "body",
        "body to the end",
        "chunks",
        "empty gzips",
        "status",
        "one header",
        "headers",
        "continue",
        "trailers",
        "error",
        "silence",
    ],
)
def test_an_answer_beyond_its_time(answer: Callable[[], Iterable[bytes]]) -> None:
    outcome, asked = raw_sync(answer, request_time_limit_seconds=1, request_timeout_seconds=60)
    assert_one_line(outcome, "127.0.0.1", "took more than 1 s", "(request_time_limit_seconds)")
    assert asked == 1


def test_redirects_have_one_time_together() -> None:
    with RawServer(lambda path: moving(path) if "boxes" in path else [http(b'[{"id":7}]')]) as host:
        config = {"toy_token": TOKEN, "toy_url": host.url, "request_time_limit_seconds": 1}
        outcome = sync(config, tap_class=TAP)
    assert_one_line(outcome, "took more than 1 s")
    assert host.asked.count("/boxes") == 1


def test_a_part_that_is_late_is_asked_for_again() -> None:
    left = [2]

    def answer() -> Iterator[bytes]:
        left[0] -= 1
        return sleeping(3) if left[0] >= 0 else iter([http(ROW)])

    outcome, asked = raw_sync(answer, request_timeout_seconds=1)
    assert outcome.code == 0, outcome.log
    assert asked == 3


def test_waiting_for_a_limit_takes_no_time_of_the_request() -> None:
    replies = [Reply(b"{}", 429, {"Retry-After": "2"}), [{"id": 1}]]
    shop = Shop(TAP, {"/boxes": lambda _query: replies.pop(0), "/lids": [{"id": 7}]})
    with shop.server:
        outcome = shop.sync(config={"request_time_limit_seconds": 1})
    assert outcome.code == 0, outcome.log


def test_three_lists_that_take_too_long_are_enough() -> None:
    """A stream does not wait for the time limit a thousand times."""

    class Things(ToyStream):
        name = "toy_things"
        path = "/boxes/{boxes_id}/things"
        schema = shape("id", boxes_id="integer")
        primary_keys = ("boxes_id", "id")
        context_columns = {"boxes_id": "boxes_id"}  # noqa: RUF012 - as the base class has it
        parent_stream_type = Boxes

    boxes = [{"id": number} for number in range(30)]

    def answer(path: str) -> Iterable[bytes]:
        if path.endswith("things"):
            return drip(HEAD + b"\r\n")
        return [http(json.dumps(boxes if path == "/boxes" else [{"id": 7}]).encode())]

    with RawServer(answer) as server:
        config = {"toy_token": TOKEN, "toy_url": server.url, "request_time_limit_seconds": 1}
        outcome = sync({**config, "concurrency": 2}, tap_class=toy_tap(Boxes, Things, Lids))
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_things", "3 lists in a row failed")
    assert len(outcome.records("toy_boxes")) == 30
    assert outcome.records("toy_lids")


# Depth


def nested(depth: int, opening: bytes = b'{"a":', closing: bytes = b"}") -> bytes:
    return opening * depth + b"1" + closing * depth


@pytest.mark.parametrize("depth", [400, 700, 980, 990, 100_000])
@pytest.mark.parametrize("column", [b"label", b"things", b"undeclared"])
@pytest.mark.parametrize("pair", [(b'{"a":', b"}"), (b"[", b"]")], ids=["objects", "lists"])
def test_a_row_that_is_nested_too_deep(
    depth: int, column: bytes, pair: tuple[bytes, bytes]
) -> None:
    row = b'{"id":2,"' + column + b'":' + nested(depth, *pair) + b"}"
    body = b'[{"id":1},' + row + b',{"id":3}]'
    outcome, asked = raw_sync(lambda: [http(body)])
    assert asked == 1
    # Every line is whole, and only what can be walked through comes.
    ids = {
        m["record"]["id"]
        for m in outcome.messages
        if m.get("stream") == "toy_boxes" and m["type"] == "RECORD"
    }
    assert not outcome.says("Traceback")
    if depth == 400:
        assert outcome.code == 0
    if depth >= 3000:
        assert outcome.code == 1
    if outcome.code == 0:
        assert ids == {1, 2, 3}
        return
    assert_one_line(outcome, "nested too deep")
    if depth < 900 and column != b"label":
        assert ids == {1, 3}


@pytest.mark.parametrize("depth", [500, 5000, 60_000])
@pytest.mark.parametrize("service", ["dbt", "pulumi"])
def test_a_reason_that_is_nested_too_deep(service: str, depth: int) -> None:
    reply = Reply(nested(depth, b"[", b"]"), status=403)
    with ScriptedServer(lambda _path, _query: reply) as server:
        config = {f"{service}_token": TOKEN, f"{service}_url": server.url, "on_forbidden": "fail"}
        outcome = sync(config)
    assert outcome.code == 1
    assert outcome.logged("ERROR", "answered 403")
    assert not outcome.says("Traceback")
    assert not outcome.says("unexpected")
