"""Servers that ignore what they are asked, and shapes that older ones have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.pulumi import PULUMI_CLOUD
from tests.core.syncing import sync
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

FAKE = "fake-token-for-tests"


def run_row(run_id: int, status: int = 10, **more: Any) -> dict[str, Any]:
    ended = None if status < 10 else f"2026-06-01 10:{run_id % 60:02}:00+00:00"
    created = f"2026-06-01 09:{run_id % 60:02}:00+00:00"
    return {"id": run_id, "status": status, "created_at": created, "finished_at": ended, **more}


class OddDbt:
    """One account whose runs a test sets, on a server that heeds what it says it heeds.

    Attributes:
        runs: The rows of runs.
        heeds: The parameters that the server knows; the others it ignores.
        totals: Whether it announces how many rows there are.
        cap: The most rows in a page.
    """

    def __init__(self, heeds: set[str], *, totals: bool = True, cap: int = 3) -> None:
        self.runs = [run_row(i) for i in range(1, 12)]
        self.heeds = heeds
        self.totals = totals
        self.cap = cap

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/accounts/":
            return self.envelope([{"id": 1, "name": "Acme"}])
        *_, last, _ = path.split("/")
        if last.isdigit():
            found = [row for row in self.runs if row["id"] == int(last)]
            return self.envelope(found[0]) if found else Reply({"status": {}}, status=404)
        rows = self.runs if last == "runs" else []
        known = {name: json.loads(v) for name, v in query.items() if name in self.heeds}
        if "id__gt" in known:
            rows = [row for row in rows if row["id"] > known["id__gt"]]
        if "pk__in" in known:
            rows = [row for row in rows if row["id"] in known["pk__in"]]
        if "job_definition_id" in known:
            rows = [r for r in rows if r["job_definition_id"] == known["job_definition_id"]]
        offset = int(query.get("offset", 0))
        return self.envelope(rows[offset : offset + self.cap], len(rows))

    def envelope(self, data: Any, total: int = 1) -> Any:
        extra = {"pagination": {"total_count": total}} if self.totals else {}
        return {"status": {"is_success": True}, "data": data, "extra": extra}


ALL = {"id__gt", "pk__in", "job_definition_id"}


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("heeds", [ALL, ALL - {"id__gt"}, ALL - {"pk__in"}, set()], ids=sorted)
def test_runs_whatever_is_ignored(heeds: set[str], totals: bool) -> None:
    odd = OddDbt(heeds, totals=totals)
    odd.runs[4] = run_row(5, status=3)
    odd.runs[10] = run_row(11, status=1)
    with ScriptedServer(odd) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, "lookback_hours": 0}
        first = sync(config, select=["dbt_runs"])
        assert first.code == 0, first.log
        assert [r["id"] for r in first.records("dbt_runs")] == list(range(1, 12))
        odd.runs[4] = run_row(5, status=20)
        odd.runs[10] = {**run_row(11, status=30), "finished_at": None}
        odd.runs.append(run_row(12))
        second = sync(config, select=["dbt_runs"], state=first.state)
    assert second.code == 0, second.log
    statuses = {key[1]: r["status"] for key, r in second.latest("dbt_runs").items()}
    assert (statuses[5], statuses[11], statuses[12]) == (20, 30, 10)
    mark = second.state["bookmarks"]["dbt_runs"]["partitions"][0]["marks"][""]
    assert (mark["open"], mark["last_id"]) == ([], 12)


def test_offsets_that_are_ignored_end_the_list() -> None:
    odd = OddDbt(ALL, totals=False, cap=100)
    with ScriptedServer(lambda path, query: odd(path, {**query, "offset": "0"})) as server:
        outcome = sync({"dbt_token": FAKE, "dbt_url": server.url}, select=["dbt_runs"])
    assert outcome.code == 0, outcome.log
    assert [r["id"] for r in outcome.records("dbt_runs")] == list(range(1, 12))


def test_a_filter_that_is_ignored_is_applied_here() -> None:
    odd = OddDbt(ALL - {"job_definition_id"})
    odd.runs = [run_row(i, job_definition_id=i % 3, project_id=1) for i in range(1, 12)]
    with ScriptedServer(odd) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, "dbt_job_ids": [1], "concurrency": 2}
        outcome = sync(config, select=["dbt_runs"])
    assert outcome.code == 0, outcome.log
    assert [r["id"] for r in outcome.records("dbt_runs")] == [1, 4, 7, 10]


def test_the_oldest_runs_are_pruned_while_they_are_read() -> None:
    odd = OddDbt(ALL)
    odd.runs = [run_row(i) for i in range(1, 60)]

    def pruning(path: str, query: dict[str, str]) -> Any:
        if path.endswith("/runs/") and len(odd.runs) > 30:
            del odd.runs[:2]
        return odd(path, query)

    with ScriptedServer(pruning) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url}
        outcome = sync(config, select=["dbt_runs"])
    assert outcome.code == 0, outcome.log
    ids = [r["id"] for r in outcome.records("dbt_runs")]
    assert set(range(31, 60)) <= set(ids)
    assert len(ids) == len(set(ids))


def test_accounts_that_only_their_own_address_shows() -> None:
    odd = OddDbt(ALL)

    def hiding(path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/accounts/":
            return Reply({"status": {"user_message": "no"}}, status=403)
        if path == "/api/v2/accounts/7/":
            return odd.envelope({"id": 7, "name": "Acme"})
        return odd(path, query)

    with ScriptedServer(hiding) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, "dbt_account_ids": ["7"]}
        outcome = sync(config, select=["dbt_accounts", "dbt_runs"])
    assert outcome.code == 0, outcome.log
    assert [r["id"] for r in outcome.records("dbt_accounts")] == [7]
    assert {r["account_id"] for r in outcome.records("dbt_runs")} == {7}


def nothing(path: str) -> Any:
    """An organization, or an empty list of it, whichever it is."""
    *above, last = path.split("/")
    if above[-1] == "orgs" or last == "metadata":
        return {"githubLogin": "acme"}
    names = {getattr(kind, "records_key", "") for kind in PULUMI_CLOUD.streams}
    return [] if last == "hooks" else {name: [] for name in names}


#: What every list of a stack that has nothing, and every object about it, has at least.
EMPTY_STACK: dict[str, Any] = {"stackName": "s", "paused": False, "resources": [], "events": []}


def odd_pulumi(
    updates: Callable[[dict[str, str]], Any], stack: dict[str, Any] | None = None
) -> Callable[[str, dict[str, str]], Any]:
    """One organization with one stack, whose updates a test gives."""
    row = {"orgName": "acme", "projectName": "p", "stackName": "s", "lastUpdate": 1780000000}

    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/api/user/stacks":
            return {"stacks": [{**row, **(stack or {})}], "continuationToken": None}
        if path.endswith("/updates"):
            return updates(query)
        if path.startswith("/api/stacks/"):
            return dict(EMPTY_STACK)
        return nothing(path)

    return answer


def pulumi(server: ScriptedServer, **more: Any) -> dict[str, Any]:
    more.setdefault("pulumi_organizations", ["acme"])
    return {"pulumi_token": FAKE, "pulumi_url": server.url, **more}


def flat(version: int, **more: Any) -> dict[str, Any]:
    start = 1780000000 + 60 * version
    return {
        "kind": "update",
        "startTime": start,
        "endTime": start + 30,
        "result": "succeeded",
        "version": version,
        "config": {},
        **more,
    }


def test_updates_of_the_older_flat_shape_without_paging() -> None:
    rows = [flat(version) for version in range(250, 0, -1)]
    with ScriptedServer(odd_pulumi(lambda _query: {"updates": rows})) as server:
        first = sync(pulumi(server), select=["pulumi_stack_updates"])
        rows.insert(0, flat(251, result="in-progress", endTime=0))
        again = sync(pulumi(server), select=["pulumi_stack_updates"], state={"bookmarks": {}})
    assert first.code == again.code == 0, first.log
    records = first.records("pulumi_stack_updates")
    assert [r["version"] for r in records] == list(range(250, 0, -1))
    assert records[0]["start_time"] == "2026-05-29T00:36:40.000000Z"
    newest = again.records("pulumi_stack_updates")[0]
    assert (newest["version"], newest["end_time"]) == (251, None)
    assert again.state["bookmarks"]["pulumi_stack_updates"]["stacks"]["acme/p/s"][4] == {
        "#251": [251, "acme", "p", "s"]
    }


def test_an_open_update_that_ends_without_moving_last_update() -> None:
    rows = [flat(2, result="in-progress", endTime=0), flat(1)]
    with ScriptedServer(odd_pulumi(lambda _query: {"updates": rows, "total": 2})) as server:
        first = sync(pulumi(server), select=["pulumi_stack_updates"])
        rows[0] = flat(2)
        second = sync(pulumi(server), select=["pulumi_stack_updates"], state=first.state)
        third = sync(pulumi(server), select=["pulumi_stack_updates"], state=second.state)
    assert [r["version"] for r in second.records("pulumi_stack_updates")] == [2]
    assert second.records("pulumi_stack_updates")[0]["result"] == "succeeded"
    assert third.records("pulumi_stack_updates") == []


@pytest.mark.parametrize("with_ids", [True, False])
def test_a_stack_made_again_under_its_name(with_ids: bool) -> None:
    rows = [flat(version) for version in (3, 2, 1)]
    stack: dict[str, Any] = {"id": "first"} if with_ids else {}
    with ScriptedServer(odd_pulumi(lambda _query: {"updates": rows}, stack)) as server:
        first = sync(pulumi(server), select=["pulumi_stack_updates"])
        rows[:] = [flat(2, message="new"), flat(1, message="new")]
        stack.update({"lastUpdate": 1790000000, **({"id": "second"} if with_ids else {})})
        second = sync(pulumi(server), select=["pulumi_stack_updates"], state=first.state)
        third = sync(pulumi(server), select=["pulumi_stack_updates"], state=second.state)
    assert [r["message"] for r in second.records("pulumi_stack_updates")] == ["new", "new"]
    marks = second.state["bookmarks"]["pulumi_stack_updates"]["stacks"]
    assert marks["second" if with_ids else "acme/p/s"][2] == 2
    assert third.records("pulumi_stack_updates") == []


def test_names_are_quoted_in_paths() -> None:
    with ScriptedServer(lambda _path, _query: {"githubLogin": "a/b c?"}) as server:
        select = ["organizations", "organization_members", "organization_teams"]
        config = pulumi(server, pulumi_organizations=["a/b c?"])
        outcome = sync(config, select=[f"pulumi_{name}" for name in select])
    assert outcome.code == 0, outcome.log
    assert {r["path"] for r in server.requests if "orgs" in r["path"]} == {
        f"/api/orgs/a%2Fb%20c%3F{rest}" for rest in ("", "/metadata", "/members", "/teams")
    }


def test_a_stack_that_no_url_can_name_is_skipped_and_said() -> None:
    answer = odd_pulumi(lambda _query: {"updates": []}, {"stackName": ".."})
    with ScriptedServer(answer) as server:
        outcome = sync(pulumi(server), select=["pulumi_stacks", "pulumi_stack_updates"])
    assert outcome.code == 0
    assert outcome.logged("WARNING", "acme/p/..", "URL")
    assert len(outcome.records("pulumi_stacks")) == 1


def test_proxies_and_nothing_else_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ScriptedServer(OddDbt(ALL)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        config = {"dbt_token": FAKE, "dbt_url": "http://127.0.0.1:9"}
        outcome = sync(config, select=["dbt_runs"])
    assert outcome.code == 0, outcome.log
    assert len(outcome.records("dbt_runs")) == 11
    assert {r["headers"]["authorization"] for r in proxy.requests} == {f"Token {FAKE}"}
