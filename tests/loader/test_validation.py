"""validate_records and primary_key_required: what the schema says beyond types."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from target_dlt.errors import LoaderError
from tests.loader.support import INTEGER, STRING, load, query, raw_record, record, schema

PROPERTIES = {
    "id": {"type": "integer", "minimum": 0},
    "n": {"type": ["null", "number"], "multipleOf": 1e-9},
    "s": {"type": ["null", "string"], "maxLength": 3},
    "tree": {"type": "object", "properties": {"a": {"type": "integer"}}},
}
T = schema("t", PROPERTIES, ["id"], required=["id", "s"])
BAD = [
    ('{"id": -1, "s": ""}', "id breaks 'minimum'"),
    ('{"id": 1.5, "s": ""}', "id breaks 'type'"),
    ('{"id": true, "s": ""}', "id breaks 'type'"),
    ('{"id": 1, "s": "secret"}', "s breaks 'maxLength'"),
    ('{"id": 1}', "the record breaks 'required'"),
    ('{"id": 1, "s": "", "tree": {"a": "x"}}', "tree/a breaks 'type'"),
]
GOOD = ['{"id": 7, "s": null, "n": 0.1, "tree": {"a": 1.0}}', '{"id": 8, "s": "", "n": 1e999}']


@pytest.mark.parametrize(("text", "error"), BAD)
def test_a_record_that_breaks_its_schema_ends_the_load(tmp_path, text, error):
    path = tmp_path / "db.duckdb"
    with pytest.raises(LoaderError, match=f"line 2: stream 't': {error} of its") as caught:
        load(path, [T, raw_record("t", text)], validate_records=True)
    assert "secret" not in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize("form", ["RECORD", "BATCH"])
def test_or_is_quarantined(tmp_path, form):
    path, file = tmp_path / "db.duckdb", tmp_path / "1"
    texts = [text for text, _ in BAD] + GOOD
    messages = [raw_record("t", text) for text in texts]
    if form == "BATCH":
        file.write_text("\n".join(texts))
        batch = {"type": "BATCH", "stream": "t", "encoding": {"format": "jsonl"}}
        messages = [json.dumps({**batch, "manifest": [str(file)]})]
    load(path, [T, *messages], validate_records=True, on_bad_record="quarantine")
    assert query(path, "SELECT id, n FROM t ORDER BY id") == [(7, Decimal("0.1")), (8, None)]
    assert query(path, "SELECT count(*) FROM _singer_quarantine") == [(len(BAD),)]


def test_a_stream_without_a_key(tmp_path):
    path = tmp_path / "db.duckdb"
    messages = [schema("t", {"id": INTEGER}), schema("u", {"s": STRING})]
    with pytest.raises(LoaderError, match="line 1: stream 't': no key_properties"):
        load(path, messages, primary_key_required=True)
    load(path, messages)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "string", "pattern": r"^\p{L}+$"},
        {"$ref": "#/definitions/none"},
        {"$ref": "https://example.invalid/x.json"},
        {"$ref": 7},
        {"type": "any"},
        {"type": "string", "maxLength": "5"},
        {"type": "string", "required": True, "properties": [1], "allOf": [7]},
    ],
)
@pytest.mark.parametrize("options", [{}, {"on_bad_record": "quarantine"}])
def test_a_schema_that_nothing_can_be_held_to_is_told_in_one_line(tmp_path, odd, options):
    messages = [schema("t", {"id": INTEGER, "s": odd}), record("t", id=1, s="a")]
    with pytest.raises(LoaderError, match="line 2: stream 't': validate_records needs") as caught:
        load(tmp_path / "db.duckdb", messages, validate_records=True, **options)
    assert "\n" not in str(caught.value)
