"""All streams of a service by a real process, table by table: true, whole and once."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.core.syncing import (
    EXECUTABLE,
    KEYS,
    NAMES,
    NO_TOKENS,
    Outcome,
    assert_rows,
    catalog_of,
    settings,
)
from tests.simulator_process import SECRET_MARKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

BEFORE_THE_WORLD = "2020-01-01"


def streams_of(service: str) -> list[str]:
    """The names of a service's streams."""
    return [name for name in NAMES if name.startswith(f"{service}_")]


def process(
    config: Record, select: Iterable[str], folder: Path, *, goes_on: bool = False
) -> Outcome:
    """Run the tap on some streams, from the beginning or from the last STATE in the folder.

    Its output stays in a file of the folder.
    """
    files = {"config": config, "catalog": catalog_of(select)}
    if goes_on:
        files["state"] = _last_state(folder)
    arguments = []
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content))
        arguments += [f"--{name}", str(path)]
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        done = subprocess.run(
            [EXECUTABLE, *arguments], stdout=out, stderr=log, env=NO_TOKENS, check=False
        )
    return Outcome(done.returncode, [], (folder / "log").read_text().splitlines())


def _last_state(folder: Path) -> Record:
    last = b""
    with (folder / "out").open("rb") as lines:
        for line in lines:
            if line.startswith(b'{"type":"STATE"'):
                last = line
    state: Record = json.loads(last)["value"]
    return state


def records(folder: Path, stream: str) -> Iterator[Record]:
    """The records of one stream in the file; others are not decoded."""
    beginning = f'{{"type":"RECORD","stream":"{stream}",'.encode()
    with (folder / "out").open("rb") as lines:
        for line in lines:
            if line.startswith(beginning):
                yield json.loads(line)["record"]


def assert_whole(folder: Path, simulator: Simulator, service: str) -> None:
    """Each table is what is true, no row came twice, and no secret came at all."""
    for name in streams_of(service):
        found: dict[tuple[Any, ...], Record] = {}
        for record in records(folder, name):
            key = tuple(record[column] for column in KEYS[name])
            assert key not in found, f"{name} {key} came twice"
            found[key] = record
        rows = {tuple(row[column] for column in KEYS[name]): row for row in simulator.rows(name)}
        assert rows, f"the simulator has no {name}"
        assert_rows(rows, found, name)
    with (folder / "out").open("rb") as lines:
        assert not any(SECRET_MARKER.encode() in line for line in lines)


def assert_everything(simulator: Simulator, service: str, folder: Path) -> Outcome:
    """Read all of a service and compare it."""
    config = settings(simulator, service, start_date=BEFORE_THE_WORLD)
    outcome = process(config, streams_of(service), folder)
    assert outcome.code == 0, outcome.log
    assert not outcome.says(SECRET_MARKER)
    assert_whole(folder, simulator, service)
    return outcome
