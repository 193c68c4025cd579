"""The SDK's own tests of targets, on its sample files."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

from singer_sdk.testing import get_target_test_class

from target_dlt.target import TargetDuckDB

FOLDER = Path(mkdtemp(prefix="target-duckdb-suite-"))

TestTargetDuckDB = get_target_test_class(
    TargetDuckDB, config={"path": str(FOLDER / "suite.duckdb")}
)
