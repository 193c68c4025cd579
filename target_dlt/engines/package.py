"""Commits of Arrow chunks to any of dlt's destinations, as load packages of Parquet files."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from target_dlt.dlt_internals import (
    LOAD_ID,
    ROW_ID,
    STATE_SECTION,
    DatasetSchema,
    Destination,
    UnknownDestinationModule,
    arguments_of,
    count_change,
    dlt,
    make_tables,
    open_pipeline,
    takes_files,
    when_completed,
)
from target_dlt.engines.destinations import CannotChangeRowsError, quoted_list, storage_of
from target_dlt.engines.ducklake import DUCKLAKE, with_extensions
from target_dlt.engines.friendly import Explainer
from target_dlt.engines.owned import gone_where
from target_dlt.engines.planning import StreamPlan
from target_dlt.engines.spellings import StreamTables
from target_dlt.errors import LoaderError
from target_dlt.rows.arrays import ARROW_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_dlt.engines.base import Rules, StreamLoad, TableFormat

LOGGER = logging.getLogger("target_dlt")
_FILE_FORMAT: Literal["parquet"] = "parquet"


def destination_of(
    name: str, config: Mapping[str, Any], explain: Explainer
) -> Destination[Any, Any]:
    """Find one of dlt's destinations.

    Args:
        name: dlt's name of it.
        config: Arguments of its factory.
        explain: Makes one line of what went wrong.

    Returns:
        The destination; it was not connected to.

    Raises:
        LoaderError: If there is none, or it does not take such arguments or Parquet files.
    """
    try:
        destination = cast("Destination[Any, Any]", Destination.from_reference(name, **config))
        arguments, fields = arguments_of(destination)
        is_usable = takes_files(destination, _FILE_FORMAT)
    except UnknownDestinationModule as error:
        raise LoaderError(f"wrong settings: dlt has no destination {name!r}") from error
    except Exception as error:
        raise LoaderError(explain(error)) from error
    if unknown := config.keys() - fields - arguments:
        raise LoaderError(
            f"wrong settings: destination {name!r} takes no {', '.join(sorted(unknown))} in "
            f"destination_config, but {', '.join(sorted(arguments))}"
        )
    if not is_usable:
        raise LoaderError(
            f"destination {name!r} takes no Parquet files, which target-dlt sends, or needs its "
            "ADBC driver for them"
        )
    return destination


class PackageEngine:
    """Writes commits into one dlt dataset, each as one load package.

    State and schema are restored from the destination, into a folder of this run alone: packages
    that an earlier run left behind are never loaded, because the tap sends their rows again.

    Args:
        destination: Where the dataset is, by dlt's name.
        config: Arguments of the destination's factory.
        dataset_name: Name of the dataset.
        pipeline_name: dlt's name for the pipeline.
        table_format: Format of the tables, where the destination has several; None for its own.
        rules: What to do with rows and columns that are there.
        temp_dir: Where to keep the run's folder; None for the system's place.
        convention: dlt's naming convention of a new dataset; None for dlt's default.

    Raises:
        LoaderError: If there is no such destination, or it cannot be reached.
    """

    def __init__(  # noqa: PLR0913
        self,
        destination: str,
        config: Mapping[str, Any],
        dataset_name: str,
        pipeline_name: str,
        *,
        table_format: TableFormat | None,
        rules: Rules,
        temp_dir: Path | None,
        convention: str | None = None,
    ) -> None:
        self._rules = rules
        self._table_format = table_format
        self._explain = Explainer(destination, table_format, config)
        self._load_ids: list[str] = []
        self._checked: set[str] = set()
        self._unchanged: set[str] = set()
        self._tables = StreamTables()
        self._emit: Callable[[], None] | None = None
        self._folder = TemporaryDirectory(prefix="target-dlt-", dir=temp_dir)
        if destination == DUCKLAKE:
            config = with_extensions(config)
        found = destination_of(destination, config, self._explain)
        when_completed(found, self._on_completed)
        with self._errors():
            self._pipeline, self._schema_name = open_pipeline(
                pipeline_name,
                found,
                dataset_name,
                Path(self._folder.name, "pipelines"),
                convention,
            )
            self._storage = storage_of(self._pipeline, self._schema_name, table_format)
            self._completed = self._storage.completed_loads()
            if not self._completed:
                self._clear_first_load()

    @property
    def place(self) -> str:
        """Destination and dataset."""
        return (
            f"{self._pipeline.destination.destination_name}, dataset {self._pipeline.dataset_name}"
        )

    def discard(self) -> None:
        """See `Engine`."""
        with suppress(OSError):
            self._folder.cleanup()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except LoaderError:
            raise
        except Exception as error:
            raise LoaderError(self._explain(error)) from error

    def commit(self, loads: Sequence[StreamLoad], state: Any, emit: Callable[[], None]) -> None:
        """Load all rows and the state they complete; see `Engine`.

        A version that is activated between two chunks of a stream ends a package: what is gone is
        known after the rows before it are in place. The state is in the last package.
        """
        rounds = _rounds(loads)
        with self._errors():
            for parts in rounds[:-1]:
                self._load(parts, None)
            self._load(rounds[-1], state, emit)
        emit()

    def _load(
        self, loads: Sequence[StreamLoad], state: Any, emit: Callable[[], None] | None = None
    ) -> None:
        tables = DatasetSchema(
            self._schema,
            as_text=self._storage.as_text,
            has_case=self._storage.has_case,
            file_format=_FILE_FORMAT,
            table_format=self._table_format,
        )
        self._storage.forget()
        self._tables.know(loads)
        plans: list[StreamPlan] = []
        for load in loads:
            table = self._tables.of(tables, load.schema.stream)
            plans.append(StreamPlan(tables, self._storage, load, self._rules, table))
        for plan in plans:
            self._check(plan)
            self._storage.add_columns(plan.table)
        count_change(self._schema)
        if any(plan.table.is_incomplete for plan in plans):
            make_tables(self._pipeline, self._schema_name, again=True)
        filled = [plan for plan in plans if plan.load.chunks]
        if len(filled) < len(plans):
            self._prepare([plan for plan in plans if not plan.load.chunks])
        if not any(map(self._has_gone, plans)):
            self._emit = emit
        with TemporaryDirectory(prefix="package-", dir=self._folder.name) as folder:
            info = self._pipeline.run(
                [_state_resource(state), *(self._resource(plan, Path(folder)) for plan in filled)],
                schema=self._schema,
                table_format=cast("Any", self._table_format),
                loader_file_format=_FILE_FORMAT,
            )
        self._emit = None
        self._load_ids += info.loads_ids if info else []
        self._storage.comment([plan.table for plan in plans])
        for plan in plans:
            self._remove_gone(plan)

    def _on_completed(self) -> None:
        if self._emit is not None:
            self._emit()

    def _prepare(self, plans: Sequence[StreamPlan]) -> None:
        """Make the tables of streams without rows, and empty those that are to be replaced."""
        make_tables(self._pipeline, self._schema_name)
        for plan in plans:
            if plan.load.replaces:
                name = plan.table.name
                self._storage.remove_loads(name, self._storage.loads_of(name))

    @property
    def _schema(self) -> Any:
        return self._pipeline.schemas[self._schema_name]

    def _merges(self, plan: StreamPlan) -> bool:
        return bool(plan.keys) and self._rules.load_method != "append-only"

    def _check(self, plan: StreamPlan) -> None:
        """Find out, before its first rows, if a table can be loaded; clear away old orphans."""
        name = plan.table.name
        if name in self._checked:
            return
        self._checked.add(name)
        table_format = plan.table.format or "native"
        if not plan.table.is_new and table_format != (self._table_format or "native"):
            raise LoaderError(
                f"stream {plan.table.stream!r}: the format of its table is {table_format!r}: "
                "set table_format to that, or load into another schema"
            )
        if self._merges(plan):
            if not self._storage.merges:
                raise LoaderError(
                    f"stream {plan.table.stream!r}: rows of Parquet files cannot be replaced by "
                    "key: set table_format to delta or iceberg, or load_method to append-only"
                )
        elif not plan.load.replaces:
            self._remove_orphans(name)

    def _clear_first_load(self) -> None:
        """Empty the tables if all they hold is of one load, the first one, that never completed."""
        found = {name: self._storage.loads_of(name) for name in DatasetSchema(self._schema).names}
        if len(set().union(*found.values())) == 1:
            for name, load_ids in found.items():
                self._remove_loads(name, load_ids)

    def _remove_orphans(self, table: str) -> None:
        """Delete what loads brought that were ended before they were complete: it comes again.

        Loads older than the first one dlt knows of are left: their entries were pruned.
        """
        oldest = min(self._completed, default="")
        found = self._storage.loads_of(table) - self._completed - set(self._load_ids)
        self._remove_loads(table, {load_id for load_id in found if load_id > oldest})

    def _remove_loads(self, table: str, load_ids: set[str]) -> None:
        if load_ids:
            self._storage.remove_loads(table, load_ids)
            LOGGER.warning("table %r: removed rows of a load that never completed", table)

    def _resource(self, plan: StreamPlan, folder: Path) -> Any:
        def files() -> Iterator[Any]:
            load_id = dlt.current.load_package_state()["load_id"]
            path = folder / f"{plan.table.name}.parquet"
            count = self._write_rows(plan, load_id, path)
            yield dlt.mark.with_file_import(str(path), "parquet", count)

        disposition: Literal["merge", "append", "replace"]
        disposition = "merge" if self._merges(plan) else "append"
        if plan.load.replaces:
            disposition = "replace"
        return dlt.resource(files, name=plan.table.name, write_disposition=disposition)

    def _write_rows(self, plan: StreamPlan, load_id: str, path: Path) -> int:
        """Write a file of rows, with every column: a row is replaced as a whole; count them."""
        last = None
        if self._merges(plan):
            last = _last_of_each_key(plan.rows.key_rows(plan.load.chunks))
        known = (column for column in plan.table.columns.values() if not column.other)
        columns = [(column.name, ARROW_TYPES[column.type]) for column in known]
        schema = pa.schema([*columns, (LOAD_ID, pa.string()), (ROW_ID, pa.string())])
        count = 0
        with pq.ParquetWriter(path, schema) as writer:
            for rows in plan.rows.batches(plan.load.chunks, last):
                count += len(rows)
                present = {name: rows[name] for name in rows.column_names}
                present[LOAD_ID] = pa.repeat(pa.scalar(load_id), len(rows))
                arrays = [
                    present[name] if name in present else pa.nulls(len(rows), kind)
                    for name, kind in zip(schema.names, schema.types, strict=True)
                ]
                writer.write_table(pa.table(arrays, schema=schema))
        return count

    def _has_gone(self, plan: StreamPlan) -> bool:
        """Whether rows are to be removed or marked after the package is loaded."""
        marked = self._rules.hard_delete and plan.deleted_at is not None
        return marked or bool(plan.load.activations)

    def _remove_gone(self, plan: StreamPlan) -> None:
        try:
            for activation in plan.load.activations:
                self._activate(plan, activation.version)
            if self._rules.hard_delete and plan.deleted_at is not None:
                mark = self._storage.quote(plan.deleted_at.name)
                self._storage.delete(plan.table.name, gone_where(plan.deleted_at, mark))
        except CannotChangeRowsError as error:
            if plan.table.name not in self._unchanged:
                LOGGER.warning(
                    "stream %r: rows that are gone stay as they are: %s",
                    plan.table.stream,
                    error,
                )
                self._unchanged.add(plan.table.name)

    def _activate(self, plan: StreamPlan, version: int) -> None:
        """Delete or mark what is older; rows without a version unless this run brought them."""
        storage, table, mark = self._storage, plan.table.name, plan.deleted_at
        assert plan.version is not None  # noqa: S101 (the plan of a load with activations has it)
        column = storage.quote(plan.version.name)
        older = f"{column} < {version}"
        unversioned = f"{column} IS NULL"
        if self._load_ids:
            ours = quoted_list(self._load_ids)
            unversioned += f" AND {storage.quote(LOAD_ID)} NOT IN ({ours})"
        where = f"({older} OR ({unversioned}))"
        if self._rules.hard_delete or mark is None:
            storage.delete(table, where)
        else:
            storage.mark(table, mark.name, f"{storage.quote(mark.name)} IS NULL AND {where}")


def _rounds(loads: Sequence[StreamLoad]) -> list[list[StreamLoad]]:
    """Part loads where versions are activated; the n-th parts of all streams are one package."""
    columns = zip_longest(*map(_parts, loads))
    return [[part for part in column if part is not None] for column in columns] or [[]]


def _parts(load: StreamLoad) -> Iterator[StreamLoad]:
    if not load.activations:
        yield load
        return
    done = 0
    replaces = load.replaces
    for activation in load.activations:
        chunks = load.chunks[done : activation.after]
        yield replace(load, chunks=chunks, activations=(activation,), replaces=replaces)
        done, replaces = activation.after, False
    if done < len(load.chunks):
        yield replace(load, chunks=load.chunks[done:], activations=(), replaces=replaces)


def _state_resource(state: Any) -> Any:
    """A resource without rows, that leaves the STATE with the pipeline's state."""

    def keep() -> Iterator[Any]:
        if state is not None:
            dlt.current.source_state(STATE_SECTION)["state"] = state
        yield from ()

    return dlt.resource(keep, name="_singer_state")


def _last_of_each_key(rows: pa.Table) -> pa.BooleanArray | None:
    """Tell which rows are the last of their key; None if all are.

    Args:
        rows: Their keys.
    """
    names = [f"k{number}" for number in range(len(rows.column_names))]
    order = pa.array(range(len(rows)), pa.int64())
    keyed = rows.rename_columns(names).append_column("order", order)
    last = keyed.group_by(names).aggregate([("order", "max")])["order_max"]
    if len(last) == len(rows):
        return None
    return pc.is_in(order, value_set=last.combine_chunks())
