"""Records that cannot be told from others: left out, named, counted; all else is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import Outcome, Record, sync
from tests.core.test_failures import assert_plain
from tests.core.test_odd_servers import EMPTY_STACK, FAKE, flat, nothing
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

#: Each kind of list, and what its rows are told apart by.
KEYS = {
    "dbt_projects": "id",
    "dbt_environments": "id",
    "dbt_connections": "id",
    "dbt_jobs": "id",
    "dbt_runs": "id",
    "pulumi_organization_members": "login",
    "pulumi_organization_teams": "name",
    "pulumi_stacks": "stackName",
    "pulumi_stack_updates": "version",
}
TEXT_KEYS = ("pulumi_organization_members", "pulumi_organization_teams", "pulumi_stacks")
FULL_TABLES = [name for name in KEYS if name not in ("dbt_runs", "pulumi_stack_updates")]
each_list = pytest.mark.parametrize("stream", KEYS)
ODD: list[Any] = [None, "seven", "", 7.5, True, {"a": 1}, [1]]
ODD_TEXTS: list[Any] = [None, True, {"a": 1}, [1]]


def row(stream: str, key: Any, **more: Any) -> Record:
    """A raw row with a key; a key of ``...`` is missing."""
    if stream == "pulumi_organization_members":
        user = {} if key is ... else {"githubLogin": key}
        return {"user": {**user, "name": None}, "role": "admin", **more}
    if stream == "pulumi_stack_updates":
        found = flat(key if type(key) is int else 1, **more)
        found["version"] = key
    elif stream == "pulumi_stacks":
        found = {"orgName": "acme", "projectName": "p", "stackName": key, "id": str(key), **more}
    else:
        status = {"status": 10} if stream == "dbt_runs" else {}
        found = {KEYS[stream]: key, **status, **more}
    if key is ...:
        del found[KEYS[stream]]
        found.pop("id", None)
    return found


class Lists:
    """One account with one project, one organization with one stack; a test sets the lists.

    Attributes:
        rows: The rows by stream; dbt_runs are given to whatever is asked.
    """

    def __init__(self, **rows: list[Record]) -> None:
        self.rows: dict[str, list[Record]] = {
            "dbt_projects": [{"id": 1}],
            "pulumi_stacks": [row("pulumi_stacks", "s")],
            **rows,
        }

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        *_, last = path.rstrip("/").split("/")
        if path.startswith("/api/v"):
            rows = self._of_dbt(last, query)
            return {
                "status": {},
                "data": rows,
                "extra": {"pagination": {"total_count": len(rows)}},
            }
        if path == "/api/user/stacks":
            return {"stacks": self.rows["pulumi_stacks"]}
        if last == "updates":
            rows = self.rows.get("pulumi_stack_updates", [])
            return {"updates": rows, "total": len(rows)}
        if last in ("members", "teams") and query.get("type") != "frontend":
            return {last: self.rows.get(f"pulumi_organization_{last}", [])}
        if path.startswith(("/api/stacks/", "/api/esc/")):
            return {**EMPTY_STACK, "environments": self.rows.get("pulumi_environments", [])}
        return nothing(path)

    def _of_dbt(self, last: str, query: dict[str, str]) -> list[Record]:
        if last == "accounts":
            return self.rows.get("dbt_accounts", [{"id": 1}])
        if "is_system" in query:
            return self.rows.get("system_jobs", [])
        return self.rows.get(f"dbt_{last}", [])


def read(lists: Lists, stream: str, **more: Any) -> Outcome:
    """Sync a stream and those above it."""
    with ScriptedServer(lists) as server:
        service = stream.partition("_")[0]
        config = {f"{service}_token": FAKE, f"{service}_url": server.url, **more}
        if service == "pulumi":
            config["pulumi_organizations"] = ["acme"]
        above = ["dbt_accounts"] if service == "dbt" else ["pulumi_organizations"]
        outcome = sync(config, select=[stream, *above])
    assert_plain(outcome)
    return outcome


def keys(stream: str) -> list[Any]:
    """Three keys in the order in which the API gives them."""
    found = ["a", "b", "c"] if stream in TEXT_KEYS else [1, 2, 3]
    return found[::-1] if stream == "pulumi_stack_updates" else found


def key_column(stream: str) -> str:
    columns = {"pulumi_organization_members": "user_login", "pulumi_stacks": "stack_name"}
    return columns.get(stream, KEYS[stream])


def given_keys(outcome: Outcome, stream: str) -> list[Any]:
    return [record[key_column(stream)] for record in outcome.records(stream)]


def assert_left_out(outcome: Outcome, stream: str, count: int) -> None:
    """So many records are left out: the first three are named, all are counted."""
    assert outcome.code == 1, outcome.log
    named = outcome.logged("ERROR", f"{stream}: left out a record")
    assert len(named) == min(count, 3), outcome.log
    (summary,) = outcome.logged("INFO", f"{stream} ", " row")
    assert f"FAILED: {count} records left out" in summary


@each_list
def test_a_key_that_is_none_or_of_another_type(stream: str) -> None:
    odd = [..., *(ODD_TEXTS if stream in TEXT_KEYS else ODD)]
    first, second, third = (row(stream, key) for key in keys(stream))
    for value in odd:
        lists = Lists(**{stream: [first, second, row(stream, value), third]})
        outcome = read(lists, stream)
        assert given_keys(outcome, stream) == keys(stream), value
        assert_left_out(outcome, stream, 1)
        (line,) = outcome.logged("ERROR")
        assert f"whose {key_column(stream)} is" in line
        assert ("null" if value in (..., None) else repr(value)) in line


@each_list
def test_a_key_of_another_type_that_means_the_same_is_read(stream: str) -> None:
    given, read_as = (7, "7") if stream in TEXT_KEYS else ("7", 7)
    first, *others = (row(stream, key) for key in keys(stream))
    outcome = read(Lists(**{stream: [row(stream, given), first, *others]}), stream)
    assert outcome.code == 0, outcome.log
    assert given_keys(outcome, stream) == [read_as, *keys(stream)]
    assert not outcome.says("WARNING")


@each_list
def test_many_are_counted_and_three_are_named(stream: str) -> None:
    lists = Lists(**{stream: [row(stream, None, number=number) for number in range(5)]})
    outcome = read(lists, stream)
    assert not outcome.records(stream)
    assert_left_out(outcome, stream, 5)


def test_nothing_but_records_that_are_left_out_is_counted_too() -> None:
    lists = Lists(dbt_jobs=[row("dbt_jobs", None, number=number) for number in range(5)])
    with ScriptedServer(lists) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url}
        outcome = sync(config, select=["dbt_jobs"])
    assert_left_out(outcome, "dbt_jobs", 5)


@each_list
@pytest.mark.parametrize("apart", [False, True], ids=["adjacent", "apart"])
def test_repeated_with_different_content(apart: bool, stream: str) -> None:
    first, second, third = (row(stream, key) for key in keys(stream))
    other = row(stream, keys(stream)[1], description="another", kind="refresh")
    rows = [first, second, third, other] if apart else [first, second, other, third]
    outcome = read(Lists(**{stream: rows}), stream)
    assert given_keys(outcome, stream) == keys(stream)
    assert not [r for r in outcome.records(stream) if r.get("description") == "another"]
    assert_left_out(outcome, stream, 1)
    (line,) = outcome.logged("ERROR")
    assert f"{key_column(stream)} {keys(stream)[1]!r}" in line


@each_list
@pytest.mark.parametrize("apart", [False, True], ids=["adjacent", "apart"])
def test_repeated_with_equal_content(apart: bool, stream: str) -> None:
    first, second, third = (row(stream, key) for key in keys(stream))
    rows = [first, second, third, {**second}] if apart else [first, second, {**second}, third]
    outcome = read(Lists(**{stream: rows}), stream)
    assert outcome.code == 0, outcome.log
    assert given_keys(outcome, stream) == keys(stream)
    assert not outcome.logged("left out")


@pytest.mark.parametrize("stream", [name for name in KEYS if name.startswith("dbt_")])
def test_an_account_that_contradicts_the_list(stream: str) -> None:
    rows = [
        row(stream, 1, account_id=1),
        row(stream, 2, account_id=99),
        row(stream, 3, account_id="1"),
    ]
    outcome = read(Lists(**{stream: rows}), stream)
    assert given_keys(outcome, stream) == [1, 3]
    assert {record["account_id"] for record in outcome.records(stream)} == {1}
    assert_left_out(outcome, stream, 1)
    assert outcome.logged("ERROR", "account_id 99 in the list of 1")


def test_a_project_that_contradicts_the_list() -> None:
    stream = "dbt_environments"
    rows = [row(stream, number, project_id=project) for number, project in ((1, 1), (2, 5))]
    outcome = read(Lists(dbt_environments=rows), stream)
    assert given_keys(outcome, stream) == [1]
    assert_left_out(outcome, stream, 1)
    assert outcome.logged("ERROR", "project_id 5 in the list of 1")


@pytest.mark.parametrize("key", [None, "one", [1], {"a": 1}, ...], ids=repr)
@pytest.mark.parametrize("more", [{}, {"dbt_account_ids": [1]}], ids=["all", "one"])
def test_an_account_without_a_number(more: Record, key: Any) -> None:
    account = {} if key is ... else {"id": key}
    lists = Lists(dbt_accounts=[account, {"id": 1}], dbt_jobs=[row("dbt_jobs", 1)])
    outcome = read(lists, "dbt_jobs", **more)
    assert [r["id"] for r in outcome.records("dbt_accounts")] == [1]
    assert given_keys(outcome, "dbt_jobs") == [1]
    assert outcome.code == (0 if more else 1)
    assert len(outcome.logged("ERROR", "dbt_accounts: left out")) == outcome.code


def test_a_job_that_two_lists_bring_is_no_repeat() -> None:
    jobs = [row("dbt_jobs", number) for number in (1, 2)]
    lists = Lists(dbt_jobs=jobs, system_jobs=[row("dbt_jobs", 2, x=1), row("dbt_jobs", 3)])
    outcome = read(lists, "dbt_jobs")
    assert outcome.code == 0, outcome.log
    assert given_keys(outcome, "dbt_jobs") == [1, 2, 3]


def test_a_run_that_two_lists_bring_is_no_repeat() -> None:
    """One that was open and has ended is met by its id, and again among those that ended."""
    old = [{"id": 1, "status": 3}, {"id": 2, "status": 1}]
    lists = Lists(dbt_runs=old)
    with ScriptedServer(lists) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url}
        first = sync(config, select=["dbt_runs"])
        ended = {"status": 10, "finished_at": "2999-01-01 00:00:00+00:00", "is_complete": True}
        lists.rows["dbt_runs"] = [{**run, **ended} for run in old]
        second = sync(config, select=["dbt_runs"], state=first.state)
    assert (first.code, second.code) == (0, 0), second.log
    assert {r["status"] for r in second.records("dbt_runs")} == {10}
    assert not second.logged("left out")


@pytest.mark.parametrize("stream", FULL_TABLES)
@pytest.mark.parametrize("spoil", ["null", "repeat", "nothing"])
def test_a_stream_with_a_record_left_out_is_not_whole(spoil: str, stream: str) -> None:
    rows = [row(stream, key) for key in keys(stream)]
    spoilt: dict[str, Callable[[], Record]] = {
        "null": lambda: row(stream, None),
        "repeat": lambda: row(stream, keys(stream)[-1], description="another"),
    }
    if spoil in spoilt:
        rows.append(spoilt[spoil]())
    lists = Lists(**{stream: rows})
    outcome = read(lists, stream, emit_activate_version_messages=True)
    activated = {m["stream"] for m in outcome.messages if m["type"] == "ACTIVATE_VERSION"}
    assert (stream in activated) is (spoil == "nothing")
    assert activated, "those above are whole"
