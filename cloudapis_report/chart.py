"""What a chart is: a question, its SQL, and what the rows of that say.

A chart is one file in `charts`. It gets the rows of its queries and answers with a `Finding`: a
sentence with the result, figures, and the tables behind them; or with the reason why there is
nothing to show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cloudapis_report.queries import Clock, models_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Row = dict[str, Any]
Spec = dict[str, Any]
#: How much a result matters: broken, to be looked at, as it should be, a fact.
Tone = Literal["bad", "warn", "good", "plain"]
Kind = Literal["text", "number", "decimal", "share", "change", "duration", "hours", "time", "day"]
#: How wide figures are drawn, in pixels: on a screen, and on a phone.
WIDE, NARROW = 820, 350


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and what its values are."""

    name: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """A table behind a figure.

    Attributes:
        caption: What a row is.
        columns: The columns in their order.
        rows: The values, as the SQL gave them.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    @classmethod
    def of(cls, caption: str, rows: Sequence[Row], *columns: tuple[str, str, Kind]) -> Table:
        """Make a table of rows as the SQL gave them.

        Args:
            caption: What a row is.
            rows: The rows.
            columns: Of each column its heading, the field of its values, and what they are.
        """
        return cls(
            caption,
            [Column(name, kind) for name, _, kind in columns],
            [[row[field] for _, field, _ in columns] for row in rows],
        )


@dataclass(frozen=True)
class Legend:
    """What a colour stands for: the name of its CSS variable, a sign, and a word."""

    colour: str
    sign: str
    word: str


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Attributes:
        draw: Makes the Vega-Lite spec for a width in pixels.
        label: What a screen reader says in its place.
        heading: What stands above it, if there are several.
        legend: What its colours stand for.
        half: Whether two such figures stand side by side; drawn once, for the narrow width.
    """

    draw: Callable[[int], Spec]
    label: str
    heading: str = ""
    legend: Sequence[Legend] = ()
    half: bool = False


@dataclass(frozen=True)
class Fragment:
    """A piece of HTML: a template of this package and what it is filled with."""

    template: str
    values: Mapping[str, Any]
    heading: str = ""
    legend: Sequence[Legend] = ()


@dataclass(frozen=True)
class Finding:
    """What a chart says.

    Attributes:
        title: The result in a sentence, without a full stop.
        parts: What is drawn, from top to bottom.
        tables: The numbers behind it.
        tone: How much it matters.
        note: What has to be known of these very figures, beside the definition.
        also: What else is in them, in sentences without a full stop.
    """

    title: str
    parts: Sequence[Figure | Fragment] = ()
    tables: Sequence[Table] = ()
    tone: Tone = "plain"
    note: str = ""
    also: Sequence[str] = ()


@dataclass(frozen=True)
class Nothing:
    """There is nothing to show, and why: a sentence without a full stop."""

    why: str


@dataclass(frozen=True)
class Data:
    """What a chart is made of.

    Attributes:
        clock: The time that the page speaks of.
        found: The rows of each query; none where a model of it is not there.
        missing: The models that are not there.
    """

    clock: Clock
    found: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()

    def rows(self, query: str) -> Sequence[Row]:
        """Return the rows of a query."""
        return self.found[query]

    def one(self, query: str) -> Row:
        """Return the only row of a query that counts; an empty one where its model is missing."""
        return self.found[query][0] if self.found[query] else {}


@dataclass(frozen=True)
class Chart:
    """A chart: all that one file in `charts` declares.

    Attributes:
        key: Its name in links and options.
        section: The heading it stands under.
        question: What it answers.
        definition: How its figures are defined, in sentences.
        queries: Its SQL by name.
        show: Makes the finding of the rows.
        needs: The streams without which there is nothing to show, and which are not selected by
            default.
    """

    key: str
    section: str
    question: str
    definition: str
    queries: Mapping[str, str]
    show: Callable[[Data], Finding | Nothing]
    needs: tuple[str, ...] = ()

    @property
    def models(self) -> frozenset[str]:
        """The models that its queries read."""
        return frozenset().union(*map(models_of, self.queries.values()))
