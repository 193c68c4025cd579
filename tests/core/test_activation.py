"""ACTIVATE_VERSION: for streams that were read whole, and never for any other."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.dbt import DBT_CLOUD
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import (
    INCREMENTAL,
    KINDS,
    NAMES,
    Outcome,
    catalog_of,
    family,
    settings,
    sync,
)
from tests.core.test_keys import Lists, row
from tests.core.test_odd_servers import FAKE
from tests.loader.support import load, query
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.simulator_process import Simulator

pytestmark = pytest.mark.usefixtures("impatient")

ON: dict[str, Any] = {"emit_activate_version_messages": True}
#: The latest rows alone are listed: older ones stay.
ADDING_UP = {name for name in NAMES if KINDS[name].adds_up}
WHOLE = set(NAMES) - INCREMENTAL - ADDING_UP
#: Streams of which the simulator lacks rows that others name: whether these are gone, or hidden
#: from the token, nobody can tell.
DOUBTFUL = {"dbt_extended_attributes"}
DBT = {name for name in WHOLE if name.startswith("dbt_")}
PULUMI = {name for name in WHOLE if name.startswith("pulumi_")}
#: The streams whose activation hangs on the list of projects.
BELOW_PROJECTS = family("dbt_projects") & WHOLE
BELOW_JOBS = family("dbt_jobs") & WHOLE
BELOW_ENVIRONMENTS = family("dbt_environments") & WHOLE


def activated(outcome: Outcome) -> set[str]:
    """The streams that were activated; each once, behind its schema and all of its records."""
    found: set[str] = set()
    described: dict[str, int] = {}
    for message in outcome.messages:
        kind, stream = message["type"], str(message.get("stream"))
        if kind == "SCHEMA":
            described[stream] = 0
        elif kind == "RECORD":
            assert stream not in found, "a record behind the activation"
            if stream in WHOLE:
                described[stream] = message.get("version", 0)
        elif kind == "ACTIVATE_VERSION":
            assert stream not in found
            assert described[stream] in (0, message["version"])
            found.add(stream)
    return found


def read(
    answer: Callable[[str, dict[str, str]], Any], service: str = "dbt", **more: Any
) -> Outcome:
    with ScriptedServer(answer) as server:
        config = {f"{service}_token": FAKE, f"{service}_url": server.url, **ON, **more}
        if service == "pulumi":
            config.setdefault("pulumi_organizations", ["acme"])
        return sync(config)


def test_all_full_tables_that_were_read_whole(still: Simulator) -> None:
    outcome = sync(settings(still, **ON))
    assert outcome.code == 0
    assert activated(outcome) == WHOLE - DOUBTFUL
    (line,) = outcome.logged("emit_activate_version_messages is on")
    first_row = next(i for i, entry in enumerate(outcome.log) if "dbt_accounts " in entry)
    assert outcome.log.index(line) < first_row


def test_nothing_is_said_or_activated_where_it_is_off(still: Simulator) -> None:
    outcome = sync(settings(still))
    assert activated(outcome) == set()
    assert not outcome.logged("emit_activate_version_messages")
    assert not any("version" in message for message in outcome.messages)


def test_what_the_settings_name_is_all_there_is(still: Simulator) -> None:
    account = still.rows("dbt_accounts")[0]["id"]
    organization = still.rows("pulumi_organizations")[0]["org_name"]
    chosen: dict[str, Any] = {"dbt_account_ids": [account], "pulumi_organizations": [organization]}
    outcome = sync(settings(still, **ON, **chosen))
    assert outcome.code == 0
    assert activated(outcome) == WHOLE - DOUBTFUL
    assert outcome.logged("INFO", "emit_activate_version_messages is on")
    assert {r["account_id"] for r in outcome.records("dbt_jobs")} == {account}


def test_rows_of_others_leave_the_warehouse(still: Simulator, tmp_path: Path) -> None:
    """Through a target: those of an account that is not named any more."""
    database = tmp_path / "rows.duckdb"
    first, second = sorted(r["id"] for r in still.rows("dbt_accounts"))
    select = ["dbt_accounts", "dbt_jobs"]
    for accounts, expected in (([], [first, second]), ([second], [second])):
        config = settings(still, "dbt", dbt_account_ids=accounts, **ON)
        outcome = sync(config, select=select)
        time.sleep(1)  # versions are seconds
        load(database, [line.decode() for line in outcome.lines], hard_delete=True)
        tables = "SELECT schema_name FROM duckdb_tables() WHERE table_name = 'dbt_jobs'"
        ((dataset,),) = query(database, tables)
        found = query(database, f"SELECT DISTINCT account_id FROM {dataset}.dbt_jobs ORDER BY 1")  # noqa: S608
        assert [account for (account,) in found] == expected


@pytest.mark.parametrize(
    "filters", [{"dbt_job_ids": [1]}, {"dbt_project_ids": [1]}], ids=lambda value: next(iter(value))
)
def test_filters_of_runs_narrow_no_full_table(filters: dict[str, Any], still: Simulator) -> None:
    assert activated(sync(settings(still, "dbt", **ON, **filters))) == DBT - DOUBTFUL


def test_a_filter_within_a_list_forbids_it(
    still: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No full table has one; a service says which lists a filter narrows."""
    narrowing = {"dbt_job_ids": {"dbt_jobs"}, "dbt_project_ids": {"dbt_projects"}}
    services = (replace(DBT_CLOUD, narrowing=narrowing), *TapCloudAPIs.services[1:])
    monkeypatch.setattr(TapCloudAPIs, "services", services)
    config = settings(still, "dbt", **ON)
    assert activated(sync(config)) == DBT - DOUBTFUL
    assert activated(sync({**config, "dbt_job_ids": [1]})) == DBT - BELOW_JOBS - DOUBTFUL
    below = BELOW_PROJECTS
    assert activated(sync({**config, "dbt_project_ids": [1]})) == DBT - below


@pytest.mark.parametrize("select", [None, ["dbt_environments"]], ids=["all", "the child alone"])
def test_a_parent_without_children_activates_them(select: list[str] | None) -> None:
    """No project, no environment: the old rows of both are gone."""
    with ScriptedServer(Lists(dbt_projects=[])) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, **ON}
        outcome = sync(config, catalog=catalog_of(select) if select else None)
    assert outcome.code == 0
    assert activated(outcome) == (set(select) if select else DBT)
    assert "dbt_environments" in outcome.schemas
    assert not outcome.records("dbt_environments")


def test_nothing_below_an_organization_is_activated_too() -> None:
    outcome = read(Lists(pulumi_stacks=[]), "pulumi")
    assert activated(outcome) == PULUMI
    assert not outcome.records("pulumi_stacks")


#: What is not whole when a list is: itself, and what hangs on it.
LISTS: dict[str, tuple[str, str, set[str]]] = {
    "accounts": ("dbt", "/accounts/", DBT),
    "projects": ("dbt", "/projects/", BELOW_PROJECTS),
    "environments": ("dbt", "/environments/", BELOW_ENVIRONMENTS),
    "jobs": ("dbt", "/jobs/", BELOW_JOBS),
    "organization": ("pulumi", "/orgs/acme", PULUMI),
    "stacks": ("pulumi", "/user/stacks", {"pulumi_stacks"}),
    "members": ("pulumi", "/members", {"pulumi_organization_members"}),
}


@pytest.mark.parametrize(
    "status", [403, 404, 418, 401, "garbage"], ids=["403", "404", "418", "401", "garbage"]
)
@pytest.mark.parametrize(("service", "path", "lost"), LISTS.values(), ids=LISTS)
def test_never_after_a_refusal_or_a_failure(
    service: str, path: str, lost: set[str], status: int | str
) -> None:
    lists = Lists()

    def spoilt(asked: str, query: dict[str, str]) -> Any:
        if asked.endswith(path):
            return Reply(b"<html>") if status == "garbage" else Reply({}, status=int(status))
        return lists(asked, query)

    outcome = read(spoilt, service)
    found = activated(outcome)
    assert not found & lost
    whole = (DBT if service == "dbt" else PULUMI) - lost
    if status == 401:
        # It ends the account, or the organization: what comes behind was never asked for.
        assert found <= whole
        assert outcome.code == 1
    else:
        assert found == whole


@pytest.mark.parametrize("status", [400, 403])
def test_never_without_an_optional_list(status: int) -> None:
    """System jobs that were listed before may be in the warehouse."""
    lists, refusal = Lists(), Reply({"status": {"user_message": "Not enabled"}}, status=status)
    outcome = read(
        lambda path, query: refusal if "is_system" in query else lists(path, query), "dbt"
    )
    assert outcome.code == 0, outcome.log
    assert activated(outcome) == DBT - BELOW_JOBS


def test_never_for_a_second_page_that_fails(still: Simulator) -> None:
    still.settings(page_cap=2)
    # Behind the first pages of two lists in each of two accounts; one at a time, to have an order.
    still.faults([{"path": "/jobs/", "status": 403, "times": 1, "after": 4}])
    outcome = sync(settings(still, "dbt", concurrency=1, **ON), select=DBT)
    (refused,) = (r for r in still.requests() if r["status"] == 403)
    assert refused["query"]["offset"] != "0"
    assert activated(outcome) == DBT - BELOW_JOBS - DOUBTFUL


@pytest.mark.parametrize(
    ("stream", "rows", "lost"),
    [
        ("dbt_accounts", [{"id": None}, {"id": 1}], DBT),
        ("dbt_projects", [{"id": "x"}, {"id": 1}], BELOW_PROJECTS),
        ("dbt_jobs", [{"id": 1}, {"id": 1, "name": "x"}], BELOW_JOBS),
        ("dbt_environments", [{"id": 1, "project_id": 9}], BELOW_ENVIRONMENTS),
    ],
    ids=["account", "project", "job", "environment"],
)
def test_never_after_a_record_that_is_left_out(
    stream: str, rows: list[dict[str, Any]], lost: set[str]
) -> None:
    outcome = read(Lists(**{stream: rows}))
    assert outcome.code == 1
    assert activated(outcome) == DBT - lost


def test_never_where_a_named_account_cannot_be_read() -> None:
    outcome = read(Lists(), dbt_account_ids=[1, 2])
    assert outcome.code == 1
    assert not activated(outcome)


def test_never_after_a_stream_that_was_cut(still: Simulator) -> None:
    """A signal ends the sync between two records."""
    jobs: list[Any] = []

    def end(tap: TapCloudAPIs) -> None:
        check = tap.check_signal

        def counted() -> None:
            jobs.append(tap.report["dbt_jobs"].rows)
            if jobs[-1] > 1:
                tap._handle_termination(15, None) if tap._signal is None else None
            check()

        tap.check_signal = counted  # type: ignore[method-assign]

    outcome = sync(settings(still, "dbt", **ON), prepare=end)
    assert outcome.code == 143
    assert outcome.records("dbt_jobs")
    assert not activated(outcome)


def streams_of(messages: Iterable[dict[str, Any]]) -> set[str]:
    return {message["stream"] for message in messages if "stream" in message}


def test_never_by_the_streams_of_a_service_without_a_token(still: Simulator) -> None:
    outcome = sync(settings(still, "pulumi", **ON))
    assert activated(outcome) == PULUMI
    assert not streams_of(outcome.messages) & DBT


def test_never_where_a_map_takes_rows_away(still: Simulator) -> None:
    maps = {"dbt_jobs": {"__filter__": "id > 5"}, "dbt_projects": {"__filter__": "id > 1"}}
    outcome = sync(settings(still, "dbt", stream_maps=maps, **ON))
    assert outcome.code == 0, outcome.log
    assert activated(outcome) == DBT - BELOW_JOBS - BELOW_PROJECTS


def test_a_job_that_is_gone_is_gone_from_the_warehouse(tmp_path: Path) -> None:
    database = tmp_path / "rows.duckdb"
    for rows in ([row("dbt_jobs", 1), row("dbt_jobs", 2)], [row("dbt_jobs", 2)], []):
        outcome = read(Lists(dbt_jobs=rows))
        time.sleep(1)  # versions are seconds
        load(database, [line.decode() for line in outcome.lines], hard_delete=True)
        tables = "SELECT schema_name FROM duckdb_tables() WHERE table_name = 'dbt_jobs'"
        ((dataset,),) = query(database, tables)
        found = query(database, f"SELECT id FROM {dataset}.dbt_jobs ORDER BY 1")  # noqa: S608
        assert [number for (number,) in found] == [entry["id"] for entry in rows]
