"""Everything of Pulumi Cloud is what is true.

`EVERYTHING_STACKS=1000 scripts/test tests/pulumi/test_everything.py` proves it for so many stacks
in each of two organizations.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.everything import assert_everything
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from pathlib import Path

STACKS = int(os.getenv("EVERYTHING_STACKS", "20"))
WORLD = {"dbt_accounts": 0, "pulumi_orgs": 2, "pulumi_stacks": STACKS, "pulumi_updates": 5}


@pytest.mark.slow
@pytest.mark.parametrize("pages", [{}, {"page_cap": 10}, {"page_cap": 10, "over_cap": "reject"}])
def test_everything(pages: dict[str, Any], tmp_path: Path) -> None:
    with Simulator(now=END_OF_HISTORY, **WORLD, **pages) as simulator:
        assert_everything(simulator, "pulumi", tmp_path)
