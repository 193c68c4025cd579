"""``--check`` as tests see it: what it tells of each stream, and what it asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import KINDS, NAMES, Outcome, command, settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

READABLE, REFUSED, NOT_TRIED, NO_PLAN = "readable", "refused", "not tried", "not in the plan"
#: Requests beyond one per stream and account or organization that a check may take.
SPARE = 10


@dataclass
class Checked:
    """What a check has told.

    Attributes:
        outcome: How the command has ended.
        told: The JSON object that it has written.
    """

    outcome: Outcome
    told: Record

    @property
    def streams(self) -> dict[str, Record]:
        """What is told of each stream, by name."""
        return {each["stream"]: each for each in self.told["streams"]}

    @property
    def verdicts(self) -> dict[str, str]:
        """Whether each stream can be read."""
        return {name: each["verdict"] for name, each in self.streams.items()}

    def others(self, verdict: str = READABLE) -> dict[str, str]:
        """The streams of which something else is told."""
        return {name: told for name, told in self.verdicts.items() if told != verdict}

    @property
    def changes(self) -> list[str]:
        """What to change, in words."""
        return [change["text"] for change in self.told["changes"]]


def check(
    config: Mapping[str, Any],
    folder: Path,
    *arguments: Any,
    tap_class: type[TapCloudAPIs] = TapCloudAPIs,
) -> Checked:
    """Run a check for machines in this process."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    outcome = command("--config", path, "--check=json", *arguments, tap_class=tap_class)
    assert outcome.lines, outcome.log
    return Checked(outcome, json.loads(b"\n".join(outcome.lines)))


def check_simulator(
    simulator: Simulator, service: str, folder: Path, *arguments: Any, **more: Any
) -> Checked:
    """Check a service of a simulator, and hold the number of requests to what is promised."""
    simulator.clear_requests()
    checked = check(settings(simulator, service, **more), folder, *arguments)
    assert_few(simulator, service, checked)
    return checked


def assert_few(simulator: Simulator, service: str, checked: Checked) -> None:
    """No more than one request per stream and owner, and some, retries aside."""
    (told,) = checked.told["services"]
    asked = [request for request in simulator.requests() if request["service"] == service]
    assert told["requests"] == len(asked)
    streams = [name for name in NAMES if name.startswith(f"{service}_")]
    root = next(name for name in streams if KINDS[name].parent_stream_type is None)
    owners = max(1, simulator.truth(root, counts=True)["count"])
    assert len(asked) - told["retries"] <= len(streams) * owners + SPARE
