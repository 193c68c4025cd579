"""Answers whose fields are of another shape: what is fine is delivered, the rest is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.spoiling import LISTS, Spoiler
from tests.core.syncing import Outcome, Record, family, latest, sync
from tests.core.test_odd_servers import FAKE, OddDbt, flat, odd_pulumi, pulumi, run_row
from tests.scripted_server import ScriptedServer
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What can stand in the place of anything; 2.5 is no id, and no number of a version.
VALUES: list[Any] = [None, "x", 2.5, ["a"], {"a": [1]}]
#: So many times the fields of a list's rows are spoiled, each time others.
TURNS = 5

#: By kind of list: its stream, what identifies a raw row, and what identifies a record.
KINDS: dict[str, tuple[str, Callable[[Record], Any], Callable[[Record], Any]]] = {
    **{
        kind: (f"dbt_{kind}", lambda row: row["id"], lambda record: record["id"])
        for kind, field in LISTS.items()
        if field == "data"
    },
    "stacks": ("pulumi_stacks", lambda row: row["id"], lambda record: record["stack_id"]),
    "updates": (
        "pulumi_stack_updates",
        lambda row: (row["updateID"], row["version"]),
        lambda record: (record["update_id"], record["version"]),
    ),
    "members": (
        "pulumi_organization_members",
        lambda row: row["user"]["githubLogin"],
        lambda record: record["user_login"],
    ),
    "teams": ("pulumi_organization_teams", lambda row: row["name"], lambda record: record["name"]),
}


@pytest.fixture(scope="module", name="few")
def few_rows() -> Iterator[Simulator]:
    """A world of two accounts, with rows beside each other in every list, and few of them."""
    few = {"dbt_jobs": 3, "dbt_runs": 12, "pulumi_stacks": 7, "pulumi_updates": 3}
    with Simulator(now=END_OF_HISTORY, **few) as simulator:
        yield simulator


@pytest.fixture
def spoiler(few: Simulator) -> Iterator[Spoiler]:
    spoiler = Spoiler(few)
    with spoiler.server:
        yield spoiler


def assert_no_traceback(outcome: Outcome) -> None:
    assert outcome.code in (0, 1)
    assert not outcome.says("Please report this")
    assert not outcome.says("unexpected ")
    assert all("\n" not in line for line in outcome.log)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_beside_a_spoiled_one_are_delivered(
    kind: str, spoiler: Spoiler, few: Simulator
) -> None:
    stream, of_row, of_record = KINDS[kind]
    truth = latest(few.rows(stream), stream)
    met: set[str] = set()
    checked = 0
    for value in VALUES:
        for turn in range(TURNS):
            spoiler.kind, spoiler.value, spoiler.turn, spoiler.spoiled = kind, value, turn, []
            outcome = sync(spoiler.settings(), select=family(stream))
            assert_no_traceback(outcome)
            spoiled = {of_row(row) for row, _ in spoiler.spoiled}
            met.update(field for _, field in spoiler.spoiled)
            found = outcome.latest(stream)
            for key, row in truth.items():
                if of_record(row) not in spoiled:
                    assert key in found, (value, turn, outcome.logged("ERROR"))
                    assert {name: found[key].get(name) for name in row} == row
                    checked += 1
            if outcome.code == 0 and not (value == "x" and "orgName" in str(spoiler.spoiled)):
                assert len(found) >= len(truth), (value, turn)
    assert checked
    assert len(met) >= 4


ENVELOPES: dict[str, tuple[str, ...]] = {
    "jobs data": ("data",),
    "jobs status": ("status",),
    "jobs extra": ("extra",),
    "jobs pagination": ("extra", "pagination"),
    "jobs total": ("extra", "pagination", "total_count"),
    "accounts data": ("data",),
    "runs data": ("data",),
    "stacks stacks": ("stacks",),
    "stacks continuationToken": ("continuationToken",),
    "updates updates": ("updates",),
    "updates total": ("total",),
    "updates itemsPerPage": ("itemsPerPage",),
    "members members": ("members",),
    "teams teams": ("teams",),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_answer_around_its_rows_is_spoiled(name: str, spoiler: Spoiler, few: Simulator) -> None:
    spoiler.kind, spoiler.envelope = name.split(maxsplit=1)[0], ENVELOPES[name]
    stream, rows_are_spoiled = KINDS[spoiler.kind][0], spoiler.envelope[0] == LISTS[spoiler.kind]
    streams = {*family(stream), "dbt_connections", "pulumi_organization_teams"}
    truth = {other: latest(few.rows(other), other) for other in streams}
    for value in [*VALUES, "", 0, {}, [None, "x", 5, []]]:
        spoiler.value = value
        outcome = sync(spoiler.settings(), select=streams)
        assert_no_traceback(outcome)
        told = rows_are_spoiled and value not in (None, [])
        assert outcome.code == 1 or not told, (value, outcome.log)
        for other in streams - family(stream):
            assert outcome.latest(other).keys() == truth[other].keys(), (other, value)
        if not rows_are_spoiled:
            assert outcome.latest(stream).keys() >= truth[stream].keys(), (value, outcome.log)


BAD_ROWS: list[Any] = [None, "x", 5, [], [1], True, 2.5]


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("ids", [{}, {"dbt_project_ids": [1]}], ids=["all", "filtered"])
def test_rows_that_are_no_objects_are_counted(ids: Record, totals: bool) -> None:
    odd = OddDbt({"id__gt", "pk__in"}, totals=totals)
    good = [run_row(i, project_id=1) for i in range(1, 12)]
    odd.runs = [*good]

    def answer(path: str, query: dict[str, str]) -> Any:
        body = odd(path, query)
        if path.endswith("/runs/") and "id__gt" not in query and query["offset"] == "0":
            # In the place of rows that are known by then.
            body["data"] = [*body["data"], *BAD_ROWS]
            if totals:
                body["extra"]["pagination"]["total_count"] += len(BAD_ROWS)
        return body

    with ScriptedServer(answer) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, **ids}
        outcome = sync(config, select=["dbt_runs"])
    assert_no_traceback(outcome)
    assert outcome.code == 1
    assert {r["id"] for r in outcome.records("dbt_runs")} >= {1, 2, 3}
    assert outcome.logged("ERROR", "dbt_runs: left out a record", "no object")
    assert outcome.logged("dbt_runs", f"{len(BAD_ROWS)} records left out")


def stacks_of(*more: Any) -> list[Any]:
    names = [f"s{number}" for number in range(30)]
    rows = [{"orgName": "acme", "projectName": "p", "stackName": n, "id": n} for n in names]
    return [*rows[:10], *more, *rows[10:]]


@pytest.mark.parametrize(
    "bad",
    [
        *BAD_ROWS,
        {},
        {"orgName": "acme", "projectName": "p"},
        {"orgName": 5, "projectName": "p", "stackName": "x"},
        {"orgName": "acme", "projectName": "p", "stackName": "a\ud800", "id": "x"},
        {"orgName": "acme", "projectName": ["p"], "stackName": "a", "id": "x"},
        {"orgName": "acme", "projectName": "p", "stackName": "a", "id": {"x": 1}},
    ],
    ids=repr,
)
def test_one_bad_stack_among_thirty(bad: Any) -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/api/user/stacks":
            return {"stacks": stacks_of(bad)}
        return odd_pulumi(lambda _query: {"updates": [flat(1)]})(path, query)

    with ScriptedServer(answer) as server:
        outcome = sync(pulumi(server), select=["pulumi_stacks", "pulumi_stack_updates"])
    assert_no_traceback(outcome)
    assert outcome.code == 1
    assert len(outcome.records("pulumi_stacks")) == 30
    assert outcome.logged("ERROR", "pulumi_stacks: left out a record, organization acme")


@pytest.mark.parametrize("token", [["a"], {"a": 1}, 5, True])
def test_a_token_that_is_no_text_is_one_line(token: Any) -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/api/user/stacks":
            return {"stacks": stacks_of(), "continuationToken": token}
        return odd_pulumi(lambda _query: {"updates": []})(path, query)

    with ScriptedServer(answer) as server:
        outcome = sync(pulumi(server), select=["pulumi_stacks"])
    assert_no_traceback(outcome)
    assert outcome.code == 1
    assert len(outcome.logged("ERROR")) == 1
    assert outcome.logged("ERROR", "pulumi_stacks", "acme", "continuation token", "no text")
    assert len(outcome.records("pulumi_stacks")) == 30


@pytest.mark.parametrize("bad", [*BAD_ROWS, {}, {"githubLogin": None}, {"githubLogin": ["a"]}])
def test_one_bad_organization_among_good_ones(bad: Any) -> None:
    def answer(path: str, _query: dict[str, str]) -> Any:
        if path == "/api/user":
            return {"organizations": [{"githubLogin": "acme"}, bad, {"githubLogin": "zeta"}]}
        return {"githubLogin": path.split("/")[3]} if path.startswith("/api/orgs/") else {}

    with ScriptedServer(answer) as server:
        outcome = sync(pulumi(server, pulumi_organizations=None), select=["pulumi_organizations"])
    assert_no_traceback(outcome)
    assert outcome.code == 1
    assert [r["org_name"] for r in outcome.records("pulumi_organizations")] == ["acme", "zeta"]
    assert len(outcome.logged("ERROR", "pulumi_organizations: left out a record")) == 1
