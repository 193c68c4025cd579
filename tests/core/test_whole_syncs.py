"""Whole syncs against the simulator: every row, once, as it is, whatever the server does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator

from tap_cloudapis.core.ledger import LedgerStream
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.dbt import DBT_CLOUD
from tap_cloudapis.dbt.client import DbtStream, Paging
from tests.core.syncing import (
    KEYS,
    KINDS,
    NAMES,
    Outcome,
    assert_true,
    settings,
    sync,
    without_runs,
)
from tests.simulator_process import SECRET_MARKER

if TYPE_CHECKING:
    from tests.simulator_process import Simulator

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
LOOSE_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?.*")


@pytest.fixture(scope="session")
def whole(_still: Simulator) -> Outcome:
    """A first sync of everything."""
    outcome = sync(settings(_still))
    assert outcome.code == 0, outcome.log
    return outcome


def assert_once(outcome: Outcome) -> None:
    for stream in NAMES:
        assert len(outcome.records(stream)) == len(outcome.latest(stream)), stream


def assert_whole(outcome: Outcome, simulator: Simulator) -> None:
    assert outcome.code == 0, outcome.log
    assert_true(outcome.latest, simulator)
    assert_once(outcome)


def test_every_row_once_and_true(whole: Outcome, still: Simulator) -> None:
    assert_whole(whole, still)


def test_messages_come_in_the_order_of_the_protocol(whole: Outcome) -> None:
    described: list[str] = []
    for message in whole.messages:
        if message["type"] == "SCHEMA":
            described.append(message["stream"])
            assert tuple(message["key_properties"]) == KEYS[message["stream"]]
        elif message["type"] == "RECORD":
            assert message["stream"] in described
    assert sorted(described) == sorted(NAMES)
    assert whole.messages[-1]["type"] == "STATE"


def test_records_are_what_the_schemas_say(whole: Outcome) -> None:
    for stream, schema in whole.schemas.items():
        validator = Draft7Validator(schema)
        for record in whole.records(stream):
            errors = [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(record)]
            assert not errors, f"{stream}: {errors[:3]}"


def _values(schema: dict[str, Any], value: Any, path: str) -> Any:
    """Each declared value with its schema and its path."""
    if isinstance(value, dict):
        for name, definition in schema.get("properties", {}).items():
            if name in value:
                yield from _values(definition, value[name], f"{path}.{name}")
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            yield from _values(schema["items"], item, f"{path}[]")
    else:
        yield schema, value, path


def test_timestamps_have_one_form(whole: Outcome) -> None:
    seen = set()
    for stream, schema in whole.schemas.items():
        for record in whole.records(stream):
            for definition, value, path in _values(schema, record, stream):
                if definition.get("format") == "date-time" and value is not None:
                    assert TIMESTAMP.fullmatch(value), f"{path}: {value}"
                    assert not value.startswith(("0001", "1970-01-01T00:00:00")), path
                    seen.add(path)
                elif isinstance(value, str) and LOOSE_TIMESTAMP.fullmatch(value):
                    pytest.fail(f"{path} looks like a timestamp and is not declared as one")
    assert len(seen) > 20


def test_no_planted_secret_gets_out(whole: Outcome) -> None:
    text = b"\n".join(whole.lines).decode()
    assert "@example.com" in text, "e-mail addresses are kept"
    assert SECRET_MARKER not in text
    assert SECRET_MARKER not in "\n".join(whole.log)


def test_users_own_keys_stay_verbatim(whole: Outcome) -> None:
    updates = whole.records("pulumi_stack_updates")
    config = {name for record in updates for name in record["config"]}
    assert {"aws:region", "website:dbUser", "k8s.cluster:ALL_CAPS"} & config
    assert any(name.endswith(":ALL_CAPS") for name in config)
    environment = {name for record in updates for name in record["environment"]}
    assert {"git.author.email", "git.headName", "exec.kind"} <= environment
    changes = {name for record in updates for name in record.get("resource_changes") or {}}
    assert "create-replacement" in changes
    packs = [p for record in updates for p in record.get("policy_packs") or []]
    assert packs
    assert all(
        p["config"]["require-tags"]["requiredTags"] == ["Owner", "costCenter"] for p in packs
    )


def test_secret_configuration_keeps_its_key_and_mark(whole: Outcome) -> None:
    entries = [
        (name, entry)
        for record in whole.records("pulumi_stack_updates")
        for name, entry in record["config"].items()
    ]
    secrets = [entry for name, entry in entries if name.endswith(":dbPassword")]
    assert secrets
    assert all(e["secret"] is True and e["string"] is None for e in secrets)
    plain = [entry["string"] for name, entry in entries if name.endswith(":dbUser")]
    assert set(plain) == {"app"}


def test_no_volatile_column(whole: Outcome) -> None:
    """What changes at every read would make every row look changed."""
    for record in whole.records("dbt_runs"):
        assert not [name for name in record if name.endswith("_at_humanized")]
    again = {"latest_version", "deployment"}
    assert not [r for r in whole.records("pulumi_stack_updates") if again & r.keys()]


def test_requests_are_made_as_the_documents_ask(still: Simulator) -> None:
    assert sync(settings(still)).code == 0
    requests = still.requests()
    posted = {r["path"].rpartition("/")[2] for r in requests if r["method"] == "POST"}
    assert posted == {"issues", "policies", "policypacks"}, "searches, which only read"
    assert {r["method"] for r in requests} == {"GET", "POST"}
    assert {r["status"] for r in requests} <= {200, 204, 404}, "no redirect"
    refused = {r["stream"] for r in requests if r["status"] != 200}
    missing = {
        "dbt_extended_attributes",
        "dbt_run_results",
        "pulumi_stack_deployment_settings",
        "pulumi_usage_daily",  # 204: no usage at all
    }
    assert refused <= missing, "no redirect, nothing refused but what is not there"
    dbt = [r for r in requests if r["service"] == "dbt"]
    without_slash = re.compile(r"/webhooks/|\.json$")
    assert all(r["path"].endswith("/") is not bool(without_slash.search(r["path"])) for r in dbt)
    lists = [r for r in dbt if "limit" in r["query"]]
    assert lists
    assert all(int(r["query"]["limit"]) <= 100 for r in lists)
    unordered = {
        stream.name
        for stream in DBT_CLOUD.streams
        if issubclass(stream, DbtStream) and stream.paging is not Paging.ORDERED
    }
    assert all(r["query"]["order_by"] == "id" for r in lists if r["stream"] not in unordered)
    updates = [r for r in requests if r["stream"] == "pulumi_stack_updates"]
    assert all(r["query"]["output-type"] == "service" for r in updates)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"page_cap": 37},
        {"page_cap": 37, "over_cap": "reject"},
        {"page_cap": 2},
        {"page_cap": 2, "over_cap": "reject"},
        {"page_cap": 1},
        {"page_cap": 100, "ignore_keyset": True},
        {"page_cap": 9, "ignore_keyset": True},
        {"slash_redirect": False},
    ],
    ids=lambda behaviour: ",".join(f"{k}={v}" for k, v in behaviour.items()),
)
def test_whatever_the_pages_are(behaviour: dict[str, Any], still: Simulator) -> None:
    still.settings(**behaviour)
    # Of the longest list, a request for each row or two would show nothing that others do not.
    names = NAMES if behaviour.get("page_cap", 100) > 2 else set(NAMES) - {"dbt_audit_logs"}
    outcome = sync(settings(still, concurrency=4), select=names)
    assert outcome.code == 0, outcome.log
    assert_true(outcome.latest, still, names)
    assert_once(outcome)


@pytest.mark.usefixtures("impatient")
def test_answers_that_fail_now_and_then(still: Simulator) -> None:
    still.settings(error_rate=0.1, cut_rate=0.1, page_cap=10)
    outcome = sync(settings(still))
    assert_whole(outcome, still)
    assert sum(r["status"] == 503 for r in still.requests()) > 3
    assert sum(r["fault"] == "cut" for r in still.requests()) > 3


@pytest.mark.parametrize("status", [408, 500, 502, 504, "cut", "empty", "garbage"])
@pytest.mark.usefixtures("impatient")
def test_a_spoiled_answer_is_asked_for_again(status: int | str, tiny: Simulator) -> None:
    tiny.faults(
        [
            {"path": path, "status": status, "times": 2, "after": 1}
            for path in ("/runs/", "/updates", "/user/stacks", "/jobs/", "/metadata", "/members")
        ]
    )
    outcome = sync(settings(tiny))
    assert_whole(outcome, tiny)
    assert sum(r["fault"] == status for r in tiny.requests()) >= 10


def _without_times(outcome: Outcome) -> list[Any]:
    """The messages without what depends on the clock: times, and when a STATE is due."""
    return [
        {k: v for k, v in message.items() if k != "time_extracted"}
        for message in outcome.messages
        if message["type"] != "STATE"
    ]


def test_concurrency_changes_nothing_but_the_speed(still: Simulator) -> None:
    still.settings(page_cap=20)
    one = sync(settings(still, concurrency=1))
    many = sync(settings(still, concurrency=16))
    assert _without_times(one) == _without_times(many)
    assert one.state == many.state


def test_a_second_sync_emits_what_is_new_or_changed(still: Simulator, whole: Outcome) -> None:
    """Unchanged records of the two histories come only from ties and the look-back."""
    again = sync(settings(still, lookback_hours=0), state=whole.state)
    assert again.code == 0
    runs, updates = again.records("dbt_runs"), again.records("pulumi_stack_updates")
    open_runs = [r for r in whole.records("dbt_runs") if not r["is_complete"]]
    assert {r["id"] for r in open_runs} <= {r["id"] for r in runs}
    ended = [r for r in runs if r["is_complete"]]
    assert len(ended) <= 4, "those that ended at the very bookmark"
    assert all(r["result"] in ("in-progress", "not-started") for r in updates)
    for stream in NAMES:
        if not _reads_what_is_new(KINDS[stream]):
            assert again.latest(stream) == whole.latest(stream)
    third = sync(settings(still, lookback_hours=0), state=again.state)
    assert without_runs(third.state) == without_runs(again.state)


def _reads_what_is_new(kind: type[Any]) -> bool:
    """Whether a second sync has less of a stream, or of those whose rows lead to its own."""
    parent = kind.parent_stream_type
    own = issubclass(kind, (MarkedStream, LedgerStream))
    return own or (parent is not None and _reads_what_is_new(parent))
