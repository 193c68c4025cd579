"""The report as a utility of Meltano: of the demo, and of accounts of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.meltano.projects import Project
from tests.report.reading import Reading
from tests.report.world import SCHEMA, World, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_meltano_writes_the_page(tmp_path: Path) -> None:
    project = Project(tmp_path)
    # What is set for accounts of one's own has no effect on the demo.
    (tmp_path / ".env").write_text("CLOUDAPIS_REPORT_DATABASE=nowhere.duckdb\n")
    output = tmp_path / "output"
    output.mkdir()
    demo = write(output / "demo.duckdb", World(jobs=2, runs=4, stacks=0))
    printed = project.meltano("run", "cloudapis-report-demo:write")
    page = output / "report.html"
    assert f"Report: {page.as_uri()}" in printed
    assert "2 jobs" in Reading.of(page).facts

    with duckdb.connect(str(demo)) as connection:
        connection.execute(
            f"insert into {SCHEMA}.platform__tests values "
            "('unique_run_id', 'dbt_cloud__runs', 'fail', 4, now()::timestamp)"
        )
    code, printed = project.failing("run", "cloudapis-report-demo:write")
    assert code == 1
    assert "1 test of the data has failed, of 1" in printed
    assert "unique_run_id" in Reading.of(page).text

    code, printed = project.failing("run", "cloudapis-report:write")
    assert code == 1
    assert "nowhere.duckdb is no file: give the DuckDB file" in printed
    (tmp_path / ".env").unlink()
    write(output / "cloudapis.duckdb", World(jobs=3, runs=4, stacks=0))
    project.meltano("run", "cloudapis-report:write")
    assert "3 jobs" in Reading.of(output / "cloudapis.html").facts
    assert "2 jobs" in Reading.of(page).facts, "the demo's page stays"
