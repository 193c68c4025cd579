"""Titles that the usual world has no case of: its rows are changed, and the page written again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cloudapis_report import words
from tests.report.counting import plain
from tests.report.reading import Reading
from tests.report.world import SCHEMA
from tests.report.writing import report

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.reading import Article
    from tests.report.writing import Written

pytestmark = pytest.mark.slow


class Changed:
    """A copy of the models of a page, to be changed."""

    def __init__(self, made: Written, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "models.duckdb"
        shutil.copy(made.database, self.database)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.database)) as connection:
            connection.execute(f"use {SCHEMA}")
            return connection.execute(statement).fetchall()

    def articles(self) -> dict[str, Article]:
        """What the page says now."""
        path = self.folder / "report.html"
        done = report(self.database, "--output", path, folder=self.folder)
        assert (done.returncode, done.stderr) == (0, "")
        return Reading.of(path).articles


@pytest.fixture(name="changed")
def models_to_change(usual: Written, tmp_path: Path) -> Changed:
    return Changed(usual, tmp_path)


def test_seats_of_which_nobody_is_known(changed: Changed) -> None:
    """Without the people of dbt Cloud, its seats are in use by nobody knows whom."""
    changed.sql("delete from platform__people where service = 'dbt_cloud'")
    changed.sql("""
        update platform__seats set active = null, idle = null, never = null
        where service = 'dbt_cloud'
    """)
    ((dbt, known, idle),) = changed.sql("""
        select sum(used) filter (service = 'dbt_cloud'), sum(active + idle + never),
            sum(idle + never)
        from platform__seats
    """)
    unknown = (
        f"Of {dbt} seats in dbt Cloud it is not known who used them: "
        "select dbt_users, dbt_user_licenses and dbt_user_groups"
    )
    access = changed.articles()["access"]
    assert access.title == plain(
        f"{idle} of {known} seats whose use is known are idle or were never used "
        f"({words.share(idle, known)})"
    )
    assert access.also[0] == unknown
    changed.sql("delete from platform__seats where service <> 'dbt_cloud'")
    access = changed.articles()["access"]
    assert access.title == f"It is not known who uses the {dbt} seats in use"
    assert access.also[0] == unknown


def test_somebody_who_may_not_sign_in_is_told_once(changed: Changed) -> None:
    """One person has a seat in two accounts, and is active in both."""
    changed.sql("""
        update platform__people set is_member = false, login = 'zoe', account_id = -n
        from (
            select person_id as chosen, row_number() over (order by person_id) as n
            from platform__people where service = 'dbt_cloud' and seat_state = 'active'
        ) where person_id = chosen and service = 'dbt_cloud' and n <= 2
    """)
    access = changed.articles()["access"]
    told = "who was active in 90 days and holds a seat, but may no longer sign in"
    assert f"1 person {told}" in access.also
    table = access.tables["What lies about"]
    assert table.rows[-1][1:] == ["1", "zoe"]


def test_one_thing_is_named_once(changed: Changed) -> None:
    """One stack is forgotten; one source was late and is not now, and one was never checked."""
    changed.sql("""
        update pulumi_cloud__stacks set staleness = 'fresh' where stack_id <> (
            select min(stack_id) from pulumi_cloud__stacks where staleness = 'stale')
    """)
    changed.sql("""
        update dbt_cloud__source_freshness set age_hours = 2, status = 'pass', passed = checks,
            warned = 0, failed = 0
    """)
    node = "node_id = (select min(node_id) from dbt_cloud__source_freshness)"
    other = "node_id = (select max(node_id) from dbt_cloud__source_freshness)"
    changed.sql(f"""
        update dbt_cloud__source_freshness set age_hours = null, status = 'runtime error',
            passed = 0 where {node}
    """)
    changed.sql(f"""
        update dbt_cloud__source_freshness set status = 'warn', passed = checks - 1, warned = 1
        where {other} and day = (select min(day) from dbt_cloud__source_freshness where {other}
            and day > (select today from platform__as_of) - 30)
    """)
    ((sources,),) = changed.sql("select count(distinct node_id) from dbt_cloud__source_freshness")
    ((name, resources, days),) = changed.sql("""
        select project_name || '/' || stack_name, resource_count, floor(age_days)::int
        from pulumi_cloud__stacks where staleness = 'stale'
    """)
    articles = changed.articles()
    assert articles["forgotten"].title == (
        f"1 stack, {name}, has not been updated for {days} days and holds {resources} resources"
    )
    fresh = articles["freshness"]
    assert fresh.title == f"No source is late now; 1 of {sources} was late in 30 days"
    assert fresh.also[2].endswith(" checks of 1 source could not be made")
    (table,) = fresh.tables.values()
    assert table.column("Warned")[:2] == ["1", "0"]
    assert table.column("Now")[:2] == ["in time", "not known"]
