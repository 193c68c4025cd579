"""Each stream forbidden in turn: a check tells which, and of the others that they can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.core.checks import NO_PLAN, NOT_TRIED, REFUSED, check_simulator
from tests.core.syncing import family

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from tests.simulator_process import Simulator


def assert_told(
    simulator: Simulator,
    stream: str,
    folder: Path,
    beside: Mapping[str, Collection[str]],
    without_route: Collection[str],
) -> None:
    """Forbid a stream, and hold the table to that.

    Args:
        simulator: Where everything else can be read.
        stream: The stream.
        folder: Where files are written.
        beside: What cannot be read either, beside what lies below a stream.
        without_route: Streams that have no address of their own, so that nothing is forbidden.
    """
    service = stream.partition("_")[0]
    simulator.settings(forbid=[stream])
    found = check_simulator(simulator, service, folder)
    if stream in without_route:
        assert found.others() == {}
        return
    told = found.streams[stream]
    assert told["why"]
    # In the world of the simulator some switches are off.
    is_off = " is off for this " in told["why"][0]
    assert told["verdict"] == (NO_PLAN if is_off else REFUSED)
    lost = family(stream) | set(beside.get(stream, ()))
    assert found.others().keys() <= lost
    assert set(found.others().values()) <= {told["verdict"], NOT_TRIED}
    assert found.outcome.code == int(any(found.streams[n]["selected"] for n in found.others()))
    if told["selected"]:
        (change,) = [each for each in found.told["changes"] if stream in each["streams"]]
        assert change["text"].startswith(("127.0.0.1:", "answered 40"))
        assert told["permission"] in change["text"]
