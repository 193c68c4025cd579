"""Streams that stop asking for lists of a kind that are refused one after another.

Where a plan lacks a feature, or a server is too old to know a route, thousands of rows would be
asked for their lists in vain. What was refused before asking stopped is not counted as read: the
next sync begins with it, and goes on if it is given then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    import requests
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError

#: Lists of one owner that are refused alike, one after another, before no more are asked for.
REFUSED_IN_A_ROW = 3
GONE = "answered 404: deleted or moved meanwhile, or not shown to this token"
NO_ROUTE = "this server has no such route"
STOPPED = "its other lists are not asked for"


class BreakingStream(CloudStream):
    """A list for each row of a parent; a refusal ends what it is about: it, an owner, a route.

    What is refused is told when it is known what it is about: one list among others that are
    given, or all that an owner has.
    """

    #: Whether 404 means that there is nothing to read, rather than that something is gone.
    may_be_unset: ClassVar[bool] = False
    #: Whether 404 needs no word where other lists are read: what was listed may be gone.
    may_vanish: ClassVar[bool] = False
    #: Whether 404 can be about more than the list.
    breaks_when_gone: ClassVar[bool] = True

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: By owner, the last lists, if they were refused alike.
        self._held: dict[Any, list[tuple[RefusedError, Context | None]]] = {}
        self._stopped: set[Any] = set()
        self._has_route = True

    def let_go(self, context: Context | None, exc: RefusedError) -> None:
        """Called for a list that is refused while others are given: it counts as read."""

    def put_off(self, context: Context | None, exc: RefusedError) -> None:
        """Called for one of the last lists, after which none was given; by default it is let go.

        What ended may be more than the list, such as the rights of the token.
        """
        self.let_go(context, exc)

    def _can_read(self, context: Context | None = None) -> bool:
        is_stopped = context is not None and self.owner_of(context) in self._stopped
        return self._has_route and not is_stopped and super()._can_read(context)

    def context_done(self, context: Context | None) -> None:
        """Finish a row, and those that were refused before it: it was about them alone."""
        self._release(self.owner_of(context), let_go=True)
        super().context_done(context)

    def parent_done(self, context: Context | None) -> None:
        """Tell what was refused last; to an owner of whom nothing was read, it stays."""
        owner = self.owner_of(context)
        self._release(owner, let_go=bool(self.outcomes[owner].read), is_last=True)
        super().parent_done(context)

    def sync_ended(self) -> None:
        """Tell what was refused last, where the parent's list failed."""
        super().sync_ended()
        for owner in list(self._held):
            self._release(owner, let_go=False)

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """Tell what is not set or not there any more from what the token may not read."""
        owner = self.owner_of(context)
        outcome = self.outcomes[owner]
        is_route = self.breaks_when_gone and not in_own_words(exc.response)
        if exc.is_not_found and is_route:
            self._has_route = False
            outcome.refused += 1
            self.skip(NO_ROUTE, in_full=f"{exc}; {NO_ROUTE}: {self.permission}")
        elif rows:
            super().refused(exc, context, rows)
        elif exc.is_not_found and self.may_be_unset:
            outcome.read += 1
            self.context_done(context)
        else:
            outcome.gone += exc.is_not_found
            outcome.refused += not exc.is_not_found
            self._hold(owner, exc, context)

    def _hold(self, owner: Any, exc: RefusedError, context: Context | None) -> None:
        """Keep a refusal until it is known what it is about; stop asking once it is."""
        counts = self.breaks_when_gone or not exc.is_not_found
        before = [first for first, _ in self._held.get(owner, ())[:1]]
        if before and str(before[0]) != str(exc):
            self._release(owner, let_go=True)
        held = self._held.setdefault(owner, [])
        held.append((exc, context))
        if counts and (self.switched_off(owner) or len(held) == REFUSED_IN_A_ROW):
            del self._held[owner]
            self._stopped.add(owner)
            self._tell(exc, context, f"{self.owner} {owner}", STOPPED)

    def _release(self, owner: Any, *, let_go: bool, is_last: bool = False) -> None:
        """Tell of lists that were refused, each for itself."""
        for exc, context in self._held.pop(owner, ()):
            if exc.is_not_found and self.may_vanish and self.outcomes[owner].read:
                self.report.unlisted = True  # what there was of it may be in a target
            else:
                self._tell(exc, context, self.place(context))
            if let_go and (exc.is_not_found or not self.must_be_allowed(0)):
                (self.put_off if is_last else self.let_go)(context, exc)

    def _tell(self, exc: RefusedError, context: Context | None, where: str, more: str = "") -> None:
        if exc.is_not_found:
            text = "; ".join(filter(None, (GONE, f"it may lack {self.permission}", more)))
            self.skip(GONE, where, in_full=text)
        else:
            self.tell_refused(exc, context, where, more=more)


def in_own_words(response: requests.Response) -> bool:
    """Whether an error is the API's own, and not that of a router that knows no such path."""
    is_json = "json" in response.headers.get("Content-Type", "").lower()
    return is_json or response.content.lstrip()[:1] == b"{"
