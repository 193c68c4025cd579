"""DuckLake, which DuckDB has by extensions: where they are, and what to do where they are not."""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DUCKLAKE = "ducklake"
_SETTING = "extension_directory"
#: What DuckDB says where it neither has an extension nor gets it from its server.
_MISSING = re.compile(r"Failed to (?:download|install)(?: local)? extension \"(\w+)\"")
#: The packages of extensions that are not called as these are.
_PACKAGES = {"sqlite_scanner": "sqlite", "postgres_scanner": "postgres", "mysql_scanner": "mysql"}


def installed_extensions() -> Path | None:
    """Find the folder of the extensions that packages have brought for the installed DuckDB."""
    spec = find_spec("duckdb_ext")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place, "extensions")
        if any(folder.glob(f"v{version('duckdb')}/*/*.duckdb_extension")):
            return folder
    return None


def with_extensions(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let DuckDB find the extensions that packages have brought.

    Args:
        config: What the user configured for the destination; a folder of theirs stays.
    """
    folder = installed_extensions()
    credentials = config.get("credentials") or {}
    if folder is None or not isinstance(credentials, dict):
        return config
    settings = {_SETTING: str(folder), **(credentials.get("global_config") or {})}
    return {**config, "credentials": {**credentials, "global_config": settings}}


def missing_extension(error: BaseException) -> str | None:
    """Say what to install where an extension is missing; None if the error is of something else."""
    found = _MISSING.search(str(error))
    if found is None:
        return None
    name = found[1]
    return (
        f"DuckDB has no extension {name!r} and cannot fetch it: let it reach extensions.duckdb.org "
        f"once, or pip install duckdb-ext-{_PACKAGES.get(name, name)}, which there is for some "
        f"releases of DuckDB (installed: {version('duckdb')})"
    )
