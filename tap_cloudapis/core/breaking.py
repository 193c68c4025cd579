"""Streams that stop asking for lists of a kind that are refused one after another.

Where a plan lacks a feature, or a server is too old to know a route, thousands of rows would be
asked for their lists in vain. What was refused before asking stopped is not counted as read: the
next sync begins with it, and goes on if it is given then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.ledger import LedgerStream

if TYPE_CHECKING:
    import requests
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError

#: Lists of one owner that are refused alike, one after another, before no more are asked for.
REFUSED_IN_A_ROW = 3
GONE = "answered 404: deleted or moved meanwhile, or not shown to this token"
NO_ROUTE = "this server has no such route"


class BreakingStream(LedgerStream):
    """A stream of a ledger whose refusals end what they are about: a list, an owner, a route."""

    #: Whether 404 means that there is nothing to read, rather than that something is gone.
    may_be_unset: ClassVar[bool] = False

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: By owner, what the last lists were refused with, and their contexts.
        self._held: dict[Any, tuple[str, list[Context]]] = {}
        self._stopped: set[Any] = set()
        self._has_route = True

    def _can_read(self, context: Context | None = None) -> bool:
        is_stopped = context is not None and self.owner_of(context) in self._stopped
        return self._has_route and not is_stopped and super()._can_read(context)

    def context_done(self, context: Context | None) -> None:
        """Finish a row, and those that were refused before it: it was about them alone."""
        self._finish_held(self.owner_of(context))
        super().context_done(context)

    def parent_done(self, context: Context | None) -> None:
        """Complete the pass; what was refused to an owner of whom nothing was read stays."""
        owner = self.owner_of(context)
        if self.outcomes[owner].read:
            self._finish_held(owner)
        if owner not in self._stopped and self._has_route:
            super().parent_done(context)

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """Tell what is not set or not there any more from what the token may not read."""
        owner = self.owner_of(context)
        if exc.is_not_found and not in_own_words(exc.response):
            self._has_route = False
            self.outcomes[owner].refused += 1
            self.skip(NO_ROUTE, in_full=f"{exc}; {NO_ROUTE}: {self.permission}")
        elif exc.is_not_found and self.may_be_unset and not rows:
            self.outcomes[owner].read += 1
            self.context_done(context)
        else:
            self._refuse(exc, context, rows)

    def _refuse(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        owner = self.owner_of(context)
        if exc.is_not_found and not rows:
            self.outcomes[owner].gone += 1
            self.skip(GONE, self.place(context), in_full=f"{GONE}; {self.permission}")
        else:
            super(LedgerStream, self).refused(exc, context, rows)
            if self.must_be_allowed(rows):
                return
        told = str(exc)
        if self._held.get(owner, (told,))[0] != told:
            self._finish_held(owner)
        _, contexts = self._held.setdefault(owner, (told, []))
        contexts.append(context or {})
        if len(contexts) == REFUSED_IN_A_ROW:
            self._stopped.add(owner)
            what = "its other lists are not asked for, as these were refused one after another"
            self.tap.report.note(self.name, what, f"{self.owner} {owner}")

    def _finish_held(self, owner: Any) -> None:
        for context in self._held.pop(owner, ("", []))[1]:
            super().context_done(context)


def in_own_words(response: requests.Response) -> bool:
    """Whether an error is the API's own, and not that of a router that knows no such path."""
    return "json" in response.headers.get("Content-Type", "").lower()
