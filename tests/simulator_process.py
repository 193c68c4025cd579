"""A simulator of both APIs as a real process, for tests."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from typing import Self

END_OF_HISTORY = "2026-07-01T00:00:00Z"
SECRET_MARKER = "sIm-SeCrEt"  # noqa: S105 - marks planted values, is none


class Simulator:
    """Starts `cloudapis-simulator serve` with the given options; a context manager.

    Options are the command's, with underscores: `Simulator(now=END_OF_HISTORY, dbt_runs=250,
    forbid=["dbt_jobs"], ignore_keyset=True)`. A list repeats an option, True sets a flag.
    """

    program: tuple[str, ...] = (sys.executable, "-m", "cloudapis_simulator")

    def __init__(self, **options: Any) -> None:
        self._process = subprocess.Popen(
            [*self.program, "serve", "--exit-with-parent", *_arguments(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            message = f"the simulator did not start (status {self._process.returncode})"
            raise RuntimeError(message)
        greeting: dict[str, Any] = json.loads(line)
        self.pid = self._process.pid
        self.dbt_url: str = greeting["dbt_url"]
        self.pulumi_url: str = greeting["pulumi_url"]
        self.door_url: str = greeting["door_url"]
        self.dbt_token: str = greeting["dbt_token"]
        self.pulumi_token: str = greeting["pulumi_token"]
        self.seed: int = greeting["seed"]
        self.now: str = greeting["now"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """End the process and return its exit status."""
        if self._process.poll() is None:
            self._process.terminate()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return self._process.wait(timeout=20)

    def truth(
        self,
        stream: str | None = None,
        *,
        counts: bool = False,
        details: bool = False,
        whole: bool = False,
    ) -> dict[str, Any]:
        """Return what is true now: of one stream its entry, else the whole answer.

        Args:
            stream: Only this stream.
            counts: Whether to leave out the rows.
            details: Whether the rows have what only the detail of a thing tells.
            whole: Whether the answer comes whole for one stream, too.
        """
        query = {name: 1 for name, on in (("counts", counts), ("details", details)) if on}
        answer = self._door(
            "GET", f"truth?{urlencode({**query, 'stream': stream or ()}, doseq=True)}"
        )
        return answer["streams"][stream] if stream and not whole else answer

    def truths(self, *streams: str, counts: bool = False) -> dict[str, dict[str, Any]]:
        """Return what is true now of some streams, by name."""
        query = urlencode({"stream": streams, **({"counts": 1} if counts else {})}, doseq=True)
        return self._door("GET", f"truth?{query}")["streams"]  # type: ignore[no-any-return]

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """Return the true rows of a stream."""
        return self.truth(stream)["rows"]  # type: ignore[no-any-return]

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests answered so far, newest last.

        Each has service, method, path, query (a dict), status, fault, template and stream.
        """
        return self._door("GET", "requests")["requests"]  # type: ignore[no-any-return]

    def request_counts(self) -> dict[str, int]:
        """Return how many requests have been answered, by path template."""
        return self._door("GET", "requests")["counts"]  # type: ignore[no-any-return]

    def clear_requests(self) -> None:
        """Forget the requests answered so far."""
        self._door("DELETE", "requests")

    def advance(self, seconds: float, **when: Any) -> str:
        """Move the clock and return its time.

        With `after_requests=k` (and `path=regex`) it moves once k requests have been answered.
        """
        now = self._door("POST", "clock", {"advance_seconds": seconds, **when})["now"]
        return str(now)

    def move_to(self, now: str) -> str:
        """Move the clock forward to `now` and return its time."""
        return str(self._door("POST", "clock", {"now": now})["now"])

    def move_stack(self, old: str, new: str) -> None:
        """Rename or transfer a stack; both names are `org/project/stack`."""
        self._door("POST", "stacks", {"from": old, "to": new})

    def make_stack(self, name: str, updates: int = 1) -> None:
        """Make the stack `org/project/stack` with so many updates; more come with time."""
        self._door("POST", "stacks", {"make": name, "updates": updates})

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change how the services answer, and return all settings."""
        return self._door("POST", "settings", changes)

    def faults(self, faults: list[dict[str, Any]]) -> None:
        """Spoil coming requests: `[{"path": regex, "status": 500|"cut"|..., "times": n}]`."""
        self._door("POST", "faults", faults)

    def clear_faults(self) -> None:
        """Forget the faults that have not struck yet."""
        self._door("DELETE", "faults")

    def _door(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.door_url}/{path}"
        request = urllib.request.Request(url, data, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
        return answer


class StandingSimulator(Simulator):
    """One whose clock nobody moves: what is true it is asked once.

    How it answers does not change what is true. Readers must not change the rows.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._told: dict[str, dict[str, Any]] = {}

    def truths(self, *streams: str, counts: bool = False) -> dict[str, dict[str, Any]]:
        """Return what is true of some streams, by name."""
        if counts or not streams:
            return super().truths(*streams, counts=counts)
        if unknown := [stream for stream in streams if stream not in self._told]:
            self._told.update(super().truths(*unknown))
        return {stream: self._told[stream] for stream in streams}

    def _door(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        assert method == "GET" or path not in {"clock", "stacks"}, "the world stands still"
        return super()._door(method, path, body)


def _arguments(options: dict[str, Any]) -> list[str]:
    arguments: list[str] = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            arguments.append(option)
        elif value is not None and value is not False:
            for item in value if isinstance(value, (list, tuple)) else [value]:
                arguments += [option, str(item)]
    return arguments
