"""Whatever happens to a ledger's syncs, the next whole one leaves a warehouse with the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.ledgers import SHELVES, Storehouse
from tests.core.syncing import every_state
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

CRATES = sorted(crate for crates in SHELVES.values() for crate in crates)
CHILDREN = ("toy_labels", "toy_weights")
BAD = Reply({"message": "bad"}, status=400)
FAULTS = {
    "none": {},
    "a row": {"/crates/c1/labels": BAD, "/crates/c8/weights": BAD},
    "a list": {"/shelves/north/crates?two": BAD},
    "a shelf": {"/shelves/south/crates": Reply({"message": "no"}, status=403)},
    "the token": {"/crates/c2/weights": Reply({"message": "who?"}, status=401)},
}
NO_OAK = {"toy_crates": {"__filter__": "record['name'] != 'oak'"}}

changes = st.lists(
    st.tuples(st.sampled_from(["change", "rename", "remove", "move"]), st.sampled_from(CRATES)),
    max_size=3,
)
syncs = st.fixed_dictionaries(
    {
        "select": st.sampled_from([CHILDREN, CHILDREN, CHILDREN[:1], CHILDREN[1:], ()]),
        "fault": st.sampled_from(list(FAULTS)),
        "filtered": st.sampled_from([False, False, False, True]),
        "days": st.sampled_from([0, 0, 1, 9]),
        "killed": st.none() | st.floats(0, 1),
        "concurrency": st.sampled_from([1, 8]),
    }
)


class Owners(Storehouse):
    """What people do with the crates."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = 1

    def act(self, what: str, crate: str) -> None:
        """Do something with a crate; one that was taken away is made again."""
        self._clock += 1
        shelf = next((each for each, crates in self.shelves.items() if crate in crates), None)
        if shelf is None:
            self.shelves["north"][crate] = ("new", self._clock)
            return
        name, changed = self.shelves[shelf].pop(crate)
        if what == "change":
            changed = self._clock
        elif what == "rename":
            name = f"{name}-{self._clock}"
        elif what == "move":
            shelf = "south" if shelf == "north" else "north"
        if what != "remove":
            self.shelves[shelf][crate] = (name, changed)


class Warehouse:
    """The last rows of the children, by stream and crate."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], int] = {}

    def load(self, messages: list[dict[str, Any]]) -> Any:
        """Take rows over.

        Returns:
            The last state among them.
        """
        state = None
        for message in messages:
            if message["type"] == "RECORD" and message["stream"] in CHILDREN:
                record = message["record"]
                self.rows[message["stream"], record["crate"]] = record["changed"]
            elif message["type"] == "STATE":
                state = message["value"]
        return state

    def check(self, shelves: Mapping[str, Mapping[str, tuple[str, int]]]) -> None:
        """Hold the rows to what is true of the crates that are there."""
        for crates in shelves.values():
            for crate, (_, changed) in crates.items():
                for stream in CHILDREN:
                    assert self.rows.get((stream, crate)) == changed, (stream, crate)


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(changes, syncs), min_size=1, max_size=7))
def test_after_any_history_a_whole_sync_tells_the_truth(history: list[Any]) -> None:
    warehouse, today = Warehouse(), [20_000]
    store = Owners()
    with store.server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tap_cloudapis.core.ledger.day_of", lambda _: today[0])
        for deeds, plan in history:
            for deed in deeds:
                store.act(*deed)
            today[0] += plan["days"]
            store.replies = dict(FAULTS[plan["fault"]])
            outcome = store.sync(
                select=["toy_crates", *plan["select"]],
                state=(before := store.state),
                prepare=every_state,
                config={
                    "concurrency": plan["concurrency"],
                    **({"stream_maps": NO_OAK} if plan["filtered"] else {}),
                },
            )
            messages = outcome.messages
            if plan["killed"] is not None:
                messages = messages[: int(plan["killed"] * len(messages))]
            note(f"{deeds} {plan} {store.asked()}")
            store.state = warehouse.load(messages) or before
        store.replies = {}
        outcome = store.sync(select=["toy_crates", *CHILDREN])
        assert outcome.code == 0, outcome.log
        warehouse.load(outcome.messages)
        warehouse.check(store.shelves)
        # And that is all there was to read.
        store.asked()
        store.sync(select=["toy_crates", *CHILDREN])
        assert not any(path.startswith("/crates") for path in store.asked())
