"""Steps, results, freshness, commands and files of ended runs: all, once, and as they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core.budget import Budget
from tests.conftest import reset
from tests.core.syncing import cut_after
from tests.dbt.run_details import (
    ALL,
    FILES,
    FRESHNESS,
    HOUR,
    INVOCATIONS,
    RESULTS,
    STEPS,
    Warehouse,
)
from tests.simulator_process import END_OF_HISTORY, SECRET_MARKER, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

WORLD: dict[str, Any] = {"seed": 5, "dbt_jobs": 13, "dbt_runs": 90}


@pytest.fixture(scope="module")
def _world() -> Iterator[Simulator]:
    with Simulator(now=END_OF_HISTORY, **WORLD) as simulator:
        yield simulator


@pytest.fixture
def warehouse(_world: Simulator) -> Iterator[Warehouse]:
    yield Warehouse(_world)
    reset(_world)


def test_all_that_runs_have_left(warehouse: Warehouse) -> None:
    outcome = warehouse.sync()
    warehouse.assert_true()
    statuses = {row["status"] for row in warehouse.rows[RESULTS].values()}
    assert statuses >= {"success", "error", "skipped", "pass", "fail", "reused", "no-op"}
    versions = {row["schema_version"] for row in warehouse.rows[INVOCATIONS].values()}
    assert versions >= {"v1", "v2", "v3", "v4", "v5", "v6"}
    assert 0 in {row["step"] for row in warehouse.rows[RESULTS].values()}, "runs without steps"
    assert not any("compiled_code" in row for row in warehouse.rows[RESULTS].values())
    assert SECRET_MARKER not in b"".join(outcome.lines).decode()
    assert not outcome.says(SECRET_MARKER)
    warehouse.sync()
    assert not warehouse.asked("/runs/{run}/"), "nothing is read twice"
    assert not warehouse.asked("run_results.json")
    assert not warehouse.asked("/artifacts/")


def test_files_that_come_late_and_runs_that_end_meanwhile() -> None:
    with Simulator(now="2026-07-20T00:00:00Z", **WORLD) as future:
        ends = sorted(row["finished_at"] or "" for row in future.rows("dbt_runs"))
    had_to_wait = False
    with Simulator(now=END_OF_HISTORY, **WORLD) as simulator:
        warehouse = Warehouse(simulator)
        for end in [end for end in ends if end > END_OF_HISTORY][:12]:
            simulator.move_to(end)
            # Files may come a minute after the end.
            for seconds in (5, 90):
                warehouse.advance(seconds)
                warehouse.sync()
                warehouse.assert_true()
                open_runs = warehouse.waiting(STEPS).keys()
                had_to_wait |= bool(warehouse.waiting(RESULTS).keys() - open_runs)
    assert had_to_wait, "no file came late"


def test_a_stream_that_is_selected_later_catches_up(warehouse: Warehouse) -> None:
    for chosen in ((STEPS,), (STEPS, RESULTS), ALL):
        warehouse.advance(HOUR)
        warehouse.sync(*chosen)
        warehouse.assert_true(*chosen)
    warehouse.advance(HOUR)
    warehouse.sync()
    warehouse.assert_true()


@pytest.mark.parametrize("after", [1, 40, 400])
def test_a_sync_that_is_cut_goes_on(after: int, warehouse: Warehouse) -> None:
    warehouse.sync(prepare=cut_after(after, RESULTS), code=143)
    warehouse.sync()
    for name in ALL:
        again = [key for key, times in warehouse.times[name].items() if times > 1]
        assert len({key[1] for key in again}) <= 1, "but for the run that was cut"
        warehouse.times[name].clear()
    warehouse.assert_true()


def test_a_run_is_asked_for_once_for_all_streams(warehouse: Warehouse) -> None:
    warehouse.sync()
    for ending in ("/runs/{run}/", "/artifacts/"):
        asked = warehouse.asked(ending)
        assert asked
        assert len(asked) == len(set(asked))
    files = [r for r in warehouse.requests if "json" in r["path"]]
    assert files
    told = {(r["path"], r["query"].get("step")) for r in files}
    assert len(told) == len(files)


def test_a_walk_ends_after_so_many_runs_and_goes_on(warehouse: Warehouse) -> None:
    outcome = warehouse.sync(dbt_run_details_max_runs=30)
    assert outcome.logged("WARNING", "dbt_run_details_max_runs", "goes on from there")
    assert len(warehouse.asked("/runs/{run}/")) == 2 * 30, "of each account"
    for _ in range(12):
        outcome = warehouse.sync(dbt_run_details_max_runs=30)
        if not outcome.says("dbt_run_details_max_runs"):
            break
    warehouse.assert_true()


def test_how_far_the_history_goes_back(warehouse: Warehouse) -> None:
    created = {row["id"]: row["created_at"] for row in warehouse.simulator.rows("dbt_runs")}
    with_steps = {row["run_id"] for row in warehouse.simulator.rows(STEPS)}
    now = datetime.fromisoformat(warehouse.simulator.advance(0))
    for days, by_start in ((20, False), (50, True)):
        day = f"{now - timedelta(days=days):%Y-%m-%d}"
        chosen = {"start_date": day} if by_start else {"dbt_run_details_days": days}
        outcome = warehouse.sync(**chosen)
        assert outcome.says(STEPS, f"since {day} (dbt_run_details_days") is not by_start
        runs = {key[1] for key in warehouse.rows[STEPS]}
        assert runs == {run for run in with_steps if created[run] >= day}


def test_statuses_and_filters_narrow_what_is_read(warehouse: Warehouse) -> None:
    runs = {row["id"]: row for row in warehouse.simulator.rows("dbt_runs")}
    projects = sorted({row["project_id"] for row in runs.values()})[:2]
    warehouse.sync(dbt_run_statuses=["error"], dbt_project_ids=projects)
    expected = {
        row["run_id"]
        for row in warehouse.simulator.rows(STEPS)
        if runs[row["run_id"]]["status"] == 20 and row["project_id"] in projects
    }
    assert expected
    assert {key[1] for key in warehouse.rows[STEPS]} == expected
    assert set(warehouse.asked("/runs/{run}/")) == expected


def test_settings_say_what_is_kept(warehouse: Warehouse) -> None:
    warehouse.sync(
        dbt_include_sql=True,
        dbt_include_logs="full",
        dbt_all_artifact_paths=True,
        dbt_run_results_commands=["test", "docs generate"],
    )
    results = warehouse.rows[RESULTS].values()
    assert {row["command_verb"] for row in results} == {"test", "docs generate"}
    assert any(row.get("compiled_code") for row in results)
    assert {row["kind"] for row in warehouse.rows[FILES].values()} >= {"compiled", "run"}
    assert any(row["debug_logs"] for row in warehouse.rows[STEPS].values())
    tail = warehouse.sync(STEPS, dbt_include_logs="tail", start_date="2020-01-01")
    kept = {name for row in tail.records(STEPS) for name in row if "logs" in name}
    assert kept == {"truncated_debug_logs"}


def test_what_sources_were_like(warehouse: Warehouse) -> None:
    warehouse.sync(FRESHNESS)
    found = warehouse.rows[FRESHNESS].values()
    assert {row["status"] for row in found} >= {"pass", "warn", "error"}
    assert not warehouse.asked("run_results.json")


@pytest.mark.parametrize(
    ("template", "streams"),
    [
        ("run_results", {RESULTS, INVOCATIONS}),
        ("sources", {FRESHNESS, INVOCATIONS}),
        ("artifacts/", {FILES}),
    ],
)
@pytest.mark.parametrize("status", [403, 404])
def test_files_that_may_not_be_read(
    template: str, streams: set[str], status: int, warehouse: Warehouse
) -> None:
    ending = f"{template}.json$" if template != "artifacts/" else "artifacts/$"
    warehouse.simulator.faults([{"path": ending, "status": status, "times": 100_000}])
    outcome = warehouse.sync()
    for name in ALL:
        warnings = outcome.logged("WARNING", f"{name}: skipped")
        assert bool(warnings) is (name in streams), name
        if name in streams:
            assert not any(mark["waiting"] or mark["settled"] for mark in warehouse.marks(name))
        else:
            warehouse.assert_true(name)
    warehouse.simulator.clear_faults()
    warehouse.sync()
    for name in ALL:
        warehouse.times[name].clear()
    warehouse.assert_true()


@pytest.mark.parametrize("over_cap", ["clamp", "reject"])
def test_runs_that_end_while_others_are_read(over_cap: str, warehouse: Warehouse) -> None:
    warehouse.simulator.settings(page_cap=10, over_cap=over_cap)
    warehouse.sync()
    warehouse.assert_true()
    for after in (3, 20, 60):
        warehouse.advance(30 * HOUR)
        before = warehouse.simulator.advance(0)
        warehouse.simulator.advance(9 * HOUR, after_requests=after)
        warehouse.sync()
        assert warehouse.simulator.advance(0) > before, "time has passed meanwhile"
        warehouse.sync()
        warehouse.assert_true()


def test_a_second_sync_costs_what_has_changed(warehouse: Warehouse) -> None:
    warehouse.sync()
    first = len(warehouse.requests)
    warehouse.sync()
    unchanged = len(warehouse.requests)
    before = {key[1] for key in warehouse.rows[STEPS]}
    warehouse.advance(40 * HOUR)
    warehouse.sync()
    ended = {key[1] for key in warehouse.rows[STEPS]} - before
    assert ended
    # Accounts, and two lists of each.
    assert unchanged <= 1 + 2 * 2 < first
    details = warehouse.asked("/runs/{run}/")
    assert set(details) >= ended
    steps = [key for key in warehouse.rows[STEPS] if key[1] in ended]
    assert len(warehouse.requests) <= unchanged + len(details) * 2 + len(steps) + 2


def test_large_files_are_not_held_side_by_side_without_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Simulator(now=END_OF_HISTORY, dbt_large_mb=2, dbt_steps=3, **WORLD) as simulator:
        held = []
        monkeypatch.setattr("tap_cloudapis.dbt.walk.MOST_HELD", 3_000_000)
        change = Budget.change

        def watched(budget: Budget, *told: Any, **more: Any) -> None:
            change(budget, *told, **more)
            held.append(budget._held)

        monkeypatch.setattr(Budget, "change", watched)
        warehouse = Warehouse(simulator, concurrency=16)
        warehouse.sync()
        warehouse.assert_true()
    assert max(held) > 2_000_000
    assert max(held) < 3_000_000 + 3 * 2_100_000, "but for those of the run that is read"
    assert held[-1] == 0, "all was dropped in the end"
