"""The page as a browser has it: readable, accessible, silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.report.browser import browser, needs_browser, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.report.writing import Written

pytestmark = [pytest.mark.slow, needs_browser]

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


def texts_that_are_too_small(size: int) -> str:
    """A script: the visible texts of figures that are drawn smaller than so many pixels."""
    return f"""() => [...document.querySelectorAll('svg text')]
        .filter((text) => text.getClientRects().length && text.textContent.trim())
        .map((text) => [text.textContent, parseFloat(getComputedStyle(text).fontSize)
            * text.getScreenCTM().a])
        .filter(([, size]) => size < {size})"""


@pytest.mark.parametrize(
    ("world", "scheme", "size"),
    [
        ("usual", "light", "desk"),
        ("usual", "dark", "phone"),
        ("hostile", "dark", "desk"),
        ("hostile", "light", "phone"),
        ("empty", "light", "phone"),
        ("one_run", "light", "desk"),
        ("one_run", "light", "phone"),
    ],
)
def test_nothing_is_asked_for_and_nothing_goes_wrong(
    world: str,
    scheme: Literal["light", "dark"],
    size: str,
    chromium: Browser,
    request: pytest.FixtureRequest,
) -> None:
    made: Written = request.getfixturevalue(world)
    with opened(chromium, made.path, size, color_scheme=scheme) as found:
        width = found.page.evaluate("document.documentElement.scrollWidth")
        small = found.page.evaluate(texts_that_are_too_small(9))
        found.page.mouse.wheel(0, 2_000)
        found.page.mouse.move(found.page.viewport_size["width"] / 2, 400)  # type: ignore[index]
    assert found.requests == [made.path.as_uri()]
    assert found.messages == []
    # Nothing is wider than the screen, and what is drawn can be read.
    assert width == (1440 if size == "desk" else 390)
    assert small == []


@pytest.mark.parametrize(
    ("world", "scheme", "size"),
    [("usual", "light", "desk"), ("usual", "dark", "phone"), ("empty", "dark", "desk")],
)
def test_axe_finds_nothing_serious(
    world: str,
    size: str,
    scheme: Literal["light", "dark"],
    chromium: Browser,
    request: pytest.FixtureRequest,
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - may not be there

    made: Written = request.getfixturevalue(world)
    with opened(chromium, made.path, size, color_scheme=scheme, bypass_csp=True) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
        violations: list[dict[str, Any]] = Axe().run(found.page).response["violations"]
    assert [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0].get("failureSummary"))
        for each in violations
        if each["impact"] in SERIOUS
    ] == []


def test_the_page_is_whole_without_its_script(usual: Written, chromium: Browser) -> None:
    with opened(chromium, usual.path, "desk", java_script_enabled=False) as found:
        text = found.page.inner_text("body")
        figures = found.page.locator("svg:visible").count()
    assert all(shown.title in text.replace("\u00a0", " ") for shown in _articles(usual))
    assert figures > 20


def _articles(made: Written) -> list[Any]:
    return list(made.page.articles.values())[1:]


def test_a_mark_tells_what_it_is(usual: Written, chromium: Browser) -> None:
    with opened(chromium, usual.path, "desk") as found:
        mark = found.page.locator("#run-hours .wide svg [aria-label]").first
        mark.scroll_into_view_if_needed()
        mark.hover()
        told = found.page.inner_text("#tip")
        assert told == mark.get_attribute("aria-label")
        assert told.split(": ")[0]


def test_tables_can_be_sorted_and_searched(usual: Written, chromium: Browser) -> None:
    table = usual.page.articles["durations"].tables["Jobs: what got slower, then what is slowest"]
    medians = [value for value in table.numbers("Median, 30 days") if value is not None]
    place = table.headings.index("Median, 30 days")
    with opened(chromium, usual.path, "desk") as found:
        details = found.page.locator("#durations details").first
        details.locator("summary").click()
        details.locator("th button", has_text="Median, 30 days").click()
        cells = f"rows => rows.map((row) => +row.cells[{place}].dataset.v)"
        assert details.locator("tbody tr").evaluate_all(cells) == sorted(medians, reverse=True)
        assert details.locator("[aria-sort=descending]").count() == 1
        details.locator("th button", has_text="Median, 30 days").click()
        assert details.locator("tbody tr").evaluate_all(cells) == sorted(medians)
        name = table.column("Job")[3]
        details.locator("input[type=search]").fill(name)
        assert details.locator("tbody tr:visible th").all_inner_texts() == [name]


def test_the_page_prints_with_its_tables(usual: Written, chromium: Browser, tmp_path: Path) -> None:
    with opened(chromium, usual.path, "desk") as found:
        pdf = found.page.pdf(path=tmp_path / "report.pdf", print_background=True)
    assert pdf.startswith(b"%PDF")
    with opened(chromium, usual.path, "desk", java_script_enabled=False) as found:
        found.page.emulate_media(media="print")
        shown = found.page.locator("#durations details table").first
        assert shown.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_one_drawing(
    scheme: Literal["light", "dark"], usual: Written, chromium: Browser
) -> None:
    """Colours of marks are those of the page's scheme, and differ from what is behind them."""
    with opened(chromium, usual.path, "desk", color_scheme=scheme) as found:
        paper, marks = found.page.evaluate(
            """() => [getComputedStyle(document.body).backgroundColor,
                [...document.querySelectorAll('svg [aria-label]')]
                    .map((mark) => getComputedStyle(mark).fill)]"""
        )
    lightness = sum(int(part) for part in paper[4:-1].split(",")) / 3
    assert (lightness > 128) == (scheme == "light")
    assert len(set(marks)) > 6
    assert paper not in marks


def test_a_screenshot_is_no_blank(usual: Written, chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    with opened(chromium, usual.path, "desk") as found:
        found.page.screenshot(path=path)
    assert path.stat().st_size > 30_000
