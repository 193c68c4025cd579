"""What a load and the engines that carry it out say to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_dlt.dlt_internals import KnownTables
    from target_dlt.messages.schema import StreamSchema
    from target_dlt.names import Path
    from target_dlt.rows.chunks import Chunk

LoadMethod = Literal["upsert", "append-only", "overwrite"]
OnTypeChange = Literal["widen", "variant", "error"]
TableFormat = Literal["delta", "iceberg", "native"]


@dataclass(frozen=True)
class Rules:
    """What a load does with the rows and columns that are there.

    Attributes:
        load_method: What becomes of rows whose key is already there.
        hard_delete: Whether rows of older versions are deleted; else they are marked.
        on_type_change: What becomes of values that an existing column cannot hold: it is widened
            if nothing is lost, else they go to a variant column; always the latter; an error.
    """

    load_method: LoadMethod
    hard_delete: bool
    on_type_change: OnTypeChange


@dataclass(frozen=True)
class Activation:
    """From here on the rows of a version, and those that this run brought, are all there are.

    Attributes:
        version: The version; rows of older ones, or of none and another run, are gone.
        after: How many of the commit's chunks of the stream came before.
    """

    version: int
    after: int


@dataclass(frozen=True)
class StreamLoad:
    """What one commit brings of one stream; no chunks: only the table is made.

    Attributes:
        schema: The stream's own table.
        chunks: Its rows, in order of arrival.
        activations: What makes older rows go.
        replaces: Whether all rows that are there go first.
        nested: The rows of tables below, by path; see `Chunk.path`.
    """

    schema: StreamSchema
    chunks: Sequence[Chunk]
    activations: Sequence[Activation] = ()
    replaces: bool = False
    nested: Mapping[Path, Sequence[Chunk]] = field(default_factory=dict)


class Engine(Protocol):
    """Writes the commits of one run into one dlt dataset."""

    @property
    def place(self) -> str:
        """Where the rows go, for people; without secrets."""

    def commit(self, loads: Sequence[StreamLoad], state: Any, emit: Callable[[], None]) -> None:
        """Write rows and the state they complete.

        Args:
            loads: The streams' chunks, in order of arrival within a stream.
            state: The STATE value to store with them; None if there is none.
            emit: Called once all of it is safe where it was written to.

        Raises:
            LoaderError: If it could not be written.
        """

    def discard(self) -> None:
        """Remove the temporary files of the run; nothing is committed any more."""


class NestingEngine(Engine, Protocol):
    """An engine that takes the rows of nested tables too."""

    def known_tables(self, stream: str) -> KnownTables:
        """Read what the dataset has of a stream, before the first commit.

        Raises:
            LoaderError: If it cannot be read.
        """
