"""The queries of `docs/metrics.md` come to what the models have."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.models.dbt import ROOT
from tests.models.tables import Row, rows_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docs/metrics.md").read_text("utf-8")
QUERIES = re.findall(r"```sql\n-- ([^\n]*)\n(.*?)```", TEXT, flags=re.DOTALL)
EXAMPLE = "an example: it needs a table of commits"
#: What a row is known by, of what the models have.
KEYS = {
    *("account_id", "job_id", "run_id", "service", "scope_id", "week", "stack_id", "org_name"),
    *("day", "month", "login", "node_id", "project_id", "environment_id", "started_at"),
}


def test_every_query_names_what_it_is_compared_with() -> None:
    assert len(QUERIES) == TEXT.count("```sql") >= 15
    assert [name for name, _ in QUERIES].count(EXAMPLE) == 1


@pytest.mark.parametrize(
    ("told", "query"), QUERIES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(QUERIES)]
)
def test_a_query_comes_to_what_its_model_has(told: str, query: str, database: Path) -> None:
    found = rows_of(database, query)
    if told == EXAMPLE:
        assert found == []
        return
    assert found
    names = [name for name in found[0] if name in KEYS]
    values = [name for name in found[0] if name not in KEYS]
    theirs = by_key(rows_of(database, query_of(told, names, values)), names)
    for key, row in by_key(found, names).items():
        for name in values:
            assert alike(row[name], theirs[key][name]), (key, name, row[name], theirs[key][name])


def query_of(told: str, names: list[str], values: list[str]) -> str:
    """What the model has: `of` a service alone, or summed up `per` key."""
    model, _, how = told.partition(" ")
    word, _, what = how.partition(" ")
    if word == "per":
        values = [f"sum({name}) AS {name}" for name in values]
    query = f"SELECT {', '.join([*names, *values])} FROM {model}"  # noqa: S608
    ends = {"of": f" WHERE service = '{what}'", "per": f" GROUP BY {what}"}
    return query + ends.get(word, "")


def by_key(rows: list[Row], names: list[str]) -> dict[tuple[Any, ...], Row]:
    table = {tuple(row[name] for name in names): row for row in rows}
    assert len(table) == len(rows), "a key is there twice"
    return table


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-6)
    return bool(one == other)
