"""A check of dbt Cloud: each stream forbidden in turn, and what else can be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.checks import NOT_TRIED, REFUSED, check, check_simulator
from tests.core.everything import streams_of
from tests.core.forbidding import assert_told
from tests.core.syncing import settings, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

STREAMS = streams_of("dbt")
#: What runs have left: it hangs on their list, and several streams read the same files.
LEFT = {
    "dbt_run_steps",
    "dbt_run_results",
    "dbt_source_freshness",
    "dbt_run_invocations",
    "dbt_run_artifacts",
}
BESIDE = dict.fromkeys(
    ("dbt_runs", "dbt_run_steps", "dbt_run_results", "dbt_source_freshness"), LEFT
)
#: Rows inside of others, and what is read of files that others read.
WITHOUT_ROUTE = {
    "dbt_group_permissions",
    "dbt_run_invocations",
    "dbt_service_token_grants",
    "dbt_user_groups",
    "dbt_user_licenses",
    "dbt_user_permissions",
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_that_is_forbidden(stream: str, tiny: Simulator, tmp_path: Path) -> None:
    assert_told(tiny, stream, tmp_path, BESIDE, WITHOUT_ROUTE)


def test_everything_can_be_read_of_several_accounts(still: Simulator, tmp_path: Path) -> None:
    found = check_simulator(still, "dbt", tmp_path)
    assert found.outcome.code == 0
    assert found.others() == {}
    assert found.streams["dbt_runs"]["rows"]["number"] == still.truth("dbt_runs")["count"]


def test_a_plan_without_the_audit_log(tiny: Simulator, tmp_path: Path) -> None:
    body = '{"status": {"code": 400}, "data": {"reason": "Audit logs are not enabled here"}}'
    tiny.faults([{"path": "/audit-logs/", "status": 400, "times": 9, "body": body}])
    found = check_simulator(tiny, "dbt", tmp_path)
    assert found.others() == {"dbt_audit_logs": "not in the plan"}
    assert found.outcome.code == 0, "it is not selected"
    assert "Audit logs are not enabled here" in found.streams["dbt_audit_logs"]["why"][0]


def test_a_wrong_token(tiny: Simulator, tmp_path: Path) -> None:
    found = check_simulator(tiny, "dbt", tmp_path, dbt_token="dbtc_wrong")  # noqa: S106
    assert found.outcome.code == 1
    assert found.verdicts.pop("dbt_accounts") == REFUSED
    assert set(found.others(REFUSED).values()) == {NOT_TRIED}
    (text,) = found.changes
    assert "does not accept the value of dbt_token" in text
    assert "dbtc_wrong" not in text
    assert len(tiny.requests()) == 1


@pytest.mark.usefixtures("impatient")
def test_a_wrong_host(tiny: Simulator, tmp_path: Path) -> None:
    found = check(settings(tiny, "dbt", dbt_url=f"{tiny.pulumi_url}/elsewhere"), tmp_path)
    assert found.outcome.code == 1
    assert found.verdicts["dbt_accounts"] in {REFUSED, "failed", "not there"}
    assert found.verdicts["dbt_jobs"] == NOT_TRIED
    assert any("check dbt_url" in text for text in found.changes)


def test_a_rate_limit_that_asks_for_too_long(tiny: Simulator, tmp_path: Path) -> None:
    tiny.settings(rate_limit=3, retry_after=300)
    found = check_simulator(tiny, "dbt", tmp_path)
    assert found.outcome.code == 1
    assert found.verdicts["dbt_runs"] in {NOT_TRIED, "failed"}
    assert all("asks for a wait of 300 s" in text for text in found.changes)


def test_accounts_that_the_token_does_not_reach(tiny: Simulator, tmp_path: Path) -> None:
    found = check_simulator(tiny, "dbt", tmp_path, dbt_account_ids=[5])
    assert found.outcome.code == 1
    assert any("check the id, the token and dbt_url" in text for text in found.changes)
    assert found.verdicts["dbt_projects"] == NOT_TRIED


def test_runs_behind_the_start_date_are_counted(tiny: Simulator, tmp_path: Path) -> None:
    start = {"start_date": "2026-06-20"}
    rows = check_simulator(tiny, "dbt", tmp_path, **start).streams["dbt_runs"]["rows"]
    real = sync(settings(tiny, "dbt", **start), select=["dbt_runs"])
    created = [each for each in real.records("dbt_runs") if each["created_at"] >= "2026-06-20"]
    assert rows["number"] == len(created)
