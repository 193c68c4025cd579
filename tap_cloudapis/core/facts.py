"""What a stream costs, needs and holds: data beside its name and key, for users to read.

The table of streams in the documentation is made of it, and the warning about a refused stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Unselected(StrEnum):
    """Why a stream is not selected by default."""

    REQUESTS = "a request for each run, job, stack, team or node"
    PERSONAL = "personal data"
    SECURITY = "details of security or configuration that few need"
    VOLUME = "a row for each resource"
    TEXT = "long text, which may quote secrets"
    OPTIONAL = "another API or a setting of its own"


@dataclass(frozen=True)
class Reference:
    """Columns whose values are those of other rows: a foreign key.

    Attributes:
        columns: The columns, as many as of the other stream. ``a.b`` is a field of an object,
            ``ids[]`` an array of values, ``things[].id`` a field of the objects in an array.
        stream: The other stream.
        to: The columns that have the values there.
        weak: Whether the other row may be missing: deleted, older than what is kept, or of another
            account.
    """

    columns: tuple[str, ...]
    stream: str
    to: tuple[str, ...]
    weak: bool = False

    def as_data(self) -> dict[str, Any]:
        """The reference as the catalog has it."""
        return {
            "columns": list(self.columns),
            "stream": self.stream,
            "to": list(self.to),
            "weak": self.weak,
        }


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a user should know of a stream before selecting it.

    Attributes:
        row: What one row is ("a run, open or ended").
        requests: How many requests a sync costs, in words ("one per 100 jobs").
        permission: What the token needs to be allowed, as it completes "the token probably
            lacks ..."; empty where any token will do.
        plan: The plans that include it, as it completes "or the plan does not include this
            (...)"; empty for all.
        switch: The switch of an account or organization that tells whether it has this; empty
            where there is none.
        unselected: Why it is not selected by default; ``None`` where it is.
    """

    row: str
    requests: str
    permission: str = ""
    plan: str = ""
    switch: str = ""
    unselected: Unselected | None = None

    @property
    def lacking(self) -> str:
        """What a token that is refused probably lacks; empty where any token will do."""
        plan = f", or the plan does not include this ({self.plan})" if self.plan else ""
        return f"{self.permission}{plan}"
