"""A ledger of a parent's rows: which of them its children ask for, and what they remember."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core.ledger import Ledger
from tests.core.ledgers import Storehouse, TapCrates
from tests.core.syncing import command, cut_after
from tests.core.toys import order
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.core.syncing import Outcome

LABELS = ["toy_crates", "toy_labels"]
BOTH = [*LABELS, "toy_weights"]
ALL = "c1 c2 c3 c7 c8"
REFUSED = Reply({"message": "no"}, status=403)
BAD = Reply({"message": "bad"}, status=400)
LOCKED_OUT = Reply({"message": "who?"}, status=401)


@pytest.fixture(autouse=True)
def _one_day_without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.core.ledger.day_of", lambda _: 20_000)
    monkeypatch.setattr("tap_cloudapis.core.connection.FIRST_WAIT", 0.0)


@pytest.fixture
def store() -> Iterator[Storehouse]:
    store = Storehouse()
    with store.server:
        yield store


def good(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.log
    return outcome


# What is asked for


def test_what_has_not_changed_costs_no_request(store: Storehouse) -> None:
    first = good(store.sync(select=LABELS))
    assert store.read() == ALL
    assert (
        order(first.messages, "crate")[-1] == ("labels", "c8")
        or len(first.records("toy_labels")) == 5
    )
    second = good(store.sync(select=LABELS))
    assert store.read() == ""
    assert len(second.records("toy_crates")) == 5
    assert second.records("toy_labels") == []


def test_what_is_changed_or_new_or_made_again_is_read(store: Storehouse) -> None:
    store.sync(select=LABELS)
    store.read()
    store.change("c2", "c8")
    store.shelves["south"]["c9"] = ("fir", 1)
    # Made again under the same name.
    store.shelves["north"]["c4"] = store.shelves["north"].pop("c1")
    good(store.sync(select=LABELS))
    assert store.read() == "c2 c4 c8 c9"
    assert sorted(store.entries()) == ["c2", "c3", "c4", "c7", "c8", "c9"]


def test_a_change_is_any_difference(store: Storehouse) -> None:
    """An earlier time, null: what matters is that it is another."""
    store.sync(select=LABELS)
    store.read()
    store.shelves["north"]["c1"] = ("oak", 0)
    good(store.sync(select=LABELS))
    assert store.read() == "c1"


def test_under_another_name_or_on_another_shelf_it_has_changed(store: Storehouse) -> None:
    store.sync(select=LABELS)
    store.read()
    store.shelves["north"]["c1"] = ("oaken", 1)
    store.shelves["south"]["c3"] = store.shelves["north"].pop("c3")
    good(store.sync(select=LABELS))
    assert store.read() == "c1 c3"
    assert sorted(store.entries()) == ALL.split()
    assert store.bookmark("crates")["ledger"]["c3"][:2] == ["south/ash", 1]


def test_a_stream_selected_later_reads_all_and_disturbs_nobody(store: Storehouse) -> None:
    store.sync(select=LABELS)
    store.read()
    store.change("c2")
    outcome = good(store.sync(select=BOTH))
    assert len(outcome.records("toy_labels")) == 1
    assert store.read("weights") == ALL
    assert good(store.sync(select=BOTH)).records("toy_labels") == []
    assert store.read("weights") == ""


def test_a_stream_left_out_for_a_while_reads_what_it_missed(store: Storehouse) -> None:
    store.sync(select=BOTH)
    for crate in ("c1", "c7"):
        store.change(crate)
        good(store.sync(select=["toy_crates", "toy_weights"]))
    # Nobody reads the ledger now, so nothing is noted, nor forgotten.
    store.change("c8")
    good(store.sync(select=["toy_crates"]))
    store.read()
    good(store.sync(select=BOTH))
    assert store.read() == "c1 c7 c8"
    good(store.sync(select=BOTH))
    assert store.asked() == [
        "/shelves",
        *(f"/shelves/{s}/crates" for s in ("north",) * 2 + ("south",) * 2),
    ]


def test_a_child_alone_has_its_parent_read(store: Storehouse) -> None:
    outcome = good(store.sync(select=["toy_labels"]))
    assert list(outcome.schemas) == ["toy_labels"]
    assert store.read() == ALL
    store.change("c3")
    good(store.sync(select=["toy_labels"]))
    assert store.read() == "c3"


def test_a_row_that_comes_twice_is_read_once(store: Storehouse) -> None:
    twice = [{"id": "c1", "name": "oak", "changed": 1}]
    store.replies = {"/shelves/north/crates": twice, "/shelves/north/crates?two": twice}
    good(store.sync(select=BOTH))
    assert store.read() == "c1 c7 c8"


# What fails


@pytest.mark.parametrize("reply", [Reply({"message": "broken"}, status=500), BAD, ["no row"]])
def test_a_row_that_fails_for_ever_keeps_the_pass_open(reply: Any, store: Storehouse) -> None:
    store.replies["/crates/c2/labels"] = reply
    outcome = store.sync(select=LABELS)
    assert outcome.code == 1
    assert len(outcome.records("toy_labels")) == 4
    passes = store.bookmark("labels")["passes"]
    assert passes["north"]["through"] == 0
    # The other shelf has a pass of its own.
    assert passes["south"] == {"through": 1, "slot_day": 20_000}
    store.read()
    assert store.sync(select=LABELS).code == 1
    assert set(store.read().split()) == {"c2"}
    # What changes meanwhile is read all the same, once.
    store.change("c1")
    assert store.sync(select=LABELS).code == 1
    assert set(store.read().split()) == {"c1", "c2"}
    assert store.sync(select=LABELS).code == 1
    assert set(store.read().split()) == {"c2"}
    store.replies.clear()
    good(store.sync(select=LABELS))
    assert store.read() == "c2"
    assert store.bookmark("labels")["passes"]["north"] == {"through": 5, "slot_day": 20_000}
    good(store.sync(select=LABELS))
    assert store.read() == ""


def test_a_row_that_fails_does_not_hold_up_the_next_shelf(store: Storehouse) -> None:
    """Not even if the list that it is in fails behind it."""
    store.replies = {"/crates/c1/labels": BAD, "/shelves/north/crates?two": BAD}
    assert store.sync(select=LABELS).code == 1
    passes = store.bookmark("labels")["passes"]
    assert passes["south"] == {"through": 1, "slot_day": 20_000}
    store.replies.clear()
    store.read()
    good(store.sync(select=LABELS))
    assert store.read() == "c1 c3"


def test_the_state_does_not_grow_while_a_row_fails(store: Storehouse) -> None:
    store.replies["/crates/c2/labels"] = BAD
    sizes = []
    for _ in range(6):
        store.change("c1", "c3")
        store.sync(select=LABELS)
        sizes.append(len(json.dumps(store.bookmark("labels"))))
    assert len(set(sizes[1:])) == 1


def test_a_refused_row_is_done(store: Storehouse) -> None:
    store.replies["/crates/c2/labels"] = REFUSED
    good(store.sync(select=LABELS))
    assert store.bookmark("labels")["passes"]["north"]["through"] == 1
    store.read()
    good(store.sync(select=LABELS))
    assert store.read() == ""
    store.change("c2")
    good(store.sync(select=LABELS))
    assert store.read() == "c2"


def test_a_refused_row_is_not_done_where_that_is_a_failure(store: Storehouse) -> None:
    store.replies["/crates/c2/labels"] = REFUSED
    for _ in range(2):
        assert store.sync(select=LABELS, config={"on_forbidden": "fail"}).code == 1
    assert store.read() == "c1 c2 c2 c3 c7 c8"


def test_a_list_that_is_not_whole_does_not_complete_the_pass(store: Storehouse) -> None:
    store.replies["/shelves/north/crates?two"] = BAD
    outcome = store.sync(select=LABELS)
    assert outcome.code == 1
    assert len(outcome.records("toy_labels")) == 4
    assert store.bookmark("labels")["passes"]["north"]["through"] == 0
    store.replies.clear()
    store.read()
    good(store.sync(select=LABELS))
    assert store.read() == "c3"
    assert store.bookmark("labels")["passes"]["north"]["through"] == 2


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("select", [["toy_crates"], LABELS])
def test_what_came_before_a_list_that_fails_is_delivered(
    select: list[str], status: int, store: Storehouse
) -> None:
    """Though rows are held back while requests of their children run ahead."""
    store.replies["/shelves/north/crates?two"] = Reply({"message": "no"}, status=status)
    outcome = store.sync(select=select)
    assert outcome.code == 1
    assert [crate["id"] for crate in outcome.records("toy_crates")][:2] == ["c1", "c2"]


def test_a_token_refused_in_the_middle_does_not_complete_the_pass(store: Storehouse) -> None:
    store.replies["/crates/c2/labels"] = LOCKED_OUT
    outcome = store.sync(select=LABELS)
    assert outcome.code == 1
    read = {record["crate"] for record in outcome.records("toy_labels")}
    assert read < {"c1", "c3"}
    assert all(p["through"] == 0 for p in store.bookmark("labels")["passes"].values())
    store.replies.clear()
    rest = good(store.sync(select=LABELS))
    assert {record["crate"] for record in rest.records("toy_labels")} == {*ALL.split()} - read


@pytest.mark.parametrize("records", range(1, 6))
def test_a_sync_that_was_cut_goes_on_where_it_was(records: int, store: Storehouse) -> None:
    cut = store.sync(select=LABELS, prepare=cut_after(records, "toy_labels"))
    assert cut.code == 128 + signal.SIGTERM
    rest = good(store.sync(select=LABELS))
    read = [record["crate"] for each in (cut, rest) for record in each.records("toy_labels")]
    # The one that was being read when the signal came may come again.
    assert set(read) == set(ALL.split())
    assert len(read) <= 6


@pytest.mark.parametrize("records", range(1, 6))
@pytest.mark.parametrize("again", [False, True])
def test_what_changes_before_a_cut_sync_goes_on_is_read_again(
    records: int, again: bool, store: Storehouse
) -> None:
    """Also when the sync that notes the change is cut itself, before it has read it."""
    store.sync(select=LABELS, prepare=cut_after(records, "toy_labels"))
    store.change(*ALL.split())
    outcomes = []
    if again:
        outcomes.append(store.sync(select=LABELS, prepare=cut_after(1, "toy_crates")))
    outcomes.append(good(store.sync(select=LABELS)))
    read = [record["crate"] for each in outcomes for record in each.records("toy_labels")]
    assert sorted(read) == ALL.split()
    assert all(p.get("done") is None for p in store.bookmark("labels")["passes"].values())


# What is forgotten


def test_entries_are_forgotten_when_every_list_was_whole(store: Storehouse) -> None:
    store.sync(select=LABELS)
    del store.shelves["north"]["c1"]
    for path, reply in [
        ("/shelves/south/crates", REFUSED),
        ("/shelves/north/crates?two", BAD),
        ("/shelves", [{"id": "north"}, {"id": None}]),
    ]:
        store.replies = {path: reply}
        store.sync(select=LABELS)
        assert "c1" in store.entries(), path
    store.replies.clear()
    good(store.sync(select=LABELS))
    assert "c1" not in store.entries()
    # It comes back under the same id.
    store.read()
    store.shelves["north"]["c1"] = ("oak", 1)
    good(store.sync(select=LABELS))
    assert store.read() == "c1"


def test_entries_of_a_shelf_that_was_not_read_stay(store: Storehouse) -> None:
    store.sync(select=LABELS)
    south = store.shelves.pop("south")
    del store.shelves["north"]["c3"]
    good(store.sync(select=LABELS))
    assert sorted(store.entries()) == ["c1", "c2", "c7", "c8"]
    store.shelves["south"] = south
    store.read()
    good(store.sync(select=LABELS))
    assert store.read() == ""


def test_what_a_stream_map_takes_away_is_not_noted(store: Storehouse) -> None:
    maps = {"stream_maps": {"toy_crates": {"__filter__": "record['name'] != 'oak'"}}}
    good(store.sync(select=LABELS, config=maps))
    assert store.read() == "c2 c3 c8"
    assert sorted(store.entries()) == ["c2", "c3", "c8"]
    # New when it comes back, and again after it was taken away.
    for _ in range(2):
        good(store.sync(select=LABELS))
        assert store.read() == "c1 c7"
        good(store.sync(select=LABELS, config=maps))
        assert store.read() == ""


def test_what_fails_and_is_away_for_a_while_is_read_when_it_returns(store: Storehouse) -> None:
    """Nothing is forgotten, as a list is missing, and the pass of the north is complete."""
    store.sync(select=LABELS)
    store.replies = {"/crates/c1/labels": BAD, "/shelves/south/crates": REFUSED}
    store.change("c1")
    store.sync(select=LABELS)
    crate = store.shelves["north"].pop("c1")
    store.sync(select=LABELS)
    assert store.bookmark("labels")["passes"]["north"]["through"] == 3
    store.replies.clear()
    store.shelves["north"]["c1"] = crate
    store.read()
    good(store.sync(select=LABELS))
    assert store.read() == "c1"


def test_a_ledger_that_begins_anew_has_all_read(store: Storehouse) -> None:
    """As when the parent's part of a state was taken out."""
    for _ in range(3):
        store.sync(select=LABELS)
    assert store.state is not None
    del store.state["bookmarks"]["toy_crates"]
    store.read()
    good(store.sync(select=LABELS))
    assert store.read() == ALL
    good(store.sync(select=LABELS))
    assert store.read() == ""


# Beside the rows


def test_nothing_is_activated_that_was_not_read(store: Storehouse) -> None:
    """A target would drop the rows of what has not changed."""
    for _ in range(2):
        outcome = good(store.sync(select=BOTH, config={"emit_activate_version_messages": True}))
        activated = {m["stream"] for m in outcome.messages if m["type"] == "ACTIVATE_VERSION"}
        assert activated == {"toy_crates"}
        messages = [m for m in outcome.messages if m.get("stream") in {"toy_labels", "toy_weights"}]
        assert not any("version" in message for message in messages)


def test_a_dry_run_asks_for_one_row(store: Storehouse, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(store.config))
    outcome = command("--config", path, "--test=records", tap_class=TapCrates)
    assert outcome.code == 0, outcome.log
    assert {m["stream"] for m in outcome.messages if m["type"] == "RECORD"} == {
        *BOTH,
        "toy_shelves",
    }
    assert store.read() == "c1"


def test_an_entry_is_small() -> None:
    state: dict[str, Any] = {}
    for _ in range(12):
        ledger = Ledger(state)
    ids = [f"{number:08x}-0000-4000-8000-123456789abc" for number in range(10_000)]
    for number, row_id in enumerate(ids):
        ledger.note(row_id, f"organization/project-{number}", 1_790_000_000)
    assert len(json.dumps(state, separators=(",", ":"))) < 90 * len(ids)
    assert all(ledger.changed_in(row_id) == 12 for row_id in ids)
    ledger.forget(set(ids[:10]), {"another"})
    assert len(state["ledger"]) == 10_000
    ledger.forget(set(ids[:10]), {"organization"})
    assert list(state["ledger"]) == ids[:10]
