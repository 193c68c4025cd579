"""Tables that are not there, columns of another type, and what dbt says of mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.models.dbt import Place
from tests.models.known import ERROR, NOW, run, update
from tests.models.tables import at, rows_of, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

RUN = {"account_id": 1, "id": 7, "status": 10, "job_definition_id": 5}


def lines_of(printed: str, phrase: str) -> list[str]:
    return [line for line in printed.splitlines() if phrase in line]


def test_an_account_with_one_run_and_nothing_else(tmp_path: Path) -> None:
    """Times are text, as some loaders have them; all other tables and columns are missing."""
    database = tmp_path / "small.duckdb"
    times = {
        "created_at": "2026-07-01T08:00:00+02:00",
        "started_at": "2026-07-01T06:00:30.500000Z",
        "finished_at": "2026-07-01T06:01:30.500000Z",
    }
    write(database, {"dbt_runs": [{**RUN, **times}]})
    printed = Place.duckdb(database).must("build", as_of="2026-07-02T00:00:00Z")
    assert "WARN=0 ERROR=0" in printed
    (run,) = rows_of(database, "FROM dbt_cloud__runs")
    assert (run["queue_seconds"], run["run_seconds"]) == (30.5, 60)
    assert run["job_name"] is None
    (job,) = rows_of(database, "FROM dbt_cloud__jobs")
    assert (job["health"], job["is_deleted"], job["runs_30d"]) == ("healthy", None, 1)
    assert rows_of(database, "FROM pulumi_cloud__stacks") == []

    # What is there by then is taken, and what is switched off is not.
    stacks = [{"org_name": "o", "project_name": "p", "stack_name": "s", "stack_id": "i"}]
    write(database, {"pulumi_stacks": stacks})
    Place.duckdb(database).must("run", streams_left_out=["dbt_runs"])
    assert rows_of(database, "FROM dbt_cloud__runs") == []
    (stack,) = rows_of(database, "FROM pulumi_cloud__stacks")
    assert stack["staleness"] == "never updated"


def test_a_test_that_fails_is_written_down_and_ends_dbt(tmp_path: Path) -> None:
    database = tmp_path / "twice.duckdb"
    write(database, {"dbt_runs": [RUN, RUN]})
    place = Place.duckdb(database)
    chosen = ("--select", "stg_dbt_cloud__runs", "--indirect-selection", "cautious")
    ended = place.dbt("build", *chosen)
    assert ended.code == 1
    assert "Tests of the models: 0 of 1 passed" in ended.printed
    (failed,) = rows_of(database, "FROM platform__tests")
    told = (failed["model"], failed["status"], failed["failures"])
    assert told == ("stg_dbt_cloud__runs", "fail", 1)
    # For who reads that table and tells of it.
    assert "Tests of the models: 0 of 1 passed" in place.must("build", *chosen, severity="warn")
    (failed,) = rows_of(database, "FROM platform__tests")
    assert (failed["model"], failed["status"], failed["failures"]) == told


@pytest.mark.parametrize(
    ("variables", "phrase"),
    [
        (
            {"report_time_zone": "Mars/Olympus"},
            'report_time_zone: no time zone is called "Mars/Olympus"; take a name of the tz',
        ),
        (
            {"source_schema": "elsewhere"},
            "No table of dbt Cloud or Pulumi Cloud is in the schema elsewhere of typo; set",
        ),
    ],
    ids=["zone", "schema"],
)
def test_a_mistake_is_told_in_one_line(
    variables: dict[str, Any], phrase: str, tmp_path: Path
) -> None:
    database = tmp_path / "typo.duckdb"
    write(database, {"dbt_runs": [RUN]})
    ended = Place.duckdb(database).dbt("run", "--select", "platform__as_of", **variables)
    assert ended.code != 0
    assert lines_of(ended.printed, phrase), ended.printed
    assert "Traceback" not in ended.printed
    with duckdb.connect(database, read_only=True) as connection:
        made = connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()
    assert made == [("dbt_runs",)]


def test_a_table_that_is_flattened_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "flat.duckdb"
    write(database, {"dbt_runs": [{**RUN, "trigger__cause": "Kicked off from the API"}]})
    ended = Place.duckdb(database).dbt("run", "--select", "stg_dbt_cloud__runs")
    assert ended.code != 0
    phrase = "The table dbt_runs is flattened: it has trigger__cause in place of trigger; load it"
    assert lines_of(ended.printed, phrase), ended.printed


def test_rows_that_are_marked_as_deleted_are_left_out(tmp_path: Path) -> None:
    database = tmp_path / "deleted.duckdb"
    stack = {"org_name": "o", "project_name": "p", "stack_name": "s", "stack_id": "i"}
    gone = {**stack, "stack_name": "gone", "stack_id": "j", "_sdc_deleted_at": at("1 8:00")}
    write(database, {"pulumi_stacks": [stack, gone]})
    Place.duckdb(database).must("run", "--select", "stg_pulumi_cloud__stacks")
    found = rows_of(database, "SELECT stack_id FROM stg_pulumi_cloud__stacks")
    assert found == [{"stack_id": "i"}]


def test_what_is_written_into_json_ends_no_build(tmp_path: Path) -> None:
    """Nor does the case in which `production` is written matter."""
    database = tmp_path / "odd.duckdb"
    rows = [
        update("Prod", "1 8:00", environment={"git.dirty": "", "git.head": "x"}),
        update("Prod", "2 8:00", resource_changes={"create": "many", "update": 2}),
        update("Prod", "3 8:00", resource_changes=["create"], environment={"git.dirty": "True"}),
    ]
    write(database, {"pulumi_stack_updates": rows})
    Place.duckdb(database).must("run", "--select", "+pulumi_cloud__updates", production="^PROD$")
    asked = "is_production, is_dirty, created, updated FROM pulumi_cloud__updates ORDER BY version"
    found = rows_of(database, f"SELECT {asked}")
    assert [tuple(row.values()) for row in found] == [
        (True, False, 1, 0),
        (True, False, 0, 2),
        (True, True, None, None),
    ]


def test_models_that_were_not_made_are_written_down(tmp_path: Path) -> None:
    database = tmp_path / "skipped.duckdb"
    write(database, {"dbt_runs": [RUN, RUN]})
    place = Place.duckdb(database)
    chosen = ("--select", "stg_dbt_cloud__runs", "dbt_cloud__runs")
    assert place.dbt("build", *chosen, "--indirect-selection", "cautious").code == 1
    found = rows_of(database, "SELECT test, status FROM platform__tests WHERE test = model")
    assert found == [{"test": "dbt_cloud__runs", "status": "skipped"}]


def test_what_was_deleted_while_it_failed_fails_no_longer(tmp_path: Path) -> None:
    database = tmp_path / "gone.duckdb"
    job = {"account_id": 1, "id": 5, "project_id": 100, "environment_id": 10}
    production = {"account_id": 1, "id": 10, "deployment_type": "production"}
    runs = [run(job, "1 8:00", 60, ERROR, git_sha="a") for job in (5, 6)]
    updates = [update("prod-gone", "1 8:00", "failed"), update("prod-there", "1 8:00", "failed")]
    write(
        database,
        {
            "dbt_jobs": [{**job, "state": 2}, {**job, "id": 6, "state": 1}],
            "dbt_environments": [production],
            "dbt_runs": runs,
            "pulumi_stack_updates": updates,
            "pulumi_stacks": [{"org_name": "acme", "stack_id": "id-prod-there"}],
        },
    )
    Place.duckdb(database).must("run", "--select", "+platform__incidents", as_of=NOW)
    asked = "scope_id, is_open, open_seconds IS NULL FROM platform__incidents ORDER BY scope_id"
    assert [tuple(row.values()) for row in rows_of(database, f"SELECT {asked}")] == [
        ("1/job/5", False, True),
        ("1/job/6", True, False),
        ("id-prod-gone", False, True),
        ("id-prod-there", True, False),
    ]
