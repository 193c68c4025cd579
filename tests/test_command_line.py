"""The command line: discovery, documentation, dry runs, catalogs, maps, and mistakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core.marks import MarkedStream
from tests.core.syncing import (
    BY_DEFAULT,
    KEYS,
    KINDS,
    NAMES,
    assert_true,
    catalog_of,
    command,
    discover,
    run_tap,
    settings,
    sync,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator


def test_discovery_needs_no_configuration() -> None:
    outcome = run_tap("--discover")
    assert outcome.code == 0, outcome.log
    catalog = json.loads(b"".join(outcome.lines))
    streams = {entry["tap_stream_id"]: entry for entry in catalog["streams"]}
    assert sorted(streams) == sorted(NAMES)
    for name, entry in streams.items():
        assert tuple(entry["key_properties"]) == KEYS[name]
        assert entry["metadata"]
    methods = {name: entry["replication_method"] for name, entry in streams.items()}
    incremental = {name for name, method in methods.items() if method == "INCREMENTAL"}
    assert incremental >= {"dbt_runs", "pulumi_stack_updates"}
    assert incremental == {name for name, kind in KINDS.items() if issubclass(kind, MarkedStream)}


def test_about_as_json() -> None:
    outcome = command("--about", "--format=json")
    about = json.loads(b"".join(outcome.lines))
    assert about["name"] == "tap-cloudapis"
    properties = about["settings"]["properties"]
    assert {"dbt_token", "pulumi_token", "start_date", "on_forbidden"} <= properties.keys()
    assert properties["dbt_token"]["secret"] is True
    assert "batch" in about["capabilities"]


def test_about_as_markdown() -> None:
    outcome = command("--about", "--format=markdown")
    text = b"\n".join(outcome.lines).decode()
    assert outcome.code == 0
    assert text.startswith("# ")
    assert all(f"| {name} " in text for name in ("dbt_token", "lookback_hours", "user_agent"))


def test_version() -> None:
    outcome = command("--version")
    assert outcome.code == 0
    assert b"tap-cloudapis v" in b"".join(outcome.lines)


def test_a_sync_from_files(still: Simulator, tmp_path: Path) -> None:
    config, catalog = settings(still), catalog_of(["dbt_runs", "pulumi_stacks"])
    first = run_tap(config=config, catalog=catalog, folder=tmp_path)
    assert first.code == 0, first.log
    assert set(first.schemas) == {"dbt_runs", "pulumi_stacks"}
    assert_true(first.latest, still, ["dbt_runs", "pulumi_stacks"])
    assert not first.says("Traceback")
    second = run_tap(config=config, catalog=catalog, state=first.state, folder=tmp_path)
    assert second.code == 0
    assert 0 < len(second.records("dbt_runs")) < len(first.records("dbt_runs")) / 2


def test_unbuffered_output_is_whole(still: Simulator, tmp_path: Path) -> None:
    outcome = run_tap(config=settings(still), folder=tmp_path, env={"PYTHONUNBUFFERED": "1"})
    assert_true(outcome.latest, still, BY_DEFAULT)


def test_the_summary_names_every_stream(still: Simulator) -> None:
    outcome = sync(settings(still))
    for name in NAMES:
        lines = outcome.logged("INFO", f"{name} ", " row", " request")
        assert len(lines) == 1
        count = len(outcome.records(name))
        assert f" {count:,} {'row' if count == 1 else 'rows'} " in lines[0]
        assert " 1 requests" not in lines[0]
        assert " 1 retries" not in lines[0]
    total = sum(len(outcome.records(name)) for name in NAMES)
    assert len(outcome.logged("total", f"{total:,} rows")) == 1


def test_a_test_reads_one_record_of_each_stream(still: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(settings(still)))
    outcome = command("--config", path, "--test=records")
    assert outcome.code == 0, outcome.log
    found = {name: len(outcome.records(name)) for name in NAMES}
    assert max(found.values()) == 1
    owners = {"dbt_accounts", "pulumi_organizations"}
    of_owners = {n for n in NAMES if getattr(KINDS[n].parent_stream_type, "name", None) in owners}
    assert all(found[name] == 1 for name in owners | of_owners)
    assert len(still.requests()) < 2 * len(NAMES)


def test_a_test_writes_no_messages_before_its_table(still: Simulator, tmp_path: Path) -> None:
    outcome = run_tap("--test", config=settings(still), folder=tmp_path)
    assert outcome.code == 0, outcome.log
    assert outcome.lines == []
    assert outcome.logged("INFO", "dbt_runs ", " 1 row ")
    assert outcome.says("The test has passed")


def test_a_test_fails_with_a_wrong_token(still: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(settings(still, dbt_token="fake-and-wrong")))  # noqa: S106
    outcome = command("--config", path, "--test")
    assert outcome.code == 1
    assert outcome.logged("ERROR", "dbt_accounts", "dbt_token")


#: Files that hold no object, as bytes; ``None`` for a folder, ``...`` for no file.
BROKEN: dict[str, Any] = {
    "empty": b"",
    "binary": b"\x00\xff\xfe",
    "brace": b"{",
    "cut": b'{"bookmarks": {"dbt_ru',
    "word": b"nope",
    "deep": b"[" * 100_000,
    "number": b"5",
    "text": b'"x"',
    "null": b"null",
    "list": b"[]",
    "pairs": b'[["dbt_token", "fake"]]',
    "folder": None,
    "missing": ...,
}
NO_OBJECT = ("number", "text", "null", "list", "pairs")


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("option", ["config", "catalog", "state"])
def test_a_broken_file_is_one_line(option: str, kind: str, tmp_path: Path) -> None:
    path, content = tmp_path / "broken.json", BROKEN[kind]
    if content is None:
        path.mkdir()
    elif content is not ...:
        path.write_bytes(content)
    (tmp_path / "config.json").write_text('{"dbt_token": "fake"}')
    arguments = [] if option == "config" else ["--config", tmp_path / "config.json"]
    outcome = command(*arguments, f"--{option}", path)
    assert outcome.code == 1
    (line,) = outcome.log
    assert "ERROR" in line
    assert f"--{option}: " in line or "broken.json" in line
    if isinstance(content, bytes):
        assert ("not hold a JSON object" if kind in NO_OBJECT else "is not JSON") in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TAP_CLOUDAPIS_LOGLEVEL", "NOPE"),
        ("LOGLEVEL", "10"),
        ("SINGER_SDK_LOG_CONFIG", "folder"),
        ("SINGER_SDK_LOG_CONFIG", b"\x00\xff"),
        ("SINGER_SDK_LOG_CONFIG", b""),
        ("SINGER_SDK_LOG_CONFIG", b"{"),
        ("SINGER_SDK_LOG_CONFIG", b"version: 1\nhandlers: {a: {class: no.such}}"),
    ],
)
def test_logging_that_cannot_be_set_up_is_one_line(
    name: str, text: str | bytes, tmp_path: Path
) -> None:
    path = tmp_path / "logging.yml"
    if isinstance(text, bytes):
        path.write_bytes(text)
        text = str(path)
    elif text == "folder":
        text = str(tmp_path)
    outcome = run_tap(config={"dbt_token": "fake"}, folder=tmp_path, env={name: text})
    assert outcome.code == 1
    (line,) = outcome.log
    assert "ERROR" in line
    assert f"{name}: " in line


@pytest.mark.parametrize("path", ["", "missing.yml"])
def test_no_file_of_logging_is_no_failure(path: str, tmp_path: Path) -> None:
    outcome = run_tap("--version", env={"SINGER_SDK_LOG_CONFIG": path})
    assert outcome.code == 0
    assert bool(outcome.logged("WARNING", "missing.yml")) is bool(path)


class TestMaps:
    def test_filter_alias_and_computed_columns(self, still: Simulator) -> None:
        maps = {
            "dbt_runs": {
                "__alias__": "runs",
                "__filter__": "record['status'] == 20",
                "account_id": "account_id",
                "id": "id",
                "minutes": "record['duration_seconds'] // 60",
                "__else__": "__NULL__",
            }
        }
        outcome = sync(settings(still, "dbt", stream_maps=maps), select=["dbt_runs"])
        assert outcome.code == 0, outcome.log
        failed = {row["id"] for row in still.rows("dbt_runs") if row["status"] == 20}
        records = outcome.records("runs")
        assert {record["id"] for record in records} == failed
        assert {frozenset(record) for record in records} == {
            frozenset({"account_id", "id", "minutes"})
        }
        assert set(outcome.schemas) == {"runs"}
        marks = outcome.state["bookmarks"]["dbt_runs"]["partitions"][0]["marks"][""]
        account = still.rows("dbt_accounts")[0]["id"]
        ids = [row["id"] for row in still.rows("dbt_runs") if row["account_id"] == account]
        assert marks["last_id"] == max(ids), "what a map filters out was read nevertheless"

    def test_a_filtered_parent_has_no_children(self, still: Simulator) -> None:
        maps = {"pulumi_stacks": {"__filter__": "record['stack_name'] == 'dev'"}}
        outcome = sync(settings(still, "pulumi", stream_maps=maps))
        assert outcome.code == 0, outcome.log
        updates = outcome.records("pulumi_stack_updates")
        assert updates
        assert {record["stack_name"] for record in updates} == {"dev"}
        asked = [r["path"] for r in still.requests() if r["stream"] == "pulumi_stack_updates"]
        assert all("/dev/" in path for path in asked)

    def test_a_removed_stream(self, still: Simulator) -> None:
        gone = {"pulumi_organization_teams": "__NULL__"}
        outcome = sync(settings(still, "pulumi", stream_maps=gone))
        assert outcome.code == 0, outcome.log
        assert "pulumi_organization_teams" not in outcome.schemas
        assert not outcome.records("pulumi_organization_teams")
        assert_true(outcome.latest, still, ["pulumi_stacks", "pulumi_stack_updates"])

    def test_flattening(self, still: Simulator) -> None:
        more = {"flattening_enabled": True, "flattening_max_depth": 1}
        outcome = sync(settings(still, "dbt", **more), select=["dbt_runs"])
        assert outcome.code == 0, outcome.log
        records = outcome.records("dbt_runs")
        assert all("trigger" not in record for record in records)
        assert any(record.get("trigger__cause") for record in records)
        assert len(records) == len(still.rows("dbt_runs"))


def test_a_stream_that_is_not_selected_costs_nothing(still: Simulator) -> None:
    outcome = sync(settings(still), select=["pulumi_organization_teams"])
    assert set(outcome.schemas) == {"pulumi_organization_teams"}
    assert {r["stream"] for r in still.requests()} <= {
        "pulumi_organization_teams",
        "pulumi_organizations",
        None,
    }


def test_keys_cannot_be_deselected(still: Simulator) -> None:
    catalog = catalog_of(["pulumi_stacks"], pulumi_stacks=[*KEYS["pulumi_stacks"], "links"])
    outcome = sync(settings(still, "pulumi"), catalog=catalog)
    records = outcome.records("pulumi_stacks")
    assert all(set(KEYS["pulumi_stacks"]) <= record.keys() for record in records)
    assert all("links" not in record for record in records)


def test_the_catalog_names_every_column() -> None:
    described = {
        entry["tap_stream_id"]: entry["schema"]["properties"] for entry in discover()["streams"]
    }
    for properties in described.values():
        assert all(definition.get("description") for definition in properties.values())
