"""What a page says, read out of its HTML as a browser would."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_VOID = frozenset({"meta", "link", "br", "input"})


@dataclass
class Table:
    """A table behind a figure: its headings, and its rows by heading."""

    headings: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def column(self, heading: str) -> list[str]:
        """The values of a column: numbers as they are, not as they are written."""
        at = self.headings.index(heading)
        return [row[at] for row in self.rows]

    def numbers(self, heading: str) -> list[float | None]:
        """The values of a column of numbers; `None` for one that is not known."""
        return [float(value) if value else None for value in self.column(heading)]


@dataclass
class Article:
    """A chart as the page has it."""

    title: str = ""
    also: list[str] = field(default_factory=list)
    definition: str = ""
    tables: dict[str, Table] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    cells: list[tuple[str, str]] = field(default_factory=list)
    abouts: list[str] = field(default_factory=list)
    tiles: dict[str, tuple[str, str]] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    text: str = ""


class Reading(HTMLParser):
    """Reads a page: elements have to be closed in their order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.articles: dict[str, Article] = {}
        self.missing: dict[str, str] = {}
        self.headline = ""
        self.name = ""
        self.facts = ""
        self.text = ""
        self.elements: dict[str, int] = {}
        self.attributes: dict[str, set[str]] = {}
        self._open: list[tuple[str, dict[str, str]]] = []
        self._texts: list[str] = []
        self._article: Article | None = None
        self._table: Table | None = None
        self._what = self._value = ""
        self._missing = ""
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    @classmethod
    def of(cls, path: Path) -> Reading:
        return cls(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements[tag] = self.elements.get(tag, 0) + 1
        for name, value in attributes.items():
            self.attributes.setdefault(name, set()).add(value)
        if tag in _VOID:
            return
        if tag == "article":
            self._article = self.articles[attributes["id"]] = Article()
        elif tag == "div" and self._is_in("dl"):
            self._missing = attributes["id"]
        elif self._article and tag == "table" and attributes.get("class") == "data":
            self._table = self._article.tables[attributes["aria-label"]] = Table()
        elif self._table and tag == "tr" and self._is_in("tbody"):
            self._table.rows.append([])
        elif self._article and tag == "path" and "stroke" in attributes and self._is_in("li"):
            self._article.lines[self._what] = attributes["d"]
        elif self._article and self._is_in("svg") and "aria-label" in attributes:
            self._article.labels.append(attributes["aria-label"])
        elif self._article and tag == "td" and "title" in attributes:
            self._article.cells.append((attributes["class"], attributes["title"]))
        self._open.append((tag, attributes))
        self._texts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if self._texts and not self._is_in("script") and not self._is_in("style"):
            self._texts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        opened, attributes = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"
        text = self._texts.pop()
        if self._texts:
            self._texts[-1] += text
        self._take(tag, attributes, " ".join(text.replace("\u00a0", " ").split()))
        if not self._open:
            self.text += text

    def _is_in(self, tag: str) -> bool:
        return any(opened == tag for opened, _ in self._open)

    def _take(self, tag: str, attributes: dict[str, str], text: str) -> None:
        kind = attributes.get("class", "")
        if tag == "h1":
            self.headline = text
        elif tag == "p" and kind == "over":
            self.name = text
        elif tag == "p" and kind == "facts":
            self.facts = text
        elif tag == "dd":
            self.missing[self._missing] = text
        elif tag == "article":
            assert self._article
            self._article.text = text
            self._article = None
        elif self._article:
            self._take_of_article(tag, kind, attributes, text, self._article)

    def _take_of_article(
        self, tag: str, kind: str, attributes: dict[str, str], text: str, article: Article
    ) -> None:
        if tag == "h3":
            article.title = text
        elif tag == "p" and kind == "also":
            article.also.append(text)
        elif tag == "p" and kind == "definition":
            article.definition = text
        elif tag == "text" and self._is_in("svg"):
            article.texts.append(text)
        elif tag == "small":
            article.abouts.append(text)
        elif tag == "p" and kind == "what":
            self._what = text
        elif tag == "p" and kind == "value":
            self._value = text.lstrip("✕▲✓ ")
        elif tag == "p" and kind == "more":
            article.tiles[self._what] = (self._value, text)
        elif tag == "table":
            self._table = None
        elif self._table and tag == "th" and self._is_in("thead"):
            self._table.headings.append(text)
        elif self._table and tag in ("th", "td"):
            self._table.rows[-1].append(attributes.get("data-v", text))
