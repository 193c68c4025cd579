"""A lake of DuckDB's: tests that need its extension, and fail without it.

`scripts/ducklake.py` makes an environment with it and runs them; other runs do not collect them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from target_dlt.engines.ducklake import installed_extensions
from target_dlt.errors import LoaderError
from tests.loader.comparing import check_cell
from tests.loader.support import (
    DATE,
    DLT_SCRIPT,
    INTEGER,
    MOMENT,
    NUMBER,
    OBJECT,
    STRING,
    TIME,
    activate,
    load_dlt,
    record,
    schema,
    started,
    state,
    typed,
    versioned,
)

if TYPE_CHECKING:
    from pathlib import Path

ID = {"id": INTEGER}
#: So many seconds a commit takes, about.
COMMIT = 5.0


class DuckLake:
    def __init__(self, folder: Path) -> None:
        self.catalog = folder / "catalog.duckdb"
        credentials = {
            "ducklake_name": "lake",
            "catalog": f"duckdb:///{self.catalog}",
            "storage": {"bucket_url": str(folder / "files")},
        }
        self.config: dict[str, Any] = {
            "destination": "ducklake",
            "destination_config": {"credentials": credentials},
        }

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(
            config={"extension_directory": str(installed_extensions())}
        ) as connection:
            connection.execute(f"ATTACH 'ducklake:{self.catalog}' AS lake")
            connection.execute("USE lake")
            connection.execute("SET timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def rows(self, columns: str, table: str = "t") -> list[tuple[Any, ...]]:
        return self.execute(f"SELECT {columns} FROM raw.{table} ORDER BY ALL")  # noqa: S608


@pytest.fixture
def lake(tmp_path: Path) -> DuckLake:
    return DuckLake(tmp_path)


def test_rows_are_replaced_by_key_and_keep_their_types(lake: DuckLake) -> None:
    kinds = {
        "n": NUMBER,
        "s": STRING,
        "m": MOMENT,
        "d": DATE,
        "c": TIME,
        "o": OBJECT,
        "x": typed("number", multipleOf=1e-12),
    }
    row = {
        "n": 1.5,
        "s": "it's 'é'",
        "m": "2026-01-02T23:00:00-05:00",
        "d": "2026-01-02",
        "c": "12:34:56.000001",
        "o": {"a": [1, ""]},
        "x": 0.000000000001,
    }
    head = schema("t", {**ID, **kinds}, ["id"])
    for turn in (1, 2):
        more = [record("t", id=n, **{**row, "s": f"{turn}"}) for n in (turn, turn + 1)]
        load_dlt([head, *more, record("t", id=turn + 1, **row), state(turn)], **lake.config)
    assert lake.rows("id, s") == [(1, "1"), (2, "2"), (3, "it's 'é'")]
    columns = lake.execute("DESCRIBE raw.t")
    types = {name: str(kind) for name, kind, *_ in columns}
    assert types["x"] == "DECIMAL(38,12)"
    names = [name for name in types if not name.startswith("_dlt")]
    (last,) = lake.execute(f"SELECT {', '.join(names)} FROM raw.t WHERE id = 3")  # noqa: S608
    cells = dict(zip(names, last, strict=True))
    for name, value in row.items():
        exact = Decimal(repr(value)) if isinstance(value, float) else value
        check_cell(name, exact, cells, {n: types[n] for n in names}, name)


def test_a_change_of_type_rounds_nothing(lake: DuckLake) -> None:
    load_dlt([schema("t", {**ID, "v": INTEGER}, ["id"]), record("t", id=1, v=7)], **lake.config)
    load_dlt([schema("t", {**ID, "v": NUMBER}, ["id"]), record("t", id=2, v=1.5)], **lake.config)
    assert lake.rows("id, v, v__v_double") == [(1, 7, None), (2, None, 1.5)]


def test_what_the_table_has_decides(lake: DuckLake) -> None:
    head = schema("t", {**ID, "v": NUMBER, "w": STRING}, ["id"])
    load_dlt([head, record("t", id=1, v=1.5, w="a")], **lake.config)
    lake.execute("ALTER TABLE raw.t DROP COLUMN v")
    lake.execute("ALTER TABLE raw.t ADD COLUMN v INTEGER")
    lake.execute("ALTER TABLE raw.t DROP COLUMN w")
    load_dlt([head, record("t", id=2, v=2.5, w="b")], **lake.config)
    assert lake.rows("id, v, v__v_double, w") == [(1, None, None, None), (2, None, 2.5, "b")]


def test_a_table_that_no_pipeline_made_is_refused(lake: DuckLake) -> None:
    load_dlt([schema("u", ID, ["id"]), record("u", id=1)], **lake.config)
    lake.execute("CREATE TABLE raw.t (id BIGINT)")
    with pytest.raises(LoaderError, match="'t' is there already and is no table of a dlt"):
        load_dlt([schema("t", ID, ["id"]), record("t", id=1)], **lake.config)


@pytest.mark.parametrize("hard_delete", [False, True])
def test_rows_that_are_gone(lake: DuckLake, *, hard_delete: bool) -> None:
    head = schema("t", {**ID, "v": STRING}, ["id"])
    rows = [versioned("t", 1, id=1, v="a"), versioned("t", 1, id=2, v="a"), activate("t", 1)]
    load_dlt([head, *rows], hard_delete=hard_delete, **lake.config)
    rows = [versioned("t", 2, id=1, v="b"), activate("t", 2)]
    load_dlt([head, *rows], hard_delete=hard_delete, **lake.config)
    expected = [(1, "b", True), (2, "a", False)]
    if hard_delete:
        assert lake.rows("id, v") == [(1, "b")]
    else:
        assert lake.rows("id, v, _sdc_deleted_at IS NULL") == expected


def test_overwrite_and_append(lake: DuckLake) -> None:
    head = schema("t", {"v": STRING})
    for value in ("a", "b"):
        load_dlt([head, record("t", v=value), state(value)], **lake.config)
    assert lake.rows("v") == [("a",), ("b",)]
    load_dlt([head, record("t", v="c")], load_method="overwrite", **lake.config)
    assert lake.rows("v") == [("c",)]


def test_a_key_may_change(lake: DuckLake) -> None:
    kinds = {**ID, "v": STRING}
    load_dlt([schema("t", kinds, ["id"]), record("t", id=1)], **lake.config)
    load_dlt([schema("t", kinds, ["v"]), record("t", v="x")], **lake.config)
    assert lake.rows("id, v") == [(1, None), (None, "x")]


def test_descriptions_are_comments(lake: DuckLake) -> None:
    kinds = {**ID, "v": {**STRING, "description": "It's said."}}
    load_dlt([schema("t", kinds, ["id"], description="All."), record("t", id=1)], **lake.config)
    said = "SELECT comment FROM duckdb_columns() WHERE comment IS NOT NULL UNION ALL "
    said += "SELECT comment FROM duckdb_tables() WHERE comment IS NOT NULL"
    assert sorted(lake.execute(said)) == [("All.",), ("It's said.",)]


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(int(os.environ.get("KILL_TRIALS", "2"))))
def test_nothing_twice_after_a_kill(lake: DuckLake, tmp_path: Path, trial: int) -> None:
    """Killed after another time each, and run again from the last STATE that it told."""
    dice = random.Random(trial)  # noqa: S311 (the same every time)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**lake.config, "batch_size_rows": 20}))
    heads = [schema("k", {**ID, "v": STRING}, ["id"]), schema("a", {"id": INTEGER})]

    def sent(first: int) -> list[str]:
        found = list(heads)
        for n in range(first, 60):
            found += [record("k", id=n, v=f"{n}"), record("a", id=n)]
            if n % 10 == 9:
                found.append(state(n + 1))
        return found

    with started(DLT_SCRIPT, file, sent(0)) as (process, stdout, _):
        first = json.loads(stdout.readline())
        time.sleep(dice.uniform(0, COMMIT))
        process.kill()
        told = [first, *map(json.loads, filter(None, stdout.read().splitlines()))]
    assert process.returncode == -signal.SIGKILL
    load_dlt(sent(int(told[-1])), **lake.config)
    assert [row for (row,) in lake.rows("id", "k")] == list(range(60))
    assert [row for (row,) in lake.rows("id", "a")] == list(range(60))
