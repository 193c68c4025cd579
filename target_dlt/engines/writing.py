"""The statements that write one stream's rows into a DuckDB dataset."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from target_dlt.dlt_internals import LOAD_ID, PARENT_ID, ROOT_ID, ROW_ID
from target_dlt.engines.connecting import quote
from target_dlt.engines.owned import gone_where
from target_dlt.engines.stored import check_unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from target_dlt.dlt_internals import Dataset, Table
    from target_dlt.engines.base import Rules
    from target_dlt.engines.columns import SqlColumns
    from target_dlt.engines.planning import StreamPlan
    from target_dlt.rows.chunks import Chunk

# Names of what is registered: dlt's naming convention makes none like them of a stream or property.
_BATCH, _ORDER, _GONE, _ITEMS = "#batch", "#order", "#gone", "#items"


class StreamWriter:
    """Writes what was planned for one stream, in the open transaction.

    Where rows are deleted, those of tables below go with them, whoever wrote them.
    """

    def __init__(
        self, dataset: Dataset, plan: StreamPlan, nested: Sequence[StreamPlan], rules: Rules
    ) -> None:
        self.dataset = dataset
        self._plan = plan
        self._nested_plans = nested
        self._nested_tables = dataset.schema.nested_tables(plan.table.name)
        self._rules = rules
        self._target = dataset.qualified(plan.table.name)

    @property
    def tables(self) -> list[Table]:
        """The tables that are written to."""
        return [plan.table for plan in (self._plan, *self._nested_plans)]

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self.dataset.connection

    def check(self, columns: SqlColumns) -> None:
        """See, in the transaction, that the tables are as the rows were made for.

        Raises:
            LoaderError: If they are not.
        """
        for plan in (self._plan, *self._nested_plans):
            check_unchanged(plan.table, columns.stored(plan.table.name))

    def write(self, load_ids: Sequence[str]) -> None:
        """Write chunks and activations, in order.

        Args:
            load_ids: The ids of this run's loads; the last one is this load.
        """
        load = self._plan.load
        indexed = self._connection.execute("SELECT lower(table_name) FROM duckdb_indexes()")
        found = {name for (name,) in indexed.fetchall()}
        for table in (self._plan.table.name, *(name for name, _ in self._nested_tables)):
            if table.lower() in found:
                # An index of a file that was just opened is first used by a condition. Until then a
                # row cannot be replaced under a unique one: its old entry would stand in the way.
                self._connection.execute(
                    f"SELECT 1 FROM {self.dataset.qualified(table)} WHERE rowid >= 0 LIMIT 1"  # noqa: S608
                ).fetchall()
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
                    f'DELETE FROM {self.dataset.qualified(table)} t USING "{_GONE}" g '  # noqa: S608
                    f"WHERE t.{quote(PARENT_ID)} = g.id RETURNING t.{quote(ROW_ID)}"
                )

    def _deleted_ids(self, statement: str, parameters: Sequence[Any] = ()) -> pa.Table:
        rows = self._connection.execute(statement, parameters).fetchall()
        return pa.table({"id": pa.array((row_id for (row_id,) in rows), pa.string())})

    def _insert_nested(self, plan: StreamPlan, load_id: str) -> None:
        """Insert the items of arrays of those rows of this load that have stayed."""
        known = {*plan.table.columns, ROW_ID}
        for batch in plan.rows.batches(plan.load.chunks):
            names = [name for name in batch.column_names if name in known]
            columns, unset = ", ".join(map(quote, names)), _unset(plan, names)
            with self._registered(_ITEMS, _read_once(batch)):
                self._connection.execute(
                    f"INSERT INTO {self.dataset.qualified(plan.table.name)} "  # noqa: S608
                    f"({', '.join([columns, *unset])}) "
                    f'SELECT {columns}{", NULL" * len(unset)} FROM "{_ITEMS}" '
                    f"WHERE {quote(ROOT_ID)} IN "
                    f"(SELECT {quote(ROW_ID)} FROM {self._target} WHERE {quote(LOAD_ID)} = ?)",
                    [load_id],
                )

    def _insert(self, chunks: Sequence[Chunk], load_id: str) -> None:
        if not chunks:
            return
        last = None
        if self._plan.keys and self._rules.load_method != "append-only":
            last = self._delete_older(self._plan.rows.key_rows(chunks))
        for rows in self._plan.rows.batches(chunks, last):
            columns = ", ".join(map(quote, rows.column_names))
            unset = _unset(self._plan, rows.column_names)
            with self._registered(_BATCH, _read_once(rows)):
                self._connection.execute(
                    f"INSERT INTO {self._target} ({', '.join([columns, quote(LOAD_ID), *unset])}) "  # noqa: S608
                    f'SELECT {columns}, ?{", NULL" * len(unset)} FROM "{_BATCH}"',
                    [load_id],
                )

    @contextmanager
    def _registered(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
        """Let statements find rows under a name; after one that fails, all that is left is over."""
        self._connection.register(name, rows)
        yield
        self._connection.unregister(name)

    def _delete_older(self, rows: pa.Table) -> pa.BooleanArray | None:
        """Delete what rows replace.

        Args:
            rows: Their keys.

        Returns:
            Which of the rows to take, the last one of each key; None for all.
        """
        keys = ", ".join(map(quote, self._plan.keys))
        matches = " AND ".join(f"t.{quote(key)} = b.{quote(key)}" for key in self._plan.keys)
        order = pa.array(range(len(rows)), pa.int64())
        with self._registered(_BATCH, rows.append_column(_ORDER, order)):
            (distinct,) = self._connection.execute(
                f'SELECT count(*) FROM (SELECT DISTINCT {keys} FROM "{_BATCH}")'  # noqa: S608
            ).fetchall()[0]
            self._delete(f'USING "{_BATCH}" b WHERE {matches}')
            if distinct == len(rows):
                return None
            last = self._connection.sql(
                f'SELECT max("{_ORDER}") AS last FROM "{_BATCH}" GROUP BY {keys}'  # noqa: S608
            ).to_arrow_table()
        return pc.is_in(order, value_set=last.column("last").combine_chunks())


def _unset(plan: StreamPlan, present: Sequence[str]) -> list[str]:
    """Name, quoted, the columns that the database would fill in where rows have no value.

    A row is what its record says: the database's own values are not for what that lacks.
    """
    columns = plan.table.columns.values()
    return [quote(c.name) for c in columns if c.has_default and c.name not in present]


def _read_once(rows: pa.Table) -> pa.RecordBatchReader:
    """Let one statement read rows; what it has read is no longer kept.

    DuckDB keeps what was registered until the transaction is over; `Table.to_reader` would keep it
    as well.
    """
    return pa.RecordBatchReader.from_batches(rows.schema, iter(rows.to_batches()))
