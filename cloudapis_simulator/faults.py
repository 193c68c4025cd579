"""What tests can make go wrong: answers that fail, and time that passes in mid-request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_SPECIAL = ("cut", "empty", "garbage", "hang")


@dataclass
class Fault:
    """Spoils the next requests whose path matches.

    Attributes:
        path: Regular expression, searched for in the path.
        status: An HTTP status (400 to 599), or `cut` (the connection breaks in the middle of
            the body), `empty` (200 without a body), `garbage` (200 with half a JSON text) or
            `hang` (no answer for an hour).
        query: Regular expression, searched for in the query string as it was sent.
        times: How many requests to spoil.
        after: How many matching requests to let pass before.
        retry_after: Value of a `Retry-After` header.
        body: Body instead of the service's own.
    """

    path: str = ""
    status: int | str = 503
    query: str = ""
    times: int = 1
    after: int = 0
    retry_after: int | str | None = None
    body: str | None = None
    _patterns: tuple[re.Pattern[str], re.Pattern[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the fields; what is wrong is a `ValueError`."""
        if self.status not in _SPECIAL and not (
            isinstance(self.status, int) and 400 <= self.status <= 599  # noqa: PLR2004
        ):
            raise ValueError(f"status must be 400 to 599 or one of {', '.join(_SPECIAL)}")
        self._patterns = (re.compile(self.path), re.compile(self.query))

    def strikes(self, path: str, query: str) -> bool:
        """Count the request, and tell whether it is one to spoil."""
        in_path, in_query = self._patterns
        if self.times <= 0 or not (in_path.search(path) and in_query.search(query)):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


@dataclass
class ClockMove:
    """A move of the clock that waits until so many matching requests have been answered."""

    advance: int
    after_requests: int
    path: str = ""

    def due_after(self, path: str) -> bool:
        """Count the answered request, and tell whether the clock moves now."""
        if self.after_requests > 0 and re.search(self.path, path):
            self.after_requests -= 1
            return self.after_requests == 0
        return False


def read_faults(items: Any) -> list[Fault]:
    """Read the body of `POST faults`.

    Raises:
        ValueError: The body is not a list of faults.
    """
    try:
        return [Fault(**item) for item in items]
    except (TypeError, re.error) as error:
        raise ValueError(f"not a list of faults: {error}") from None
