"""How what a run has left is asked for: by streams that share one list of runs, and the answers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from tap_cloudapis.core.exchange import Exchange
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.dbt.client import DbtStream
from tap_cloudapis.dbt.run_reading import DETAIL, FILES, RunReading, Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.budget import Budget
    from tap_cloudapis.core.paging import Row

#: The parts of a step that are its logs; they can be long.
LOGS = ("logs", "debug_logs", "truncated_debug_logs")


class Walk(Protocol):
    """The walk, as its members see it.

    Attributes:
        budget: What the answers may take that are held.
        commands: The verbs of dbt whose results are read.
    """

    budget: Budget
    commands: frozenset[str]

    def reading(self, context: Context) -> RunReading:
        """What is asked of a run."""

    def before(self, account_id: int, time: timedelta) -> str:
        """The time so long before the walk of an account began, in the form of all timestamps."""


class RunAsking(MarkedStream, DbtStream):
    """A stream that asks for what lies below the address of a run."""

    path = "/v2/accounts/{account_id}/runs/{run_id}/"
    context_columns: ClassVar[Mapping[str, str]] = {
        name: name
        for name in (
            "account_id",
            "project_id",
            "environment_id",
            "job_definition_id",
            "run_id",
            "run_finished_at",
        )
    }
    #: What is asked for first: the run itself, or the list of its files.
    head: ClassVar[str] = DETAIL
    #: What is asked for beside the run itself.
    related: str = "run_steps"

    @property
    def shared_requests(self) -> str:  # type: ignore[override]
        """What is asked of each run first."""
        return f"{self.head or 'details'} of runs"

    @cached_property
    def walk(self) -> Walk:
        """The walk that this stream is a member of."""
        return cast("Walk", self.parent)

    def ask_of(
        self, context: Context, below: str, params: Mapping[str, Any] | None = None
    ) -> Exchange:
        """Ask for what lies below a run's address."""
        if below == DETAIL:
            params = {"include_related": self.related}
        request = self.prepare(context, dict(params or {}), below=below)
        is_file = below not in (DETAIL, FILES)
        if is_file:
            # A file is of whatever type it is; its address is none of a list.
            request.headers = request.headers.copy()
            request.headers["Accept"] = "*/*"
        weight = self.walk.budget.expect()
        return Exchange(self._sender, request, weight, may_be_empty=is_file)

    def steps_in(self, answer: Any, context: Context) -> list[Row]:
        """The steps of a run, out of the answer about it.

        Raises:
            TapError: When the answer is none about the run.
        """
        run = self.read_detail(answer)
        rows = run.get("run_steps")
        if run.get("id") != context["run_id"] or not isinstance(rows, list | None):
            raise self.misshapen(f"run {context['run_id']}")
        steps = [as_object(row) for row in rows or ()]
        if self.config["dbt_include_logs"] == "none":
            for step in steps:
                for name in LOGS:
                    step.pop(name, None)
        # What becomes of the rows of one stream is nothing to those who look at them next.
        return [{**step} for step in steps]

    def takes(self, step: Step, context: Context) -> bool:  # noqa: ARG002
        """Whether this stream reads the file of a step."""
        return False

    def place(self, context: Context | None) -> str:
        """Name the run, or the account where it is about all of its runs."""
        run = f", run {context['run_id']}" if context and "run_id" in context else ""
        return f"account {context['account_id']}{run}" if context else ""
