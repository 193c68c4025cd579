"""Chunks waiting for the commit they belong to: in memory, beyond a limit on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa

from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_dlt.names import Path as KeyPath
    from target_dlt.rows.chunks import Chunk

# What a column takes beside its data.
_COLUMN_BYTES = 500


class Spool:
    """Holds chunks by table, in order of arrival.

    A tap may send any number of records before its next STATE; all of them belong to one commit.

    Args:
        memory_bytes: How much Arrow data to keep in memory; further chunks are written to
            temporary files, which are memory-mapped whenever they are read.
        folder: Where to make the folder of temporary files; None for the system's place.
    """

    def __init__(self, memory_bytes: int, folder: Path | None) -> None:
        self._memory_bytes = memory_bytes
        self._parent = folder
        self._used = 0
        self._folder: TemporaryDirectory[str] | None = None
        self._chunks: dict[tuple[str, KeyPath], list[Chunk]] = {}
        self._files = 0

    def add(self, stream: str, chunk: Chunk) -> None:
        """Keep a chunk of a stream.

        Raises:
            LoaderError: If it cannot be written to a temporary file.
        """
        if self._used > self._memory_bytes:
            try:
                chunk = replace(chunk, open=self._on_disk(chunk.table))
            except OSError as error:
                raise LoaderError(
                    "cannot keep rows in a temporary file until they can be committed: "
                    f"{error.strerror or error} (see the setting temp_dir)"
                ) from error
        else:
            self._used += chunk.table.nbytes + _COLUMN_BYTES * len(chunk.columns)
        self._chunks.setdefault((stream, chunk.path), []).append(chunk)

    def _on_disk(self, table: pa.Table) -> Callable[[], pa.Table]:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="target-dlt-", dir=self._parent)
        self._files += 1
        path = Path(self._folder.name, f"{self._files}.arrow")
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

        def read() -> pa.Table:
            with pa.memory_map(str(path)) as source:
                return pa.ipc.open_file(source).read_all()

        return read

    def chunks(self, stream: str) -> list[Chunk]:
        """The chunks of a stream's own table that wait for the commit."""
        return self._chunks.get((stream, ()), [])

    def nested_chunks(self, stream: str) -> dict[KeyPath, list[Chunk]]:
        """The chunks of the tables below the stream's own, by path."""
        found = self._chunks.items()
        return {path: chunks for (name, path), chunks in found if name == stream and path}

    def clear(self) -> None:
        """Forget all chunks, after their commit."""
        # Emptied one by one: exceptions within dlt hold the frames of a commit, and so its lists
        # of chunks, until the garbage collector finds their cycles.
        for chunks in self._chunks.values():
            chunks.clear()
        self._chunks.clear()
        self._used = 0
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
