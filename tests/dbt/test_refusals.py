"""What dbt Cloud refuses: an address, an account, a job or project that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import settings, sync
from tests.core.test_odd_servers import ALL, FAKE, OddDbt, run_row
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.syncing import Outcome, Record
    from tests.simulator_process import Simulator

NOT_FOUND = Reply({"status": {"user_message": "The requested resource was not found."}}, status=404)
NOT_HERE = Reply(
    {
        "status": {"code": 403, "user_message": "Forbidden: Access denied"},
        "data": {"account_id": 1, "is_service_token": True, "account_access_denied": True},
    },
    status=403,
)


class Company(OddDbt):
    """An account with runs of several jobs and projects, some of which a token may not read."""

    def __init__(self, refused: Callable[[str, dict[str, str]], Reply | None]) -> None:
        super().__init__(ALL, cap=100)
        self.runs = [
            run_row(n, job_definition_id=30 + n % 3, project_id=10 + n % 3) for n in range(1, 13)
        ]
        self.refused = refused

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        return self.refused(path, query) or super().__call__(path, query)


def read(company: Company, state: Record | None = None, **more: Any) -> Outcome:
    with ScriptedServer(company) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, **more}
        return sync(config, state=state, select=["dbt_accounts", "dbt_jobs", "dbt_runs"])


def below_the_account(answer: Reply) -> Callable[[str, dict[str, str]], Reply | None]:
    return lambda path, _query: None if path == "/api/v3/accounts/" else answer


@pytest.mark.parametrize("more", [{}, {"dbt_account_ids": [1]}], ids=["all", "named"])
def test_an_address_that_is_not_allowed_is_named_as_the_cause(more: Record) -> None:
    outcome = read(Company(below_the_account(NOT_HERE)), **more)
    assert outcome.code == 1
    (error,) = outcome.logged("ERROR")
    assert "account 1: " in error
    assert "Forbidden: Access denied" in error
    assert "IP restrictions" in error
    assert not outcome.logged("token probably lacks")


def test_an_address_that_no_account_allows() -> None:
    with ScriptedServer(lambda _path, _query: NOT_HERE) as server:
        outcome = sync({"dbt_token": FAKE, "dbt_url": server.url})
        assert len(server.requests) == 1
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "IP restrictions")) == 1


def refusing_job(*jobs: int) -> Callable[[str, dict[str, str]], Reply | None]:
    refused = [str(job) for job in jobs]
    return lambda _path, query: NOT_FOUND if query.get("job_definition_id") in refused else None


def runs_of(outcome: Outcome) -> set[int]:
    return {record["job_definition_id"] for record in outcome.records("dbt_runs")}


@pytest.mark.parametrize("job", [20, 31, 40])
def test_a_refused_job_of_the_settings_fails_and_the_others_are_read(job: int) -> None:
    company = Company(refusing_job(job))
    jobs = sorted({30, 32, job})
    outcome = read(company, dbt_job_ids=jobs)
    assert outcome.code == 1
    assert runs_of(outcome) == {30, 32}
    (error,) = outcome.logged("ERROR")
    assert f"dbt_runs: account 1, job {job} of dbt_job_ids: " in error
    assert "The requested resource was not found." in error
    assert outcome.records("dbt_accounts")
    company.refused = refusing_job()
    again = read(company, outcome.state, dbt_job_ids=jobs, lookback_hours=0)
    assert again.code == 0
    history = {run["id"] for run in company.runs if run["job_definition_id"] == job}
    assert history <= {record["id"] for record in again.records("dbt_runs")}
    assert len(again.records("dbt_runs")) <= len(history) + 2, "of the others the look-back alone"


def test_open_runs_of_a_refused_job_are_not_forgotten() -> None:
    company = Company(refusing_job())
    company.runs[3] = run_row(4, 3, job_definition_id=31, project_id=11)
    state = read(company, dbt_job_ids=[30, 31]).state
    company.refused = refusing_job(31)
    state = read(company, state, dbt_job_ids=[30, 31]).state
    company.refused = refusing_job()
    company.runs[3] = run_row(4, 30, job_definition_id=31, project_id=11, finished_at=None)
    last = read(company, state, dbt_job_ids=[30, 31])
    assert [r["status"] for r in last.records("dbt_runs") if r["id"] == 4] == [30]


def test_refused_projects_of_the_settings_fail() -> None:
    company = Company(lambda _path, query: NOT_FOUND if "project_id__in" in query else None)
    outcome = read(company, dbt_project_ids=[10, 11])
    assert outcome.code == 1
    assert outcome.logged("ERROR", "account 1, projects 10, 11 of dbt_project_ids: ")
    assert outcome.code == 1
    assert not outcome.records("dbt_runs")


def test_one_account_of_two_that_says_401(still: Simulator) -> None:
    accounts = sorted(row["id"] for row in still.rows("dbt_accounts"))
    closed, *others = accounts
    still.faults([{"path": f"/accounts/{closed}/", "status": 401, "times": 1000}])
    outcome = sync(settings(still, "dbt"))
    assert outcome.code == 1
    for stream in ("dbt_projects", "dbt_environments", "dbt_jobs", "dbt_runs"):
        assert {row["account_id"] for row in outcome.records(stream)} == set(others), stream
    assert len(outcome.logged("ERROR", f"account {closed}: ", "401")) == 1


def test_a_named_account_whose_own_address_fails_for_ever(
    still: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_cloudapis.core.connection.FIRST_WAIT", 0.005)
    (account, *_) = sorted(row["id"] for row in still.rows("dbt_accounts"))
    still.faults([{"path": "/accounts/999/", "status": 500, "times": 1000}])
    outcome = sync(settings(still, "dbt", dbt_account_ids=[999, account]))
    assert outcome.code == 1
    assert outcome.logged("ERROR", "account 999 of dbt_account_ids: ", "500")
    assert {row["account_id"] for row in outcome.records("dbt_runs")} == {account}
