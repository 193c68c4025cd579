"""`meltano run sync`: records in files between tap and loader, twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.syncing import BY_DEFAULT
from tests.meltano.projects import Project
from tests.meltano.test_run import by_key, read, variables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

pytestmark = pytest.mark.slow


def test_the_job_of_our_pair_goes_by_files_and_leaves_none(
    still: Simulator, tmp_path: Path
) -> None:
    project, database = Project(tmp_path), tmp_path / "output/cloudapis.duckdb"
    for _ in range(2):
        printed = project.meltano("run", "sync", **variables(still))
        batches = tmp_path / "output/batches"
        assert f"Records go into files, in {batches}" in printed
        assert not [*batches.iterdir()]
        truth = still.truths(*BY_DEFAULT)
        found = read(database, "cloudapis", truth)
        for name, told in truth.items():
            assert found[name] == by_key(told["rows"], told["key"]), name
