"""Stream maps and metadata columns: what the SDK's targets do with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from target_dlt.errors import LoaderError
from tests.loader.support import (
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    column_types,
    load,
    query,
    raw_record,
    record,
    schema,
    state,
    typed,
)

T = schema("t", {"id": INTEGER, "email": STRING, "amount": NUMBER}, ["id"])
U = schema("u", {"id": INTEGER}, ["id"])
ROWS = [
    record("t", id=1, email="a@example.com", amount=0.5),
    record("t", id=2, email="b@example.com", amount=1.5),
]


def test_records_are_filtered_computed_and_renamed(tmp_path, capfd):
    path = tmp_path / "db.duckdb"
    maps = {
        "t": {
            "__alias__": "people",
            "__filter__": "amount < config['limit']",
            "email": None,
            "email_hash": "md5(email)",
            "twice": "int(id * 2)",
        }
    }
    messages = [T, U, *ROWS, record("u", id=7), state(1)]
    load(path, messages, stream_maps=maps, stream_map_config={"limit": 1})
    import hashlib  # noqa: PLC0415

    digest = hashlib.md5(b"a@example.com", usedforsecurity=False).hexdigest()
    assert query(path, "SELECT * EXCLUDE (_dlt_id, _dlt_load_id) FROM people") == [
        (1, 0.5, digest, 2)
    ]
    assert column_types(path, "people")["twice"] == "BIGINT"
    assert query(path, "SELECT id FROM u") == [(7,)]
    assert query(path, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 't'") == [(0,)]
    assert capfd.readouterr().out == "1\n"


def test_a_stream_can_be_removed_and_doubled(tmp_path):
    path = tmp_path / "db.duckdb"
    maps = {"u": None, "copy": {"__source__": "t", "__key_properties__": ["email"]}}
    load(path, [T, U, *ROWS, record("u", id=7)], stream_maps=maps)
    tables = "SELECT table_name FROM duckdb_tables() WHERE table_name NOT LIKE '\\_%' ESCAPE '\\'"
    assert sorted(query(path, tables)) == [("copy",), ("t",)]
    load(path, [T, record("t", id=3, email="a@example.com")], stream_maps=maps)
    assert query(path, "SELECT id FROM copy ORDER BY id") == [(2,), (3,)]
    assert query(path, "SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,)]


def test_other_streams_can_be_removed(tmp_path):
    path = tmp_path / "db.duckdb"
    load(path, [T, U, *ROWS, record("u", id=7)], stream_maps={"t": {}, "__else__": None})
    assert query(path, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'u'") == [(0,)]


def test_versions_follow_the_mapped_stream(tmp_path):
    path = tmp_path / "db.duckdb"

    def read_whole(version, *lines):
        rows = [json.dumps({**json.loads(line), "version": version}) for line in lines]
        activate = {"type": "ACTIVATE_VERSION", "stream": "t", "version": version}
        maps = {"t": {"__alias__": "people"}}
        load(path, [T, *rows, json.dumps(activate)], stream_maps=maps, hard_delete=True)

    read_whole(1, *ROWS)
    read_whole(2, ROWS[1])
    assert query(path, "SELECT id FROM people") == [(2,)]


def test_values_stay_exact_on_the_way(tmp_path):
    path = tmp_path / "db.duckdb"
    stream = schema("t", {"id": INTEGER, "tree": typed("object"), "n": NUMBER}, ["id"])
    text = '{"id": 1, "tree": {"a": 1.10, "b": 123456789012345678901234567890}, "n": NaN, "s": "é"}'
    load(path, [stream, raw_record("t", text)], stream_maps={"t": {"new": "str(id)"}})
    assert query(path, "SELECT tree, isnan(n), s, new FROM t") == [
        ('{"a":1.10,"b":123456789012345678901234567890}', True, "é", "1")
    ]


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("email.nothing()", "line 2: stream 't': Failed to evaluate"),
        ("int(email)", "line 2: stream 't': its stream map fails with ValueError$"),
    ],
)
def test_a_map_that_fails_is_a_bad_record_without_its_values(tmp_path, expression, error):
    path = tmp_path / "db.duckdb"
    config = {"stream_maps": {"t": {"x": expression}}}
    with pytest.raises(LoaderError, match=error) as caught:
        load(path, [T, *ROWS], **config)
    assert "example.com" not in str(caught.value)
    load(path, [T, *ROWS], **config, on_bad_record="quarantine")
    assert query(path, "SELECT line FROM _singer_quarantine ORDER BY line") == [(2,), (3,)]


@pytest.mark.parametrize(
    "maps", [{"t": {"id": None}}, {"t": {"x": "1 +"}}, {"t": "x"}, {"__else__": "y"}]
)
def test_maps_that_make_no_sense_are_named(tmp_path, maps):
    with pytest.raises(LoaderError, match="wrong settings: stream_maps: "):
        load(tmp_path / "db.duckdb", [T, *ROWS], stream_maps=maps)


def extracted(line, moment):
    return json.dumps({**json.loads(line), "time_extracted": moment, "version": 5})


def test_metadata_columns(tmp_path):
    path = tmp_path / "db.duckdb"
    before = datetime.now(UTC) - timedelta(seconds=1)
    messages = [T, extracted(ROWS[0], "2026-01-02T03:04:05+01:00"), ROWS[1]]
    load(path, messages, add_metadata_columns=True)
    types = column_types(path, "t")
    names = ("_sdc_extracted_at", "_sdc_batched_at", "_sdc_deleted_at")
    assert {types[name] for name in names} == {"TIMESTAMP WITH TIME ZONE"}
    assert "_sdc_received_at" not in types
    rows = query(path, f"SELECT {', '.join(names)} FROM t ORDER BY id")  # noqa: S608
    assert rows[0][0] == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert rows[1][0] is None
    assert all(before <= batched <= datetime.now(UTC) for _, batched, _ in rows)
    assert [deleted for *_, deleted in rows] == [None, None]


@pytest.mark.parametrize("nesting", ["json", "tables"])
def test_record_metadata_of_the_sdk(tmp_path, nesting):
    path = tmp_path / "db.duckdb"
    own = schema("t", {"id": INTEGER, "list": typed("array"), "_sdc_extracted_at": MOMENT}, ["id"])
    line = record("t", id=1, list=[1], _sdc_extracted_at="2026-05-05T00:00:00Z")
    load(path, [own, line], add_record_metadata=True, nesting=nesting)
    found = "SELECT _sdc_extracted_at, year(_sdc_extracted_at_2), _sdc_table_version FROM t"
    assert query(path, found) == [(None, 2026, None)]
    ((sequence, started, received),) = query(
        path, "SELECT _sdc_sequence, _sdc_sync_started_at, epoch_ms(_sdc_received_at) FROM t"
    )
    assert started <= sequence <= received + 1


def test_metadata_through_maps_and_flattening(tmp_path):
    path = tmp_path / "db.duckdb"
    stream = schema("t", {"id": INTEGER, "o": typed("object", properties={"n": NUMBER})}, ["id"])
    line = raw_record("t", '{"id": 1, "o": {"n": NaN}}')
    line = f'{line[:-1]}, "time_extracted": "2026-01-02T00:00:00Z"}}'
    config = {"stream_maps": {"t": {"x": "id"}}, "data_flattening_max_level": 1}
    load(path, [stream, line], **config, add_metadata_columns=True)
    assert query(path, "SELECT x, isnan(o__n), day(_sdc_extracted_at) FROM t") == [(1, True, 2)]
