"""What tests of the models share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.models import known
from tests.models.dbt import Place
from tests.models.tables import Row, rows_of, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="package", name="ask")
def ask_the_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Row]]:
    """The models of a small world, read in Berlin, by queries."""
    database: Path = tmp_path_factory.mktemp("known") / "known.duckdb"
    write(database, known.tables())
    place = Place.duckdb(database)
    # Every test of the project holds, though most streams and columns are not there.
    printed = place.must("build", as_of=known.NOW, report_time_zone="Europe/Berlin")
    assert "WARN=0 ERROR=0" in printed
    return partial(rows_of, database)
