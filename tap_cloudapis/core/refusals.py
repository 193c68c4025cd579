"""What a stream says of lists that it is not given, or that may not be what somebody means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.emission import EmittingStream
from tap_cloudapis.core.errors import NO_ROUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError


class RefusableStream(EmittingStream):
    """A stream whose lists have owners, who may refuse them."""

    #: The permission that a refused stream most likely lacks, for the warning.
    permission: ClassVar[str] = ""
    #: The switch of an account or organization that has to be on; empty where there is none.
    switch: ClassVar[str] = ""
    #: What a context stands for, in the words of an error message.
    scope: ClassVar[str] = ""
    #: What owns the lists of the service, in one word, and the key of a context that holds its id.
    owner: ClassVar[str] = "account"
    owner_key: ClassVar[str] = ""

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: Of a stream of owners: what each of them has, by its id.
        self.switches: dict[Any, Mapping[str, Any]] = {}

    def owner_of(self, context: Context | None) -> Any:
        """The id of the account or organization that a context is of; ``None`` for none."""
        return (context or {}).get(self.owner_key)

    def place(self, context: Context | None) -> str:
        """Say which list an error is about, in a few words; empty for the only one."""
        return self.scope.format(**context) if context and self.scope else ""

    def tell_refused(
        self,
        exc: RefusedError,
        context: Context | None,
        where: str,
        *,
        rows: int = 0,
        more: str = "",
    ) -> None:
        """Say what was refused, why that may be, and what to do.

        Args:
            exc: The refusal.
            context: What was refused.
            where: What the refusal is about, in the words of a message.
            rows: How many records of the context were emitted before.
            more: What else follows from it.
        """
        was_read, off = self.was_read(context), self.switched_off(self.owner_of(context))
        if was_read:
            why = "it was read before: give the token its right back, or deselect the stream"
        elif exc.advice:
            why = exc.advice
        elif exc.has_no_route:
            why = NO_ROUTE
        else:
            why = f"the token probably lacks {self.permission}" if self.permission else ""
        text = "; ".join(filter(None, (str(exc), off, why, more)))
        if self.must_be_allowed(rows) or was_read:
            self.tap.report.fail(self.name, text, where)
        else:
            self.skip(f"answered {exc.response.status_code}", where, in_full=text)

    def switched_off(self, owner: Any) -> str:
        """Say that an account or organization does not have what the stream reads.

        Args:
            owner: Its id.

        Returns:
            What tells so; empty where nothing does.
        """
        root: Any = self
        while root.parent is not None:
            root = root.parent
        if not self.switch or root.switches.get(owner, {}).get(self.switch) is not False:
            return ""
        return f"{self.switch} is off for this {self.owner}"

    def must_be_allowed(self, rows: int) -> bool:
        """Whether a refusal is a failure, after so many records of the context."""
        return bool(rows) or self.config["on_forbidden"] == "fail"

    def was_read(self, context: Context | None) -> bool:
        """Whether an earlier sync has read what the context stands for.

        By default that is known of the lists that an account or organization has as a whole.
        """
        owner = self.owner_of(context)
        return list(context or ()) == [self.owner_key] and owner in self.read_whole

    @property
    def read_whole(self) -> list[Any]:
        """The accounts or organizations of which earlier syncs have read all of this stream."""
        stored = self.stream_state.get("read_whole")
        return [i for i in stored if isinstance(i, int | str)] if isinstance(stored, list) else []

    def note_of(self, context: Context | None, what: str) -> None:
        """Note and log what is not wrong, but may be a mistake."""
        self.tap.report.note(self.name, what, self.place(context))

    def skip(self, why: str, where: str = "", *, in_full: str = "") -> None:
        """Note and log what is left out; see :meth:`SyncReport.skip`."""
        self.tap.report.skip(self.name, why, where, in_full=in_full)
