"""No table and no chart of the page is without a test that counts its numbers again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.report.writing import Written

pytestmark = pytest.mark.slow

TESTS = "".join(
    path.read_text("utf-8")
    for path in sorted(Path(__file__).parent.glob("test_numbers_of_*.py"))
    if path != Path(__file__)
)


def test_each_table_is_held(made: Written) -> None:
    for article in made.page.articles.values():
        for caption in article.tables:
            assert f'shown.tables["{caption}"]' in TESTS, caption


def test_each_chart_is_held(made: Written) -> None:
    for key in made.page.articles:
        assert f'made.page.articles["{key}"]' in TESTS, key


def test_only_what_is_held_can_be_pointed_at(made: Written) -> None:
    """Marks and cells say numbers: of each chart that has any, all of them are compared."""
    tests = ["".join(text.split()) for text in TESTS.split("\ndef test_")]
    for key, article in made.page.articles.items():
        named = [text for text in tests if f'made.page.articles["{key}"]' in text]
        for found, compared in (
            (article.labels, "marks(shown,"),
            (article.cells, "inshown.cells]==expected"),
            (article.tiles, "shown.tiles=={"),
        ):
            assert not found or any(compared in text for text in named), key
