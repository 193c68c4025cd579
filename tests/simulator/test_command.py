"""The command: what it prints, how it refuses, how it ends."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import Any

import pytest

from tests.simulator_process import Simulator

COMMAND = [sys.executable, "-m", "cloudapis_simulator"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    whole = [*COMMAND, *arguments]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60)


def start(*arguments: str, **options: Any) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    whole = [*COMMAND, "serve", *arguments]
    process = subprocess.Popen(
        whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def test_greeting() -> None:
    process, greeting = start("--seed", "5", "--now", "2026-05-05T05:05:05Z")
    process.terminate()
    assert process.communicate(timeout=20) == ("", "")
    url = greeting["dbt_url"]
    assert url.startswith("http://127.0.0.1:")
    assert greeting == {
        "dbt_url": url,
        "pulumi_url": url,
        "door_url": f"{url}/_simulator",
        "dbt_token": greeting["dbt_token"],
        "pulumi_token": greeting["pulumi_token"],
        "seed": 5,
        "now": "2026-05-05T05:05:05.000000Z",
    }
    assert "fake" in greeting["dbt_token"]
    assert "fake" in greeting["pulumi_token"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_quietly_even_in_mid_answer(number: signal.Signals) -> None:
    process, greeting = start("--latency-ms", "60000")
    with socket.create_connection(("127.0.0.1", int(greeting["dbt_url"].rpartition(":")[2]))) as s:
        s.sendall(b"GET /api/user HTTP/1.1\r\nhost: x\r\n\r\n")
        time.sleep(0.2)
        process.send_signal(number)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_ends_with_its_parent() -> None:
    process, _ = start("--exit-with-parent", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=20) == 0


def test_ends_when_the_parent_is_killed() -> None:
    holder = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen({[*COMMAND, 'serve', '--exit-with-parent']!r},"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(p.stdout.readline().decode().strip(), p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    line, _, _ = parent.stdout.readline().rpartition(" ")
    url = json.loads(line)["door_url"]
    assert b"now" in urllib.request.urlopen(f"{url}/health", timeout=9).read()  # noqa: S310
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    port = int(url.split(":")[2].partition("/")[0])
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED:
                return
        time.sleep(0.1)
    pytest.fail("the simulator outlived its parent")


def test_port_in_use() -> None:
    with Simulator() as simulator:
        port = simulator.dbt_url.rpartition(":")[2]
        second = run("serve", "--port", port)
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr == (
        f"cloudapis-simulator: cannot listen on port {port}: Address already in use\n"
    )


def test_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from cloudapis_simulator.__main__ import main; main(['serve'])"
    )
    refused = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "cloudapis-simulator: uvicorn is missing: pip install 'tap-cloudapis[demo]'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--now", "2025-12-31"], "before the beginning"),
        (["serve", "--now", "soon"], "soon"),
        (["truth", "--now", "2025-12-31"], "before the beginning"),
        (["serve", "--dbt-runs", "-1"], "dbt_runs must not be negative"),
        (["serve", "--dbt-runs", "many"], "invalid int value"),
        (["serve", "--error-rate", "2"], "error_rate"),
        (["serve", "--forbid", "runs"], "invalid choice"),
        (["truth", "--stream", "runs"], "invalid choice"),
        ([], "required"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str) -> None:
    refused = run(*arguments)
    assert refused.returncode == 2
    assert message in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads memory in /proc")  # noqa: PTH110
def test_large_worlds_are_not_built_in_advance() -> None:
    sizes = {"dbt_runs": 300_000, "dbt_jobs": 900, "pulumi_orgs": 1, "pulumi_stacks": 10_000}
    with Simulator(now="2026-07-01T00:00:00Z", **sizes) as simulator:
        counts = simulator.truths("dbt_runs", "pulumi_stacks", counts=True)
        with open(f"/proc/{simulator.pid}/status") as status:  # noqa: PTH123
            (peak,) = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    assert counts["dbt_runs"]["count"] == 600_000
    assert counts["pulumi_stacks"]["count"] == 10_000
    assert peak < 200_000, "kilobytes"
