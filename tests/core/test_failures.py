"""What goes wrong: said in one line, with exit code 1 when data is missing, the rest delivered."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.connection import MAX_FIRST_TRIES
from tap_cloudapis.core.throttling import parse_retry_after
from tests.core.syncing import (
    BY_DEFAULT,
    KINDS,
    NAMES,
    Outcome,
    assert_rows,
    assert_true,
    family,
    latest,
    settings,
    sync,
)
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

pytestmark = pytest.mark.usefixtures("impatient")

FAKE = "fake-token-for-tests"

#: What is not there when a stream is refused. The name of an organization leads to its lists
#: even where its own data is refused.
WITHOUT = {name: family(name) for name in NAMES} | {"pulumi_organizations": set()}
# Streams that read the lists of another one, or what it asks of a run.
WITHOUT["dbt_run_steps"] = {"dbt_run_steps", "dbt_run_results", "dbt_source_freshness"}
WITHOUT["dbt_run_steps"] |= {"dbt_run_invocations"}
WITHOUT["dbt_runs"] = {"dbt_runs", "dbt_run_artifacts", *WITHOUT["dbt_run_steps"]}
# Which packages are in use, the list of packages tells.
WITHOUT["pulumi_registry_packages"] = {"pulumi_registry_packages", "pulumi_package_usage"}
# Where deployments do not tell which stacks were checked, each is asked.
WITHOUT["pulumi_deployments"] -= {"pulumi_drift_runs"}
#: Which stream has read something before it is refused the rest: files of the other kind.
PARTLY = {key: {"dbt_run_invocations"} for key in ("dbt_run_results", "dbt_source_freshness")}
#: Without the list of stacks, names stand in for their ids.
PARTLY["pulumi_stacks"] = {
    "pulumi_deployments",
    "pulumi_deployment_jobs",
    "pulumi_deployment_updates",
    "pulumi_drift_runs",
}
# Which updates there are, previews ask as well.
PARTLY["pulumi_stack_updates"] = {"pulumi_stack_previews"}
WITHOUT["pulumi_stack_updates"] |= {"pulumi_update_timelines", "pulumi_update_events"}
#: The streams with requests of their own, which can be refused.
ASKING = [name for name in NAMES if not KINDS[name].takes_parts and name != "dbt_run_invocations"]


def assert_plain(outcome: Outcome) -> None:
    """No traceback and nothing unexpected, every message one line, and no token."""
    text = "\n".join(outcome.log)
    assert "Traceback" not in text
    assert "unhandled" not in text
    assert "unexpected" not in text
    assert all(re.match(r"INFO |WARNING |ERROR ", line) for line in text.split("\n")), text
    assert FAKE not in text


def assert_of_other_files(stream: str, outcome: Outcome, simulator: Simulator) -> None:
    """What of a stream was read in part is of the files that were not refused, and true."""
    refused = {"dbt_run_results": "run_results", "dbt_source_freshness": "sources"}.get(stream)
    for name in PARTLY.get(stream, ()) if stream != "pulumi_stacks" else ():
        true, found = latest(simulator.rows(name), name), outcome.latest(name)
        assert found.keys() <= {key for key, row in true.items() if row.get("artifact") != refused}
        assert_rows({key: true[key] for key in found}, found, name)


@pytest.mark.parametrize("stream", ASKING)
def test_a_forbidden_stream_is_skipped_and_said(stream: str, tiny: Simulator) -> None:
    tiny.settings(forbid=[stream])
    outcome = sync(settings(tiny))
    assert_plain(outcome)
    without = WITHOUT[stream]
    assert_true(outcome.latest, tiny, set(NAMES) - without - PARTLY.get(stream, set()))
    assert not any(outcome.records(name) for name in without)
    assert_of_other_files(stream, outcome, tiny)
    if stream == "dbt_accounts":
        assert outcome.code == 1
        assert outcome.logged("ERROR", stream)
        return
    assert outcome.code == 0
    warnings = outcome.logged("WARNING", f"{stream}: skipped")
    assert 1 <= len(warnings) <= 3
    below = family(stream) - {stream, "pulumi_drift_runs"}
    assert all(name in line for line in warnings for name in below)
    assert stream == "pulumi_organizations" or all("permission" in line for line in warnings)
    summary = outcome.logged("INFO", f"{stream} ", " row")
    assert "skipped: " in summary[0]


@pytest.mark.parametrize("stream", ASKING)
def test_a_forbidden_stream_fails_if_it_must(stream: str, tiny: Simulator) -> None:
    tiny.settings(forbid=[stream])
    outcome = sync(settings(tiny, on_forbidden="fail"))
    assert_plain(outcome)
    assert outcome.code == 1
    assert outcome.logged("ERROR", f"{stream}: ")
    assert "FAILED" in outcome.logged("INFO", f"{stream} ", " row")[0]
    without = WITHOUT[stream] | PARTLY.get(stream, set())
    assert_true(outcome.latest, tiny, set(NAMES) - without)
    assert_of_other_files(stream, outcome, tiny)


@pytest.mark.parametrize("service", ["dbt", "pulumi"])
def test_a_wrong_token_ends_its_service_only(service: str, tiny: Simulator) -> None:
    outcome = sync(settings(tiny, **{f"{service}_token": FAKE}))
    assert_plain(outcome)
    assert outcome.code == 1
    errors = outcome.logged("ERROR")
    assert len(errors) == 1
    assert all(word in errors[0] for word in (f"{service}_token", f"{service}_url", "127.0.0.1"))
    assert_true(outcome.latest, tiny, [n for n in NAMES if not n.startswith(service)])
    assert not any(outcome.records(name) for name in NAMES if name.startswith(service))
    assert sum(r["service"] == service for r in tiny.requests()) == 1


@pytest.mark.parametrize("service", ["dbt", "pulumi"])
def test_nobody_there(service: str, tiny: Simulator) -> None:
    outcome = sync(settings(tiny, **{f"{service}_url": "http://127.0.0.1:9"}))
    assert_plain(outcome)
    assert outcome.code == 1
    assert len(outcome.logged("ERROR")) == 1
    assert outcome.logged("ERROR", f"{service}_url", "refused")
    assert_true(outcome.latest, tiny, [n for n in NAMES if not n.startswith(service)])


def test_a_name_that_cannot_be_resolved() -> None:
    outcome = sync({"dbt_token": FAKE, "dbt_url": "https://nowhere.invalid"})
    assert_plain(outcome)
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "dbt_url", "nowhere.invalid")) == 1


def test_an_account_that_is_named_and_not_there(still: Simulator) -> None:
    account = still.rows("dbt_accounts")[0]["id"]
    outcome = sync(settings(still, "dbt", dbt_account_ids=[account, 999]))
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "account 999", "dbt_account_ids")) == 1
    assert {r["id"] for r in outcome.records("dbt_accounts")} == {account}
    runs = [r for r in still.rows("dbt_runs") if r["account_id"] == account]
    assert len(outcome.records("dbt_runs")) == len(runs)


def test_an_organization_that_is_named_and_not_there(still: Simulator) -> None:
    name = still.rows("pulumi_organizations")[0]["org_name"]
    outcome = sync(settings(still, "pulumi", pulumi_organizations=[name, "no-such-org"]))
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "no-such-org", "pulumi_organizations")) == 1
    stacks = [r for r in still.rows("pulumi_stacks") if r["org_name"] == name]
    assert len(outcome.records("pulumi_stacks")) == len(stacks)


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/jobs/", "dbt_jobs"),
        ("/runs/", "dbt_runs"),
        ("/v3/.*/environments/", "dbt_environments"),
        ("/user/stacks", "pulumi_stacks"),
        ("/members", "pulumi_organization_members"),
    ],
)
def test_a_list_that_fails_for_ever_does_not_stop_the_others(
    path: str, stream: str, tiny: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_cloudapis.core.connection.MAX_TRIES", 3)
    tiny.faults([{"path": path, "status": 500, "times": 500}])
    outcome = sync(settings(tiny))
    assert_plain(outcome)
    assert outcome.code == 1
    assert outcome.logged("ERROR", f"{stream}: ", "500")
    whole = set(NAMES) - WITHOUT[stream] - PARTLY.get(stream, set())
    assert_true(outcome.latest, tiny, whole)
    again_settings = settings(tiny)
    tiny.clear_faults()
    again = sync(again_settings, state=outcome.state)
    assert again.code == 0
    assert_true(
        lambda name: {**outcome.latest(name), **again.latest(name)},
        tiny,
        ["dbt_runs", "pulumi_stack_updates"],
    )


def test_some_updates_that_cannot_be_read_are_read_at_the_next_sync(still: Simulator) -> None:
    still.faults([{"path": "/updates", "status": 403, "times": 5}])
    first = sync(settings(still, "pulumi"))
    second = sync(settings(still, "pulumi"), state=first.state)
    assert first.logged("WARNING", "pulumi_stack_updates: skipped")
    assert second.code == 0
    name = "pulumi_stack_updates"
    assert_true(lambda _: {**first.latest(name), **second.latest(name)}, still, [name])


@pytest.mark.parametrize("retry_after", [0, None])
def test_too_many_requests_are_waited_out(
    retry_after: int | None, still: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_cloudapis.core.throttling.FIRST_COOL_DOWN", 0.2, raising=False)
    still.faults(
        [{"path": "/runs/|/stacks", "status": 429, "times": 3, "retry_after": retry_after}]
    )
    outcome = sync(settings(still), select=BY_DEFAULT)
    assert outcome.code == 0, outcome.log
    assert_true(outcome.latest, still, BY_DEFAULT)
    assert sum(r["status"] == 429 for r in still.requests()) == 3


def test_a_rate_limit_is_kept_to(still: Simulator) -> None:
    still.settings(rate_limit=8, retry_after=1)
    chosen = [name for name in BY_DEFAULT if name.startswith("dbt_")]
    outcome = sync(settings(still, "dbt"), select=chosen)
    assert outcome.code == 0, outcome.log
    assert any(r["status"] == 429 for r in still.requests())
    assert_true(outcome.latest, still, chosen)


ODD_BODIES: list[Any] = [[], {}, None, 5, "text", [[]], {"data": 5}, {"data": {"a": 1}}]


@pytest.mark.parametrize("body", ODD_BODIES, ids=repr)
@pytest.mark.parametrize("service", ["dbt", "pulumi"])
def test_an_answer_of_another_shape_is_no_traceback(service: str, body: Any) -> None:
    with ScriptedServer(lambda _path, _query: body) as server:
        outcome = sync({f"{service}_token": FAKE, f"{service}_url": server.url})
    assert_plain(outcome)
    assert outcome.code == 1, outcome.log
    assert outcome.logged("ERROR", service)


@pytest.mark.parametrize(
    "body", [b"<html>Sign in</html>", b"", b"{"], ids=["a web page", "nothing", "half"]
)
def test_a_host_that_is_no_api(body: bytes) -> None:
    asked: Counter[str] = Counter()

    def answer(path: str, query: dict[str, str]) -> Reply:
        asked[f"{path} {query}"] += 1
        return Reply(body)

    with ScriptedServer(answer) as server:
        outcome = sync({"dbt_token": FAKE, "dbt_url": server.url})
    assert_plain(outcome)
    assert outcome.code == 1
    assert outcome.logged("ERROR", "not JSON", "dbt_url")
    assert set(asked.values()) == {MAX_FIRST_TRIES}


@pytest.mark.parametrize("total", [3, 500])
def test_fewer_rows_than_announced_is_an_error(total: int) -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        rows: list[dict[str, Any]] = []
        if path == "/api/v3/accounts/":
            rows = [{"id": 1, "name": "Acme"}]
        elif path.endswith("/runs/") and "id__gt" not in query and query.get("offset") == "0":
            rows = [{"id": 1, "status": 10}, {"id": 2, "status": 10}]
        count = total if path.endswith("/runs/") else len(rows)
        return {"status": {}, "data": rows, "extra": {"pagination": {"total_count": count}}}

    with ScriptedServer(answer) as server:
        outcome = sync({"dbt_token": FAKE, "dbt_url": server.url})
    assert_plain(outcome)
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "dbt_runs", "fewer rows than it announces")) == 1
    assert [r["id"] for r in outcome.records("dbt_runs")] == [1, 2]


def test_an_error_in_the_envelope_of_a_success() -> None:
    body = {"status": {"is_success": False, "user_message": "Down for\nmaintenance"}, "data": None}
    with ScriptedServer(lambda _path, _query: body) as server:
        outcome = sync({"dbt_token": FAKE, "dbt_url": server.url})
    assert outcome.code == 1
    assert outcome.logged("ERROR", "dbt_accounts", "Down for maintenance")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e400", None),
        ("9" * 400, 1e9),
        ("Wed, 21 Oct 2015 07:28:00", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 1e9),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header) == seconds


def test_retry_after_as_a_date() -> None:
    seconds = parse_retry_after("Fri, 31 Dec 2099 23:59:59 GMT")
    assert seconds is not None
    assert seconds > 10**6


@given(st.text(max_size=40))
def test_any_retry_after(text: str) -> None:
    seconds = parse_retry_after(text)
    assert seconds is None or seconds >= 0
