"""Names of schemas and pipelines: settled before a long sync, and the same for either engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Schemas and catalogs that DuckDB keeps for itself.
_OF_DUCKDB = frozenset({"information_schema", "pg_catalog", "system", "temp"})
_MAIN = "main"
# A pipeline of dlt has a folder of its name, which it wants to be one on every system.
_LONGEST_FOLDER = 255
_SPELLED_ALIKE = re.compile(r"_?[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_NO_FOLDER = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]", re.IGNORECASE)


def pipeline_name(config: Mapping[str, Any], default: str) -> str:
    """Settle what dlt calls the pipeline.

    Args:
        config: The settings.
        default: What to make a name of, if they have none.

    Raises:
        LoaderError: If dlt could not make a pipeline of that name.
    """
    given: str | None = config.get("pipeline_name")
    name = given or re.sub(r"[^A-Za-z0-9_-]", "_", default)
    if not given and _NO_FOLDER.fullmatch(name):
        name += "_"
    if len(name) > _LONGEST_FOLDER or _NO_FOLDER.fullmatch(name) or name.endswith("\n"):
        raise LoaderError(
            "wrong settings: 'pipeline_name' must be a name that a folder can have on every "
            f"system, of at most {_LONGEST_FOLDER} characters"
            + ("" if given else "; it is not set, and what it is made of is longer")
        )
    return name


def refuse_reserved(schema: str, setting: str) -> None:
    """Refuse the name of a schema that DuckDB keeps for itself.

    Args:
        schema: A name as it was given.
        setting: The setting that it is the value of.

    Raises:
        LoaderError: If it is one.
    """
    if re.sub(r"\W+", "_", schema.strip()).lower() in _OF_DUCKDB:
        raise LoaderError(
            f"wrong settings: {setting!r} is {schema!r}, which DuckDB keeps for itself: "
            "choose another"
        )


def refuse_other_spellings(schemas: Iterable[str]) -> None:
    """Refuse names of datasets that dlt's naming conventions spell otherwise.

    dlt looks for a dataset before it knows by which one its names are made.

    Args:
        schemas: The names as they were given.

    Raises:
        LoaderError: If there is one.
    """
    for schema in schemas:
        if not _SPELLED_ALIKE.fullmatch(schema):
            raise LoaderError(
                f"wrong settings: with 'naming_convention', the name of a schema is of lower case "
                f"letters, digits and single underscores, which {schema!r} is not"
            )


def refuse_name_of_file(schema: str, stem: str) -> None:
    """Refuse the name of a dataset that its file has, too: DuckDB could not tell them apart.

    Args:
        schema: The dataset's name as it was given.
        stem: The name of the file without its ending.

    Raises:
        LoaderError: If they are the same by dlt's naming convention.
    """
    from target_dlt.dlt_internals import normalize_dataset_name  # noqa: PLC0415 (imports dlt)

    final = normalize_dataset_name(schema)
    if final == stem.lower() != _MAIN:
        raise LoaderError(
            "wrong settings: with engine 'package' the schema cannot be called as the file, "
            f"{final!r}: choose another default_target_schema or path"
        )
