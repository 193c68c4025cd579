"""How the tap ends where it cannot go on: in one line, with the code that says so."""

from __future__ import annotations

import array
import fcntl
import json
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.core.syncing import EXECUTABLE, NO_TOKENS, Record, settings

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

pytestmark = pytest.mark.slow

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
PRINTING = [["--discover"], ["--about"], ["--about", "--format=json"], ["--help"], ["--version"]]


def run_shell(redirection: str, *arguments: str) -> tuple[int, str]:
    """Run the executable with its output somewhere; gives the exit code and what was logged."""
    line = f'exec "$@" {redirection}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, "sh", EXECUTABLE, *arguments],
        stderr=subprocess.PIPE,
        env=NO_TOKENS,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.decode()


def config_file(folder: Path, config: Record) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return str(path)


def assert_one_line(ending: tuple[int, str], *words: str) -> None:
    code, log = ending
    assert code == 1, log
    assert "Traceback" not in log
    errors = [line for line in log.splitlines() if "ERROR" in line]
    assert len(errors) == 1, log
    assert all(word in errors[0] for word in words), errors


@needs_full
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_what_is_printed_where_nothing_fits(arguments: list[str]) -> None:
    ending = run_shell("> /dev/full", *arguments)
    assert_one_line(ending, "cannot write to standard output: No space left")


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_what_is_printed_where_no_output_is(arguments: list[str]) -> None:
    assert_one_line(run_shell(">&-", *arguments), "standard output: it is closed")


@needs_full
def test_a_sync_where_nothing_fits(still: Simulator, tmp_path: Path) -> None:
    path = config_file(tmp_path, settings(still))
    ending = run_shell("> /dev/full", "--config", path)
    assert_one_line(ending, "cannot write to standard output: No space left")


def test_a_sync_where_no_output_is(still: Simulator, tmp_path: Path) -> None:
    path = config_file(tmp_path, settings(still))
    assert_one_line(run_shell(">&-", "--config", path), "standard output: it is closed")
    assert still.requests() == []


def test_a_log_that_is_closed_changes_nothing(still: Simulator, tmp_path: Path) -> None:
    path = config_file(tmp_path, settings(still))
    assert run_shell(f"2>&- > {tmp_path / 'out'}", "--config", path)[0] == 0
    lines = (tmp_path / "out").read_text().splitlines()
    assert json.loads(lines[-1])["type"] == "STATE"


@pytest.mark.parametrize("lines", [0, 1, 50])
def test_a_reader_that_goes_away(lines: int, still: Simulator, tmp_path: Path) -> None:
    path = config_file(tmp_path, settings(still))
    tap = subprocess.Popen(
        [EXECUTABLE, "--config", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=NO_TOKENS,
    )
    assert tap.stdout is not None
    assert tap.stderr is not None
    for _ in range(lines):
        tap.stdout.readline()
    tap.stdout.close()
    log = tap.stderr.read().decode()
    assert_one_line((tap.wait(timeout=30), log), "the target closed the pipe")


def unread(*arguments: str) -> subprocess.Popen[bytes]:
    """Start the executable with its output in a pipe that nobody reads; wait until it is full."""
    tap = subprocess.Popen(
        [EXECUTABLE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=NO_TOKENS,
    )
    assert tap.stdout is not None
    before = -1
    while tap.poll() is None and (before != (now := readable(tap.stdout.fileno())) or not now):
        before = now
        time.sleep(0.5)
    return tap


def readable(descriptor: int) -> int:
    """How many bytes wait in a pipe."""
    number = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, number)
    return number[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_nobody_reads(
    number: signal.Signals, still: Simulator, tmp_path: Path
) -> None:
    tap = unread("--config", config_file(tmp_path, settings(still)))
    assert tap.poll() is None, "all of it fits into the pipe"
    tap.send_signal(number)
    assert tap.wait(timeout=30) == 128 + number
    assert tap.stderr is not None
    log = tap.stderr.read().decode()
    assert "Traceback" not in log
    assert f"Ended by signal {number} in the middle" in log


def test_a_reader_that_is_slow_after_a_signal_gets_all_of_it(
    still: Simulator, tmp_path: Path
) -> None:
    tap = unread("--config", config_file(tmp_path, settings(still)))
    tap.send_signal(signal.SIGTERM)
    assert tap.stdout is not None
    lines = tap.stdout.read().splitlines(keepends=True)
    assert tap.wait(timeout=30) == 128 + signal.SIGTERM
    assert all(line.endswith(b"\n") for line in lines)
    assert json.loads(lines[-1])["type"] == "STATE"


#: Runs the command line, with Ctrl-C at a place: when a module is imported or a function called.
INTERRUPTED = """
import os, signal, sys
from importlib import import_module

kind, place, *arguments = sys.argv[1:]

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == place:
            interrupt()

if kind == "import":
    sys.meta_path.insert(0, Finder)
else:
    module, owner, name = place.split(":")
    owner = getattr(import_module(module), owner)
    before = getattr(owner, name)

    def called(*args, **kwargs):
        interrupt()
        return before(*args, **kwargs)

    setattr(owner, name, called)

sys.argv = ["tap-cloudapis", *arguments]
from tap_cloudapis.cli import main
main()
"""


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("import", "singer_sdk"),
        ("import", "requests"),
        ("import", "tap_cloudapis.tap"),
        ("import", "tap_cloudapis.core.throttling"),
        ("call", "click:Command:parse_args"),
        ("call", "singer_sdk:Tap:__init__"),
        ("call", "tap_cloudapis.tap:TapCloudAPIs:load_streams"),
        ("call", "tap_cloudapis.tap:TapCloudAPIs:check_settings"),
        ("call", "tap_cloudapis.plan:Plan:log"),
        ("call", "tap_cloudapis.tap:TapCloudAPIs:sync_all"),
    ],
)
def test_ctrl_c_at_any_time(kind: str, place: str, still: Simulator, tmp_path: Path) -> None:
    path = config_file(tmp_path, settings(still))
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, kind, place, "--config", path],
        capture_output=True,
        env=NO_TOKENS,
        timeout=60,
        check=False,
    )
    log = done.stderr.decode()
    assert done.returncode == 128 + signal.SIGINT, log
    assert "Traceback" not in log
    assert "ERROR" not in log
    assert all(line.endswith(b"\n") for line in done.stdout.splitlines(keepends=True))
