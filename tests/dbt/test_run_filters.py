"""Runs by environment and by status, who has started them, and where their page is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import catalog_of, command, discover
from tests.core.test_odd_servers import FAKE
from tests.dbt.lists import ACCOUNT, REFUSED, Account, envelope, only
from tests.dbt.scripted import ago, run
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.syncing import Outcome

STREAM, PATH = "dbt_runs", "v2/runs/"
RUNNING, SUCCESS, ERROR, CANCELLED = 3, 10, 20, 30
AUDIT = {"trigger": {"actor": {"id": "9", "type": "user", "name": "a@example.com"}}}


class Runs:
    """The runs of an account, on a server that heeds what the tap asks for.

    Attributes:
        rows: What there is.
        refusal: What is answered where somebody asks who has started a run.
    """

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.refusal: Any = None

    def __call__(self, query: dict[str, str]) -> Any:
        asks = "audit" in query["include_related"]
        if asks and self.refusal is not None:
            return self.refusal
        rows = [row for row in self.rows if self._passes(row, query)]
        return [{**row, "audit": AUDIT if asks else None} for row in rows]

    def _passes(self, row: dict[str, Any], query: dict[str, str]) -> bool:
        if row["id"] <= int(query.get("id__gt", 0)):
            return False
        for name in ("environment_id", "job_definition_id"):
            if name in query and str(row[name]) != query[name]:
                return False
        if "pk__in" in query and str(row["id"]) not in query["pk__in"].strip("[]").split(","):
            return False
        return "range" not in "".join(query)


def ran(run_id: int, status: int = SUCCESS, environment: int = 61, job: int = 31) -> dict[str, Any]:
    is_open = status == RUNNING
    more: dict[str, Any] = {"finished_at": None, "is_complete": False} if is_open else {}
    found = run(run_id, status=status, environment_id=environment, job_definition_id=job, **more)
    return found | ({"created_at": ago(minutes=5)} if is_open else {})


def fails(folder: Path, **settings: Any) -> Outcome:
    """A command that is given a setting without sense."""
    path = folder / "config.json"
    path.write_text(json.dumps({"dbt_token": FAKE, "dbt_url": "http://127.0.0.1:9", **settings}))
    outcome = command("--config", path)
    assert outcome.code == 1
    return outcome


def ids(outcome: Any) -> list[int]:
    return [row["id"] for row in outcome.records(STREAM)]


def test_the_page_of_a_run_is_at_the_host_that_was_asked() -> None:
    (row,) = Account({PATH: Runs(ran(4))}).sync(STREAM).records(STREAM)
    host, _, path = row["run_url"].removeprefix("http://").partition("/")
    assert host.startswith("127.0.0.1:")
    assert path == f"deploy/{ACCOUNT}/projects/11/runs/4/"


def test_who_has_started_a_run_is_asked_for_where_it_is_selected() -> None:
    account = Account({PATH: Runs(ran(4))})
    (row,) = account.sync(STREAM).records(STREAM)
    assert "audit" not in row
    assert {query["include_related"] for _, query in account.asked} == {"trigger"}
    account = Account({PATH: Runs(ran(4))})
    (row,) = account.sync(catalog=selecting_audit()).records(STREAM)
    assert row["audit"] == AUDIT
    asked = {q["include_related"] for name, q in account.asked if name == PATH}
    assert asked == {"trigger,audit"}


def selecting_audit() -> dict[str, Any]:
    catalog = catalog_of([STREAM])
    (entry,) = [e for e in catalog["streams"] if e["tap_stream_id"] == STREAM]
    for meta in entry["metadata"]:
        if meta["breadcrumb"] == ["properties", "audit"]:
            assert meta["metadata"]["selected-by-default"] is False
            meta["metadata"]["selected"] = True
    return catalog


@pytest.mark.parametrize(
    "refusal", [REFUSED, Reply({"status": {"user_message": "audit is unknown"}}, status=400)]
)
@pytest.mark.parametrize("jobs", [[], [31, 32]])
def test_an_api_that_does_not_tell_is_asked_without_and_says_so_once(
    refusal: Reply, jobs: list[int]
) -> None:
    runs = Runs(ran(4), ran(5, job=32))
    runs.refusal = refusal
    account = Account({PATH: runs})
    outcome = account.sync(catalog=selecting_audit(), dbt_job_ids=jobs)
    assert sorted(ids(outcome)) == [4, 5]
    (warning,) = outcome.logged("WARNING")
    assert "does not tell who has started a run" in warning
    assert sum("audit" in query["include_related"] for _, query in account.asked) == 1


def test_no_other_column_is_left_out_by_default() -> None:
    left_out = [
        (entry["stream"], meta["breadcrumb"][-1])
        for entry in discover()["streams"]
        for meta in entry["metadata"]
        if meta["breadcrumb"] and meta["metadata"].get("selected-by-default") is False
    ]
    assert left_out == [(STREAM, "audit")]


# Environments


def test_environments_are_filtered_by_the_server_each_with_a_mark() -> None:
    runs = Runs(*(ran(n, environment=60 + n % 3) for n in range(1, 10)))
    account = Account({PATH: runs})
    outcome = account.sync(STREAM, dbt_environment_ids=[61, "62"])
    assert sorted(ids(outcome)) == [1, 2, 4, 5, 7, 8]
    assert {query.get("environment_id") for _, query in account.asked} == {"61", "62"}
    assert account.state is not None
    (part,) = account.state["bookmarks"][STREAM]["partitions"]
    assert set(part["marks"]) == {"environments=61", "environments=62"}
    more = account.sync(STREAM, dbt_environment_ids=[60, 61, 62])
    assert sorted(set(ids(more)) & {3, 6, 9}) == [3, 6, 9]
    every = account.sync(STREAM)
    assert set(ids(every)) == set(range(1, 10))


def test_jobs_and_environments_together_narrow_both() -> None:
    runs = Runs(*(ran(n, environment=60 + n % 2, job=30 + n % 3) for n in range(1, 13)))
    account = Account({PATH: runs})
    wanted: dict[str, Any] = {"dbt_job_ids": [30, 31], "dbt_environment_ids": [61]}
    outcome = account.sync(STREAM, **wanted)
    expected = {r["id"] for r in runs.rows if r["environment_id"] == 61}
    expected &= {r["id"] for r in runs.rows if r["job_definition_id"] in (30, 31)}
    assert set(ids(outcome)) == expected
    several = account.sync(STREAM, **wanted | {"dbt_environment_ids": [60, 61]})
    assert {query.get("environment_id") for _, query in account.asked} == {None}
    assert set(ids(several)) == {r["id"] for r in runs.rows if r["job_definition_id"] in (30, 31)}


def test_an_id_that_is_none_is_told(tmp_path: Path) -> None:
    account = Account({PATH: Runs(ran(1))})
    outcome = account.sync(STREAM, dbt_environment_ids=[99])
    assert outcome.logged("WARNING", "environment 99 of dbt_environment_ids", "check the id")
    assert fails(tmp_path, dbt_environment_ids=["prod"]).says("dbt_environment_ids", "'prod'")


# Statuses


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["success"], [1]),
        (["error", "cancelled"], [2, 3]),
        (["open"], [4]),
        (["success", "error", "cancelled", "open"], [1, 2, 3, 4]),
        ([], [1, 2, 3, 4]),
    ],
)
def test_statuses_narrow_what_is_emitted(statuses: list[str], expected: list[int]) -> None:
    runs = Runs(ran(1, SUCCESS), ran(2, ERROR), ran(3, CANCELLED), ran(4, RUNNING))
    account = Account({PATH: runs})
    outcome = account.sync(STREAM, dbt_run_statuses=statuses)
    assert ids(outcome) == expected
    assert outcome.says("INFO", STREAM, f" {len(expected)} row")
    without = Account({PATH: runs})
    whole = without.sync(STREAM)
    assert account.asked == without.asked, "asked for all the same"

    def marks(outcome: Any) -> Any:
        (part,) = outcome.state["bookmarks"][STREAM]["partitions"]
        (mark,) = part["marks"].values()
        return only(mark, "last_id", "open", "since")

    assert marks(outcome) == marks(whole)


def test_a_run_comes_when_it_has_one_of_the_statuses() -> None:
    runs = Runs(ran(1, SUCCESS), ran(2, RUNNING))
    account = Account({PATH: runs, f"{PATH}2/": lambda _: envelope(runs.rows[1])})
    assert ids(account.sync(STREAM, dbt_run_statuses=["error"])) == []
    runs.rows[1] = ran(2, ERROR)
    assert ids(account.sync(STREAM, dbt_run_statuses=["error"])) == [2]


def test_a_status_that_is_none_is_told_in_a_line(tmp_path: Path) -> None:
    outcome = fails(tmp_path, dbt_run_statuses=["failed"])
    assert outcome.says("dbt_run_statuses", "success")
    assert not outcome.says("Traceback")
