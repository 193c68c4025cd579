"""A meltano.yml written for another target-duckdb: each of its settings is taken."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest

from target_dlt.errors import LoaderError
from target_dlt.location import locate
from target_dlt.target import TargetDuckDB
from tests.loader.support import (
    INTEGER,
    dlt_attach,
    load,
    problems,
    query,
    record,
    run,
    schema,
    state,
    typed,
)

TOKEN = "not-a-real-token"  # noqa: S105
SCHEMA = schema("t", {"id": INTEGER}, ["id"])
MESSAGES = [SCHEMA, record("t", id=1), state({"n": 1})]


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("config", "warning"),
    [
        ({"database": "db"}, None),
        ({"dbname": "DB"}, None),
        ({"database": "other"}, "'database' has no effect: a file holds one database, 'db'"),
        ({"dbname": "other"}, "'database' has no effect: a file holds one database, 'db'"),
        ({"dbname": "other", "database": "db"}, "'dbname' has no effect: 'database', which"),
        ({"filepath": "other.duckdb"}, "'filepath' has no effect: 'path', which"),
        ({"token": TOKEN}, "'token' has no effect: the path names a file"),
        ({"delimiter": ","}, "'delimiter' has no effect: no CSV files are written"),
        ({"quotechar": '"'}, "'quotechar' has no effect: no CSV files are written"),
        ({"flush_all_streams": True}, None),
        ({"flush_all_streams": False}, "'flush_all_streams' has no effect"),
        ({"batch_config": {"encoding": {}}}, "'batch_config' has no effect"),
        (
            {"schema_mapping": {"a": {"target_schema": "b", "indices": {"t": ["id"]}}}},
            "'indices' in schema_mapping have no effect",
        ),
        ({"settings": {"TimeZone": "Asia/Tokyo"}}, "the time zone stays UTC"),
        ({"data_flattening_max_level": 0, "add_metadata_columns": False}, None),
    ],
)
def test_a_setting_is_honoured_or_warned_of(tmp_path, caplog, config, warning):
    path = tmp_path / "db.duckdb"
    load(path, MESSAGES, **config)
    assert query(path, "SELECT id FROM t") == [(1,)]
    found = warnings(caplog)
    assert [warning in text for text in found] == [True] if warning else found == []
    assert TOKEN not in caplog.text


def test_streams_are_mapped_to_schemas(tmp_path):
    path = tmp_path / "db.duckdb"
    config = {
        "default_target_schema": "rest",
        "schema_mapping": {
            "public": {"target_schema": "raw"},
            "crm": {"target_schema": "CRM Data"},
        },
    }
    streams = ["public-orders", "crm-orders", "cat-crm-big-orders", "other-orders", "plain"]
    for number in (1, 2):
        messages = []
        for name in streams:
            items = typed("array")
            messages.append(schema(name, {"id": INTEGER, "items": items}, ["id"]))
            messages.append(record(name, id=1, items=[number]))
        load(path, [*messages, state(number)], **config, nesting="tables")
    tables = [
        ("crm_data", "big_orders"),
        ("crm_data", "orders"),
        ("raw", "orders"),
        ("rest", "orders"),
        ("rest", "plain"),
    ]
    found = query(
        path,
        "SELECT schema_name, table_name FROM duckdb_tables() "
        "WHERE table_name NOT LIKE '\\_%' ESCAPE '\\' AND NOT contains(table_name, '__') "
        "ORDER BY ALL",
    )
    assert found == tables
    for dataset, table in tables:
        assert query(path, f"SELECT id FROM {dataset}.{table}") == [(1,)]  # noqa: S608
        assert query(path, f"SELECT value FROM {dataset}.{table}__items") == [(2,)]  # noqa: S608
    for dataset in ("crm_data", "raw", "rest"):
        assert query(path, f"SELECT count(*) FROM {dataset}._dlt_loads") == [(2,)]  # noqa: S608
        pipeline = dlt_attach(path, "db", dataset, tmp_path / f"pipelines_{dataset}")
        assert pipeline.state["sources"]["singer"]["state"] == 2
        assert len(pipeline.dataset()[next(t for d, t in tables if d == dataset)].fetchall()) == 1


def test_all_schemas_are_written_or_none(tmp_path):
    path = tmp_path / "db.duckdb"
    config = {"schema_mapping": {"a": {"target_schema": "one"}, "b": {"target_schema": "two"}}}
    names = ("a-t", "b-t")
    first = [schema(name, {"id": INTEGER}, ["id"]) for name in names]
    load(path, [*first, *(record(name, id=1) for name in names)], **config)
    import duckdb  # noqa: PLC0415

    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE two.t ADD COLUMN must INTEGER")
        connection.execute("UPDATE two.t SET must = 1")
        connection.execute("ALTER TABLE two.t ALTER COLUMN must SET NOT NULL")
    with pytest.raises(LoaderError, match="NOT NULL"):
        load(path, [*first, *(record(name, id=2) for name in names)], **config)
    for dataset in ("one", "two"):
        assert query(path, f"SELECT id FROM {dataset}.t") == [(1,)]  # noqa: S608
        assert query(path, f"SELECT count(*) FROM {dataset}._dlt_loads") == [(1,)]  # noqa: S608


@pytest.mark.parametrize("entry", [{}, "raw", {"target_schema": ""}])
def test_a_mapping_without_a_schema_is_named(tmp_path, entry):
    with pytest.raises(LoaderError, match=r"'schema_mapping.public' must be .*target_schema"):
        load(tmp_path / "db.duckdb", MESSAGES, schema_mapping={"public": entry})


def test_settings_of_duckdb_are_set(tmp_path):
    spill = tmp_path / "spill"
    settings = {"threads": 2, "memory_limit": "300MB", "temp_directory": str(spill)}
    target = TargetDuckDB(config={"path": str(tmp_path / "db.duckdb"), "settings": settings})
    names = "'threads', 'memory_limit', 'temp_directory', 'TimeZone'"
    sql = f"SELECT value FROM duckdb_settings() WHERE name IN ({names}) ORDER BY name"  # noqa: S608
    engine: Any = target._load._open_engine()
    with engine._open() as datasets:
        found = datasets("main").connection.execute(sql).fetchall()
    assert found == [("UTC",), ("286.1 MiB",), (str(spill),), ("2",)]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"thread": 2}, "wrong settings: DuckDB has no setting 'thread' .*threads"),
        ({"threads; DROP": 2}, "wrong settings: DuckDB has no setting 'threads; DROP'"),
        ({"threads": "hunter2"}, "DuckDB does not take the value of 'settings.threads'"),
        ({"memory_limit": "hunter2"}, "DuckDB does not take the value of 'settings.memory_limit'"),
    ],
)
def test_a_wrong_setting_of_duckdb_is_named_before_anything_is_read(tmp_path, settings, error):
    with pytest.raises(LoaderError, match=error) as caught:
        TargetDuckDB(config={"path": str(tmp_path / "db.duckdb"), "settings": settings})
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_versions_can_be_left_unheeded(tmp_path):
    path = tmp_path / "db.duckdb"
    activate = '{"type": "ACTIVATE_VERSION", "stream": "t", "version": 9}'
    load(path, MESSAGES)
    config = {"process_activate_version_messages": False, "hard_delete": True}
    load(path, [SCHEMA, record("t", id=2), activate], **config)
    assert query(path, "SELECT id FROM t ORDER BY id") == [(1,), (2,)]


def location(monkeypatch, environment=None, **config):
    for name in ("MOTHERDUCK_TOKEN", "motherduck_token"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (environment or {}).items():
        monkeypatch.setenv(name, value)
    return locate(config)


@pytest.mark.parametrize(
    ("config", "environment", "name", "address"),
    [
        ({"path": "md:sales", "token": TOKEN}, {}, "md:sales", "md:sales"),
        ({"filepath": "motherduck:sales", "token": TOKEN}, {}, "md:sales", "md:sales"),
        ({"path": "md:", "token": TOKEN}, {}, "md:my_db", "md:my_db"),
        ({"path": "md:", "database": "sales", "token": TOKEN}, {}, "md:sales", "md:sales"),
        ({"path": "md:a", "dbname": "sales", "token": TOKEN}, {}, "md:sales", "md:sales"),
        ({"path": "md:sales"}, {"MOTHERDUCK_TOKEN": TOKEN}, "md:sales", "md:sales"),
        ({"path": "md:sales"}, {"motherduck_token": TOKEN}, "md:sales", "md:sales"),
        ({"path": f"md:sales?motherduck_token={TOKEN}"}, {}, "md:sales", "md:sales"),
        ({"path": f"md:///sales?token={TOKEN}"}, {}, "md:sales", "md:sales"),
        (
            {"path": f"md:sales?token={TOKEN}&saas_mode=true"},
            {},
            "md:sales",
            "md:sales?saas_mode=true",
        ),
    ],
)
def test_a_database_of_motherduck_is_addressed(monkeypatch, config, environment, name, address):
    found = location(monkeypatch, environment, **config)
    assert (found.name, found.address, found.is_file) == (name, address, False)
    assert found.stem == name.removeprefix("md:")
    assert found.config["motherduck_token"] == TOKEN
    assert TOKEN not in f"{found!r} {found.name} {found.address}"
    assert found.without_secrets(f"bad {TOKEN}!") == "bad ***!"


def test_the_token_of_the_settings_comes_first(monkeypatch):
    environment = {"MOTHERDUCK_TOKEN": "not-this-one"}
    config = {"path": "md:sales?token=nor-this-one", "token": TOKEN}
    assert location(monkeypatch, environment, **config).config["motherduck_token"] == TOKEN


def test_a_missing_token_is_named(monkeypatch):
    with pytest.raises(LoaderError, match=r"'token' is missing: md:sales .* MOTHERDUCK_TOKEN"):
        location(monkeypatch, path="md:sales")


def test_motherduck_out_of_reach_is_one_line_without_the_token(tmp_path):
    """DuckDB's extension for MotherDuck cannot be had through a proxy that is not there."""
    config = {"path": f"md:sales?motherduck_token={TOKEN}"}
    proxy = "http://127.0.0.1:9"
    environment = {**os.environ, "HOME": str(tmp_path), "HTTP_PROXY": proxy, "http_proxy": proxy}
    result = run(config=config, folder=tmp_path, messages=MESSAGES, cwd=tmp_path, env=environment)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = problems(result.stderr)
    assert "cannot open md:sales: " in line
    assert TOKEN not in result.stderr
    assert {file.name for file in tmp_path.iterdir()} <= {"config.json", ".duckdb"}
