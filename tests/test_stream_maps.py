"""Stream maps that cannot be used: one line with the stream and the text, and the others go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import Record, command, settings, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

#: Maps that cannot be made, and the words that tell why.
REFUSED: dict[str, tuple[Record, list[str]]] = {
    "syntax": ({"dbt_jobs": {"x": "record['id' +"}}, ["dbt_jobs", "record['id' +"]),
    "syntax of a filter": ({"dbt_jobs": {"__filter__": "(("}}, ["dbt_jobs", "(("]),
    "nothing": ({"dbt_jobs": {"x": ""}}, ["dbt_jobs"]),
    "alias": ({"dbt_jobs": {"__alias__": "a b ("}}, ["dbt_jobs", "a b ("]),
    "key": ({"dbt_jobs": {"id": None}}, ["dbt_jobs", "'id'"]),
    "another key": ({"dbt_jobs": {"__key_properties__": ["x"]}}, ["dbt_jobs", "'x'"]),
    "else": ({"dbt_jobs": {"__else__": "x"}}, ["__else__"]),
    "else of all": ({"__else__": "x"}, ["__else__"]),
    "unknown option": ({"__some__": {}}, ["__some__"]),
    "unknown stream": ({"dbt_jbos": {"x": "1"}}, ["no stream 'dbt_jbos'"]),
    "unknown pattern": ({"github_*": {"x": "1"}}, ["no stream 'github_*'"]),
    "unknown source": ({"mine": {"__source__": "dbt_jbos"}}, ["no stream 'dbt_jbos'"]),
    "number": ({"dbt_jobs": 5}, ["stream_maps.dbt_jobs"]),
    "number as expression": ({"dbt_jobs": {"x": 5}}, ["stream_maps.dbt_jobs"]),
    "beside a good one": (
        {"dbt_runs": {"x": "id"}, "dbt_jobs": {"x": "(("}},
        ["the map of dbt_jobs", "(("],
    ),
}


@pytest.mark.parametrize(("maps", "words"), REFUSED.values(), ids=REFUSED)
def test_a_map_that_cannot_be_made_is_one_line(
    maps: Record, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"dbt_token": "fake", "stream_maps": maps}))
    outcome = command("--config", path)
    assert outcome.code == 1
    (line,) = outcome.logged("ERROR")
    assert all(word in line for word in ["stream_maps", *words])
    assert len(line) < 500


EXPRESSIONS = [
    "nope + 1",
    "1 / (id - id)",
    "record['nope']",
    "name + 1",
    "name.nope()",
    "md5(id)",
    "int('x')",
    "__import__('os')",
    "9 ** 9 ** 9",
]


@pytest.mark.parametrize("column", ["x", "__filter__"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_that_fails_ends_its_stream_alone(
    expression: str, column: str, tiny: Simulator
) -> None:
    maps = {"dbt_jobs": {column: expression}}
    outcome = sync(settings(tiny, stream_maps=maps))
    assert outcome.code == 1
    (line,) = outcome.logged("ERROR")
    assert f"dbt_jobs: stream_maps.dbt_jobs.{column}: {expression!r} fails" in line
    assert outcome.records("dbt_jobs") == []
    for stream in ("dbt_runs", "dbt_accounts", "pulumi_stack_updates"):
        assert len(outcome.latest(stream)) == len(tiny.rows(stream))


def test_a_mark_does_not_pass_a_record_whose_map_fails(still: Simulator) -> None:
    ids = sorted(row["id"] for row in still.rows("dbt_runs"))
    maps: dict[str, Any] = {"dbt_runs": {"x": f"1 / (id - {ids[20]})"}}
    first = sync(settings(still, "dbt", stream_maps=maps), select=["dbt_runs"])
    assert first.code == 1
    assert len(first.logged("ERROR", "ZeroDivisionError")) == 1
    second = sync(settings(still, "dbt"), select=["dbt_runs"], state=first.state)
    assert second.code == 0
    delivered = {r["id"] for outcome in (first, second) for r in outcome.records("dbt_runs")}
    assert delivered == set(ids)


def test_the_children_of_a_stream_whose_map_fails(still: Simulator) -> None:
    maps = {"pulumi_stacks": {"__filter__": "nope"}}
    outcome = sync(settings(still, stream_maps=maps))
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "stream_maps.pulumi_stacks.__filter__: 'nope'")) == 1
    assert len(outcome.logged("ERROR")) == 1
    assert len(outcome.latest("dbt_runs")) == len(still.rows("dbt_runs"))
    members = "pulumi_organization_members"
    assert len(outcome.latest(members)) == len(still.rows(members))
