"""The database to load into: a DuckDB file, or a database of MotherDuck."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from target_dlt.errors import LoaderError
from target_dlt.settled_names import refuse_reserved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What a DuckDB file has behind the checksum it begins with.
_MAGIC = b"DUCK"
_MOTHERDUCK = re.compile(r"(?:md|motherduck):/*([^?]*)(?:\?(.*))?$")
_MOTHERDUCK_DEFAULT = "my_db"
#: Settings and their other names, which count only where those are not set.
_ALIASES = (("path", "filepath"), ("database", "dbname"))
_TOKEN_NAMES = ("motherduck_token", "token")
_AGENT = "tap-cloudapis"
#: As shells, Meltano and Windows write a variable.
_VARIABLE = re.compile(r"\$[A-Za-z_]|\$\{|%[A-Za-z_]\w*%")


@dataclass(frozen=True)
class Location:
    """A database that DuckDB connects to.

    Attributes:
        name: What to call it; without secrets.
        stem: The name of the database itself.
        address: What DuckDB connects to.
        is_file: Whether it is a file on this machine.
        config: DuckDB's configuration for it; that of MotherDuck holds a secret.
    """

    name: str
    stem: str
    address: str
    is_file: bool
    config: Mapping[str, str] = field(default_factory=dict, repr=False)

    def without_secrets(self, text: str) -> str:
        """Take the token out of a text."""
        for value in () if self.is_file else self.config.values():
            text = text.replace(value, "***")
        return text


def refuse_variables(text: str, setting: str) -> None:
    """Refuse a variable that nothing expanded: a folder would be made that is called like it.

    Args:
        text: A path or an address.
        setting: The setting that it is the value of.

    Raises:
        LoaderError: If there is one in it.
    """
    if _VARIABLE.search(text):
        raise LoaderError(
            f"wrong settings: {setting!r} holds a variable ($NAME, ${{NAME}} or %NAME%), and "
            "variables are not expanded here: write what it stands for"
        )


def expand(path: str, setting: str) -> Path:
    """Put the home folder for a `~`.

    Args:
        path: A path.
        setting: The setting that it is the value of.

    Raises:
        LoaderError: If there is no such home folder, or a variable in the path.
    """
    refuse_variables(path, setting)
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        user = path.partition("/")[0]
        raise LoaderError(f"wrong settings: {setting!r}: there is no folder {user!r}") from error


def is_folder(path: Path) -> bool:
    """Tell whether a path leads to a folder; a path that nothing can have does not."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def locate(config: Mapping[str, Any]) -> Location:
    """Find the database that the settings name, and check what can be checked before a long sync.

    Args:
        config: The settings of target-duckdb.

    Returns:
        The database; the folder of a file exists, and both may be written.

    Raises:
        LoaderError: If the settings name no database, or one that cannot be used.
    """
    setting = "path" if config.get("path") else "filepath"
    path = config.get(setting)
    if not path:
        raise LoaderError("wrong settings: 'path', the DuckDB file to load into, is missing")
    if found := _MOTHERDUCK.match(path):
        refuse_variables(found[1], setting)
        return _motherduck(found[1], found[2] or "", config)
    absolute = _checked(path, setting)
    storage = {"storage_compatibility_version": config["storage_version"]}
    return Location(str(absolute), absolute.stem, str(absolute), is_file=True, config=storage)


def notes(location: Location, config: Mapping[str, Any]) -> Iterator[str]:
    """Say which settings have no effect here.

    Args:
        location: The database.
        config: The settings of target-duckdb.

    Yields:
        What happens instead, by setting.
    """
    for name, alias in _ALIASES:
        if config.get(name) and config.get(alias) not in {None, "", config[name]}:
            yield f"{alias!r} has no effect: {name!r}, which it is another name for, is set too"
    if location.is_file:
        database = config.get("database") or config.get("dbname")
        if database and database.lower() != location.stem.lower():
            yield f"'database' has no effect: a file holds one database, {location.stem!r}"
        if config.get("token"):
            yield "'token' has no effect: the path names a file, not a MotherDuck database"
    for name in ("delimiter", "quotechar"):
        if config.get(name) is not None:
            yield f"{name!r} has no effect: no CSV files are written"
    if config.get("flush_all_streams") is False:
        yield "'flush_all_streams' has no effect: all streams are always committed together"
    mapping = config.get("schema_mapping") or {}
    if any(isinstance(entry, dict) and entry.get("indices") for entry in mapping.values()):
        yield "'indices' in schema_mapping have no effect: no indexes are made"


@dataclass(frozen=True)
class DatasetNames:
    """Which dataset and table a stream goes to.

    Attributes:
        default: The dataset of streams that the mapping does not name.
        mapping: Datasets by the first part of a stream's name, as in `public-orders`.
    """

    default: str
    mapping: Mapping[str, str] = field(default_factory=dict)

    def of(self, stream: str) -> tuple[str, str]:
        """Answer the name of a stream's dataset, and the one to make its table's name of."""
        if not self.mapping:
            return self.default, stream
        parts = stream.split("-")
        if len(parts) == 1:
            return self.default, stream
        place, table = (0, parts[1:]) if len(parts) == 2 else (1, parts[2:])  # noqa: PLR2004
        return self.mapping.get(parts[place], self.default), "_".join(table)


def dataset_names(config: Mapping[str, Any]) -> DatasetNames:
    """Read which datasets the settings name.

    Args:
        config: The settings of target-duckdb.

    Raises:
        LoaderError: If the mapping of schemas does not name one, or names one of DuckDB's own.
    """
    mapping: dict[str, str] = {}
    for name, entry in (config.get("schema_mapping") or {}).items():
        target = entry.get("target_schema") if isinstance(entry, dict) else None
        if not isinstance(target, str) or not target.strip():
            raise LoaderError(
                f"wrong settings: 'schema_mapping.{name}' must be a JSON object with "
                '"target_schema", the name of a schema'
            )
        refuse_reserved(target, f"schema_mapping.{name}.target_schema")
        mapping[name] = target
    refuse_reserved(config["default_target_schema"], "default_target_schema")
    return DatasetNames(config["default_target_schema"], mapping)


def _motherduck(name: str, query: str, config: Mapping[str, Any]) -> Location:
    parameters = {key: values[-1] for key, values in parse_qs(query).items()}
    given = [parameters.pop(key, None) for key in _TOKEN_NAMES]
    token = (
        config.get("token")
        or next(filter(None, given), None)
        or os.environ.get("MOTHERDUCK_TOKEN")
        or os.environ.get("motherduck_token")  # noqa: SIM112 (DuckDB reads both)
    )
    database = config.get("database") or config.get("dbname") or name or _MOTHERDUCK_DEFAULT
    if not token:
        raise LoaderError(
            f"wrong settings: 'token' is missing: md:{database} is a database of MotherDuck "
            "(its token can also be in the environment's MOTHERDUCK_TOKEN)"
        )
    address = f"md:{database}" + (f"?{urlencode(parameters)}" if parameters else "")
    settings = {"motherduck_token": token, "custom_user_agent": _AGENT}
    return Location(f"md:{database}", database, address, is_file=False, config=settings)


def _checked(path: str, setting: str) -> Path:
    if re.match(r"\w{2,}:|:", path):
        raise LoaderError(
            f"wrong settings: {setting!r} names no file: '{path.partition(':')[0]}:...' (other "
            "databases and files of the cloud are not supported)"
        )
    absolute = expand(path, setting).absolute()
    try:
        _check_file(absolute)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file can have such a name"
        raise LoaderError(f"cannot write {absolute}: {reason}") from error
    return absolute


def _check_file(path: Path) -> None:
    """Make the folder of a file, and find out if DuckDB can make or write the file.

    Raises:
        LoaderError: If it cannot.
        OSError: If the path cannot be looked up.
        ValueError: If the path cannot be a path.
    """
    with suppress(FileNotFoundError):  # DuckDB's log beside the file has the longest name
        path.with_name(f"{path.name}.wal").stat()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        _make_folder(path)
    else:
        if stat.S_ISDIR(mode):
            raise LoaderError(f"{path} is a folder: `path` names the DuckDB file itself")
        if not stat.S_ISREG(mode):  # reading a pipe would wait for ever
            raise LoaderError(f"{path} is no regular file: choose another path")
        with path.open("r+b") as file:
            begin = file.read(12)
        # An empty one may be in the making by another load: DuckDB says if it is not.
        if begin and begin[8:] != _MAGIC:
            raise LoaderError(f"{path} is not a DuckDB file: choose another path")
    try:
        TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise LoaderError(
            f"cannot write {path}: DuckDB makes files in its folder, which takes none: "
            f"{error.strerror}"
        ) from error


def _make_folder(path: Path) -> None:
    """Make the folder of a file; where a link leads is not guessed at, it may be a missing disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        is_dangling = True
    else:
        is_dangling = path.is_symlink() and not path.resolve().parent.is_dir()
    if is_dangling:
        raise LoaderError(f"cannot write {path}: a link on the way leads to no folder")
