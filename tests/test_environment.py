"""Settings from the environment and from ``.env``, as the tap and as the targets read them."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk import typing as th

import tap_cloudapis.environment
import target_dlt.environment
from tap_cloudapis.core.errors import TapError
from tap_cloudapis.tap import TapCloudAPIs
from target_dlt.errors import LoaderError
from tests.core.syncing import own_signals, run_tap, settings
from tests.loader.support import INTEGER, problems, query, record, run, schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.simulator_process import Simulator

    Reading = Callable[[], dict[str, Any]]

SWITCH = "CLOUDAPIS_DOTENV"
ENTRY = th.Property
SETTINGS = th.PropertiesList(
    ENTRY("text", th.StringType),
    ENTRY("other", th.StringType),
    ENTRY("number", th.IntegerType),
    ENTRY("flag", th.BooleanType),
    ENTRY("names", th.ArrayType(th.StringType)),
    ENTRY("ids", th.ArrayType(th.CustomType({"type": ["integer", "string"]}))),
    ENTRY("tree", th.ObjectType()),
).to_dict()


@pytest.fixture(name="read", params=[tap_cloudapis.environment, target_dlt.environment])
def reading(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Reading:
    """Read the settings in a working folder of its own, with the switch as it comes."""
    assert request.param.SWITCH == SWITCH
    monkeypatch.delenv(SWITCH)
    monkeypatch.chdir(tmp_path)
    log = logging.getLogger("environment")
    return lambda: request.param.read_settings(SETTINGS, "TAP_X_", log)


@pytest.fixture(name="setvar", params=["environment", "dotenv"])
def setting_a_variable(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Set a variable, in the environment or in `.env`."""

    def write(name: str, text: str) -> None:
        (tmp_path / ".env").write_text(f"{name}='{text}'\n")

    return monkeypatch.setenv if request.param == "environment" else write


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", "a b", "a b"),
        ("text", "", ""),
        ("text", "17", "17"),
        ("number", "17", 17),
        ("number", "many", "many"),
        ("flag", "true", True),
        ("flag", "ON", True),
        ("flag", "0", False),
        ("flag", "perhaps", "perhaps"),
        ("names", '["a", "b"]', ["a", "b"]),
        ("names", "a,b", ["a", "b"]),
        ("ids", '[1, "2"]', [1, "2"]),
        ("ids", "[1", ["[1"]),
        ("tree", '{"a": {"b": 0.5}}', {"a": {"b": 0.5}}),
        ("tree", "{", "{"),
    ],
)
def test_a_value_is_read(
    read: Reading, setvar: Callable[[str, str], None], name: str, text: str, value: Any
) -> None:
    setvar(f"TAP_X_{name.upper()}", text)
    assert read() == {name: value}


def test_the_environment_wins_and_stays_as_it_is(
    read: Reading,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dotenv = 'TAP_X_TEXT=file\nexport TAP_X_NUMBER="3"\nTAP_X_OTHER=${TAP_X_TEXT}-${HERE}\nHERE=x\n'
    (tmp_path / ".env").write_text(dotenv)
    monkeypatch.setenv("TAP_X_TEXT", "environment")
    before = dict(os.environ)
    with caplog.at_level(logging.INFO):
        assert read() == {"text": "environment", "number": 3, "other": "environment-"}
    assert dict(os.environ) == before
    assert caplog.messages == ["Settings from the .env of this folder: other, number"]
    monkeypatch.setenv("TAP_X_OTHER", "")
    assert read()["other"] == ""


def test_no_folder_but_the_working_folder_is_looked_at(
    read: Reading, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("TAP_X_TEXT=above\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert read() == {}
    (tmp_path / "work/.env").mkdir()
    assert read() == {}, "a folder of that name is no file of settings"


@pytest.mark.parametrize(("word", "is_off"), [("off", True), ("0", True), ("on", False)])
def test_the_switch(
    read: Reading, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str, *, is_off: bool
) -> None:
    (tmp_path / ".env").write_text("TAP_X_TEXT=file\n")
    monkeypatch.setenv(SWITCH, word)
    assert read() == ({} if is_off else {"text": "file"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"TAP_X_TEXT=a\n\nno equation: fake-token\n", "line 3 is not NAME=value"),
        (b'TAP_X_TEXT=a\nTAP_X_OTHER="fake-token\n', "line 2 is not NAME=value"),
        (b"TAP_X_TEXT=fake-token\xff\n", "it is not UTF-8"),
        (None, "Too many levels of symbolic links"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    read: Reading, tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is None:
        (tmp_path / ".env").symlink_to(".env")
    else:
        (tmp_path / ".env").write_bytes(content)
    with pytest.raises((TapError, LoaderError), match=words) as caught:
        read()
    assert str(caught.value).startswith(".env of the working folder: ")
    assert str(caught.value).endswith(f"({SWITCH}=off leaves it alone)")
    assert "fake-token" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_tap_takes_its_settings_from_dotenv(
    still: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = still.rows("dbt_accounts")[1]["id"]
    (tmp_path / ".env").write_text(
        f"TAP_CLOUDAPIS_DBT_TOKEN={still.dbt_token}\n"
        "TAP_CLOUDAPIS_DBT_URL=foreign.example.com\n"
        f"TAP_CLOUDAPIS_DBT_ACCOUNT_IDS=[{account}]\n"
    )
    monkeypatch.chdir(tmp_path)
    variables = {SWITCH: "on", "TAP_CLOUDAPIS_DBT_URL": still.dbt_url}
    outcome = run_tap("--config=ENV", env=variables)
    assert outcome.code == 0, outcome.log
    assert {row["id"] for row in outcome.records("dbt_accounts")} == {account}
    assert outcome.logged("Settings from the .env of this folder: dbt_token, dbt_account_ids")
    (tmp_path / ".env").write_text("dbt_token\n?: fake-token\n")
    outcome = run_tap("--config=ENV", env=variables)
    assert outcome.code == 1
    assert len(outcome.log) == 1
    assert outcome.logged("ERROR", "line 2 is not NAME=value")


def test_a_target_takes_its_settings_from_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "TARGET_DUCKDB_PATH=foreign.duckdb\nTARGET_DUCKDB_DEFAULT_TARGET_SCHEMA=raw\n"
    )
    messages = [schema("t", {"id": INTEGER}), record("t", id=1)]
    environment = {**os.environ, SWITCH: "on", "TARGET_DUCKDB_PATH": "db.duckdb"}
    done = run("--config=ENV", messages=messages, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert query(tmp_path / "db.duckdb", "SELECT id FROM raw.t") == [(1,)]
    assert not (tmp_path / "foreign.duckdb").exists()
    (tmp_path / ".env").write_text("?: fake-token\n")
    done = run("--config=ENV", messages=messages, cwd=tmp_path, env=environment)
    assert done.returncode == 1
    (line,) = problems(done.stderr)
    assert "line 1 is not NAME=value" in line


def test_tests_start_taps_and_targets_that_leave_dotenv_alone(
    still: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    foreign = {
        "TAP_CLOUDAPIS_DBT_URL": "foreign.example.com",
        "TAP_CLOUDAPIS_DBT_ACCOUNT_IDS": "[1]",
        "TAP_CLOUDAPIS_START_DATE": "2026-06-30",
        "TARGET_DUCKDB_PATH": "foreign.duckdb",
        "TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA": "foreign",
    }
    (tmp_path / ".env").write_text("".join(f"{key}={value}\n" for key, value in foreign.items()))
    monkeypatch.chdir(tmp_path)
    with own_signals():
        tap = TapCloudAPIs(config={}, parse_env_config=True)
    assert "dbt_url" not in tap.config
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"dbt_token": still.dbt_token, "dbt_url": still.dbt_url}))
    outcome = run_tap("--config", config, "--config=ENV")
    assert outcome.code == 0, outcome.log
    assert len(outcome.records("dbt_runs")) == len(still.rows("dbt_runs"))
    config.write_text(json.dumps({"path": "db.duckdb"}))
    done = run("--config", str(config), "--config=ENV", messages=map(bytes.decode, outcome.lines))
    assert done.returncode == 0, done.stderr
    assert query(tmp_path / "db.duckdb", "SELECT count(*) FROM main.dbt_runs") == [
        (len(still.rows("dbt_runs")),)
    ]
    assert not (tmp_path / "foreign.duckdb").exists()


NO_BUNDLE = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}


@pytest.mark.parametrize("variable", NO_BUNDLE)
@pytest.mark.parametrize("service", ["dbt", "pulumi"])
def test_certificates_that_are_not_there_are_one_line(
    service: str, variable: str, tmp_path: Path
) -> None:
    missing = tmp_path / "no such.pem"
    config = {f"{service}_token": "fake-token-for-tests", f"{service}_url": "http://127.0.0.1:9"}
    outcome = run_tap(config=config, folder=tmp_path, env={**NO_BUNDLE, variable: str(missing)})
    assert outcome.code == 1
    assert not outcome.says("Traceback")
    assert len(outcome.logged("ERROR")) == 1
    assert outcome.logged("ERROR", f"{variable} names a file that is not there", str(missing))


def test_empty_variables_name_no_certificates(still: Simulator, tmp_path: Path) -> None:
    outcome = run_tap(config=settings(still, "dbt"), folder=tmp_path, env=NO_BUNDLE)
    assert outcome.code == 0, outcome.log
