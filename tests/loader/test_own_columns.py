"""The loader's own columns hold what the messages say; a source's column of such a name is data."""

# ruff: noqa: S608 (names are our own)

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_dlt.errors import LoaderError
from target_dlt.messages.schema import parse_schema
from target_dlt.rows.arrow import RecordBuffer
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    BOOLEAN,
    DATE,
    ENGINES,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    activate,
    column_types,
    dlt_pipeline,
    load,
    load_dlt,
    query,
    record,
    schema,
    state,
    typed,
    versioned,
)
from tests.loader.warehouses import Delta, Iceberg, Postgres, Warehouse

BOTH = pytest.mark.parametrize("engine", ENGINES)
HARD = pytest.mark.parametrize("hard_delete", [True, False])
VERSIONS = schema("t", {"id": INTEGER, "_sdc_table_version": INTEGER}, ["id"])
UNDECLARED = schema("t", {"id": INTEGER}, ["id"])
NEW, OLD = 1_700_000_000_000, 1_500_000_000_000
MOMENT_TEXT = "2026-01-02T03:04:05Z"


def rows_of(version):
    """Rows of a table that another loader filled: with a version, with none, without the column."""
    return [
        versioned("t", version, id=1, _sdc_table_version=OLD),
        versioned("t", version, id=2, _sdc_table_version=None),
        versioned("t", version, id=3),
    ]


def living(path, table="raw.t", key="id"):
    has_mark = "_sdc_deleted_at" in column_types(path, table.rpartition(".")[2])
    where = "WHERE _sdc_deleted_at IS NULL" if has_mark else ""
    return [key for (key,) in query(path, f"SELECT {key} FROM {table} {where} ORDER BY 1")]


@BOTH
@HARD
@pytest.mark.parametrize("first", [VERSIONS, UNDECLARED])
@pytest.mark.parametrize(
    "metadata", [{}, {"add_metadata_columns": True}, {"add_record_metadata": True}]
)
def test_a_version_of_the_source_decides_nothing(tmp_path, engine, hard_delete, first, metadata):
    path = tmp_path / "w.duckdb"
    config = {"engine": engine, "hard_delete": hard_delete, "default_target_schema": "raw"}
    load(path, [first, *rows_of(NEW), activate("t", NEW), state(1)], **config, **metadata)
    assert living(path) == [1, 2, 3]
    found = query(path, "SELECT _sdc_table_version, _sdc_table_version_2 FROM raw.t ORDER BY id")
    assert found == [(NEW, OLD), (NEW, None), (NEW, None)]
    later = [first, *rows_of(NEW + 1)[:2], activate("t", NEW + 1), state(2)]
    load(path, later, **config, **metadata)
    assert living(path) == [1, 2]


@BOTH
def test_the_name_does_not_depend_on_where_commits_end(tmp_path, engine):
    path = tmp_path / "w.duckdb"
    config = {"engine": engine, "default_target_schema": "raw", "batch_size_rows": 1}
    first = [schema("s", {"id": INTEGER}), record("s", id=1), VERSIONS, state(0)]
    lines = [line for row in rows_of(NEW) for line in (row, state(1))]
    load(path, [*first, *lines, activate("t", NEW), state(2)], **config)
    found = query(path, "SELECT _sdc_table_version, _sdc_table_version_2 FROM raw.t ORDER BY id")
    assert found == [(NEW, OLD), (NEW, None), (NEW, None)]
    assert living(path) == [1, 2, 3]


@BOTH
def test_without_versions_a_column_of_the_source_keeps_its_name(tmp_path, engine):
    path = tmp_path / "w.duckdb"
    config = {"engine": engine, "default_target_schema": "raw", "hard_delete": True}
    old = [record("t", id=key, _sdc_table_version=9 * NEW) for key in (1, 2)]
    load(path, [VERSIONS, *old, state(1)], **config)
    assert query(path, "SELECT id, _sdc_table_version FROM raw.t ORDER BY id") == [
        (1, 9 * NEW),
        (2, 9 * NEW),
    ]
    # The message knows no version of the rows either: those of this run stay.
    load(path, [VERSIONS, record("t", id=2, _sdc_table_version=1), activate("t", NEW)], **config)
    assert living(path) == [2]
    # The column of the loader is known by what the dataset's schema says of it.
    load(path, [UNDECLARED, versioned("t", NEW + 1, id=3), activate("t", NEW + 1)], **config)
    assert query(path, "SELECT id, _sdc_table_version, _sdc_table_version_2 FROM raw.t") == [
        (3, None, NEW + 1)
    ]


@BOTH
@HARD
def test_a_dataset_of_an_earlier_release_goes_on(tmp_path, engine, hard_delete):
    """It says of no column whose it is: they are the loader's where the source brings none."""
    path = tmp_path / "w.duckdb"
    pipeline = dlt_pipeline(path, "w", "raw", tmp_path / "pipelines")
    marked = datetime(2026, 1, 1, tzinfo=UTC)
    old = [
        {"id": 1, "_sdc_table_version": OLD, "_sdc_deleted_at": marked},
        {"id": 2, "_sdc_table_version": OLD, "_sdc_deleted_at": None},
        {"id": 3, "_sdc_table_version": OLD, "_sdc_deleted_at": None},
    ]
    pipeline.run(old, table_name="t", primary_key="id", write_disposition="merge")
    config = {"engine": engine, "hard_delete": hard_delete, "default_target_schema": "raw"}
    load(path, [UNDECLARED, versioned("t", NEW, id=3), activate("t", NEW)], **config)
    assert living(path) == [3]
    assert not {"_sdc_table_version_2", "_sdc_deleted_at_2"} & column_types(path, "t").keys()
    assert query(path, "SELECT count(*) FROM raw.t") == [(1 if hard_delete else 3,)]


@BOTH
def test_a_dataset_in_which_the_source_has_the_name_goes_on(tmp_path, engine, caplog):
    path = tmp_path / "w.duckdb"
    pipeline = dlt_pipeline(path, "w", "raw", tmp_path / "pipelines")
    old = [{"id": key, "_sdc_table_version": 9 * NEW} for key in (1, 2)]
    pipeline.run(old, table_name="t", primary_key="id", write_disposition="merge")
    config = {"engine": engine, "hard_delete": True, "default_target_schema": "raw"}
    lines = [VERSIONS, *rows_of(NEW)[1:], activate("t", NEW)]
    load(path, lines, **config)
    told = "the name of the loader's own '_sdc_table_version' is taken; its column is '_sdc_table_"
    assert told in caplog.text
    found = "SELECT id, _sdc_table_version, _sdc_table_version_2 FROM raw.t ORDER BY id"
    assert query(path, found) == [(2, None, NEW), (3, None, NEW)]
    load(path, [VERSIONS, *rows_of(NEW)[:1]], **config)
    assert query(path, found)[0] == (1, OLD, NEW)


@pytest.mark.parametrize(
    "config",
    [
        {"nesting": "tables"},
        {"data_flattening_max_level": 2},
        {"stream_maps": {"t": {"more": "id"}}},
        {"validate_records": True},
        {"load_method": "append-only"},
        {"load_method": "overwrite"},
        {"process_activate_version_messages": False},
        {"add_record_metadata": True, "nesting": "tables"},
        {"add_record_metadata": True, "stream_maps": {"t": {"more": "id"}}},
    ],
)
def test_a_version_of_the_source_is_data_whatever_becomes_of_the_records(tmp_path, config):
    path = tmp_path / "w.duckdb"
    lines = [VERSIONS, *rows_of(NEW), activate("t", NEW), state(1)]
    load(path, lines, **config, default_target_schema="raw", hard_delete=True)
    found = query(path, "SELECT _sdc_table_version, _sdc_table_version_2 FROM raw.t ORDER BY id")
    assert found == [(NEW, OLD), (NEW, None), (NEW, None)]


@BOTH
def test_versions_of_files_are_those_of_their_message(tmp_path, engine):
    path, file = tmp_path / "w.duckdb", tmp_path / "rows.gz"
    rows = [json.loads(line)["record"] for line in rows_of(NEW)]
    file.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode()))
    batch = {
        "type": "BATCH",
        "stream": "t",
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "manifest": [file.as_uri()],
        "version": NEW,
    }
    lines = [VERSIONS, json.dumps(batch), activate("t", NEW)]
    load(path, lines, engine=engine, default_target_schema="raw", hard_delete=True)
    found = query(path, "SELECT _sdc_table_version, _sdc_table_version_2 FROM raw.t ORDER BY id")
    assert found == [(NEW, OLD), (NEW, None), (NEW, None)]


@BOTH
@pytest.mark.parametrize("name", ["_sdc_sequence", "_sdc_table_version", "_sdc_extracted_at"])
@pytest.mark.parametrize("config", [{}, {"add_record_metadata": True}])
def test_a_key_may_have_a_name_of_the_loader(tmp_path, engine, name, config):
    path = tmp_path / "w.duckdb"
    first = schema("t", {name: INTEGER, "v": STRING}, [name])
    config = {"engine": engine, "hard_delete": True, "default_target_schema": "raw", **config}
    for version, keys in ((1, (1, 2, 2)), (2, (2, 3))):
        lines = [versioned("t", version, **{name: key, "v": str(version)}) for key in keys]
        load(path, [first, *lines, activate("t", version), state(version)], **config)
    is_taken = "add_record_metadata" in config or name == "_sdc_table_version"
    key = f"{name}_2" if is_taken else name
    assert query(path, f"SELECT {key}, v FROM raw.t ORDER BY 1") == [(2, "2"), (3, "2")]


@BOTH
def test_metadata_of_the_source_is_kept_beside_that_of_the_loader(tmp_path, engine):
    path = tmp_path / "w.duckdb"
    own: dict[str, Any] = {
        "_sdc_extracted_at": "2026-05-05T00:00:00Z",
        "_sdc_batched_at": "2026-05-06T00:00:00Z",
        "_sdc_received_at": "2026-05-07T00:00:00Z",
        "_sdc_sequence": 7,
        "_sdc_sync_started_at": 8,
    }
    first = schema("t", {"id": INTEGER, **dict.fromkeys(list(own)[:3], MOMENT)}, ["id"])
    line = json.dumps({**json.loads(record("t", id=1, **own)), "time_extracted": MOMENT_TEXT})
    before = datetime.now(UTC)
    config = {"engine": engine, "default_target_schema": "raw", "add_record_metadata": True}
    load(path, [first, line], **config)
    theirs = query(path, f"SELECT {', '.join(f'{name}_2' for name in own)} FROM raw.t")
    moments = [datetime.fromisoformat(own[name]) for name in list(own)[:3]]
    assert theirs == [(*moments, 7, 8)]
    ours = query(path, f"SELECT {', '.join(own)} FROM raw.t")
    assert ours[0][0] == datetime.fromisoformat(MOMENT_TEXT)
    assert all(before <= moment <= datetime.now(UTC) for moment in ours[0][1:3])
    assert ours[0][4] <= ours[0][3]
    assert ours[0][4] >= int(before.timestamp() * 1000) - 1000


TEXTS = [
    ("", False),
    (" ", False),
    ("false", False),
    ("0", False),
    ("NaT", False),
    ("0.0", False),
    (MOMENT_TEXT, True),
    ("2026-05-06T07:08:09+00:00+00:00", True),
    ("2026-05-06T07:08:09.123456789Z", True),
    ("yesterday", True),
    ("1780000000", True),
]
NUMBERS = [(0, False), (1780000000, True), (1780000000123, True)]
FLAGS = [(False, False), (True, True)]
SIGNS = [
    *((MOMENT, value, gone) for value, gone in [*TEXTS, *NUMBERS, *FLAGS]),
    *((STRING, value, gone) for value, gone in TEXTS),
    *((None, value, gone) for value, gone in [*TEXTS, *NUMBERS, *FLAGS]),
    *((BOOLEAN, value, gone) for value, gone in FLAGS),
    *((INTEGER, value, gone) for value, gone in NUMBERS),
    *((NUMBER, value, gone) for value, gone in [*NUMBERS, (0.0, False), (1780000000.5, True)]),
    *((typed("string", "boolean"), value, gone) for value, gone in [*TEXTS, *FLAGS]),
    *(({}, value, gone) for value, gone in [*TEXTS, *NUMBERS, *FLAGS]),
    (DATE, "2026-01-02", True),
]
DECLARED = [MOMENT, STRING, None, BOOLEAN, INTEGER, NUMBER, typed("string", "boolean"), {}, DATE]


@BOTH
@HARD
@pytest.mark.parametrize("kind", DECLARED)
def test_what_the_tap_says_of_a_row_decides_if_it_lives(tmp_path, engine, hard_delete, kind):
    path = tmp_path / "w.duckdb"
    columns = {"id": INTEGER} if kind is None else {"id": INTEGER, "_sdc_deleted_at": kind}
    cases = [(value, gone) for declared, value, gone in SIGNS if declared == kind]
    assert cases
    cases += [(None, False)]
    lines = [record("t", id=n, _sdc_deleted_at=value) for n, (value, _) in enumerate(cases)]
    config = {"engine": engine, "hard_delete": hard_delete, "default_target_schema": "raw"}
    load(path, [schema("t", columns, ["id"]), *lines, record("t", id=99)], **config)
    wanted = [n for n, (_, gone) in enumerate(cases) if not gone]
    assert living(path) == [*wanted, 99]
    count = len(wanted) if hard_delete else len(cases)
    assert query(path, "SELECT count(*) FROM raw.t") == [(count + 1,)]
    assert column_types(path, "t")["_sdc_deleted_at"] == "TIMESTAMP WITH TIME ZONE"
    if not hard_delete and MOMENT_TEXT in [value for value, _ in cases]:
        moment = datetime.fromisoformat(MOMENT_TEXT)
        n = [value for value, _ in cases].index(MOMENT_TEXT)
        assert query(path, f"SELECT _sdc_deleted_at FROM raw.t WHERE id = {n}") == [(moment,)]
    if not hard_delete:
        check_kept(path, [value for value, _ in cases])


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=20),
    st.datetimes().map(str),
    st.sampled_from([text for text, _ in TEXTS]),
)


@given(values=st.lists(SCALARS, min_size=1, max_size=8), kind=st.sampled_from(DECLARED))
def test_a_row_is_marked_if_its_value_says_so_whatever_it_is(values, kind):
    columns = {"id": INTEGER} if kind is None else {"id": INTEGER, "_sdc_deleted_at": kind}
    buffer = RecordBuffer(parse_schema("t", {"type": "object", "properties": columns}, ["id"]))
    for n, value in enumerate(values):
        buffer.add(record("t", id=n, _sdc_deleted_at=value).encode())
    buffer.seal()
    marks = []
    for chunk in buffer.take_chunks():
        place = [n for n, column in enumerate(chunk.columns) if column.own]
        found = chunk.table.column(place[0]).to_pylist() if place else [None] * len(chunk.table)
        marks += [moment is not None for moment in found]
    assert marks == [says_deleted(value) for value in values]


def says_deleted(value):
    if isinstance(value, str):
        if value.strip().lower() in {"", "false", "null", "none", "nat"}:
            return False
        try:
            value = float(value)
        except ValueError:
            return True
    return bool(value) and value == value  # noqa: PLR0124 (NaN is not)


def check_kept(path, values):
    """What the tap sent is in some column, as it was, unless it is a moment."""
    names = [name for name in column_types(path, "t") if name.startswith("_sdc_deleted_at_")]
    for n, value in enumerate(values):
        if value is None or value == MOMENT_TEXT:
            continue
        (found,) = query(path, f"SELECT {', '.join(names)} FROM raw.t WHERE id = {n}")
        texts = {str(one).lower() for one in found if one is not None}
        spellings = {str(value).lower(), str(value).lower().removesuffix(".0"), f"{value}.0"}
        assert texts & spellings, (value, found)


@BOTH
def test_an_object_says_nothing_of_a_deletion(tmp_path, engine):
    path = tmp_path / "w.duckdb"
    first = schema("t", {"id": INTEGER, "_sdc_deleted_at": {}}, ["id"])
    lines = [first, record("t", id=1), record("t", id=2, _sdc_deleted_at={"$date": 1})]
    config = {"engine": engine, "hard_delete": True, "default_target_schema": "raw"}
    with pytest.raises(LoaderError, match="line 3: stream 't': '_sdc_deleted_at' of a record is"):
        load(path, lines, **config)
    load(path, lines, **config, on_bad_record="quarantine")
    assert living(path) == [1]
    assert query(path, "SELECT line FROM raw._singer_quarantine") == [(3,)]
    first = schema("n", {"id": INTEGER, "_sdc_deleted_at": NUMBER}, ["id"])
    with pytest.raises(LoaderError, match="stream 'n': '_sdc_deleted_at' of a record is an object"):
        load(path, [first, record("n", id=1, _sdc_deleted_at=[1])], **config)


@BOTH
def test_a_row_that_was_deleted_lives_again_and_the_other_way_round(tmp_path, engine):
    path = tmp_path / "w.duckdb"
    first = schema("t", {"id": INTEGER, "_sdc_deleted_at": STRING}, ["id"])
    config = {"engine": engine, "default_target_schema": "raw"}
    load(path, [first, record("t", id=1, _sdc_deleted_at="x"), record("t", id=2)], **config)
    assert living(path) == [2]
    lines = [record("t", id=1, _sdc_deleted_at=""), record("t", id=2, _sdc_deleted_at=MOMENT_TEXT)]
    load(path, [first, *lines], **config)
    assert living(path) == [1]
    load(path, [first, record("t", id=3)], **config, hard_delete=True)
    assert query(path, "SELECT id FROM raw.t ORDER BY id") == [(1,), (3,)]


@BOTH
def test_marks_of_an_earlier_release_may_be_texts(tmp_path, engine):
    path = tmp_path / "w.duckdb"
    pipeline = dlt_pipeline(path, "w", "raw", tmp_path / "pipelines")
    old = [
        {"id": 1, "_sdc_deleted_at": ""},
        {"id": 2, "_sdc_deleted_at": "2026-01-01 in the evening"},
        {"id": 3, "_sdc_deleted_at": None},
    ]
    pipeline.run(old, table_name="t", primary_key="id", write_disposition="merge")
    first = schema("t", {"id": INTEGER, "_sdc_deleted_at": STRING}, ["id"])
    lines = [first, record("t", id=4, _sdc_deleted_at=MOMENT_TEXT), record("t", id=5)]
    config = {"engine": engine, "default_target_schema": "raw"}
    load(path, [*lines, record("t", id=6, _sdc_deleted_at="")], **config)
    assert query(path, "SELECT id, _sdc_deleted_at FROM raw.t WHERE id >= 4 ORDER BY id") == [
        (4, "2026-01-02T03:04:05.000000Z"),
        (5, None),
        (6, None),
    ]
    load(path, lines[:1], **config, hard_delete=True)
    assert query(path, "SELECT id FROM raw.t ORDER BY id") == [(1,), (3,), (5,), (6,)]


@BOTH
def test_a_flag_of_an_earlier_release_marks_nothing(tmp_path, engine):
    path = tmp_path / "w.duckdb"
    pipeline = dlt_pipeline(path, "w", "raw", tmp_path / "pipelines")
    old = [{"id": 1, "_sdc_deleted_at": False}, {"id": 2, "_sdc_deleted_at": False}]
    pipeline.run(old, table_name="t", primary_key="id", write_disposition="merge")
    first = schema("t", {"id": INTEGER, "_sdc_deleted_at": BOOLEAN}, ["id"])
    lines = [record("t", id=2, _sdc_deleted_at=True), record("t", id=3, _sdc_deleted_at=False)]
    config = {"engine": engine, "default_target_schema": "raw", "hard_delete": True}
    load(path, [first, *lines], **config)
    assert query(path, "SELECT id, _sdc_deleted_at FROM raw.t ORDER BY id") == [
        (1, False),
        (3, False),
    ]


@BOTH
def test_a_key_is_no_sign_of_a_deletion(tmp_path, engine):
    path = tmp_path / "w.duckdb"
    first = schema("t", {"_sdc_deleted_at": MOMENT, "v": INTEGER}, ["_sdc_deleted_at"])
    config = {"engine": engine, "default_target_schema": "raw", "hard_delete": True}
    for value in (1, 2):
        load(path, [first, record("t", _sdc_deleted_at=MOMENT_TEXT, v=value)], **config)
    assert query(path, "SELECT v FROM raw.t") == [(2,)]


def test_items_of_arrays_say_nothing_of_their_record(tmp_path):
    path = tmp_path / "w.duckdb"
    items = [{"_sdc_deleted_at": MOMENT_TEXT, "_sdc_table_version": 1}, {"_sdc_deleted_at": False}]
    first = schema("t", {"id": INTEGER, "items": typed("array")}, ["id"])
    lines = [first, versioned("t", NEW, id=1, items=items), activate("t", NEW)]
    load(path, lines, nesting="tables", hard_delete=True)
    assert query(path, "SELECT id FROM t") == [(1,)]
    found = query(path, "SELECT _sdc_deleted_at, _sdc_table_version FROM t__items ORDER BY 1, 2")
    assert found == [(MOMENT_TEXT, 1), ("false", None)]
    assert "_sdc_deleted_at" not in column_types(path, "t")


@pytest.mark.parametrize("config", [{"nesting": "tables"}, {"data_flattening_max_level": 2}])
@HARD
def test_deletions_are_told_whatever_becomes_of_the_records(tmp_path, config, hard_delete):
    path = tmp_path / "w.duckdb"
    first = schema("t", {"id": INTEGER, "_sdc_deleted_at": STRING}, ["id"])
    lines = [record("t", id=1, _sdc_deleted_at=""), record("t", id=2, _sdc_deleted_at="x")]
    load(path, [first, *lines], **config, hard_delete=hard_delete, default_target_schema="raw")
    assert living(path) == [1]
    assert query(path, "SELECT count(*) FROM raw.t") == [(1 if hard_delete else 2,)]


def test_a_property_of_an_object_says_nothing_of_its_record(tmp_path):
    path = tmp_path / "w.duckdb"
    inner = typed("object", properties={"deleted_at": MOMENT})
    first = schema("t", {"id": INTEGER, "_sdc": inner}, ["id"])
    lines = [record("t", id=1, _sdc={"deleted_at": MOMENT_TEXT})]
    lines += [record("t", id=2, _sdc_deleted_at=MOMENT_TEXT)]
    config = {"flattening_enabled": True, "flattening_max_depth": 1, "flattening_separator": "_"}
    load(path, [first, *lines], **config, hard_delete=True)
    moment = datetime.fromisoformat(MOMENT_TEXT)
    assert query(path, "SELECT id, _sdc_deleted_at_2, _sdc_deleted_at FROM t") == [
        (1, moment, None)
    ]


def test_names_in_capitals_are_those_of_the_source(tmp_path):
    path = tmp_path / "w.duckdb"
    names = ("_SDC_TABLE_VERSION", "_SDC_DELETED_AT")
    first = schema("t", {"ID": INTEGER, names[0]: INTEGER, names[1]: MOMENT}, ["ID"])
    line = versioned("t", NEW, ID=1, **{names[0]: OLD, names[1]: MOMENT_TEXT})
    load(path, [first, line, activate("t", NEW)], hard_delete=True)
    assert query(path, "SELECT id, _sdc_table_version, _sdc_table_version_2 FROM t") == [
        (1, NEW, OLD)
    ]
    load(path, [first, versioned("t", NEW + 1, ID=2), activate("t", NEW + 1)])
    assert query(path, "SELECT id FROM t WHERE _sdc_deleted_at_2 IS NULL") == [(2,)]


@pytest.mark.parametrize(
    "kind", [pytest.param("postgres", marks=needs_postgres), "delta", "iceberg"]
)
def test_other_destinations_heed_the_same(tmp_path, kind, request):
    warehouse: Warehouse
    if kind == "postgres":
        warehouse = Postgres.new(request.getfixturevalue("server"))
    else:
        warehouse = Delta(tmp_path) if kind == "delta" else Iceberg(tmp_path)
    first = schema(
        "t", {"id": INTEGER, "_sdc_table_version": INTEGER, "_sdc_deleted_at": BOOLEAN}, ["id"]
    )
    lines = [
        versioned("t", NEW, id=1, _sdc_table_version=OLD, _sdc_deleted_at=False),
        versioned("t", NEW, id=2, _sdc_table_version=OLD, _sdc_deleted_at=True),
    ]
    load_dlt([first, *lines, activate("t", NEW)], **warehouse.config, hard_delete=True)
    (row,) = warehouse.rows("t")
    assert (row["id"], row["_sdc_table_version"], row["_sdc_table_version_2"]) == (1, NEW, OLD)
    assert (row["_sdc_deleted_at"], row["_sdc_deleted_at_2"]) == (None, False)
