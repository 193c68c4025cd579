"""Names for things that people have called alike: each gets as much more as tells it apart."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from cloudapis_report.words import short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudapis_report.chart import Row

#: Of a part of a label, in characters.
_LONGEST = 60


def labelled(rows: Sequence[Row], name: Callable[[Row], str | None], *further: str) -> list[Row]:
    """Give each row a `label`: its name, and what tells it apart from rows of the same name.

    Args:
        rows: A row for each thing.
        name: Tells the name of a row.
        further: Fields to tell rows apart by, the first that can. Two that differ in none of them
            have the same label.

    Returns:
        Copies of the rows.
    """
    labels = [name(row) or "no name" for row in rows]
    for field in further:
        alike: dict[str, list[int]] = defaultdict(list)
        for at, label in enumerate(labels):
            alike[label].append(at)
        for label, places in alike.items():
            if len({rows[at][field] for at in places}) > 1:
                for at in places:
                    more = rows[at][field] or "no name"
                    labels[at] = f"{short(label, _LONGEST)} · {short(more, _LONGEST)}"
    return [{**row, "label": label} for row, label in zip(rows, labels, strict=True)]
