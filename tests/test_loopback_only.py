"""Tests of what keeps the tests to loopback: attempts that are refused, wherever they are made."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.core.syncing import run_tap
from tests.loopback_only import sitecustomize as loopback_only
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    Refused = Callable[[], list[str]]

BIN = Path(sys.executable).parent

#: A module that tries both ways and says what came of it.
ATTEMPT = """
import socket, sys
for host in ("foreign.example.com", "192.0.2.1"):
    try:
        address, *_ = socket.getaddrinfo(host, 443)
        socket.socket(address[0]).connect(address[4])
    except OSError as exc:
        print(type(exc).__name__, exc, file=sys.stderr)
"""


def test_this_process_asks_nobody_else(refused: Refused) -> None:
    with pytest.raises(socket.gaierror, match=r"nobody but loopback, and not foreign\.example"):
        socket.create_connection(("foreign.example.com", 443))
    with pytest.raises(ConnectionRefusedError, match=r"and not 192\.0\.2\.1"):
        socket.socket().connect(("192.0.2.1", 443))
    with pytest.raises(ConnectionRefusedError, match="and not 2001:db8::1"):
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"", ("2001:db8::1", 53))
    with pytest.raises(requests.ConnectionError, match="nobody but loopback"):
        requests.get("https://foreign.example.com", timeout=5)
    asked = [line.partition(" ")[0] for line in refused()]
    assert asked == ["foreign.example.com", "192.0.2.1", "2001:db8::1", "foreign.example.com"]
    assert refused() == []


def test_loopback_and_sockets_without_hosts_are_open(tmp_path: Path) -> None:
    with ScriptedServer(lambda _path, _query: {}) as server:
        port = server.url.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost"):
            assert requests.get(f"http://{host}:{port}/", timeout=5).status_code == 200
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as asking:
        path = os.path.relpath(tmp_path / "s")  # the names of such sockets are short
        listening.bind(path)
        listening.listen()
        asking.connect(path)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 9)) == errno.ECONNREFUSED


def test_a_name_that_nobody_can_have_is_refused_and_not_noted(refused: Refused) -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 443)
    assert refused() == []


def test_the_tap_asks_nobody_else(tmp_path: Path, refused: Refused) -> None:
    config = {"dbt_token": "fake", "dbt_url": "foreign.example.com"}
    outcome = run_tap(config=config, folder=tmp_path)
    assert outcome.code == 1
    assert outcome.logged("ERROR", "dbt_url", "foreign.example.com")
    assert {line.partition(" ")[0] for line in refused()} == {"foreign.example.com"}


@pytest.mark.parametrize(
    "program",
    ["tap-cloudapis", "tap-cloudapis-demo", "target-duckdb", "target-dlt", "cloudapis-simulator"],
)
def test_no_program_asks_anybody_else(program: str, tmp_path: Path, refused: Refused) -> None:
    """The attempt is made by a module of the name that the tests' own hides, and imports."""
    (tmp_path / "sitecustomize.py").write_text(ATTEMPT)
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(tmp_path)])
    done = subprocess.run(
        [BIN / program, "--help"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()[:2]] == [
        "gaierror",
        "ConnectionRefusedError",
    ]
    assert [line.partition(" ")[0] for line in refused()] == ["foreign.example.com", "192.0.2.1"]


@pytest.mark.parametrize(
    ("argv", "exempt"),
    [
        (["/bin/pip", "install", "x"], True),
        (["/bin/pip3.11", "install", "x"], True),
        (["/lib/site-packages/pip/__main__.py", "install"], True),
        (["/bin/uv", "sync"], True),
        (["/bin/tap-cloudapis", "pip"], False),
        (["/lib/site-packages/cloudapis_simulator/__main__.py"], False),
        (["/bin/uvicorn"], False),
        ([], False),
    ],
)
def test_only_installers_are_exempt(argv: list[str], *, exempt: bool) -> None:
    assert loopback_only.is_installer(argv) is exempt


@pytest.mark.parametrize(
    ("host", "own"),
    [
        (None, True),
        ("", True),
        ("localhost", True),
        ("tap.localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),  # noqa: S104 - no server is bound
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_what_is_loopback(host: str | None, *, own: bool) -> None:
    assert loopback_only.is_loopback(host) is own
