"""Catalogs as people write them: read for what they mean, or refused in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import (
    BY_DEFAULT,
    NAMES,
    Record,
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

Change = Callable[[Record], object]


def runs_entry(change: Change | None = None) -> Record:
    """The catalog with the runs and the accounts selected, and the entry of the runs changed."""
    catalog = catalog_of(["dbt_runs", "dbt_accounts"])
    (entry,) = (e for e in catalog["streams"] if e["tap_stream_id"] == "dbt_runs")
    if change is not None:
        change(entry)
    return catalog


def with_metadata(*more: Any) -> Change:
    return lambda entry: entry["metadata"].extend(more)


def root(**facts: Any) -> Change:
    def change(entry: Record) -> None:
        (each,) = (m for m in entry["metadata"] if not m["breadcrumb"])
        each["metadata"].update({name.replace("_", "-"): value for name, value in facts.items()})

    return change


REFUSED: dict[str, tuple[Record, str]] = {
    "nothing": ({}, "no list of streams"),
    "null": ({"streams": None}, "no list of streams"),
    "object": ({"streams": {"dbt_runs": {}}}, "no list of streams"),
    "no entry": ({"streams": [None]}, "streams[0] has no tap_stream_id"),
    "no id": ({"streams": [{"schema": {}}]}, "streams[0] has no tap_stream_id"),
    "a number as id": ({"streams": [{"tap_stream_id": 5}]}, "streams[0] has no tap_stream_id"),
    "twice": ({"streams": runs_entry()["streams"] * 2}, "is in it twice"),
    "unknown and odd": ({"streams": [{"tap_stream_id": "x", "schema": 5}]}, "schema that is none"),
    "metadata": (
        runs_entry(lambda e: e.update(metadata={"selected": True})),
        "metadata of dbt_runs",
    ),
    "breadcrumb of text": (
        runs_entry(with_metadata({"breadcrumb": "properties.id", "metadata": {}})),
        "of dbt_runs has no breadcrumb",
    ),
    "breadcrumb of numbers": (
        runs_entry(with_metadata({"breadcrumb": [5, []], "metadata": {}})),
        "of dbt_runs has no breadcrumb",
    ),
    "no breadcrumb": (runs_entry(with_metadata({"metadata": {}})), "has no breadcrumb"),
    "metadata of null": (runs_entry(with_metadata(None)), "has no breadcrumb"),
    "facts of text": (
        runs_entry(with_metadata({"breadcrumb": [], "metadata": "x"})),
        "of dbt_runs is no object",
    ),
    "selected as text": (runs_entry(root(selected="false")), "neither true nor false"),
    "forced method": (runs_entry(root(forced_replication_method="X")), "forced-replication-method"),
    "keys of metadata": (runs_entry(root(table_key_properties=5)), "table-key-properties"),
    "schema of text": (runs_entry(lambda e: e.update(schema="x")), "dbt_runs has a schema"),
    "columns in a list": (
        runs_entry(lambda e: e["schema"].update(properties=["id"])),
        "dbt_runs has a schema",
    ),
    "a column of a number": (
        runs_entry(lambda e: e["schema"]["properties"].update(status=5)),
        "dbt_runs has a schema",
    ),
    "a type of a number": (
        runs_entry(lambda e: e["schema"]["properties"]["status"].update(type=5)),
        "dbt_runs has a schema",
    ),
    "another key": (runs_entry(lambda e: e.update(key_properties=["status"])), "account_id, id"),
    "unknown key": (
        runs_entry(lambda e: e.update(key_properties=["account_id", "id", "x"])),
        "account_id, id",
    ),
    "key as text": (runs_entry(lambda e: e.update(key_properties="id")), "account_id, id"),
    "key of lists": (runs_entry(lambda e: e.update(key_properties=[[5]])), "account_id, id"),
    "method": (runs_entry(lambda e: e.update(replication_method="X")), "replicated by 'X'"),
    "method of databases": (
        runs_entry(lambda e: e.update(replication_method="LOG_BASED")),
        "replicated by 'LOG_BASED'",
    ),
    "replication key": (runs_entry(lambda e: e.update(replication_key="x")), "no column 'x'"),
    "replication keys": (runs_entry(lambda e: e.update(replication_key=["id"])), "no column"),
    "another name": (runs_entry(lambda e: e.update(stream="runs")), "stream_maps"),
}


@pytest.mark.parametrize(("catalog", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_in_a_line(
    catalog: Record, words: str, tmp_path: Path
) -> None:
    for name, content in {"config": {"dbt_token": "fake"}, "catalog": catalog}.items():
        (tmp_path / name).write_text(json.dumps(content))
    outcome = command("--config", tmp_path / "config", "--catalog", tmp_path / "catalog")
    assert outcome.code == 1
    (line,) = outcome.log
    assert all(word in line for word in ("ERROR", "--catalog: ", words, "--discover"))


READ: dict[str, Record] = {
    "only ids": {"streams": [{"tap_stream_id": name} for name in ("dbt_runs", "dbt_accounts")]},
    "only names": {"streams": [{"stream": name} for name in ("dbt_runs", "dbt_accounts")]},
    "metadata of null": {
        "streams": [{"tap_stream_id": n, "metadata": None} for n in ("dbt_runs", "dbt_accounts")]
    },
    "no id": runs_entry(lambda e: e.pop("tap_stream_id")),
    "no schema": runs_entry(lambda e: e.pop("schema")),
    "schema of null": runs_entry(lambda e: e.update(schema=None)),
    "schema without columns": runs_entry(lambda e: e.update(schema={"type": "object"})),
    "no column of the key": runs_entry(lambda e: e["schema"]["properties"].pop("id")),
    "no key": runs_entry(lambda e: e.update(key_properties=None)),
    "key of nothing": runs_entry(lambda e: e.update(key_properties=[])),
    "a longer key": runs_entry(lambda e: e.update(key_properties=["dbt_host", "id", "account_id"])),
    "facts of null": runs_entry(
        with_metadata({"breadcrumb": ["properties", "id"], "metadata": None})
    ),
    "unknown columns": runs_entry(lambda e: e["schema"]["properties"].update(x={"type": "string"})),
}


@pytest.mark.parametrize("catalog", READ.values(), ids=READ)
def test_what_is_harmless_is_read(catalog: Record, still: Simulator) -> None:
    outcome = sync(settings(still, "dbt"), catalog=catalog)
    assert outcome.code == 0, outcome.log
    assert not outcome.says("WARNING")
    assert set(outcome.schemas) == {"dbt_runs", "dbt_accounts"}
    assert len(outcome.latest("dbt_runs")) == len(still.rows("dbt_runs"))
    again = sync(settings(still, "dbt"), catalog=catalog, state=outcome.state)
    assert len(again.records("dbt_runs")) < len(outcome.records("dbt_runs")), "is not incremental"
    (key,) = {
        tuple(m["key_properties"])
        for m in outcome.messages
        if m.get("stream") == "dbt_runs" and m["type"] == "SCHEMA"
    }
    assert {"account_id", "id"} <= set(key)


def test_a_stream_whose_parent_is_not_in_the_catalog(still: Simulator) -> None:
    catalog = catalog_of(["pulumi_stack_updates"])
    (only,) = (e for e in catalog["streams"] if e["tap_stream_id"] == "pulumi_stack_updates")
    outcome = sync(settings(still, "pulumi"), catalog={"streams": [only]})
    assert outcome.code == 0, outcome.log
    assert set(outcome.schemas) == {"pulumi_stack_updates"}
    rows = still.rows("pulumi_stack_updates")
    assert len(outcome.latest("pulumi_stack_updates")) == len(rows)


def test_the_taps_own_catalog_is_taken_as_it_is(still: Simulator) -> None:
    outcome = sync(settings(still), catalog=catalog_of(NAMES))
    assert outcome.code == 0
    assert set(outcome.schemas) >= set(BY_DEFAULT)


def test_a_column_that_is_mistyped_is_not_deselected_in_silence(still: Simulator) -> None:
    crumb = {"breadcrumb": ["properties", "user_emial"], "metadata": {"selected": False}}
    catalog = discover()
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "pulumi_organization_members":
            entry["metadata"].append(crumb)
    outcome = sync(settings(still, "pulumi"), catalog=catalog)
    assert outcome.code == 0
    (warning,) = outcome.logged("WARNING")
    assert "pulumi_organization_members" in warning
    assert "user_emial" in warning


# What a catalog selects


def test_nothing_selected_is_told(still: Simulator) -> None:
    outcome = sync(settings(still), select=[])
    assert outcome.code == 0
    assert outcome.logged("WARNING", "No stream of dbt Cloud is selected")
    assert outcome.logged("WARNING", "No stream of Pulumi Cloud is selected")
    assert still.requests() == []


def test_nothing_selected_of_one_service_is_told(still: Simulator) -> None:
    outcome = sync(settings(still), select=["dbt_accounts"])
    assert outcome.code == 0
    assert len(outcome.logged("WARNING")) == 1
    assert outcome.logged("WARNING", "No stream of Pulumi Cloud is selected")


def test_something_selected_is_no_warning(still: Simulator) -> None:
    assert not sync(settings(still)).says("WARNING")


@pytest.mark.slow
def test_unknown_streams_of_a_catalog_are_told(still: Simulator, tmp_path: Path) -> None:
    catalog = catalog_of(["dbt_accounts"])
    renamed: dict[str, Any] = json.loads(json.dumps(catalog["streams"][0]))
    for number in range(12):
        entry = {**renamed, "tap_stream_id": f"old_{number:02}", "stream": f"old_{number:02}"}
        catalog["streams"].append(entry)
    outcome = run_tap(config=settings(still, "dbt"), folder=tmp_path, catalog=catalog)
    assert outcome.code == 0, outcome.log
    assert len(outcome.records("dbt_accounts")) == len(still.rows("dbt_accounts"))
    warnings = outcome.logged("WARNING", "old_00, old_01", "old_09", "--discover")
    assert len(warnings) == 1, outcome.log
    assert "old_10" not in warnings[0]
    assert "and 2 more" in warnings[0]


def test_a_catalog_of_another_tap_is_told(still: Simulator, tmp_path: Path) -> None:
    catalog = discover()
    for entry in catalog["streams"]:
        entry["tap_stream_id"] = entry["stream"] = f"other_{entry['tap_stream_id']}"
    for name, content in {"config": settings(still), "catalog": catalog}.items():
        (tmp_path / name).write_text(json.dumps(content))
    outcome = command("--config", tmp_path / "config", "--catalog", tmp_path / "catalog")
    assert outcome.code == 0
    assert outcome.logged("WARNING", "other_")
    assert len(outcome.logged("WARNING", "No stream of", "is selected")) == 2
    assert not any(outcome.records(name) for name in NAMES)
