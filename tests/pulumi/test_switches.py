"""Refusals, with what the organization's own switches say of them; and when asking ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.pulumi import PULUMI_CLOUD
from tests.pulumi.lists import Organization, refused
from tests.pulumi.scripted import STACKS
from tests.pulumi.test_stack_streams import GONE, NO, REFERENCES, SETTINGS, Syncs
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from tests.core.syncing import Record

TEAMS, MEMBERS, TOKENS = (
    "pulumi_organization_teams",
    "pulumi_team_members",
    "pulumi_team_tokens",
)
WEBHOOKS = "pulumi_organization_webhooks"
#: The switches that explain refusals, by stream.
SWITCHES = {
    kind.name: kind.facts.switch
    for kind in PULUMI_CLOUD.streams
    if vars(kind).get("facts") and kind.facts.switch
}


def with_switches(organization: Organization, **switches: bool) -> Organization:
    organization.features = switches
    return organization


def test_the_switches_are_those_of_the_streams() -> None:
    assert SWITCHES[TEAMS] == SWITCHES[MEMBERS] == "teamsEnabled"
    assert SWITCHES["pulumi_drift_runs"] == "driftDetectionEnabled"
    assert SWITCHES["pulumi_deployments"] == SWITCHES[SETTINGS] == "deployEnabled"
    assert "pulumi_stacks" not in SWITCHES


@pytest.mark.parametrize("state", [True, False, None])
def test_a_switch_that_is_off_explains_a_refusal(state: bool | None) -> None:
    organization = Organization({"hooks": refused(), "teams": {"teams": []}})
    if state is not None:
        organization = with_switches(organization, webhooksEnabled=state)
    outcome = organization.sync(TEAMS, WEBHOOKS)
    (warning,) = outcome.logged("WARNING", WEBHOOKS, "skipped")
    assert ("webhooksEnabled is off for this organization" in warning) is (state is False)
    assert "organization_webhook:read" in warning
    assert "Essentials and above" in warning


def test_what_is_given_though_its_switch_is_off_is_read() -> None:
    organization = with_switches(Organization({"hooks": [{"name": "h"}]}), webhooksEnabled=False)
    assert len(organization.sync(WEBHOOKS).records(WEBHOOKS)) == 1


def teams(number: int, **answers: Any) -> Organization:
    names = [f"t{n:02}" for n in range(number)]
    lists: dict[str, Any] = {"teams": {"teams": [{"name": name} for name in names]}}
    for name in names:
        lists[f"teams/{name}"] = {"name": name, "members": [{"githubLogin": "ana"}]}
        lists[f"teams/{name}/tokens"] = {"tokens": [{"id": name}]}
    return Organization({**lists, **answers})


@pytest.mark.parametrize(
    ("switches", "most"), [({"teamsEnabled": False}, 1), ({"teamsEnabled": True}, 3), ({}, 3)]
)
@pytest.mark.parametrize("answer", [refused(), refused(404)], ids=["403", "404"])
def test_teams_that_are_refused_alike_are_not_asked_for_on_and_on(
    switches: Record, most: int, answer: Reply
) -> None:
    every = {f"teams/t{n:02}": answer for n in range(40)}
    organization = with_switches(teams(40, **every), **switches)
    outcome = organization.sync(TEAMS, MEMBERS, concurrency=1)
    asked = [path for path in organization.paths if path.startswith("teams/")]
    ahead = 1 + 2  # of one thread, two wait
    assert most <= len(asked) <= most + ahead
    (warning,) = outcome.logged("WARNING", "skipped")
    assert "organization acme" in warning
    assert "its other lists are not asked for" in warning
    assert MEMBERS in warning
    assert outcome.logged("INFO", f"{MEMBERS} ", "skipped")


def test_single_teams_that_are_refused_are_skipped_alone() -> None:
    some = {f"teams/t{n:02}/tokens": refused() for n in (0, 1, 5, 6)}
    outcome = teams(8, **some).sync(TOKENS)
    assert {row["team_name"] for row in outcome.records(TOKENS)} == {"t02", "t03", "t04", "t07"}
    assert not outcome.says("its other lists")
    assert "t06" in outcome.logged("INFO", f"{TOKENS} ")[-1] or outcome.says("and 1 more")


def test_refusals_that_differ_do_not_count_together() -> None:
    answers = [refused(403), refused(403), refused(403, "another"), refused(402)]
    some = {f"teams/t{n:02}/tokens": answer for n, answer in enumerate(answers)}
    outcome = teams(5, **some).sync(TOKENS)
    assert [row["team_name"] for row in outcome.records(TOKENS)] == ["t04"]


def test_asking_ends_in_one_organization_alone() -> None:
    every = {f"teams/t{n:02}/tokens": refused() for n in range(9)}
    acme, labs = teams(9, **every), teams(2)

    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/api/user":
            return {"organizations": [{"githubLogin": "acme"}, {"githubLogin": "labs"}]}
        if "/labs" not in path:
            return acme(path, query)
        found = labs(path.replace("labs", "acme"), query)
        return found if "/teams" in path else {"githubLogin": "labs"}

    outcome = Organization({}, instead=answer).sync(TOKENS)
    assert {row["org_name"] for row in outcome.records(TOKENS)} == {"labs"}
    assert len(outcome.logged("WARNING", "skipped")) == 1


def test_stacks_are_asked_for_once_where_the_switch_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    syncs = Syncs(60, STACKS, SETTINGS, patch=monkeypatch, concurrency=1)
    syncs.cloud.below = {"deployments/settings": NO}
    syncs.cloud.answers["/api/orgs/acme/metadata"] = {"features": {"deployEnabled": False}}
    assert 1 <= len(syncs.sync()) <= 1 + 2
    (warning,) = syncs.outcome.logged("WARNING", "skipped")
    assert "organization acme: " in warning
    assert "deployEnabled is off" in warning
    # Once it is on, all of them are read.
    syncs.cloud.below = {}
    assert len(syncs.sync()) == 60


@pytest.mark.parametrize("answer", [NO, GONE], ids=["403", "404"])
def test_stacks_that_are_refused_alike_are_one_warning(
    monkeypatch: pytest.MonkeyPatch, answer: Reply
) -> None:
    syncs = Syncs(60, STACKS, REFERENCES, patch=monkeypatch, concurrency=1)
    syncs.cloud.below = {"upstreamreferences": answer}
    assert 3 <= len(syncs.sync()) <= 3 + 2
    (warning,) = syncs.outcome.logged("WARNING", "skipped")
    assert "organization acme: " in warning
    assert "stack:read" in warning


def test_refusals_are_told_where_the_list_of_stacks_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    syncs = Syncs(2, REFERENCES, patch=monkeypatch, concurrency=1)
    syncs.cloud.below = {"upstreamreferences": NO}
    rows = syncs.cloud("/api/user/stacks", {"organization": "acme"})["stacks"]
    pages = iter([{"stacks": rows, "continuationToken": "x"}, Reply({"code": 400}, status=400)])
    syncs.cloud.answers["/api/user/stacks?acme"] = lambda: next(pages, Reply({}, status=400))
    syncs.sync(code=1)
    assert syncs.outcome.logged("WARNING", REFERENCES, "stack acme/web/s1: ")


def test_a_refusal_that_is_a_failure_ends_asking_too(monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(60, REFERENCES, patch=monkeypatch, concurrency=1, on_forbidden="fail")
    syncs.cloud.below = {"upstreamreferences": NO}
    assert 3 <= len(syncs.sync(code=1)) <= 3 + 2
    assert syncs.outcome.logged("ERROR", REFERENCES, "its other lists are not asked for")
