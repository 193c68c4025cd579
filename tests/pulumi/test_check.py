"""A check of Pulumi Cloud: each stream forbidden in turn, and what else can be wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.core.checks import NOT_TRIED, REFUSED, check_simulator
from tests.core.everything import streams_of
from tests.core.forbidding import assert_told
from tests.core.syncing import BY_DEFAULT, settings, sync
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from pathlib import Path

STREAMS = streams_of("pulumi")
#: The list of updates, and that of packages, lead to what others are read of.
BESIDE = {
    "pulumi_stack_updates": {
        "pulumi_stack_previews",
        "pulumi_update_timelines",
        "pulumi_update_events",
    },
    "pulumi_organization_teams": {
        "pulumi_team_members",
        "pulumi_team_stack_permissions",
        "pulumi_team_environment_permissions",
        "pulumi_team_account_permissions",
    },
    "pulumi_registry_packages": {"pulumi_package_usage"},
    "pulumi_stacks": {"pulumi_update_timelines", "pulumi_update_events"},
    "pulumi_team_members": {
        "pulumi_team_stack_permissions",
        "pulumi_team_environment_permissions",
        "pulumi_team_account_permissions",
    },
}
#: Rows inside of others.
WITHOUT_ROUTE = {
    "pulumi_deployment_jobs",
    "pulumi_deployment_steps",
    "pulumi_deployment_updates",
    "pulumi_policy_group_accounts",
    "pulumi_policy_group_packs",
    "pulumi_policy_group_stacks",
    "pulumi_stack_tags",
    "pulumi_team_account_permissions",
    "pulumi_team_environment_permissions",
    "pulumi_team_stack_permissions",
    "pulumi_team_members",
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_that_is_forbidden(stream: str, tiny: Simulator, tmp_path: Path) -> None:
    assert_told(tiny, stream, tmp_path, BESIDE, WITHOUT_ROUTE)


def test_everything_can_be_read_of_several_organizations(still: Simulator, tmp_path: Path) -> None:
    found = check_simulator(still, "pulumi", tmp_path)
    assert found.outcome.code == 0
    assert found.others() == {}


def test_what_the_sum_says_is_what_a_sync_asks_for(still: Simulator, tmp_path: Path) -> None:
    """Where a number is exact, a sync sends that many requests; where it is not, no fewer."""
    streams = check_simulator(still, "pulumi", tmp_path).streams
    selected = [name for name in BY_DEFAULT if name.startswith("pulumi_")]
    outcome = sync(settings(still, "pulumi"), select=selected)
    exact = 0
    for name in selected:
        (line,) = outcome.logged("INFO", f"{name} ", " request")
        asked = int(re.search(r"([\d,]+) requests? ", line)[1].replace(",", ""))  # type: ignore[index]
        told = streams[name]["first_sync"]
        if told["bound"] == "exact":
            assert told["number"] == asked, name
            exact += asked > 0
        elif told["bound"] == "at least" and not name.startswith("pulumi_team_"):
            # What a carrier asks for is told of it, and not of the streams that it leads to.
            assert told["number"] <= asked, name
        rows = streams[name]["rows"]
        count = len(outcome.records(name))
        assert rows["number"] <= count, name
        assert rows["number"] == count or rows["bound"] != "exact", name
    assert exact > 20


def test_a_switch_that_is_off(tiny: Simulator, tmp_path: Path) -> None:
    body = '{"features": {"teamsEnabled": false, "deployEnabled": true}}'
    tiny.faults([{"path": "/metadata$", "status": 403, "times": 0, "body": body}])
    tiny.faults([{"path": "/hooks$", "status": 402, "times": 9, "body": '{"message": "upgrade"}'}])
    found = check_simulator(tiny, "pulumi", tmp_path)
    assert found.others() == {"pulumi_organization_webhooks": "not in the plan"}
    assert found.outcome.code == 1
    assert "the plan does not include this" in found.changes[0]


def test_a_server_that_is_too_old(tiny: Simulator, tmp_path: Path) -> None:
    stack = "/api/stacks/{org}/{project}/{stack}"
    missing = ["/api/orgs/{org}/roles", f"{stack}/deployments/settings"]
    tiny.settings(missing=missing)
    found = check_simulator(tiny, "pulumi", tmp_path)
    names = {"pulumi_roles", "pulumi_stack_deployment_settings"}
    assert found.others() == dict.fromkeys(names, "not there")
    assert all("this server has no such route" in text for text in found.changes)


def test_an_organization_without_stacks(tmp_path: Path) -> None:
    with Simulator(now=END_OF_HISTORY, pulumi_orgs=1, pulumi_stacks=0) as simulator:
        found = check_simulator(simulator, "pulumi", tmp_path)
    assert found.outcome.code == 0
    for name in ("pulumi_stack_updates", "pulumi_stack_tags", "pulumi_stack_details"):
        assert found.verdicts[name] == NOT_TRIED
        assert found.streams[name]["why"] == ["no stack"]


def test_a_wrong_token(tiny: Simulator, tmp_path: Path) -> None:
    found = check_simulator(tiny, "pulumi", tmp_path, pulumi_token="pul-wrong")  # noqa: S106
    assert found.outcome.code == 1
    assert found.verdicts.pop("pulumi_organizations") == REFUSED
    assert set(found.others(REFUSED).values()) == {NOT_TRIED}
    assert len(found.changes) == 1


def test_drift_is_found_without_deployments(tiny: Simulator, tmp_path: Path) -> None:
    tiny.settings(forbid=["pulumi_deployments"])
    found = check_simulator(tiny, "pulumi", tmp_path)
    assert found.verdicts["pulumi_drift_runs"] == "readable"
    tiny.settings(forbid=["pulumi_deployments", "pulumi_drift_runs"])
    again = check_simulator(tiny, "pulumi", tmp_path)
    assert again.verdicts["pulumi_drift_runs"] == REFUSED
