"""Commits of Arrow chunks to a DuckDB file: one transaction for rows, state and load."""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb

from target_dlt.dlt_internals import (
    DatabaseException,
    Dataset,
    DatasetSchema,
    KnownTables,
    new_load_id,
    normalize_dataset_name,
    one_connection,
)
from target_dlt.engines.columns import SqlColumns
from target_dlt.engines.connecting import connect, told
from target_dlt.engines.descriptions import Comments
from target_dlt.engines.planning import StreamPlan, plan_nested
from target_dlt.engines.spellings import StreamTables
from target_dlt.engines.stored import json_columns
from target_dlt.engines.writing import StreamWriter
from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_dlt.dlt_internals import Table
    from target_dlt.engines.base import Rules, StreamLoad
    from target_dlt.engines.stored import StoredTable
    from target_dlt.location import DatasetNames, Location

LOGGER = logging.getLogger("target_dlt")

_DEFAULT_SCHEMA = "main"


class DuckDBEngine:
    """Writes commits into one dlt dataset of one DuckDB file.

    The file is locked only while a commit runs; the commit waits for another process that holds
    it. All tables and columns are made before the transaction begins, so the transaction holds
    nothing but rows, the pipeline's state and the load.

    Args:
        location: The database; a file is created.
        names: The names of the DuckDB schemas. If one is the file's own catalog name, which
            DuckDB could not tell apart in `name.table`, the tables are put into the catalog's
            main schema: `name.table` and `dlt.attach(dataset_name=name)` then find them there.
        pipeline_name: dlt's name for the pipeline.
        settings: What to SET on the connection.
        rules: What to do with rows and columns that are there.
        on_wait: Called again and again while the file is in use; may raise to give up.
        convention: dlt's naming convention of new datasets; None for dlt's default.
    """

    def __init__(  # noqa: PLR0913
        self,
        location: Location,
        names: DatasetNames,
        pipeline_name: str,
        *,
        settings: Mapping[str, Any],
        rules: Rules,
        on_wait: Callable[[], None],
        convention: str | None = None,
    ) -> None:
        self._location = location
        self._names = names
        self._pipeline_name = pipeline_name
        self._settings = settings
        self._rules = rules
        self._load_ids: list[str] = []
        self._on_wait = on_wait
        self._convention = convention
        self._known: dict[str, tuple[DatasetSchema, Mapping[str, StoredTable]]] = {}
        self._tables = StreamTables()
        self._comments: dict[str, Comments] = {}

    @property
    def place(self) -> str:
        """Path and dataset."""
        names = {self._names.default, *self._names.mapping.values()}
        datasets = ", ".join(sorted(map(normalize_dataset_name, names)))
        return f"{self._location.name}, dataset {datasets}"

    def discard(self) -> None:
        """See `Engine`; all this one keeps is in the database."""

    def known_tables(self, stream: str) -> KnownTables:
        """Read what the database has of a stream before the first commit; see `NestingEngine`."""
        name, table = self._names.of(stream)
        if name not in self._known:
            with self._open() as datasets:
                dataset = datasets(name)
                self._known[name] = dataset.schema, _columns_of(dataset).tables
        schema, stored = self._known[name]
        known = schema.known_tables(stream, table)
        return replace(known, json_columns=json_columns(known, stored))

    def commit(self, loads: Sequence[StreamLoad], state: Any, emit: Callable[[], None]) -> None:
        """Write all rows and the state they complete, or nothing; see `Engine`."""
        with self._open() as datasets:
            self._write(datasets, loads, state)
            emit()

    @contextmanager
    def _open(self) -> Iterator[Callable[[str], Dataset]]:
        """Connect for one commit, as soon as no other process holds the file.

        Yields:
            A function that opens a dataset by name, or answers the one that is open.
        """
        connection = connect(self._location, self._settings, self._on_wait)
        opened: dict[str, Dataset] = {}

        def dataset(name: str) -> Dataset:
            final = normalize_dataset_name(name)
            if final not in opened:
                schema = self._schema_in(connection, final)
                opened[final] = Dataset(
                    connection, self._pipeline_name, final, schema, self._convention
                )
            return opened[final]

        try:
            try:
                yield dataset
            finally:
                for one in opened.values():
                    one.close()
        except (duckdb.Error, DatabaseException) as error:
            raise LoaderError(f"{self._location.name}: {told(error, self._location)}") from error
        finally:
            connection.close()

    def _write(
        self, datasets: Callable[[str], Dataset], loads: Sequence[StreamLoad], state: Any
    ) -> None:
        main = datasets(self._names.default)
        columns = {main: _columns_of(main)}
        writers: list[tuple[StreamWriter, SqlColumns]] = []
        self._tables.know(loads)
        for load in loads:
            name, base = self._names.of(load.schema.stream)
            dataset = datasets(name)
            if dataset not in columns:
                columns[dataset] = _columns_of(dataset)
            table = self._tables.of(dataset.schema, load.schema.stream, base)
            found = columns[dataset]
            writers.append((self._planned(dataset, load, table, found), found))
        for dataset, found in columns.items():
            dataset.apply()
            found.forget()
            tables = [t for w, _ in writers if w.dataset is dataset for t in w.tables]
            comments = self._comments.setdefault(dataset.dataset_name, Comments("duckdb"))
            comments.write(partial(nullcontext, dataset.client), tables)
        connection = main.connection
        load_id = new_load_id()
        self._load_ids.append(load_id)
        with one_connection(columns, connection):
            connection.begin()
            try:
                for writer, found in writers:
                    writer.check(found)
                for writer, _ in writers:
                    writer.write(self._load_ids)
                for dataset in columns:
                    dataset.record_load(load_id, state)
                connection.commit()
            except BaseException:
                _roll_back(connection)
                raise

    def _planned(
        self, dataset: Dataset, load: StreamLoad, table: Table, columns: SqlColumns
    ) -> StreamWriter:
        schema = dataset.schema
        plan = StreamPlan(schema, columns, load, self._rules, table)
        nested = plan_nested(schema, columns, plan, self._rules)
        return StreamWriter(dataset, plan, nested, self._rules)

    def _schema_in(self, connection: duckdb.DuckDBPyConnection, name: str) -> str:
        (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
        if str(catalog).lower() != name.lower():
            return name
        taken = connection.execute(
            "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name ILIKE ?",
            [catalog, name],
        ).fetchall()
        if taken:
            raise LoaderError(
                f"{self._location.name} has a schema of the file's own name, {name!r}, which "
                "DuckDB cannot tell apart: choose another default_target_schema or path"
            )
        return _DEFAULT_SCHEMA


def _columns_of(dataset: Dataset) -> SqlColumns:
    return SqlColumns("duckdb", lambda: nullcontext(dataset.client))


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:  # the failed statement may have ended the transaction
        LOGGER.debug("The transaction is over already")
