"""Contracts with what dlt does not document: each call that `dlt_internals` makes, and its meaning.

`scripts/dlt_versions.py` runs them, and the tests of the dataset, against other releases of dlt
and DuckDB.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.utils import TraceLogContext
from dlt.common.destination.utils import resolve_merge_strategy
from dlt.common.schema import Schema
from dlt.common.schema.utils import (
    dlt_id_column,
    dlt_load_id_column,
    get_merge_strategy,
    get_nested_tables,
    new_table,
    normalize_schema_name,
    pipeline_state_table,
)
from dlt.common.storages.load_package import create_load_id
from dlt.common.utils import uniq_id_base64
from dlt.destinations import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.pipeline.state_sync import (
    bump_pipeline_state_version_if_modified,
    default_pipeline_state,
    load_pipeline_state_from_destination,
    state_doc,
)

from target_dlt.dlt_internals import LOAD_ID, ROW_ID, Dataset, one_connection
from tests.loader.support import dlt_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="connection")
def an_open_file(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "db.duckdb")) as connection:
        yield connection


@pytest.fixture(name="client")
def a_client(connection: duckdb.DuckDBPyConnection) -> Iterator[Any]:
    """The client that dlt makes of a dataset on our connection; its storage is made."""
    schema = Schema("contract")
    schema.update_table(pipeline_state_table(add_dlt_id=True))
    schema._bump_version()
    config = DuckDbClientConfiguration()._bind_dataset_name("raw")
    client = duckdb_destination(connection).client(schema, config)
    client.sql_client.open_connection()
    client.initialize_storage()
    client.update_stored_schema()
    yield client
    client.sql_client.close_connection()


def test_the_client_works_on_our_connection_and_leaves_it_open(
    client: Any, connection: duckdb.DuckDBPyConnection
) -> None:
    native = client.sql_client.native_connection
    native.execute("CREATE TABLE raw.seen (n INTEGER)")
    assert connection.execute("SELECT count(*) FROM raw.seen").fetchall() == [(0,)]
    client.sql_client.close_connection()
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
    client.sql_client.open_connection()


def test_names_of_the_dataset_and_of_its_staging_twin(client: Any) -> None:
    assert client.sql_client.make_qualified_table_name("t").endswith('"raw"."t"')
    assert client.sql_client.staging_dataset_name == "raw_staging"
    with client.sql_client.with_staging_dataset():
        assert client.sql_client.make_qualified_table_name("t").endswith('"raw_staging"."t"')


def test_a_stored_schema_comes_back_and_keeps_its_hash(client: Any) -> None:
    stored = client.get_stored_schema("contract")
    schema = Schema.from_stored_schema(json.loads(stored.schema))
    assert schema.version_hash == stored.version_hash == client.schema.version_hash
    assert client.get_stored_schema("another") is None


def test_the_version_of_a_schema_grows_with_what_is_in_it() -> None:
    schema = Schema("contract")
    first = schema._bump_version()
    assert schema._bump_version() == first
    schema.update_table(new_table("t", columns=[{"name": "a", "data_type": "text"}]))
    assert schema._bump_version()[0] == first[0] + 1
    assert schema.version_hash != first[1]


def test_a_schema_is_applied_with_force_though_its_hash_is_stored(
    client: Any, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("DROP TABLE raw._dlt_loads")
    client.update_stored_schema(force=True)
    assert connection.execute("SELECT count(*) FROM raw._dlt_loads").fetchall() == [(0,)]


def test_a_load_is_a_row_and_part_of_our_transaction(client: Any) -> None:
    connection = client.sql_client.native_connection
    loads = "SELECT load_id, schema_name, status, schema_version_hash FROM raw._dlt_loads"
    connection.begin()
    client.complete_load("1.5")
    connection.rollback()
    assert connection.execute(loads).fetchall() == []
    client.complete_load("1.5")
    expected = [("1.5", "contract", 0, client.schema.version_hash)]
    assert connection.execute(loads).fetchall() == expected


def test_a_state_is_restored_from_the_newest_load_that_is_complete(
    client: Any, connection: duckdb.DuckDBPyConnection
) -> None:
    for version, load_id in ((1, "1.0"), (2, "2.0"), (3, "3.0")):
        state: Any = default_pipeline_state()
        state.update(pipeline_name="p", sources={"singer": {"state": version}}, _local={})
        bump_pipeline_state_version_if_modified(state)
        state["_state_version"] = version
        row = {**state_doc(state, load_id), "_dlt_id": uniq_id_base64(10)}
        document = json.loads(zlib.decompress(b64decode(str(row["state"]))))
        assert document["sources"] == {"singer": {"state": version}}
        assert "_local" not in document
        marks = ", ".join("?" for _ in row)
        names = ", ".join(row)
        sql = f"INSERT INTO raw._dlt_pipeline_state ({names}) VALUES ({marks})"  # noqa: S608
        connection.execute(sql, list(row.values()))
        if version < 3:
            client.complete_load(load_id)
    restored: Any = load_pipeline_state_from_destination("p", client)
    assert restored["sources"]["singer"]["state"] == 2
    assert load_pipeline_state_from_destination("nobody", client) is None


def test_a_state_gets_a_new_version_only_if_it_changed() -> None:
    state: Any = default_pipeline_state()
    bump_pipeline_state_version_if_modified(state)
    state.setdefault("_local", {})
    _, new, old = bump_pipeline_state_version_if_modified(state)
    assert new == old
    state["sources"] = {"singer": {"state": 1}}
    version, new, old = bump_pipeline_state_version_if_modified(state)
    assert new != old
    assert version == state["_state_version"]


def test_ids() -> None:
    assert len(b64decode(uniq_id_base64(10) + "==")) == 10
    earlier, later = create_load_id(), create_load_id()
    assert float(earlier) < float(later)


def test_columns_of_every_table() -> None:
    load_id, row_id = dlt_load_id_column(), dlt_id_column()
    assert (load_id["name"], load_id["data_type"], load_id["nullable"]) == (
        LOAD_ID,
        "text",
        False,
    )
    assert (row_id["name"], row_id["row_key"], row_id["unique"]) == (
        ROW_ID,
        True,
        True,
    )


def test_a_table_that_is_given_by_its_final_names_keeps_them() -> None:
    schema = Schema("contract")
    hint: Any = {"name": "Kept As Is", "data_type": "text", "x-singer-property": "é"}
    partial = new_table("Not Normal", write_disposition="merge", columns=[hint])
    schema.update_table(partial, normalize_identifiers=False)
    table = schema.tables["Not Normal"]
    assert table["columns"]["Kept As Is"]["x-singer-property"] == "é"  # type: ignore[typeddict-item]
    again = Schema.from_stored_schema(schema.to_dict())
    assert again.tables["Not Normal"] == table


def test_columns_without_a_type_are_left_out() -> None:
    schema = Schema("contract")
    hints: Any = [{"name": "a", "data_type": "text"}, {"name": "b", "nullable": True}]
    schema.update_table(new_table("t", columns=hints))
    assert list(schema.get_table_columns("t")) == ["a"]


def test_names_that_dlt_makes() -> None:
    naming = Schema("contract").naming
    assert naming.normalize_path("user__id") == "user__id"
    assert naming.normalize_path("My Name") == "my_name"
    assert naming.normalize_table_identifier("CloudAPIs") == "cloud_ap_is"
    assert normalize_schema_name("My-File 2") == "my_file_2"
    assert Schema("contract")._dlt_tables_prefix == "_dlt"


def test_names_of_dlts_own_tables() -> None:
    schema = Schema("contract")
    schema.update_table(pipeline_state_table(add_dlt_id=True))
    schema.update_table(new_table("t", columns=[{"name": "a", "data_type": "text"}]))
    assert (schema.version_table_name, schema.state_table_name, schema.loads_table_name) == (
        "_dlt_version",
        "_dlt_pipeline_state",
        "_dlt_loads",
    )
    assert [table["name"] for table in schema.data_tables()] == ["t"]


def test_tables_below_a_table_come_after_their_parents() -> None:
    schema = Schema("contract")
    for name, parent in {"c": "", "b": "c", "a": "b", "other": ""}.items():
        schema.update_table(new_table(name, parent_table_name=parent))
    found = get_nested_tables(schema.tables, "c", include_self=False)
    assert [(table["name"], table["parent"]) for table in found] == [("b", "c"), ("a", "b")]


def test_rows_are_deleted_and_inserted_by_a_merge_without_a_hint() -> None:
    schema = Schema("contract")
    upserted: Any = new_table("upserted", write_disposition="merge")
    upserted["x-merge-strategy"] = "upsert"
    for table in (new_table("merged", write_disposition="merge"), upserted):
        schema.update_table(table)
    found = [get_merge_strategy(schema.tables, name) for name in ("merged", "upserted")]
    assert found == [None, "upsert"]
    merged, capabilities = schema.tables["merged"], duckdb_destination().capabilities()
    assert resolve_merge_strategy(schema.tables, merged, capabilities) == "delete-insert"


def test_clients_of_several_datasets_share_a_transaction(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    datasets = [Dataset(connection.cursor(), name, name) for name in ("one", "two")]
    own = [dataset.connection for dataset in datasets]
    for dataset in datasets:
        dataset.apply()
    shared = own[0]
    with one_connection(datasets, shared):
        assert [dataset.connection for dataset in datasets] == [shared, shared]
        shared.begin()
        for dataset in datasets:
            dataset.record_load("1.0", None)
        shared.rollback()
    assert [dataset.connection for dataset in datasets] == own
    for name in ("one", "two"):
        loads = f"SELECT count(*) FROM {name}._dlt_loads"  # noqa: S608
        assert connection.execute(loads).fetchall() == [(0,)]
    for dataset in datasets:
        dataset.close()


def test_datasets_leave_nothing_in_the_log_of_lookups(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """An entry would hold the frames of a commit, and so its rows."""
    lookups = Container()[TraceLogContext]
    lookups.logging_enabled = True
    lookups.clear()
    config = DuckDbClientConfiguration()._bind_dataset_name("raw")
    duckdb_destination(connection).client(Schema("contract"), config)
    assert lookups.all_traces
    lookups.clear()
    Dataset(connection, "contract", "raw").close()
    assert lookups.all_traces == []


def test_the_configuration_of_a_dataset_is_found_without_a_failure(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Dlt keeps the exception of a lookup with the configuration that lacks a value."""
    dataset = Dataset(connection, "contract", "raw")
    config = dataset.client.config
    assert (config.is_resolved(), config.__exception__) == (True, None)
    assert config.staging_config is None
    dataset.close()


def test_a_dataset_is_restored_by_a_dlt_pipeline_and_the_other_way_round(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    dataset = Dataset(connection, "both", "raw")
    dataset.apply()
    dataset.record_load("1.0", {"n": 1})
    dataset.close()
    connection.close()
    path = tmp_path / "db.duckdb"
    pipeline = dlt_pipeline(path, "both", "raw", tmp_path / "pipelines")
    pipeline.run([{"id": 1}], table_name="t")
    assert pipeline.state["sources"]["singer"]["state"] == {"n": 1}
    with duckdb.connect(path) as again:
        restored = Dataset(again, "both", "raw")
        assert "id" in restored.schema.table_of("t").columns
        restored.close()
