"""Pipelines with the source, on DuckDB, from a simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from tap_cloudapis.dlt import cloudapis
from target_dlt.dlt_internals import dlt  # set up as the loader has it: without telemetry
from tests.core.syncing import settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dlt import Pipeline
    from dlt.extract import DltSource

    from tests.simulator_process import Simulator

DATASET = "raw"


def source_of(
    simulator: Simulator, *streams: str, service: str | None = None, **more: Any
) -> DltSource:
    """The source for a simulator, with some streams, or those selected by default."""
    made: DltSource = cloudapis(**settings(simulator, service, **more))
    return made.with_resources(*streams) if streams else made


class Warehouse:
    """A pipeline of the source in a folder, and what it has loaded."""

    def __init__(self, folder: Path, name: str = "ours") -> None:
        self.path = folder / f"{name}.duckdb"
        self.folder = folder / f"{name}-pipelines"
        self.name = name

    def pipeline(self) -> Pipeline:
        """The pipeline, as another process would make it."""
        destination = dlt.destinations.duckdb(str(self.path))
        return dlt.pipeline(
            self.name,
            pipelines_dir=str(self.folder),
            destination=destination,
            dataset_name=DATASET,
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the file; ``{raw}`` is the dataset."""
        return self.queries([sql])[0]

    def queries(self, sql: Iterable[str]) -> list[list[tuple[Any, ...]]]:
        """Ask the file more than one thing."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("SET timezone = 'UTC'")
            return [connection.execute(each.format(raw=DATASET)).fetchall() for each in sql]

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.query(f'SELECT count(*) FROM {{raw}}."{table}"')[0][0])  # noqa: S608

    def columns(self) -> dict[tuple[str, str], tuple[str, bool]]:
        """The type of each column of each table, and whether it may be null."""
        found = self.query(
            "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
            "WHERE schema_name = '{raw}' AND NOT starts_with(table_name, '_dlt')"
        )
        return {(table, name): (kind, nullable) for table, name, kind, nullable in found}
