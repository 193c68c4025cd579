"""Who has started and who has cancelled a run: told beside it, to those who ask for the column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import BadRequestError, RefusedError, TapError
from tap_cloudapis.dbt.run_lists import RunListStream

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

#: The column, and what of a run is asked for.
AUDIT = "audit"


class AuditedRuns(RunListStream):
    """Lists of runs with why each was started and, where that is selected, by whom.

    The documents tell of it, and nobody has seen it answered: an API that refuses it is asked
    without it.
    """

    unselected_columns = frozenset({AUDIT})

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: By account, whether the API tells who has started a run.
        self._audited: dict[Any, bool] = {}

    def base_params(self, context: Context | None) -> dict[str, Any]:
        """What is told beside a run: why it was started, and who has done it if that is wanted."""
        params = super().base_params(context)
        with_audit = AUDIT not in self.absent_columns and self._gives_audit(context)
        params["include_related"] = f"trigger,{AUDIT}" if with_audit else "trigger"
        return params

    def _gives_audit(self, context: Context | None) -> bool:
        """Whether the API tells of an account who has started its runs; asked for a single run."""
        account = self.owner_of(context)
        if account not in self._audited:
            self._audited[account] = True
            try:
                self.ask(context, {"limit": 1}).body()
            except (BadRequestError, RefusedError) as exc:
                self._audited[account] = False
                self.note_of(context, f"the API does not tell who has started a run ({exc})")
            except TapError:
                pass  # the lists will have the same trouble, and tell it
        return self._audited[account]
