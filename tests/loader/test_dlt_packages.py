"""Contracts with what dlt does not document, as the package engine uses it on any destination.

`scripts/dlt_versions.py` runs them against other releases of dlt and DuckDB.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import dlt
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.common.configuration.container import Container
from dlt.common.destination import Destination
from dlt.common.schema import Schema
from dlt.pipeline.exceptions import PipelineStepFailed

from target_dlt.dlt_internals import (
    LOAD_ID,
    ROW_ID,
    STATE_SECTION,
    ConfigFieldMissingException,
    DatasetSchema,
    DestinationUndefinedEntity,
    TableColumn,
    UnknownDestinationModule,
    arguments_of,
    drop_staging_twin,
    load_ids_in_name,
    make_tables,
    new_load_id,
    open_pipeline,
    takes_files,
    types_not_taken,
    when_completed,
)
from target_dlt.rows.arrays import ARROW_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dlt.pipeline.pipeline import Pipeline

    from target_dlt.messages.schema import DataType

COLUMNS: Mapping[str, DataType] = {"id": "bigint", "text": "text"}


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(sql).fetchall()


def known(name: str) -> Destination[Any, Any]:
    return cast("Destination[Any, Any]", Destination.from_reference(name))


def stage(
    pipeline: Pipeline, name: str, columns: Mapping[str, DataType] = COLUMNS, **options: Any
) -> str:
    """Take a table `t`, whose key is `id`, into the schema, as the engine does."""
    tables = DatasetSchema(pipeline.schemas[name], file_format="parquet", **options)
    table = tables.table_of("t")
    for column, kind in columns.items():
        is_key = column == "id"
        table.columns[column] = TableColumn(column, kind, column, key=is_key, nullable=not is_key)
    tables.stage(table)
    return table.name


@dataclass
class Packages:
    """Packages that are loaded as the engine loads them, and what is seen of them meanwhile."""

    folder: Path
    destination: Any
    pipeline: Pipeline = field(init=False)
    name: str = field(init=False)
    load_ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        folder = self.folder / "pipelines"
        self.pipeline, self.name = open_pipeline("contract", self.destination, "raw", folder)

    def load(
        self, rows: Sequence[Mapping[str, Any]] = (), state: Any = None, disposition: str = "merge"
    ) -> None:
        resources = [self._state(state), *([self._rows(rows, disposition)] if rows else [])]
        schema = self.pipeline.schemas[self.name]
        self.pipeline.run(resources, schema=schema, loader_file_format="parquet")

    def _state(self, state: Any) -> Any:
        def keep() -> Any:
            if state is not None:
                dlt.current.source_state(STATE_SECTION)["state"] = state
            yield from ()

        return dlt.resource(keep, name="_singer_state")

    def _rows(self, rows: Sequence[Mapping[str, Any]], disposition: Any) -> Any:
        def files() -> Any:
            load_id = dlt.current.load_package_state()["load_id"]
            self.load_ids.append(load_id)
            table = pa.Table.from_pylist(
                [{**row, LOAD_ID: load_id, ROW_ID: f"our id {row['id']}"} for row in rows]
            )
            path = self.folder / "t.parquet"
            pq.write_table(table, path)
            yield dlt.mark.with_file_import(str(path), "parquet", len(table))

        return dlt.resource(files, name="t", write_disposition=disposition)


@dataclass
class History:
    """A file that packages were loaded into, and what was there when each was completed."""

    path: Path
    packages: Packages
    schema: Schema
    moments: list[dict[str, Any]]


@pytest.fixture(name="history", scope="module")
def a_history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("history")
    path = folder / "db.duckdb"
    moments: list[dict[str, Any]] = []

    def look() -> None:
        states = "SELECT max(version) FROM raw._dlt_pipeline_state"
        moments.append(
            {
                "rows": query(path, "SELECT id, text FROM raw.t ORDER BY ALL"),
                "state": query(path, states)[0][0],
                "loads": [load_id for (load_id,) in query(path, _LOADS)],
                "handler": signal.getsignal(signal.SIGTERM),
            }
        )

    destination = dlt.destinations.duckdb(str(path))
    when_completed(destination, look)
    packages = Packages(folder, destination)
    schema = packages.pipeline.schemas[packages.name]
    stage(packages.pipeline, packages.name)
    packages.load([{"id": 1, "text": "old"}, {"id": 2, "text": ""}], {"n": 1})
    packages.load([{"id": 1, "text": "new"}], {"n": 2})
    packages.load((), {"n": 3})
    packages.load([{"id": 2, "text": "twin"}], disposition="append")
    packages.load([{"id": 3, "text": "rest"}], {"n": 5}, "replace")
    return History(path, packages, schema, moments)


_LOADS = "SELECT load_id FROM raw._dlt_loads WHERE status = 0 ORDER BY load_id"


def test_a_load_is_told_once_when_its_rows_and_its_entry_are_there(history: History) -> None:
    """Rows are replaced by key, added, or replaced all together, as its resource says."""
    merged = [(1, "new"), (2, "")]
    expected = [
        ([(1, "old"), (2, "")], 1),
        (merged, 2),
        (merged, 3),
        ([*merged, (2, "twin")], 4),
        ([(3, "rest")], 5),
    ]
    assert [(moment["rows"], len(moment["loads"])) for moment in history.moments] == expected


def test_a_state_is_there_when_its_load_is_told(history: History) -> None:
    first, second, third, same, last = (moment["state"] for moment in history.moments)
    assert first < second < third == same < last


def test_the_load_id_that_a_resource_sees_is_the_one_that_is_completed(history: History) -> None:
    first, second, _, *others = history.moments[-1]["loads"]
    assert history.packages.load_ids == [first, second, *others]


def test_a_file_is_loaded_as_it_is(history: History) -> None:
    ids = query(history.path, f"SELECT {ROW_ID}, {LOAD_ID} FROM raw.t")  # noqa: S608
    assert ids == [("our id 3", history.packages.load_ids[-1])]
    columns = "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'raw'"
    found = {name for (name,) in query(history.path, f"{columns} AND table_name = 't'")}
    assert found == {*COLUMNS, LOAD_ID, ROW_ID}


def test_a_schema_that_was_set_live_is_the_one_that_runs_use_and_store(
    history: History, tmp_path: Path
) -> None:
    pipeline, name = history.packages.pipeline, history.packages.name
    assert pipeline.schemas[name] is pipeline.default_schema is history.schema
    expected = [(name, history.schema.version_hash)]
    newest = "SELECT schema_name, version_hash FROM raw._dlt_version ORDER BY inserted_at DESC"
    assert query(history.path, f"{newest} LIMIT 1") == expected
    loads = "SELECT DISTINCT schema_name FROM raw._dlt_loads"
    assert query(history.path, loads) == [(name,)]
    again, restored = open_pipeline("contract", history.packages.destination, "raw", tmp_path)
    assert restored == name
    assert again.state["sources"][STATE_SECTION] == {"state": {"n": 5}}
    assert again.schemas[name].version_hash == history.schema.version_hash


def test_what_the_environment_asks_of_dlt_is_heeded(history: History) -> None:
    """Signals stay the target's, and packages are not kept beside what they were loaded into."""
    handlers = {moment["handler"] for moment in history.moments}
    assert handlers == {signal.getsignal(signal.SIGTERM)}
    pipelines = history.packages.folder / "pipelines"
    assert list(pipelines.iterdir()) != []
    assert list(pipelines.rglob("*.parquet")) == []


def test_a_load_that_fails_is_never_told_nor_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, told = tmp_path / "db.duckdb", list[str]()
    destination = dlt.destinations.duckdb(str(path))
    when_completed(destination, lambda: told.append("complete"))
    packages = Packages(tmp_path, destination)
    stage(packages.pipeline, packages.name, {"id": "bigint", "text": "bigint"})
    with pytest.raises(PipelineStepFailed):
        packages.load([{"id": 1, "text": "no number"}], disposition="append")
    assert told == []
    assert query(path, _LOADS) == []
    assert capfd.readouterr() == ("", "")


def test_tables_are_made_without_a_load_and_found_by_the_next_pipeline(tmp_path: Path) -> None:
    path = tmp_path / "db.duckdb"
    destination = dlt.destinations.duckdb(str(path))
    pipeline, name = open_pipeline("contract", destination, "raw", tmp_path / "one")
    stage(pipeline, name)
    make_tables(pipeline, name)
    assert query(path, "SELECT id, text FROM raw.t") == query(path, _LOADS) == []
    stored = "SELECT schema_name, version_hash FROM raw._dlt_version"
    assert query(path, stored) == [(name, pipeline.schemas[name].version_hash)]
    again, restored = open_pipeline("contract", destination, "raw", tmp_path / "two")
    assert restored == name
    assert again.schemas[name].version_hash == pipeline.schemas[name].version_hash
    assert again.schemas[name].data_table_names() == ["t"]


def test_names_follow_the_capabilities_that_are_injected(tmp_path: Path) -> None:
    stored: Any = Schema("stored").to_dict()
    narrow = dlt.destinations.duckdb(
        str(tmp_path / "db.duckdb"), max_identifier_length=30, max_column_identifier_length=20
    )
    with Container().injectable_context(narrow.capabilities()):
        schemas = [Schema("new"), Schema.from_stored_schema(stored)]
    assert [schema.naming.max_length for schema in schemas] == [20, 20]
    assert {len(schema.naming.normalize_path("long" * 9)) for schema in schemas} == {20}
    sensitive = dlt.destinations.duckdb(naming_convention="sql_cs_v1")
    with Container().injectable_context(sensitive.capabilities()):
        assert Schema("new").naming.normalize_path("MyName") == "MyName"
    assert Schema("new").naming.normalize_path("MyName") == "my_name"


@pytest.mark.parametrize("is_stored", [False, True])
def test_names_of_a_pipeline_fit_its_destination(tmp_path: Path, *, is_stored: bool) -> None:
    destination = dlt.destinations.duckdb(
        str(tmp_path / "db.duckdb"), max_identifier_length=30, max_column_identifier_length=30
    )
    if is_stored:
        make_tables(*open_pipeline("contract", destination, "raw", tmp_path / "before"))
    pipeline, name = open_pipeline("contract", destination, "raw", tmp_path / "now")
    tables = DatasetSchema(pipeline.schemas[name])
    names = {tables.table_of(f"{'long' * 20}_{n}").name for n in range(2)}
    assert {len(table) for table in names} == {30}
    assert len(names) == 2


def test_a_merge_makes_the_staging_twin_anew_once_it_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "db.duckdb"
    packages = Packages(tmp_path, dlt.destinations.duckdb(str(path)))
    twin = (
        "SELECT data_type FROM duckdb_columns() WHERE schema_name = 'raw_staging' "
        "AND table_name = 't' AND column_name = 'n'"
    )

    def drop() -> None:
        with packages.pipeline.destination_client(packages.name) as client:
            drop_staging_twin(client, "t")

    stage(packages.pipeline, packages.name, {"id": "bigint", "n": "bigint"})
    drop()  # there is none: nothing happens
    packages.load([{"id": 1, "n": 1}])
    drop()
    packages.load([{"id": 1, "n": 1}])  # by a version of the schema that was staged before
    assert query(path, twin) == [("BIGINT",)]
    query(path, "ALTER TABLE raw.t ALTER COLUMN n TYPE DOUBLE")
    drop()
    assert query(path, twin) == []
    stage(packages.pipeline, packages.name, {"id": "bigint", "n": "double"})
    packages.load([{"id": 2, "n": 1.5}])
    assert query(path, twin) == [("DOUBLE",)]
    assert query(path, "SELECT id, n FROM raw.t ORDER BY id") == [(1, 1.0), (2, 1.5)]


def test_files_carry_the_id_of_their_load(tmp_path: Path) -> None:
    told: list[list[set[str]]] = []
    destination = dlt.destinations.filesystem((tmp_path / "lake").as_uri())

    def look() -> None:
        client: Any = packages.pipeline.destination_client(packages.name)
        files = map(client.list_table_files, ("t", "_dlt_loads", "_dlt_pipeline_state"))
        told.append([set().union(*map(load_ids_in_name, paths)) for paths in files])

    when_completed(destination, look)
    packages = Packages(tmp_path, destination)
    client: Any = packages.pipeline.destination_client(packages.name)
    for table in ("t", "_dlt_loads"):
        # Before Python 3.13, dlt's glob of a missing folder finds the folder itself, and stumbles.
        with suppress(DestinationUndefinedEntity):
            assert client.list_table_files(table) == []
    stage(packages.pipeline, packages.name)
    packages.load([{"id": 1, "text": "x"}], {"n": 1}, "append")
    assert told == [[set(packages.load_ids)] * 3]
    (file,) = client.list_table_files("t")
    client.fs_client.rm_file(file)
    assert client.list_table_files("t") == []


def test_ids_of_loads_are_found_in_names_of_files_alone() -> None:
    load_id = new_load_id()
    assert load_ids_in_name(f"lake/1000000000.5/{load_id}.ab12.parquet") == {load_id}
    assert load_ids_in_name(f"lake\\{load_id}\\contract__1.jsonl") == set()


@pytest.mark.parametrize("table_format", ["delta", "iceberg"])
def test_a_table_that_was_never_loaded_is_an_undefined_entity(
    tmp_path: Path, table_format: str
) -> None:
    destination = dlt.destinations.filesystem((tmp_path / "lake").as_uri())
    pipeline, name = open_pipeline("contract", destination, "raw", tmp_path / "pipelines")
    stage(pipeline, name, table_format=table_format)
    client: Any = pipeline.destination_client(name)
    with pytest.raises(DestinationUndefinedEntity):
        client.load_open_table(table_format, "t")


def test_a_table_of_a_database_that_was_never_loaded_is_an_undefined_entity(
    tmp_path: Path,
) -> None:
    destination = dlt.destinations.duckdb(str(tmp_path / "db.duckdb"))
    pipeline, name = open_pipeline("contract", destination, "raw", tmp_path / "pipelines")
    with pipeline.sql_client(name) as client, pytest.raises(DestinationUndefinedEntity):
        client.execute_sql(f"SELECT 1 FROM {client.make_qualified_table_name('t')}")  # noqa: S608


@pytest.mark.parametrize("name", ["duckdb", "filesystem", "postgres", "sqlalchemy"])
def test_the_type_of_a_destination_ends_in_its_name(name: str) -> None:
    assert known(name).destination_type.endswith(f".{name}")


def test_there_is_an_error_of_its_own_for_a_destination_that_dlt_has_not() -> None:
    with pytest.raises(UnknownDestinationModule):
        Destination.from_reference("nowhere")


def test_arguments_and_fields_of_a_destination() -> None:
    arguments, fields = arguments_of(dlt.destinations.filesystem("somewhere"))
    assert {"bucket_url", "credentials"} <= arguments
    assert not {"kwargs", "self"} & arguments
    assert {"bucket_url", "layout", "kwargs"} <= fields
    assert "bucket" not in arguments | fields


def test_what_is_not_configured_is_named_by_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESTINATION__FILESYSTEM__BUCKET_URL", raising=False)
    with pytest.raises(ConfigFieldMissingException) as caught:
        dlt.destinations.filesystem().client(Schema("contract"))
    assert "bucket_url" in caught.value.fields


@pytest.mark.parametrize(
    ("name", "takes"), [("duckdb", True), ("filesystem", True), ("weaviate", False)]
)
def test_destinations_that_take_parquet_files(name: str, *, takes: bool) -> None:
    assert takes_files(known(name), "parquet") is takes


@pytest.mark.parametrize("has_driver", [True, False])
def test_postgres_takes_parquet_files_if_dlt_would_send_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_driver: bool
) -> None:
    if not has_driver:
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    destination = dlt.destinations.postgres("postgresql://nobody:none@127.0.0.1:1/none")
    assert takes_files(destination, "parquet") is has_driver
    assert takes_files(destination, "csv")
    pipeline = dlt.pipeline(
        "contract", pipelines_dir=str(tmp_path), destination=destination, dataset_name="raw"
    )
    pipeline.extract([{"id": 1}], table_name="t", loader_file_format="parquet")
    pipeline.normalize()  # without a look at the server
    (load_id,) = pipeline.list_normalized_load_packages()
    jobs = pipeline.get_load_package_info(load_id).jobs["new_jobs"]
    formats = {job.job_file_info.file_format for job in jobs if job.job_file_info.table_name == "t"}
    assert (formats == {"parquet"}) is has_driver


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("duckdb", set()),
        ("postgres", set()),
        ("bigquery", {"json"}),
        ("databricks", {"time"}),
        ("athena", {"time"}),
    ],
)
def test_types_that_a_destination_takes_in_no_parquet_file(name: str, refused: set[str]) -> None:
    assert types_not_taken(known(name), ARROW_TYPES, "parquet") == refused


def test_columns_of_json_are_of_the_type_that_postgres_takes_from_files(tmp_path: Path) -> None:
    destination = dlt.destinations.postgres("postgresql://nobody:none@127.0.0.1:1/none")
    with Container().injectable_context(destination.capabilities()):
        schema = Schema("contract")
    tables = DatasetSchema(schema, file_format="parquet")
    table = tables.table_of("t")
    table.columns["tree"] = TableColumn("tree", "json", "tree")
    tables.stage(table)
    client: Any = destination.client(Schema.from_stored_schema(schema.to_dict()), _raw(destination))
    prepared = client.prepare_load_table("t")
    mapper: Any = client.capabilities.get_type_mapper()
    assert mapper.to_destination_type(prepared["columns"]["tree"], prepared) == "json"


def _raw(destination: Any) -> Any:
    return destination.spec()._bind_dataset_name("raw")
