"""Members of the walk that read files of steps: what is there, what comes late, what is refused."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import ClosedError, RefusedError, TapError
from tap_cloudapis.core.exchange import decode_body
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.dbt.artifacts import RUN_RESULTS
from tap_cloudapis.dbt.commands import UNKNOWN, verb_of_args
from tap_cloudapis.dbt.doubts import Doubt, DoubtfulMember
from tap_cloudapis.dbt.run_reading import FILES, RunReading, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row
    from tap_cloudapis.dbt.artifacts import Artifact


def files_in(body: bytes) -> list[str]:
    """The names in the list of a run's files; none where the service does not say."""
    listed = as_object(decode_body(body)).get("data")
    return [path for path in listed if isinstance(path, str)] if isinstance(listed, list) else []


def verb_in(artifact: Artifact, step: Step) -> str | None:
    """What dbt was told; of a run without steps, as its file tells it."""
    return step.verb if step.index else verb_of_args(artifact.part("args"))


class ArtifactMember(DoubtfulMember):
    """A member that reads files of steps, by name."""

    #: The names of the files that it reads.
    files: ClassVar[tuple[str, ...]] = (RUN_RESULTS,)

    def requests_beyond(self, rows: int) -> int:  # noqa: ARG002
        """A file of each run, at the least, if it is one that nearly all leave."""
        return int(RUN_RESULTS in self.files)

    def takes(self, step: Step, context: Context) -> bool:
        """Whether this stream reads the file of a step, and has not yet."""
        outstanding = self.outstanding(context)
        # 0 stood for all of a run that had no steps yet.
        wanted = not outstanding or 0 in outstanding or step.index in outstanding
        return step.file in self.files and wanted

    def rows(self, reading: RunReading, context: Context, late: list[int]) -> Iterator[list[Row]]:
        """Give the rows of all files of a run, one file after another.

        Where one cannot be had, those of the other steps are read, and it is asked for again.
        """
        failure: TapError | None = None
        for step in reading.steps():
            if self.takes(step, context):
                try:
                    yield from self._rows_of_step(reading, step, context, late)
                except ClosedError:
                    raise
                except TapError as exc:
                    if self.connection.unusable is not None:
                        raise
                    failure = failure or exc
                    late.append(step.index)
        if failure is not None:
            self.note_read(context, late)
            raise failure

    def _rows_of_step(
        self, reading: RunReading, step: Step, context: Context, late: list[int]
    ) -> Iterator[list[Row]]:
        doubt = self.doubt(context, step.file)
        try:
            artifact = reading.artifact(step, self)
        except RefusedError as exc:
            if doubt.given and not exc.is_not_found:
                raise  # others may be read, so it is this one
            doubt.note(context, exc)
            is_late = True
        else:
            doubt.dispel()
            if artifact is not None and self._is_to_read(reading, step, artifact):
                yield from self.rows_in(artifact, step)
                reading.done_with(step)
            is_late = artifact is None
        if is_late and self.in_grace(context):
            late.append(step.index)

    def _is_to_read(self, reading: RunReading, step: Step, artifact: Artifact) -> bool:
        """Whether a step has written its file itself, by a command whose results are read."""
        if not step.index and (verb_in(artifact, step) or UNKNOWN) not in self.walk.commands:
            return False
        return reading.is_own(step, artifact, self)

    @abstractmethod
    def rows_in(self, artifact: Artifact, step: Step) -> Iterator[list[Row]]:
        """Give the rows of a file."""

    def refusal(self, kind: str, doubt: Doubt) -> RefusedError | None:
        """Ask for the lists of runs' files, which tell whether the one refused is there."""
        for context, refusal in reversed(doubt.runs.values()):
            if self.in_grace(context):
                continue
            try:
                if kind in self._get(context, FILES, files_in):
                    # Of another step perhaps: without one, the file of the last step is meant.
                    self._get(context, f"{FILES}{kind}", len)
                    return None
            except RefusedError:
                return refusal
        return None

    def _get(self, context: Context, below: str, decode: Callable[[bytes], Any]) -> Any:
        exchange = self.ask_of(context, below)
        try:
            return exchange.body(decode)
        finally:
            exchange.cancel()
