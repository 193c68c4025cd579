"""What dbt did in a run: each node in each command, each check of a source, each command.

All of it stands in the files that the commands leave; see `artifact_member.py`. The nodes come
before the commands, so that what these come to need not be counted again.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.dbt.artifact_member import ArtifactMember, verb_in
from tap_cloudapis.dbt.artifacts import RUN_RESULTS, SOURCES
from tap_cloudapis.dbt.invocation_records import invocation_record
from tap_cloudapis.dbt.node_records import freshness_record, result_record
from tap_cloudapis.dbt.run_member import PERMISSION
from tap_cloudapis.dbt.walk import EndedRuns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.dbt.artifacts import Artifact
    from tap_cloudapis.dbt.run_reading import Step


class NodeStream(ArtifactMember):
    """The nodes in the files of steps."""

    parent_stream_type = EndedRuns
    primary_keys = ("account_id", "run_id", "step", "unique_id")

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: What is the same for all nodes of the file that is being read.
        self._columns: Row = {}

    def rows_in(self, artifact: Artifact, step: Step) -> Iterator[list[Row]]:
        """Give the nodes of a file."""
        self._columns = self.columns(artifact, step)
        return artifact.nodes()

    def columns(self, artifact: Artifact, step: Step) -> Row:
        """What is the same for all nodes of a file."""
        return {"step": step.index, "invocation_id": artifact.invocation_id}


class RunResults(NodeStream):
    """What became of each node in each command of a run."""

    name = "dbt_run_results"
    facts = Facts(
        row="a node in a command of an ended run",
        requests="one per ended run and one per command of dbt in it",
        permission=PERMISSION,
        unselected=Unselected.REQUESTS,
    )

    @cached_property
    def _with_sql(self) -> bool:
        return bool(self.config.get("dbt_include_sql"))

    def columns(self, artifact: Artifact, step: Step) -> Row:
        """What is asked for most, so that it needs no join."""
        return {
            **super().columns(artifact, step),
            "command_verb": verb_in(artifact, step),
            "is_full_refresh": artifact.part("args").get("full_refresh"),
        }

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """A node as a row."""
        return result_record(row, self._columns, with_sql=self._with_sql)


class SourceFreshness(NodeStream):
    """How old the tables of sources were when a command looked."""

    name = "dbt_source_freshness"
    files = (SOURCES,)
    facts = Facts(
        row="a check of how old a source is",
        requests="one per ended run and one per `source freshness` command in it",
        permission=PERMISSION,
        unselected=Unselected.REQUESTS,
    )

    def columns(self, artifact: Artifact, step: Step) -> Row:
        """When the command has written what it found."""
        generated = artifact.part("metadata").get("generated_at")
        return {**super().columns(artifact, step), "generated_at": generated}

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """A source as a row."""
        return freshness_record(row, self._columns)


class RunInvocations(ArtifactMember):
    """The commands of dbt in a run, and how each of them went."""

    name = "dbt_run_invocations"
    parent_stream_type = EndedRuns
    primary_keys = ("account_id", "run_id", "step", "artifact")
    files = (RUN_RESULTS, SOURCES)
    facts = Facts(
        row="a command of dbt in an ended run",
        requests="none beyond those of dbt_run_results and dbt_source_freshness",
        permission=PERMISSION,
        unselected=Unselected.REQUESTS,
    )

    def rows_in(self, artifact: Artifact, step: Step) -> Iterator[list[Row]]:
        """Give the one row of a file."""
        yield [
            {
                **invocation_record(artifact),
                "step": step.index,
                "artifact": step.file.removesuffix(".json"),
                "command_verb": verb_in(artifact, step),
            }
        ]
