"""What dlt's pipelines and destinations do beyond what they document."""

from __future__ import annotations

import inspect
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, cast

import dlt
from dlt.common.configuration.container import Container
from dlt.common.destination.exceptions import (
    DestinationUndefinedEntity,
)
from dlt.common.exceptions import TerminalValueError
from dlt.common.schema import Schema
from dlt.common.schema.utils import (
    new_table,
    normalize_schema_name,
)

from target_dlt.dlt_internals.conventions import (
    convention_of,
    new_schema,
    settle,
    stored_schema,
)
from target_dlt.dlt_internals.dataset import log_no_lookups
from target_dlt.storage_version import STORAGE_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dlt.common.destination import Destination
    from dlt.common.storages.live_schema_storage import LiveSchemaStorage
    from dlt.pipeline.pipeline import Pipeline

    from target_dlt.messages.schema import DataType


_STORAGE = "storage_compatibility_version"


def open_pipeline(
    name: str,
    destination: Destination[Any, Any],
    dataset_name: str,
    folder: FilePath,
    convention: str | None = None,
) -> tuple[Pipeline, str]:
    """Make a pipeline in a folder of its own, with state and schema as the destination has them.

    A schema is stored before the first rows, the state with the first complete load; so a dataset
    whose first load never completed has a schema, and the pipeline goes on with it.

    Args:
        name: dlt's name for the pipeline.
        destination: Where the dataset is.
        dataset_name: Its name.
        folder: Where the pipeline works; empty.
        convention: The naming convention of a new dataset; None for dlt's default.

    Returns:
        The pipeline, and the name of the schema among its `schemas`.

    Raises:
        LoaderError: If the names of the dataset are made by another convention.
    """
    log_no_lookups()
    pipeline = dlt.pipeline(
        name, pipelines_dir=str(folder), destination=destination, dataset_name=dataset_name
    )
    _make_duckdb_file(pipeline)
    pipeline.run()  # without data: restores, once for all later runs
    restored = cast("str | None", pipeline.default_schema_name)
    schema_name = restored or normalize_schema_name(name)
    schemas = cast("LiveSchemaStorage", pipeline.schemas)
    with Container().injectable_context(destination.capabilities()):
        if not restored:
            # Known before the client is made: dlt would call a schema of its own by the name as it
            # is.
            schemas.set_live_schema(Schema(schema_name))
        if restored:
            stored: Any = schemas[schema_name].to_dict()
        else:
            stored = _stored(pipeline, schema_name, schema_name)
        other = stored or _stored(pipeline, schema_name, None)
        settled = settle(convention, other, dataset_name)
        if not stored or settled != convention_of(stored):
            schemas.set_live_schema(new_schema(schema_name, settled))
        elif not restored:
            schemas.set_live_schema(Schema.from_stored_schema(stored))
    return pipeline, schema_name


def _make_duckdb_file(pipeline: Pipeline) -> None:
    """Make a new file in the format that is configured: dlt would set it once the file is made."""
    destination = cast("Destination[Any, Any]", pipeline.destination)
    if not destination.destination_type.endswith(".duckdb"):
        return
    # dlt would call a schema of its own by the pipeline's name as it is.
    schema = Schema(normalize_schema_name(pipeline.pipeline_name))
    client, _ = pipeline._get_destination_clients(schema)  # noqa: SLF001
    credentials: Any = cast("Any", client).config.credentials
    path = FilePath(credentials.database)
    is_new = path.parent.is_dir() and not (path.exists() and path.stat().st_size)
    if is_new and credentials.external_conn() is None:
        import duckdb  # noqa: PLC0415

        settings = {_STORAGE: STORAGE_VERSION, **(credentials.global_config or {})}
        duckdb.connect(str(path), config={_STORAGE: settings[_STORAGE]}).close()


def arguments_of(destination: Destination[Any, Any]) -> tuple[set[str], set[str]]:
    """Tell what a destination can be configured with.

    Returns:
        The arguments that its factory names, and the fields that its configuration has.
    """
    arguments = inspect.signature(type(destination)).parameters.keys() - {"kwargs"}
    return set(arguments), set(destination.spec.get_resolvable_fields())


def takes_files(destination: Destination[Any, Any], file_format: str) -> bool:
    """Tell whether a destination takes files of a format without a staging bucket.

    Some take them only if a driver is installed; without it dlt would choose another format.
    """
    known: Any = destination.capabilities()
    formats = known.supported_loader_file_formats
    if known.loader_file_format_selector:
        table = {"name": "any", "columns": {}}
        _, formats = known.loader_file_format_selector(
            known.preferred_loader_file_format, formats, table_schema=table
        )
    return file_format in formats


def types_not_taken(
    destination: Destination[Any, Any], kinds: Iterable[DataType], file_format: str
) -> set[DataType]:
    """Find the types that a destination cannot take from files of a format."""
    mapper: Any = destination.capabilities().get_type_mapper()
    # What dlt's own preparation of a table adds, where it matters to a mapper.
    table = {"name": "any", "columns": {}, "x-insert-api": "copy_into"}

    def is_refused(kind: DataType) -> bool:
        try:
            mapper.ensure_supported_type({"name": "any", "data_type": kind}, table, file_format)
        except TerminalValueError:
            return True
        return False

    return set(filter(is_refused, kinds))


def when_completed(destination: Destination[Any, Any], tell: Callable[[], None]) -> None:
    """Be told of each load in the moment in which its entry is in the destination.

    `Pipeline.run` returns tens of milliseconds later.

    Args:
        destination: The destination of a pipeline.
        tell: Called without the load's id.
    """
    make_client = destination.client

    def client(*args: Any, **kwargs: Any) -> Any:
        made: Any = make_client(*args, **kwargs)
        complete = made.complete_load

        def complete_load(load_id: str) -> None:
            complete(load_id)
            tell()

        made.complete_load = complete_load
        return made

    cast("Any", destination).client = client


def make_tables(pipeline: Pipeline, schema_name: str, *, again: bool = False) -> None:
    """Bring the tables of a schema to the destination without loading rows into them.

    Args:
        pipeline: An open pipeline.
        schema_name: Name of the schema among its `schemas`.
        again: Whether to look for what is missing though dlt has made all of it before.
    """
    # Saved, not only counted as a new version: a later run takes what is saved.
    pipeline.schemas.save_schema(pipeline.schemas[schema_name])
    with pipeline.destination_client(schema_name) as client:
        client.initialize_storage()
        if again:
            cast("Any", client).update_stored_schema(force=True)
        else:
            client.update_stored_schema()


def drop_staging_twin(client: Any, table: str) -> None:
    """Drop the table in which dlt stages rows for a table; its next merge makes it anew.

    dlt never alters the columns of a staging table, and makes none whose schema's version it finds
    among those stored beside it.

    Args:
        client: dlt's open client of a dataset in a database.
        table: Name of the table.
    """
    sql = client.sql_client
    with sql.with_staging_dataset():
        versions = sql.make_qualified_table_name(client.schema.version_table_name)
        try:
            sql.execute_sql(f"DELETE FROM {versions}")  # noqa: S608
        except DestinationUndefinedEntity:
            return  # no merge has been here
        sql.execute_sql(f"DROP TABLE IF EXISTS {sql.make_qualified_table_name(table)}")


def open_table(client: Any, table_format: Any, name: str) -> Any:
    """Open a table of files, whether or not dlt's schema knows it.

    Args:
        client: dlt's client of a dataset of files.
        table_format: Format of the table.
        name: Name of the table.

    Returns:
        The table, as the library of its format has it.

    Raises:
        DestinationUndefinedEntity: If there is none, or one of another format.
    """
    known = client.schema.tables.get(name)
    if known and known.get("table_format", table_format) != table_format:
        raise DestinationUndefinedEntity(name)
    if name not in client.schema.tables:
        client.schema = client.schema.clone()
        client.schema.update_table(new_table(name, columns=[], table_format=table_format))
    return client.load_open_table(table_format, name)


def _stored(pipeline: Pipeline, schema_name: str, wanted: str | None) -> Mapping[str, Any] | None:
    """Read a schema, as `stored_schema` does, by the client of the pipeline's own."""
    with pipeline.destination_client(schema_name) as client:
        return stored_schema(client, wanted)
