"""Time and order are not trusted: updates open for ever, clocks that differ, lists that lag."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.pulumi.scripted import FIRST_START, Cloud, Stack, Syncs, ended, update
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.syncing import Record

PLACE = "acme/web/prod"
HOUR = 3600


def history(newest: int, *still_open: int) -> Stack:
    """A stack with updates down from a version, some of them open."""
    rows = [update(v, is_open=v in still_open) for v in range(newest, 0, -1)]
    return Stack(PLACE, "one", rows)


def at(stack: Stack, version: int) -> int:
    """The place of a version in the list."""
    return [row["version"] for row in stack.updates].index(version)


def versions(found: list[tuple[str, int, str, str]]) -> list[int]:
    return [version for _, version, _, _ in found]


class TestOpenForEver:
    def test_one_behind_a_thousand_costs_two_requests(self) -> None:
        stack = history(1000, 3)
        syncs = Syncs(Cloud([stack]))
        assert len(syncs.sync()) == 1000
        for _ in range(2):
            assert versions(syncs.sync()) == [3]
            assert syncs.asked == ["1", "10"]
        stack.add(update(1001))
        assert versions(syncs.sync()) == [1001, 3]
        assert syncs.asked == ["1", "10"]
        stack.updates[at(stack, 3)] = ended(stack.updates[at(stack, 3)])
        assert [entry[3] for entry in syncs.sync()] == ["succeeded"]
        assert syncs.sync() == []
        assert syncs.asked == []

    def test_those_on_pages_that_are_read_anyway_cost_nothing(self) -> None:
        stack = history(250, 245, 170, 40)
        syncs = Syncs(Cloud([stack]))
        syncs.sync()
        for version in range(251, 351):
            stack.add(update(version))
        assert versions(syncs.sync())[100:] == [245, 170, 40]
        assert syncs.asked == ["1", "2", "4"]

    def test_many_cost_no_more_than_the_pages_that_hold_them(self) -> None:
        few = range(1, 400, 7)
        syncs = Syncs(Cloud([history(1000, *few)]))
        syncs.sync()
        assert versions(syncs.sync()) == sorted(few, reverse=True)
        assert syncs.asked == ["1", "7", "8", "9", "10"]

    def test_one_without_a_version_at_the_end_of_the_list_costs_two_requests(self) -> None:
        """Where a server sorts by version; one in the midst costs the way there."""
        stack = history(1000, 3)
        stack.updates.append(update(0, is_open=True, result="not-started"))
        syncs = Syncs(Cloud([stack]))
        assert len(syncs.sync()) == 1001
        assert versions(syncs.sync()) == [0, 3]
        assert syncs.asked == ["1", "11", "10"]
        stack.updates.insert(350, stack.updates.pop())
        assert versions(syncs.sync()) == [0, 3]
        assert syncs.asked == ["1", "11", "2", "3", "4", "10"]

    def test_one_that_is_gone_is_forgotten_and_said(self) -> None:
        stack = history(1000, 3, 500)
        syncs = Syncs(Cloud([stack]))
        syncs.sync()
        del stack.updates[at(stack, 3)]
        assert versions(syncs.sync()) == [500]
        assert syncs.asked == ["1", "6", "10", "3"]
        assert len(syncs.outcome.logged("WARNING", f"stack {PLACE}: update 3", "gone")) == 1
        syncs.sync()
        assert syncs.asked == ["1", "6"]

    def test_one_that_a_list_lacks_once_is_asked_for_at_its_address(self) -> None:
        """It may be there, open or ended; only a 404 there means that it is gone."""
        stack = history(300, 3, 4)
        cloud = Cloud([stack])
        syncs = Syncs(cloud)
        syncs.sync()
        whole = list(stack.updates)
        less = [row for row in whole if row["version"] > 4]
        answers = {f"/api/stacks/{PLACE}/updates/{v}": whole[at(stack, v)] for v in (3, 4)}
        answers[f"/api/stacks/{PLACE}/updates/4"] = ended(whole[at(stack, 4)])
        stack.updates, cloud.answers = less, dict(answers)
        found = syncs.sync()
        assert [(entry[1], entry[3]) for entry in found] == [(3, "in-progress"), (4, "succeeded")]
        stack.updates = whole
        cloud.answers.clear()
        whole[at(stack, 3)] = ended(whole[at(stack, 3)])
        assert [(entry[1], entry[3]) for entry in syncs.sync()] == [(3, "succeeded")]
        assert syncs.sync() == []

    @pytest.mark.parametrize("status", [403, 418])
    def test_a_refusal_or_failure_at_its_address_forgets_nothing(self, status: int) -> None:
        stack = history(300, 3)
        cloud = Cloud([stack])
        syncs = Syncs(cloud)
        syncs.sync()
        before = syncs.marks
        lost = stack.updates.pop(at(stack, 3))
        cloud.answers[f"/api/stacks/{PLACE}/updates/3"] = Reply({}, status=status)
        assert syncs.sync(code=1) == []
        assert syncs.marks == before
        stack.updates.append(lost)
        assert versions(syncs.sync()) == [3]

    def test_an_answer_of_another_shape_forgets_nothing(self) -> None:
        stack = history(300, 3)
        cloud = Cloud([stack])
        syncs = Syncs(cloud)
        syncs.sync()
        before = syncs.marks
        del stack.updates[at(stack, 3)]
        cloud.answers[f"/api/stacks/{PLACE}/updates/3"] = {"updates": []}
        assert syncs.sync() == []
        assert syncs.marks == before

    def test_one_far_below_ends_under_the_names_it_was_emitted_with(self) -> None:
        stack = history(300, 3)
        syncs = Syncs(Cloud([stack]))
        syncs.sync()
        stack.place = "labs/www/live"
        stack.add(update(301))
        stack.updates[at(stack, 3)] = ended(stack.updates[at(stack, 3)])
        found = syncs.sync()
        assert [entry[:2] for entry in found] == [("labs/www/live", 301), (PLACE, 3)]
        assert syncs.sync() == []

    @pytest.mark.parametrize("lacking", ["the newest", "all"])
    def test_the_newest_that_a_list_lacks_once_is_followed_to_its_end(self, lacking: str) -> None:
        stack = history(5, 5)
        cloud = Cloud([stack])
        syncs = Syncs(cloud)
        syncs.sync()
        whole = stack.updates
        cloud.answers[f"/api/stacks/{PLACE}/updates/5"] = whole[0]
        stack.updates = whole[1:] if lacking == "the newest" else []
        assert versions(syncs.sync()) == [5]
        stack.updates = [ended(whole[0]), *whole[1:]]
        cloud.answers.clear()
        assert [entry[3] for entry in syncs.sync()] == ["succeeded"]
        assert syncs.sync() == []

    def test_another_stack_under_the_same_names_is_read_whole(self) -> None:
        stack = history(300, 3)
        stack.id = ""
        syncs = Syncs(Cloud([stack]))
        syncs.sync()
        stack.updates = [update(v, startTime=FIRST_START + v) for v in range(300, 0, -1)]
        stack.last += 1
        assert set(versions(syncs.sync())) == set(range(1, 301))
        assert not [path for path, _ in syncs.requests if path.endswith("/updates/3")]

    def test_a_server_without_pages_gives_it_in_one_answer(self) -> None:
        stack = history(300, 3)
        cloud = Cloud([stack])
        cloud.answers[f"/api/stacks/{PLACE}/updates"] = lambda: {
            "updates": [{**row["info"], "updateID": row["updateID"]} for row in stack.updates]
        }
        syncs = Syncs(cloud)
        assert len(syncs.sync()) == 300
        assert versions(syncs.sync()) == [3]
        assert syncs.asked == ["1"]

    def test_a_sync_that_fails_in_between_goes_on(self) -> None:
        stack = history(300, 3)
        other = Stack("acme/web/other", "two", [update(1)])
        cloud = Cloud([stack, other])
        syncs = Syncs(cloud)
        syncs.sync()
        stack.add(update(301))
        stack.updates[at(stack, 3)] = ended(stack.updates[at(stack, 3)])
        cloud.answers[f"/api/stacks/{PLACE}/updates"] = page_fails(cloud)
        syncs.sync(code=1)
        cloud.answers.clear()
        assert versions(syncs.sync()) == [301, 3]


def page_fails(cloud: Cloud) -> Callable[[], Any]:
    """Answer pages as they are but for the first, behind which nothing is answered any more."""
    path = f"/api/stacks/{PLACE}/updates"
    asked = 0

    def answer() -> Any:
        nonlocal asked
        asked += 1
        if asked > 1:
            return Reply({}, status=418)
        answers, cloud.answers = cloud.answers, {}
        page = cloud(path, {"page": "1", "pageSize": "100"})
        cloud.answers = answers
        return page

    return answer


def tell(cloud: Cloud, *, last: dict[str, int | None]) -> None:
    """Have the list of stacks tell when they were updated as a test says."""
    for organization in ("acme", "labs"):
        rows = []
        for stack in cloud.stacks:
            names = dict(
                zip(("orgName", "projectName", "stackName"), stack.place.split("/"), strict=True)
            )
            row: Record = {**names, "id": stack.id}
            if last.get(stack.id) is not None:
                row["lastUpdate"] = last[stack.id]
            if names["orgName"] == organization:
                rows.append(row)
        cloud.answers[f"/api/user/stacks?{organization}"] = {"stacks": rows}


class TestWithoutLastUpdate:
    def test_a_server_that_never_tells_is_asked_each_time(self) -> None:
        stack, empty = history(2, 2), Stack("acme/web/empty", "two", [])
        cloud = Cloud([stack, empty])
        tell(cloud, last={})
        syncs = Syncs(cloud)
        assert versions(syncs.sync()) == [2, 1]
        stack.updates[0] = ended(stack.updates[0])
        assert [entry[3] for entry in syncs.sync()] == ["succeeded"]
        stack.add(update(3))
        empty.add(update(1))
        assert syncs.sync() == [
            (PLACE, 3, stack.updates[0]["updateID"], "succeeded"),
            ("acme/web/empty", 1, empty.updates[0]["updateID"], "succeeded"),
        ]
        assert syncs.sync() == []
        assert syncs.asked == ["1", "1"]

    @pytest.mark.parametrize("first", [True, False])
    @pytest.mark.parametrize("zero", [0, None])
    def test_the_first_update_of_a_new_stack_runs(self, first: bool, zero: int | None) -> None:
        """Others tell; this one does only when its first update has ended."""
        new, old = Stack(PLACE, "new", [update(1, is_open=True)]), history(1)
        old.place = "acme/web/old"
        cloud = Cloud([new, old] if first else [old, new])
        tell(cloud, last={"new": zero, "one": FIRST_START})
        syncs = Syncs(cloud)
        assert [entry[0] for entry in syncs.sync()] == ["acme/web/old"]
        assert syncs.asked == ["1"], "a stack that was never updated costs nothing"
        new.updates[0] = ended(new.updates[0])
        tell(cloud, last={"new": FIRST_START, "one": FIRST_START})
        assert [(entry[0], entry[3]) for entry in syncs.sync()] == [(PLACE, "succeeded")]
        assert syncs.sync() == []
        assert syncs.asked == []

    def test_it_is_not_told_for_a_moment(self) -> None:
        stack, other = history(2), Stack("acme/web/other", "two", [update(1)])
        cloud = Cloud([stack, other])
        tell(cloud, last={"one": FIRST_START, "two": FIRST_START})
        syncs = Syncs(cloud)
        syncs.sync()
        stack.add(update(3, is_open=True))
        tell(cloud, last={"one": 0, "two": FIRST_START})
        assert versions(syncs.sync()) == [3]
        stack.updates[0] = ended(stack.updates[0])
        stack.add(update(4))
        assert versions(syncs.sync()) == [4, 3]
        tell(cloud, last={"one": FIRST_START + 240, "two": FIRST_START})
        assert syncs.sync() == []
        assert syncs.sync() == []
        assert syncs.asked == []


class TestOneSecond:
    def two_in_it(self, told: float, clock: float = 0) -> list[int]:
        """Let two updates begin in one second, the second behind a sync; give what that reads.

        Args:
            told: The second.
            clock: By how many seconds the server's clock differs.
        """
        second = int(told)
        stack = Stack(PLACE, "one", [update(1, startTime=second)], last=second)
        syncs = Syncs(Cloud([stack], clock=clock))
        syncs.sync()
        stack.updates.insert(0, update(2, startTime=second))
        return versions(syncs.sync())

    @pytest.mark.parametrize("seconds", [0, -60, 60])
    def test_both_are_read(self, seconds: int) -> None:
        assert self.two_in_it(time.time() + seconds) == [2]

    @pytest.mark.parametrize("hours", [-30, -2, 2, 30])
    def test_the_clock_of_the_server_counts(self, hours: int) -> None:
        clock = hours * HOUR
        assert self.two_in_it(time.time() + clock, clock) == [2]

    def test_what_was_updated_long_ago_costs_nothing(self) -> None:
        assert self.two_in_it(time.time() - HOUR) == []
        assert self.two_in_it(4_000_000_000) == [], "a time that cannot be tells as much"

    def test_it_costs_one_request_until_some_minutes_have_passed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from tap_cloudapis.pulumi import updates  # noqa: PLC0415 - to be patched

        stack = history(1)
        stack.last = int(time.time())
        syncs = Syncs(Cloud([stack]))
        syncs.sync()
        assert syncs.sync() == []
        assert syncs.asked == ["1"]
        monkeypatch.setattr(updates, "LAG", -updates.AHEAD)
        assert syncs.sync() == []
        assert syncs.asked == ["1"]
        assert syncs.sync() == []
        assert syncs.asked == []


class TestStartTimes:
    START = FIRST_START + 60 * 150
    SETTINGS: ClassVar[dict[str, Any]] = {
        "start_date": f"{datetime.fromtimestamp(START, UTC):%Y-%m-%dT%H:%M:%SZ}"
    }

    def expected(self, stack: Stack) -> set[int]:
        return {
            row["version"]
            for row in stack.updates
            if not row["info"]["startTime"] or row["info"]["startTime"] >= self.START
        }

    @pytest.mark.parametrize(
        "odd",
        [
            {251: 0},
            {251: 1},
            {299: 1, 201: 1},
            {300: 4_000_000_000, 1: 4_000_000_000},
            dict.fromkeys(range(202, 300), FIRST_START),
            dict.fromkeys(range(101, 301), 4_000_000_000),
        ],
        ids=["missing", "of 1970", "at both ends of a page", "future", "equal", "equal in future"],
    )
    def test_none_is_lost_with_a_start_date(self, odd: dict[int, int]) -> None:
        """Times that are out of order hide nothing on the pages down to one of early ones alone."""
        stack = history(300)
        for version, start in odd.items():
            stack.updates[at(stack, version)]["info"]["startTime"] = start
        syncs = Syncs(Cloud([stack]), **self.SETTINGS)
        assert set(versions(syncs.sync())) == self.expected(stack)
        assert {"1", "2", "3"} <= set(syncs.asked)

    def test_an_early_one_on_a_page_does_not_end_the_walk(self) -> None:
        stack = history(300)
        stack.updates[at(stack, 260)]["info"]["startTime"] = 1
        syncs = Syncs(Cloud([stack]), **self.SETTINGS)
        assert set(versions(syncs.sync())) == set(range(150, 301)) - {260}

    def test_a_changed_stack_of_early_updates_is_not_read_whole(self) -> None:
        stack = history(1000)
        syncs = Syncs(Cloud([stack]), start_date="2030-01-01")
        assert syncs.sync() == []
        stack.add(update(1001))
        assert syncs.sync() == []
        assert syncs.asked == ["1"]
