"""Settings as files, variables and templates write them: null, empty, and numbers as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.settings import check_start_date, tidy
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import Outcome, command, own_signals, sync
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

FAKE = "fake-token-for-tests"


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = dict(TapCloudAPIs.config_jsonschema)
    TapCloudAPIs.append_builtin_config(schema)
    return schema


SCHEMA = _schema()
SETTINGS = SCHEMA["properties"]
INTEGERS = [name for name, definition in SETTINGS.items() if "integer" in definition["type"]]
BOOLEANS = [name for name, definition in SETTINGS.items() if "boolean" in definition["type"]]
LISTS = [name for name, definition in SETTINGS.items() if "array" in definition["type"]]
#: What some settings need beside them.
BESIDE = {"flattening_enabled": {"flattening_max_depth": 1}}
TOKENS = {"dbt_token": FAKE, "pulumi_token": FAKE}


def taken(config: dict[str, Any], *, environment: bool = False) -> dict[str, Any]:
    """The settings as the tap has them."""
    with own_signals():
        return dict(TapCloudAPIs(config=config, parse_env_config=environment).config)


def from_environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> dict[str, Any]:
    """The settings as the tap has them, some of them from variables."""
    for name, value in values.items():
        monkeypatch.setenv(f"TAP_CLOUDAPIS_{name.upper()}", value)
    return taken({}, environment=True)


def refused(config: dict[str, Any], tmp_path: Path) -> str:
    """The one line that refuses the settings."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    outcome = command("--config", path)
    assert outcome.code == 1
    assert not outcome.lines
    errors = outcome.logged("ERROR")
    assert len(errors) == 1, outcome.log
    assert not outcome.says("Traceback")
    return errors[0]


@pytest.mark.parametrize("empty", [None, "", "  ", "\n"], ids=repr)
@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_null_or_empty_is_not_set(name: str, empty: str | None) -> None:
    others = {key: value for key, value in TOKENS.items() if key != name}
    assert taken({**others, name: empty}) == taken(others)


@pytest.mark.parametrize("name", SETTINGS)
def test_an_empty_variable_is_not_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_environment(monkeypatch, **{name: ""}) == taken({})


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("empty", [[], [""], [None, " "]], ids=repr)
def test_a_list_of_nothing_is_not_set(name: str, empty: list[Any]) -> None:
    assert taken({**TOKENS, name: empty}) == taken(TOKENS)


def test_everything_null_is_a_sync_like_any_other() -> None:
    with ScriptedServer(lambda _path, _query: {"data": [], "status": {}}) as server:
        used = {"dbt_token": FAKE, "dbt_url": server.url}
        plain = sync(used)
        nulls = sync({**dict.fromkeys(SETTINGS), **used})
        empties = sync({**dict.fromkeys(SETTINGS, ""), **used})
    assert plain.code == nulls.code == empties.code
    assert plain.logged("ERROR") == nulls.logged("ERROR") == empties.logged("ERROR")
    assert plain.schemas == nulls.schemas == empties.schemas


def test_no_token_but_empty_ones_is_no_token(tmp_path: Path) -> None:
    assert "no token" in refused({"dbt_token": None, "pulumi_token": " "}, tmp_path)


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", ["24", "24.0", "24.", 24.0, " 24 ", "+24", "024"], ids=repr)
def test_whole_numbers(name: str, value: Any) -> None:
    found = taken({**TOKENS, name: value})[name]
    assert (found, type(found)) == (24, int)


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("text", ["24", "24.0", " 24 "])
def test_whole_numbers_in_variables(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_environment(monkeypatch, **{name: text})[name] == 24


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize(
    "value",
    ["four", 24.5, "24.5", True, "true", "2 4", "1e3", "0x18", "24h", [24], {"a": 1}, "9" * 400],
    ids=lambda value: repr(value)[:12],
)
def test_what_is_no_whole_number(name: str, value: Any, tmp_path: Path) -> None:
    line = refused({**TOKENS, name: value}, tmp_path)
    assert f"{name} must be a whole number" in line, line


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in ("true", "True", "1", 1, "yes", "ON", " true ")),
        *((value, False) for value in ("false", "FALSE", "0", 0, "no", "off")),
    ],
)
def test_booleans(name: str, value: Any, expected: bool) -> None:
    assert taken({**TOKENS, **BESIDE.get(name, {}), name: value})[name] is expected


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize("value", ["maybe", 2, 0.5, [True], "truee"], ids=repr)
def test_what_is_no_boolean(name: str, value: Any, tmp_path: Path) -> None:
    assert f"{name} must be " in refused({**TOKENS, name: value}, tmp_path)


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize(("text", "expected"), [("1", True), ("off", False)])
def test_booleans_in_variables(
    name: str, text: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = {key: str(value) for key, value in BESIDE.get(name, {}).items()}
    assert from_environment(monkeypatch, **beside, **{name: text})[name] is expected


@pytest.mark.parametrize("name", LISTS)
def test_lists_with_blanks_in_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = SETTINGS[name]["items"].get("enum", ["17", "18"])[:2]
    assert taken({**TOKENS, name: ["", one, None, " "]})[name] == [one]
    found = from_environment(monkeypatch, **{name: f"{one}, ,{other},"})[name]
    assert [str(item).strip() for item in found] == [one, other]


def test_blanks_around_the_items_of_a_list_do_no_harm() -> None:
    asked: list[str] = []

    def answer(path: str, _query: dict[str, str]) -> Any:
        asked.append(path)
        return {"data": [{"id": 17, "name": "a"}] if path == "/api/v3/accounts/" else []}

    with ScriptedServer(answer) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, "dbt_account_ids": [" 17 ", ""]}
        outcome = sync(config, select=["dbt_accounts"])
    assert [record["id"] for record in outcome.records("dbt_accounts")] == [17], outcome.log


@pytest.mark.parametrize("value", [None, "", 1, []], ids=repr)
def test_a_setting_that_is_not_there_stays_an_error(value: Any, tmp_path: Path) -> None:
    line = refused({**TOKENS, "lookback_hour": value}, tmp_path)
    assert "no setting lookback_hour; did you mean lookback_hours?" in line


SIMPLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SIMPLE, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.dictionaries(st.sampled_from([*SETTINGS, "other"]), VALUES))
def test_tidy_settings_stay_tidy(settings: dict[str, Any]) -> None:
    tidied = tidy(settings, SCHEMA)
    assert tidied.keys() <= settings.keys()
    assert tidy(tidied, SCHEMA) == tidied
    assert ("other" in tidied) == ("other" in settings)


ACCEPTED = {
    "2026-01-31": "2026-01-31T00:00:00",
    "2026-01-31T00:00:00Z": "2026-01-31T00:00:00",
    "2026-01-31T00:00:00.5Z": "2026-01-31T00:00:00.5",
    "2026-01-31T00:00:00+02:00": "2026-01-30T22:00:00",
    "2026-01-31 00:00:00": "2026-01-31T00:00:00",
    "2024-02-29T23:59:59Z": "2024-02-29T23:59:59",
}
REFUSED = [
    "2023-20-11T00:00:00Z",
    "2023-11-31T00:00:00.000000Z",
    "yesterdayZ",
    "2023-11-20T25:00:00Z",
    "2023-02-29",
    "2023-02-29T00:00:00+02:00",
    "2023-11-20T23:60:00Z",
    "20231120",
    "1700000000",
    "31.01.2026",
    "2026-1-31",
    "Z",
    "0000-00-00",
    "2026-01-31T00:00:00Z; drop",
    "2026-01-31\nT00:00:00Z",
    "now",
]


@pytest.mark.parametrize("value", REFUSED, ids=ascii)
def test_start_dates_that_do_not_exist(value: str, tmp_path: Path) -> None:
    line = refused({**TOKENS, "start_date": value}, tmp_path)
    assert "start_date is not" in line
    assert "2026-01-31T00:00:00Z" in line


@pytest.mark.parametrize("value", ACCEPTED)
def test_start_dates(value: str) -> None:
    assert _first_run(value).startswith(ACCEPTED[value])


def _first_run(start_date: str) -> str:
    """From when on runs are asked for."""

    def answer(path: str, _query: dict[str, str]) -> Any:
        rows = [{"id": 1, "name": "a"}] if path == "/api/v3/accounts/" else []
        return {"data": rows, "extra": {"pagination": {"total_count": len(rows)}}}

    with ScriptedServer(answer) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url, "start_date": start_date}
        outcome: Outcome = sync(config, select=["dbt_runs"])
        assert outcome.code == 0, outcome.log
        queries = [r["query"] for r in server.requests if r["path"].endswith("/runs/")]
    texts = [value for query in queries for value in query.values() if "T" in value]
    assert texts, queries
    first: str = min(texts)
    return first.strip('["')


@given(st.text(max_size=30) | st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"))
def test_any_start_date_is_taken_or_refused(text: str) -> None:
    try:
        check_start_date(text)
    except TapError:
        return
    assert str(to_timestamp(text)).endswith("Z")
