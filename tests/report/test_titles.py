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
