"""dbt: paging, filters, orders, states, authorization and envelopes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.simulator.client import Client
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS_1042 = "v2/accounts/1042/runs/"
PROJECTS = "v3/accounts/1042/projects/"
NOT_FOUND = (
    "The requested resource was not found. Please check that you have the proper permissions."
)


@pytest.fixture(scope="module")
def runs_path(still: Client) -> str:
    return f"v2/accounts/{still.accounts()[1]['id']}/runs/"


@pytest.fixture(scope="module")
def all_runs(still: Client, runs_path: str) -> list[dict[str, Any]]:
    return still.dbt_rows(runs_path)


@pytest.fixture
def lively() -> Iterator[Client]:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, dbt_runs=250) as simulator:
        yield Client(simulator)


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


def test_offsets_reach_every_run_once(all_runs: list[dict[str, Any]]) -> None:
    assert len(all_runs) == 600
    assert ids(all_runs) == sorted(set(ids(all_runs)))


def test_page_tells_count_and_total(still: Client, runs_path: str) -> None:
    answer = still.dbt(runs_path, limit=7, offset=595).json()
    assert answer["extra"]["pagination"] == {"count": 5, "total_count": 600}
    assert answer["extra"]["filters"]["limit"] == 7
    assert answer["extra"]["order_by"] == "id"
    assert answer["status"]["user_message"] == "Success!"


def test_more_than_the_cap_gives_fewer_rows(still: Client, runs_path: str) -> None:
    answer = still.dbt(runs_path, limit=5000).json()
    assert len(answer["data"]) == 100
    assert answer["extra"]["pagination"] == {"count": 100, "total_count": 600}
    assert len(still.dbt(runs_path).json()["data"]) == 100


def test_cap_can_be_lower_or_reject(lively: Client) -> None:
    path = f"v2/accounts/{lively.accounts()[0]['id']}/runs/"
    lively.simulator.settings(page_cap=30)
    assert len(lively.dbt(path, limit=100).json()["data"]) == 30
    assert len(lively.dbt_rows(path)) == 250
    lively.simulator.settings(over_cap="reject")
    refused = lively.dbt(path, limit=31)
    assert refused.status_code == 400
    assert "maximum is 30" in refused.json()["status"]["user_message"]
    assert lively.dbt(path, limit=30).status_code == 200


def test_keyset_continues_after_an_id(
    still: Client, runs_path: str, all_runs: list[dict[str, Any]]
) -> None:
    seen: list[int] = []
    last = 0
    while page := still.dbt(runs_path, id__gt=last, limit=100).json()["data"]:
        seen += ids(page)
        last = seen[-1]
    assert seen == ids(all_runs)
    between = (seen[10] + 1, seen[11])
    for above in between:
        first = still.dbt(runs_path, id__gt=above, limit=1).json()["data"][0]["id"]
        assert first == next(run_id for run_id in seen if run_id > above)


def test_old_server_ignores_the_keyset(lively: Client) -> None:
    path = f"v2/accounts/{lively.accounts()[0]['id']}/runs/"
    above = lively.dbt(path, offset=100, limit=1).json()["data"][0]["id"]
    assert lively.dbt(path, id__gt=above).json()["extra"]["pagination"]["total_count"] == 149
    lively.simulator.settings(ignore_keyset=True)
    assert lively.dbt(path, id__gt=above).json()["extra"]["pagination"]["total_count"] == 250


@pytest.mark.parametrize("column", ["id", "created_at", "finished_at"])
def test_orders(still: Client, runs_path: str, column: str) -> None:
    ascending = still.dbt_rows(runs_path, order_by=column)
    values = [row[column] for row in ascending if row[column] is not None]
    # Compared as times: some forms lack the fraction.
    assert values == sorted(values, key=lambda value: str(value).ljust(40, "0"))
    assert all(row[column] is None for row in ascending[len(values) :])
    assert ids(still.dbt_rows(runs_path, order_by=f"-{column}")) == ids(ascending)[::-1]


def test_other_orders_are_refused(still: Client, runs_path: str) -> None:
    refused = still.dbt(runs_path, order_by="updated_at")
    assert refused.status_code == 400
    assert refused.json()["status"]["is_success"] is False


def test_filters_agree_with_the_rows(
    still: Client, runs_path: str, all_runs: list[dict[str, Any]]
) -> None:
    job, project = all_runs[0]["job_definition_id"], all_runs[0]["project_id"]
    wanted = ids(all_runs)[3:9]
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"status": 20}, lambda run: run["status"] == 20),
        ({"status__in": "[1,2,3]"}, lambda run: run["status"] < 10),
        ({"status__in": "[10,30]"}, lambda run: run["status"] in (10, 30)),
        ({"job_definition_id": job}, lambda run: run["job_definition_id"] == job),
        ({"project_id": project}, lambda run: run["project_id"] == project),
        ({"project_id__in": f"[{project}]"}, lambda run: run["project_id"] == project),
        ({"pk": wanted[0]}, lambda run: run["id"] == wanted[0]),
        ({"pk__in": json.dumps([*wanted, 1])}, lambda run: run["id"] in wanted),
        ({"job_definition_id__in": f"[{job}]"}, lambda _: True),  # not declared: ignored
        ({"state": "deleted"}, lambda _: False),
    ]
    for params, test in cases:
        expected = [run["id"] for run in all_runs if test(run)]
        assert ids(still.dbt_rows(runs_path, **params)) == expected, params


def test_ranges_are_inclusive_and_lose_the_time_with_a_zone(
    still: Client, runs_path: str, all_runs: list[dict[str, Any]]
) -> None:
    for column in ("created_at", "finished_at"):
        known = sorted(run[column] for run in all_runs if run[column])
        low, high = known[100], known[200]
        expected = {run["id"] for run in all_runs if run[column] and low <= run[column] <= high}
        naive = json.dumps([low[:-6].replace(" ", "T"), high[:-6]])
        assert set(ids(still.dbt_rows(runs_path, **{f"{column}__range": naive}))) == expected
        days = {run["id"] for run in all_runs if run[column] and low[:10] <= run[column] < "9"}
        zoned = json.dumps([low, "9999-12-31"])
        assert set(ids(still.dbt_rows(runs_path, **{f"{column}__range": zoned}))) == days


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "many"},
        {"limit": "0"},
        {"offset": "-1"},
        {"status__in": "1,2"},
        {"created_at__range": '["2026-01-01"]'},
        {"created_at__range": '["soon","later"]'},
        {"state": "gone"},
    ],
)
def test_unreadable_parameters_are_400(
    still: Client, runs_path: str, params: dict[str, str]
) -> None:
    refused = still.dbt(runs_path, **params)
    assert refused.status_code == 400
    assert refused.json()["data"] is None


NUMBERS = st.one_of(st.integers(-(10**40), 10**40).map(str), st.text(max_size=5))
ARRAYS = st.one_of(
    st.lists(st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=3))).map(
        json.dumps
    ),
    st.text(max_size=5),
)
DAYS = st.one_of(st.dates().map(str), st.text(max_size=12))
OTHERS = [
    f"v3/accounts/1042/{name}"
    for name in ("audit-logs/", "groups/", "users/", "webhooks/subscriptions")
]
TIMES = st.lists(st.one_of(st.datetimes().map(str), st.text(max_size=9)), max_size=3).map(
    json.dumps
)


@settings(max_examples=250, deadline=None)
@example(list_name=RUNS_1042, name_and_value=("id__gt", str(10**40)))
@example(list_name=RUNS_1042, name_and_value=("pk__in", f"[{10**40}, -5]"))
@example(list_name=RUNS_1042, name_and_value=("offset", str(10**40)))
@given(
    list_name=st.sampled_from([RUNS_1042, RUNS_1042, "v2/accounts/1042/jobs/", PROJECTS, *OTHERS]),
    name_and_value=st.one_of(
        st.tuples(
            st.sampled_from(["limit", "offset", "id__gt", "pk__gt", "pk", "status"]), NUMBERS
        ),
        st.tuples(st.sampled_from(["pk__in", "status__in", "project_id__in"]), ARRAYS),
        st.tuples(st.sampled_from(["created_at__range", "finished_at__range"]), TIMES),
        st.tuples(st.sampled_from(["logged_at_start", "logged_at_end"]), DAYS),
        st.tuples(st.just("order_by"), st.sampled_from(["-id", "-", "--id", "id-", "name\0"])),
    ),
)
def test_wild_parameters_are_answered_or_refused(
    still: Client, list_name: str, name_and_value: tuple[str, str]
) -> None:
    response = still.dbt(list_name, **dict([name_and_value]))
    assert response.status_code in (200, 400)
    assert response.json()["status"]["code"] == response.status_code


@pytest.mark.parametrize("related", ["trigger,job", '["trigger","job"]', "['trigger', 'job']"])
def test_related_objects_come_when_asked_for(still: Client, runs_path: str, related: str) -> None:
    run = still.dbt(runs_path, limit=1, include_related=related).json()["data"][0]
    assert run["trigger"]["job_definition_id"] == run["job_definition_id"]
    assert run["job"]["created_at"].endswith("Z")
    plain = still.dbt(runs_path, limit=1).json()["data"][0]
    assert plain == {**run, "trigger": None, "job": None}


def test_run_detail_is_the_row_of_the_list(
    still: Client, runs_path: str, all_runs: list[dict[str, Any]]
) -> None:
    assert still.dbt(f"{runs_path}{all_runs[5]['id']}/").json()["data"] == all_runs[5]
    detail = still.dbt(f"{runs_path}{all_runs[5]['id']}/", include_related="run_steps").json()
    steps = detail["data"]["run_steps"]
    assert [step["index"] for step in steps] == list(range(1, len(steps) + 1))
    assert len(steps) > 2
    for nobody in (all_runs[5]["id"] + 1, all_runs[-1]["id"] + 50, "x"):
        assert still.dbt(f"{runs_path}{nobody}/").status_code == (
            200 if nobody in ids(all_runs) else 404
        )


def test_deleted_and_system_jobs_only_on_request(still: Client) -> None:
    active = still.account_rows("v2/accounts/{a}/jobs/")
    every = still.account_rows("v2/accounts/{a}/jobs/", state="all")
    system = still.account_rows("v2/accounts/{a}/jobs/", state="all", is_system="true")
    deleted = still.account_rows("v2/accounts/{a}/jobs/", state=2)
    assert {row["state"] for row in active} == {1}
    assert {row["state"] for row in deleted} == {2}
    assert sorted(ids(active) + ids(deleted)) == sorted(ids(every))
    assert system
    assert not set(ids(system)) & set(ids(every))


def test_runs_name_deleted_and_purged_jobs(still: Client) -> None:
    jobs = {
        row["id"]: row["state"]
        for system in ("false", "true")
        for row in still.account_rows("v2/accounts/{a}/jobs/", state="all", is_system=system)
    }
    states = {jobs.get(row["job_definition_id"]) for row in still.account_rows(RUNS)}
    assert states == {1, 2, None}


RUNS = "v2/accounts/{a}/runs/"


def test_projects_and_environments_page_by_keyset(still: Client) -> None:
    account = still.accounts()[0]["id"]
    path = f"v3/accounts/{account}/projects/"
    every = ids(still.dbt_rows(path, state="all"))
    assert set(ids(still.dbt_rows(path))) < set(every)
    assert ids(still.dbt_rows(path, state="all", pk__gt=every[1])) == every[2:]
    assert ids(still.dbt_rows(path, state="all", pk__in=json.dumps(every[:2]))) == every[:2]
    inside = ids(still.dbt_rows(f"{path}{every[0]}/environments/", state="all"))
    assert ids(still.dbt_rows(f"{path}{every[0]}/environments/", id__gt=inside[0], state="all"))
    assert still.dbt(f"{path}1/environments/").status_code == 404


def test_unknown_accounts_and_routes_are_404_with_envelope(still: Client) -> None:
    account = still.accounts()[0]["id"]
    for path in ("v2/accounts/7/runs/", "v2/accounts/x/", f"v2/accounts/{account}/steps/", "v3/"):
        response = still.dbt(path)
        assert response.status_code == 404
        assert response.json()["status"]["user_message"] == NOT_FOUND
        assert response.json()["data"] is None


def test_token_is_needed(still: Client) -> None:
    url = f"{still.simulator.dbt_url}/api/v3/accounts/"
    token = still.simulator.dbt_token
    for header in (f"Token {token}", f"Bearer {token}"):
        assert requests.get(url, headers={"Authorization": header}, timeout=9).status_code == 200
    for header in ("", token, f"Basic {token}", "Token wrong", f"token={token}"):
        refused = requests.get(url, headers={"Authorization": header}, timeout=9)
        assert refused.status_code == 401
        assert refused.json() == {
            "status": {
                "code": 401,
                "is_success": False,
                "user_message": "Invalid token.",
                "developer_message": None,
            },
            "data": None,
        }


def test_missing_slash_is_redirected(lively: Client) -> None:
    simulator = lively.simulator
    url = f"{simulator.dbt_url}/api/v3/accounts?limit=1"
    headers = {"Authorization": f"Token {simulator.dbt_token}"}
    redirect = requests.get(url, headers=headers, timeout=9, allow_redirects=False)
    assert (redirect.status_code, redirect.headers["location"]) == (
        308,
        "/api/v3/accounts/?limit=1",
    )
    assert requests.get(url, headers=headers, timeout=9).status_code == 200
    simulator.settings(slash_redirect=False)
    direct = requests.get(url, headers=headers, timeout=9, allow_redirects=False)
    assert direct.status_code == 200


def test_double_slash_is_refused(still: Client) -> None:
    headers = {"Authorization": f"Token {still.simulator.dbt_token}"}
    for path in ("//api/v3/accounts/", "/api//v3/accounts/", "/api/v3//accounts/"):
        request = requests.Request("GET", still.simulator.dbt_url, headers=headers).prepare()
        request.url = f"{still.simulator.dbt_url}{path}"
        assert requests.Session().send(request, timeout=9).status_code == 404
