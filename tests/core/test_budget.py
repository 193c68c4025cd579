"""How much answers may take that are held: what is known, and what is expected of the others."""

from __future__ import annotations

from tap_cloudapis.core.budget import FIRST_GUESS, Budget

MB = 1_000_000


def test_what_is_held_counts_until_it_is_dropped() -> None:
    budget = Budget(20 * MB)
    weights = [budget.expect() for _ in range(3)]
    assert budget.admits()
    for weight in weights:
        weight.tell(7 * MB)
    assert not budget.admits()
    assert budget.outstanding() == 0
    weights[0].drop()
    weights[1].drop()
    assert budget.admits()


def test_what_is_not_known_counts_as_a_guess() -> None:
    budget = Budget(5 * FIRST_GUESS)
    for _ in range(4):
        assert budget.admits()
        budget.expect()
    assert not budget.admits()
    assert budget.outstanding() == 4


def test_large_answers_make_few_be_asked_for_and_small_ones_more() -> None:
    budget = Budget(64 * MB)
    first = budget.expect()
    first.tell(30 * MB)
    first.drop()
    budget.expect()
    assert budget.admits()
    budget.expect()
    assert not budget.admits(), "two of 30 MB may come, and a third would be too many"
    for _ in range(20):
        small = budget.expect()
        small.tell(1000)
        small.drop()
    assert budget.admits()


def test_one_may_always_be_asked_for() -> None:
    assert Budget(1).admits()


def test_what_is_told_of_a_dropped_answer_does_not_count() -> None:
    budget = Budget(10)
    late = budget.expect()
    late.drop()
    late.tell(1000)
    assert budget.admits()
    assert budget.outstanding() == 0
