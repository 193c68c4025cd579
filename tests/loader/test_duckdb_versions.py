"""Files for DuckDB of several versions; `scripts/dlt_versions.py` runs this with each of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest

from target_dlt.errors import LoaderError
from target_dlt.storage_version import STORAGE_VERSION
from target_dlt.target import TargetDuckDB
from tests.loader.support import (
    INTEGER,
    STRING,
    dlt_attach,
    fails_on_duckdb_2,
    load,
    load_dlt,
    query,
    record,
    schema,
    state,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MESSAGES = [
    schema("t", {"id": INTEGER, "name": STRING}, ["id"]),
    record("t", id=1, name="a"),
    record("t", id=2, name="b"),
    state(1),
]
#: The numbers that stand for versions in a file.
NUMBERS = {STORAGE_VERSION: 64, "v1.4.0": 67}
_PLACE = slice(12, 20)


def number_of(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[_PLACE], "little")


def by_duckdb(path: Path, version: str | None) -> None:
    load(path, MESSAGES, default_target_schema="raw", **_set(version))


def by_package(path: Path, version: str | None) -> None:
    load(path, MESSAGES, default_target_schema="raw", engine="package", **_set(version))


def by_target_dlt(path: Path, version: str | None) -> None:
    limits = {} if version is None else {"storage_compatibility_version": version}
    credentials = {"database": str(path), "global_config": limits}
    load_dlt(MESSAGES, destination="duckdb", destination_config={"credentials": credentials})


def _set(version: str | None) -> dict[str, str]:
    return {} if version is None else {"storage_version": version}


each_way = pytest.mark.parametrize("loaded", [by_duckdb, by_package, by_target_dlt])


@each_way
def test_a_new_file_is_of_a_version_that_every_duckdb_opens(tmp_path, loaded):
    path = tmp_path / "db.duckdb"
    loaded(path, None)
    assert number_of(path) == NUMBERS[STORAGE_VERSION]
    loaded(path, "v1.4.0")
    assert number_of(path) == NUMBERS[STORAGE_VERSION]
    assert query(path, "SELECT id FROM raw.t ORDER BY id") == [(1,), (2,)]


@each_way
def test_a_new_file_is_of_the_version_that_is_set(tmp_path, loaded):
    path = tmp_path / "db.duckdb"
    loaded(path, "v1.4.0")
    assert number_of(path) == NUMBERS["v1.4.0"]
    loaded(path, None)
    assert number_of(path) == NUMBERS["v1.4.0"]
    assert query(path, "SELECT id FROM raw.t ORDER BY id") == [(1,), (2,)]


@each_way
def test_a_file_of_a_newer_duckdb_is_told_with_what_to_do(tmp_path, loaded):
    path = tmp_path / "db.duckdb"
    loaded(path, None)
    make_newer(path)
    found = path.read_bytes()
    with pytest.raises(LoaderError) as caught:
        loaded(path, None)
    assert str(caught.value).endswith(
        "a newer DuckDB has made the file than the one that is installed, "
        f"{duckdb.__version__}: pip install --upgrade duckdb"
    )
    assert path.read_bytes() == found


def make_newer(path: Path) -> None:
    """Raise the version in a file's main header, whose checksum is the XOR of its words'."""
    header = bytearray(path.read_bytes())

    def part() -> int:
        words = (int.from_bytes(header[at : at + 8], "little") for at in (8, 16))
        first, second = (word * 0xBF58476D1CE4E5B9 % 2**64 for word in words)
        return first ^ second

    checksum = int.from_bytes(header[:8], "little") ^ part()
    header[_PLACE] = (10**6).to_bytes(8, "little")
    header[:8] = (checksum ^ part()).to_bytes(8, "little")
    path.write_bytes(header)


def test_a_version_that_cannot_be_written_is_refused_at_once(tmp_path):
    path = tmp_path / "db.duckdb"
    told = f"DuckDB {duckdb.__version__} writes no files of 'storage_version' 'v9.9.9'"
    with pytest.raises(LoaderError, match=re.escape(told)):
        TargetDuckDB(config={"path": str(path), "storage_version": "v9.9.9"})
    assert not path.exists()


def test_the_setting_of_duckdb_itself_has_no_effect_on_a_file(tmp_path, caplog):
    settings = {"storage_compatibility_version": "latest"}
    TargetDuckDB(config={"path": str(tmp_path / "db.duckdb"), "settings": settings})
    told = "'settings.storage_compatibility_version' has no effect: set 'storage_version'"
    assert told in caplog.messages


READERS: dict[str, Callable[[Any], Any]] = {
    "fetchall": lambda rows: len(rows.fetchall()),
    "fetchmany": lambda rows: len(rows.fetchmany(2)),
    "iter_fetch": lambda rows: sum(map(len, rows.iter_fetch(chunk_size=1))),
    "iter_arrow": lambda rows: sum(map(len, rows.iter_arrow(chunk_size=1))),
    "arrow": lambda rows: len(rows.arrow()),
}
WITH_DUCKDB_2 = {"arrow": fails_on_duckdb_2(AttributeError)}


@pytest.mark.parametrize(
    "reader", [pytest.param(name, marks=WITH_DUCKDB_2.get(name, ())) for name in READERS]
)
@pytest.mark.parametrize("attached", [False, True])
def test_how_dlt_reads(tmp_path, reader, attached):
    path = tmp_path / "db.duckdb"
    load(path, MESSAGES)
    if attached:
        dataset = dlt_attach(path, "db", "main", tmp_path / "pipelines").dataset()
    else:
        dataset = dlt.dataset(dlt.destinations.duckdb(str(path)), "main")
    assert READERS[reader](dataset.t) == 2
