"""The settings: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.urls import normalize_url
from tests.core.syncing import command, run_tap, settings, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

FAKE = "fake-token-for-tests"


@pytest.mark.parametrize(
    ("given_url", "expected"),
    [
        ("cloud.getdbt.com", "https://cloud.getdbt.com"),
        (" cloud.getdbt.com ", "https://cloud.getdbt.com"),
        ("https://ab123.us1.dbt.com", "https://ab123.us1.dbt.com"),
        ("https://ab123.us1.dbt.com/", "https://ab123.us1.dbt.com"),
        ("https://ab123.us1.dbt.com/api", "https://ab123.us1.dbt.com"),
        ("https://ab123.us1.dbt.com/api/", "https://ab123.us1.dbt.com"),
        ("https://ab123.us1.dbt.com/api/v2", "https://ab123.us1.dbt.com"),
        ("https://ab123.us1.dbt.com/api/v3/", "https://ab123.us1.dbt.com"),
        ("HTTPS://AB123.us1.dbt.com", "https://ab123.us1.dbt.com"),
        ("pulumi.example.com:8443", "https://pulumi.example.com:8443"),
        ("https://example.com/pulumi/api", "https://example.com/pulumi"),
        ("https://example.com/rapid", "https://example.com/rapid"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080/api/v2", "http://127.0.0.1:8080"),
        ("localhost:8080", "http://localhost:8080"),
        ("https://localhost:8443", "https://localhost:8443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_urls_are_normalised(given_url: str, expected: str) -> None:
    assert normalize_url(given_url, "dbt_url") == expected
    assert normalize_url(expected, "dbt_url") == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://cloud.getdbt.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "ftp://cloud.getdbt.com",
        "",
        "https://",
        "https:///api",
        "https://user:fake-token-for-tests@cloud.getdbt.com",
        "https://cloud getdbt.com",
        "https://cloud.getdbt.com:port",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(TapError, match="dbt_url") as refusal:
        normalize_url(url, "dbt_url")
    assert FAKE not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(st.text(max_size=30))
def test_any_url_is_taken_or_refused(text: str) -> None:
    try:
        url = normalize_url(text, "dbt_url")
    except TapError:
        return
    assert url.startswith("https://") or "localhost" in url or "127." in url or "[::1]" in url


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"dbt_tokn": FAKE}, ["dbt_tokn", "did you mean dbt_token"]),
        ({"dbt_token": 17}, ["dbt_token", "text"]),
        ({"dbt_token": FAKE, "dbt_account_ids": FAKE}, ["dbt_account_ids", "array"]),
        ({"dbt_token": FAKE, "concurrency": 0}, ["concurrency", "1"]),
        ({"dbt_token": FAKE, "concurrency": 65}, ["concurrency", "64"]),
        ({"dbt_token": FAKE, "request_timeout_seconds": 86_401}, ["request_timeout_seconds"]),
        ({"dbt_token": FAKE, "request_time_limit_seconds": 0}, ["request_time_limit_seconds", "1"]),
        ({"dbt_token": FAKE, "max_answer_megabytes": 0}, ["max_answer_megabytes", "1"]),
        ({"dbt_token": FAKE, "lookback_hours": -1}, ["lookback_hours", "0"]),
        ({"dbt_token": FAKE, "on_forbidden": "ignore"}, ["on_forbidden", "skip, fail"]),
        ({"dbt_token": FAKE, "start_date": "yesterday"}, ["start_date", "2026-01-31"]),
        ({"dbt_token": FAKE, "dbt_job_ids": ["daily"]}, ["dbt_job_ids", "whole numbers"]),
        ({"dbt_token": FAKE, "dbt_url": "http://cloud.getdbt.com"}, ["dbt_url", "https"]),
        ({"pulumi_token": FAKE, "pulumi_url": "?"}, ["pulumi_url"]),
        ({}, ["dbt_token", "pulumi_token"]),
        ({"dbt_token": "  "}, ["no token"]),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_a_mistake_is_one_line(config: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    outcome = command("--config", path)
    assert outcome.code == 1
    errors = outcome.logged("ERROR")
    assert len(errors) == 1, outcome.log
    assert all(word in errors[0] for word in words), errors
    assert not outcome.says("Traceback")
    assert FAKE not in "\n".join(outcome.log)
    assert not outcome.lines


def test_settings_come_from_the_environment_too(still: Simulator, tmp_path: Path) -> None:
    account = still.rows("dbt_accounts")[1]["id"]
    variables = {
        "TAP_CLOUDAPIS_DBT_TOKEN": still.dbt_token,
        "TAP_CLOUDAPIS_DBT_URL": still.dbt_url,
        "TAP_CLOUDAPIS_DBT_ACCOUNT_IDS": f"[{account}]",
        "TAP_CLOUDAPIS_CONCURRENCY": "3",
        "TAP_CLOUDAPIS_START_DATE": "2026-06-01",
        "TAP_CLOUDAPIS_USER_AGENT": "our-warehouse",
    }
    outcome = run_tap("--config=ENV", env=variables)
    assert outcome.code == 0, outcome.log
    runs = outcome.records("dbt_runs")
    assert {run["account_id"] for run in runs} == {account}
    assert min(run["created_at"] for run in runs) > "2026-05"


def test_only_what_is_configured_is_read_and_the_rest_is_said(still: Simulator) -> None:
    outcome = sync(settings(still, "dbt"))
    assert outcome.code == 0
    assert {r["service"] for r in still.requests()} == {"dbt"}
    assert all(stream.startswith("dbt_") for stream in outcome.schemas)
    assert len(outcome.logged("INFO", "Pulumi Cloud is skipped", "pulumi_token")) == 1


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_concurrency_is_the_most_requests_in_flight(concurrency: int) -> None:
    from tests.scripted_server import ScriptedServer  # noqa: PLC0415

    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/api/user":
            return {"organizations": [{"githubLogin": "acme"}]}
        if path == "/api/user/stacks":
            return {
                "stacks": [
                    {"orgName": "acme", "projectName": "p", "stackName": f"s{i}", "lastUpdate": 1}
                    for i in range(24)
                ]
            }
        lists = {"updates": [], "members": [], "teams": [], "githubLogin": "acme"}
        return lists | {"stackName": "s", "paused": False, "resources": []}

    with ScriptedServer(answer, seconds=0.03) as server:
        config = {"pulumi_token": FAKE, "pulumi_url": server.url, "concurrency": concurrency}
        assert sync(config, select=["pulumi_stacks", "pulumi_stack_updates"]).code == 0
        assert concurrency / 2 <= server.most_in_flight <= concurrency
        assert {request["headers"]["authorization"] for request in server.requests} == {
            f"token {FAKE}"
        }
        assert {request["headers"]["accept"] for request in server.requests} == {
            "application/vnd.pulumi+8"
        }
        agents = {request["headers"]["user-agent"] for request in server.requests}
        assert len(agents) == 1
        assert agents.pop().startswith("tap-cloudapis/")
