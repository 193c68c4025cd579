"""What is asked of one run: once, however many members of the walk look at the answers.

First the detail of the run, which tells its steps; from these follows which files to ask for. An
answer is decoded when it is needed first, and a file is forgotten once its nodes were looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tap_cloudapis.core.errors import ClosedError, TapError, UnavailableError
from tap_cloudapis.core.exchange import decode_body
from tap_cloudapis.core.scalars import to_integer
from tap_cloudapis.dbt.artifacts import (
    RUN_RESULTS,
    SOURCES,
    Artifact,
    is_of_another_run,
    read_artifact,
)
from tap_cloudapis.dbt.commands import FRESHNESS, UNKNOWN, command_of, verb_of, verb_of_args

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Exchange
    from tap_cloudapis.core.paging import Row

#: What is asked for below a run's address: the run itself, and the list of its files.
DETAIL, FILES = "", "artifacts/"


@dataclass(frozen=True)
class Step:
    """A step that leaves a file to read.

    Attributes:
        index: Its number; 0 stands for the last file of a run without steps.
        verb: What dbt was told; ``None`` for what is not known.
        file: The name of the file.
    """

    index: int
    verb: str | None
    file: str


class Asking(Protocol):
    """A member of the walk, as far as it asks for something of a run.

    Attributes:
        head: What it asks for first: the run, or the list of its files.
    """

    head: ClassVar[str]

    def ask_of(self, context: Context, below: str, params: Mapping[str, Any] = ...) -> Exchange:
        """Ask for what lies below a run's address."""

    def steps_in(self, answer: Any, context: Context) -> list[Row]:
        """The steps of a run, out of the answer about it; raises ``TapError`` where it is none."""

    def takes(self, step: Step, context: Context) -> bool:
        """Whether it reads the file of a step."""


class Answer:
    """An answer that several streams look at: asked for and decoded once.

    Args:
        ask: Sends the request.
        decode: Makes of a body what is looked at.
    """

    def __init__(self, ask: Callable[[], Exchange], decode: Callable[[bytes], Any]) -> None:
        self._ask = ask
        self._decode = decode
        self._exchange: Exchange | None = None
        self._value: Any = None
        self._error: TapError | None = None
        self._is_open = False

    @property
    def is_asked(self) -> bool:
        """Whether the request was sent."""
        return self._is_open or self._exchange is not None

    @property
    def is_here(self) -> bool:
        """Whether the answer can be had without waiting."""
        return self._is_open or (self._exchange is not None and self._exchange.done)

    def ask(self) -> None:
        """Send the request, if it was not sent yet."""
        if not self.is_asked:
            self._exchange = self._ask()

    def value(self) -> Any:
        """Wait for the answer; ``None`` for an empty one.

        Raises:
            TapError: When it cannot be had; for each who asks.
        """
        if not self._is_open:
            exchange = self._exchange or self._ask()
            self._exchange = exchange
            try:
                self._value = exchange.body(self._decode)
            except TapError as exc:
                self._error = exc
                self.forget()
            self._is_open = True
        if self._error is not None:
            raise self._error
        return self._value

    def forget(self) -> None:
        """Drop what was received, or is being received; what was made of it stays."""
        if self._exchange is not None:
            self._exchange.cancel()
            self._exchange = None

    def close(self) -> None:
        """Forget the answer; an error would keep whoever has met it in memory."""
        self.forget()
        self._value = self._error = None


class RunReading:
    """What is asked of a run.

    Args:
        context: The run.
        commands: The verbs whose results are read.
    """

    def __init__(self, context: Context, commands: Collection[str]) -> None:
        self._context = context
        self._commands = commands
        self._wanting: list[Asking] = []
        self._heads: dict[str, Answer] = {}
        self._steps: list[Step] | None = None
        self._files: dict[Step, Answer] = {}
        #: Whether there is nothing left to ask for.
        self.is_asked = False

    def want(self, member: Asking) -> None:
        """Note that a member reads the run."""
        if member not in self._wanting:
            self._wanting.append(member)
            if member.head not in self._heads:

                def ask() -> Exchange:
                    return member.ask_of(self._context, member.head)

                self._heads[member.head] = Answer(ask, decode_body)

    def forget(self) -> None:
        """Drop all that was asked for; what is left knows nothing of each other any more."""
        for answer in (*self._heads.values(), *self._files.values()):
            answer.close()
        self._heads.clear()
        self._files.clear()

    # What the walk does to have answers come in time

    def unasked(self) -> Iterator[Answer]:
        """What can be asked for by now, and was not yet."""
        if self._steps is None:
            yield from (head for head in self._heads.values() if not head.is_asked)
            detail = self._heads.get(DETAIL)
            if detail is not None:
                if not detail.is_here:
                    return
                try:
                    self.steps()
                except TapError:
                    self._steps = []  # whoever reads the run will be told
        for step in self._steps or ():
            asking = (each for each in self._wanting if each.takes(step, self._context))
            if (member := next(asking, None)) is not None:
                file = self._file(step, member)
                if not file.is_asked:
                    yield file
        self.is_asked = True

    # What members read

    def head(self, member: Asking) -> Any:
        """The answer that a member needs first, decoded.

        Raises:
            TapError: When it cannot be had.
        """
        return self._heads[member.head].value()

    def steps(self) -> list[Step]:
        """The steps that leave files, in their order.

        Raises:
            TapError: When the detail of the run cannot be had.
        """
        answer = self._heads[DETAIL].value()
        if not self._steps:
            rows = self._wanting[0].steps_in(answer, self._context)
            self._steps = steps_with_files(rows, self._commands)
            if self._context["artifacts_saved"] and not any(map(_is_of_dbt, rows)):
                # dbt ran elsewhere, and the service knows its files alone.
                self._steps = [Step(0, None, RUN_RESULTS)]
        return self._steps

    def artifact(self, step: Step, member: Asking) -> Artifact | None:
        """The file of a step; ``None`` for an empty one.

        Args:
            step: The step.
            member: Who reads it.

        Raises:
            TapError: When it cannot be had.
        """
        artifact: Artifact | None = self._file(step, member).value()
        return artifact

    def is_own(self, step: Step, artifact: Artifact, member: Asking) -> bool:
        """Whether the step itself has written the file.

        Where it has written none, there can be the one that an earlier step, or run, has left.

        Args:
            step: The step.
            artifact: Its file.
            member: Who reads it; asks for files of earlier steps that nobody has asked for.
        """
        if is_of_another_run(artifact, self._context["run_id"]):
            return False
        told = verb_of_args(artifact.part("args"))
        if told and told != step.verb and told not in self._commands and step.file == RUN_RESULTS:
            return False  # by a command whose results are not read
        invocation = artifact.invocation_id
        return invocation is None or all(
            invocation != _invocation(self._file(other, member))
            for other in self.steps()
            if other.file == step.file and other.index < step.index
        )

    def done_with(self, step: Step) -> None:
        """Forget the bytes of a file whose nodes were looked at."""
        self._files[step].forget()

    def _file(self, step: Step, member: Asking) -> Answer:
        if step not in self._files:
            params = {"step": step.index} if step.index else {}

            def ask() -> Exchange:
                return member.ask_of(self._context, f"{FILES}{step.file}", params)

            self._files[step] = Answer(ask, read_artifact)
        return self._files[step]


def _invocation(answer: Answer) -> Any:
    """The command that has written a file; ``None`` where no file tells one.

    Raises:
        TapError: When that cannot be told now.
    """
    try:
        artifact: Artifact | None = answer.value()
    except (UnavailableError, ClosedError):
        raise
    except TapError:
        return None
    return None if artifact is None else artifact.invocation_id


def _is_of_dbt(row: Row) -> bool:
    return command_of(row.get("name")) is not None


def steps_with_files(rows: list[Row], commands: Collection[str]) -> list[Step]:
    """The steps that leave a file to read, by the names of all steps of a run.

    Args:
        rows: The steps as the service tells them.
        commands: The verbs whose results are read.
    """
    found: dict[int, Step] = {}
    for row in rows:
        command, index = command_of(row.get("name")), row.get("index")
        if isinstance(index, str):
            index = to_integer(index)
        if command is None or type(index) is not int or index < 0:
            continue
        verb = verb_of(command)
        if verb == FRESHNESS:
            found[index] = Step(index, verb, SOURCES)
        elif (verb or UNKNOWN) in commands:
            found[index] = Step(index, verb, RUN_RESULTS)
    return [found[index] for index in sorted(found)]
