"""What Pulumi Cloud refuses: an organization, its pages, some stacks or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.pulumi.scripted import KNOWN, STACKS, UPDATES, Cloud, Stack, update
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from tests.core.syncing import Outcome, Record

SSO = "SAML SSO reauthorization is required."


def refusal(status: int, message: str = "no") -> Reply:
    return Reply({"code": status, "message": message}, status=status)


def two() -> Cloud:
    return Cloud([Stack(f"{org}/web/prod", org, [update(1)]) for org in ("acme", "labs")])


class Closed(Cloud):
    """A cloud in which everything of an organization is answered alike."""

    closed: tuple[str, ...] = ("labs",)
    answer: Any

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        here = any(f"/{name}" in path or query.get("organization") == name for name in self.closed)
        return self.answer if here else super().__call__(path, query)


def closed_with(answer: Reply, *names: str) -> Closed:
    cloud = Closed(two().stacks)
    cloud.answer = answer
    cloud.closed = names or cloud.closed
    return cloud


def read(cloud: Cloud, state: Record | None = None, **more: Any) -> Outcome:
    with ScriptedServer(cloud) as server:
        config = {"pulumi_token": FAKE, "pulumi_url": server.url, **more}
        return sync(config, state=state, select=KNOWN)


def organizations(outcome: Outcome, stream: str = STACKS) -> set[str]:
    return {record["org_name"] for record in outcome.records(stream)}


NAMED: Record = {"pulumi_organizations": ["labs", "acme"]}


@pytest.mark.parametrize("more", [{}, NAMED], ids=["all", "named"])
def test_an_organization_that_wants_a_new_sign_in(more: Record) -> None:
    outcome = read(closed_with(refusal(401, SSO)), **more)
    assert outcome.code == 1
    assert organizations(outcome) == organizations(outcome, UPDATES) == {"acme"}
    (error,) = outcome.logged("ERROR")
    assert "organization labs: 127.0.0.1:" in error
    assert SSO in error
    assert "sign in to this organization with single sign-on" in error
    assert "check the token" not in error


@pytest.mark.parametrize("more", [{}, NAMED], ids=["all", "named"])
def test_an_organization_that_does_not_accept_the_token(more: Record) -> None:
    outcome = read(closed_with(refusal(401, "Unauthorized")), **more)
    assert outcome.code == 1
    assert organizations(outcome) == {"acme"}
    assert len(outcome.logged("ERROR", "organization labs: ", "accepted elsewhere")) == 1


def test_a_token_that_no_named_organization_accepts() -> None:
    outcome = read(closed_with(refusal(401, "Unauthorized"), "acme", "labs"), **NAMED)
    assert outcome.code == 1
    (error,) = outcome.logged("ERROR")
    assert "does not accept the value of pulumi_token" in error


@pytest.mark.parametrize(("more", "code"), [({}, 0), (NAMED, 1)], ids=["all", "named"])
def test_an_organization_behind_a_403(more: Record, code: int) -> None:
    outcome = read(closed_with(refusal(403, "protected by SAML enforcement")), **more)
    assert outcome.code == code
    assert organizations(outcome) == {"acme"}
    assert outcome.logged("organization labs", "protected by SAML enforcement", "sign in to this")
    assert outcome.logged("INFO", "pulumi_stacks ", "[skipped: organization labs: answered 403]")


@pytest.mark.parametrize("bad", ["acme", "labs"])
@pytest.mark.parametrize("answer", [refusal(418), Reply([]), Reply({}, status=500)], ids=str)
@pytest.mark.usefixtures("impatient")
def test_a_page_of_one_organization_takes_nothing_of_the_others_away(
    bad: str, answer: Reply
) -> None:
    cloud = two()
    cloud.answers[f"/api/orgs/{bad}/metadata"] = answer
    outcome = read(cloud)
    assert outcome.code == 1
    assert outcome.logged("ERROR", f"pulumi_organizations: organization {bad}: ")
    assert organizations(outcome) == organizations(outcome, UPDATES) == {"acme", "labs"}
    assert organizations(outcome, "pulumi_organizations") == {"acme", "labs"} - {bad}, (
        "without a part of it, the row would replace the whole one"
    )


@pytest.mark.parametrize("more", [{}, {"pulumi_organizations": ["ACME"]}], ids=["all", "named"])
def test_a_server_without_pages_of_organizations(more: Record) -> None:
    cloud = Cloud([Stack("acme/web/prod", "one", [update(1)])], ["acme"])
    for page in ("", "/metadata", "/members", "/teams"):
        for name in ("acme", "ACME"):
            cloud.answers[f"/api/orgs/{name}{page}"] = Reply(b"404 Not Found", status=404)
    outcome = read(cloud, **more)
    assert outcome.code == 0, outcome.log
    assert organizations(outcome, UPDATES) == {"acme"}
    assert outcome.logged("INFO", "pulumi_organizations ", "[skipped: organization ")


def test_a_named_organization_that_the_user_does_not_belong_to() -> None:
    outcome = read(two(), pulumi_organizations=["acme", "elsewhere"])
    assert outcome.code == 1
    assert outcome.logged("ERROR", "organization elsewhere: ", "check the name and the token")
    assert organizations(outcome) == {"acme"}


def stacks(number: int) -> Cloud:
    return Cloud([Stack(f"acme/web/s{n}", f"id{n}", [update(1)]) for n in range(number)], ["acme"])


@pytest.mark.parametrize("refused", [1, 20])
def test_stacks_that_are_refused_are_named_or_counted(refused: int) -> None:
    cloud = stacks(30)
    for n in range(refused):
        cloud.answers[f"/api/stacks/acme/web/s{n}/updates"] = refusal(403)
    outcome = read(cloud)
    assert outcome.code == 0
    assert len(outcome.records(UPDATES)) == 30 - refused
    (line,) = outcome.logged("INFO", f"{UPDATES} ")
    assert "skipped: stack acme/web/s0" in line
    assert (" and 17 more: answered 403" in line) is (refused == 20)
    assert len(outcome.logged("WARNING")) == min(refused, 3)


def test_a_stack_that_was_read_before_may_not_be_refused() -> None:
    cloud = stacks(3)
    state = read(cloud).state
    cloud.stacks[0].add(update(2))
    cloud.answers["/api/stacks/acme/web/s0/updates"] = refusal(403)
    outcome = read(cloud, state)
    assert outcome.code == 1
    assert outcome.logged("ERROR", "stack acme/web/s0: ", "read before")
    cloud.answers.clear()
    last = read(cloud, outcome.state)
    assert last.code == 0
    assert [record["version"] for record in last.records(UPDATES)] == [2]


def test_a_role_that_hides_all_stacks_is_few_lines() -> None:
    cloud = stacks(30)
    for n in range(30):
        cloud.answers[f"/api/stacks/acme/web/s{n}/updates"] = refusal(404, "Not Found")
    outcome = read(cloud)
    assert not outcome.records(UPDATES)
    assert len(outcome.logged("WARNING")) == 3
    assert "stack acme/web/s2 and 27 more: answered 404: " in outcome.logged(f"{UPDATES} ")[-1]
    assert "INCOMPLETE" in outcome.log[-1]
    assert outcome.code == 0
    strict = read(cloud, on_forbidden="fail")
    assert strict.code == 1
    assert strict.logged("ERROR", "organization acme: 30 lists were refused, 0 were read")


def test_a_server_to_whom_another_spelling_is_another_name() -> None:
    cloud = Cloud([Stack("acme/web/prod", "one", [update(1)])], ["acme"])
    for page in ("", "/metadata"):
        cloud.answers[f"/api/orgs/ACME{page}"] = refusal(404)
    outcome = read(cloud, pulumi_organizations=["ACME", "acme"])
    assert outcome.code == 0
    assert not outcome.says("WARNING")
    (row,) = outcome.records("pulumi_organizations")
    assert row["org_name"] == "acme"


def test_new_stacks_that_are_refused_do_not_make_the_others_refused() -> None:
    cloud = stacks(10)
    state = read(cloud).state
    for n in range(3):
        cloud.stacks.append(Stack(f"acme/web/new{n}", f"new{n}", [update(1)]))
        cloud.answers[f"/api/stacks/acme/web/new{n}/updates"] = refusal(403)
    for _ in range(2):
        outcome = read(cloud, state)
        assert outcome.code == 0, outcome.log
        state = outcome.state


def test_most_stacks_that_are_hidden_are_no_stacks_that_are_gone() -> None:
    cloud = stacks(30)
    for n in range(29):
        cloud.answers[f"/api/stacks/acme/web/s{n}/updates"] = refusal(404)
    assert read(cloud).code == 0
    assert read(cloud, on_forbidden="fail").code == 1


def test_a_page_that_is_refused_now_takes_nothing_out_of_the_row() -> None:
    cloud = two()
    cloud.answers["/api/orgs/acme/metadata"] = {"memberCount": 7}
    first = read(cloud)
    cloud.answers["/api/orgs/acme/metadata"] = refusal(403)
    second = read(cloud, first.state)
    assert second.code == 1
    assert organizations(second, "pulumi_organizations") == {"labs"}
    assert organizations(second) == {"acme", "labs"}
