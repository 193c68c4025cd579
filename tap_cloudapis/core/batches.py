"""Records in files that BATCH messages name, in place of RECORD lines.

The files have the layout of the Meltano Singer SDK: a bare record per line, JSON, gzip or not.
Their bytes are made as those of lines are, of records that selection, types and maps have been
applied to. A file is written whole, and announced when it is complete; whatever message is no
RECORD comes behind the files of all records before it, so a STATE never speaks of what is in no
message.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.output import encode, encode_onto

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping
    from datetime import datetime

    from tap_cloudapis.core.output import BufferedSingerWriter, Envelope

#: A file is written when its records have so many bytes, or so many those of all files together.
FILE_BYTES, ALL_BYTES = 4 << 20, 16 << 20
#: The records of a file were extracted within this time.
FILE_SPAN = timedelta(seconds=1)
#: Folders of syncs in which nothing has changed for so many seconds are left over.
LEFT_OVER_SECONDS = 12 * 3600
#: How the folder of a sync is called, and the file that tells a loader to remove what it loaded.
FOLDER_PREFIX, MARKER = "tap-cloudapis-", ".remove-when-loaded"
_MARKER_TEXT = """\
The files in this folder belong to one sync. Whoever has loaded one removes it. The time of a file
is when its records were extracted.
"""
_COMPRESSION_LEVEL = 1
_LONGEST_NAME = 100
_ODD = re.compile(r"[^A-Za-z0-9_.-]")
#: As shells, Meltano and Windows write a variable.
_VARIABLE = re.compile(r"\$[A-Za-z_]|\$\{|%[A-Za-z_]\w*%")


@dataclass(frozen=True)
class BatchSettings:
    """What the setting ``batch_config`` says.

    Attributes:
        root: The folder below which each sync has one of its own.
        prefix: What names of files begin with.
        packs: Whether files are packed by gzip.
        most_records: How many records a file holds at the most; ``None`` where its bytes decide.
    """

    root: Path
    prefix: str = ""
    packs: bool = False
    most_records: int | None = None


def batch_settings(settings: Mapping[str, Any]) -> BatchSettings | None:
    """Read the setting ``batch_config``.

    Args:
        settings: All settings, of the declared types.

    Returns:
        What it says; ``None`` where records are to be lines.

    Raises:
        TapError: When there is no folder in it, or one that files cannot be put into.
    """
    config: Mapping[str, Any] = settings.get("batch_config") or {}
    if not config:
        return None
    encoding, storage = config.get("encoding") or {}, config.get("storage") or {}
    prefix = storage.get("prefix") or ""
    if "/" in prefix or os.sep in prefix or not prefix.isprintable():
        msg = "batch_config.storage.prefix is what names of files begin with, so it holds no slash"
        raise TapError(msg)
    return BatchSettings(
        root=_root(str(storage.get("root") or "").strip()),
        prefix=prefix,
        packs=encoding.get("compression") == "gzip",
        most_records=config.get("batch_size"),
    )


def _root(text: str) -> Path:
    setting = "batch_config.storage.root"
    if not text:
        msg = f"{setting} is missing: name a folder for the files, such as file:///var/tmp/batches"
        raise TapError(msg)
    path = text.removeprefix("file://")
    # A colon twice would chain file systems, for readers that know such.
    if "://" in path or "::" in path or not path.isprintable():
        msg = f"{setting} must be a folder of this machine, as file:///FOLDER or as a path"
        raise TapError(msg)
    if _VARIABLE.search(path):
        msg = f"{setting} holds a variable, and none is expanded here: write what it stands for"
        raise TapError(msg)
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        msg = f"{setting}: there is no home folder {path.partition('/')[0]}"
        raise TapError(msg) from None


@dataclass
class _Pending:
    """Records of a stream that are in no file yet.

    Attributes:
        envelope: That of the last record.
        version: What all envelopes say of it.
        since: When the first record was extracted.
    """

    envelope: Envelope
    version: int | None
    since: datetime
    records: int = 0
    content: bytearray = field(default_factory=bytearray)

    def takes(self, envelope: Envelope) -> bool:
        """Whether a record with another envelope can be in the same file."""
        self.envelope = envelope
        return envelope.version == self.version and envelope.time - self.since <= FILE_SPAN


class BatchFiles:
    """Puts the records of a sync into files, and announces these; see :class:`RecordFiles`.

    Args:
        settings: Where, and how.
        writer: Writes the messages.

    Raises:
        TapError: When files cannot be made there.
    """

    def __init__(self, settings: BatchSettings, writer: BufferedSingerWriter) -> None:
        self._settings = settings
        self._writer = writer
        self._pending: dict[str, _Pending] = {}
        self._size = 0
        self._files = 0
        self._encoding = {"format": "jsonl", "compression": "gzip" if settings.packs else "none"}
        try:
            settings.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_left_overs(settings.root)
            # A folder that only its owner can look into.
            self.folder = Path(mkdtemp(prefix=FOLDER_PREFIX, dir=settings.root))
            self._write(self.folder / MARKER, _MARKER_TEXT.encode())
        except OSError as exc:
            msg = f"batch_config.storage.root: cannot write to {settings.root}: {exc.strerror}"
            raise TapError(msg) from None

    def add(self, envelope: Envelope, record: Mapping[str, Any]) -> int:
        """Take a record, and give back its length in bytes."""
        pending = self._pending.get(envelope.stream)
        if pending is None:
            pending = self._begin(envelope)
        elif pending.envelope is not envelope and not pending.takes(envelope):
            self._announce(envelope.stream)
            pending = self._begin(envelope)
        size = encode_onto(pending.content, b"", record, b"\n")
        pending.records += 1
        self._size += size
        if len(pending.content) >= FILE_BYTES or pending.records == self._settings.most_records:
            self._announce(envelope.stream)
        elif self._size >= ALL_BYTES:
            self.hand_over()
        return size

    def _begin(self, envelope: Envelope) -> _Pending:
        pending = self._pending[envelope.stream] = _Pending(
            envelope, envelope.version, envelope.time
        )
        return pending

    def hand_over(self) -> None:
        """Announce all records that were taken.

        Raises:
            OutputError: When a file cannot be written.
        """
        for stream in [*self._pending]:
            self._announce(stream)

    def _announce(self, stream: str) -> None:
        pending = self._pending.pop(stream)
        self._size -= len(pending.content)
        if not pending.records:  # the first one had no form in JSON
            return
        message: dict[str, Any] = {
            "type": "BATCH",
            "stream": stream,
            "encoding": self._encoding,
            "manifest": [self._file_of(stream, pending)],
        }
        if pending.version is not None:
            message["version"] = pending.version
        self._writer.announce(encode(message))

    def _file_of(self, stream: str, pending: _Pending) -> str:
        """Write a file, and give back its address."""
        self._files += 1
        name = _ODD.sub("_", stream)[:_LONGEST_NAME]
        end = ".jsonl.gz" if self._settings.packs else ".jsonl"
        path = self.folder / f"{self._settings.prefix}{name}-{self._files:06}{end}"
        content: Any = pending.content
        if self._settings.packs:
            content = gzip.compress(content, _COMPRESSION_LEVEL, mtime=0)
        try:
            self._write(path, content)
            extracted = int(pending.since.timestamp() * 1_000_000) * 1000
            os.utime(path, ns=(extracted, extracted))
        except OSError as exc:
            with suppress(OSError):
                path.unlink()
            self._writer.fail(f"cannot write a file of records to {self.folder}: {exc.strerror}")
        # As fsspec takes it: not percent-encoded.
        return f"file://{'' if path.as_posix().startswith('/') else '/'}{path.as_posix()}"

    @staticmethod
    def _write(path: Path, content: bytes | bytearray) -> None:
        """Write a new file that only its owner can read."""
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)

    def end(self) -> None:
        """Remove the folder, if everything in it was loaded already."""
        remove_if_empty(self.folder)


def begin_files(
    settings: Mapping[str, Any], writer: BufferedSingerWriter, logger: logging.Logger
) -> None:
    """Have the records of a sync put into files from now on, if the settings say so.

    Raises:
        TapError: When that cannot be.
    """
    if found := batch_settings(settings):
        writer.files = files = BatchFiles(found, writer)
        logger.info("Records go into files, in %s", files.folder)


def remove_if_empty(folder: Path) -> None:
    """Remove the folder of a sync that has no file of records any more."""
    with suppress(OSError):
        if [entry.name for entry in os.scandir(folder)] == [MARKER]:
            shutil.rmtree(folder)


def remove_left_overs(root: Path) -> None:
    """Remove folders of syncs whose loader, if there was one, did not come to its end.

    Args:
        root: The folder that they are in. What is not of this tap's making is left alone.
    """
    with suppress(OSError):
        for entry in [*os.scandir(root)]:
            if entry.name.startswith(FOLDER_PREFIX) and _is_left_over(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    if not entry.is_dir(follow_symlinks=False) or not Path(entry.path, MARKER).is_file():
        return False
    seen = entry.stat(follow_symlinks=False)
    is_ours = not hasattr(os, "getuid") or seen.st_uid == os.getuid()
    # Each file that comes or goes is a change of the folder.
    return is_ours and time.time() - seen.st_mtime > LEFT_OVER_SECONDS
