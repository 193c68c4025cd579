"""Counting again, in Python and from the rows of the models, what the page counted in SQL."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cloudapis_report import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.report.reading import Article, Table
    from tests.report.writing import Written

Row = dict[str, Any]
_LONGEST = 240
_NOTHING = ("", "\u2013")
SERVICES = {"dbt_cloud": "dbt Cloud", "pulumi_cloud": "Pulumi Cloud"}


def plain(text: str) -> str:
    """A text as `reading` has it: each space is a plain one."""
    return text.replace(words.NBSP, " ")


def said(write: Callable[..., str], *values: Any) -> str:
    """What a function of `words` writes, with plain spaces."""
    return plain(write(*values))


def read(text: str | None) -> str:
    """A name or a message as `reading` has it: on one line, and not longer than it may be."""
    return " ".join(plain(words.short(words.clean(text or ""), _LONGEST)).split())


def epoch(moment: datetime) -> float:
    """A time in UTC as seconds since 1970."""
    return moment.replace(tzinfo=UTC).timestamp()


def quantile(values: Iterable[float], at: float) -> float:
    """A percentile by linear interpolation."""
    ordered = sorted(values)
    place = at * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def total(rows: Iterable[Row], field: str) -> Any:
    """The sum of a field; nothing counts as 0."""
    return sum(row[field] or 0 for row in rows)


def by(rows: Iterable[Row], *fields: str) -> dict[Any, list[Row]]:
    """Rows by the value of a field, or of several."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        key = tuple(row[field] for field in fields)
        groups.setdefault(key if len(fields) > 1 else key[0], []).append(row)
    return groups


class Time:
    """The time of a world."""

    def __init__(self, made: Written) -> None:
        (row,) = made.models("platform__as_of")
        self.now: datetime = row["as_of"]
        self.today: date = row["today"]
        self.week: date = row["this_week"]
        self.zone: str = row["report_time_zone"]

    def said(self, moment: datetime) -> str:
        """A time as the page tells it."""
        return plain(words.time(epoch(moment), ZoneInfo(self.zone)))

    def within(self, moment: datetime | None, days: float, up_to: float = 0) -> bool:
        """Whether something was within so many days before now, or before some days before."""
        if moment is None:
            return False
        return timedelta(days=up_to) <= self.now - moment < timedelta(days=days)

    def weeks(self, full: int) -> list[date]:
        """The Mondays of the last full weeks, the newest first."""
        return [self.week - timedelta(weeks=back) for back in range(1, full + 1)]

    def months(self, many: int) -> list[date]:
        """The first days of the last months, this one the first."""
        found = [self.today.replace(day=1)]
        while len(found) < many:
            found.append((found[-1] - timedelta(days=1)).replace(day=1))
        return found


def close(found: Sequence[float | None], expected: Sequence[float | None]) -> bool:
    """Whether numbers are the same, but for what is lost in adding them up in another order."""
    return len(found) == len(expected) and all(
        a is b if a is None or b is None else abs(a - float(b)) <= 1e-9 * max(1, abs(a))
        for a, b in zip(found, expected, strict=True)
    )


def rate(rows: Iterable[Row]) -> float | None:
    """The success rate of rows with sums."""
    rows = list(rows)
    ended = total(rows, "succeeded") + total(rows, "failed")
    return total(rows, "succeeded") / ended if ended else None


def outcomes(rows: Iterable[Row]) -> Counter[str]:
    """How many rows have which outcome."""
    return Counter(row["outcome"] for row in rows)


def shows(table: Table, rows: Sequence[Row]) -> None:
    """Hold that a table has these rows in this order, and no column that is in none of them."""
    assert len(table.rows) == len(rows)
    for told, row in zip(table.rows, rows, strict=True):
        assert table.headings == list(row)
        for heading, cell, value in zip(table.headings, told, row.values(), strict=True):
            assert _is_told(cell, value), f"{heading}: {cell!r} for {value!r} in {row}"


def _is_told(cell: str, value: Any) -> bool:
    if value is None:
        return cell in _NOTHING
    if isinstance(value, str):
        return cell == read(value) or (not read(value) and cell in _NOTHING)
    if cell == "":
        return False
    if isinstance(value, datetime):
        return abs(float(cell) - epoch(value)) < 1e-3
    number = value.toordinal() if isinstance(value, date) else value
    return close([float(cell)], [number])


def marks(article: Article, labels: Iterable[str]) -> None:
    """Hold that the marks of all figures say this and nothing else, for a desk and for a phone."""
    told = Counter(map(_line, article.labels))
    assert told == Counter({label: 2 * many for label, many in Counter(map(_line, labels)).items()})


def stand(article: Article, texts: Iterable[str], widths: int = 2) -> None:
    """Hold that such texts stand beside the marks, for a desk and for a phone."""
    there = Counter(map(_line, article.texts))
    for text, many in Counter(map(_line, texts)).items():
        assert there[text] >= widths * many, text


def _line(text: str) -> str:
    return " ".join(plain(text).split())
