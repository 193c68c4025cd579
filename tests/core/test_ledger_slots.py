"""Rows that are read in turn: once in so many days, whenever the syncs come."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.ledgers import Storehouse, Weights
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = 7
STREAMS = ["toy_labels", "toy_weights"]
CRATES = [f"c{number}" for number in range(10, 24)]
FIRST = 20_000


class Calendar(Storehouse):
    """A storehouse of many crates that never change, in which days pass."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.shelves = {"east": {crate: (crate, 1) for crate in CRATES}}
        self._patch = patch

    def weigh(self, day: int) -> list[str]:
        """Sync on a day.

        Returns:
            The crates that were weighed.
        """
        self._patch.setattr("tap_cloudapis.core.ledger.day_of", lambda _: day)
        self.last = self.sync(select=STREAMS)
        return self.read("weights").split()


@contextmanager
def calendar() -> Iterator[Calendar]:
    with pytest.MonkeyPatch.context() as patch:
        store = Calendar(patch)
        with store.server:
            yield store


def test_day_by_day_each_row_has_its_turn_once() -> None:
    with calendar() as store:
        assert store.weigh(FIRST) == CRATES
        days = [store.weigh(FIRST + day) for day in range(1, 2 * DAYS + 1)]
    for start in range(DAYS + 1):
        week = [crate for day in days[start : start + DAYS] for crate in day]
        assert sorted(week) == CRATES
    assert max(map(len, days)) < len(CRATES) / 2


@hypothesis_settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 9) | st.just(1) | st.integers(0, 40), min_size=3, max_size=12))
def test_whenever_the_syncs_come_each_row_has_its_turn(gaps: list[int]) -> None:
    days = list(accumulate(gaps, initial=FIRST))
    with calendar() as store:
        weighed = [store.weigh(day) for day in days]
    assert weighed[0] == CRATES
    for crate in CRATES:
        read = [day for day, crates in zip(days, weighed, strict=True) if crate in crates]
        for number, day in enumerate(days):
            # Never older than its turn, and no more often than that.
            assert any(day - DAYS < each <= day for each in read)
            for since in days[:number]:
                turns = -(-(day - since) // DAYS)
                assert sum(since < each <= day for each in read) <= turns


def test_ten_syncs_a_day_cost_the_turns_of_one() -> None:
    with calendar() as store:
        store.weigh(FIRST)
        for day in range(FIRST + 1, FIRST + 4):
            assert store.weigh(day)
            assert [store.weigh(day) for _ in range(9)] == [[]] * 9


def test_a_clock_that_goes_back_stops_nothing() -> None:
    with calendar() as store:
        store.weigh(FIRST)
        assert store.weigh(FIRST - 30) == []
        assert store.weigh(FIRST) == CRATES


def test_in_no_days_everything_is_read_at_every_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Weights, "refresh_days", 0)
    with calendar() as store:
        for day in (0, 0, 1, 1):
            assert store.weigh(FIRST + day) == CRATES


@pytest.mark.parametrize("days", [0, DAYS])
def test_a_row_that_fails_for_ever_takes_no_turn_away(
    days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass stays open as long, but what was read in it has its next turn all the same."""
    monkeypatch.setattr(Weights, "refresh_days", days)
    bad, rest = CRATES[0], CRATES[1:]
    with calendar() as store:
        store.replies[f"/crates/{bad}/weights"] = Reply({"message": "bad"}, status=400)
        weighed = [store.weigh(FIRST + day) for day in range(2 * DAYS + 1)]
        assert all(bad in crates for crates in weighed)
        turns = [crate for crates in weighed[1:] for crate in crates if crate != bad]
        assert sorted(turns) == sorted(rest * (2 if days else 2 * DAYS))
        store.replies.clear()
        assert bad in store.weigh(FIRST + 2 * DAYS)
        assert store.weigh(FIRST + 2 * DAYS) == ([] if days else CRATES)


def test_a_row_that_has_changed_keeps_its_turn() -> None:
    with calendar() as store:
        store.weigh(FIRST)
        store.change(*CRATES)
        assert store.weigh(FIRST + 1) == CRATES
        days = [store.weigh(FIRST + day) for day in range(2, DAYS + 2)]
    assert sorted(crate for day in days for crate in day) == CRATES


def test_who_is_not_read_in_turn_waits_for_a_change() -> None:
    with calendar() as store:
        store.weigh(FIRST)
        store.change(CRATES[3])
        assert store.weigh(FIRST + 100) == CRATES
        assert len(store.last.records("toy_weights")) == len(CRATES)
        assert [record["crate"] for record in store.last.records("toy_labels")] == [CRATES[3]]
