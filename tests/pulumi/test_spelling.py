"""One organization has one name: the one that the server writes, however the settings do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.syncing import Outcome, sync
from tests.core.test_odd_servers import FAKE
from tests.pulumi.scripted import KNOWN, Cloud, Stack, Syncs, at, row, update
from tests.scripted_server import Reply, ScriptedServer


class Careless(Cloud):
    """A server that takes names in any case, as the real one does, and has people and teams."""

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        *_, last = path.split("/")
        if last in ("members", "teams"):
            member = {"user": {"githubLogin": "ada"}, "role": "admin"}
            return {last: [member if last == "members" else {"name": "all"}]}
        if path == "/api/user/stacks":
            name = query["organization"].casefold()
            return {"stacks": [row(s) for s in self.stacks if at(s)[0].casefold() == name]}
        return super().__call__(path, query)


def read(cloud: Cloud, **more: Any) -> Outcome:
    with ScriptedServer(cloud) as server:
        return sync({"pulumi_token": FAKE, "pulumi_url": server.url, **more}, select=KNOWN)


@pytest.mark.parametrize(
    "names", [["ACME", "acme "], ["acme", "ACME", "Acme"], [" aCmE", "", " "], ["Acme"]], ids=str
)
def test_the_servers_spelling_is_in_every_row(names: list[str]) -> None:
    cloud = Careless([Stack("Acme/web/prod", "one", [update(1)])], ["Acme", "labs"])
    outcome = read(cloud, pulumi_organizations=names)
    assert outcome.code == 0, outcome.log
    for stream in KNOWN:
        assert [record["org_name"] for record in outcome.records(stream)] == ["Acme"], stream


@pytest.mark.parametrize("told", ["", " ", None, "ACME", "labs"], ids=repr)
def test_a_stack_that_names_no_organization_is_of_the_one_that_was_asked(told: Any) -> None:
    cloud = Careless([Stack("Acme/web/prod", "one", [update(1)])], ["Acme"])
    cloud.answers["/api/user/stacks?Acme"] = {"stacks": [{**row(cloud.stacks[0]), "orgName": told}]}

    class Other(Careless):
        def __call__(self, path: str, query: dict[str, str]) -> Any:
            return cloud.answers.get(f"{path}?{query.get('organization')}") or cloud(path, query)

    outcome = read(Other(cloud.stacks, ["Acme"]))
    assert outcome.code == 0, outcome.log
    found = [record["org_name"] for record in outcome.records("pulumi_stack_updates")]
    assert found == ([] if told == "labs" else ["Acme"])


def test_an_organization_that_is_told_twice_is_one() -> None:
    """The user's own list and the token's may write it in two ways."""
    cloud = Careless([Stack("Acme/web/prod", "one", [update(1)])], ["Acme"])
    cloud.answers["/api/user"] = {
        "organizations": [{"githubLogin": "Acme"}],
        "tokenInfo": {"organization": "ACME"},
    }
    outcome = read(cloud)
    for stream in KNOWN:
        assert [record["org_name"] for record in outcome.records(stream)] == ["Acme"], stream


def test_another_spelling_in_the_settings_reads_nothing_again() -> None:
    cloud = Careless([Stack("Acme/web/prod", "one", [update(1)])], ["Acme"])
    syncs = Syncs(cloud)
    assert len(syncs.sync(pulumi_organizations=["acme"])) == 1
    assert syncs.sync(pulumi_organizations=["ACME"]) == []
    cloud.stacks = []
    syncs.sync(pulumi_organizations=["aCMe"])
    assert syncs.marks == {}


@pytest.mark.parametrize("login", [5, ["Acme"], {"a": 1}, None, ""], ids=repr)
def test_an_organization_whose_login_is_no_text(login: Any) -> None:
    """Its name in the settings is as good."""
    cloud = Careless([Stack("acme/web/prod", "one", [update(1)])], ["acme"])
    for path in ("/api/orgs/acme", "/api/orgs/acme/metadata"):
        cloud.answers[path] = {"githubLogin": login}
    outcome = read(cloud, pulumi_organizations=["acme"])
    assert not outcome.says("unexpected"), outcome.log
    assert outcome.code == 0
    assert [r["org_name"] for r in outcome.records("pulumi_organizations")] == ["acme"]
    assert len(outcome.records("pulumi_stack_updates")) == 1


@pytest.mark.parametrize("body", [[], [1], "text", 5], ids=repr)
def test_an_organization_of_another_shape_is_no_traceback(body: Any) -> None:
    cloud = Careless([Stack("acme/web/prod", "one", [update(1)])], ["acme"])
    cloud.answers["/api/orgs/acme/metadata"] = Reply(body)
    outcome = read(cloud, pulumi_organizations=["acme"])
    assert not outcome.says("unexpected"), outcome.log


def test_a_member_whose_user_is_no_object_is_left_out() -> None:
    cloud = Careless([], ["acme"])
    people = [{"user": "ada"}, {"user": [1]}, {"user": {"githubLogin": "bo"}}, {}]
    with ScriptedServer(
        lambda path, query: (
            {"members": people} if query.get("type") == "backend" else cloud(path, query)
        )
    ) as server:
        outcome = sync({"pulumi_token": FAKE, "pulumi_url": server.url}, select=KNOWN)
    assert not outcome.says("unexpected"), outcome.log
    assert outcome.code == 1
    assert [r["user_login"] for r in outcome.records("pulumi_organization_members")] == ["bo"]
    assert outcome.logged("3 records left out")
