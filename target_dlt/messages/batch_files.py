"""Where the files of BATCH messages are, and what becomes of them once they are loaded.

The files of others stay where they are. A folder may say by a file of its own, `MARKER`, that its
files are to be removed once they are loaded, and that their times are those of their records:
tap-cloudapis makes such folders.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGGER = logging.getLogger("target_dlt")

#: The file that makes a folder one whose files are removed.
MARKER = ".remove-when-loaded"
#: Which files are removed.
Removed = Literal["marked", "all", "none"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Told by the first bytes of a file, whatever is said of them.
_TOLD_BY_CONTENT = (None, "none", "gzip")


@dataclass(frozen=True)
class BatchFile:
    """A file of records.

    Attributes:
        url: Its address, as the message has it.
        path: Where it is on this machine; None for one that is elsewhere.
        is_marked: Whether its folder says that it is to be removed once it is loaded.
    """

    url: str
    path: Path | None = None
    is_marked: bool = False

    @classmethod
    def at(cls, url: str) -> BatchFile:
        """Find a file.

        Args:
            url: Its address, as fsspec takes it: not percent-encoded, unless there is no such file.
        """
        text = url.removeprefix("file://")
        if "://" in text or "::" in text:
            return cls(url)
        path = Path(text)
        with suppress(OSError, ValueError):
            if not path.exists() and (plain := Path(unquote(text))).exists():
                path = plain  # as the SDK spells addresses below a folder that is given as a path
            return cls(url, path, (path.parent / MARKER).is_file())
        return cls(url, path)

    @property
    def extracted(self) -> str | None:
        """When the records were extracted, if the folder vouches for the times of its files."""
        if self.path is None or not self.is_marked:
            return None
        microseconds = self.path.stat().st_mtime_ns // 1000
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()

    @contextmanager
    def open(self, compression: str | None = None) -> Iterator[IO[bytes]]:
        """Open the file.

        Args:
            compression: What is said of it; gzip is left to who reads the first bytes.
        """
        said = None if compression in _TOLD_BY_CONTENT else compression
        if self.path is not None and said is None:
            with self.path.open("rb") as plain:
                yield plain
        else:
            import fsspec  # type: ignore[import-untyped]  # noqa: PLC0415 (few need it)

            with fsspec.open(self.url, "rb", compression=said) as file:
                yield cast("IO[bytes]", file)

    def remove(self) -> None:
        """Remove the file; that it cannot be is told, and no more: its records are loaded."""
        try:
            if self.path is not None:
                self.path.unlink(missing_ok=True)
            else:
                from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # noqa: PLC0415

                files, place = url_to_fs(self.url)
                files.rm_file(place)
        except (OSError, ValueError, ImportError, NotImplementedError) as error:
            LOGGER.warning("BATCH file %s is loaded, but cannot be removed: %s", self.url, error)


class LoadedFiles:
    """Removes files whose records are committed.

    Args:
        removed: Which ones.
    """

    def __init__(self, removed: Removed) -> None:
        self._removed = removed
        self._read: dict[str, BatchFile] = {}
        self._folders: set[Path] = set()

    def add(self, file: BatchFile) -> None:
        """Take note of a file that was read to its end."""
        if self._removed == "all" or (self._removed == "marked" and file.is_marked):
            self._read[file.url] = file
            if file.is_marked and file.path is not None:
                self._folders.add(file.path.parent)

    def committed(self) -> None:
        """Remove the files that were read: what they held is committed."""
        for file in self._read.values():
            file.remove()
        self._read.clear()

    def finish(self) -> None:
        """Remove the marked folders of which nothing is left; their writer has ended."""
        for folder in self._folders:
            with suppress(OSError):
                if [entry.name for entry in folder.iterdir()] == [MARKER]:
                    (folder / MARKER).unlink()
                    folder.rmdir()
