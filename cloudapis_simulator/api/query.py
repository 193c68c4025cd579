"""Reading of query strings the way the two services do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError
from cloudapis_simulator.clock import micros

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from cloudapis_simulator.settings import Behaviour

_DATE_LENGTH = 10


class Query:
    """The parameters of one request; a value that cannot be read is a `BadRequestError`.

    Attributes:
        body: What a POST asks for.
    """

    def __init__(self, params: QueryParams, body: dict[str, Any] | None = None) -> None:
        self._params = params
        self.body = body or {}

    def text(self, name: str) -> str | None:
        """Return the value of `name`; None when it is absent or empty."""
        return self._params.get(name) or None

    def integer(self, name: str) -> int | None:
        """Return the value of `name` as an integer."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            raise BadRequestError(f"Invalid '{name}' value.") from None

    def boolean(self, name: str) -> bool | None:
        """Return the value of `name` as a truth value."""
        text = self.text(name)
        if text is None:
            return None
        if text.lower() not in ("true", "false", "1", "0"):
            raise BadRequestError(f"Invalid '{name}' value.")
        return text.lower() in ("true", "1")

    def integers(self, name: str) -> list[int] | None:
        """Return a list of integers: a JSON array in one value, as dbt's own clients send."""
        values = self._array(name)
        if values is None:
            return None
        if not all(type(value) is int for value in values):
            raise BadRequestError(f"Invalid '{name}' value.")
        return [int(str(value)) for value in values]

    def range(self, name: str) -> tuple[int, int] | None:
        """Return the bounds of a `__range` parameter in microseconds, both inclusive.

        As observed of dbt: where a value carries a time zone, its time of day is ignored.
        """
        values = self._array(name)
        if values is None:
            return None
        if len(values) != len(("low", "high")):
            raise BadRequestError(f"Invalid '{name}' value.")
        low, high = (self._moment(name, value) for value in values)
        return low, high

    def day(self, name: str) -> int | None:
        """Return the beginning of a day (`2026-01-31`) in microseconds."""
        text = self.text(name)
        if text is None:
            return None
        try:
            when = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise BadRequestError(f"Invalid '{name}' value.") from None
        return micros(when)

    def related(self) -> frozenset[str]:
        """Return the names in `include_related`: `a,b`, `["a","b"]` or `['a','b']`."""
        text = self.text("include_related") or ""
        return frozenset(name.strip(" '\"") for name in text.strip("[] ").split(",")) - {""}

    def _array(self, name: str) -> list[object] | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, list):
            raise BadRequestError(f"Invalid '{name}' value.")
        return values

    @staticmethod
    def _moment(name: str, value: object) -> int:
        text = str(value)
        zoned = text.endswith("Z") or "+" in text or text.count("-") > len("--")
        try:
            when = datetime.fromisoformat(text[:_DATE_LENGTH] if zoned else text)
        except ValueError:
            raise BadRequestError(f"Invalid '{name}' value.") from None
        return micros(when.replace(tzinfo=UTC))


def page_size(
    asked: int | None, default: int, own_cap: int, behaviour: Behaviour, name: str
) -> int:
    """Return how many rows a page may have.

    Args:
        asked: What the request asks for, if it does.
        default: The size when nothing is asked.
        own_cap: The list's own cap; `behaviour.page_cap` replaces it.
        behaviour: How the service answers a request for more.
        name: The parameter, for the message.

    Raises:
        BadRequestError: The size is not positive, or over the cap of a service that rejects.
    """
    cap = behaviour.page_cap or own_cap
    if asked is None:
        return min(default, cap)
    if asked < 1:
        raise BadRequestError(f"Invalid '{name}' value.")
    if asked > cap and behaviour.over_cap == "reject":
        raise BadRequestError(f"Invalid '{name}' value: the maximum is {cap}.")
    return min(asked, cap)
