"""A dlt dataset, kept through dlt's own schema, clients and state documents.

The only module that touches what dlt does not document: how a pipeline keeps its schema in
`_dlt_version`, its state in `_dlt_pipeline_state` and its loads in `_dlt_loads`. The contract
tests hold it against dlt's own pipelines. Follows dlt 1.31 (schema engine 11, state engine 4).
"""

from __future__ import annotations

import inspect
import json
import logging
import math
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast

# Before dlt starts up: what a loader must not do unless its user asks for it.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
# Errors reach the user as one line of the loader's; dlt logs them with their whole stack.
os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
# A run's packages are not kept beside what they were loaded into.
os.environ.setdefault("LOAD__DELETE_COMPLETED_JOBS", "true")
# The target finishes a commit before it ends by a signal, and does so itself.
os.environ.setdefault("RUNTIME__INTERCEPT_SIGNALS", "false")
logging.getLogger("dlt").setLevel(logging.CRITICAL)

import dlt  # noqa: E402
from dlt.common.configuration.container import Container  # noqa: E402
from dlt.common.configuration.exceptions import (  # noqa: E402
    ConfigFieldMissingException,
    ConfigurationException,
)
from dlt.common.configuration.utils import TraceLogContext  # noqa: E402
from dlt.common.destination import Destination  # noqa: E402
from dlt.common.destination.exceptions import (  # noqa: E402
    DestinationUndefinedEntity,
    UnknownDestinationModule,
)
from dlt.common.exceptions import MissingDependencyException, TerminalValueError  # noqa: E402
from dlt.common.normalizers.json.helpers import get_nested_row_hash  # noqa: E402
from dlt.common.normalizers.json.relational import DataItemNormalizer  # noqa: E402
from dlt.common.normalizers.utils import generate_dlt_id  # noqa: E402
from dlt.common.schema import Schema  # noqa: E402
from dlt.common.schema.utils import (  # noqa: E402
    dlt_id_column,
    dlt_load_id_column,
    get_merge_strategy,
    get_nested_tables,
    new_table,
    normalize_schema_name,
    pipeline_state_table,
)
from dlt.common.storages.load_package import create_load_id  # noqa: E402
from dlt.common.utils import uniq_id_base64  # noqa: E402
from dlt.destinations import duckdb as duckdb_destination  # noqa: E402
from dlt.destinations.exceptions import (  # noqa: E402
    DatabaseException,
    DatabaseUndefinedRelation,
)
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration  # noqa: E402
from dlt.pipeline.pipeline import Pipeline  # noqa: E402
from dlt.pipeline.state_sync import (  # noqa: E402
    bump_pipeline_state_version_if_modified,
    default_pipeline_state,
    load_pipeline_state_from_destination,
    state_doc,
)

from target_dlt.errors import LoaderError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path as FilePath

    import duckdb
    from dlt.common.destination.client import WithStateSync
    from dlt.common.storages.live_schema_storage import LiveSchemaStorage

    from target_dlt.names import Path
    from target_dlt.schema import DataType

__all__ = [
    "LIST_INDEX",
    "LOAD_ID",
    "NESTED_COLUMNS",
    "PARENT_ID",
    "ROOT_ID",
    "ROW_ID",
    "STATE_SECTION",
    "VALUE",
    "ConfigFieldMissingException",
    "ConfigurationException",
    "DatabaseException",
    "Dataset",
    "DatasetSchema",
    "Destination",
    "DestinationUndefinedEntity",
    "KnownTables",
    "MissingDependencyException",
    "Naming",
    "Pipeline",
    "Table",
    "TableColumn",
    "UnknownDestinationModule",
    "arguments_of",
    "dlt",
    "drop_staging_twin",
    "load_ids_in_name",
    "make_tables",
    "nested_row_id",
    "new_load_id",
    "new_row_id",
    "normalize_dataset_name",
    "one_connection",
    "open_pipeline",
    "stored_type",
    "takes_files",
    "types_not_taken",
    "when_completed",
]

LOAD_ID = "_dlt_load_id"
ROW_ID = "_dlt_id"
PARENT_ID: str = DataItemNormalizer.C_DLT_PARENT_ID
ROOT_ID: str = DataItemNormalizer.C_DLT_ROOT_ID
LIST_INDEX: str = DataItemNormalizer.C_DLT_LIST_IDX
VALUE: str = DataItemNormalizer.C_VALUE
# What the rows of an array are known by, with the hints by which dlt finds them.
NESTED_COLUMNS: Mapping[str, dict[str, bool]] = {
    ROOT_ID: {"root_key": True},
    PARENT_ID: {"parent_key": True},
    LIST_INDEX: {},
}
# The one strategy of dlt's merges in which the ids of rows are random, as here.
_RANDOM_IDS = "delete-insert"
_DECIMAL_HINTS: Mapping[str, dict[str, int]] = {
    "decimal": {"precision": 38, "scale": 9},
    "wei": {"precision": 38, "scale": 0},
}
# What columns of ours hold without a hint: bits, digits of a second.
_PRECISIONS = {"bigint": 64, "timestamp": 6, "time": 6}
# The names of the source, so that the same name finds the same column or table in every run.
_SOURCE_COLUMN = "x-singer-property"
_SOURCE_TABLE = "x-singer-stream"
STATE_SECTION = "singer"
_SEPARATOR = "__"
_LOAD_ID_IN_NAME = re.compile(r"\d{10}\.\d+")


@dataclass
class TableColumn:
    """A column as the dataset's schema has it.

    Attributes:
        stored: Whether the database has it; else this commit makes it.
        narrow: Whether a hint of another dlt pipeline lets it hold less than its type does here.
        wide: Whether such a hint lets it hold more.
        naive: Whether by such a hint it holds points in time without saying that they are in UTC.
    """

    name: str
    type: DataType
    source: str
    variant: bool = False
    key: bool = False
    nullable: bool = True
    stored: bool = True
    narrow: bool = False
    wide: bool = False
    naive: bool = False


@dataclass
class Table:
    """A table as the dataset's schema has it, by names final in the database.

    Attributes:
        name: Its name.
        stream: The stream; of the table of an array, what its name should be.
        columns: By name, without those of every table.
        parent: The table whose rows have the arrays, if this is the table of an array.
        format: The format it is stored in, if the destination has several and it is stored.
    """

    name: str
    stream: str
    columns: dict[str, TableColumn] = field(default_factory=dict)
    parent: str | None = None
    format: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether this commit makes the table."""
        return not any(column.stored for column in self.columns.values())

    def of_source(self, source: str, *, variant_type: DataType | None = None) -> TableColumn | None:
        """Find the column that holds a property, or its values of a variant type."""
        for column in self.columns.values():
            sought = column.type if column.variant else None
            if column.source == source and sought == variant_type:
                return column
        return None


@dataclass(frozen=True)
class KnownTables:
    """What the dataset has of a stream, that decides how its records are unnested.

    Attributes:
        name: Name of the stream's table.
        json_columns: By path of table, the names of columns in which JSON stays as it is.
    """

    name: str
    json_columns: Mapping[Path, frozenset[str]] = field(default_factory=dict)


class Naming:
    """The names that dlt gives to nested columns and tables."""

    def __init__(self) -> None:
        self._naming: Any = Schema("naming").naming

    def _part(self, key: str, normalize: Callable[[str], str]) -> str:
        return normalize(key) if key.strip() else str(DataItemNormalizer.EMPTY_KEY_IDENTIFIER)

    def column(self, path: Path) -> str:
        """The name of the column under a path of keys."""
        parts = (self._part(key, self._naming.normalize_path) for key in path)
        return str(self._naming.shorten_fragments(*parts))

    def source(self, path: Path) -> str:
        """A name for a path of keys that is normalised to the name of its column.

        It is as close to the keys as can be, so that two paths rarely get the same.
        """
        plain = _SEPARATOR.join(path)
        name = self.column(path)
        return plain if plain.strip() and self._naming.normalize_path(plain) == name else name

    def list_key(self, path: Path) -> str:
        """What the array under a path of keys adds to the name of its table."""
        *parents, key = path
        parts = [self._part(parent, self._naming.normalize_path) for parent in parents]
        last = self._part(key, self._naming.normalize_tables_path)
        return str(self._naming.make_path(*parts, last))

    def table(self, root: str, path: Path) -> str:
        """The name of the table under a path of `list_key`."""
        return str(self._naming.shorten_fragments(root, *path))


class DatasetSchema:
    """The dataset's schema as tables of streams; names are final in the database.

    Args:
        schema: dlt's schema; changed in place.
        as_text: Types whose new columns are columns of text instead.
        file_format: In which format files are loaded, where that decides about columns.
        table_format: Format of the tables, where the destination has several.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        as_text: Collection[DataType] = (),
        file_format: str | None = None,
        table_format: str | None = None,
    ) -> None:
        self._schema = schema
        self._as_text = as_text
        hints = {"file_format": file_format, "table_format": table_format}
        self._hints = {name: value for name, value in hints.items() if value}

    @property
    def names(self) -> list[str]:
        """The names of all tables but dlt's own."""
        return [str(table["name"]) for table in self._schema.data_tables()]

    def table_of(self, stream: str, base: str | None = None) -> Table:
        """Find the table of a stream, or a fresh name for one.

        Two streams whose names normalise to the same table get two tables: the second one's name
        ends in a number.

        Args:
            stream: Name of the stream.
            base: What to make the table's name of, if it is not that.
        """
        wanted = self._normalize(base or stream)
        if wanted.startswith(self._schema._dlt_tables_prefix):  # noqa: SLF001
            wanted = f"singer{wanted}"  # else dlt would take it for a table of its own
        for name, table in self._schema.tables.items():
            if table.get("parent"):
                continue
            if table.get(_SOURCE_TABLE, name if name == wanted else None) == stream:
                return self._read_table(name, stream)
            if name == wanted and _SOURCE_TABLE not in table:
                return self._read_table(name, stream)
        return Table(self._free_name(wanted, self._schema.tables), stream)

    def nested_table_of(self, parent: str, key: str) -> Table:
        """Find the table of the arrays under a key, or a fresh name for one.

        Args:
            parent: Name of the table whose rows have the arrays.
            key: The last part of the table's path; see `Naming.list_key`.
        """
        wanted = str(self._schema.naming.shorten_fragments(parent, key))
        for table in self._children(parent):
            if table.get(_SOURCE_TABLE, table["name"]) == wanted:
                return self._read_table(table["name"], wanted, parent)
        return Table(self._free_name(wanted, self._schema.tables), wanted, parent=parent)

    def _children(self, parent: str) -> list[Any]:
        return [table for table in self._schema.tables.values() if table.get("parent") == parent]

    def nested_tables(self, root: str) -> list[tuple[str, str]]:
        """List the tables of arrays below a table, each with its parent, parents first."""
        found = get_nested_tables(self._schema.tables, root, include_self=False)
        return [(str(t["name"]), str(t["parent"])) for t in found if PARENT_ID in t["columns"]]

    def known_tables(self, stream: str, base: str | None = None) -> KnownTables:
        """Tell what decides how the records of a stream are unnested.

        Args:
            stream: Name of the stream.
            base: What to make the table's name of, if it is not that.

        Raises:
            LoaderError: If dlt merges the stream's table in a way that unnesting cannot follow.
        """
        name = self.table_of(stream, base).name
        known = name in self._schema.tables
        strategy = get_merge_strategy(self._schema.tables, name) if known else None
        if strategy not in {None, _RANDOM_IDS}:
            raise LoaderError(
                f"stream {stream!r}: table {name!r} is merged by dlt's strategy {strategy!r}, "
                "whose ids of rows are hashes; nesting 'tables' cannot go on with it"
            )
        return KnownTables(name, dict(self._json_columns(name, ())))

    def _json_columns(self, name: str, path: Path) -> Iterator[tuple[Path, frozenset[str]]]:
        columns = self._schema.tables.get(name, {}).get("columns", {})
        yield path, frozenset(c for c, hints in columns.items() if hints.get("data_type") == "json")
        for child in self._children(name):
            wanted = str(child.get(_SOURCE_TABLE, child["name"]))
            yield from self._json_columns(
                child["name"], (*path, wanted.removeprefix(f"{name}{_SEPARATOR}"))
            )

    def _read_table(self, name: str, stream: str, parent: str | None = None) -> Table:
        columns = {
            column: TableColumn(
                column,
                cast("DataType", hints["data_type"]),
                str(hints.get(_SOURCE_COLUMN, column)),
                variant=bool(hints.get("variant")),
                key=bool(hints.get("primary_key")),
                nullable=bool(hints.get("nullable", True)),
                narrow=_is_narrow(hints),
                wide=_is_wide(hints),
                naive=hints["data_type"] == "timestamp" and hints.get("timezone") is False,
            )
            for column, hints in self._schema.get_table_columns(name).items()
            if column not in {LOAD_ID, ROW_ID}
        }
        return Table(name, stream, columns, parent, self._schema.tables[name].get("table_format"))

    def column_name(
        self, table: Table, source: str, *, variant_type: DataType | None = None
    ) -> str:
        """Make the name of a new column by dlt's naming convention, free in its table."""
        wanted = self._normalize(source)
        if variant_type is not None:
            owner = table.of_source(source)
            wanted = f"{owner.name if owner else wanted}__v_{variant_type}"
        return self._free_name(wanted, {*table.columns, LOAD_ID, ROW_ID})

    def column_type(self, kind: DataType) -> DataType:
        """Choose the type of a new column for values of a type."""
        return "text" if kind in self._as_text else kind

    def _normalize(self, name: str) -> str:
        try:
            return str(self._schema.naming.normalize_path(name)) or "_"
        except ValueError:  # nothing of the name is left
            return "_"

    def _free_name(self, wanted: str, taken: Iterable[str]) -> str:
        """Number a name that is taken, and shorten it as dlt does to what the destination takes."""
        naming, used = self._schema.naming, set(taken)
        for number in count(1):
            name = wanted if number == 1 else f"{wanted}_{number}"
            if naming.max_length:
                name = naming.shorten_identifier(name, name, naming.max_length)
            if name not in used:
                return name
        raise AssertionError

    def stage(self, table: Table) -> None:
        """Take a table, new or changed, into the schema."""
        hints = [
            _hints(column) | (NESTED_COLUMNS.get(column.name, {}) if table.parent else {})
            for column in table.columns.values()
        ]
        known = self._schema.tables.get(table.name, {}).get("columns", {})
        partial: Any
        if table.parent is None:
            merges = any(column.key for column in table.columns.values())
            partial = new_table(
                table.name,
                write_disposition="merge" if merges else "append",
                columns=[*hints, *_missing(known, dlt_load_id_column(), dlt_id_column())],
                resource=table.name,
            )
        else:
            partial = new_table(
                table.name,
                parent_table_name=table.parent,
                columns=[*hints, *_missing(known, dlt_id_column())],
            )
        if table.parent is None or table.stream != table.name:
            partial[_SOURCE_TABLE] = table.stream
        partial.update(self._hints)
        partial["x-normalizer"] = {"seen-data": True}
        self._schema.update_table(partial, normalize_identifiers=False)
        for column in table.columns.values():
            stored = self._schema.tables[table.name]["columns"][column.name]
            stored["data_type"] = column.type
            stored["nullable"] = column.nullable
            if not column.key:
                stored.pop("primary_key", None)
            if column.type not in _DECIMAL_HINTS and not (column.narrow or column.wide):
                stored.pop("precision", None)
                stored.pop("scale", None)
            if column.type != "timestamp":
                stored.pop("timezone", None)


class Dataset:
    """One dlt pipeline's dataset, on a DuckDB connection that the caller opened.

    Args:
        connection: An open connection; it stays open after the dataset is closed.
        pipeline_name: Name under which dlt finds state and schema again.
        dataset_name: Name by which the state calls the dataset.
        schema_name: Name of the DuckDB schema the tables are in, if it is another.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        pipeline_name: str,
        dataset_name: str,
        schema_name: str | None = None,
    ) -> None:
        self.pipeline_name = pipeline_name
        self.dataset_name = dataset_name
        self._schema_name = schema_name or dataset_name
        _log_no_lookups()
        self._destination = duckdb_destination(connection, staging_config=None)
        self._config = DuckDbClientConfiguration()._bind_dataset_name(self._schema_name)  # noqa: SLF001
        self._config.local_dir = os.curdir  # nothing is kept there
        self._schema = Schema(normalize_schema_name(pipeline_name))
        self._client = self._make_client()
        self._client.sql_client.open_connection()
        self._state = self._restore()

    def _make_client(self) -> Any:
        return self._destination.client(self._schema, self._config)

    def _restore(self) -> Any:
        state = self._stored_state()
        if state is None:
            state = default_pipeline_state()
            bump_pipeline_state_version_if_modified(state)  # the first change is version 1
        state.setdefault("_local", {})
        name = state.get("default_schema_name") or self._schema.name
        if stored := self._stored_schema(name):
            self._use(Schema.from_stored_schema(stored))
        elif name != self._schema.name:
            self._use(Schema(name))
        self._schema.update_table(pipeline_state_table(add_dlt_id=True))
        return state

    def _stored_state(self) -> Any:
        try:
            return load_pipeline_state_from_destination(self.pipeline_name, self._client)
        except DatabaseUndefinedRelation:
            return None

    def _stored_schema(self, name: str) -> Any:
        try:
            info = self._client.get_stored_schema(name)
        except DatabaseUndefinedRelation:
            return None
        return json.loads(info.schema) if info else None

    def _use(self, schema: Schema) -> None:
        self._client.sql_client.close_connection()
        self._schema = schema
        self._client = self._make_client()
        self._client.sql_client.open_connection()

    def close(self) -> None:
        """Give the borrowed connection back."""
        self._client.sql_client.close_connection()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection that dlt's own statements run on, so that ours share a transaction."""
        return cast("duckdb.DuckDBPyConnection", self._client.sql_client.native_connection)

    @property
    def client(self) -> Any:
        """Dlt's client of the dataset, on that connection."""
        return self._client

    @property
    def schema(self) -> DatasetSchema:
        """The dataset's schema; `apply` brings what it has got to the database."""
        return DatasetSchema(self._schema)

    def qualified(self, table: str) -> str:
        """Quote a table's name with its schema, for SQL."""
        return str(self._client.sql_client.make_qualified_table_name(table))

    def apply(self) -> None:
        """Create what the schema has and the database has not; store the schema's version.

        Runs outside of any transaction: dlt opens its own.
        """
        self._schema._bump_version()  # noqa: SLF001
        self._client.initialize_storage()
        self._client.update_stored_schema(force=True)  # also what was dropped by hand

    def record_load(self, load_id: str, singer_state: Any) -> None:
        """Write the rows that make a load exist for dlt, in the caller's open transaction.

        Args:
            load_id: What the rows of this load carry in `_dlt_load_id`.
            singer_state: The STATE value that this load completes; None if there is none yet.
        """
        state = self._state
        state.update(
            pipeline_name=self.pipeline_name,
            dataset_name=self.dataset_name,
            default_schema_name=self._schema.name,
            schema_names=sorted({*state.get("schema_names", ()), self._schema.name}),
            destination_type=self._destination.destination_type,
            destination_name=None,
        )
        if singer_state is not None:
            state.setdefault("sources", {})[STATE_SECTION] = {"state": singer_state}
        _, new, old = bump_pipeline_state_version_if_modified(state)
        if new != old:
            self._insert_state(load_id)
        self._client.complete_load(load_id)

    def _insert_state(self, load_id: str) -> None:
        row = {**state_doc(self._state, load_id), ROW_ID: uniq_id_base64(10)}
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        self.connection.execute(
            f"INSERT INTO {self.qualified(self._schema.state_table_name)} "  # noqa: S608
            f"({names}) VALUES ({marks})",
            list(row.values()),
        )


def _log_no_lookups() -> None:
    """Let dlt keep no log, in this thread, of the settings that it looks up.

    It grows with each commit. An entry holds the exception of a setting that was not found, which
    holds the frames of all callers, and these the rows of their commit.
    """
    Container()[TraceLogContext].logging_enabled = False


def open_pipeline(
    name: str, destination: Destination[Any, Any], dataset_name: str, folder: FilePath
) -> tuple[Pipeline, str]:
    """Make a pipeline in a folder of its own, with state and schema as the destination has them.

    A schema is stored before the first rows, the state with the first complete load; so a dataset
    whose first load never completed has a schema, and the pipeline goes on with it.

    Args:
        name: dlt's name for the pipeline.
        destination: Where the dataset is.
        dataset_name: Its name.
        folder: Where the pipeline works; empty.

    Returns:
        The pipeline, and the name of the schema among its `schemas`.
    """
    _log_no_lookups()
    pipeline = dlt.pipeline(
        name, pipelines_dir=str(folder), destination=destination, dataset_name=dataset_name
    )
    pipeline.run()  # without data: restores, once for all later runs
    restored = cast("str | None", pipeline.default_schema_name)
    if restored:
        return pipeline, restored
    schema_name = normalize_schema_name(name)
    with Container().injectable_context(destination.capabilities()):
        schema = _stored_schema(pipeline, schema_name) or Schema(schema_name)
    cast("LiveSchemaStorage", pipeline.schemas).set_live_schema(schema)
    return pipeline, schema_name


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


def make_tables(pipeline: Pipeline, schema_name: str) -> None:
    """Bring the tables of a schema to the destination without loading rows into them.

    Args:
        pipeline: An open pipeline.
        schema_name: Name of the schema among its `schemas`.
    """
    # Saved, not only counted as a new version: a later run takes what is saved.
    pipeline.schemas.save_schema(pipeline.schemas[schema_name])
    with pipeline.destination_client(schema_name) as client:
        client.initialize_storage()
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


def stored_type(client: Any, table: str, column: str) -> str | None:
    """Read which of dlt's types a column has in the database, whatever the schema says.

    Args:
        client: dlt's open client of a dataset in a database.
        table: Name of the table.
        column: Name of the column.

    Returns:
        The type; None if there is no such column.
    """
    _, columns = client.get_storage_table(table)
    kind: str | None = columns.get(column, {}).get("data_type")
    return kind


def _stored_schema(pipeline: Pipeline, name: str) -> Schema | None:
    try:
        with pipeline.destination_client() as client:
            info = cast("WithStateSync", client).get_stored_schema(name)
    except DestinationUndefinedEntity:
        return None
    return Schema.from_stored_schema(json.loads(info.schema)) if info else None


def _is_narrow(hints: Any) -> bool:
    ours = _DECIMAL_HINTS.get(hints["data_type"])
    if "precision" not in hints:
        return False
    if ours is None:
        return bool(hints["precision"] < _PRECISIONS.get(hints["data_type"], math.inf))
    # More digits after the point would be lost by a change.
    scale = hints.get("scale", 0)
    return bool(scale <= ours["scale"] and (hints["precision"], scale) != tuple(ours.values()))


def _is_wide(hints: Any) -> bool:
    ours = _DECIMAL_HINTS.get(hints["data_type"])
    if "precision" not in hints:
        return False
    if ours is None:
        return bool(hints["precision"] > _PRECISIONS.get(hints["data_type"], math.inf))
    scale = hints.get("scale", 0)
    is_finer = scale > ours["scale"]
    return bool(is_finer or hints["precision"] - scale > ours["precision"] - ours["scale"])


@contextmanager
def one_connection(
    datasets: Iterable[Dataset], connection: duckdb.DuckDBPyConnection
) -> Iterator[None]:
    """Let several datasets of one database use one connection, so that they share a transaction.

    Args:
        datasets: The datasets; open.
        connection: That of one of them.
    """
    clients = [dataset._client.sql_client for dataset in datasets]  # noqa: SLF001
    own = [client._conn for client in clients]  # noqa: SLF001
    try:
        for client in clients:
            client._conn = connection  # noqa: SLF001
        yield
    finally:
        for client, previous in zip(clients, own, strict=True):
            client._conn = previous  # noqa: SLF001


def _hints(column: TableColumn) -> Any:
    hints: dict[str, Any] = {
        "name": column.name,
        "data_type": column.type,
        "nullable": column.nullable,
    }
    if not (column.narrow or column.wide):  # else those that it has stay
        hints |= _DECIMAL_HINTS.get(column.type, {})
    if column.source != column.name:
        hints[_SOURCE_COLUMN] = column.source
    if column.variant:
        hints["variant"] = True
    if column.key:
        hints["primary_key"] = True
    return hints


def _missing(known: Mapping[str, Any], *columns: Any) -> Sequence[Any]:
    return [column for column in columns if column["name"] not in known]


def normalize_dataset_name(name: str) -> str:
    """Apply dlt's naming convention to the name of a dataset."""
    return str(Schema("naming").naming.normalize_table_identifier(name))


def load_ids_in_name(path: str) -> set[str]:
    """Find the ids of loads in the name of a file that dlt left in a bucket or folder."""
    return set(_LOAD_ID_IN_NAME.findall(path.replace("\\", "/").rpartition("/")[2]))


def new_load_id() -> str:
    """Make the id of a new load; ids grow with time."""
    return create_load_id()


def new_row_id() -> str:
    """Make the id of a row that is no item of an array; ids are random."""
    return generate_dlt_id()


def nested_row_id(parent_id: str, table: str, index: int) -> str:
    """Make the id of an item of an array.

    Args:
        parent_id: Id of the row that has the array.
        table: Name of the items' table.
        index: Place in the array, from 0.
    """
    return get_nested_row_hash(parent_id, table, index)
