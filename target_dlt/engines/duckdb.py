"""Commits of Arrow chunks to a DuckDB file: one transaction for rows, state and load."""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from target_dlt.dlt_internals import (
    LOAD_ID,
    PARENT_ID,
    ROOT_ID,
    ROW_ID,
    DatabaseException,
    Dataset,
    DatasetSchema,
    KnownTables,
    new_load_id,
    normalize_dataset_name,
    one_connection,
)
from target_dlt.engines.columns import SqlColumns
from target_dlt.engines.connecting import connect, quote, told
from target_dlt.engines.owned import gone_where
from target_dlt.engines.planning import StreamPlan, plan_nested
from target_dlt.engines.spellings import StreamTables
from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_dlt.engines.base import Rules, StreamLoad
    from target_dlt.location import DatasetNames, Location
    from target_dlt.rows.arrow import Chunk

LOGGER = logging.getLogger("target_dlt")

_DEFAULT_SCHEMA = "main"
# Names of what is registered: dlt's naming convention makes none like them of a stream or property.
_BATCH, _ORDER, _GONE, _ITEMS = "#batch", "#order", "#gone", "#items"


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
    ) -> None:
        self._location = location
        self._names = names
        self._pipeline_name = pipeline_name
        self._settings = settings
        self._rules = rules
        self._load_ids: list[str] = []
        self._on_wait = on_wait
        self._known: dict[str, DatasetSchema] = {}
        self._tables = StreamTables()

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
                self._known[name] = datasets(name).schema
        return self._known[name].known_tables(stream, table)

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
                opened[final] = Dataset(connection, self._pipeline_name, final, schema)
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
        used = {main: 0}
        writers: list[_Writer] = []
        self._tables.know(loads)
        for load in loads:
            name, table = self._names.of(load.schema.stream)
            dataset = datasets(name)
            used[dataset] = 0
            writers.append(self._planned(dataset, load, table))
        for dataset in used:
            dataset.apply()
        connection = main.connection
        load_id = new_load_id()
        self._load_ids.append(load_id)
        with one_connection(used, connection):
            connection.begin()
            try:
                for writer in writers:
                    writer.write(self._load_ids)
                for dataset in used:
                    dataset.record_load(load_id, state)
                connection.commit()
            except BaseException:
                _roll_back(connection)
                raise

    def _planned(self, dataset: Dataset, load: StreamLoad, table: str) -> _Writer:
        schema = dataset.schema
        columns = SqlColumns("duckdb", lambda: nullcontext(dataset.client))
        found = self._tables.of(schema, load.schema.stream, table)
        plan = StreamPlan(schema, columns, load, self._rules, found)
        nested = plan_nested(schema, columns, plan, self._rules)
        return _Writer(dataset, plan, nested, self._rules)

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


class _Writer:
    """Writes what was planned for one stream, in the open transaction.

    Where rows are deleted, those of tables below go with them, whoever wrote them.
    """

    def __init__(
        self, dataset: Dataset, plan: StreamPlan, nested: Sequence[StreamPlan], rules: Rules
    ) -> None:
        self._dataset = dataset
        self._plan = plan
        self._nested_plans = nested
        self._nested_tables = dataset.schema.nested_tables(plan.table.name)
        self._rules = rules
        self._target = dataset.qualified(plan.table.name)

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self._dataset.connection

    def write(self, load_ids: Sequence[str]) -> None:
        """Write chunks and activations, in order.

        Args:
            load_ids: The ids of this run's loads; the last one is this load.
        """
        load = self._plan.load
        if load.replaces:
            self._delete("")
        written = 0
        for activation in load.activations:
            self._insert(load.chunks[written : activation.after], load_ids[-1])
            self._activate(activation.version, load_ids)
            written = activation.after
        self._insert(load.chunks[written:], load_ids[-1])
        mark = self._plan.deleted_at
        if self._rules.hard_delete and mark is not None:
            self._delete(f"WHERE {gone_where(mark, quote(mark.name))}")
        for plan in self._nested_plans:
            self._insert_nested(plan, load_ids[-1])

    def _activate(self, version: int, load_ids: Sequence[str]) -> None:
        """Delete or mark what is older; rows without a version unless this run brought them."""
        versions, mark = self._plan.version, self._plan.deleted_at
        assert versions is not None  # noqa: S101 (the plan of a load with activations has it)
        column = quote(versions.name)
        older = f"({column} < ? OR {column} IS NULL AND {quote(LOAD_ID)} NOT IN ?)"
        parameters = [version, list(load_ids)]
        if self._rules.hard_delete or mark is None:
            self._delete(f"WHERE {older}", parameters)
        else:
            name = quote(mark.name)
            change = f"UPDATE {self._target} SET {name} = now() WHERE {name} IS NULL AND {older}"  # noqa: S608
            self._connection.execute(change, parameters)

    def _delete(self, condition: str, parameters: Sequence[Any] = ()) -> None:
        """Delete rows of the stream's table, called `t` in the condition, and all below them."""
        statement = f"DELETE FROM {self._target} t {condition}"  # noqa: S608
        if not self._nested_tables:
            self._connection.execute(statement, parameters)
            return
        name = self._plan.table.name
        gone = {name: self._deleted_ids(f"{statement} RETURNING t.{quote(ROW_ID)}", parameters)}
        for table, parent in self._nested_tables:
            with self._registered(_GONE, gone[parent]):
                gone[table] = self._deleted_ids(
                    f'DELETE FROM {self._dataset.qualified(table)} t USING "{_GONE}" g '  # noqa: S608
                    f"WHERE t.{quote(PARENT_ID)} = g.id RETURNING t.{quote(ROW_ID)}"
                )

    def _deleted_ids(self, statement: str, parameters: Sequence[Any] = ()) -> pa.Table:
        rows = self._connection.execute(statement, parameters).fetchall()
        return pa.table({"id": pa.array((row_id for (row_id,) in rows), pa.string())})

    def _insert_nested(self, plan: StreamPlan, load_id: str) -> None:
        """Insert the items of arrays of those rows of this load that have stayed."""
        batch = plan.batch(plan.load.chunks)
        names = [name for name in batch.column_names if name in {*plan.table.columns, ROW_ID}]
        columns = ", ".join(map(quote, names))
        with self._registered(_ITEMS, batch):
            self._connection.execute(
                f"INSERT INTO {self._dataset.qualified(plan.table.name)} ({columns}) "  # noqa: S608
                f'SELECT {columns} FROM "{_ITEMS}" WHERE {quote(ROOT_ID)} IN '
                f"(SELECT {quote(ROW_ID)} FROM {self._target} WHERE {quote(LOAD_ID)} = ?)",
                [load_id],
            )

    def _insert(self, chunks: Sequence[Chunk], load_id: str) -> None:
        if not chunks:
            return
        batch = self._plan.batch(chunks)
        columns = ", ".join(map(quote, batch.column_names))
        with self._registered(_BATCH, batch):
            where = ""
            if self._plan.keys and self._rules.load_method != "append-only":
                where = self._delete_older(batch)
            self._connection.execute(
                f"INSERT INTO {self._target} ({columns}, {quote(LOAD_ID)}) "  # noqa: S608
                f'SELECT {columns}, ? FROM "{_BATCH}"{where}',
                [load_id],
            )

    @contextmanager
    def _registered(self, name: str, rows: pa.Table) -> Iterator[None]:
        """Let statements find rows under a name; after one that fails, all that is left is over."""
        self._connection.register(name, rows)
        yield
        self._connection.unregister(name)

    def _delete_older(self, batch: pa.Table) -> str:
        """Delete what the batch replaces; answer which of its rows to take: the last of a key."""
        keys = ", ".join(map(quote, self._plan.keys))
        (distinct,) = self._connection.execute(
            f'SELECT count(*) FROM (SELECT DISTINCT {keys} FROM "{_BATCH}")'  # noqa: S608
        ).fetchall()[0]
        matches = " AND ".join(f"t.{quote(key)} = b.{quote(key)}" for key in self._plan.keys)
        self._delete(f'USING "{_BATCH}" b WHERE {matches}')
        if distinct == len(batch):
            return ""
        order = pa.array(range(len(batch)), pa.int64())
        self._connection.register(_BATCH, batch.append_column(_ORDER, order))
        return f' WHERE "{_ORDER}" IN (SELECT max("{_ORDER}") FROM "{_BATCH}" GROUP BY {keys})'  # noqa: S608


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:  # the failed statement may have ended the transaction
        LOGGER.debug("The transaction is over already")
