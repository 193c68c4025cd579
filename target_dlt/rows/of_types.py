"""What there is for each type of column, and for decimals of any number of digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from target_dlt.messages.digits import is_decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_dlt.messages.schema import DataType

Made = TypeVar("Made")


class OfTypes(dict["DataType", Made]):
    """What there is for types; for decimals of declared digits it is made when asked for.

    Args:
        known: What there is for the others.
        make: Makes it for a type of decimals.
    """

    def __init__(self, known: Mapping[DataType, Made], make: Callable[[DataType], Made]) -> None:
        super().__init__(known)
        self._make = make

    def __missing__(self, kind: DataType) -> Made:
        if not is_decimal(kind):
            raise KeyError(kind)
        return self._make(kind)

    def get(self, kind: DataType, default: Any = None) -> Any:
        """As of any mapping; a `dict` would not look at what is missing."""
        return self[kind] if kind in self or is_decimal(kind) else default
