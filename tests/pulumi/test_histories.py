"""Histories that are not what the marks take them for: of other stacks, cut, gone for a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.pulumi.scripted import KNOWN, STACKS, UPDATES, Cloud, Stack, Syncs, ended, update
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from tests.core.syncing import Record

PLACE = "acme/web/prod"


def ids(found: list[tuple[str, int, str, str]]) -> list[str]:
    """The ids of updates."""
    return [ref for _, _, ref, _ in found]


@pytest.mark.parametrize("more", [0, 1, 5])
def test_another_stack_under_the_names_of_one_without_an_id(more: int) -> None:
    """It has as many updates as the first one had, or more: its versions do not tell."""
    stack = Stack(PLACE, "", [update(2), update(1)])
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    stack.updates = [
        update(version, startTime=1_790_000_000 + version) for version in range(2 + more, 0, -1)
    ]
    stack.last += 60
    found = syncs.sync()
    assert {row["updateID"] for row in stack.updates} == set(ids(found))
    assert syncs.sync() == []


def test_updates_that_get_ids_while_one_is_open() -> None:
    """A server that is upgraded gives ids to what had none."""
    open_update = update(2, is_open=True)
    stack = Stack(PLACE, "one", [without_id(open_update), without_id(update(1))])
    syncs = Syncs(Cloud([stack]))
    assert [version for _, version, _, _ in syncs.sync()] == [2, 1]
    stack.updates = [ended(open_update), update(1)]
    found = syncs.sync()
    assert (PLACE, 2, open_update["updateID"], "succeeded") in found
    assert syncs.marks["one"][3:] == []


def without_id(row: Record) -> Record:
    return {**row, "updateID": None}


def test_an_update_that_goes_while_a_new_part_of_a_history_is_read() -> None:
    """What lies behind it moves to a page that was read already."""
    stack = Stack(PLACE, "one", [update(version) for version in range(3, 0, -1)])
    cloud = Cloud([stack], cap=4)
    syncs = Syncs(cloud)
    syncs.sync()
    for version in range(4, 16):
        stack.add(update(version))
    whole = [row["version"] for row in stack.updates if row["version"] > 3]
    path = f"/api/stacks/{PLACE}/updates"
    asked: list[int] = []

    def cancelled() -> Any:
        cloud.answers.pop(path)
        page = cloud(path, {"page": "1", "pageSize": "4"})
        del stack.updates[1]
        asked.append(1)
        return page

    cloud.answers[path] = cancelled
    found = [version for _, version, _, _ in syncs.sync()]
    assert asked
    assert set(whole) <= set(found)


class TestForgetting:
    @pytest.fixture(autouse=True)
    def _as_it_is(self, _forget_at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tap_cloudapis.pulumi.update_marks.MOST_MISSES", 3)
        monkeypatch.setattr("tap_cloudapis.pulumi.update_marks.MOST_MISSES_OPEN", 5)

    def test_a_stack_that_no_list_brings_once_goes_on_where_it_was(self) -> None:
        """As one that is transferred between the readings of two lists."""
        still_open = update(2, is_open=True)
        stack = Stack(PLACE, "one", [still_open, update(1)])
        cloud = Cloud([stack])
        syncs = Syncs(cloud)
        syncs.sync()
        cloud.stacks = []
        assert syncs.sync() == syncs.sync() == []
        stack.place, cloud.stacks = "labs/web/prod", [stack]
        stack.updates[0] = ended(still_open)
        stack.add(update(3))
        assert syncs.sync() == [
            ("labs/web/prod", 3, stack.updates[0]["updateID"], "succeeded"),
            (PLACE, 2, still_open["updateID"], "succeeded"),
        ]

    @pytest.mark.parametrize(("is_open", "syncs_to_forget"), [(False, 3), (True, 5)])
    def test_a_mark_is_forgotten_in_the_end(self, is_open: bool, syncs_to_forget: int) -> None:
        cloud = Cloud([Stack(PLACE, "one", [update(1, is_open=is_open)])])
        syncs = Syncs(cloud)
        syncs.sync()
        cloud.stacks = []
        for _ in range(syncs_to_forget):
            assert syncs.marks.keys() == {"one"}
            syncs.sync()
        assert syncs.marks == {}
        assert syncs.state is not None
        assert "missed" not in syncs.state["bookmarks"][UPDATES]


def test_a_stack_with_an_update_that_is_left_out_is_read_again_and_fails_again() -> None:
    odd = {**update(2), "version": "x"}
    odd["info"]["version"] = "x"
    stack = Stack(PLACE, "one", [odd, update(1)])
    syncs = Syncs(Cloud([stack]))
    syncs.sync(code=1)
    syncs.sync(code=1)
    stack.updates[0] = update(2)
    assert [version for _, version, _, _ in syncs.sync()] == [2]
    assert syncs.sync() == []


def test_one_spelling_even_if_an_organization_does_not_tell_it() -> None:
    stack = Stack(PLACE, "one", [update(1)])
    cloud = Cloud([stack])
    syncs = Syncs(cloud, pulumi_organizations=["ACME"])
    first = syncs.sync()
    cloud.answers["/api/orgs/ACME"] = Reply({}, status=403)
    cloud.answers["/api/orgs/ACME/metadata"] = {"id": "x"}
    stack.add(update(2))
    second = syncs.sync(code=1)  # it could read that page before
    assert {place for place, *_ in first + second} == {PLACE}
    assert {r["org_name"] for r in syncs.outcome.records(STACKS)} == {"acme"}


@pytest.mark.parametrize("answer", [{}, Reply(b"", status=204), {"stack": []}], ids=str)
def test_an_answer_without_its_list_drops_no_row(answer: Any) -> None:
    cloud = Cloud([Stack(PLACE, "one", [update(1)])])
    cloud.answers["/api/user/stacks?acme"] = answer
    with ScriptedServer(cloud) as server:
        config = {"pulumi_token": FAKE, "pulumi_url": server.url}
        outcome = sync({**config, "emit_activate_version_messages": True}, select=KNOWN)
    assert outcome.code == 0, outcome.log
    activated = {m["stream"] for m in outcome.messages if m["type"] == "ACTIVATE_VERSION"}
    assert STACKS not in activated
    assert "pulumi_organizations" in activated
