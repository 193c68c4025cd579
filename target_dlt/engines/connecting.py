"""Connections to a DuckDB database: waited for, set up, and what is said where there is none."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import duckdb

from target_dlt.engines.friendly import first_line, hint_of_memory, of_newer_duckdb
from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_dlt.location import Location

LOGGER = logging.getLogger("target_dlt")

_LOCK_WAIT_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.25
# Inserting from Arrow is serial: more threads only cost CPU time.
_SETTINGS = {"threads": "1"}
#: Settings that are the loader's to set, and what to say of them.
_OURS = {
    "timezone": "the time zone stays UTC",
    "storage_compatibility_version": "set 'storage_version'",
}


def connect(
    location: Location, settings: Mapping[str, Any], on_wait: Callable[[], None]
) -> duckdb.DuckDBPyConnection:
    """Connect to a database, as soon as no other process holds the file.

    Args:
        location: The database; a file is created.
        settings: What to SET on the connection.
        on_wait: Called again and again while the file is in use; may raise to give up.

    Raises:
        LoaderError: If it cannot be opened, or is in use for too long.
    """
    deadline = time.monotonic() + _LOCK_WAIT_SECONDS
    waiting = False
    while True:
        try:
            connection = duckdb.connect(location.address, config=dict(location.config))
        except duckdb.Error as error:
            if "Could not set lock" not in str(error):
                raise LoaderError(
                    f"cannot open {location.name}: {told(error, location)}"
                ) from error
            if time.monotonic() > deadline:
                raise LoaderError(
                    f"{location.name} is in use by another process: {first_line(error)}"
                ) from error
            if not waiting:
                LOGGER.warning(
                    "%s is in use by another process; waiting up to %d s for it",
                    location.name,
                    _LOCK_WAIT_SECONDS,
                )
                waiting = True
            time.sleep(_LOCK_POLL_SECONDS)
            on_wait()
        else:
            _set_up(connection, location, settings)
            return connection


def told(error: Exception, location: Location) -> str:
    """Say in one line, without secrets, what went wrong."""
    told = location.without_secrets(first_line(error))
    return of_newer_duckdb(error) or told + hint_of_memory(error)


def _set_up(
    connection: duckdb.DuckDBPyConnection, location: Location, settings: Mapping[str, Any]
) -> None:
    opened = "SELECT path FROM duckdb_databases() WHERE NOT internal"
    if location.is_file and connection.execute(opened).fetchall() == [(None,)]:
        # By its ending the file is of another format, which DuckDB opens as a view.
        raise LoaderError(f"{location.name} is not a DuckDB file: choose another path")
    for name, value in {**_SETTINGS, **settings, "timezone": "UTC"}.items():
        _set(connection, name, value)


def check_settings(settings: Mapping[str, Any], storage_version: str) -> None:
    """Try settings of DuckDB before a long sync.

    Args:
        settings: Values by name.
        storage_version: The version of the format of new files.

    Raises:
        LoaderError: If there is no such setting, or it does not take its value.
    """
    for name, instead in _OURS.items():
        if name in map(str.lower, settings):
            LOGGER.warning("'settings.%s' has no effect: %s", name, instead)
    try:
        connection = duckdb.connect(config={"storage_compatibility_version": storage_version})
    except duckdb.Error as error:
        raise LoaderError(
            f"wrong settings: DuckDB {duckdb.__version__} writes no files of 'storage_version' "
            f"{storage_version!r}"
        ) from error
    with connection:
        for name, value in settings.items():
            _set(connection, name, value)


def _set(connection: duckdb.DuckDBPyConnection, name: str, value: Any) -> None:
    text = str(value).replace("'", "''")
    try:
        connection.execute(f"SET {quote(name)} = '{text}'")
    except duckdb.CatalogException as error:
        message = str(error).splitlines()
        hint = f" ({message[-1]})" if len(message) > 1 else ""
        raise LoaderError(f"wrong settings: DuckDB has no setting {name!r}{hint}") from error
    except duckdb.Error as error:  # its text may hold the value, which may be a secret
        raise LoaderError(
            f"wrong settings: DuckDB does not take the value of 'settings.{name}' "
            f"({type(error).__name__})"
        ) from error


def quote(name: str) -> str:
    """Quote a name for SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
