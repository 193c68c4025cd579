"""How a sync ends that lacks rows: what was read is loaded first, then the pipeline fails."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt import Pipeline

#: How many errors are told; the log has all of them.
_TOLD = 5


class SyncIncompleteError(TapError):
    """Rows are missing that should be there; all others were loaded, and the state says so.

    Args:
        errors: What went wrong, in lines.

    Attributes:
        errors: The same.
    """

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        told = "; ".join(errors[:_TOLD])
        more = f"; and {len(errors) - _TOLD} more" if len(errors) > _TOLD else ""
        super().__init__(f"rows are missing: {told}{more}")


def fail_after_load(pipeline: Pipeline, error: SyncIncompleteError) -> None:
    """Have a pipeline raise an error once it has loaded what is extracted.

    A resource that raises it would take all rows of the run with it, those of other streams too,
    and the next run would come as far. dlt has no place to raise it later, so this wraps the one
    method of the pipeline that every way to load goes through.
    """
    load = pipeline.load

    @wraps(load)
    def load_and_fail(*args: Any, **kwargs: Any) -> None:
        load(*args, **kwargs)
        forget_failure(pipeline)
        raise error

    vars(pipeline)["load"] = load_and_fail


def forget_failure(pipeline: Pipeline) -> None:
    """Take back what :func:`fail_after_load` has done."""
    vars(pipeline).pop("load", None)
