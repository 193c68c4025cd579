"""Properties outside the schema: those that come often, and those that come seldom."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_dlt.rows.chunks import Column

# Names that come in a smaller part of the records which bring others than known are rare.
_RARE = 64


class RareColumns(dict[str, "Column"]):
    """Columns, by property, that are not compiled into the type of the records.

    They are looked through at intervals that double. So there are few types and chunks however
    many names there are, and names that all records bring are found at the first record.

    Attributes:
        patience: How many records with names that are not compiled come before the next time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()
        self._records = 0
        self.patience = 1

    def count(self, names: Iterable[str]) -> list[str]:
        """Count the names of a record that are not compiled.

        Returns:
            Those that came often since the last time they were looked through.
        """
        self._counts.update(names)
        self._records += 1
        if self._records < self.patience:
            return []
        least = self._records / _RARE
        often = [name for name, count in self._counts.items() if count >= least]
        self._counts.clear()
        self._records = 0
        self.patience *= 2
        return often
