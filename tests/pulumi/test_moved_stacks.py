"""Stacks that are renamed, transferred and made again: each update once, under one name."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import Outcome, Record, settings, sync
from tests.loader.support import load, query
from tests.pulumi.scripted import (
    STACKS,
    UPDATES,
    Cloud,
    Stack,
    Syncs,
    ended,
    ids,
    place_of,
    update,
)
from tests.scripted_server import Reply
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("impatient")

OLD = "Acme-Cloud/website/staging"  # its newest update is open at the end of history
OPEN = ("in-progress", "not-started")
DAY = 86_400


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, dbt_runs=1, pulumi_stacks=12) as simulator:
        yield simulator


def moves(simulator: Simulator) -> list[Callable[[], None]]:
    """What happens between the syncs to the stack that is at first at ``OLD``."""
    names = (OLD, "Acme-Cloud/website/live", "umbrella.labs/website/x y", "umbrella.labs/Moved/x y")
    steps: list[Callable[[], None]] = [lambda: None]
    for before, after in pairwise(names):
        steps.append(lambda before=before, after=after: simulator.move_stack(before, after))  # type: ignore[misc]
    steps.append(lambda: simulator.make_stack(OLD, updates=3))
    return steps


def test_over_five_syncs_into_a_warehouse(simulator: Simulator, tmp_path: Path) -> None:
    database = tmp_path / "moved.duckdb"
    (first_id,) = (r["stack_id"] for r in simulator.rows(STACKS) if place_of(r) == OLD)
    state: Record | None = None
    results: dict[str, str] = {}
    true: set[str] = set()
    emitted: Counter[str] = Counter()
    for step in moves(simulator):
        simulator.advance(5 * DAY if state else 0)
        step()
        outcome = sync(settings(simulator, "pulumi"), state=state, select=[STACKS, UPDATES])
        assert outcome.code == 0, outcome.log
        state = outcome.state
        load(database, [line.decode() for line in outcome.lines])
        for record in outcome.records(UPDATES):
            assert results.get(record["update_id"]) in (None, *OPEN), "it had ended before"
            results[record["update_id"]] = record["result"]
            emitted[record["update_id"]] += 1
        true |= {row["update_id"] for row in simulator.rows(UPDATES)}
    assert results.keys() == true
    assert max(emitted.values()) > 1, "no update was open: this test shows nothing"
    table = f"{dataset(database)}.{UPDATES}"
    ((rows, distinct),) = query(
        database,
        f"SELECT count(*), count(DISTINCT update_id) FROM {table}",  # noqa: S608
    )
    assert rows == distinct == len(true)
    assert_places(simulator, database, first_id)
    names = "org_name || '/' || project_name || '/' || stack_name"
    found = query(
        database,
        f"SELECT {names}, min(version), max(version) FROM {table} "  # noqa: S608
        f"WHERE stack_id = '{first_id}' GROUP BY 1 ORDER BY 2",
    )
    assert len(found) > 1, "no update came after a move: this test shows nothing"
    assert found[0][0] == OLD
    for before, after in pairwise(found):
        assert before[2] < after[1], "an update has two names"


def dataset(database: Path) -> str:
    ((name,),) = query(
        database,
        "SELECT schema_name FROM duckdb_tables() WHERE table_name = 'pulumi_stack_updates'",
    )
    return str(name)


def assert_places(simulator: Simulator, database: Path, first_id: str) -> None:
    """At each place is the stack that is there now; the first one has left its own."""
    place = "org_name || '/' || project_name || '/' || stack_name"
    rows = query(database, f"SELECT {place}, stack_id FROM {dataset(database)}.{STACKS}")  # noqa: S608
    found = dict(rows)
    assert len(found) == len(rows), "two stacks at one place"
    now = {place_of(row): row["stack_id"] for row in simulator.rows(STACKS)}
    assert {name: found[name] for name in now} == now
    assert found[OLD] != first_id


def test_an_open_update_ends_under_the_names_it_was_emitted_with() -> None:
    stack = Stack("acme/web/prod", "one", [update(2, is_open=True), update(1)])
    cloud = Cloud([stack])
    syncs = Syncs(cloud)
    opened = stack.updates[0]["updateID"]
    assert [entry[:2] for entry in syncs.sync()] == [("acme/web/prod", 2), ("acme/web/prod", 1)]
    stack.place = "labs/www/live"
    assert syncs.sync() == [("acme/web/prod", 2, opened, "in-progress")]
    stack.updates[0] = ended(stack.updates[0])
    newer = stack.add(update(3))["updateID"]
    assert syncs.sync() == [
        ("labs/www/live", 3, newer, "succeeded"),
        ("acme/web/prod", 2, opened, "succeeded"),
    ]
    assert syncs.sync() == []
    assert {i: mark[0] for i, mark in syncs.marks.items()} == {"one": "labs"}


def test_over_five_syncs_with_an_open_update() -> None:
    """As with the simulator, but an update is open at every move, and ends behind it."""
    stack = Stack("acme/web/prod", "one", [update(1)])
    cloud = Cloud([stack])
    syncs = Syncs(cloud)
    for place in ("acme/web/prod", "acme/web/live", "labs/web/live", "labs/www/live"):
        if place != stack.place:
            stack.place = place
            syncs.sync()
            stack.updates[0] = ended(stack.updates[0])
        stack.add(update(len(stack.updates) + 1, is_open=True))
        syncs.sync()
    stack.updates[0] = ended(stack.updates[0])
    cloud.stacks.append(Stack("acme/web/prod", "two", [update(2), update(1)]))
    syncs.sync()
    finished = [entry for entry in syncs.emitted if entry[3] == "succeeded"]
    true = [row["updateID"] for stack in cloud.stacks for row in stack.updates]
    assert sorted(ids(finished)) == sorted(true)
    keys = {
        entry[2]: {other[:2] for other in syncs.emitted if other[2] == entry[2]}
        for entry in finished
    }
    assert all(len(names) == 1 for names in keys.values()), "an update has two keys"
    assert [next(iter(keys[i]))[0] for i in true[4::-1]] == [
        "acme/web/prod",
        "acme/web/prod",
        "acme/web/live",
        "labs/web/live",
        "labs/www/live",
    ]
    places = syncs.outcome.latest(STACKS)
    assert places["acme", "web", "prod"]["stack_id"] == "two"
    assert {i: mark[:1] + mark[2:] for i, mark in syncs.marks.items()} == {
        "one": ["labs", 5],
        "two": ["acme", 2],
    }


def test_a_stack_that_moves_while_it_is_read_is_not_read_twice() -> None:
    """It is in the list under one name, and a moment later under another."""
    stack = Stack("acme/web/prod", "one", [update(1)])
    syncs = Syncs(Cloud([stack]))
    syncs.sync()
    stack.add(update(2))
    cloud = Cloud([Stack("acme/web/prod", "one", stack.updates, stack.last)])
    cloud.answers["/api/stacks/acme/web/prod/updates"] = Reply({}, status=404)
    syncs._cloud = cloud
    assert syncs.sync() == []
    assert syncs.outcome.logged("WARNING", "acme/web/prod", "deleted or moved")
    stack.place = "acme/web/live"
    syncs._cloud = Cloud([stack])
    assert [entry[:2] for entry in syncs.sync()] == [("acme/web/live", 2)]


NOT_WHOLE: dict[str, tuple[str, Any, int]] = {
    "list refused": ("/api/user/stacks?labs", Reply({}, status=403), 1),
    "list failed": ("/api/user/stacks?labs", Reply({}, status=418), 1),
    "no list": ("/api/user/stacks?labs", Reply(b"<html>"), 1),
    "a stack without a name": (
        "/api/user/stacks?labs",
        {"stacks": [{"orgName": "labs", "projectName": "p"}]},
        1,
    ),
}


@pytest.mark.parametrize(("path", "answer", "code"), NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_marks_survive_a_sync_that_is_not_whole(path: str, answer: Any, code: int) -> None:
    """A stack that no list brings may be in the one that was not read."""
    here = Stack("acme/web/prod", "one", [update(1)])
    there = Stack("labs/web/prod", "two", [update(1)])
    cloud = Cloud([here, there])
    syncs = Syncs(cloud)
    assert len(syncs.sync()) == 2
    before = dict(syncs.marks)
    cloud.stacks = []
    cloud.answers[path] = answer
    assert syncs.sync(code=code) == []
    assert syncs.marks == before
    here.place = "labs/web/moved"
    cloud.stacks = [here, there]
    cloud.answers.clear()
    assert syncs.sync() == []
    assert syncs.marks.keys() == before.keys()
    cloud.stacks = [there]
    assert syncs.sync() == []
    assert syncs.marks.keys() == {"two"}


def test_marks_survive_an_organization_that_cannot_be_read() -> None:
    """The stack may be there: nothing of it is read, not even its list."""
    stack = Stack("acme/web/prod", "one", [update(1)])
    cloud = Cloud([stack])
    syncs = Syncs(cloud, pulumi_organizations=["acme", "labs"])
    assert len(syncs.sync()) == 1
    stack.place = "labs/web/prod"
    for path in ("/api/orgs/labs", "/api/orgs/labs/metadata", "/api/user/stacks?labs"):
        cloud.answers[path] = Reply({}, status=403)
    assert syncs.sync(code=1) == []
    assert syncs.marks.keys() == {"one"}
    cloud.answers.clear()
    assert syncs.sync() == []


def test_marks_of_organizations_that_are_not_named_stay() -> None:
    here = Stack("acme/web/prod", "one", [update(1)])
    gone = Stack("acme/web/gone", "gone", [update(1)])
    there = Stack("labs/web/prod", "two", [update(1)])
    cloud = Cloud([here, gone, there])
    syncs = Syncs(cloud)
    assert len(syncs.sync()) == 3
    cloud.stacks = [here]
    assert syncs.sync(pulumi_organizations=["acme"]) == []
    assert syncs.marks.keys() == {"one", "two"}
    cloud.stacks = [here, there]
    assert syncs.sync() == []


def test_a_mark_goes_with_its_stack_to_another_organization() -> None:
    """Though nothing is read of it there: it is not one of those that the first list lacks."""
    stack = Stack("acme/web/prod", "one", [update(1)])
    cloud = Cloud([stack])
    syncs = Syncs(cloud)
    assert len(syncs.sync()) == 1
    stack.place = "labs/web/prod"
    assert syncs.sync() == []
    assert syncs.sync(pulumi_organizations=["acme"]) == []
    assert syncs.sync() == []


def test_marks_are_forgotten_with_their_stacks() -> None:
    cloud = Cloud([Stack("acme/web/prod", "one", [update(1)])])
    syncs = Syncs(cloud)
    syncs.sync()
    assert syncs.marks.keys() == {"one"}
    cloud.stacks = []
    syncs.sync()
    assert syncs.marks == {}


def test_servers_without_stack_ids() -> None:
    """Names are all there is: they stand for the id, in rows and in marks."""
    stack = Stack("acme/web/prod", "", [update(2, is_open=True), update(1)])
    cloud = Cloud([stack])
    syncs = Syncs(cloud)
    syncs.sync()
    assert_ids(syncs.outcome, {"acme/web/prod"})
    assert syncs.marks.keys() == {"acme/web/prod"}
    stack.updates[0] = ended(stack.updates[0])
    assert [entry[1] for entry in syncs.sync()] == [2]
    stack.place = "acme/web/live"
    assert [entry[:2] for entry in syncs.sync()] == [("acme/web/live", 2), ("acme/web/live", 1)]
    assert_ids(syncs.outcome, {"acme/web/live"})
    assert syncs.marks.keys() == {"acme/web/live"}


def assert_ids(outcome: Outcome, expected: set[str]) -> None:
    for stream in (STACKS, UPDATES):
        assert {record["stack_id"] for record in outcome.records(stream)} == expected


def test_an_id_that_is_a_number_is_one_in_the_marks_too() -> None:
    stack = Stack("acme/web/prod", 5, [update(1)])  # type: ignore[arg-type]
    syncs = Syncs(Cloud([stack]))
    assert len(syncs.sync()) == 1
    assert syncs.sync() == []
    assert {record["stack_id"] for record in syncs.outcome.records(STACKS)} == {"5"}
