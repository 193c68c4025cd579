"""What went wrong at a destination, in one line and without secrets."""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from target_dlt.dlt_internals import (
    ConfigFieldMissingException,
    ConfigurationException,
    MissingDependencyException,
)
from target_dlt.engines.ducklake import missing_extension

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Our extra for what a destination or table format needs; others are extras of dlt itself.
EXTRAS = {"postgres": "postgres", "delta": "delta", "iceberg": "iceberg", "duckdb": "duckdb"}
_SECRET_NAME = re.compile(r"passw|secret|token|key|credential|pwd", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"://[^/@\s]*?:([^@\s]+)@")
_PASSWORD_IN_DSN = re.compile(r"(?:password|pwd)\s*=\s*('[^']*'|[^\s;&]+)", re.IGNORECASE)
_SHORTEST_SECRET = 3
_DATABASE_FILE = re.compile(r"[^=@?&;{}]*\.(duckdb|ddb|db|sqlite3?)", re.IGNORECASE)
#: In what DuckDB says of a file: the version of its format, and the last one that it reads.
_STORAGE_VERSIONS = re.compile(
    r"version number (\d+), but we can only read (?:storage )?versions? (?:between \d+ and )?(\d+)"
)
_SAME_NAME = "Ambiguous reference to catalog or schema"


class Explainer:
    """Makes a line of an exception of dlt or of a driver.

    Args:
        destination: dlt's name of the destination.
        table_format: Format of its tables, if one was chosen.
        config: What the user configured for the destination; its secrets are blotted out.
    """

    def __init__(
        self, destination: str, table_format: str | None, config: Mapping[str, Any]
    ) -> None:
        self._destination = destination
        self._needs = table_format or destination
        self._secrets = sorted(
            {*_secrets("", config), *_secrets_of_environment()}, key=len, reverse=True
        )

    def __call__(self, error: BaseException) -> str:
        """Explain an error.

        Args:
            error: Its causes are looked through as well.

        Returns:
            One line: the destination, what happened, and what to do if that is known.
        """
        text = f"destination {self._destination!r}: {self._told(list(_chain(error)))}"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _told(self, chain: list[BaseException]) -> str:
        for error in chain:
            if isinstance(error, MissingDependencyException | ModuleNotFoundError):
                return self.missing_package()
            if isinstance(error, ConfigFieldMissingException):
                return (
                    f"not configured: no {' and no '.join(error.fields)}; set it in "
                    "destination_config, or where dlt's documentation of the destination says"
                )
            if isinstance(error, ConfigurationException):
                return f"not configured: {first_line(error)}"
        told = first_line(chain[-1])
        if _SAME_NAME in told:
            return f"{told}; file and schema cannot be called alike: choose another name for one"
        known = missing_extension(chain[-1]) or of_newer_duckdb(chain[-1])
        return known or told + hint_of_memory(chain[-1])

    def missing_package(self) -> str:
        """Say what to install for it."""
        extra = EXTRAS.get(self._needs)
        package = f"tap-cloudapis[{extra}]" if extra else f"dlt[{self._needs}]"
        return f'a package is not installed: pip install "{package}"'


def hint_of_memory(error: BaseException) -> str:
    """Say what to do if DuckDB has too little memory; else nothing."""
    if "Out of Memory Error" not in str(error):
        return ""
    return (
        ": raise its memory_limit (within a transaction, DuckDB needs up to 1 MB for each column "
        "of a table)"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what caused it, from the outermost to the first one."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def of_newer_duckdb(error: BaseException) -> str | None:
    """Say what to do about a file whose format the installed DuckDB does not know yet."""
    found = _STORAGE_VERSIONS.search(str(error))
    if found is None or int(found[1]) <= int(found[2]):
        return None
    return (
        "a newer DuckDB has made the file than the one that is installed, "
        f"{version('duckdb')}: pip install --upgrade duckdb"
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _secrets(name: str, value: Any) -> Iterator[str]:
    """The secrets among configured values: by their name, and the passwords within texts."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(str(key), item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(name, item)
    elif isinstance(value, str):
        found = [*_PASSWORD_IN_URL.findall(value), *_PASSWORD_IN_DSN.findall(value)]
        # Credentials may be the path of a file; what is called a password is none.
        last = name.lower().rpartition("__")[2]
        is_place = "://" in value or (
            last == "credentials" and _DATABASE_FILE.fullmatch(value) is not None
        )
        if not found and _SECRET_NAME.search(name) and not is_place:
            found = [value]
        for secret in found:
            yield from {s for s in (secret, unquote(secret)) if len(s) >= _SHORTEST_SECRET}


def _secrets_of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if name.startswith(("DESTINATION", "CREDENTIALS", "TARGET_DLT")) or name.endswith(
            "__CREDENTIALS"
        ):
            yield from _secrets(name, value)
