"""Secrets that a server answers, over real HTTP: none in a record, a state or the log."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.core.syncing import Outcome, sync
from tests.core.test_odd_servers import ALL, OddDbt, run_row
from tests.core.test_redaction import TOKENS, _own_secrets
from tests.scripted_server import Reply, ScriptedServer

__all__ = ["_own_secrets"]

RUNS = "dbt_runs"
PLAIN, ODD = TOKENS


class Spelled:
    """A server whose bodies are spelled as a test says."""

    def __init__(self, odd: OddDbt, spell: Any = lambda text: text.encode()) -> None:
        self.odd = odd
        self.spell = spell

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        answer = self.odd(path, query)
        return answer if isinstance(answer, Reply) else Reply(self.spell(json.dumps(answer)))


def read(rows: list[dict[str, Any]], token: str, spell: Any = None) -> Outcome:
    odd = OddDbt(ALL)
    odd.runs = rows
    with ScriptedServer(Spelled(odd, *filter(None, [spell]))) as server:
        outcome = sync({"dbt_token": token, "dbt_url": server.url}, select=[RUNS])
    assert outcome.code == 0, outcome.log
    assert not any(token in line for line in [*map(bytes.decode, outcome.lines), *outcome.log])
    return outcome


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_that_is_repeated_in_a_row(token: str) -> None:
    text = json.dumps({"headers": {"authorization": f"Token {token}"}})
    rows = [
        run_row(1, git_sha=f"Token {token}", more={"deep": [{f"x {token}": f"{token}{token}"}]}),
        run_row(2, git_branch=text, git_sha="abc"),
    ]
    first, second = read(rows, token).records(RUNS)
    assert first["git_sha"] == "Token [secret]"
    assert first["more"] == {"deep": [{"x [secret]": "[secret][secret]"}]}
    assert second["git_sha"] == "abc"
    if token is PLAIN:
        headers = json.loads(second["git_branch"])
        assert headers == {"headers": {"authorization": "Token [secret]"}}


def test_a_token_with_a_slash_that_is_escaped() -> None:
    rows = [run_row(1, git_sha=f"Token {ODD}")]
    outcome = read(rows, ODD, lambda text: text.replace("/", "\\/").encode())
    assert outcome.records(RUNS)[0]["git_sha"] == "Token [secret]"


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("spelled", ["d", "u_", "0123456789", "/+=", "&'", "dbtu_"])
@pytest.mark.parametrize("form", ["04x", "04X"])
def test_a_token_with_characters_spelled_by_their_numbers(
    token: str, spelled: str, form: str
) -> None:
    def numbered(text: str, backslashes: str) -> str:
        return re.sub(f"[{spelled}]", lambda found: f"{backslashes}u{ord(found[0]):{form}}", text)

    def spell(text: str) -> bytes:
        once = json.dumps(token)[1:-1]
        twice = json.dumps(json.dumps(token))[1:-1]
        text = text.replace("ONCE", numbered(once, "\\"))
        return text.replace("TWICE", numbered(twice, "\\\\")).encode()

    rows = [run_row(1, git_sha="Token ONCE", more={"KEY ONCE": "TWICE"})]
    (row,) = read(rows, token, spell).records(RUNS)
    assert row["git_sha"] == "Token [secret]"
    assert next(iter(row["more"])) == "KEY [secret]"
    if token is PLAIN:
        assert json.loads(row["more"]["KEY [secret]"]) == "[secret]"


def test_a_token_of_digits_breaks_no_number() -> None:
    rows = [run_row(12345678, git_sha="12345678", trigger_id=912345678)]
    (run,) = read_numbers(rows, "12345678")
    assert (run["id"], run["trigger_id"], run["git_sha"]) == (12345678, 912345678, "[secret]")


def read_numbers(rows: list[dict[str, Any]], token: str) -> list[dict[str, Any]]:
    odd = OddDbt(ALL)
    odd.runs = rows
    with ScriptedServer(odd) as server:
        return sync({"dbt_token": token, "dbt_url": server.url}, select=[RUNS]).records(RUNS)


SPELLINGS: dict[str, Any] = {
    "plain": lambda text: text.encode(),
    "slashes": lambda text: text.replace("/", "\\/").encode(),
    "ats": lambda text: text.replace("@", "\\u0040").encode(),
    "both": lambda text: text.replace("/", "\\/").replace("@", "\\u0040").encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "no number": lambda text: text.replace('"x"', "NaN").encode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_user_info_in_keys_values_and_text_within(spelling: str) -> None:
    url, shown = "https://deploy:PW-1@git.example/x", "https://deploy:***@git.example/x"
    text = json.dumps({"template": url, "note": "git@github.com:org/repo"})
    row = run_row(1, status_message=f"cannot clone {url}", more={url: [text, "x"]}, href=url)
    outcome = read([row, run_row(2, git_branch="a@b.example")], PLAIN, SPELLINGS[spelling])
    assert not any(b"PW-1" in line for line in outcome.lines)
    first, second = outcome.records(RUNS)
    assert first["status_message"] == f"cannot clone {shown}"
    assert json.loads(first["more"][shown][0]) == {**json.loads(text), "template": shown}
    assert second["git_branch"] == "a@b.example"


def test_an_error_that_names_a_url_with_a_password() -> None:
    def refuse(path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/accounts/":
            return OddDbt(ALL)(path, query)
        return Reply({"status": {"user_message": "no route to https://app:PW-1@db/x"}}, status=403)

    with ScriptedServer(refuse) as server:
        outcome = sync({"dbt_token": PLAIN, "dbt_url": server.url}, select=[RUNS])
    assert outcome.logged("https://app:***@db/x")
    assert not outcome.says("PW-1")


# Types and durations


def test_what_a_column_is_declared_with_holds_and_what_cannot_be_read_is_told_once() -> None:
    odd = run_row(3, git_sha={"a": 1}, duration="a while", trigger_id="x")
    rows = [
        run_row(1, git_sha=17, trigger_id="17", duration=61, run_duration="1 day, 0:00:01"),
        run_row(2, trigger_id=18, duration="24:00:36.5", queued_duration=""),
        odd,
        {**odd, "id": 4},
    ]
    outcome = read(rows, PLAIN)
    first, second, third, _ = outcome.records(RUNS)
    names = ("git_sha", "trigger_id", "duration", "duration_seconds", "run_duration_seconds")
    assert [first[name] for name in names] == ["17", 17, "61", 61, 86401]
    assert [second[name] for name in names[1:4]] == [18, "24:00:36.5", 86436]
    assert second["queued_duration_seconds"] is None
    assert [third[name] for name in names[:4]] == [{"a": 1}, "x", "a while", None]
    told = outcome.logged("WARNING", RUNS)
    assert len(told) == 3, told
    for words in (("git_sha", "an object"), ("trigger_id", "'x'"), ("duration", "'a while'")):
        assert outcome.logged("WARNING", *words)
    (summary,) = outcome.logged("INFO", f"{RUNS} ", " row")
    assert all(name in summary for name in ("git_sha", "trigger_id", "duration"))
