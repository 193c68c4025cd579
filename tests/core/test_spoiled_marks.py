"""Marks that somebody spoiled: what they spoke of is read from the start, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core.state import VERSION
from tap_cloudapis.dbt.run_member import RunMember
from tests.core.ledgers import Storehouse
from tests.core.syncing import Record, assert_true, settings, sync
from tests.core.test_state import DAMAGED, servers
from tests.dbt.test_walk import Details, Warehouse, details_asked

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

__all__ = ["servers"]

Change = Callable[[Record], object]
#: What becomes of a mark that somebody edits.
SPOILED: dict[str, Change] = {
    "null": lambda mark: mark.update(open=None),
    "text": lambda mark: mark.update(last_id=str(mark["last_id"])),
    "negative": lambda mark: mark.update(last_id=-5),
    "boolean": lambda mark: mark.update(last_id=True),
    "too great": lambda mark: mark.update(last_id=2**70),
    "boolean in a list": lambda mark: mark.update(open=[True]),
    "no end": lambda mark: mark.update(finished_at=None),
    "an end with an offset": lambda mark: mark.update(finished_at="2026-06-01T10:05:00+02:00"),
    "an end on no day": lambda mark: mark.update(finished_at="2026-02-30T10:05:00Z"),
    "an end to come": lambda mark: mark.update(finished_at="9999-01-01T00:00:00Z"),
    "a start that is none": lambda mark: mark.update(since="yesterday"),
    "nothing": lambda mark: mark.clear(),
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED)
def test_a_spoiled_mark_is_its_accounts_alone(change: Change, still: Simulator) -> None:
    config = settings(still, "dbt", lookback_hours=0)
    state = sync(config).state
    first, second = state["bookmarks"]["dbt_runs"]["partitions"]
    change(first["marks"][""])
    outcome = sync(config, state=state)
    assert outcome.code == 0, outcome.log
    (line,) = outcome.logged("WARNING")
    account_id = first["context"]["account_id"]
    assert all(word in line for word in ("dbt_runs", f"account {account_id} ", "from the start"))
    rows = [row for row in still.rows("dbt_runs") if row["account_id"] == account_id]
    read = [row for row in outcome.records("dbt_runs") if row["account_id"] == account_id]
    assert len(read) == len(rows)
    assert len(outcome.records("dbt_runs")) < len(read) + 10
    asked = [
        r["query"]
        for r in still.requests()
        if f"/{second['context']['account_id']}/runs" in r["path"]
    ]
    assert "id__gt" in str(asked)
    assert_true(outcome.latest, still, ["dbt_accounts", "dbt_jobs"])


@pytest.mark.parametrize("mark", [None, "x", 5, [], ["acme"], ["acme", None, -1], ["", None, 1]])
def test_a_spoiled_mark_is_its_stacks_alone(mark: Any, still: Simulator) -> None:
    config = settings(still, "pulumi")
    state = sync(config).state
    stacks = state["bookmarks"]["pulumi_stack_updates"]["stacks"]
    stack_id = next(key for key, stored in stacks.items() if stored[2])
    stacks[stack_id] = mark
    outcome = sync(config, state=state)
    assert outcome.code == 0, outcome.log
    (line,) = outcome.logged("WARNING")
    assert all(w in line for w in ("pulumi_stack_updates", repr(stack_id), "from the start"))
    rows = [row for row in still.rows("pulumi_stack_updates") if row["stack_id"] == stack_id]
    read = [r for r in outcome.records("pulumi_stack_updates") if r["stack_id"] == stack_id]
    assert len(read) == len(rows)
    assert len(outcome.records("pulumi_stack_updates")) < len(read) + 20
    again = sync(config, state=outcome.state)
    assert not again.says("WARNING")


def test_thousands_of_spoiled_marks_are_one_line(servers: Record) -> None:
    stacks = {f"id-{number}": "x" for number in range(5_000)}
    bookmarks = {
        "pulumi_stack_updates": {"since": "", "stacks": stacks},
        "dbt_runs": {"partitions": [5]},
    }
    state = {"version": VERSION, "bookmarks": bookmarks}
    (other, line) = sorted(sync(servers, state=state).logged("WARNING"))
    assert "dbt_runs" in other
    assert "'id-0'" in line
    assert "4,997 more" in line
    assert len(line) < 500


def test_an_account_that_comes_twice_is_read_from_the_start(servers: Record) -> None:
    state = {"version": VERSION, "bookmarks": DAMAGED["twice"]}
    assert sync(servers, state=state).logged("WARNING", "account 1 (it comes twice)")


# The ledger


LABELS = ["toy_crates", "toy_labels"]
ALL = "c1 c2 c3 c7 c8"

LEDGERS: dict[str, tuple[Change, str]] = {
    "an entry": (lambda b: b["toy_crates"]["ledger"].update(c2=["x"]), "c2"),
    "an entry of null": (lambda b: b["toy_crates"]["ledger"].update(c2=None, c7=5), "c2 c7"),
    "a run of an entry": (lambda b: b["toy_crates"]["ledger"].update(c2=["a/b", 1, -1]), "c2"),
    "the run": (lambda b: b["toy_crates"].update(run="7"), ALL),
    "no run": (lambda b: b["toy_crates"].pop("run"), ALL),
    "the ledger": (lambda b: b["toy_crates"].update(ledger=[]), ALL),
    "all of the ledger": (lambda b: b.update(toy_crates="x"), ALL),
    "none of the ledger": (lambda b: b.pop("toy_crates"), ALL),
    "a pass": (lambda b: b["toy_labels"]["passes"].update(north={"through": "x"}), "c1 c2 c3"),
    "a pass without a day": (
        lambda b: b["toy_labels"]["passes"].update(north={"through": 1}),
        "c1 c2 c3",
    ),
    "what is done of a pass": (
        lambda b: b["toy_labels"]["passes"]["south"].update(done=[[1, 5]]),
        "c7 c8",
    ),
    "the passes": (lambda b: b["toy_labels"].update(passes=None, x=5), ALL),
}


@pytest.mark.parametrize(("change", "read"), LEDGERS.values(), ids=LEDGERS)
def test_a_spoiled_ledger(change: Change, read: str) -> None:
    store = Storehouse()
    with store.server:
        for _ in range(3):
            assert store.sync(select=LABELS).code == 0
        assert store.state is not None
        change(store.state["bookmarks"])
        store.read()
        outcome = store.sync(select=LABELS)
        assert outcome.code == 0, outcome.log
        assert set(store.read().split()) == set(read.split())
        assert all("from the start" in line for line in outcome.logged("WARNING"))
        assert store.sync(select=LABELS).code == 0
        assert store.read() == ""


# The walk


WALKS: dict[str, Change] = {
    "waiting": lambda mark: mark.update(waiting=None),
    "a run that waits": lambda mark: mark["waiting"].update(x=[]),
    "steps": lambda mark: mark["waiting"].update({"5": ["x"]}),
    "base": lambda mark: mark.update(base="5"),
    "settled": lambda mark: mark.update(settled=[7, 0]),
    "since": lambda mark: mark.update(since=5),
    "no since": lambda mark: mark.pop("since"),
}


@pytest.mark.parametrize("change", WALKS.values(), ids=WALKS)
def test_a_spoiled_mark_of_the_walk(
    change: Change, still: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunMember, "history", timedelta(days=9000))
    warehouse = Warehouse(still)
    warehouse.sync()
    known = warehouse.runs()
    assert warehouse.state is not None
    first, second = warehouse.state["bookmarks"][Details.name]["partitions"]
    change(first["walks"][""])
    still.clear_requests()
    outcome = warehouse.sync()
    (line,) = outcome.logged("WARNING")
    assert all(word in line for word in (Details.name, f"account {first['context']['account_id']}"))
    paths = [r["path"] for r in still.requests() if r["template"].endswith("runs/{run}/")]
    assert paths
    assert not [path for path in paths if f"/{second['context']['account_id']}/" in path]
    assert warehouse.runs() == known
    assert set(details_asked(still)) <= set(known)
