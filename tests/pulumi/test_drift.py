"""Checks for drift where deployments do not tell of them: stack by stack, when it has its turn."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import assert_true, settings, sync
from tests.pulumi.newest import NOT_THERE, REFUSED, Org
from tests.pulumi.test_deployments import (
    CHECKS,
    DEPLOYMENTS,
    DRIFT,
    LIST,
    check,
    deployment,
    history,
    org,
)
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

STACKS, DETAILS = "pulumi_stacks", "pulumi_stack_details"
NO_ROUTE = Reply(b"404 page not found\n", status=404, headers={"Content-Type": "text/plain"})
DAY = 20_000


def of_stack(name: str) -> str:
    return f"stacks/acme/web/{name}/drift/runs"


def stack(name: str, last: int = 1_770_000_000) -> Record:
    names = {"orgName": "acme", "projectName": "web", "stackName": name, "id": f"id-{name}"}
    return {**names, "lastUpdate": last}


class Days:
    """Syncs day by day of stacks whose deployments cannot be read."""

    def __init__(self, count: int, patch: pytest.MonkeyPatch, refusal: Reply = REFUSED) -> None:
        self.stacks = [stack(f"s{n}") for n in range(count)]
        self.acme = Org({LIST: refusal})
        self.acme.answers["user/stacks"] = lambda _query: {"stacks": self.stacks}
        for n in range(count):
            self.acme.answers[of_stack(f"s{n}")] = ("driftRuns", [check(n)])
        self.day, self._patch = DAY, patch

    def sync(self, *select: str, days: int = 0, **more: Any) -> list[str]:
        """Sync; give the stacks that were asked for their checks, by name."""
        self.day += days
        self._patch.setattr("tap_cloudapis.core.ledger.day_of", lambda _: self.day)
        self.acme.sync(*(select or (STACKS, DRIFT)), **more)
        paths = [path.split("/") for path in self.acme.paths() if path.endswith("drift/runs")]
        return sorted(path[3] for path in paths)


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


@pytest.mark.parametrize("refusal", [REFUSED, NOT_THERE, NO_ROUTE], ids=["403", "404", "route"])
@pytest.mark.parametrize("select", [(STACKS, DRIFT), (DRIFT,), (DEPLOYMENTS, DETAILS, DRIFT)])
def test_each_stack_is_asked_at_first(
    refusal: Reply, select: tuple[str, ...], patch: pytest.MonkeyPatch
) -> None:
    days = Days(5, patch, refusal)
    for n in range(5):
        days.acme.answers[f"stacks/acme/web/s{n}"] = {"stackName": f"s{n}"}
    assert days.sync(*select) == ["s0", "s1", "s2", "s3", "s4"]
    assert {key[3:] for key in days.acme.rows[DRIFT]} == {(f"id-s{n}", f"r{n}") for n in range(5)}
    assert days.acme.paths().count(LIST) == 1
    (warning,) = days.acme.outcome.logged("WARNING", f"{DEPLOYMENTS}: ")
    assert DRIFT not in warning
    assert days.sync(*select) == []


def test_then_what_has_changed_and_what_has_its_turn(patch: pytest.MonkeyPatch) -> None:
    days = Days(8, patch)
    days.sync(pulumi_refresh_days=4)
    days.stacks[2]["lastUpdate"] += 60
    days.acme.answers[of_stack("s2")] = ("driftRuns", [check(20), check(2)])
    assert days.sync(pulumi_refresh_days=4) == ["s2"]
    assert days.acme.column(DRIFT, "id") == ["r20", "r2"]
    asked = [days.sync(days=1, pulumi_refresh_days=4) for _ in range(4)]
    assert sorted(chain.from_iterable(asked)) == [f"s{n}" for n in range(8)]
    assert len(asked[0]) < 8


def test_an_open_check_is_followed_every_time(patch: pytest.MonkeyPatch) -> None:
    days = Days(3, patch)
    checks = [check(1, "running")]
    days.acme.answers[of_stack("s1")] = ("driftRuns", checks)
    assert len(days.sync()) == 3
    assert days.sync(days=1)[:1] == ["s1"] or "s1" in days.sync()
    for _ in range(3):
        assert days.sync() == ["s1"]
    checks[0] = check(1, "failed")
    assert days.sync() == ["s1"]
    assert days.acme.rows[DRIFT]["acme", "web", "s1", "id-s1", "r1"]["status"] == "failed"
    assert days.sync() == []


def test_a_stack_that_fails_is_asked_again(patch: pytest.MonkeyPatch) -> None:
    days = Days(3, patch)
    good = days.acme.answers[of_stack("s1")]
    days.acme.answers[of_stack("s1")] = Reply({"code": 418}, status=418)
    assert len(days.sync(code=1)) == 3
    days.acme.answers[of_stack("s1")] = good
    assert days.sync() == ["s1"]
    assert len(days.acme.rows[DRIFT]) == 3
    assert days.sync() == []


def test_one_that_is_gone_is_skipped_alone(patch: pytest.MonkeyPatch) -> None:
    days = Days(4, patch)
    days.acme.answers[of_stack("s1")] = NOT_THERE
    assert len(days.sync()) == 4
    assert len(days.acme.rows[DRIFT]) == 3
    assert days.sync() == []


@pytest.mark.parametrize(("is_on", "most"), [(True, 3), (False, 1)])
def test_a_plan_without_drift_is_asked_a_few_times(
    is_on: bool, most: int, patch: pytest.MonkeyPatch
) -> None:
    days = Days(60, patch)
    days.acme.features = {"driftDetectionEnabled": is_on}
    for n in range(60):
        days.acme.answers[of_stack(f"s{n}")] = REFUSED
    assert most <= len(days.sync(concurrency=1)) <= most + 4
    (warning,) = days.acme.outcome.logged("WARNING", f"{DRIFT}: ")
    assert "organization acme: " in warning
    assert ("driftDetectionEnabled is off" in warning) is not is_on
    for n in range(60):
        days.acme.answers[of_stack(f"s{n}")] = ("driftRuns", [check(n)])
    assert len(days.sync()) == 60
    assert len(days.acme.rows[DRIFT]) == 60
    assert days.sync() == []


def test_deployments_that_are_given_lead_to_the_checks_again(patch: pytest.MonkeyPatch) -> None:
    days = Days(3, patch)
    days.sync(STACKS, DEPLOYMENTS, DRIFT)
    rows = [deployment(9, pulumiOperation="detect-drift", stackName="s0")]
    days.acme.answers[LIST] = ("deployments", rows)
    days.stacks[1]["lastUpdate"] += 60
    assert days.sync(STACKS, DEPLOYMENTS, DRIFT, days=7) == ["s0"]


def test_one_organization_s_refusal_is_nothing_to_others(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tap_cloudapis.core.ledger.day_of", lambda _: DAY)
    acme = org(history(3))
    acme.answers["user/stacks"] = lambda query: {
        "stacks": [{**stack("prod"), "orgName": query["organization"]}]
    }
    acme.answers["orgs/labs/deployments"] = REFUSED
    acme.answers["orgs/labs"] = acme.answers["orgs/labs/metadata"] = {"githubLogin": "labs"}
    acme.answers["stacks/labs/web/prod/drift/runs"] = ("driftRuns", [check(1)])
    acme.sync(STACKS, DRIFT, pulumi_organizations=["acme", "labs"])
    assert [key[0] for key in acme.rows[DRIFT]] == ["labs"]
    assert CHECKS not in acme.paths()


def test_a_world_that_lives_without_its_deployments(
    moving: Simulator, patch: pytest.MonkeyPatch
) -> None:
    """Every stack has its turn each day, so that nothing is late by more than one."""
    moving.settings(forbid=[DEPLOYMENTS])
    rows: dict[Any, Record] = {}
    state = None
    for day in range(8):
        today = DAY + day
        patch.setattr("tap_cloudapis.core.ledger.day_of", lambda _, today=today: today)
        config = settings(moving, "pulumi", pulumi_refresh_days=1)
        outcome = sync(config, select=[STACKS, DRIFT], state=state)
        assert outcome.code == 0, outcome.log
        state = outcome.state
        rows.update(outcome.latest(DRIFT))
        assert_true(lambda _: rows, moving, [DRIFT], keys_only_grow=True)
        moving.advance(86_400)
