"""Marks of the walk against what they stand for: a set of settled runs, and those that wait."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.bookmarks import usable
from tap_cloudapis.dbt.walk_marks import MemberMark, WalkBookmark, fresh_mark

ids = st.integers(1, 30)
#: What becomes of a run, and whether it was created before the look-back.
runs = st.lists(st.tuples(ids, st.sampled_from([None, [], [4, 5]]), st.booleans()), max_size=40)


@given(runs)
def test_a_mark_knows_what_it_was_told(told: list[tuple[int, Any, bool]]) -> None:
    mark = MemberMark(fresh_mark("2026-01-01T00:00:00.000000Z"))
    settled: set[int] = set()
    waiting: dict[int, list[int]] = {}
    base = 0
    for run_id, steps, is_old in told:
        if steps is None:
            waiting.pop(run_id, None)
            settled.add(run_id)
        else:
            waiting[run_id] = steps
        mark.settle(run_id, steps)
        mark.pass_by(run_id, is_old=is_old)
        if is_old:
            base = max(base, run_id)
        # As the next sync finds it.
        mark = MemberMark(json.loads(json.dumps(mark.stored)))
        for each in range(1, 31):
            known = each <= base or each in settled or each in waiting
            assert mark.knows(each) is known, each
        assert mark.waiting == {str(each): steps for each, steps in waiting.items()}
        assert len(mark.stored["settled"]) <= len(settled)
    bookmark = {"partitions": [{"context": {"account_id": 1}, "walks": {"": mark.stored}}]}
    assert usable(bookmark, WalkBookmark) == (bookmark, [])
    assert msgspec.json.encode(bookmark)
