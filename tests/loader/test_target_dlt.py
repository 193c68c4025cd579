"""The console script target-dlt: settings, what is not installed, what cannot be reached."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import duckdb
import pytest

from target_dlt.engines.friendly import Explainer
from target_dlt.errors import LoaderError
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    DLT_SCRIPT,
    INTEGER,
    STRING,
    load_dlt,
    problems,
    raw_record,
    record,
    run,
    schema,
    started,
    state,
)
from tests.loader.warehouses import Delta, DuckDB, Postgres

SECRET = "sesame-77"  # noqa: S105
NOWHERE = f"postgresql://loader:{SECRET}@127.0.0.1:1/warehouse"
MESSAGES = [schema("t", {"id": INTEGER}, ["id"]), record("t", id=1), state({"n": 1})]


def test_about_and_version():
    about = json.loads(run("--about", "--format=json", script=DLT_SCRIPT).stdout)
    settings = about["settings"]["properties"]
    assert list(settings)[:5] == [
        "destination",
        "destination_config",
        "default_target_schema",
        "pipeline_name",
        "table_format",
    ]
    assert [name for name, setting in settings.items() if setting.get("secret")] == [
        "destination_config"
    ]
    assert all(setting["title"] and setting["description"] for setting in settings.values())
    assert about["settings"]["required"] == ["destination"]
    assert run("--version", script=DLT_SCRIPT).stdout.startswith("target-dlt v")


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({}, "wrong settings: 'destination' is missing"),
        (
            {"destination": "postgres", "destination_config": NOWHERE},
            "'destination_config' must be a JSON object",
        ),
        ({"destination": "postgres", "destination_config": {"credentials": NOWHERE}}, "refused"),
    ],
)
def test_an_error_is_one_line_without_the_secret(config, error, tmp_path):
    result = run(config=config, folder=tmp_path, messages=MESSAGES, script=DLT_SCRIPT)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = problems(result.stderr)
    assert error in line
    assert SECRET not in result.stderr


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"destination": "nowhere"}, "dlt has no destination 'nowhere'"),
        (
            {"destination": "duckdb", "destination_config": {"credential": "x"}},
            "takes no credential in destination_config, but create_indexes, credentials",
        ),
        ({"destination": "weaviate"}, "takes no Parquet files"),
        ({"destination": "mssql"}, "needs its ADBC driver"),
        ({"destination": "filesystem"}, "no bucket_url; set it in destination_config"),
        (
            {"destination": "postgres", "destination_config": {"credentials": {"host": "x"}}},
            "not configured: no",
        ),
        (
            {"destination": "postgres", "destination_config": {"credentials": SECRET}},
            "cannot parse the configuration value",
        ),
        ({"destination": "duckdb", "temp_dir": "nowhere"}, "temp_dir 'nowhere' is no folder"),
    ],
)
def test_what_is_wrong_is_named(config, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoaderError) as caught:
        load_dlt(MESSAGES, **config)
    assert error in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "config", "extra"),
    [
        ("deltalake", {"destination": "filesystem", "table_format": "delta"}, "delta"),
        ("pyiceberg", {"destination": "filesystem", "table_format": "iceberg"}, "iceberg"),
        ("adbc_driver_postgresql", {"destination": "postgres"}, "postgres"),
    ],
)
def test_what_is_not_installed_is_named_before_anything_is_read(module, config, extra, monkeypatch):
    """Without ADBC dlt would load CSV, in which an empty text is NULL."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(LoaderError) as caught:
        load_dlt([], **config)
    assert module in str(caught.value)
    assert f'pip install "tap-cloudapis[{extra}]"' in str(caught.value)


def test_a_package_that_a_destination_misses_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    config = {"bucket_url": "s3://lake"}
    with pytest.raises(LoaderError, match=r'pip install "dlt\[filesystem\]"'):
        load_dlt(MESSAGES, destination="filesystem", destination_config=config)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"credentials": f"snowflake://me:{SECRET}@host/db"}, f"cannot log in with {SECRET}"),
        ({"credentials": "postgresql://me:a%40b%2Fc-1@host/db"}, "password a@b/c-1 is wrong"),
        ({"credentials": {"password": SECRET}}, f"DSN user=me password={SECRET}"),
        ({"credentials": {"password": f"{SECRET}.db"}}, f"wrong: {SECRET}.db"),
        ({"credentials": {"private_key": SECRET, "aws": {"token": "t0ken"}}}, f"{SECRET} t0ken"),
        ({"credentials": f"host=x password={SECRET} user=me"}, f"no such thing: {SECRET}"),
    ],
)
def test_secrets_are_blotted_out_of_what_drivers_say(config, text):
    told = Explainer("snowflake", None, config)(RuntimeError(text))
    assert "***" in told
    assert not any(secret in told for secret in (SECRET, "a@b/c-1", "t0ken"))


def test_the_path_of_a_file_is_no_secret(tmp_path):
    path = str(tmp_path / "none" / "deep.duckdb")
    with pytest.raises(LoaderError, match=re.escape(path)):
        load_dlt(MESSAGES, destination="duckdb", destination_config={"credentials": path})


def test_dlts_own_configuration_works_too(tmp_path):
    warehouse = DuckDB(tmp_path)
    environment = {
        **os.environ,
        "DESTINATION__DUCKDB__CREDENTIALS": str(warehouse.path),
        "TARGET_DLT_DESTINATION": "duckdb",
        "TARGET_DLT_PIPELINE_NAME": "named",
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "work"),
    }
    for folder in ("home", "work"):
        (tmp_path / folder).mkdir()
    result = run(
        "--config=ENV", messages=MESSAGES, script=DLT_SCRIPT, env=environment, cwd=tmp_path / "work"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == '{"n": 1}\n'
    assert problems(result.stderr) == []
    assert [row["id"] for row in warehouse.rows("t")] == [1]
    assert [row["schema_name"] for row in warehouse.rows("_dlt_loads")] == ["named"]
    assert list((tmp_path / "work").iterdir()) == []
    assert list((tmp_path / "home").iterdir()) == []


def test_json_is_encoded_once_where_the_database_has_texts_for_it(tmp_path):
    path = tmp_path / "lite.db"
    messages = [
        schema("t", {"id": INTEGER, "tree": {"type": "object"}, "text": STRING}, ["id"]),
        record("t", id=1, tree={"a": [1, "x"]}, text=""),
    ]
    config = {"credentials": f"sqlite:///{path}"}
    for _ in range(2):
        load_dlt(
            messages,
            destination="sqlalchemy",
            destination_config=config,
            default_target_schema="main",
        )
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT id, tree, text FROM t").fetchall()
    assert rows == [(1, '{"a": [1, "x"]}', "")]


@needs_postgres
def test_a_wrong_password_is_named_without_it(server):
    warehouse = Postgres({**server, "password": SECRET}, "postgres")
    with pytest.raises(LoaderError, match="password authentication failed") as caught:
        load_dlt(MESSAGES, **warehouse.config)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


@needs_postgres
def test_a_full_run_by_the_console(server, tmp_path):
    warehouse = Postgres.new(server)
    result = run(config=warehouse.config, folder=tmp_path, messages=MESSAGES, script=DLT_SCRIPT)
    assert result.returncode == 0, result.stderr
    assert problems(result.stderr) == []
    assert [row["id"] for row in warehouse.rows("t")] == [1]


def test_a_signal_lets_the_commit_under_way_end(tmp_path):
    warehouse = Delta(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**warehouse.config, "batch_size_rows": 1}))
    lines = [schema("t", {"id": INTEGER})]
    for n in range(30):
        lines += [raw_record("t", f'{{"id": {n}}}'), state({"next": n + 1})]
    with started(DLT_SCRIPT, file, lines, subprocess.PIPE) as (process, stdout, stderr):
        told = [stdout.readline()]
        process.send_signal(signal.SIGTERM)
        told += stdout.readlines()
        errors = problems(stderr.read())
        assert process.wait(60) == 128 + signal.SIGTERM, errors
    (line,) = errors
    assert line.endswith(
        "Ended by signal 15 (SIGTERM): 0 records since the last commit were dropped"
    )
    reached = json.loads(told[-1])["next"]
    assert reached < 30
    assert sorted(row["id"] for row in warehouse.rows("t")) == list(range(reached))


def test_a_lake_without_its_extension_is_told_what_to_install(tmp_path):
    nowhere = {"extension_directory": str(tmp_path), "custom_extension_repository": "file:///no"}
    credentials = {
        "catalog": f"duckdb:///{tmp_path / 'catalog.duckdb'}",
        "storage": {"bucket_url": str(tmp_path / "files")},
        "global_config": nowhere,
    }
    config = {"destination": "ducklake", "destination_config": {"credentials": credentials}}
    result = run(config=config, folder=tmp_path, messages=MESSAGES, script=DLT_SCRIPT)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = problems(result.stderr)
    assert "DuckDB has no extension 'ducklake' and cannot fetch it" in line
    assert "pip install duckdb-ext-ducklake, which there is for some releases of DuckDB" in line
    assert f"(installed: {duckdb.__version__})" in line
