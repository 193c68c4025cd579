"""By which of dlt's naming conventions the names of a dataset are made: by one, for good."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema import Schema

from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Mapping


def convention_of(stored: Mapping[str, Any]) -> str:
    """The convention of a schema as dlt stores it, without the place of its module."""
    return str(stored["normalizers"]["names"]).rpartition(".")[2]


def settle(given: str | None, stored: Mapping[str, Any] | None, dataset_name: str) -> str | None:
    """Settle a dataset's convention: what its tables were made by counts, and no other.

    By another one, properties and streams would get a second column or table.

    Args:
        given: The convention that the settings name.
        stored: The dataset's schema; of another pipeline, if this one has none yet.
        dataset_name: Name of the dataset.

    Returns:
        The convention; None for dlt's default.

    Raises:
        LoaderError: If the dataset has tables that were made by another.
    """
    if stored is None:
        return given
    made = convention_of(stored)
    if given in {None, made}:
        return made
    if any(not name.startswith("_dlt") for name in stored["tables"]):
        raise LoaderError(
            f"wrong settings: 'naming_convention' is {given!r}, but the tables of dataset "
            f"{dataset_name!r} were named by {made!r}: set it to that, or load into another schema"
        )
    return given


def new_schema(name: str, convention: str | None) -> Schema:
    """Make a schema by a convention; None for dlt's default."""
    normalizers: Any = {"names": convention, "json": None}
    return Schema(name, normalizers=normalizers) if convention else Schema(name)


def stored_schema(client: Any, name: str | None) -> Mapping[str, Any] | None:
    """Read the schema that was stored last in a dataset; None if there is none.

    Args:
        client: dlt's open client of the dataset.
        name: Name of the schema; None for that of whichever pipeline.
    """
    try:
        info = client.get_stored_schema(name)
    except DestinationUndefinedEntity:
        return None
    return json.loads(info.schema) if info else None
