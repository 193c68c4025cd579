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


@pytest.mark.usefixtures("impatient")
def test_a_named_account_whose_own_address_fails_for_ever(still: Simulator) -> None:
    (account, *_) = sorted(row["id"] for row in still.rows("dbt_accounts"))
    still.faults([{"path": "/accounts/999/", "status": 500, "times": 1000}])
    outcome = sync(settings(still, "dbt", dbt_account_ids=[999, account]))
    assert outcome.code == 1
    assert outcome.logged("ERROR", "account 999 of dbt_account_ids: ", "500")
    assert {row["account_id"] for row in outcome.records("dbt_runs")} == {account}


# Lists of a filter, and others beside the usual ones


@pytest.mark.parametrize("status", [400, 410, 403])
def test_a_named_job_that_cannot_be_read_is_named_and_the_others_are_read(status: int) -> None:
    company = Company(
        lambda _path, query: (
            Reply({"status": {"user_message": "no"}}, status=status)
            if query.get("job_definition_id") == "31"
            else None
        )
    )
    outcome = read(company, dbt_job_ids=[30, 31, 32])
    assert outcome.code == 1
    assert runs_of(outcome) == {30, 32}
    (error,) = outcome.logged("ERROR")
    assert "account 1, job 31 of dbt_job_ids: " in error
    company.refused = refusing_job()
    assert runs_of(read(company, outcome.state, dbt_job_ids=[31])) == {31}
    assert "read_whole" not in outcome.state["bookmarks"]["dbt_runs"]


def test_an_open_run_from_before_the_start_is_read_when_it_can_be() -> None:
    """Its list is asked for at the first sync of a filter alone, which this is not yet."""
    refused = [True]
    company = Company(
        lambda _path, query: NOT_FOUND if refused[0] and "status__in" in query else None
    )
    company.runs[0] = run_row(1, 3, job_definition_id=31, project_id=11)
    more: Record = {"dbt_job_ids": [31], "start_date": "2026-06-01T09:05:00Z"}
    first = read(company, **more)
    assert first.code == 1
    refused[0] = False
    second = read(company, first.state, **more)
    assert second.code == 0
    assert 1 in {record["id"] for record in second.records("dbt_runs")}


def test_one_open_run_that_is_refused_holds_up_no_other() -> None:
    company = Company(lambda _path, _query: None)
    company.runs[-1] = run_row(12, 3, job_definition_id=30, project_id=10)
    state = read(company).state
    whole = list(company.runs)

    def hiding(path: str, query: dict[str, str]) -> Reply | None:
        company.runs = whole[:-1] if "pk__in" in query else [*whole, run_row(13)]
        return Reply({"status": {}}, status=403) if path.endswith("/runs/12/") else None

    company.refused = hiding
    outcome = read(company, state)
    assert outcome.code == 1
    assert outcome.logged("ERROR", "dbt_runs: account 1, run 12: ", "403")
    assert 13 in {record["id"] for record in outcome.records("dbt_runs")}
    mark = outcome.state["bookmarks"]["dbt_runs"]["partitions"][0]["marks"][""]
    assert 12 in mark["open"]


@pytest.mark.parametrize("status", [400, 403])
def test_system_jobs_that_are_not_enabled_are_no_reason_to_fail(status: int) -> None:
    reply = Reply({"status": {"user_message": "System jobs are not enabled"}}, status=status)
    company = Company(lambda _path, query: reply if "is_system" in query else None)
    outcome = read(company)
    assert outcome.code == 0, outcome.log
    assert outcome.logged("WARNING", "dbt_jobs", "does not list system jobs", "not enabled")


@pytest.mark.parametrize("closed", [[4000], [4000, 4242]])
def test_named_accounts_of_which_some_say_401(closed: list[int]) -> None:
    company = Company(lambda _path, _query: None)

    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/accounts/":
            return Reply({}, status=403)
        if any(f"/{account}/" in path for account in closed):
            return Reply({"status": {"user_message": "Invalid token."}}, status=401)
        if path == "/api/v2/accounts/4242/":
            return company.envelope({"id": 4242, "name": "Acme"})
        return company(path, query)

    with ScriptedServer(answer) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, "dbt_account_ids": [4000, 4242]}
        outcome = sync(config, select=["dbt_accounts", "dbt_runs"])
    assert outcome.code == 1
    read_ids = {record["account_id"] for record in outcome.records("dbt_runs")}
    assert read_ids == {4000, 4242} - set(closed)
    (error,) = outcome.logged("ERROR")
    whole = "does not accept the value of dbt_token" in error
    assert whole is (len(closed) == 2)
    assert whole or "account 4000 of dbt_account_ids" in error


@pytest.mark.parametrize(("status", "passes"), [(404, True), (403, False)])
def test_environments_of_a_deleted_project(status: int, passes: bool, still: Simulator) -> None:
    """Only that they are not there means that nothing is missing; and no version is activated."""
    deleted = [row for row in still.rows("dbt_projects") if row["state"] == 2]
    assert deleted
    path = f"/projects/{deleted[0]['id']}/environments/"
    still.faults([{"path": path, "status": status, "times": 9}])
    more = {"on_forbidden": "fail", "emit_activate_version_messages": True}
    outcome = sync(settings(still, "dbt", **more))
    assert (outcome.code == 0) is passes
    activated = {m["stream"] for m in outcome.messages if m["type"] == "ACTIVATE_VERSION"}
    assert "dbt_environments" not in activated


def test_a_list_that_is_refused_behind_its_first_page_is_not_optional() -> None:
    """What came before shows that the deployment has such a list."""

    def refuse(_path: str, query: dict[str, str]) -> Reply | None:
        if "is_system" not in query:
            return None
        if int(query.get("offset", 0)):
            return Reply({"status": {}}, status=403)
        jobs = [{"id": 100 + number, "account_id": 1} for number in range(100)]
        pagination = {"count": 100, "total_count": 101}
        return Reply(
            {"status": {"is_success": True}, "data": jobs, "extra": {"pagination": pagination}}
        )

    outcome = read(Company(refuse))
    assert outcome.code == 1
    assert outcome.logged("ERROR", "dbt_jobs", "403")
