"""Versions of updates: none twice in a stack, and those that come only when an update starts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pulumi.scripted import UPDATES, Cloud, Stack, Syncs, ended, ids, update

PLACE = "acme/web/prod"


def waiting(**more: Any) -> dict[str, Any]:
    """An update that has not started, and has no version yet."""
    return update(0, is_open=True, result="not-started", **more)


def stack_of(*updates: dict[str, Any]) -> Stack:
    return Stack(PLACE, "one", list(updates))


@pytest.mark.parametrize("cap", [1, 2, 100])
def test_two_updates_with_one_version_are_an_error(cap: int) -> None:
    """One would replace the other; what stands before and other stacks are whole."""
    twice = stack_of(update(4), update(3), update(3), update(2), update(1))
    other = Stack("acme/web/other", "two", [update(2), update(1)])
    last = Stack("labs/web/last", "three", [update(1)])
    syncs = Syncs(Cloud([twice, other, last], cap=cap))
    found = syncs.sync(code=1)
    (error,) = syncs.outcome.logged("ERROR")
    assert all(word in error for word in (UPDATES, f"stack {PLACE}", "number 3"))
    assert [entry[:2] for entry in found if entry[0] != PLACE] == [
        ("acme/web/other", 2),
        ("acme/web/other", 1),
        ("labs/web/last", 1),
    ]
    assert len([entry for entry in found if entry[:2] == (PLACE, 3)]) <= 1
    assert syncs.marks.keys() == {"two", "three"}, "it is read again next time"
    syncs.sync(code=1)
    assert syncs.outcome.logged("ERROR", f"stack {PLACE}")


def test_two_updates_with_one_version_below_the_mark_are_an_error() -> None:
    stack = stack_of(update(2), update(1))
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    stack.updates.insert(1, update(2))
    stack.add(update(3))
    syncs.sync(code=1)
    assert syncs.outcome.logged("ERROR", f"stack {PLACE}", "number 2")


def test_flat_updates_without_ids_are_told_apart_by_their_start() -> None:
    rows = [{**update(3)["info"]}, {**update(3)["info"], "startTime": 1}]
    syncs = Syncs(Cloud([stack_of(*rows)]))
    syncs.sync(code=1)
    assert syncs.outcome.logged("ERROR", f"stack {PLACE}", "number 3")


def test_an_update_is_followed_to_the_version_it_gets() -> None:
    """Whatever ``lastUpdate`` says; the row from before it had one stays."""
    stack = stack_of(update(2), update(1))
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    stack.updates.insert(0, waiting())
    stack.last += 60
    ref = stack.updates[0]["updateID"]
    assert syncs.sync() == [(PLACE, 0, ref, "not-started")]
    assert syncs.marks["one"][3] == {ref: [0, *PLACE.split("/")]}
    assert syncs.sync() == [(PLACE, 0, ref, "not-started")], "lastUpdate is as it was"
    stack.updates[0] = ended(stack.updates[0], version=3, endTime=0, result="in-progress")
    assert syncs.sync() == [(PLACE, 3, ref, "in-progress")]
    assert syncs.marks["one"][2:] == [3, {ref: [3, *PLACE.split("/")]}]
    stack.updates[0] = ended(stack.updates[0])
    assert syncs.sync() == [(PLACE, 3, ref, "succeeded")]
    assert syncs.marks["one"][2:] == [3]
    assert syncs.sync() == []


def test_an_update_that_starts_and_ends_between_two_syncs() -> None:
    stack = stack_of(waiting(), update(1))
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    ref = stack.updates[0]["updateID"]
    stack.updates[0] = ended(stack.updates[0], version=2)
    assert syncs.sync() == [(PLACE, 2, ref, "succeeded")]
    assert syncs.sync() == []


def test_its_version_need_not_be_the_greatest() -> None:
    """One that was to start later has started first, and was read."""
    stack = stack_of(waiting(), update(1))
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    ref = stack.updates[0]["updateID"]
    stack.add(update(3))
    assert [entry[1] for entry in syncs.sync()] == [3, 0]
    stack.updates[1] = ended(stack.updates[1], version=2)
    assert syncs.sync() == [(PLACE, 2, ref, "succeeded")]
    assert syncs.sync() == []


def test_an_update_that_moves_before_it_starts_keeps_its_names() -> None:
    stack = stack_of(waiting())
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    ref = stack.updates[0]["updateID"]
    stack.place = "labs/web/live"
    stack.updates[0] = ended(stack.updates[0], version=1)
    assert syncs.sync() == [(PLACE, 1, ref, "succeeded")]


def test_an_update_that_is_cancelled_before_it_starts() -> None:
    stack = stack_of(waiting(), update(1))
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    ref = stack.updates[0]["updateID"]
    stack.updates[0] = ended(stack.updates[0], result="failed")
    assert syncs.sync() == [(PLACE, 0, ref, "failed")]
    assert syncs.marks["one"][2:] == [1], "there is nothing to wait for"
    assert syncs.sync() == []


def test_an_update_that_vanishes_before_it_starts() -> None:
    stack = stack_of(waiting(), update(1))
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    del stack.updates[0]
    assert syncs.sync() == []
    assert syncs.marks["one"][2:] == [1]


@pytest.mark.parametrize("starts", [False, True])
def test_it_is_found_behind_a_page_of_known_versions(starts: bool) -> None:
    """Where a server sorts by version, what has none stands at the end."""
    stack = stack_of(*(update(version) for version in (4, 3, 2, 1)), waiting())
    syncs = Syncs(Cloud([stack], cap=2))
    assert [entry[1] for entry in syncs.sync()] == [4, 3, 2, 1, 0]
    ref = stack.updates[-1]["updateID"]
    if starts:
        stack.updates[-1] = ended(stack.updates[-1], version=5)
    assert syncs.sync() == [
        (PLACE, 5, ref, "succeeded") if starts else (PLACE, 0, ref, "not-started")
    ]
    assert (len(syncs.marks["one"]) == 3) is starts


@pytest.mark.parametrize("cap", [1, 2])
def test_a_first_page_without_a_version_is_no_other_stack(cap: int) -> None:
    stack = Stack(PLACE, "", [update(2), update(1)])
    syncs = Syncs(Cloud([stack], cap=cap))
    syncs.sync()
    stack.add(waiting())
    assert [entry[1] for entry in syncs.sync()] == [0]
    assert syncs.marks[PLACE][2] == 2


def test_updates_that_cannot_be_read_do_not_hold_up_the_others() -> None:
    """Over several pages, each is left out once, and the total is still right."""
    odd = [{**update(1), "info": "x", "version": "x"} for _ in range(3)]
    stack = stack_of(update(3), odd[0], odd[1], update(2), odd[2], update(1))
    syncs = Syncs(Cloud([stack], cap=2))
    assert [entry[1] for entry in syncs.sync(code=1)] == [3, 2, 1]
    errors = syncs.outcome.logged("ERROR")
    assert len(errors) == 3
    assert all("left out" in line and PLACE in line for line in errors)
    assert syncs.outcome.logged("3 records left out")
    assert syncs.marks["one"][2:] == [3]


def test_an_update_from_before_the_start_date_that_is_open_is_followed() -> None:
    old = update(2, is_open=True, startTime=1_700_000_000)
    older = update(1, startTime=1_690_000_000)
    stack = stack_of(update(3), old, older)
    syncs = Syncs(Cloud([stack]), start_date="2026-01-01")
    assert [entry[1] for entry in syncs.sync()] == [3, 2]
    stack.updates[1] = ended(stack.updates[1])
    assert [(entry[1], entry[3]) for entry in syncs.sync()] == [(2, "succeeded")]
    assert syncs.sync() == []


def test_an_open_update_is_all_there_is_since_the_start_date() -> None:
    stack = stack_of(update(1, is_open=True, startTime=1_700_000_000))
    syncs = Syncs(Cloud([stack]), start_date="2026-01-01")
    ref = stack.updates[0]["updateID"]
    assert ids(syncs.sync()) == [ref]
    stack.updates[0] = ended(stack.updates[0])
    assert syncs.sync() == [(PLACE, 1, ref, "succeeded")]
    stack.add(update(2))
    assert [entry[1] for entry in syncs.sync()] == [2]


@pytest.mark.parametrize("version", [-2, -1])
def test_an_update_with_a_negative_version_is_left_out_and_named(version: int) -> None:
    syncs = Syncs(Cloud([stack_of(update(2), update(1), update(version))]))
    for _ in range(2):
        syncs.sync(code=1)
        assert syncs.outcome.logged("ERROR", f"stack {PLACE}", f"its version is {version}")
    assert [entry[1] for entry in syncs.emitted] == [2, 1]
