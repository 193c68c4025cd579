"""What `docs/demo.md` says there is to find: on the page of the demo, in sentences and numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.report.demo import written_demo

if TYPE_CHECKING:
    from tests.report.reading import Article, Table
    from tests.report.writing import Written

pytestmark = pytest.mark.slow

DATES = ("2026-07-01T08:00:00Z", "2026-11-26T16:00:00Z", "2027-11-27T11:00:00Z")
SLOWER, BROKEN = "Hourly 🚀 refresh #4", "Finance / Reporting 3 / Daily build #8"
DAY = 24 * 3600


@pytest.fixture(scope="module", name="page", params=DATES)
def page_of_the_demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Written:
    made = written_demo(tmp_path_factory.mktemp("demo"), request.param)
    assert (made.code, made.err) == (0, "")
    assert not made.page.missing
    return made


def of(table: Table) -> list[dict[str, str]]:
    """The rows of a table, by heading."""
    return [dict(zip(table.headings, row, strict=True)) for row in table.rows]


def rows_of(table: Table, heading: str, value: str) -> list[dict[str, str]]:
    """The rows of a table that have a value in a column."""
    return [row for row in of(table) if row[heading] == value]


def found(pattern: str, article: Article) -> tuple[float, ...]:
    """The numbers that a sentence of a chart tells; the pattern has a group for each."""
    for sentence in (article.title, *article.also):
        if match := re.fullmatch(pattern, sentence):
            return tuple(float(group.replace(",", "")) for group in match.groups())
    pytest.fail(f"no sentence like {pattern!r}: {article.title}; {article.also}")


def test_a_job_got_slower(page: Written) -> None:
    article = page.page.articles["durations"]
    (times,) = found(f"{SLOWER}.* takes ([0-9.]+) times as long as before: .*", article)
    assert 1.7 <= times <= 1.9
    first = of(article.tables["Jobs: what got slower, then what is slowest"])[0]
    assert (first["Job"], first["Project"]) == (SLOWER, "Analytics 4")
    lately, before = float(first["Median, 7 days"]), float(first["The 28 before"])
    assert 18 * 60 < lately < 23 * 60
    assert 10 * 60 < before < 13 * 60


def test_a_job_is_broken(page: Written) -> None:
    articles = page.page.articles
    (row,) = rows_of(
        articles["now"].tables["Open incidents, the longest first"], "Job or stack", BROKEN
    )
    assert 3 * DAY < float(row["Open for"]) < 5 * DAY
    assert float(row["Failed attempts"]) >= 3
    worst = of(articles["run-matrix"].tables["Jobs, the worst first"])[0]
    assert (worst["Job"], worst["Health"]) == ("Daily build #8", "broken")
    assert worst["Project"] == "Finance / Reporting 3"


def test_a_job_was_broken_and_recovered(page: Written) -> None:
    table = page.page.articles["recovery"].tables[
        "Incidents: those that are open, then those that took longest"
    ]
    took = [
        (float(row["Took"]) / DAY, int(row["Failed attempts"]))
        for row in rows_of(table, "Job or stack", "Core 3 / Daily build #8")
        if row["Now"].startswith("recovered")
    ]
    assert any(1.5 < days < 4 and attempts >= 3 for days, attempts in took)


def test_a_project_fails_on_mondays(page: Written) -> None:
    article = page.page.articles["outcomes"]
    then, otherwise = found(
        r"Core 1 fails on Mondays: ([0-9.]+) % of its runs then, ([0-9.]+) % on other days", article
    )
    assert then > 70
    assert otherwise < 12
    # Others fail on a day by chance: nothing is said of them.
    assert article.also[1:] == []


def test_a_test_is_flaky(page: Written) -> None:
    article = page.page.articles["flaky-tests"]
    if article.title.startswith("No test is flaky this month"):  # which began today
        (many,) = found(r"No test is flaky this month, .*; in \w+ ([0-9]+) was", article)
        assert many == 1
    else:
        flaky, times = found(
            r"([0-9]+) of [0-9]+ tests? is flaky this month; "
            r"not_null_orders_0_id turned over ([0-9]+) times",
            article,
        )
        assert flaky == 1
        assert 2 <= times <= 11
    rows = of(article.tables["Tests that flipped, by month"])
    assert {row["Test"] for row in rows if row["Flaky"] == "yes"} == {"not_null_orders_0_id"}


def test_a_source_is_stale(page: Written) -> None:
    article = page.page.articles["freshness"]
    # Others stand still for a day or so, and one of them may have the oldest data.
    assert re.match(r"[0-9]+ sources? (is|are) (too )?late now", article.title)
    (table,) = article.tables.values()
    rows = rows_of(table, "Source", "raw.orders_0")
    # The other account has a project and a source of these names.
    late = [row for row in rows if row["Project"] == "Analytics 0"]
    assert "too late" in {it["Now"] for it in late}
    assert any(float(it["Oldest data, hours"]) > 72 and float(it["Failed"]) >= 1 for it in late)


def test_runs_wait_at_six(page: Written) -> None:
    article = page.page.articles["waiting"]
    assert re.fullmatch(
        r"Runs wait \S+ min( \S+ s)? at the median when created at 06:00, \S+ s at other hours",
        article.title,
    )
    assert article.also[0].endswith("most between 06:00 and 07:00")
    table = article.tables["Run slots by hour of the day, 28 days"]
    minutes = dict(
        zip(table.column("Hour"), table.numbers("Minutes with all slots taken"), strict=True)
    )
    six = minutes.pop("06:00")
    assert six is not None
    assert six > 2 * sum(filter(None, minutes.values()))


def test_seats_are_idle(page: Written) -> None:
    article = page.page.articles["access"]
    unused, used = found(
        r"([0-9]+) of ([0-9]+) seats whose use is known are idle or were never used \([0-9.]+ %\)",
        article,
    )
    assert 0.2 < unused / used < 0.5
    rows = of(article.tables["Seats by kind"])
    dbt = [row for row in rows if row["Service"] == "dbt Cloud" and row["Active"]]
    assert 15 <= sum(int(row["Idle"]) for row in dbt) <= 35
    assert 20 <= sum(int(row["Never active"]) for row in dbt) <= 45
    # Who has a seat is one of these.
    assert all(
        int(row["In use"]) == int(row["Active"]) + int(row["Idle"]) + int(row["Never active"])
        for row in dbt
    )
    (acme,) = (row for row in rows if row["Account or organization"] == "Acme-Cloud")
    assert int(acme["Never active"]) > int(acme["Active"]) >= 17


def test_a_big_stack_is_forgotten(page: Written) -> None:
    article = page.page.articles["forgotten"]
    days, resources = found(
        r"1 stack, Data-Platform/Dev-Ana, has not been updated for ([0-9]+) days "
        r"and holds ([0-9]+) resources",
        article,
    )
    assert resources > 600
    assert 146 <= days <= 170
    assert len(article.tables["The largest stacks that are stale"].rows) == 1


def test_somebody_deploys_from_a_laptop(page: Written) -> None:
    article = page.page.articles["actors"]
    made, of = found(r"user-7 made ([0-9]+) of these ([0-9]+), on k8s.cluster/prod", article)
    assert made == of >= 3
    table = article.tables["Production updates by actor"]
    (row,) = rows_of(table, "Actor", "user-7")
    assert float(row["A person, with changes not committed"]) == made
    assert article.title.endswith("all with changes not committed")
