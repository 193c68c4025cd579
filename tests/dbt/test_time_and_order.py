"""Time and order are not trusted: runs seen late, runs missed once, marks that people move."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import cut_after, every_state
from tests.dbt.scripted import (
    ALL,
    CANCELLED,
    RUNNING,
    RUNS,
    Dbt,
    Syncs,
    ago,
    cancel,
    run,
    waiting,
)
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_cloudapis.tap import TapCloudAPIs
    from tests.core.syncing import Record

BOOKMARK = "replication_key_value"


def stamp(**units: float) -> str:
    """A moment before now as it stands in the state."""
    return f"{datetime.now(UTC) - timedelta(**units):%Y-%m-%dT%H:%M:%S.%f}Z"


def ended_now(status: int) -> Record:
    """A run that ends while the test runs, whenever that is."""
    return {"status": status, "is_complete": True, "finished_at": ago(seconds=5)}


LATE: dict[str, Callable[[], Record]] = {
    "queued": dict,
    "running": lambda: {"status": RUNNING, "started_at": ago()},
    "cancelled in the queue": lambda: {"status": CANCELLED, "is_complete": True},
    "ended": lambda: ended_now(10),
    "cancelled": lambda: ended_now(CANCELLED),
}


class TestSeenLate:
    @pytest.mark.parametrize("hours", [0, 24])
    @pytest.mark.parametrize("late", LATE.values(), ids=LATE)
    def test_a_run_below_the_mark_is_read_and_followed(
        self, late: Callable[[], Record], hours: int
    ) -> None:
        dbt = Dbt([run(1000), waiting(1002), run(1003, hours=0.6)])
        syncs = Syncs(dbt, lookback_hours=hours)
        syncs.sync()
        for row in dbt.runs[1:]:
            cancel(row)
        dbt.runs.append(waiting(1001, **{"created_at": ago(seconds=30), **late()}))
        found = syncs.sync()
        assert found.count(1001) == 1
        syncs.assert_true()
        assert (1001 in syncs.part["marks"][""]["open"]) is (not dbt.runs[-1]["is_complete"])
        cancel(dbt.runs[-1])
        syncs.sync()
        syncs.assert_true()
        assert syncs.part["marks"][""]["open"] == []

    def test_it_may_have_been_created_long_before_newer_ones(self) -> None:
        dbt = Dbt([run(1000), *(run(i, hours=3) for i in range(1002, 1300))])
        syncs = Syncs(dbt)
        syncs.sync()
        dbt.runs.append(waiting(1001, created_at=ago(hours=4)))
        assert 1001 in syncs.sync()

    def test_it_costs_one_list_and_no_row(self) -> None:
        dbt = Dbt([*(run(i, hours=40) for i in range(1, 400)), run(400, hours=2), waiting(401)])
        syncs = Syncs(dbt)
        syncs.sync()
        assert syncs.sync() == [401, 400]
        lists = [sorted(query.keys() & ALL) for _, query in syncs.requests]
        assert sorted(lists) == [
            ["created_at__range", "status__in"],
            ["finished_at__range"],
            ["id__gt"],
            ["pk__in"],
        ]

    def test_one_seen_while_the_lists_are_read_comes_once(self) -> None:
        """In the list by ids and in the one of those without an end."""
        dbt = Dbt([run(1000), waiting(1001), waiting(1002)])
        syncs = Syncs(dbt)
        syncs.sync()
        cancel(dbt.runs[1])
        assert syncs.sync() == [1001, 1002, 1000]

    @pytest.mark.parametrize(
        "ignored",
        [{"status__in"}, {"created_at__range"}, {"status__in", "created_at__range"}, ALL],
        ids=["status", "created", "both", "all"],
    )
    def test_a_server_that_ignores_parameters_gives_no_row_more(self, ignored: set[str]) -> None:
        rows = [run(i, hours=70) for i in range(1, 150)]
        cancelled = [waiting(i, created_at=ago(hours=60)) for i in (150, 151)]
        for row in cancelled:
            cancel(row)
        dbt = Dbt([*rows, *cancelled, run(160, hours=1)], heeds=ALL - ignored)
        syncs = Syncs(dbt)
        syncs.sync()
        dbt.runs.append(waiting(155, created_at=ago(hours=1)))
        assert syncs.sync() == [160, 155]
        cancel(dbt.runs[-1])
        syncs.sync()
        syncs.assert_true()

    def test_a_server_that_rejects_the_list_is_said(self) -> None:
        dbt = Dbt([run(1000)], rejects=frozenset({"status__in", "created_at__range"}))
        syncs = Syncs(dbt)
        syncs.sync()
        dbt.runs.append(run(1001))
        assert 1001 in syncs.sync()
        assert [line for line in syncs.warnings if "late ones may be missed" in line]

    def test_runs_from_before_the_start_date_are_not_read(self) -> None:
        dbt = Dbt([run(1000, hours=1)])
        syncs = Syncs(dbt, start_date=stamp(hours=2))
        syncs.sync()
        dbt.runs.append(waiting(999, created_at=ago(hours=3)))
        assert syncs.sync() == [1000]

    def test_filters_of_jobs_have_lists_of_their_own(self) -> None:
        dbt = Dbt([run(1000), run(1003, job_definition_id=32)])
        syncs = Syncs(dbt, dbt_job_ids=[31, 32])
        syncs.sync()
        late = [waiting(1001, job_definition_id=32), waiting(1002, job_definition_id=33)]
        dbt.runs += late
        assert set(syncs.sync()) == {1000, 1001, 1003}

    @pytest.mark.parametrize("after", [1, 2, 3])
    def test_a_sync_that_is_cut_goes_on(self, after: int) -> None:
        dbt = Dbt([run(1000), waiting(1003), run(1006, hours=1)])
        syncs = Syncs(dbt)
        syncs.sync()
        dbt.runs += [waiting(1001), waiting(1004), run(1005, hours=0.7), run(1007, hours=0.6)]
        for row in dbt.runs[1:4]:
            cancel(row)
        syncs.sync(code=143, prepare=cut_after(after, RUNS))
        assert len(syncs.outcome.records(RUNS)) == after
        syncs.sync()
        syncs.assert_true()


class TestMissingOnce:
    def test_an_open_run_stays_open_until_its_own_address_says_it_is_gone(self) -> None:
        dbt = Dbt([run(1000), waiting(1001), waiting(1002)])
        syncs = Syncs(dbt)
        syncs.sync()
        assert syncs.alone == []
        dbt.hidden = {1001}
        assert 1001 in syncs.sync()
        assert syncs.alone == [1001]
        dbt.hidden = set()
        for row in dbt.runs[1:]:
            cancel(row)
        assert {1001, 1002} <= set(syncs.sync())
        assert syncs.alone == []
        syncs.assert_true()

    def test_one_that_is_gone_is_forgotten(self) -> None:
        dbt = Dbt([run(1000), waiting(1001), waiting(1002)])
        syncs = Syncs(dbt)
        syncs.sync()
        del dbt.runs[1]
        syncs.sync()
        assert syncs.alone == [1001]
        assert syncs.part["marks"][""]["open"] == [1002]
        syncs.sync()
        assert syncs.alone == []

    def test_one_that_passes_the_filter_no_more_is_forgotten(self) -> None:
        dbt = Dbt([run(1000), waiting(1001), waiting(1002)])
        syncs = Syncs(dbt, dbt_project_ids=[11])
        syncs.sync()
        dbt.runs[1]["project_id"] = 12
        syncs.sync()
        assert syncs.part["marks"]["projects=11"]["open"] == [1002]

    @pytest.mark.parametrize("status", [403, 418])
    def test_a_refusal_or_failure_at_its_address_forgets_nothing(self, status: int) -> None:
        dbt = Dbt([run(1000), waiting(1001)])
        syncs = Syncs(dbt)
        syncs.sync()
        before = syncs.part
        dbt.hidden = {1001}
        address = "/api/v2/accounts/1/runs/1001/"
        dbt.answers[address] = Reply({"status": {}}, status=status)
        syncs.sync(code=1)
        assert syncs.part == before
        dbt.answers.clear()
        assert 1001 in syncs.sync()

    @pytest.mark.parametrize("answer", [{"data": None}, {}, {"data": {"id": 7}}], ids=str)
    def test_an_answer_of_another_shape_is_an_error_in_one_line(self, answer: Any) -> None:
        dbt = Dbt([run(1000), waiting(1001)])
        syncs = Syncs(dbt)
        syncs.sync()
        dbt.hidden = {1001}
        dbt.answers["/api/v2/accounts/1/runs/1001/"] = answer
        syncs.sync(code=1)
        assert len(syncs.outcome.logged("ERROR", "account 1", "run 1001")) == 1


class TestBookmark:
    def synced(self, **settings: Any) -> Syncs:
        dbt = Dbt([run(i, hours=24 * (11 - i)) for i in range(1, 11)])
        cancelled = waiting(5, created_at=ago(days=6))
        cancel(cancelled)
        dbt.runs[4] = cancelled
        syncs = Syncs(dbt, **settings)
        syncs.sync()
        return syncs

    def test_moved_back_it_is_honoured_once(self) -> None:
        syncs = self.synced()
        stands = syncs.part[BOOKMARK]
        syncs.part[BOOKMARK] = stamp(days=6, hours=12)
        assert syncs.sync() == [4, 6, 7, 8, 9, 10, 5]
        (line,) = [line for line in syncs.warnings if BOOKMARK in line]
        assert all(word in line for word in (RUNS, "account 1", "moved back"))
        assert syncs.part[BOOKMARK] == stands == syncs.part["marks"][""]["finished_at"]
        assert syncs.sync() == [10]
        assert not syncs.warnings

    @pytest.mark.parametrize("after", [1, 3])
    def test_moved_back_it_is_honoured_by_a_sync_that_is_cut(self, after: int) -> None:
        syncs = self.synced()
        syncs.part[BOOKMARK] = stamp(days=6, hours=12)
        syncs.sync(code=143, prepare=cut_after(after, RUNS))
        assert syncs.sync() == [4, 6, 7, 8, 9, 10, 5]
        assert not syncs.warnings
        assert syncs.sync() == [10]

    @pytest.mark.parametrize(
        "told", ["2020-01-01", "2020-01-01 00:00:00+02:00", 1_577_836_800, "0002-01-01T00:00:00Z"]
    )
    def test_in_any_form_of_a_time(self, told: Any) -> None:
        syncs = self.synced()
        syncs.part[BOOKMARK] = told
        syncs.sync(code=143, prepare=cut_after(1, RUNS))
        assert set(syncs.sync()) == set(range(1, 11))
        assert not syncs.warnings, "it was said when it began"

    def test_moved_forward_the_marks_count(self) -> None:
        syncs = self.synced()
        syncs.part[BOOKMARK] = stamp(hours=-2)
        assert syncs.sync() == [10]
        assert len([line for line in syncs.warnings if "moved forward" in line]) == 1
        syncs.sync()
        assert not syncs.warnings

    @pytest.mark.parametrize("told", ["yesterday", "", {"a": 1}, [1], True, 10**30])
    def test_unreadable_it_is_ignored(self, told: Any) -> None:
        syncs = self.synced()
        syncs.part[BOOKMARK] = told
        assert syncs.sync() == [10]
        assert len([line for line in syncs.warnings if "no timestamp" in line]) == 1
        assert syncs.sync() == [10]
        assert not syncs.warnings

    def test_taken_away_it_comes_again(self) -> None:
        syncs = self.synced()
        stands = syncs.part.pop(BOOKMARK)
        assert syncs.sync() == [10]
        assert not syncs.warnings
        assert syncs.part[BOOKMARK] == stands

    def test_a_full_table_needs_none(self) -> None:
        syncs = self.synced()
        syncs.part[BOOKMARK] = stamp(days=6)

        def full(tap: TapCloudAPIs) -> None:
            tap.streams[RUNS].forced_replication_method = "FULL_TABLE"

        assert len(syncs.sync(prepare=full)) == 10

    @pytest.mark.parametrize("cut_at", [None, 1, 2])
    @pytest.mark.parametrize(
        "changes",
        [
            [{"dbt_job_ids": [31]}, {"dbt_job_ids": [31, 32]}, {"dbt_job_ids": [32]}, {}],
            [{}, {"dbt_project_ids": [12]}, {"dbt_project_ids": [11, 12]}],
            [{"start_date": "2026-01-01"}, {}, {"start_date": "2099-01-01"}, {}],
            [{"lookback_hours": 0}, {"lookback_hours": 500}],
        ],
        ids=["jobs", "projects", "start", "look-back"],
    )
    def test_nothing_is_said_where_nobody_edits(
        self, changes: list[Record], cut_at: int | None
    ) -> None:
        """Every STATE, of cut syncs too, has the bookmark stand where the marks stand."""
        dbt = Dbt([run(i, hours=200 - i, job_definition_id=31 + i % 2) for i in range(1, 20)])
        syncs = Syncs(dbt)
        syncs.sync()
        for number, change in enumerate(changes):
            for after in (cut_at, None):
                dbt.runs.append(run(len(dbt.runs) + 1, hours=50 - number, project_id=12))
                prepare = cut_after(after, RUNS) if after else every_state
                syncs.sync(code=None, prepare=prepare, **change)
                assert not syncs.outcome.logged(BOOKMARK)
                for state in syncs.outcome.states:
                    for part in state["bookmarks"].get(RUNS, {}).get("partitions", []):
                        ends = [mark["finished_at"] for mark in part.get("marks", {}).values()]
                        assert part.get(BOOKMARK, min(ends, default="")) == min(ends, default="")


def spaced(count: int) -> list[Record]:
    """Runs with days between them, so that a look-back reaches the last one only."""
    return [run(i, hours=48 * (count + 1 - i)) for i in range(1, count + 1)]


class TestAnotherDeployment:
    def test_marks_that_cannot_be_are_left_and_said_once(self) -> None:
        syncs = Syncs(Dbt([run(9000 + i, hours=9 - i) for i in range(1, 6)]))
        syncs.sync()
        syncs.dbt = Dbt([run(i, hours=100 - i) for i in range(1, 6)])
        assert syncs.sync() == [1, 2, 3, 4, 5]
        assert syncs.alone == [9005]
        (line,) = [line for line in syncs.warnings if "9005" in line]
        assert all(word in line for word in (RUNS, "account 1", "deployment", "deleted"))
        syncs.sync()
        assert not syncs.warnings
        assert syncs.alone == []

    def test_an_account_without_runs(self) -> None:
        syncs = Syncs(Dbt([run(9001), waiting(9002)]))
        syncs.sync()
        syncs.dbt = Dbt([])
        for warnings in (1, 0, 0):
            assert syncs.sync() == []
            assert len([line for line in syncs.warnings if "9002" in line]) == warnings
        syncs.dbt.runs = [run(1)]
        assert syncs.sync() == [1]

    def test_a_quiet_account_costs_nothing_more(self) -> None:
        syncs = Syncs(Dbt(spaced(5)))
        syncs.sync()
        for _ in range(2):
            assert syncs.sync() == [5]
            assert syncs.alone == []
            assert not syncs.warnings

    def test_the_newest_run_that_a_list_lacks_for_a_moment_is_no_reason(self) -> None:
        syncs = Syncs(Dbt(spaced(5)))
        syncs.sync()
        syncs.dbt.hidden = {5}
        assert syncs.sync() == []
        assert syncs.alone == [5]
        assert not syncs.warnings

    def test_the_newest_run_deleted_reads_once_from_the_start(self) -> None:
        syncs = Syncs(Dbt(spaced(5)))
        syncs.sync()
        del syncs.dbt.runs[-1]
        assert syncs.sync() == [1, 2, 3, 4]
        assert syncs.sync() == [4]
        assert not syncs.warnings

    def test_the_newest_run_deleted_with_newer_ones_there_is_no_reason(self) -> None:
        syncs = Syncs(Dbt(spaced(5)))
        syncs.sync()
        syncs.dbt.runs[-1] = run(6, hours=4)
        assert syncs.sync() == [6]
        assert not syncs.warnings

    @pytest.mark.parametrize("status", [403, 402])
    def test_an_address_that_is_refused_tells_nothing(self, status: int) -> None:
        syncs = Syncs(Dbt(spaced(5)))
        syncs.sync()
        syncs.dbt.hidden = {5}
        reply = Reply({"status": {}}, status=status)
        syncs.dbt.answers["/api/v2/accounts/1/runs/5/"] = reply
        assert syncs.sync() == []
        assert not syncs.warnings

    def test_filters_of_jobs_and_projects(self) -> None:
        """A quiet job is no reason; where no filter has its newest run, one request tells."""
        jobs = {"dbt_job_ids": [31, 32], "dbt_project_ids": [11]}
        rows = [{**row, "job_definition_id": 31 + row["id"] % 3} for row in spaced(9)]
        syncs = Syncs(Dbt(rows), **jobs)
        syncs.sync()
        del syncs.dbt.runs[6]  # the newest one of job 32
        assert syncs.sync() == [9]
        assert syncs.alone == []
        assert not syncs.warnings
        syncs.dbt = Dbt([run(i, hours=900 - i, job_definition_id=31 + i % 3) for i in (1, 2, 3, 4)])
        assert set(syncs.sync()) == {1, 3, 4}
        assert syncs.alone == [9]
        assert len([line for line in syncs.warnings if "deployment" in line]) == 1
        syncs.sync()
        assert not syncs.warnings

    def test_a_narrowed_filter_does_not_doubt_marks_that_it_was_lent(self) -> None:
        rows = [{**row, "job_definition_id": 31 + row["id"] % 2} for row in spaced(9)]
        syncs = Syncs(Dbt(rows))
        syncs.sync()
        assert syncs.sync(dbt_job_ids=[31]) == []
        assert syncs.alone == [9]
        assert not syncs.warnings

    @pytest.mark.parametrize("after", [1, 3])
    def test_a_sync_that_is_cut_goes_on(self, after: int) -> None:
        syncs = Syncs(Dbt([run(9001)]))
        syncs.sync()
        syncs.dbt = Dbt([run(i, hours=100 - i) for i in range(1, 6)])
        syncs.sync(code=143, prepare=cut_after(after, RUNS))
        assert syncs.sync() == list(range(after + 1, 6))
        syncs.assert_true()

    def test_the_state_is_no_older_than_what_was_read(self) -> None:
        syncs = Syncs(Dbt([run(9001)]))
        syncs.sync()
        before = copy.deepcopy(syncs.part)
        syncs.dbt = Dbt([run(1, hours=100)])
        syncs.sync()
        assert syncs.part["marks"][""]["last_id"] == 1
        assert syncs.part[BOOKMARK] == syncs.part["marks"][""]["finished_at"] != before[BOOKMARK]
