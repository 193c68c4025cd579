"""The command: what it prints, what it exits with, and what it says of mistakes, in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.report.models import MODELS
from tests.report.reading import Reading
from tests.report.world import SCHEMA, World, write
from tests.report.writing import report, written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.writing import Written

TESTS = {
    "test.cloudapis.unique_dbt_cloud__runs_run_id.0a1b2c3d4e": ("fail", "Got 3 results"),
    "test.cloudapis.not_null_dbt_cloud__runs_run_id.1a1b2c3d4e": ("pass", None),
    "test.cloudapis.accepted_values_outcome.2a1b2c3d4e": ("warn", "Got 1 result"),
    "model.cloudapis.dbt_cloud__runs": ("success", "OK"),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return written(tmp_path_factory.mktemp("small"), World(jobs=3, runs=5, stacks=2))


def results(path: Path, statuses: dict[str, tuple[str, str | None]]) -> Path:
    found = [
        {"unique_id": name, "status": status, "message": message, "failures": None}
        for name, (status, message) in statuses.items()
    ]
    path.write_text(json.dumps({"metadata": {}, "results": found}))
    return path


def test_a_failed_test_is_said_and_ends_with_1(small: Written, tmp_path: Path) -> None:
    path = results(tmp_path / "run_results.json", TESTS)
    done = report(small.database, "--dbt-results", path, folder=tmp_path)
    assert done.returncode == 1
    said = "1 test of the data has failed, of 3"
    assert done.stderr == f"cloudapis-report: {said}; the page names them\n"
    assert done.stdout.startswith("Report: file://")
    page = Reading.of(tmp_path / "output" / "report.html")
    assert said in page.text
    assert "unique_dbt_cloud__runs_run_id Got 3 results" in page.text
    assert "accepted_values" not in page.text


def test_tests_that_passed_are_said_and_end_with_0(small: Written, tmp_path: Path) -> None:
    passed = {name: each for name, each in TESTS.items() if each[0] != "fail"}
    path = results(tmp_path / "run_results.json", passed)
    done = report(small.database, "--dbt-results", path, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    page = Reading.of(tmp_path / "output" / "report.html")
    assert "1 of 2 tests of the data passed, 1 warned" in page.text


def test_a_model_that_was_not_built_is_a_failure(small: Written, tmp_path: Path) -> None:
    path = results(tmp_path / "r.json", {"model.cloudapis.dbt_cloud__jobs": ("error", "no column")})
    done = report(small.database, "--dbt-results", path, folder=tmp_path)
    assert done.returncode == 1
    assert "dbt_cloud__jobs no column" in Reading.of(tmp_path / "output" / "report.html").text


def test_the_tests_of_the_models_are_beside_them(tmp_path: Path) -> None:
    made = written(tmp_path, World(jobs=2, runs=3, stacks=1))
    with duckdb.connect(str(made.database)) as connection:
        connection.execute(
            f"insert into {SCHEMA}.platform__tests values "
            "('unique_run_id', 'dbt_cloud__runs', 'fail', 4, '2026-08-21 07:10:00'), "
            "('not_null_<b>', 'dbt_cloud__jobs', 'error', null, '2026-08-21 07:10:00'), "
            "('relationships', 'dbt_cloud__jobs', 'pass', 0, '2026-08-21 07:10:00')"
        )
    done = report(made.database, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("cloudapis-report: 2 tests of the data have failed, of 3")
    page = Reading.of(tmp_path / "output" / "report.html")
    assert "unique_run_id found 4 rows in dbt_cloud__runs" in page.text
    assert "not_null_<b> of dbt_cloud__jobs could not be run" in page.text


def test_a_model_that_was_left_as_it_was_is_told(small: Written, tmp_path: Path) -> None:
    """A test that fails has dbt skip what stands on it; the table is then of an older build."""
    told = "dbt_cloud__jobs was not made: its figures are missing, or those of an older build"
    skipped = {"model.cloudapis.dbt_cloud__jobs": ("skipped", None), **TESTS}
    path = results(tmp_path / "r.json", skipped)
    assert report(small.database, "--dbt-results", path, folder=tmp_path).returncode == 1
    assert told in Reading.of(tmp_path / "output" / "report.html").text
    made = written(tmp_path, World(jobs=2, runs=3, stacks=1))
    with duckdb.connect(str(made.database)) as connection:
        connection.execute(
            f"insert into {SCHEMA}.platform__tests values "
            "('dbt_cloud__jobs', 'dbt_cloud__jobs', 'skipped', null, '2026-08-21 07:10:00'), "
            "('unique_job_id', 'dbt_cloud__jobs', 'skipped', null, '2026-08-21 07:10:00'), "
            "('unique_run_id', 'dbt_cloud__runs', 'pass', 0, '2026-08-21 07:10:00')"
        )
    assert report(made.database, folder=tmp_path).returncode == 1
    page = Reading.of(tmp_path / "output" / "report.html")
    assert told in page.text
    assert "unique_job_id" not in page.text


def test_what_an_older_build_was_tested_for_is_not_told(tmp_path: Path) -> None:
    made = written(tmp_path, World(jobs=2, runs=3, stacks=1))
    with duckdb.connect(str(made.database)) as connection:
        connection.execute(
            f"insert into {SCHEMA}.platform__tests values "
            "('unique_run_id', 'dbt_cloud__runs', 'pass', 0, '2026-08-20 07:10:00')"
        )
    assert report(made.database, folder=tmp_path).returncode == 0
    assert "of the data passed" not in Reading.of(tmp_path / "output" / "report.html").text


def test_a_title_is_taken_as_it_is(small: Written, tmp_path: Path) -> None:
    done = report(small.database, "--title", "Data <platform>", "-o", "p.html", folder=tmp_path)
    assert done.returncode == 0
    assert Reading.of(tmp_path / "p.html").name == "Data <platform>"


def test_the_help_says_what_to_type(tmp_path: Path) -> None:
    done = report("--help", folder=tmp_path)
    assert done.returncode == 0
    for told in ("examples:", "exit code:", "--destination", "--schema", "--dbt-results"):
        assert told in done.stdout


def failing(folder: Path, *arguments: object) -> str:
    """Run the command, which has to fail: in one line, without a page."""
    done = report(*arguments, folder=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert not (folder / "output").exists()
    return line


def test_no_file(tmp_path: Path) -> None:
    assert "nowhere.duckdb is no file: give the DuckDB file" in failing(tmp_path, "nowhere.duckdb")
    assert f"{tmp_path} is no file" in failing(tmp_path, tmp_path)


def test_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.duckdb").write_text("no database at all, but long enough to be taken for one")
    assert "a.duckdb cannot be opened by DuckDB: " in failing(tmp_path, "a.duckdb")


def test_no_models(tmp_path: Path) -> None:
    write(tmp_path / "a.duckdb", None, MODELS)
    line = failing(tmp_path, "a.duckdb")
    assert "a.duckdb has no table platform__as_of" in line
    assert "dbt build" in line


def test_no_models_in_the_schema(small: Written, tmp_path: Path) -> None:
    line = failing(tmp_path, small.database, "--schema", "other")
    assert "schema other, has no table platform__as_of" in line


def test_models_in_several_schemas(tmp_path: Path) -> None:
    path = write(tmp_path / "a.duckdb", None)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema other")
        connection.execute(f"create table other.platform__as_of as from {SCHEMA}.platform__as_of")
    line = failing(tmp_path, path)
    assert "has models in the schemas insight, other: choose one with --schema" in line
    assert report(path, "--schema", SCHEMA, folder=tmp_path).returncode == 0


def test_a_file_that_is_called_like_the_schema(tmp_path: Path) -> None:
    path = write(tmp_path / f"{SCHEMA}.duckdb", World(jobs=2, runs=3, stacks=2))
    done = report(path, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_odd_in_rows_still_makes_a_page(tmp_path: Path) -> None:
    """An update that never began, a seat that nobody counts, a stack with less than nothing."""
    path = write(tmp_path / "odd.duckdb", World(jobs=2, runs=3, stacks=30, updates=5))
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"use {SCHEMA}; "
            "update pulumi_cloud__updates set started_at = null where version % 2 = 0; "
            "update platform__seats set used = null, bought = 5; "
            "update pulumi_cloud__stacks set resource_count = -5 where staleness = 'stale'; "
            "update dbt_cloud__jobs set is_deleted = null"
        )
    done = report(path, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "output" / "report.html").read_text("utf-8")
    assert "not begun" in page
    # Jobs that are in no list are jobs.
    assert "of 2 jobs" in page


def test_models_that_were_not_built_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.duckdb", None)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"delete from {SCHEMA}.platform__as_of")
    assert "0 rows in place of one: run dbt build again" in failing(tmp_path, path)


def test_models_of_another_version(tmp_path: Path) -> None:
    path = write(tmp_path / "a.duckdb", None)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"alter table {SCHEMA}.dbt_cloud__runs drop column queue_seconds")
    line = failing(tmp_path, path)
    assert "queue_seconds" in line
    assert "waiting" in line
    assert "dbt build" in line


def test_a_file_that_another_program_writes(small: Written, tmp_path: Path) -> None:
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(small.database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline()
        try:
            line = failing(tmp_path, small.database)
        finally:
            other.communicate(b"\n")
    assert "models.duckdb cannot be opened by DuckDB: " in line
    assert "lock" in line


def test_results_that_are_none(small: Written, tmp_path: Path) -> None:
    line = failing(tmp_path, small.database, "--dbt-results", "none.json")
    assert "none.json cannot be read" in line
    for text in ("{", "[]", '{"results": [{}]}', '{"results": 3}'):
        (tmp_path / "r.json").write_text(text)
        line = failing(tmp_path, small.database, "--dbt-results", "r.json")
        assert "r.json is not a run_results.json of dbt" in line


def test_a_page_that_cannot_be_written(small: Written, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = failing(tmp_path, small.database, "-o", "file/report.html")
    assert "file/report.html cannot be written: " in line
    (tmp_path / "folder").mkdir()
    assert "folder cannot be written: " in failing(tmp_path, small.database, "-o", "folder")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_an_unknown_destination(tmp_path: Path) -> None:
    assert "dlt cannot open 'nowhere'" in failing(tmp_path, "--destination", "nowhere")


def test_neither_a_file_nor_a_destination(tmp_path: Path) -> None:
    for arguments in ((), ("a.duckdb", "--destination", "postgres")):
        done = report(*arguments, folder=tmp_path)
        assert done.returncode == 2
        assert "give a DuckDB file, or --destination" in done.stderr


def test_what_is_not_installed_is_said(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['vl_convert'] = None; import importlib.util as u; "
        "f = u.find_spec; u.find_spec = lambda name: None if name == 'vl_convert' else f(name); "
        "from cloudapis_report.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        'cloudapis-report needs vl_convert: pip install "tap-cloudapis[report]"\n'
    )
