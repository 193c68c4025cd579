"""Runs, incidents and deployments of a small world, worked out by hand (`known.py`)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.models.tables import Row, one, utc

pytestmark = pytest.mark.slow


def job(ask: Any, number: int) -> Row:
    return one(ask, f"FROM dbt_cloud__jobs WHERE job_id = {number}")


def test_success_rate_is_of_runs_that_ended_in_the_window_well_or_badly(ask: Any) -> None:
    found = job(ask, 1)
    assert found["runs_30d"] == 6
    assert (found["succeeded_30d"], found["failed_30d"], found["cancelled_30d"]) == (4, 1, 1)
    assert found["success_rate_30d"] == pytest.approx(0.8)
    assert job(ask, 4)["success_rate_30d"] == 1
    (never,) = ask("FROM dbt_cloud__jobs WHERE job_id = 9")
    assert never["eventual_success_rate_30d"] == 1


def test_percentiles_are_of_runs_that_succeeded(ask: Any) -> None:
    few, many = job(ask, 1), job(ask, 2)
    assert few["p50_run_seconds_30d"] == 200  # of 100, 200, 200 and 400; not of the failed 5
    assert few["p95_run_seconds_30d"] is None
    assert many["p50_run_seconds_30d"] == pytest.approx(145)
    assert many["p95_run_seconds_30d"] == pytest.approx(230.5)  # 50, 60, ... 240
    assert many["p50_queue_seconds_30d"] == pytest.approx(30)


def test_run_hours_are_split_by_what_became_of_the_runs(ask: Any) -> None:
    found = job(ask, 3)
    kinds = [found[f"{kind}_run_hours_30d"] * 3600 for kind in ("useful", "failed", "retried")]
    assert kinds == pytest.approx([0, 120, 60])
    assert job(ask, 5)["ci_run_hours_30d"] * 3600 == pytest.approx(60)
    shares = ask("SELECT sum(share_of_run_hours) AS s FROM dbt_cloud__jobs GROUP BY account_id")
    assert [row["s"] for row in shares] == pytest.approx([1, 1])


def test_retries_are_attempts_of_one_run(ask: Any) -> None:
    runs = ask("FROM dbt_cloud__runs WHERE job_id = 3 ORDER BY run_id")
    assert [run["attempt"] for run in runs] == [1, 2, 3]
    assert {run["root_run_id"] for run in runs} == {runs[0]["run_id"]}
    assert [run["is_retry"] for run in runs] == [False, True, True]
    assert [run["is_last_attempt"] for run in runs] == [False, False, True]
    # A retry began for the reason that the first attempt did.
    assert {run["trigger_category"] for run in runs} == {"scheduled"}
    assert [run["is_flaky"] for run in runs] == [True, True, False]
    found = job(ask, 3)
    assert found["success_rate_30d"] == pytest.approx(1 / 3)
    assert (found["roots_30d"], found["eventual_success_rate_30d"]) == (1, 1)


def test_runs_cancelled_in_the_queue_have_waited_but_not_queued_to_the_end(ask: Any) -> None:
    runs = ask("FROM dbt_cloud__runs WHERE job_id = 4 AND outcome = 'cancelled' ORDER BY run_id")
    assert [run["cancelled_in"] for run in runs] == ["queue"] * 3
    # The first gave way to the next one; nothing came between the second and its end.
    assert [run["is_superseded"] for run in runs] == [True, False, False]
    assert [run["wait_seconds"] for run in runs] == [300, 120, None]
    assert {run["queue_seconds"] for run in runs} == {None}
    assert {run["run_seconds"] for run in runs} == {None}
    assert runs[2]["finished_at"] is None
    assert runs[2]["ended_at"] == utc("20 13:00")
    (waited,) = ask("FROM dbt_cloud__runs WHERE job_id = 4 AND wait_seconds = 350")
    assert waited["prep_seconds"] == 10
    assert waited["queue_seconds"] == 360


def test_an_open_streak_is_told_apart_from_those_that_ended(ask: Any) -> None:
    (streak,) = ask("FROM platform__incidents WHERE scope_id = '1/job/5'")
    assert streak["is_open"]
    assert streak["failed_attempts"] == 2
    assert streak["started_at"] == utc("30 8:01")
    assert streak["recovery_seconds"] is None
    assert streak["recovered_by"] is None
    assert streak["open_seconds"] == 2 * 86400 + 3 * 3600 + 59 * 60
    assert streak["first_message"] == "quota exceeded"
    # The success of a pull request's run mends nothing.
    assert (job(ask, 5)["health"], job(ask, 5)["consecutive_failures"]) == ("failing", 2)
    assert (job(ask, 6)["health"], job(ask, 6)["consecutive_failures"]) == ("broken", 3)
    assert job(ask, 6)["why"] == "failed 3 times in a row, last success 2026-10-20"


def test_time_to_recovery_is_from_the_end_of_the_first_failure_to_that_of_the_success(
    ask: Any,
) -> None:
    retried = one(ask, "FROM platform__incidents WHERE scope_id = '1/job/3'")
    assert (retried["recovered_by"], retried["recovery_seconds"]) == ("retry", 3600)
    again = one(ask, "FROM platform__incidents WHERE scope_id = '1/job/7'")
    assert (again["recovered_by"], again["recovery_seconds"]) == ("same commit later", 7200)
    stack = one(ask, "FROM platform__incidents WHERE scope_id = 'id-prod'")
    assert (stack["recovered_by"], stack["recovery_seconds"]) == ("new commit", 36000)
    assert (stack["first_message"], stack["who"]) == ("no quota", "ana")
    assert one(ask, "FROM platform__incidents WHERE scope_id = 'id-prod-eu'")["is_open"]


def test_a_deployment_is_the_first_run_of_a_commit_that_is_not_the_last_one(ask: Any) -> None:
    found = ask(
        "FROM platform__deployments WHERE scope_id = '1/environment/20' ORDER BY started_at"
    )
    # Neither the nightly run, nor the rerun, nor those of pull requests, nor what was cancelled.
    assert [(row["commit_sha"], row["result"]) for row in found] == [
        ("a", "SUCCESS"),
        ("b", "FAILURE"),
        ("c", "SUCCESS"),
        ("a", "SUCCESS"),
    ]
    assert [row["is_rework"] for row in found] == [False, False, True, False]
    ids = [row["deployment_id"] for row in found]
    before = [row["prev_success_deployment_id"] for row in found]
    assert before == [None, ids[0], ids[0], ids[2]]
    assert {row["environment"] for row in found} == {"PRODUCTION"}


def test_deployments_of_stacks_changed_something_or_failed(ask: Any) -> None:
    found = ask("FROM platform__deployments WHERE scope_id = 'id-prod' ORDER BY started_at")
    results = [row["deployment_id"].rpartition(":")[2] + row["result"] for row in found]
    assert results == ["1SUCCESS", "2FAILURE", "3SUCCESS", "5SUCCESS"]
    assert [row["is_rework"] for row in found] == [False, False, True, False]
    # The pull request was opened at 9:01, and its merge commit was there at 19:01.
    assert [row["lead_seconds"] for row in found] == [None, None, 36000, None]


def test_failed_deployments_count_once_and_weeks_without_any_are_zero(ask: Any) -> None:
    found = ask("FROM platform__dora_weekly WHERE scope_id = '1/environment/20' ORDER BY week")
    assert [row["week"] for row in found] == [
        date(2026, 10, 12),
        date(2026, 10, 19),
        date(2026, 10, 26),
    ]
    counts = [(row["deployments"], row["succeeded"], row["failed"], row["rework"]) for row in found]
    assert counts == [(4, 3, 1, 1), (0, 0, 0, 0), (0, 0, 0, 0)]
    # The run that ended on Monday in Berlin is the first one of "a", on one of three days.
    assert [row["deployment_days"] for row in found] == [3, 0, 0]
    assert (found[0]["recovered"], found[0]["p50_recovery_seconds"]) == (1, 7200)
    assert found[1]["p50_recovery_seconds"] is None


def test_days_are_those_of_the_zone_and_days_without_runs_have_zeros(ask: Any) -> None:
    (late,) = ask("FROM dbt_cloud__runs WHERE job_id = 8")
    assert late["ended_at"] == utc("11 22:30")
    assert late["ended_date"] == date(2026, 10, 12)
    assert late["ended_week"] == date(2026, 10, 12)
    assert (late["requested_hour_of_day"], late["requested_weekday"]) == (0, 1)
    days = ask(
        "FROM dbt_cloud__job_daily WHERE job_id = 7 AND trigger_category = 'api' ORDER BY day"
    )
    assert [row["day"] for row in days] == [date(2026, 10, 12) + timedelta(n) for n in range(6)]
    assert [row["runs"] for row in days] == [1, 1, 3, 1, 0, 1]
    assert [row["success_rate"] for row in days] == [1, 1, 0.5, 1, None, 1]
    assert days[4]["run_seconds"] == 0
    assert days[4]["p50_run_seconds"] is None


def test_the_hour_that_is_twice_is_twice_and_the_one_that_is_not_is_missing(ask: Any) -> None:
    hours_of = "FROM dbt_cloud__slots_hourly WHERE account_id = 2 AND"
    autumn = ask(f"{hours_of} day = '2026-10-25' ORDER BY hour_utc")
    found = [(row["hour"].hour, row["hour_utc"].hour) for row in autumn]
    assert found[:4] == [(0, 22), (1, 23), (2, 0), (2, 1)]
    busy = [row["running_seconds"] for row in autumn if row["running_seconds"]]
    assert busy == [3600, 3600]
    spring = ask(f"{hours_of} hour_utc < '2026-03-29 02:00' ORDER BY hour_utc")
    hours = [(row["hour"].hour, row["running_seconds"]) for row in spring]
    assert hours == [(1, 1800), (3, 1800)]


def test_slots_are_in_use_at_once(ask: Any) -> None:
    ten, eleven = ask(
        "FROM dbt_cloud__slots_hourly WHERE account_id = 2 AND day = '2026-10-20' "
        "AND hour_of_day IN (12, 13) ORDER BY hour"
    )
    assert ten["hour_utc"] == utc("20 10:00")
    assert (ten["max_running"], ten["saturated_minutes"]) == (2, 30)
    assert (ten["max_queued"], ten["waited_seconds"]) == (1, 1200)
    assert ten["avg_running"] == pytest.approx(1.5)
    assert (eleven["max_running"], eleven["saturated_minutes"]) == (2, 10)
    assert (eleven["max_queued"], eleven["waited_seconds"]) == (0, 0)
    # Of a run that never gets an end, nobody knows how long it has waited.
    (lost,) = ask(
        "FROM dbt_cloud__slots_hourly WHERE account_id = 1 AND hour_utc = '2026-10-20 13:00'"
    )
    assert (lost["max_queued"], lost["waited_seconds"]) == (0, 0)
