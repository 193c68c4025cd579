"""The page as a file: whole in itself, small, and deaf to what names want of it."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import TYPE_CHECKING

import duckdb
import pytest

from cloudapis_report.charts import CHARTS
from tests.report.world import SCHEMA, World
from tests.report.writing import report, written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.writing import Written

pytestmark = pytest.mark.slow

MOST_BYTES = 1_500_000
MOST_SECONDS = 20
MOST_SCRIPT = 5_000


def test_the_page_has_every_chart(usual: Written) -> None:
    page = usual.page
    assert list(page.articles) == [chart.key for chart in CHARTS]
    assert not page.missing
    for chart in CHARTS:
        shown = page.articles[chart.key]
        assert shown.title
        assert shown.definition.startswith(" ".join(chart.definition.split()))
        assert chart.question in shown.text
        assert shown.tables
    # The titles are the summary at the top, too.
    for shown in list(page.articles.values())[1:]:
        assert page.text.replace("\u00a0", " ").count(shown.title) >= 2


def test_the_last_line_says_where_the_page_is(usual: Written) -> None:
    size = usual.path.stat().st_size // 1000
    assert usual.out == f"Report: {usual.path.as_uri()} ({size:,} kB)\n"
    assert usual.err == ""


def test_the_page_asks_nobody_for_anything(usual: Written) -> None:
    html = usual.path.read_text("utf-8")
    # Links lead somewhere only once they are followed; all else is in the page.
    attributes = usual.page.attributes
    assert "src" not in attributes
    assert attributes["href"] - {
        each for each in attributes["href"] if each.startswith(("#", "https://"))
    } == {"data:,"}
    assert not re.search(r"url\(|@import|<base|srcset", html)
    assert "default-src 'none'" in html


def test_the_script_is_small_and_the_only_one_allowed(usual: Written) -> None:
    html = usual.path.read_text("utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(script.encode()) < MOST_SCRIPT
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    assert not [name for name in usual.page.attributes if name.startswith("on")]


def test_hostile_names_are_but_text(hostile: Written, usual: Written) -> None:
    page = hostile.page
    assert page.elements["script"] == 1
    assert page.elements.keys() == usual.page.elements.keys()
    assert page.attributes.keys() == usual.page.attributes.keys()
    assert not [href for href in page.attributes["href"] if href.startswith("javascript")]
    # They are shown as they are; what draws nothing is made visible.
    assert "<script>alert(1)</script><img src=x onerror=alert(2)>" in page.text
    assert "{{7*7}}${7*7}{%if%}" in page.text
    assert "\u202e" not in page.html
    assert "\u0007" not in page.html
    assert any("onmouseover=alert(3)" in label for label in page.articles["durations"].labels)


def test_the_findings_of_a_hostile_world_are_those_of_any(tmp_path: Path) -> None:
    """What a name is changes no number: the same world with other names, and the same figures."""
    pages = []
    for mark in ("", " {x} {{y}} %s \\ ' \""):
        folder = tmp_path / f"with-{len(mark)}"
        folder.mkdir()
        made = written(folder, World(jobs=12, stacks=12, mark=mark))
        assert made.code == 0, made.err
        pages.append([shown.title.replace(mark, "") for shown in made.page.articles.values()])
    assert pages[0] == pages[1]


def test_a_large_account_fits_the_budget(tmp_path: Path) -> None:
    world = World(jobs=3_000, runs=100, stacks=10_000, updates=20, mark=" of the long names" * 3)
    begin = time.process_time()
    made = written(tmp_path, world)
    assert made.code == 0, made.err
    assert made.path.stat().st_size < MOST_BYTES
    assert "300,000 runs" in made.page.facts or "299,900 runs" in made.page.facts
    assert "10,000 stacks" in made.page.facts
    assert time.process_time() - begin < MOST_SECONDS


def test_the_longest_names_and_messages_fit_too(tmp_path: Path) -> None:
    made = written(tmp_path, World(jobs=60, stacks=60, mark=" long" * 1_000))
    assert made.code == 0, made.err
    assert made.path.stat().st_size < MOST_BYTES


def test_a_page_without_rows_says_what_is_missing(empty: Written) -> None:
    page = empty.page
    assert page.headline == "Nothing of dbt Cloud or Pulumi Cloud has been loaded yet"
    assert not page.articles
    assert list(page.missing) == [chart.key for chart in CHARTS[1:]]
    assert page.name == "dbt Cloud and Pulumi Cloud"
    # What may be missing as nobody has selected it is said.
    assert (
        page.missing["flaky-tests"] == "No result of a dbt test is known: select dbt_run_results."
    )
    assert page.missing["freshness"].endswith(": select dbt_source_freshness.")
    people = "select dbt_users, dbt_user_licenses and dbt_user_groups."
    assert page.missing["access"].endswith(people)


def test_one_run_is_worth_a_page(one_run: Written) -> None:
    page = one_run.page
    # The run is older than a week, so no rate is told.
    assert page.headline == "Nothing in production is failing now"
    assert page.articles["run-matrix"].title == "The last run of the only job did not fail"
    assert len(page.articles["run-matrix"].cells) == 1
    assert page.missing["forgotten"] == "No stack of Pulumi Cloud has ever been updated."


def test_a_page_without_results_of_nodes_says_what_to_select(tmp_path: Path) -> None:
    made = written(tmp_path, World(jobs=6, stacks=0), drop=["dbt_cloud__model_daily"])
    told = "No result of a model is known: select dbt_run_results to see which got slower."
    assert made.page.articles["durations"].definition.endswith(told)


def test_the_same_models_make_the_same_page(usual: Written, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    done = report(usual.database, "--output", again, folder=tmp_path)
    assert done.returncode == 0
    assert again.read_text("utf-8") == usual.path.read_text("utf-8")


def test_a_link_leads_to_a_page_and_nowhere_else(tmp_path: Path) -> None:
    made = written(tmp_path, World(jobs=6, stacks=0))
    with duckdb.connect(str(made.database)) as connection:
        connection.execute(
            f"update {SCHEMA}.dbt_cloud__jobs set last_run_url = 'javascript:alert(1)'"
        )
    assert report(made.database, "-o", tmp_path / "b.html", folder=tmp_path).returncode == 0
    assert "javascript:" not in (tmp_path / "b.html").read_text("utf-8")
