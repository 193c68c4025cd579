"""An organization of Pulumi Cloud with all streams of the default selection: time and requests."""

from __future__ import annotations

import zlib
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Any

from benchmarks.dbt import OURS
from benchmarks.measuring import interleaved, measure_and_count
from benchmarks.peers import CONCURRENCY
from benchmarks.report import Section
from tap_cloudapis.core.newest import LAG, earlier
from tap_cloudapis.pulumi import PULUMI_CLOUD
from tap_cloudapis.pulumi.deployments import OPEN

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.peers import Taps
    from tests.simulator_process import Simulator

_LATENCY = 50
_REFRESH_DAYS = 7
_STEP_SECONDS = 120
_S = "/api/stacks/{org}/{project}/{stack}"
_O = "/api/orgs/{org}"
#: The requests whose number is told by a formula; all others are a handful.
_TEMPLATES = {
    "stacks": "/api/user/stacks",
    "updates": f"{_S}/updates",
    "previews": f"{_S}/updates/{{version}}/previews",
    "details": _S,
    "deployment settings": f"{_S}/deployments/settings",
    "deployment status": f"{_S}/deployments/metadata",
    "schedules": f"{_S}/deployments/schedules",
    "drift runs": f"{_S}/drift/runs",
    "deployments": f"{_O}/deployments",
}
_STREAMS = {
    kind.name for kind in PULUMI_CLOUD.streams if kind.in_catalog and kind.facts.unselected is None
}
#: Streams with marks per stack of their own beside those of updates.
_MARKS = {"pulumi_stack_updates", "pulumi_stack_previews"}
_LIVE = (
    *("pulumi_stack_updates", "pulumi_stack_previews", "pulumi_deployments"),
    "pulumi_stack_deployment_status",
)


def by_default(bench: Bench) -> Section:
    """500 stacks of 20 updates at 50 ms; 10,000 of 5, and the requests of what has changed."""
    section = Section(
        "organization",
        "All streams of Pulumi Cloud that are selected by default, one organization. The ideal is "
        f"the larger of requests x latency / {CONCURRENCY} and CPU. Windows of the audit log are "
        "asked for one after the other, as its documentation wants; they, and the way from the "
        "user to the organization, its stacks, their updates and previews come on top. Of the "
        "10,000 stacks the second sync has some 50 that have changed and a seventh whose turn it "
        "is, the third one what was still open; the formulas are computed from the world.",
    )
    _at_latency(bench, section)
    _as_days_pass(bench, section)
    return section


def _at_latency(bench: Bench, section: Section) -> None:
    stacks = bench.size(500)
    with bench.pulumi(stacks, 20) as (simulator, taps):
        command = taps.pulumi(streams=_STREAMS)
        _, output = measure_and_count(simulator, command)
        simulator.settings(latency_ms=_LATENCY)
        (cost,) = interleaved(simulator, [command], bench.repeat)
        windows = simulator.request_counts().get(f"{_O}/auditlogs/v2", 0)
    ideal = max(cost.requests * _LATENCY / 1000 / CONCURRENCY, cost.cpu)
    chain = windows * _LATENCY / 1000
    result = (
        f"{cost.wall / ideal:.2f}x the ideal {ideal:.1f} s, {(cost.wall - chain) / ideal:.2f}x "
        f"without the {windows} windows of the audit log (aim: 1.3x)"
    )
    section.add(f"{stacks:,} stacks x 20, {_LATENCY} ms", OURS, cost, output, result)


def _as_days_pass(bench: Bench, section: Section) -> None:
    stacks, wanted = bench.size(10_000), bench.size(50)
    with bench.pulumi(stacks, 5) as (simulator, taps):
        known = _Known(simulator)
        cost, output = measure_and_count(simulator, _tap(taps))
        share = f"STATE is {output.state_share:.1%} of the bytes (aim: 5%)"
        section.add(f"{stacks:,} stacks x 5, first sync", OURS, cost, output, share)
        marks = {name: _size(output.state, name) for name in _MARKS | {"pulumi_stacks"}}
        sizes = ", ".join(f"{name} {size / 1000:,.0f} kB" for name, size in sorted(marks.items()))
        section.add("what its last STATE has of stacks", OURS, None, None, sizes)
        while len(known.changes(_stacks(simulator))) < wanted:
            simulator.advance(_STEP_SECONDS)
        now = _Known(simulator)
        for what, before, days in (("second", known, 1), ("third, same day", now, 0)):
            state = _days_ago(output.state, days)
            cost, output = measure_and_count(simulator, _tap(taps, state=state))
            expected = _expected(before, now, days)
            counts = simulator.request_counts()
            found = {name: counts.get(path, 0) for name, path in _TEMPLATES.items()}
            rest = sum(counts.values()) - sum(found.values())
            table = ", ".join(
                f"{name} {number} ({expected[name]})" for name, number in found.items() if number
            )
            total = sum(expected.values()) + rest
            ratio = f"{cost.requests / total:.2f}x the formulas (aim: 1.1x): {table}, others {rest}"
            section.add(f"{stacks:,} stacks x 5, {what}", OURS, cost, output, ratio)


def _tap(taps: Taps, **more: Any) -> Any:
    return taps.pulumi(streams=_STREAMS, pulumi_refresh_days=_REFRESH_DAYS, **more)


def _size(state: Any, stream: str) -> int:
    return len(repr(state["bookmarks"].get(stream, "")))


def _days_ago(state: Any, days: int) -> Any:
    """A state as if its passes had ended so many days ago."""
    for bookmark in state["bookmarks"].values():
        for one in bookmark.get("passes", {}).values():
            one["slot_day"] -= days
    return state


class _Known:
    """What the simulator's world was at a time."""

    def __init__(self, simulator: Simulator) -> None:
        told = simulator.truths(*_LIVE)
        rows = {name: entry["rows"] for name, entry in told.items()}
        self.stacks = _stacks(simulator)
        self.open = {
            row["stack_id"] for row in rows["pulumi_stack_updates"] if row["end_time"] is None
        }
        self.newest: dict[str, int] = {}
        for row in rows["pulumi_stack_updates"]:
            self.newest[row["stack_id"]] = max(row["version"], self.newest.get(row["stack_id"], 0))
        self.previewing = {
            row["stack_id"] for row in rows["pulumi_stack_previews"] if row["end_time"] is None
        }
        self.with_schedules = {
            row["stack_id"]
            for row in rows["pulumi_stack_deployment_status"]
            if row["has_schedules"] is not False
        }
        self.day = int(datetime.fromisoformat(simulator.advance(0)).timestamp() // 86_400)
        self.deployments = {row["id"]: row for row in rows["pulumi_deployments"]}

    def status_of(self, deployment: str) -> str | None:
        """The status of a deployment, if there was one."""
        found = self.deployments.get(deployment)
        return None if found is None else found["status"]

    def changes(self, later: dict[str, Any]) -> set[str]:
        """The stacks whose newest update is another one."""
        return {key for key, moved in later.items() if self.stacks.get(key) != moved}


def _stacks(simulator: Simulator) -> dict[str, Any]:
    """When stacks were updated, by id."""
    return {row["stack_id"]: row["last_update"] for row in simulator.rows("pulumi_stacks")}


def _expected(before: _Known, now: _Known, days: int) -> dict[str, int]:
    """What each kind of request comes to, by the number of stacks that it is about."""
    changed = before.changes(now.stacks)
    # A stack with an open update counts as changed, until it was read behind its end.
    touched = changed | before.open | now.open
    turns = {(now.day - day) % _REFRESH_DAYS for day in range(days)}
    due = {key for key in now.stacks if zlib.crc32(key.encode()) % _REFRESH_DAYS in turns}
    visited = touched | due
    new = sum(now.newest.get(key, 0) - before.newest.get(key, 0) for key in changed)
    # The last minutes before the mark are read again, and so is what was open.
    newest = max((one["created"] for one in before.deployments.values()), default="")
    since = earlier(newest, LAG) if newest else ""
    fresh = [
        one
        for key, one in now.deployments.items()
        if one["created"] >= since or {one["status"], before.status_of(key)} & set(OPEN)
    ]
    checked = {one["stack_id"] for one in fresh if "drift" in str(one["pulumi_operation"])}
    return {
        "stacks": ceil(len(now.stacks) / 500),
        "updates": len(touched),
        "previews": len(visited | before.previewing) + new,
        "details": len(visited),
        "deployment settings": len(visited),
        "deployment status": len(visited),
        "schedules": len(visited & now.with_schedules),
        "drift runs": len(checked),
        "deployments": ceil(len(fresh) / 100) + 1,
    }
