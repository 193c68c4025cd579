"""ACTIVATE_VERSION: rows of older versions go, or are marked; all others stay."""

from __future__ import annotations

import pytest

from tests.loader.support import (
    INTEGER,
    MOMENT,
    STRING,
    activate,
    column_types,
    load,
    query,
    record,
    schema,
    state,
    versioned,
)

T = schema("t", {"id": INTEGER, "name": STRING}, ["id"])
KEYLESS = schema("t", {"id": INTEGER, "name": STRING})
LIVING = "SELECT id FROM t WHERE _sdc_deleted_at IS NULL ORDER BY id"


def rows(version, *ids, name="x"):
    return [versioned("t", version, id=id_, name=name) for id_ in ids]


@pytest.mark.parametrize("first", [T, KEYLESS])
@pytest.mark.parametrize("rows_per_commit", [1000, 1])
def test_what_vanished_is_deleted(tmp_path, first, rows_per_commit):
    path = tmp_path / "db.duckdb"
    config = {"hard_delete": True, "batch_size_rows": rows_per_commit}
    load(path, [first, *rows(1, 1, 2, 3), activate("t", 1), state(1)], **config)
    assert query(path, "SELECT id, _sdc_table_version FROM t ORDER BY id") == [
        (1, 1),
        (2, 1),
        (3, 1),
    ]
    second = [first]
    for line in rows(2, 2, 4, name="new"):
        second += [line, state(2)]
    load(path, [*second, activate("t", 2), state(3)], **config)
    assert query(path, "SELECT id, name FROM t ORDER BY id") == [(2, "new"), (4, "new")]
    assert "_sdc_deleted_at" not in column_types(path, "t")


def test_what_vanished_is_marked_until_it_comes_back(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [T, *rows(1, 1, 2), activate("t", 1)])
    load(path, [T, *rows(2, 2, 3), activate("t", 2)])
    assert query(path, LIVING) == [(2,), (3,)]
    marked = "SELECT id, _sdc_deleted_at FROM t WHERE _sdc_deleted_at IS NOT NULL"
    ((_, deleted_at),) = query(path, marked)
    load(path, [T, *rows(3, 2, 3), activate("t", 3)])
    assert query(path, marked) == [(1, deleted_at)]
    load(path, [T, *rows(4, 1, 2, 3), activate("t", 4)])
    assert query(path, LIVING) == [(1,), (2,), (3,)]


def test_rows_without_a_version_stay_only_if_this_run_brought_them(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [T, record("t", id=1), record("t", id=2)], hard_delete=True)
    assert "_sdc_table_version" not in column_types(path, "t")
    messages = [T, record("t", id=2), state(1), record("t", id=3), activate("t", 9)]
    load(path, messages, hard_delete=True, batch_size_rows=1)
    assert query(path, "SELECT id FROM t ORDER BY id") == [(2,), (3,)]


def test_only_strictly_older_rows_before_the_message_go(tmp_path):
    path = tmp_path / "db.duckdb"
    messages = [T, *rows(5, 1), *rows(4, 2), *rows(6, 3), activate("t", 5)]
    load(path, [*messages, *rows(4, 4)], hard_delete=True)
    assert query(path, "SELECT id, _sdc_table_version FROM t ORDER BY id") == [
        (1, 5),
        (3, 6),
        (4, 4),
    ]


def test_an_empty_version_empties_the_table(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [T, *rows(1, 1, 2), activate("t", 1)], hard_delete=True)
    load(path, [T, activate("t", 2)], hard_delete=True)
    assert query(path, "SELECT count(*) FROM t") == [(0,)]
    assert query(path, "SELECT count(*) FROM _dlt_loads") == [(2,)]


def test_records_decoded_slowly_keep_their_version(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [T, *rows(1, 1), *rows(2, 2, name=7), *rows(2, 3)])
    assert query(path, "SELECT id, name, _sdc_table_version FROM t ORDER BY id") == [
        (1, "x", 1),
        (2, "7", 2),
        (3, "x", 2),
    ]


@pytest.mark.parametrize("hard_delete", [True, False])
def test_rows_that_the_tap_says_are_deleted(tmp_path, hard_delete):
    path = tmp_path / "db.duckdb"
    message = schema("t", {"id": INTEGER, "_sdc_deleted_at": MOMENT}, ["id"])
    load(path, [message, record("t", id=1), record("t", id=2)], hard_delete=hard_delete)
    gone = record("t", id=1, _sdc_deleted_at="2026-01-02T03:04:05Z")
    load(path, [message, gone], hard_delete=hard_delete)
    assert query(path, "SELECT id FROM t ORDER BY id") == ([(2,)] if hard_delete else [(1,), (2,)])
    assert query(path, LIVING) == [(2,)]
