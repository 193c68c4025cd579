"""Stacks, drift, nodes, tests and sources of a small world, worked out by hand (`known.py`)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.models.tables import one, utc

pytestmark = pytest.mark.slow


def stack(ask: Any, name: str) -> dict[str, Any]:
    return one(ask, f"FROM pulumi_cloud__stacks WHERE stack_id = 'id-{name}'")


def test_a_replacement_counts_once_however_it_is_told(ask: Any) -> None:
    found = ask("FROM pulumi_cloud__updates WHERE stack_id IN ('id-prod', 'id-old') ORDER BY ALL")
    counts = {(row["stack_name"], row["version"]): row["changed"] for row in found}
    assert counts == {
        ("prod", 1): 3,
        ("prod", 2): 0,
        ("prod", 3): 1,
        ("prod", 4): 0,
        ("prod", 5): 1,
        ("old", 1): 2,
    }
    noops = [row["version"] for row in found if row["is_noop"]]
    assert noops == [4]
    after = [row["version"] for row in found if row["after_failure"]]
    assert after == [3]
    third = next(row for row in found if row["version"] == 3)
    assert (third["previous_version"], third["hours_since_previous"]) == (2, 10)


def test_who_changes_a_stack(ask: Any) -> None:
    prod = stack(ask, "prod")
    assert prod["is_production"]
    assert (prod["succeeded_90d"], prod["failed_90d"]) == (4, 1)
    assert (prod["ci_updates_90d"], prod["clicks_90d"], prod["dirty_updates_90d"]) == (1, 3, 1)
    assert prod["ci_share_90d"] == 0.25
    dev = stack(ask, "dev")
    assert not dev["is_production"]
    assert (dev["actors_365d"], dev["main_actor"], dev["main_actor_share"]) == (2, "ana", 0.8)
    assert dev["bus_factor_365d"] == 1


def test_what_becomes_of_stacks(ask: Any) -> None:
    states = {name: stack(ask, name)["staleness"] for name in ("prod", "old", "gone", "new")}
    assert states == {
        "prod": "active",
        "old": "stale",
        "gone": "destroyed",
        "new": "never updated",
    }
    assert stack(ask, "old")["age_days"] == pytest.approx(134.125)
    assert stack(ask, "prod")["p50_seconds_90d"] == 60
    grown = ask("FROM pulumi_cloud__stack_daily WHERE stack_id = 'id-prod' ORDER BY day")
    assert [row["resource_delta"] for row in grown] == [3, 0, 1]
    assert [row["resources_before"] for row in grown] == [0, 0, 0]
    # What is known begins later: the first update has made one of the three.
    later = ask("FROM pulumi_cloud__stack_daily WHERE stack_id = 'id-dev' ORDER BY day")
    assert [row["resources_before"] for row in later] == [2, 0, 0, 0, 0]
    assert [row["resource_delta"] for row in later] == [1, 0, 0, 0, 0]
    assert [(row["updates"], row["failed"]) for row in grown] == [(3, 1), (1, 0), (1, 0)]


def test_drift_since_the_last_clean_check(ask: Any) -> None:
    found = {row["stack_name"]: row for row in ask("FROM pulumi_cloud__drift")}
    prod = found["prod"]
    assert (prod["state"], prod["is_drifted"], prod["drifted_resources"]) == ("drifted", True, 2)
    assert prod["drifted_since"] == utc("27 8:00")
    # A check that failed has not looked.
    assert prod["last_checked_at"] == utc("28 8:00")
    assert (prod["checks_30d"], prod["drifted_30d"], prod["failed_checks_30d"]) == (3, 2, 1)
    assert (found["dev"]["state"], found["dev"]["drifted_since"]) == ("clean", None)
    assert found["old"]["state"] == "unknown"
    assert found["gone"]["state"] == "never checked"
    assert found["gone"]["is_drifted"] is None


def test_a_regression_is_seen_against_the_same_weekday(ask: Any) -> None:
    day = one(
        ask,
        "FROM dbt_cloud__model_daily WHERE node_name = 'orders' AND day = '2026-10-23'",
    )
    assert (day["executions"], day["succeeded"], day["failed"], day["skipped"]) == (3, 2, 1, 1)
    assert (day["full_refreshes"], day["p50_seconds"]) == (1, 16)
    assert (day["baseline_seconds"], day["baseline_days"]) == (10, 3)
    assert day["ratio"] == pytest.approx(1.6)
    assert day["is_regressed"]
    rare = one(ask, "FROM dbt_cloud__model_daily WHERE node_name = 'rare' AND day = '2026-10-23'")
    assert (rare["baseline_days"], rare["is_regressed"]) == (2, False)


def test_a_flip_is_of_one_commit_on_one_day(ask: Any) -> None:
    found = one(ask, "FROM dbt_cloud__test_flakiness")
    assert (found["node_name"], found["month"]) == ("unique_orders", date(2026, 10, 1))
    assert (found["executions"], found["passed"]) == (8, 4)
    assert (found["failed"], found["warned"]) == (3, 1)
    assert (found["flips"], found["sure_flips"], found["is_flaky"]) == (2, 1, True)
    assert found["flake_rate"] == 0.25
    assert found["last_flip_at"] == utc("23 9:30")


def test_freshness_is_the_share_of_checks_that_pass(ask: Any) -> None:
    days = ask("FROM dbt_cloud__source_freshness WHERE table_name = 'orders' ORDER BY day")
    assert [row["status"] for row in days] == ["pass", "warn", "error", "runtime error"]
    assert [row["met"] for row in days] == [True, False, False, False]
    assert [row["share_met_30d"] for row in days] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert [row["hours_outside"] for row in days] == pytest.approx([0, 6, 24, 0])
    assert {(row["warn_after_hours"], row["error_after_hours"]) for row in days} == {(6, 24)}
    assert {row["source_name"] for row in days} == {"raw"}
    (first,) = ask("FROM dbt_cloud__source_freshness WHERE table_name = 'late'")
    assert (first["status"], first["hours_outside"]) == ("error", 0)
