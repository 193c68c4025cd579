"""Numbers of rows and requests, and how well they are known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Bound(StrEnum):
    """How well a number is known; the later ones spoil those before in a sum."""

    EXACT = ""
    AT_MOST = "at most "
    ABOUT = "about "
    AT_LEAST = "at least "


@dataclass(frozen=True)
class Amount:
    """A number of rows or requests, as far as it is known."""

    number: int = 0
    bound: Bound = Bound.EXACT

    def __add__(self, other: Amount) -> Amount:
        """The sum, which is no better known than either."""
        return Amount(self.number + other.number, worst(self.bound, other.bound))

    def __str__(self) -> str:
        """The number in words."""
        return f"{self.bound}{self.number:,}"

    @property
    def at_least(self) -> Amount:
        """So many or more."""
        return Amount(self.number, Bound.AT_LEAST)

    @property
    def is_exact(self) -> bool:
        """Whether it is that number and no other."""
        return self.bound is Bound.EXACT

    def as_data(self) -> dict[str, Any]:
        """The number as JSON has it."""
        return {"number": self.number, "bound": self.bound.strip() or "exact"}


def worst(*bounds: Bound) -> Bound:
    """How well is known what several numbers make up."""
    return max(bounds, key=list(Bound).index)


NO_AMOUNT, ONE = Amount(), Amount(1)
#: What is asked for where nothing has changed.
NOTHING = Amount(0, Bound.AT_LEAST)
