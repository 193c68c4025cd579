"""What the streams of all that lies below a stack share, and their filters and turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from tap_cloudapis.core.ledger import LedgerStream
from tap_cloudapis.pulumi.client import PulumiStream
from tap_cloudapis.pulumi.stacks import STACK_KEY, Stacks, has_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.types import Context

_Beside = TypeVar("_Beside", bound=PulumiStream)
#: What the token needs for most of it.
READ_STACK = "the permission to read the stack (stack:read)"


class TurnStream(LedgerStream, PulumiStream):
    """What hangs on a row of a ledger; how often it has its turn, the settings say."""

    @property
    def refresh_days(self) -> int:
        """In how many days each row has its turn; 0 for at every sync."""
        return int(self.config["pulumi_refresh_days"])


class StackStream(TurnStream):
    """A list that each stack has, asked for when the stack has changed."""

    primary_keys: Sequence[str] = STACK_KEY
    parent_stream_type = Stacks
    ledger_key = "stack_id"
    scope = "stack {org_name}/{project_name}/{stack_name}"
    context_columns: ClassVar[Mapping[str, str]] = {name: name for name in STACK_KEY}

    def beside(self, kind: type[_Beside]) -> _Beside | None:
        """The stream of a kind that hangs on stacks as well, if it is read."""
        found = (each for each in self._ledger_parent.child_streams if isinstance(each, kind))
        return next((each for each in found if each.selected), None)

    def wants(self, context: Context) -> bool:
        """Whether the stack has changed or has its turn, and can be asked for at all."""
        if not super().wants(context):
            return False
        if not has_address(context):
            self.skip("has a name that cannot be put in a URL", self.place(context))
            return False
        return True
