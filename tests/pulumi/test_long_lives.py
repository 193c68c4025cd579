"""What was open when it was read is emitted again when it ends, be that a year and more later."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.pulumi.newest import Org
from tests.pulumi.scripted import Cloud, Stack, Syncs, ended, update
from tests.pulumi.test_deployments import CHECKS, DEPLOYMENTS, DRIFT, LIST, OF_STACK
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from tests.core.syncing import Outcome, Record

YEAR = 366 * 86_400
REQUESTS = "pulumi_change_requests"
NOW = int(time.time())
#: Between two syncs; more than anything is remembered for that has ended.
PAUSES = (60, 2 * 86_400, 200 * 86_400, YEAR, 3 * YEAR)


class Passing:
    """Syncs of an organization while years pass, from the state of the last one.

    Attributes:
        org: What there is.
        passed: How many seconds have passed.
        rows: What a warehouse would hold, by the id.
    """

    def __init__(self, org: Org, stream: str) -> None:
        self.org, self.stream = org, stream
        self.passed = 0
        self.rows: dict[str, Record] = {}
        self._state: Record | None = None

    def sync(self) -> Outcome:
        self.org.asked.clear()
        with ScriptedServer(self.org, clock=self.passed) as server:
            config = {"pulumi_token": FAKE, "pulumi_url": server.url}
            outcome = sync(config, select=[self.stream], state=self._state)
        assert outcome.code == 0, outcome.log
        self._state = outcome.state
        self.rows.update({row["id"]: row for row in outcome.records(self.stream)})
        return outcome


def at(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.000", time.gmtime(NOW + seconds))


def zulu(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW + seconds))


def deployment(name: str, seconds: int, status: str, **more: Any) -> Record:
    names = {"projectName": "web", "stackName": "prod", "pulumiOperation": "detect-drift"}
    return {"id": name, "created": at(seconds), "status": status, **names, **more}


def test_a_deployment() -> None:
    rows = [deployment("slow", -60, "running")]
    org = Org({LIST: ("deployments", rows), OF_STACK: ("deployments", rows)})
    passing = Passing(org, DEPLOYMENTS)
    passing.sync()
    for number, pause in enumerate(PAUSES):
        passing.passed += pause
        rows[:0] = [
            deployment(f"n{number}-{n}", passing.passed - n, "succeeded") for n in range(120)
        ]
        passing.sync()
        assert passing.rows["slow"]["status"] == "running"
    rows[-1] = deployment("slow", -60, "failed")
    passing.passed += YEAR
    passing.sync()
    assert passing.rows["slow"]["status"] == "failed"
    assert OF_STACK in org.paths()
    assert len(passing.rows) == 1 + 120 * len(PAUSES)
    passing.sync()
    assert OF_STACK not in org.paths()


def test_a_check_for_drift() -> None:
    rows = [deployment("d", -60, "succeeded")]
    checks: list[Record] = [{"id": "slow", "created": at(-50), "status": "running"}]
    stacks = {"stacks": [{"orgName": "acme", "projectName": "web", "stackName": "prod"}]}
    org = Org({LIST: ("deployments", rows), CHECKS: ("driftRuns", checks), "user/stacks": stacks})
    passing = Passing(org, DRIFT)
    passing.sync()
    rows.insert(0, {**deployment("other", -40, "succeeded"), "pulumiOperation": "update"})
    for pause in PAUSES:
        passing.passed += pause
        passing.sync()
        assert passing.rows["slow"]["status"] == "running"
    checks[0] = {**checks[0], "status": "succeeded"}
    passing.passed += YEAR
    passing.sync()
    assert passing.rows["slow"]["status"] == "succeeded"


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_change_request(is_listed: bool) -> None:
    slow: Record = {"id": "slow", "createdAt": zulu(-60), "status": "open"}
    listed = [slow]
    org = Org({})
    org.answers["change-requests/acme"] = lambda _query: {"changeRequests": listed}
    org.answers["change-requests/acme/slow"] = lambda _query: slow
    passing = Passing(org, REQUESTS)
    passing.sync()
    for number, pause in enumerate(PAUSES):
        passing.passed += pause
        new = {"id": f"n{number}", "createdAt": zulu(passing.passed), "status": "applied"}
        listed = [new] if not is_listed else [new, slow]
        passing.sync()
        assert passing.rows["slow"]["status"] == "open"
    slow["status"] = "applied"
    passing.passed += YEAR
    passing.sync()
    assert passing.rows["slow"]["status"] == "applied"
    passing.sync()
    assert "change-requests/acme/slow" not in org.paths()


def test_an_update() -> None:
    row = update(1, is_open=True)
    cloud = Cloud([Stack("acme/web/prod", "one", [row])], ["acme"])
    syncs = Syncs(cloud)
    assert len(syncs.sync()) == 1
    for pause in PAUSES:
        cloud.clock += pause
        syncs.sync()
        assert syncs.emitted[-1][3] != "succeeded"
    cloud.stacks[0].updates[0] = ended(row)
    cloud.clock += YEAR
    (last,) = syncs.sync()
    assert last[1:] == (1, last[2], "succeeded")
    assert syncs.sync() == []
