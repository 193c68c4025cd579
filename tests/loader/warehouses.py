"""Destinations that target-dlt is tested on, read by other means than dlt's."""

# ruff: noqa: S608 (table names are our own)

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import deltalake
import duckdb
import psycopg2
import psycopg2.extras
import pyarrow as pa
import pyarrow.dataset
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Rows = list[dict[str, Any]]
DATASET = "raw"


@dataclass
class Warehouse(ABC):
    """A destination of target-dlt.

    Attributes:
        config: The target's settings.
    """

    config: dict[str, Any]

    @abstractmethod
    def rows(self, table: str) -> Rows:
        """All rows of a table, by column name."""

    @abstractmethod
    def copy_rows(self, table: str, load_id: str) -> None:
        """Add a table's rows once more, as a load of that id would have left them."""


class Database(Warehouse):
    @abstractmethod
    def execute(self, sql: str) -> None:
        """Run a statement."""

    def copy_rows(self, table: str, load_id: str) -> None:
        self.execute(
            f"INSERT INTO {DATASET}.{table} (text, _dlt_load_id, _dlt_id) "
            f"SELECT text, '{load_id}', 'copy' || row_number() OVER () FROM {DATASET}.{table}"
        )


class DuckDB(Database):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.duckdb"
        config = {"credentials": str(self.path)}
        super().__init__({"destination": "duckdb", "destination_config": config})

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)

    def rows(self, table: str) -> Rows:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("SET timezone = 'UTC'")
            found = connection.sql(f'FROM {DATASET}."{table}"').to_arrow_table()
        return _dictionaries(found)


_NUMBERS = count()


class Postgres(Database):
    def __init__(self, credentials: Mapping[str, Any], database: str) -> None:
        self._credentials = {**credentials, "database": database}
        config = {"credentials": self._credentials}
        super().__init__({"destination": "postgres", "destination_config": config})

    @classmethod
    def new(cls, credentials: Mapping[str, Any]) -> Postgres:
        """A database of its own on a server."""
        name = f"test_{next(_NUMBERS)}"
        cls(credentials, "postgres").execute(f"CREATE DATABASE {name}")
        return cls(credentials, name)

    def connect(self) -> psycopg2.extensions.connection:
        known = self._credentials
        connection = psycopg2.connect(
            host=known["host"],
            port=known["port"],
            user=known["username"],
            password=known["password"],
            dbname=known["database"],
        )
        connection.autocommit = True
        return connection

    def execute(self, sql: str) -> None:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql)

    def rows(self, table: str) -> Rows:
        with (
            closing(self.connect()) as connection,
            connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor,
        ):
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(f'SELECT * FROM {DATASET}."{table}"')
            return [dict(row) for row in cursor.fetchall()]


class Lake(Warehouse):
    def __init__(self, folder: Path, table_format: str) -> None:
        self.folder = folder / "lake"
        config = {"bucket_url": str(self.folder)}
        super().__init__(
            {
                "destination": "filesystem",
                "destination_config": config,
                "table_format": table_format,
            }
        )

    def path(self, table: str) -> Path:
        return self.folder / DATASET / table


class Delta(Lake):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "delta")

    def rows(self, table: str) -> Rows:
        return _dictionaries(self._rows(table))

    def _rows(self, table: str) -> pa.Table:
        return deltalake.DeltaTable(self.path(table)).to_pyarrow_table()

    def copy_rows(self, table: str, load_id: str) -> None:
        copy = _of_load(self._rows(table), load_id)
        deltalake.write_deltalake(self.path(table), copy, mode="append")


class Iceberg(Lake):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "iceberg")

    def rows(self, table: str) -> Rows:
        found = StaticTable.from_metadata(self._newest(table))
        return _dictionaries(found.scan().to_arrow())

    def _newest(self, table: str) -> str:
        return str(max((self.path(table) / "metadata").glob("*.metadata.json")))

    def copy_rows(self, table: str, load_id: str) -> None:
        catalog = SqlCatalog("tests", uri="sqlite:///:memory:")
        catalog.create_namespace(DATASET)
        found = catalog.register_table(f"{DATASET}.{table}", self._newest(table))
        found.append(_of_load(found.scan().to_arrow(), load_id))


class Files(Lake):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "none")

    def rows(self, table: str) -> Rows:
        return _dictionaries(pyarrow.dataset.dataset(self.path(table)).to_table())

    def copy_rows(self, table: str, load_id: str) -> None:
        (file,) = self.path(table).glob("*.parquet")
        shutil.copy(file, file.with_name(f"{load_id}.0123456789.parquet"))


def _dictionaries(found: pa.Table) -> Rows:
    return list(found.to_pylist())


def _of_load(rows: pa.Table, load_id: str) -> pa.Table:
    position = rows.column_names.index("_dlt_load_id")
    ids = pa.array([load_id] * len(rows), rows.schema.field(position).type)
    return rows.set_column(position, rows.schema.field(position), ids)


def plain(value: Any) -> Any:
    """A value as JSON has it, where a warehouse gave JSON as text."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        return json.loads(value)
    return value
