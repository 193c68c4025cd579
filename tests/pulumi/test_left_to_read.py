"""What failed, or had to be left out, is read again until it is given: no mark hides it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pulumi.newest import REFUSED, Org
from tests.pulumi.test_deployments import CHECKS, DEPLOYMENTS, DRIFT, LIST, check, deployment
from tests.scripted_server import Reply

STACKS, SCHEDULES, PREVIEWS = "pulumi_stacks", "pulumi_stack_schedules", "pulumi_stack_previews"
BROKEN = Reply({"code": 400, "message": "bad"}, status=400)


def with_stacks(*names: str, **answers: Any) -> Org:
    stacks = [
        {
            "orgName": "acme",
            "projectName": "web",
            "stackName": n,
            "id": n,
            "lastUpdate": 1_770_000_000,
        }
        for n in names
    ]
    return Org({"user/stacks": {"stacks": stacks}, **answers})


def test_a_list_of_which_a_row_was_left_out_is_read_again() -> None:
    path = "stacks/acme/web/prod/deployments/schedules"
    acme = with_stacks("prod", "dev")
    acme.answers[path] = {"schedules": [{"id": None, "kind": "deployment"}]}
    acme.answers[path.replace("prod", "dev")] = {"schedules": []}
    select = (STACKS, SCHEDULES)
    acme.sync(*select, code=1)
    acme.sync(*select, code=1)
    assert [p for p in acme.paths() if p.endswith("schedules")] == [path]
    acme.answers[path] = {"schedules": [{"id": "one", "kind": "deployment"}]}
    acme.sync(*select)
    assert acme.column(SCHEDULES, "id") == ["one"]
    acme.sync(*select)
    assert path not in acme.paths()


def test_checks_that_could_not_be_read_are_read_the_next_time() -> None:
    rows = [deployment(1, pulumiOperation="detect-drift")]
    acme = Org({LIST: ("deployments", rows), CHECKS: BROKEN})
    acme.sync(DEPLOYMENTS, DRIFT, code=1)
    rows.insert(0, deployment(2))
    acme.sync(DEPLOYMENTS, DRIFT, code=1)
    acme.sync(DEPLOYMENTS, DRIFT, code=1)
    acme.answers[CHECKS] = ("driftRuns", [check(1)])
    acme.sync(DEPLOYMENTS, DRIFT)
    assert acme.column(DRIFT, "id") == ["r1"]
    acme.sync(DEPLOYMENTS, DRIFT)
    assert CHECKS not in acme.paths()


def test_a_stack_whose_checks_are_refused_among_others_is_asked_no_more() -> None:
    rows = [
        deployment(2, pulumiOperation="detect-drift", stackName="other"),
        deployment(1, pulumiOperation="detect-drift"),
    ]
    acme = Org({LIST: ("deployments", rows), CHECKS: REFUSED})
    acme.answers[CHECKS.replace("prod", "other")] = ("driftRuns", [check(2)])
    acme.sync(DEPLOYMENTS, DRIFT)
    assert acme.column(DRIFT, "id") == ["r2"]
    rows.insert(0, deployment(3))
    acme.sync(DEPLOYMENTS, DRIFT)
    assert CHECKS not in acme.paths()


@pytest.mark.parametrize("again", [True, False])
def test_an_open_check_of_a_stack_that_moved_is_read_to_its_end(*, again: bool) -> None:
    """Or it is gone with the stack, though another one has its names."""
    rows, checks = [deployment(1, pulumiOperation="detect-drift")], [check(1, "running")]
    acme = with_stacks("prod")
    acme.answers |= {LIST: ("deployments", rows), CHECKS: ("driftRuns", checks)}
    acme.sync(DEPLOYMENTS, DRIFT)
    rows.insert(0, deployment(2))
    acme.sync(DEPLOYMENTS, DRIFT)
    assert acme.column(DRIFT, "status") == ["running"]
    listed = acme.answers["user/stacks"]["stacks"]
    if again:
        listed[0]["id"] = "another"
        acme.sync(DEPLOYMENTS, DRIFT)
        assert acme.column(DRIFT, "id") == []
        assert acme.outcome.says("the stack is gone")
        return
    listed[0]["stackName"] = "main"
    del acme.answers[CHECKS]
    moved = CHECKS.replace("prod", "main")
    acme.answers[moved] = ("driftRuns", [check(1, "failed"), check(0)])
    acme.sync(DEPLOYMENTS, DRIFT)
    found = {row["id"]: (row["stack_name"], row["status"]) for row in acme.outcome.records(DRIFT)}
    assert found["r1"] == ("prod", "failed")
    acme.sync(DEPLOYMENTS, DRIFT)
    assert moved not in acme.paths()


def test_what_is_refused_last_is_asked_for_once_more() -> None:
    """The token may have lost its rights while stacks were read."""
    acme = with_stacks("a", "b", "c")
    paths = {n: f"stacks/acme/web/{n}/upstreamreferences" for n in "abc"}
    given = {"referencedStacks": [{"organization": "acme", "routingProject": "w", "name": "x"}]}
    acme.answers |= {paths["a"]: given, paths["b"]: REFUSED, paths["c"]: REFUSED}
    select = (STACKS, "pulumi_stack_references")
    acme.sync(*select)
    acme.sync(*select)
    assert {path for path in acme.paths() if path in paths.values()} == {paths["b"], paths["c"]}
    acme.answers |= {paths["b"]: given, paths["c"]: given}
    acme.sync(*select)
    assert sorted(acme.column("pulumi_stack_references", "stack_name")) == ["b", "c"]
    acme.sync(*select)
    assert not {*acme.paths()} & {*paths.values()}
