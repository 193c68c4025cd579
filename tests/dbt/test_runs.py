"""Runs over many syncs: none lost, frozen, or read for nothing, however its life goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.syncing import Outcome, Record, StreamWarehouse, catalog_of

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

HOUR = 3600
RUNS = ["dbt_runs"]
ENDED = (10, 20, 30)
#: What narrows each list of runs that are not new to a sync.
AGAIN = {"pk__in", "id__gt", "finished_at__range", "status__in"}


@pytest.fixture(autouse=True)
def _one_clock(moving: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tap live in the simulator's time."""
    monkeypatch.setattr("tap_cloudapis.dbt.runs._now", lambda: moving.advance(0))


class Warehouse(StreamWarehouse):
    stream = "dbt_runs"


def marks(state: Record | None) -> list[Record]:
    """The marks of the accounts, by account."""
    assert state is not None
    partitions = state["bookmarks"]["dbt_runs"]["partitions"]
    return [mark for partition in partitions for mark in partition["marks"].values()]


def test_every_life_of_a_run_is_followed_to_its_end(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    warehouse.assert_true(moving)
    was_open = {r["id"] for r in warehouse.rows.values() if r["status"] not in ENDED}
    cancelled_in_the_queue = 0
    for hours in (1, 5, 0, 12, 40, 3):
        moving.advance(hours * HOUR)
        outcome = warehouse.sync()
        warehouse.assert_true(moving)
        emitted = {r["id"] for r in outcome.records("dbt_runs")}
        assert was_open <= emitted
        was_open = {r["id"] for r in warehouse.rows.values() if r["status"] not in ENDED}
        assert was_open == {run_id for mark in marks(warehouse.state) for run_id in mark["open"]}
    for run in warehouse.rows.values():
        cancelled_in_the_queue += run["status"] == 30 and not run["finished_at"]
    assert cancelled_in_the_queue, "the world has none of the runs that a cursor misses"


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
def test_time_passes_while_a_sync_reads(after: int, moving: Simulator) -> None:
    """Runs end, and new ones appear, between two answers."""
    moving.settings(page_cap=20)
    moving.advance(HOUR, after_requests=after, path="/runs/")
    moving.advance(2 * HOUR, after_requests=after + 4, path="/runs/")
    warehouse = Warehouse(moving)
    warehouse.sync()
    first = dict(warehouse.rows)
    moving.advance(4 * HOUR, after_requests=after, path="/runs/")
    warehouse.sync()
    warehouse.sync()
    warehouse.assert_true(moving)
    assert first.keys() <= warehouse.rows.keys()


def test_a_quiet_sync_asks_for_little(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    moving.clear_requests()
    outcome = warehouse.sync()
    lists = [r for r in moving.requests() if r["stream"] == "dbt_runs"]
    assert len(lists) <= 4 * 2, "four lists for each of two accounts"
    assert all(AGAIN & r["query"].keys() for r in lists)
    assert len(outcome.records("dbt_runs")) < len(warehouse.rows) / 2


def test_flags_that_change_after_the_end_are_seen_in_the_look_back(moving: Simulator) -> None:
    careless = Warehouse(moving, lookback_hours=0)
    careful = Warehouse(moving, lookback_hours=48)
    careless.sync()
    careful.sync()
    for _ in range(40):
        moving.advance(HOUR)
        careless.sync()
        careful.sync()
        if careless.rows != careful.rows:
            break
    else:
        pytest.fail("no flag changed: this test shows nothing")
    careful.assert_true(moving)
    assert careless.rows.keys() == careful.rows.keys()


def test_bookmark_is_the_latest_end(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    assert warehouse.state is not None
    for partition in warehouse.state["bookmarks"]["dbt_runs"]["partitions"]:
        account = partition["context"]["account_id"]
        ends = [
            r["finished_at"]
            for r in warehouse.rows.values()
            if r["account_id"] == account and r["finished_at"]
        ]
        assert partition["replication_key"] == "finished_at"
        assert partition["replication_key_value"] == max(ends)


@pytest.mark.parametrize(
    "columns",
    [
        ["status", "is_complete", "created_at", "job_definition_id", "project_id"],
        ["status"],
        ["created_at"],
    ],
    ids=", ".join,
)
def test_columns_left_out_leave_the_marks_alone(columns: list[str], moving: Simulator) -> None:
    jobs = sorted({row["job_definition_id"] for row in moving.rows("dbt_runs")})[:3]
    more = {"start_date": "2026-06-01", "dbt_job_ids": jobs}
    whole, part = Warehouse(moving, **more), Warehouse(moving, **more)
    catalog = catalog_of(RUNS, dbt_runs=columns)
    for _ in range(2):
        whole.sync()
        outcome = part.sync(catalog)
        assert not set(columns) & outcome.records("dbt_runs")[0].keys()
        assert part.state == whole.state
        moving.advance(2 * HOUR)


def test_an_open_run_that_vanished_is_forgotten(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    for mark in marks(warehouse.state):
        mark["open"].append(17)
    warehouse.sync()
    assert not [mark for mark in marks(warehouse.state) if 17 in mark["open"]]


class TestStartDate:
    START = "2026-06-20T12:00:00Z"

    def expected(self, simulator: Simulator, start: str) -> set[int]:
        return {
            row["id"]
            for row in simulator.rows("dbt_runs")
            if row["created_at"] >= start or row["status"] not in ENDED
        }

    def ids(self, warehouse: Warehouse) -> set[int]:
        return {run_id for _, run_id in warehouse.rows}

    def test_runs_created_from_then_on_and_open_ones(self, moving: Simulator) -> None:
        warehouse = Warehouse(moving, start_date=self.START)
        warehouse.sync()
        expected = self.expected(moving, self.START)
        assert self.ids(warehouse) == expected
        assert len(expected) < len(moving.rows("dbt_runs"))

    def test_the_look_back_does_not_reach_behind_it(self, moving: Simulator) -> None:
        now = max(row["finished_at"] or "" for row in moving.rows("dbt_runs"))
        warehouse = Warehouse(moving, start_date=now, lookback_hours=240)
        warehouse.sync()
        opened = self.ids(warehouse)
        warehouse.sync()
        assert self.ids(warehouse) == opened
        moving.advance(3 * HOUR)
        warehouse.sync()
        later = {r["id"] for r in moving.rows("dbt_runs") if r["created_at"] >= now}
        assert self.ids(warehouse) == opened | later
        warehouse.sync()
        assert self.ids(warehouse) == opened | later

    def test_old_runs_that_are_open_are_followed_to_their_end(self, moving: Simulator) -> None:
        created = max(row["created_at"] for row in moving.rows("dbt_runs"))
        warehouse = Warehouse(moving, start_date=created)
        warehouse.sync()
        old = {r["id"] for r in warehouse.rows.values() if r["created_at"] < created}
        assert old, "no run was open: this test shows nothing"
        moving.advance(40 * HOUR)
        warehouse.sync()
        truth = {row["id"]: row for row in moving.rows("dbt_runs")}
        for run in warehouse.rows.values():
            assert run["status"] == truth[run["id"]]["status"]
        assert {r["id"] for r in truth.values() if r["created_at"] >= created} <= self.ids(
            warehouse
        )

    def test_moved_back_it_reads_the_earlier_history(self, moving: Simulator) -> None:
        warehouse = Warehouse(moving, start_date=self.START)
        warehouse.sync()
        earlier = "2026-05-01"
        warehouse.sync(start_date=earlier)
        assert self.expected(moving, earlier) <= self.ids(warehouse)
        warehouse.sync(start_date=None)
        warehouse.assert_true(moving)

    def test_moved_forward_it_reads_nothing_again(self, moving: Simulator) -> None:
        warehouse = Warehouse(moving)
        warehouse.sync()
        moving.clear_requests()
        warehouse.sync(start_date=self.START)
        queries = [r["query"] for r in moving.requests() if r["stream"] == "dbt_runs"]
        assert all(AGAIN & query.keys() for query in queries)
        warehouse.sync()
        warehouse.assert_true(moving)

    def test_moved_forward_and_back_it_loses_nothing_in_between(self, moving: Simulator) -> None:
        warehouse = Warehouse(moving)
        warehouse.sync()
        moving.advance(30 * HOUR)
        later = moving.advance(0)
        warehouse.sync(start_date=later)
        between = {r["id"] for r in moving.rows("dbt_runs")} - self.ids(warehouse)
        assert between, "no run came in between: this test shows nothing"
        warehouse.sync(start_date=None)
        warehouse.assert_true(moving)


class TestFilters:
    @pytest.fixture
    def jobs(self, moving: Simulator) -> list[int]:
        """The jobs of the runs, those with most runs first."""
        counts: dict[int, int] = {}
        for row in moving.rows("dbt_runs"):
            counts[row["job_definition_id"]] = counts.get(row["job_definition_id"], 0) + 1
        return sorted(counts, key=lambda job: -counts[job])

    def of_jobs(self, simulator: Simulator, jobs: list[int]) -> set[int]:
        rows = simulator.rows("dbt_runs")
        return {row["id"] for row in rows if row["job_definition_id"] in jobs}

    def ids(self, outcome: Outcome) -> set[int]:
        return {record["id"] for record in outcome.records("dbt_runs")}

    def test_jobs_are_filtered_by_the_server(self, moving: Simulator, jobs: list[int]) -> None:
        outcome = Warehouse(moving, dbt_job_ids=[jobs[0], str(jobs[1])]).sync()
        assert self.ids(outcome) == self.of_jobs(moving, jobs[:2])
        lists = [r["query"] for r in moving.requests() if r["stream"] == "dbt_runs"]
        assert {query.get("job_definition_id") for query in lists} == {str(j) for j in jobs[:2]}

    def test_projects_are_filtered_by_the_server(self, moving: Simulator) -> None:
        everything = Warehouse(moving).sync().records("dbt_runs")
        wanted = sorted({run["project_id"] for run in everything})[:2]
        moving.clear_requests()
        outcome = Warehouse(moving, dbt_project_ids=wanted).sync()
        expected = {run["id"] for run in everything if run["project_id"] in wanted}
        assert self.ids(outcome) == expected
        assert len(expected) < len(everything)
        lists = [r["query"] for r in moving.requests() if r["stream"] == "dbt_runs"]
        assert {query.get("project_id__in") for query in lists} == {str(wanted).replace(" ", "")}

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (slice(0, 1), slice(0, 3)),
            (slice(0, 3), slice(0, 1)),
            (slice(0, 2), slice(1, 4)),
            (slice(0, 2), slice(4, 6)),
            (slice(0, 2), None),
            (None, slice(0, 2)),
        ],
        ids=["wider", "narrower", "overlapping", "other", "removed", "added"],
    )
    def test_a_changed_filter_skips_no_history(
        self, before: slice | None, after: slice | None, moving: Simulator, jobs: list[int]
    ) -> None:
        chosen = [jobs if part is None else jobs[part] for part in (before, after)]
        given = [None if part is None else jobs[part] for part in (before, after)]
        warehouse = Warehouse(moving)
        warehouse.sync(dbt_job_ids=given[0])
        moving.advance(3 * HOUR)
        warehouse.sync(dbt_job_ids=given[1])
        expected = self.of_jobs(moving, chosen[1])
        found = {run_id: row for (_, run_id), row in warehouse.rows.items()}
        assert expected <= found.keys()
        truth = {row["id"]: row for row in moving.rows("dbt_runs")}
        for run_id in expected:
            assert found[run_id]["status"] == truth[run_id]["status"]
        moving.advance(8 * HOUR)
        warehouse.sync(dbt_job_ids=given[0])
        warehouse.sync(dbt_job_ids=None)
        warehouse.assert_true(moving)

    def test_narrowed_and_unchanged_filters_read_no_history_again(
        self, moving: Simulator, jobs: list[int]
    ) -> None:
        warehouse = Warehouse(moving)
        warehouse.sync()
        moving.clear_requests()
        for given in (jobs[:3], jobs[:3], jobs[:2]):
            warehouse.sync(dbt_job_ids=given)
        asked = [r for r in moving.requests() if r["stream"] == "dbt_runs"]
        lists = [r["query"] for r in asked if r["template"].endswith("/runs/")]
        assert all(AGAIN & query.keys() for query in lists)
        # The newest run that was read may be one of another job: it has to be there all the same.
        assert len(asked) - len(lists) <= 3 * 2


def test_accounts_are_filtered(moving: Simulator) -> None:
    accounts = [row["id"] for row in moving.rows("dbt_accounts")]
    outcome = Warehouse(moving, dbt_account_ids=[str(accounts[1])]).sync()
    assert {r["account_id"] for r in outcome.records("dbt_runs")} == {accounts[1]}


def test_durations_are_numbers_too(moving: Simulator) -> None:
    runs = Warehouse(moving).sync().records("dbt_runs")
    longest = max(runs, key=lambda run: run["duration_seconds"])
    hours, minutes, seconds = map(int, longest["duration"].split(":"))
    assert longest["duration_seconds"] == hours * 3600 + minutes * 60 + seconds
    assert hours >= 24, "the world has a run of more than a day"
