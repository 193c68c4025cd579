"""Everything of dbt Cloud is what is true.

`EVERYTHING_RUNS=5000 scripts/test tests/dbt/test_everything.py` proves it for so many runs in each
of two accounts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.everything import assert_everything
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from pathlib import Path

RUNS = int(os.getenv("EVERYTHING_RUNS", "20"))
WORLD = {"dbt_accounts": 2, "dbt_jobs": 12, "dbt_runs": RUNS, "pulumi_orgs": 0}


@pytest.mark.slow
@pytest.mark.parametrize("pages", [{}, {"page_cap": 10}, {"page_cap": 10, "over_cap": "reject"}])
def test_everything(pages: dict[str, Any], tmp_path: Path) -> None:
    with Simulator(now=END_OF_HISTORY, **WORLD, **pages) as simulator:
        assert_everything(simulator, "dbt", tmp_path)
