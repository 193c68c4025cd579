"""Names of files, schemas and pipelines: what one engine takes, the other one takes as well."""

# ruff: noqa: S608 (schemas are our own)

from __future__ import annotations

import pytest

from target_dlt.errors import LoaderError
from target_dlt.target import TargetDlt, TargetDuckDB
from tests.loader.support import (
    ENGINES,
    INTEGER,
    dlt_attach,
    load,
    load_dlt,
    query,
    record,
    schema,
    state,
)


def messages(number):
    return [schema("t", {"id": INTEGER}, ["id"]), record("t", id=number), state({"n": number})]


def check(path, dataset, pipeline, count):
    """Rows, schema and state are those of one pipeline, whoever wrote them."""
    rows = query(path, f"SELECT id FROM {dataset}.t ORDER BY id")
    assert rows == [(number,) for number in range(count)]
    assert query(path, f"SELECT DISTINCT pipeline_name FROM {dataset}._dlt_pipeline_state") == [
        (pipeline,)
    ]
    assert len(query(path, f"SELECT DISTINCT schema_name FROM {dataset}._dlt_version")) == 1
    assert query(path, f"SELECT count(*) FROM {dataset}._dlt_loads") == [(count,)]
    attached = dlt_attach(path, pipeline, dataset, path.parent / f"pipelines_{count}")
    assert attached.state["sources"]["singer"]["state"] == {"n": count - 1}


@pytest.mark.parametrize("engines", [("duckdb", "package"), ("package", "duckdb")])
@pytest.mark.parametrize(
    ("stem", "pipeline"),
    [
        ("my-warehouse", "my-warehouse"),
        ("wh-2026-11", "wh-2026-11"),
        ("1file", "1file"),
        ("x" * 70, "x" * 70),
        ("a file.v2", "a_file_v2"),
        ("aux", "aux_"),
    ],
)
def test_either_engine_goes_on_whatever_the_file_is_called(tmp_path, stem, pipeline, engines):
    path = tmp_path / f"{stem}.duckdb"
    for number, engine in enumerate(engines):
        load(path, messages(number), engine=engine, default_target_schema="raw-data")
        check(path, "raw_data", pipeline, number + 1)


@pytest.mark.parametrize(
    ("settings", "dataset", "pipeline"),
    [
        ({"default_target_schema": "raw-data"}, "raw_data", "raw-data"),
        ({"default_target_schema": "1raw"}, "_1raw", "1raw"),
        ({"default_target_schema": "x" * 70}, "x" * 70, "x" * 70),
        ({"default_target_schema": "raw", "pipeline_name": "my-pipe"}, "raw", "my-pipe"),
    ],
)
def test_either_target_goes_on_whatever_the_schema_is_called(tmp_path, settings, dataset, pipeline):
    path = tmp_path / "w.duckdb"
    place = {"destination": "duckdb", "destination_config": {"credentials": str(path)}}
    load_dlt(messages(0), **place, **settings)
    check(path, dataset, pipeline, 1)
    load(path, messages(1), **{"pipeline_name": pipeline, **settings})
    check(path, dataset, pipeline, 2)
    load_dlt(messages(2), **place, **settings)
    check(path, dataset, pipeline, 3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"pipeline_name": "x" * 256}, "'pipeline_name' must be a name that a folder can have"),
        ({"pipeline_name": "CON"}, "'pipeline_name' must be a name that a folder can have"),
        ({"pipeline_name": "p\n"}, "'pipeline_name' must be a name that a folder can have"),
        ({"default_target_schema": "Temp"}, "'default_target_schema' is 'Temp', which DuckDB"),
        ({"default_target_schema": "pg-catalog"}, "'default_target_schema' is 'pg-catalog'"),
    ],
)
def test_a_name_that_cannot_be_is_refused_at_once(tmp_path, settings, named, engine):
    with pytest.raises(LoaderError, match=f"^wrong settings: {named}"):
        TargetDuckDB(config={"path": str(tmp_path / "w.duckdb"), "engine": engine, **settings})
    with pytest.raises(LoaderError, match=f"^wrong settings: {named}"):
        TargetDlt(config={"destination": "duckdb", **settings})


def test_other_schemas_are_not_those_of_duckdb_either(tmp_path):
    mapping = {"a": {"target_schema": "system"}}
    with pytest.raises(LoaderError, match=r"'schema_mapping\.a\.target_schema' is 'system'"):
        TargetDuckDB(config={"path": str(tmp_path / "w.duckdb"), "schema_mapping": mapping})


def test_a_name_made_of_one_that_is_too_long_is_told_with_what_to_set():
    with pytest.raises(LoaderError, match=r"'pipeline_name' .* is not set, and what it is made of"):
        TargetDlt(config={"destination": "duckdb", "default_target_schema": "x" * 256})


@pytest.mark.parametrize(("stem", "name"), [("raw_data", "raw-data"), ("Raw", "raw")])
def test_a_schema_called_as_its_file_is_told_before_the_load(tmp_path, stem, name):
    path = tmp_path / f"{stem}.duckdb"
    with pytest.raises(LoaderError, match="the schema cannot be called as the file, 'raw"):
        load(path, messages(0), engine="package", default_target_schema=name)
    place = {"destination": "duckdb", "destination_config": {"credentials": str(path)}}
    with pytest.raises(LoaderError, match="file and schema cannot be called alike: choose another"):
        load_dlt(messages(0), **place, default_target_schema=name)


@pytest.mark.parametrize(("stem", "name"), [("raw-data", "raw-data"), ("main", "main")])
def test_names_that_only_seem_alike_are_taken_by_both(tmp_path, stem, name):
    path = tmp_path / f"{stem}.duckdb"
    for number, engine in enumerate(("package", "duckdb")):
        load(path, messages(number), engine=engine, default_target_schema=name)
    check(path, name.replace("-", "_"), stem, 2)
