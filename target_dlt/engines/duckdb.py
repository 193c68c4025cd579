"""Commits of Arrow chunks to a DuckDB file: one transaction for rows, state and load."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from target_dlt.dlt_internals import (
    LOAD_ID,
    DatabaseException,
    Dataset,
    Table,
    TableColumn,
    new_load_id,
    normalize_dataset_name,
)
from target_dlt.engines.planning import EXACT_IN_DOUBLE, StreamPlan
from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from target_dlt.arrow import Chunk
    from target_dlt.engines.base import Rules, StreamLoad
    from target_dlt.schema import DataType

LOGGER = logging.getLogger("target_dlt")

_LOCK_WAIT_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.25
_DEFAULT_SCHEMA = "main"
_CHECKPOINT = "16MB"
# Inserting from Arrow is serial: more threads only cost CPU time.
_CONFIG = {"threads": "1"}
_SQL_TYPES = {
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "decimal": "DECIMAL(38,9)",
    "wei": "DECIMAL(38,0)",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "time": "TIME",
}
# Names of what is inserted: dlt's naming convention makes none like them of a stream or property.
_BATCH, _ORDER = "#batch", "#order"
# Columns whose text is not what a cast makes: a string in JSON stands in quotes.
_AS_TEXT = {
    "timestamp": "strftime({0} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')",
    "json": "CASE json_type({0}) WHEN 'VARCHAR' THEN {0} ->> '$' ELSE {0}::VARCHAR END",
}


class DuckDBEngine:
    """Writes commits into one dlt dataset of one DuckDB file.

    The file is locked only while a commit runs; the commit waits for another process that holds
    it. All tables and columns are made before the transaction begins, so the transaction holds
    nothing but rows, the pipeline's state and the load.

    Args:
        path: The DuckDB file; it and its folders are created.
        dataset_name: Name of the DuckDB schema. If it is the file's own catalog name, which
            DuckDB could not tell apart in `name.table`, the tables are put into the catalog's
            main schema: `name.table` and `dlt.attach(dataset_name=name)` then find them there.
        pipeline_name: dlt's name for the pipeline.
        memory_limit: DuckDB's limit, such as "1GB".
        rules: What to do with rows and columns that are there.
        on_wait: Called again and again while the file is in use; may raise to give up.
    """

    def __init__(  # noqa: PLR0913
        self,
        path: Path,
        dataset_name: str,
        pipeline_name: str,
        *,
        memory_limit: str,
        rules: Rules,
        on_wait: Callable[[], None],
    ) -> None:
        self._path = path
        self._dataset_name = normalize_dataset_name(dataset_name)
        self._pipeline_name = pipeline_name
        self._memory_limit = memory_limit
        self._rules = rules
        self._load_ids: list[str] = []
        self._on_wait = on_wait

    @property
    def place(self) -> str:
        """Path and dataset."""
        return f"{self._path}, dataset {self._dataset_name}"

    def commit(self, loads: Sequence[StreamLoad], state: Any, emit: Callable[[], None]) -> None:
        """Write all rows and the state they complete, or nothing; see `Engine`."""
        with self._open() as dataset:
            self._write(dataset, loads, state)
            emit()

    @contextmanager
    def _open(self) -> Iterator[Dataset]:
        """Open the file for one commit, as soon as no other process holds it."""
        connection = self._connect()
        try:
            schema = self._schema_in(connection)
            dataset = Dataset(connection, self._pipeline_name, self._dataset_name, schema)
            try:
                yield dataset
            finally:
                dataset.close()
        except (duckdb.Error, DatabaseException) as error:
            raise LoaderError(f"{self._path}: {_first_line(error)}") from error
        finally:
            connection.close()

    def _write(self, dataset: Dataset, loads: Sequence[StreamLoad], state: Any) -> None:
        file = _File(dataset)
        plans = [StreamPlan(dataset.schema, file, load, self._rules) for load in loads]
        dataset.apply()
        # dlt defers checkpoints; done at once they spare writing large commits to the WAL as well.
        dataset.connection.execute(f"SET checkpoint_threshold = '{_CHECKPOINT}'")
        load_id = new_load_id()
        self._load_ids.append(load_id)
        connection = dataset.connection
        connection.begin()
        try:
            for plan in plans:
                _Writer(dataset, plan, self._rules).write(self._load_ids)
            dataset.record_load(load_id, state)
            connection.commit()
        except BaseException:
            _roll_back(connection)
            raise

    def _connect(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        waiting = False
        while True:
            try:
                connection = duckdb.connect(
                    str(self._path), config={"memory_limit": self._memory_limit, **_CONFIG}
                )
            except duckdb.Error as error:  # noqa: PERF203
                if "Could not set lock" not in str(error):
                    raise LoaderError(f"cannot open {self._path}: {_first_line(error)}") from error
                if time.monotonic() > deadline:
                    raise LoaderError(
                        f"{self._path} is in use by another process: {_first_line(error)}"
                    ) from error
                if not waiting:
                    LOGGER.warning(
                        "%s is in use by another process; waiting up to %d s for it",
                        self._path,
                        _LOCK_WAIT_SECONDS,
                    )
                    waiting = True
                time.sleep(_LOCK_POLL_SECONDS)
                self._on_wait()
            else:
                opened = "SELECT path FROM duckdb_databases() WHERE NOT internal"
                if connection.execute(opened).fetchall() == [(None,)]:
                    # By its ending the file is of another format, which DuckDB opens as a view.
                    raise LoaderError(f"{self._path} is not a DuckDB file: choose another path")
                connection.execute("SET timezone = 'UTC'")
                return connection

    def _schema_in(self, connection: duckdb.DuckDBPyConnection) -> str:
        (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
        if str(catalog).lower() != self._dataset_name.lower():
            return self._dataset_name
        taken = connection.execute(
            "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name ILIKE ?",
            [catalog, self._dataset_name],
        ).fetchall()
        if taken:
            raise LoaderError(
                f"{self._path} has a schema of the file's own name, {self._dataset_name!r}, which "
                "DuckDB cannot tell apart: choose another default_target_schema or path"
            )
        return _DEFAULT_SCHEMA


class _File:
    """Changes columns of the opened file."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def can_widen(self, table: Table, column: TableColumn, wider: DataType) -> bool:
        """Tell whether a column can become wider and keep every value it holds."""
        if (column.type, wider) != ("bigint", "double"):
            return True
        query = (
            f"SELECT 1 FROM {self._dataset.qualified(table.name)} "  # noqa: S608
            f"WHERE {_quote(column.name)} NOT BETWEEN {-EXACT_IN_DOUBLE} AND {EXACT_IN_DOUBLE} "
            "LIMIT 1"
        )
        return not self._dataset.connection.execute(query).fetchall()

    def widen(self, table: Table, column: TableColumn, wider: DataType) -> None:
        """Change a column's type, and drop its staging twin."""
        # A process that died before the new schema was stored has changed the column already.
        if not self._is_text(table, column):
            as_text = _AS_TEXT.get(column.type, "{}").format(_quote(column.name))
            using = f" USING {as_text}" if wider == "text" else ""
            self._alter(table, column, f"TYPE {_SQL_TYPES[wider]}{using}")
        self._drop_staging(table)

    def _is_text(self, table: Table, column: TableColumn) -> bool:
        rows = self._dataset.connection.execute(
            f"SELECT {_quote(column.name)} FROM {self._dataset.qualified(table.name)} LIMIT 0"  # noqa: S608
        )
        return str(rows.description[0][1]) == "VARCHAR"

    def allow_null(self, table: Table, column: TableColumn) -> None:
        """Let a column that was part of a key hold NULL."""
        self._alter(table, column, "DROP NOT NULL")

    def _alter(self, table: Table, column: TableColumn, change: str) -> None:
        self._dataset.connection.execute(
            f"ALTER TABLE {self._dataset.qualified(table.name)} "
            f"ALTER COLUMN {_quote(column.name)} {change}"
        )

    def _drop_staging(self, table: Table) -> None:
        """Drop the staging twin: dlt never alters its types and would narrow later merges."""
        connection = self._dataset.connection
        staging = self._dataset.staging_name
        found = {
            row[0]
            for row in connection.execute(
                "SELECT table_name FROM duckdb_tables() "
                "WHERE schema_name = ? AND database_name = current_database()",
                [staging],
            ).fetchall()
        }
        if table.name in found:
            connection.execute(f"DROP TABLE {self._dataset.staging_qualified(table.name)}")
        if self._dataset.version_table in found:
            versions = self._dataset.staging_qualified(self._dataset.version_table)
            connection.execute(f"DELETE FROM {versions}")  # noqa: S608


class _Writer:
    """Writes what was planned for one stream, in the open transaction."""

    def __init__(self, dataset: Dataset, plan: StreamPlan, rules: Rules) -> None:
        self._connection = dataset.connection
        self._plan = plan
        self._rules = rules
        self._target = dataset.qualified(plan.table.name)

    def write(self, load_ids: Sequence[str]) -> None:
        """Write chunks and activations, in order.

        Args:
            load_ids: The ids of this run's loads; the last one is this load.
        """
        load = self._plan.load
        if load.replaces:
            self._connection.execute(f"DELETE FROM {self._target}")  # noqa: S608
        written = 0
        for activation in load.activations:
            self._insert(load.chunks[written : activation.after], load_ids[-1])
            self._activate(activation.version, load_ids)
            written = activation.after
        self._insert(load.chunks[written:], load_ids[-1])
        mark = self._plan.deleted_at
        if self._rules.hard_delete and mark is not None:
            gone = f"{_quote(mark.name)} IS NOT NULL"
            self._connection.execute(f"DELETE FROM {self._target} WHERE {gone}")  # noqa: S608

    def _activate(self, version: int, load_ids: Sequence[str]) -> None:
        """Delete or mark what is older; rows without a version unless this run brought them."""
        versions, mark = self._plan.version, self._plan.deleted_at
        assert versions is not None  # noqa: S101 (the plan of a load with activations has it)
        column = _quote(versions.name)
        older = f"({column} < ? OR {column} IS NULL AND {_quote(LOAD_ID)} NOT IN ?)"
        if self._rules.hard_delete or mark is None:
            change = f"DELETE FROM {self._target} WHERE {older}"  # noqa: S608
        else:
            name = _quote(mark.name)
            change = f"UPDATE {self._target} SET {name} = now() WHERE {name} IS NULL AND {older}"  # noqa: S608
        self._connection.execute(change, [version, list(load_ids)])

    def _insert(self, chunks: Sequence[Chunk], load_id: str) -> None:
        if not chunks:
            return
        batch = self._plan.batch(chunks)
        columns = ", ".join(map(_quote, batch.column_names))
        self._connection.register(_BATCH, batch)
        try:
            where = ""
            if self._plan.keys and self._rules.load_method != "append-only":
                where = self._delete_older(batch)
            self._connection.execute(
                f"INSERT INTO {self._target} ({columns}, {_quote(LOAD_ID)}) "  # noqa: S608
                f'SELECT {columns}, ? FROM "{_BATCH}"{where}',
                [load_id],
            )
        finally:
            self._connection.unregister(_BATCH)

    def _delete_older(self, batch: pa.Table) -> str:
        """Delete what the batch replaces; answer which of its rows to take: the last of a key."""
        keys = ", ".join(map(_quote, self._plan.keys))
        (distinct,) = self._connection.execute(
            f'SELECT count(*) FROM (SELECT DISTINCT {keys} FROM "{_BATCH}")'  # noqa: S608
        ).fetchall()[0]
        matches = " AND ".join(f"t.{_quote(key)} = b.{_quote(key)}" for key in self._plan.keys)
        self._connection.execute(
            f'DELETE FROM {self._target} t USING "{_BATCH}" b WHERE {matches}'  # noqa: S608
        )
        if distinct == len(batch):
            return ""
        order = pa.array(range(len(batch)), pa.int64())
        self._connection.register(_BATCH, batch.append_column(_ORDER, order))
        return f' WHERE "{_ORDER}" IN (SELECT max("{_ORDER}") FROM "{_BATCH}" GROUP BY {keys})'  # noqa: S608


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:  # the failed statement may have ended the transaction
        LOGGER.debug("The transaction is over already")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
