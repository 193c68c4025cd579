"""Updates of stacks over many syncs: none lost or stale, and nothing asked for in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import StreamWarehouse, catalog_of

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

DAY = 86_400
UPDATES = "pulumi_stack_updates"
BOTH = ["pulumi_stacks", UPDATES]
OPEN = ("in-progress", "not-started")


class Warehouse(StreamWarehouse):
    stream = UPDATES
    keeps_deleted = True

    @property
    def marks(self) -> dict[str, list[Any]]:
        assert self.state is not None
        marks: dict[str, list[Any]] = self.state["bookmarks"][UPDATES]["stacks"]
        return {stack: [*mark[:3], *mark[4:]] for stack, mark in marks.items()}


def update_lists(simulator: Simulator) -> list[str]:
    """The paths of the stacks whose updates were asked for."""
    return [r["path"] for r in simulator.requests() if r["stream"] == UPDATES]


def test_updates_are_followed_to_their_end(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    warehouse.assert_true(moving)
    opened = {key for key, row in warehouse.rows.items() if row["result"] in OPEN}
    assert opened
    ended = 0
    for days in (0.05, 0.5, 1, 0, 6, 12):
        moving.advance(days * DAY)
        warehouse.sync()
        warehouse.assert_true(moving)
        ended += sum(warehouse.rows[key]["result"] not in OPEN for key in opened)
    assert ended


def test_an_unchanged_stack_costs_no_request(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    moving.clear_requests()
    outcome = warehouse.sync()
    opened = {key[:3] for key, row in warehouse.rows.items() if row["result"] in OPEN}
    assert opened
    assert len(update_lists(moving)) == len(opened)
    assert {key[:3] for key in outcome.latest(UPDATES)} == opened


def test_only_stacks_with_a_new_update_are_asked_for(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    before = dict(warehouse.marks)
    moving.advance(DAY / 2)
    moving.clear_requests()
    warehouse.sync()
    warehouse.assert_true(moving)
    changed = {
        stack
        for stack, mark in warehouse.marks.items()
        if stack not in before or before[stack][:2] != mark[:2] or before[stack][3:]
    }
    ids = {tuple(row[k] for k in KEY): row["stack_id"] for row in moving.rows("pulumi_stacks")}
    asked = {ids[tuple(path.split("/")[3:6])] for path in update_lists(moving)}
    assert asked == changed
    assert len(asked) < len(warehouse.marks)


def test_deleted_and_recreated_stacks(moving: Simulator) -> None:
    """A stack made again under its old name begins anew; one that is gone leaves the state."""
    warehouse = Warehouse(moving)
    warehouse.sync()
    stacks = {tuple(row[k] for k in KEY): row["stack_id"] for row in moving.rows("pulumi_stacks")}
    recreated, gone = set(), set()
    for _ in range(4):
        moving.advance(7 * DAY)
        warehouse.sync()
        warehouse.assert_true(moving)
        now = {tuple(row[k] for k in KEY): row["stack_id"] for row in moving.rows("pulumi_stacks")}
        recreated |= {key for key in stacks.keys() & now.keys() if stacks[key] != now[key]}
        gone = stacks.keys() - now.keys()
        assert warehouse.marks.keys() <= set(now.values())
    assert recreated
    assert gone


KEY = ("org_name", "project_name", "stack_name")


@pytest.mark.parametrize("after", [3, 25])
def test_time_passes_while_a_sync_reads(after: int, moving: Simulator) -> None:
    """Updates appear and end, stacks die and are born, between two answers."""
    moving.settings(page_cap=4)
    moving.advance(8 * DAY, after_requests=after, path="/updates")
    warehouse = Warehouse(moving)
    warehouse.sync()
    moving.settings(page_cap=None)
    warehouse.sync()
    warehouse.assert_true(moving)
    moving.advance(8 * DAY, after_requests=2, path="/updates")
    warehouse.sync()
    warehouse.sync()
    warehouse.assert_true(moving)


def test_stacks_deleted_while_they_are_read_are_skipped_and_said(moving: Simulator) -> None:
    moving.faults([{"path": "/stacks/.*/updates", "status": 404, "times": 1, "after": 3}])
    warehouse = Warehouse(moving)
    outcome = warehouse.sync()
    assert len(outcome.logged("WARNING", "deleted or moved meanwhile")) == 1
    warehouse.sync()
    warehouse.assert_true(moving)


def test_the_first_read_is_whole_with_any_page_size(moving: Simulator) -> None:
    for cap in (3, 50):
        moving.settings(page_cap=cap)
        warehouse = Warehouse(moving)
        outcome = warehouse.sync()
        warehouse.assert_true(moving)
        assert len(outcome.records(UPDATES)) == len(moving.rows(UPDATES))


def test_an_increment_reads_no_more_pages_than_it_needs(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    moving.settings(page_cap=2)
    moving.advance(DAY)
    moving.clear_requests()
    warehouse.sync()
    warehouse.assert_true(moving)
    per_stack: dict[str, int] = {}
    for path in update_lists(moving):
        per_stack[path] = per_stack.get(path, 0) + 1
    few = [path for path, count in per_stack.items() if count <= 2]
    assert len(few) >= len(per_stack) / 2


class TestStartDate:
    START = "2026-06-01"

    def expected(self, simulator: Simulator, start: str) -> set[tuple[Any, ...]]:
        return {
            (*(row[k] for k in KEY), row["stack_id"], row["version"])
            for row in simulator.rows(UPDATES)
            if row["start_time"] >= start or row["result"] in OPEN
        }

    def test_updates_started_from_then_on_and_open_ones(self, moving: Simulator) -> None:
        warehouse = Warehouse(moving, start_date=self.START)
        warehouse.sync()
        expected = self.expected(moving, self.START)
        assert warehouse.rows.keys() == expected
        assert len(expected) < len(moving.rows(UPDATES))
        moving.advance(3 * DAY)
        warehouse.sync()
        assert self.expected(moving, self.START) <= warehouse.rows.keys()

    def test_moved_back_it_reads_the_earlier_history(self, moving: Simulator) -> None:
        warehouse = Warehouse(moving, start_date=self.START)
        warehouse.sync()
        warehouse.sync(start_date="2026-03-01")
        assert self.expected(moving, "2026-03-01") <= warehouse.rows.keys()
        warehouse.sync(start_date=None)
        warehouse.assert_true(moving)

    def test_moved_forward_it_reads_nothing_again(self, moving: Simulator) -> None:
        warehouse = Warehouse(moving)
        warehouse.sync()
        outcome = warehouse.sync(start_date="2026-06-30")
        assert {row["result"] for row in outcome.records(UPDATES)} <= set(OPEN)


@pytest.mark.parametrize("column", ["stack_id", "last_update"])
def test_columns_of_the_parent_left_out(column: str, moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    outcome = warehouse.sync(catalog_of(BOTH, pulumi_stacks=[column]))
    warehouse.assert_true(moving)
    assert all(column not in row for row in outcome.records("pulumi_stacks")) or (
        column == "last_update"
    ), "the replication key is always there"


def test_columns_left_out_leave_the_marks_alone(moving: Simulator) -> None:
    columns = ["result", "start_time", "end_time", "stack_id"]
    whole, part = Warehouse(moving), Warehouse(moving)
    catalog = catalog_of([UPDATES], pulumi_stack_updates=columns)
    for _ in range(2):
        whole.sync()
        part.sync(catalog)
        assert part.state == whole.state
        moving.advance(DAY / 2)


def test_only_the_child_is_emitted_when_only_it_is_selected(moving: Simulator) -> None:
    outcome = Warehouse(moving).sync()
    assert set(outcome.schemas) == {UPDATES}
    assert {m["stream"] for m in outcome.messages if m["type"] == "RECORD"} == {UPDATES}


def test_organizations_of_the_settings(moving: Simulator) -> None:
    names = [row["org_name"] for row in moving.rows("pulumi_organizations")]
    warehouse = Warehouse(moving, pulumi_organizations=[names[0]])
    warehouse.sync()
    assert {key[0] for key in warehouse.rows} == {names[0]}
    warehouse.sync(pulumi_organizations=[names[1]])
    assert {key[0] for key in warehouse.rows} == set(names[:2])
    moving.clear_requests()
    warehouse.sync(pulumi_organizations=None)
    warehouse.assert_true(moving)
    opened = {key[:3] for key, row in warehouse.rows.items() if row["result"] in OPEN}
    assert len(update_lists(moving)) == len(opened), "marks of both organizations were kept"
