"""`nesting: tables`: what dlt makes of nested records, and what becomes of it later."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from target_dlt.errors import LoaderError
from tests.loader.support import (
    DECIMAL,
    INTEGER,
    MOMENT,
    STRING,
    activate,
    column_types,
    dlt_attach,
    dlt_pipeline,
    load,
    query,
    record,
    schema,
    state,
    typed,
)

ITEMS = typed("array", items=typed("object", properties={"n": INTEGER, "tags": typed("array")}))
PROPERTIES = {
    "id": INTEGER,
    "user": typed("object", properties={"name": STRING, "Last Name": STRING}),
    "items": ITEMS,
}
T = schema("t", PROPERTIES, ["id"])
KEYLESS = schema("t", PROPERTIES)
SYSTEM = {"_dlt_id", "_dlt_parent_id", "_dlt_root_id", "_dlt_list_idx", "_dlt_load_id"}


def row(id_, *numbers, **more):
    items = [{"n": n, "tags": [n, [n]]} for n in numbers]
    return record("t", id=id_, user={"name": f"u{id_}", "Last Name": "x"}, items=items, **more)


def unnest(path, messages, **config):
    load(path, messages, nesting="tables", **config)


def numbers(path):
    """The items of each record, read through the ids."""
    return query(
        path,
        "SELECT t.id, i.n FROM t JOIN t__items i ON i._dlt_parent_id = t._dlt_id "
        "ORDER BY t.id, i._dlt_list_idx",
    )


def orphans(path):
    """How many rows of tables of arrays have no parent, by table."""
    parents = {"t__items": "t", "t__items__tags": "t__items", "t__items__tags__list": None}
    parents["t__items__tags__list"] = "t__items__tags"
    found = {}
    for table, parent in parents.items():
        sql = f"SELECT count(*) FROM {table} WHERE _dlt_parent_id NOT IN (SELECT _dlt_id FROM {parent})"  # noqa: S608, E501
        found[table] = query(path, sql)[0][0]
    return found


NONE = {"t__items": 0, "t__items__tags": 0, "t__items__tags__list": 0}


def dump(path):
    """All rows of all tables but those of dlt, ids by what they lead to."""
    tables = [
        name
        for (name,) in query(path, "SELECT table_name FROM duckdb_tables()")
        if not name.startswith("_")
    ]
    content = defaultdict(list)
    for table in sorted(tables):
        names = [n for n in column_types(path, table) if n not in SYSTEM]
        columns = ", ".join(f'"{name}"' for name in sorted(names)) or "1"
        content[table] = query(path, f"SELECT {columns} FROM {table} ORDER BY ALL")  # noqa: S608
    return dict(content)


def test_the_dataset_is_that_of_a_dlt_pipeline(tmp_path):
    """Tables, columns, values and the stored schema are those that dlt makes of the same rows."""
    ours, theirs = tmp_path / "ours.duckdb", tmp_path / "theirs.duckdb"
    rows = [
        {"id": 1, "user": {"name": "a", "Last Name": "b"}, "items": [{"n": 1, "tags": [1, [2]]}]},
        {"id": 2, "items": [], "map": {"k": {"x": 1.5}}, "list": ["a", None, "c"]},
    ]
    schemaless = schema("t", {"id": INTEGER}, ["id"])
    unnest(ours, [schemaless, *(record("t", **r) for r in rows)], pipeline_name="same")
    pipeline = dlt_pipeline(theirs, "same", "main", tmp_path / "pipelines")
    pipeline.run(rows, table_name="t", write_disposition="merge", primary_key="id")
    assert dump(ours) == dump(theirs)
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE schema_name = 'main' AND table_name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY ALL"
    )
    assert query(ours, columns) == query(theirs, columns)
    documents = [
        json.loads(query(path, "SELECT schema FROM _dlt_version")[0][0])["tables"]
        for path in (ours, theirs)
    ]
    for table in ("t__items", "t__items__tags", "t__items__tags__list", "t__list"):
        for hint in ("precision", "description"):  # dlt's own helper adds them to an id
            documents[0][table]["columns"]["_dlt_id"].pop(hint)
        assert documents[0][table] == documents[1][table]


@pytest.mark.parametrize(("keys", "rows_per_commit"), [(["id"], 1), ([], 1000)])
def test_attach_finds_parents_and_children(tmp_path, keys, rows_per_commit):
    path = tmp_path / "db.duckdb"
    messages = [schema("t", PROPERTIES, keys)]
    for number in range(1, 4):
        messages += [row(number, *range(number)), state(number)]
    unnest(path, messages, batch_size_rows=rows_per_commit)
    assert numbers(path) == [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
    assert orphans(path) == NONE
    system = query(path, "SELECT column_name FROM duckdb_columns() WHERE table_name = 't__items'")
    assert (("_dlt_root_id",) in system) == bool(keys)
    pipeline = dlt_attach(path, "db", "main", tmp_path / "pipelines")
    tables = pipeline.default_schema.tables
    assert tables["t__items"]["parent"] == "t"
    assert tables["t__items__tags__list"]["parent"] == "t__items__tags"
    assert len(pipeline.dataset()["t__items"].fetchall()) == 6


def test_the_items_of_a_replaced_row_are_replaced(tmp_path):
    path = tmp_path / "db.duckdb"
    unnest(path, [T, row(1, 10, 11), row(2, 20), row(3, 30)])
    unnest(path, [T, row(1, 12), row(3)])
    assert numbers(path) == [(1, 12), (2, 20)]
    assert orphans(path) == NONE
    assert query(path, "SELECT count(*) FROM t__items__tags__list") == [(2,)]


def test_of_a_key_within_a_commit_only_the_last_record_has_items(tmp_path):
    path = tmp_path / "db.duckdb"
    unnest(path, [T, row(1, 10, 11), row(2, 20), row(1, 12), row(2), row(3, 30)])
    assert numbers(path) == [(1, 12), (3, 30)]
    assert orphans(path) == NONE


def test_appended_rows_keep_their_items(tmp_path):
    path = tmp_path / "db.duckdb"
    for _ in range(2):
        unnest(path, [T, row(1, 10)], load_method="append-only")
    assert numbers(path) == [(1, 10), (1, 10)]


def test_overwrite_takes_all_items_along(tmp_path):
    path = tmp_path / "db.duckdb"
    unnest(path, [T, row(1, 10), row(2, 20)])
    unnest(path, [T, row(3, 30), state(1), row(4, 40)], load_method="overwrite", batch_size_rows=1)
    assert numbers(path) == [(3, 30), (4, 40)]
    assert orphans(path) == NONE


def of_version(version, message):
    return json.dumps({**json.loads(message), "version": version})


@pytest.mark.parametrize("first", [T, KEYLESS])
def test_rows_of_older_versions_go_with_their_items(tmp_path, first):
    path = tmp_path / "db.duckdb"
    messages = [of_version(1, row(1, 10)), of_version(1, row(2, 20)), activate("t", 1)]
    unnest(path, [first, *messages], hard_delete=True)
    # The last one is of an older version: it is deleted by the commit that brings it.
    messages = [of_version(2, row(2, 21)), of_version(1, row(3, 30)), activate("t", 2)]
    unnest(path, [first, *messages], hard_delete=True)
    assert numbers(path) == [(2, 21)]
    assert orphans(path) == NONE


def test_marked_rows_keep_their_items(tmp_path):
    path = tmp_path / "db.duckdb"
    unnest(path, [T, of_version(1, row(1, 10)), of_version(1, row(2, 20)), activate("t", 1)])
    unnest(path, [T, of_version(2, row(2, 21)), activate("t", 2)])
    assert numbers(path) == [(1, 10), (2, 21)]
    assert query(path, "SELECT id FROM t WHERE _sdc_deleted_at IS NOT NULL") == [(1,)]


def test_rows_that_the_tap_deleted_go_with_their_items(tmp_path):
    path = tmp_path / "db.duckdb"
    unnest(path, [T, row(1, 10), row(2, 20)])
    unnest(path, [T, row(1, 11, _sdc_deleted_at="2026-01-01T00:00:00Z")], hard_delete=True)
    assert numbers(path) == [(2, 20)]
    assert orphans(path) == NONE


def test_items_go_also_where_nesting_is_json_again(tmp_path):
    path = tmp_path / "db.duckdb"
    unnest(path, [T, row(1, 10), row(2, 20)])
    load(path, [T, row(1, 11)])
    assert numbers(path) == [(2, 20)]
    assert orphans(path) == NONE
    assert query(path, "SELECT items->0->>'n' FROM t WHERE id = 1") == [("11",)]


def test_columns_that_hold_json_go_on_holding_it_as_in_dlt(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [T, row(1, 10)])
    unnest(path, [T, row(2, 20, more=[1])])
    assert query(path, "SELECT id, items->0->>'n' FROM t ORDER BY id") == [(1, "10"), (2, "20")]
    assert query(path, "SELECT value FROM t__more") == [(1,)]


def test_a_dlt_pipeline_goes_on_with_the_tables(tmp_path):
    path = tmp_path / "db.duckdb"
    unnest(path, [T, row(1, 10), row(2, 20, 21), row(3, 30)])
    pipeline = dlt_pipeline(path, "db", "main", tmp_path / "pipelines")
    rows = [{"id": 2, "user": {"name": "new"}, "items": [{"n": 22, "tags": [1]}]}, {"id": 4}]
    pipeline.run(rows, table_name="t", write_disposition="merge")
    assert numbers(path) == [(1, 10), (2, 22), (3, 30)]
    assert orphans(path) == NONE
    unnest(path, [T, row(2, 23), row(4, 40)])
    assert numbers(path) == [(1, 10), (2, 23), (3, 30), (4, 40)]
    assert orphans(path) == NONE
    assert query(path, "SELECT user__name FROM t ORDER BY id") == [
        ("u1",),
        ("u2",),
        ("u3",),
        ("u4",),
    ]


def test_tables_that_dlt_merges_by_hashes_are_refused(tmp_path):
    path = tmp_path / "db.duckdb"
    pipeline = dlt_pipeline(path, "db", "main", tmp_path / "pipelines")
    upsert: Any = {"disposition": "merge", "strategy": "upsert"}
    pipeline.run([{"id": 1}], table_name="t", write_disposition=upsert, primary_key="id")
    with pytest.raises(LoaderError, match=r"stream 't': table 't' is merged .* 'upsert'"):
        unnest(path, [T, row(1, 10)])


def test_a_stream_and_an_array_of_one_name_have_a_table_each(tmp_path):
    path = tmp_path / "db.duckdb"
    other = schema("t__items", {"n": INTEGER}, ["n"])
    for _ in range(2):
        unnest(path, [other, record("t__items", n=1), T, row(1, 10)])
    assert query(path, "SELECT n FROM t__items") == [(1,)]
    assert query(path, "SELECT n, _dlt_list_idx FROM t__items_2") == [(10, 0)]


def test_values_are_exact_and_types_come_from_the_schema(tmp_path):
    path = tmp_path / "db.duckdb"
    items = typed("array", items=MOMENT)
    amount = typed("object", properties={"eur": DECIMAL})
    stream = schema("t", {"id": INTEGER, "times": items, "amount": amount}, ["id"])
    text = (
        '{"type": "RECORD", "stream": "t", "record": {"id": 1, "times": ["2026-01-01T00:00:00Z"], '
        '"amount": {"eur": 1.10, "big": 123456789012345678901234567890, "nan": NaN}, '
        '"odd": "\\ud800", "_dlt_id": "mine"}}'
    )
    unnest(path, [stream, text])
    assert query(path, "SELECT value::VARCHAR FROM t__times") == [("2026-01-01 00:00:00+00",)]
    assert query(
        path, "SELECT amount__eur::VARCHAR, amount__big, isnan(amount__nan), odd FROM t"
    ) == [("1.100000000", 123456789012345678901234567890, True, "\\ud800")]
    ((own, ours),) = query(path, "SELECT _dlt_id_2, _dlt_id FROM t")
    assert (own, len(ours)) == ("mine", 14)
    assert query(path, "SELECT count(*) FROM t JOIN t__times c ON c._dlt_root_id = t._dlt_id") == [
        (1,)
    ]


def test_what_the_schema_excludes_is_left_out_of_the_record_itself_only(tmp_path):
    path = tmp_path / "db.duckdb"
    closed = schema(
        "t", {"id": INTEGER, "map": typed("object")}, ["id"], additionalProperties=False
    )
    unnest(path, [closed, record("t", id=1, map={"a": 1}, more={"b": 2}, list=[1])])
    assert column_types(path, "t") == {"id": "BIGINT", "map__a": "BIGINT"}


def test_a_bad_record_leaves_no_items_behind(tmp_path):
    path = tmp_path / "db.duckdb"
    messages = [T, row("one", 10), row(2, 20)]
    unnest(path, messages, on_bad_record="quarantine")
    assert query(path, "SELECT n FROM t__items") == [(20,)]
    assert query(path, "SELECT record->>'id' FROM _singer_quarantine") == [("one",)]


def test_a_new_schema_in_the_middle_loses_no_items(tmp_path):
    path = tmp_path / "db.duckdb"
    wider = schema("t", {**PROPERTIES, "new": STRING}, ["id"])
    unnest(path, [T, row(1, 10), wider, row(2, 20, new="x")])
    assert numbers(path) == [(1, 10), (2, 20)]


def test_a_schema_that_is_none_is_told_in_one_line(tmp_path):
    odd = schema("t", {"id": INTEGER, "o": {"type": "object", "properties": ["x"]}})
    for config in ({"nesting": "tables"}, {"data_flattening_max_level": 2}):
        with pytest.raises(LoaderError, match="line 1: stream 't': "):
            load(tmp_path / "db.duckdb", [odd], **config)


@pytest.mark.parametrize("flattening", [{"data_flattening_max_level": 1}])
def test_flattening_and_tables_exclude_each_other(tmp_path, flattening):
    with pytest.raises(LoaderError, match="leave out flattening"):
        unnest(tmp_path / "db.duckdb", [T], **flattening)
