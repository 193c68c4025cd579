"""Tokens and user agents that no request can carry are refused by name, and never shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import Outcome, command, run_tap, sync
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The halves of a token; no message may show either.
ONE, TWO = "dbtu_h4lfOne", "h4lfTw0XyZ"
WHOLE = ONE + TWO
SERVICES = ["dbt", "pulumi"]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is secret in a test is forgotten behind it."""
    monkeypatch.setattr("tap_cloudapis.core.redaction._secrets", set())
    monkeypatch.setattr("tap_cloudapis.core.redaction._pattern", None)


@pytest.fixture(name="server", scope="module")
def a_server_with_nothing() -> Iterator[ScriptedServer]:
    body = {"data": [], "organizations": [], "stacks": [], "status": {"is_success": True}}
    with ScriptedServer(lambda _path, _query: body) as server:
        yield server


def refused(outcome: Outcome, setting: str) -> str:
    """The one line that refuses a setting."""
    assert outcome.code == 1
    assert not outcome.lines
    text = "\n".join(outcome.log)
    assert "Traceback" not in text
    assert ONE not in text
    assert TWO not in text
    errors = outcome.logged("ERROR")
    assert len(errors) == 1, outcome.log
    assert f"{setting} " in errors[0]
    return errors[0]


def run(tmp_path: Path, **config: Any) -> Outcome:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return command("--config", path)


ODD_TOKENS = [
    (f"{ONE}\n{TWO}", "a line break"),
    (f"{ONE}\r\n{TWO}", "a line break"),
    (f"{ONE}\u200b{TWO}", "U+200B"),
    (f"{WHOLE}\u200b", "U+200B"),
    (f"\ufeff{WHOLE}", "U+FEFF"),
    (f"{ONE}\u2026", "U+2026"),
    (f"\u201c{WHOLE}\u201d", "quotes"),
    (f'"{WHOLE}"', "quotes"),
    (f"'{WHOLE}'", "quotes"),
    (f"`{WHOLE}`", "quotes"),
    (f"Token {WHOLE}", "'Token'"),
    (f"token  {WHOLE}", "'token'"),
    (f"Bearer {WHOLE}", "'Bearer'"),
    (f"Authorization: {WHOLE}", "'Authorization:'"),
    (f"{ONE} {TWO}", "a blank"),
    (f"{ONE}\t{TWO}", "a tab"),
    (f"{ONE}\x00{TWO}", "U+0000"),
    (f"{ONE}\x7f{TWO}", "U+007F"),
    (f"{ONE}\u00a0{TWO}", "U+00A0"),
    (f"{ONE}\u2028{TWO}", "U+2028"),
    (f"{ONE}\U0001f511{TWO}", "U+1F511"),
    (f"{ONE}\ud800{TWO}", "U+D800"),
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("token", "words"), ODD_TOKENS, ids=lambda value: ascii(value)[1:-1])
def test_a_token_that_cannot_be_one(token: str, words: str, service: str, tmp_path: Path) -> None:
    config = {f"{service}_token": token, f"{service}_url": NOWHERE}
    assert words in refused(run(tmp_path, **config), f"{service}_token")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("around", [("", "\n"), ("", "\r\n"), ("  ", "\t"), ("\n\n", " ")])
def test_blanks_and_line_breaks_around_a_token_are_no_part_of_it(
    around: tuple[str, str], service: str, server: ScriptedServer
) -> None:
    server.requests.clear()
    config = {f"{service}_token": WHOLE.join(around), f"{service}_url": server.url}
    sync(config)
    sent = {request["headers"]["authorization"].split()[1] for request in server.requests}
    assert sent == {WHOLE}


def test_the_place_of_an_invisible_character_is_told(tmp_path: Path) -> None:
    outcome = run(tmp_path, dbt_token=f"abc\u200b{WHOLE}", dbt_url=NOWHERE)
    assert "at place 4)" in refused(outcome, "dbt_token")


def test_one_bad_token_of_two_is_refused_before_anything_is_asked(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.requests.clear()
    config = {"dbt_token": WHOLE, "dbt_url": server.url, "pulumi_url": server.url}
    refused(run(tmp_path, pulumi_token=f"{ONE}\u200b{TWO}", **config), "pulumi_token")
    assert not server.requests


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (f"{ONE}\n{TWO}", "a line break"),
        (f"{ONE}\r\nX-Other: {TWO}", "a line break"),
        (f"{ONE}\u200b{TWO}", "U+200B"),
        (f"caf\u00e9 {ONE}", "U+00E9"),
        (f"{ONE}\t{TWO}", "a tab"),
        (f"\ufeff{ONE}", "U+FEFF"),
        (f"{ONE}\u2026", "U+2026"),
    ],
    ids=lambda value: ascii(value)[1:-1],
)
@pytest.mark.parametrize("service", SERVICES)
def test_a_user_agent_that_cannot_be_a_header(
    service: str, agent: str, words: str, tmp_path: Path
) -> None:
    config = {f"{service}_token": "fake-token-for-tests", f"{service}_url": NOWHERE}
    assert words in refused(run(tmp_path, user_agent=agent, **config), "user_agent")


@pytest.mark.parametrize("agent", ["our-warehouse/1.0 (team data)", "  ours \n", '"ours"'])
@pytest.mark.parametrize("service", SERVICES)
def test_a_user_agent_of_ones_own(service: str, agent: str, server: ScriptedServer) -> None:
    server.requests.clear()
    config = {f"{service}_token": WHOLE, f"{service}_url": server.url, "user_agent": agent}
    sync(config)
    assert {request["headers"]["user-agent"] for request in server.requests} == {agent.strip()}


def test_a_token_from_the_environment_that_cannot_be_one() -> None:
    variables = {"TAP_CLOUDAPIS_PULUMI_TOKEN": f"Bearer {WHOLE}"}
    outcome = run_tap("--config=ENV", env=variables)
    assert "give the token alone" in refused(outcome, "pulumi_token")


@pytest.mark.parametrize("test", ["--test", "--test=records"])
def test_a_connection_test_refuses_it_too(test: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"dbt_token": f"{ONE} {TWO}", "dbt_url": NOWHERE}))
    refused(command("--config", path, test), "dbt_token")
