"""What a run consists of: its steps, and the files that it has saved."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.normalizing import to_seconds
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.dbt.commands import command_of, verb_of
from tap_cloudapis.dbt.doubts import MOST_DOUBTFUL, Doubt, DoubtfulMember
from tap_cloudapis.dbt.run_asking import LOGS
from tap_cloudapis.dbt.run_member import PERMISSION, RunMember
from tap_cloudapis.dbt.run_reading import FILES
from tap_cloudapis.dbt.walk import EndedRuns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.dbt.run_reading import RunReading

#: Files whose names say what they are; others are told by where they lie.
KINDS = {
    "manifest.json": "manifest",
    "run_results.json": "run_results",
    "catalog.json": "catalog",
    "sources.json": "sources",
    "semantic_manifest.json": "semantic_manifest",
}
#: Folders with a file for each node: its code before and after dbt has wrapped it.
CODE = ("compiled", "run")
#: Which logs each value of the setting asks for.
KEPT_LOGS = {"none": (), "tail": ("truncated_debug_logs",), "full": LOGS}


class RunSteps(RunMember):
    """The steps of a run: its preparations, and the commands of dbt."""

    name = "dbt_run_steps"
    parent_stream_type = EndedRuns
    primary_keys = ("account_id", "run_id", "index")
    dropped_fields = frozenset(
        {
            "log_path",
            "debug_log_path",
            "log_location",
            "log_archive_type",
            "run_step_command",
            "run_step_invocation",
            "status_color",
            "duration_humanized",
        }
    )
    facts = Facts(
        row="a step of an ended run",
        requests="one per ended run, and one per 100 runs for their list",
        permission=PERMISSION,
        unselected=Unselected.REQUESTS,
    )

    @cached_property
    def _kept_logs(self) -> tuple[str, ...]:
        return KEPT_LOGS[self.config["dbt_include_logs"]]

    @property
    def related(self) -> str:  # type: ignore[override]
        """The steps; and their whole logs, which are given only where both are asked for."""
        return "run_steps,debug_logs" if "debug_logs" in self._kept_logs else "run_steps"

    def rows(self, reading: RunReading, context: Context, late: list[int]) -> Iterator[list[Row]]:
        """Give the steps of a run."""
        del late
        yield self.steps_in(reading.head(self), context)

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Add what dbt was told, and how long it took."""
        for name in LOGS:
            if name not in self._kept_logs:
                row.pop(name, None)
        command = command_of(row.get("name"))
        row["is_dbt"] = command is not None
        row["command"] = command
        row["command_verb"] = None if command is None else verb_of(command)
        row["duration_seconds"] = to_seconds(row.get("duration"))
        return row


class RunArtifacts(DoubtfulMember):
    """The files that a run has saved, by their paths."""

    name = "dbt_run_artifacts"
    parent_stream_type = EndedRuns
    primary_keys = ("account_id", "run_id", "path")
    head = FILES
    facts = Facts(
        row="a file that an ended run has saved",
        requests="one per ended run that has saved files",
        permission=PERMISSION,
        unselected=Unselected.REQUESTS,
    )

    def rows(self, reading: RunReading, context: Context, late: list[int]) -> Iterator[list[Row]]:
        """Give the files of a run; null stands for none."""
        doubt = self.doubt(context, FILES)
        try:
            paths = as_object(reading.head(self)).get("data")
        except RefusedError as exc:
            if doubt.given and not exc.is_not_found:
                raise
            doubt.note(context, exc)
            if self.in_grace(context) or not doubt.given:
                late.append(0)
            return
        doubt.dispel()
        if not isinstance(paths, list | None):
            raise self.misshapen(f"run {context['run_id']}")
        if not paths and self.in_grace(context):
            late.append(0)
        everything = self.config.get("dbt_all_artifact_paths")
        yield [
            row for row in map(file_record, paths or ()) if everything or row["kind"] not in CODE
        ]

    def refusal(self, kind: str, doubt: Doubt) -> RefusedError | None:
        """Take a few lists that are not there for what they are, where others were given before."""
        del kind
        told = [told for told in doubt.runs.values() if not self.in_grace(told[0])]
        if not told:
            return None
        context, refusal = told[-1]
        was_given = context["account_id"] in self.read_whole and refusal.is_not_found
        return None if was_given and len(told) < MOST_DOUBTFUL else refusal


def file_record(path: Any) -> Row:
    """A file as a row."""
    if not isinstance(path, str):
        return {"path": path, "kind": "other"}
    folder, _, rest = path.partition("/")
    name = path.rpartition("/")[2]
    if rest and folder in CODE:
        kind = folder
    elif name.startswith("telemetry-"):
        kind = "telemetry"
    else:
        kind = KINDS.get(path, "other")
    return {"path": path, "file_name": name, "kind": kind}
