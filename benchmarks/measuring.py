"""What a process costs and what it writes: single runs, and medians of interleaved ones."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.simulator_process import Simulator

_TIMING = Path(__file__).with_name("timing.py")
_TIME_EXTRACTED = b',"time_extracted":'


@dataclass(frozen=True)
class Command:
    """A command line and what it needs of the environment."""

    arguments: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a run cost.

    Attributes:
        wall: Seconds from start to exit.
        cpu: Seconds of processor time, user and system.
        peak_mb: The most memory resident at once, in megabytes.
        requests: How many requests the simulator answered.
    """

    wall: float
    cpu: float
    peak_mb: float
    requests: int = 0


@dataclass
class Output:
    """What a run wrote.

    Attributes:
        records: RECORD messages.
        size: Bytes of all messages.
        state_size: Bytes of STATE messages.
        state: The last state.
        content: Tells two sets of records apart, whatever their order and time of extraction.
        lines: All lines, where they were to be kept.
    """

    records: int = 0
    size: int = 0
    state_size: int = 0
    state: Any = None
    content: int = 0
    lines: list[bytes] = field(default_factory=list)

    @property
    def state_share(self) -> float:
        """The share of STATE messages in the bytes written."""
        return self.state_size / self.size if self.size else 0.0

    def counts(self) -> Counter[str]:
        """How many records each stream has, from the lines that were kept."""
        messages = map(json.loads, self.lines)
        return Counter(m["stream"] for m in messages if m["type"] == "RECORD")

    def keys(self, stream: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """The keys of the records of a stream, from the lines that were kept."""
        messages = map(json.loads, self.lines)
        records = (
            m["record"] for m in messages if (m["type"], m.get("stream")) == ("RECORD", stream)
        )
        return [tuple(record[name] for name in names) for record in records]

    def read(self, stream: Iterable[bytes], *, keep: bool = False) -> None:
        """Count messages; of all writers, the type stands first in a line.

        Args:
            stream: Lines of Singer messages.
            keep: Whether to keep the lines.
        """
        last_state = b""
        for line in stream:
            self.size += len(line)
            kind = line[:20]
            if b'"RECORD"' in kind:
                self.records += 1
                self.content ^= hash(line.rpartition(_TIME_EXTRACTED)[0] or line)
            elif b'"STATE"' in kind:
                self.state_size += len(line)
                last_state = line
            if keep:
                self.lines.append(line)
        self.state = json.loads(last_state)["value"] if last_state else None


def measure(*commands: Command, stdin: Path | None = None) -> Cost:
    """Run a command, or a pipeline of several, with the output to /dev/null.

    Args:
        commands: The processes; each reads what the one before it writes.
        stdin: A file for the first.

    Returns:
        What it cost: processor time of all processes in sum, memory of the largest.

    Raises:
        RuntimeError: When one fails; with the end of its log.
    """
    return _run(commands, stdin, None)


def measure_and_count(
    simulator: Simulator, command: Command, *, keep: bool = False
) -> tuple[Cost, Output]:
    """Run a command and read its output; its reader takes some processor time of its own.

    Args:
        simulator: Counts the requests.
        command: Writes Singer messages.
        keep: Whether to keep the lines.

    Raises:
        RuntimeError: When it fails; with the end of its log.
    """
    output = Output()
    simulator.clear_requests()
    cost = _run([command], None, output, keep=keep)
    return replace(cost, requests=_answered(simulator)), output


def _answered(simulator: Simulator) -> int:
    return sum(simulator.request_counts().values())


def _run(
    commands: Sequence[Command], stdin: Path | None, output: Output | None, *, keep: bool = False
) -> Cost:
    with TemporaryDirectory() as name:
        folder = Path(name)
        processes = _start(commands, folder, stdin, piped=output is not None)
        if output is not None and (stream := processes[-1].stdout) is not None:
            with stream:
                output.read(stream, keep=keep)
        for index, process in enumerate(processes):
            if process.wait():
                log = (folder / f"{index}.log").read_text(errors="replace")
                raise RuntimeError("\n".join(log.splitlines()[-20:]))
        reports = (folder / f"{index}.json" for index in range(len(processes)))
        costs = [Cost(**json.loads(report.read_bytes())) for report in reports]
    return Cost(
        wall=max(cost.wall for cost in costs),
        cpu=sum(cost.cpu for cost in costs),
        peak_mb=max(cost.peak_mb for cost in costs),
    )


def _start(
    commands: Sequence[Command], folder: Path, stdin: Path | None, *, piped: bool
) -> list[subprocess.Popen[bytes]]:
    """Start a pipeline; process N leaves its cost in N.json and its log in N.log."""
    processes: list[subprocess.Popen[bytes]] = []
    source: IO[bytes] | None = stdin.open("rb") if stdin else None
    for index, command in enumerate(commands):
        reading = piped or index + 1 < len(commands)
        with (folder / f"{index}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-S", "-E", _TIMING, folder / f"{index}.json", *command.arguments],
                stdin=source or subprocess.DEVNULL,
                stdout=subprocess.PIPE if reading else subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **command.env},
            )
        if source is not None:
            source.close()
        source = process.stdout
        processes.append(process)
    return processes


def medians(runs: Iterable[Cost]) -> Cost:
    """Take the median of each figure."""
    columns = [vars(run) for run in runs]
    middle = {name: statistics.median(each[name] for each in columns) for name in columns[0]}
    return Cost(**{**middle, "requests": round(middle["requests"])})


def pairwise(ours: Iterable[Cost], theirs: Iterable[Cost]) -> str:
    """Tell how runs compare with those that ran beside them: the median ratio, least and most."""
    pairs = list(zip(ours, theirs, strict=True))

    def ratio(name: str) -> str:
        found = [getattr(one, name) / getattr(other, name) for one, other in pairs]
        return f"{statistics.median(found):.2f}x ({min(found):.2f} to {max(found):.2f})"

    return f"CPU {ratio('cpu')}, wall {ratio('wall')}, memory {ratio('peak_mb')}"


def in_turn(simulator: Simulator, commands: Sequence[Command], repeat: int) -> list[list[Cost]]:
    """Run several commands in turn, several times: what loads the machine loads them all.

    Args:
        simulator: Counts the requests.
        commands: Each writes to /dev/null.
        repeat: How often each one runs.

    Returns:
        What each run of each command cost.
    """
    runs: list[list[Cost]] = [[] for _ in commands]
    for _ in range(repeat):
        for command, costs in zip(commands, runs, strict=True):
            simulator.clear_requests()
            costs.append(replace(measure(command), requests=_answered(simulator)))
    return runs


def interleaved(simulator: Simulator, commands: Sequence[Command], repeat: int) -> list[Cost]:
    """The medians of each command; see :func:`in_turn`."""
    return [medians(costs) for costs in in_turn(simulator, commands, repeat)]
