"""What hangs on updates, on servers that do not tell, or for a moment, when stacks were updated."""

from __future__ import annotations

import time

import pytest

from tests.pulumi.scripted import Stack, update
from tests.pulumi.test_previews import Looked, ids, preview
from tests.pulumi.test_previews import Reader as Previews
from tests.pulumi.test_update_details import EVENTS, TIMELINES, Reader, Told, named, stack
from tests.scripted_server import Reply

OFTEN = {"pulumi_refresh_days": 0}


def untold(found: Stack) -> Stack:
    """The stack, of which its server does not tell when it was updated."""
    vars(found)["last"] = 0
    return found


def test_events_of_new_updates_are_read_where_no_change_is_told() -> None:
    cloud = Told(untold(stack(named(1), named(2))))
    reader = Reader(cloud, EVENTS)
    assert sorted(reader.read()) == ["u1", "u2"]
    assert reader.read() == []
    cloud.stacks[0].add(named(3))
    untold(cloud.stacks[0])
    assert reader.read() == ["u3"]


def test_timelines_of_new_updates_are_read_where_no_change_is_told() -> None:
    commit = {"environment": {"git.head": "abc"}}
    cloud = Told(untold(stack(named(1, **commit))))
    reader = Reader(cloud, TIMELINES)
    assert reader.read() == ["1"]
    cloud.stacks[0].add(named(2, **commit))
    untold(cloud.stacks[0])
    assert reader.read() == ["2"]


def test_previews_behind_all_new_updates_are_read_where_no_change_is_told() -> None:
    cloud = Looked(1)
    untold(cloud.stacks[0])
    cloud.behind = {1: [preview("a")]}
    reader = Previews(cloud, **OFTEN)
    assert ids(reader.read()) == ["a"]
    for version, name in ((2, "b"), (3, "c")):
        cloud.stacks[0].add(update(version))
        cloud.behind[version] = [preview(name)]
    untold(cloud.stacks[0])
    cloud.behind[1].append(preview("later"))
    assert ids(reader.read()) == ["a", "b", "c", "later"]


@pytest.mark.parametrize("name", ["web/..", "web/.", "../prod"])
def test_names_that_cannot_be_asked_for_are_not(name: str) -> None:
    cloud = Looked(1)
    cloud.stacks[0].place = f"acme/{name}"
    reader = Previews(cloud)
    reader.read()
    assert reader.asked == []
    assert len(reader.outcome.logged("WARNING", "cannot be put in a URL")) == 1


def test_of_a_stack_that_rested_no_previews_but_new_ones_are_asked_for() -> None:
    cloud = Looked(*range(1, 31))
    reader = Previews(cloud, pulumi_update_detail_days=1)
    assert reader.read() == []
    assert reader.asked == ["latest"]
    cloud.stacks[0].add(update(31))
    cloud.behind = {3: [preview("old")], 30: [preview("before")], 31: [preview("new")]}
    assert ids(reader.read()) == ["before", "new"]
    assert sorted(reader.asked) == ["30", "latest", "updates"]


def test_a_stack_that_goes_while_its_previews_are_read_is_no_failure() -> None:
    cloud = Looked(1, 2)
    cloud.behind = {1: [preview("a")], 2: [preview("b")]}
    gone = Reply({"code": 404, "message": "no"}, status=404)
    cloud.answers["/api/stacks/acme/web/prod/updates"] = gone
    reader = Previews(cloud)
    assert ids(reader.read()) == ["b"]
    cloud.answers = {}
    cloud.stacks[0].add(update(3))
    assert ids(reader.read()) == ["a", "b"]


def test_an_update_in_the_second_that_was_told_has_previews() -> None:
    cloud = Looked(1)
    found = cloud.stacks[0]
    found.last = int(time.time()) - 1
    found.updates[0]["info"]["startTime"] = found.last
    cloud.behind = {1: [preview("a")]}
    reader = Previews(cloud)
    assert ids(reader.read()) == ["a"]
    found.updates.insert(0, update(2, startTime=found.last))
    cloud.behind[2] = [preview("b")]
    assert ids(reader.read()) == ["a", "b"]
