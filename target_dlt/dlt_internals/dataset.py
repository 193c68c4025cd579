"""A dlt dataset in a DuckDB database, on a connection that the caller opened."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from dlt.common.configuration.container import Container
from dlt.common.configuration.utils import TraceLogContext
from dlt.common.schema import Schema
from dlt.common.schema.utils import (
    normalize_schema_name,
    pipeline_state_table,
)
from dlt.common.utils import uniq_id_base64
from dlt.destinations import duckdb as duckdb_destination
from dlt.destinations.exceptions import (
    DatabaseUndefinedRelation,
)
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.pipeline.state_sync import (
    bump_pipeline_state_version_if_modified,
    default_pipeline_state,
    load_pipeline_state_from_destination,
    state_doc,
)

from target_dlt.dlt_internals.conventions import convention_of, new_schema, settle, stored_schema
from target_dlt.dlt_internals.schema import DatasetSchema
from target_dlt.dlt_internals.tables import ROW_ID
from target_dlt.dlt_internals.telling import told_of_dataset
from target_dlt.dlt_internals.versions import count_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import duckdb


STATE_SECTION = "singer"


class Dataset:
    """One dlt pipeline's dataset, on a DuckDB connection that the caller opened.

    Args:
        connection: An open connection; it stays open after the dataset is closed.
        pipeline_name: Name under which dlt finds state and schema again.
        dataset_name: Name by which the state calls the dataset.
        schema_name: Name of the DuckDB schema the tables are in, if it is another.
        convention: The naming convention of a new dataset; None for dlt's default.

    Raises:
        LoaderError: If dlt cannot go on with it, or its names are made by another convention.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        pipeline_name: str,
        dataset_name: str,
        schema_name: str | None = None,
        convention: str | None = None,
    ) -> None:
        self._convention = convention
        self.pipeline_name = pipeline_name
        self.dataset_name = dataset_name
        self._schema_name = schema_name or dataset_name
        with told_of_dataset(dataset_name):
            log_no_lookups()
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
        stored: Any = stored_schema(self._client, name)
        other = stored or stored_schema(self._client, None)
        convention = settle(self._convention, other, self.dataset_name)
        if stored and convention == convention_of(stored):
            self._use(Schema.from_stored_schema(stored))
        elif convention or name != self._schema.name:
            self._use(new_schema(name, convention))
        self._schema.update_table(pipeline_state_table(add_dlt_id=True))
        return state

    def _stored_state(self) -> Any:
        try:
            return load_pipeline_state_from_destination(self.pipeline_name, self._client)
        except DatabaseUndefinedRelation:
            return None

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
        count_change(self._schema)
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


def log_no_lookups() -> None:
    """Let dlt keep no log, in this thread, of the settings that it looks up.

    It grows with each commit. An entry holds the exception of a setting that was not found, which
    holds the frames of all callers, and these the rows of their commit.
    """
    Container()[TraceLogContext].logging_enabled = False
