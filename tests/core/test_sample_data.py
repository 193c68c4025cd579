"""The tap's whole loop against the SDK's own: the same messages, for any stream of records.

The streams are the sample files of the SDK and wild ones; neither side knows the services.
"""

from __future__ import annotations

import copy
import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from singer_sdk import Stream, Tap
from singer_sdk.testing import target_test_streams

from tap_cloudapis.core.exchange import decode_body
from tap_cloudapis.core.output import encode
from tap_cloudapis.core.projection import compile_projection
from tap_cloudapis.core.state import VERSION
from tap_cloudapis.core.stream import CloudStream
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import own_signals
from tests.core.test_seams import container_for_boolean, records, schemas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


STARTS_AT = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Sample:
    """A stream as a tap would have it: its SCHEMA message and its records."""

    stream: str
    schema: Mapping[str, Any]
    keys: tuple[str, ...]
    records: list[Any] = field(default_factory=list)
    replication_key: str | None = None


def samples() -> Iterator[Any]:
    """The streams of the SDK's files; a new SCHEMA begins a new one."""
    files = (file for file in resources.files(target_test_streams).iterdir())
    for file in sorted((f for f in files if f.name.endswith(".singer")), key=lambda f: f.name):
        streams: dict[str, Sample] = {}
        found: list[Sample] = []
        for message in map(decode_body, file.read_bytes().splitlines()):
            name = message.get("stream")
            if message["type"] == "SCHEMA" and message["schema"].get("properties"):
                keys = tuple(message.get("key_properties", ()))
                streams[name] = Sample(name, message["schema"], keys)
                found.append(streams[name])
            elif message["type"] == "RECORD" and name in streams:
                streams[name].records.append(message["record"])
        for number, sample in enumerate(found):
            yield pytest.param(sample, id=f"{file.name}-{sample.stream}-{number}")


def state(sample: Sample) -> Any:
    """The STATE that both sides begin with."""
    key = sample.replication_key
    bookmark = {"replication_key": key, "replication_key_value": STARTS_AT} if key else {}
    return {"bookmarks": {sample.stream: bookmark}, "version": VERSION}


def stock(sample: Sample) -> list[bytes]:
    """What a tap writes that is nothing but the SDK."""

    class SampleStream(Stream):
        name = sample.stream
        schema: ClassVar[Any] = sample.schema
        primary_keys = sample.keys
        replication_key = sample.replication_key

        def get_records(self, _: Any) -> Iterator[Any]:
            yield from copy.deepcopy(sample.records)

    class SampleTap(Tap):
        name = "tap-sample"
        config_jsonschema: ClassVar[Any] = {"properties": {}}

        def discover_streams(self) -> list[Stream]:
            return [SampleStream(self)]

    tap = SampleTap(config={}, state=state(sample))
    with redirect_stdout(io.StringIO()) as output, own_signals():
        tap.sync_all()
    # The SDK's encoder puts spaces between; the order of keys stays what it was.
    return [encode(decode_body(line.encode())) for line in output.getvalue().splitlines()]


def ours(sample: Sample) -> list[bytes]:
    """What this tap writes, by its own loop."""

    class SampleStream(CloudStream):
        name = sample.stream
        service_key = "dbt"
        schema = sample.schema  # type: ignore[assignment]
        primary_keys = sample.keys
        replication_key = sample.replication_key

        @cached_property
        def _projection(self) -> Any:
            # These records pass no RecordShape, which has seen to booleans. It reads more values
            # of another type than their column than the SDK does: see test_shapes.py.
            return compile_projection(self.effective_schema, self.mask)

        def request_records(self, _: Any) -> Iterator[Any]:
            yield from copy.deepcopy(sample.records)

    class SampleTap(TapCloudAPIs):
        def discover_streams(self) -> list[CloudStream]:
            return [SampleStream(self)]

    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(stdout), own_signals():
        tap = SampleTap(config={"dbt_token": "fake"}, state=state(sample))
        assert next(iter(tap.streams.values()))._is_plain  # type: ignore[attr-defined]
        assert tap.run() == 0
    assert isinstance(stdout.buffer, io.BytesIO)
    return stdout.buffer.getvalue().splitlines()


def comparable(lines: list[bytes]) -> list[bytes]:
    """SCHEMA and RECORD messages without the time of extraction, and the last STATE."""
    messages = [line.split(b',"time_extracted":')[0] for line in lines]
    states = [line for line in messages if line.startswith(b'{"type":"STATE"')]
    # What the tap puts beside the bookmarks is its own.
    last = [encode(decode_body(line)["value"]["bookmarks"]) for line in states[-1:]]
    return [line for line in messages if line not in states] + last


@pytest.mark.parametrize("sample", list(samples()))
def test_sample_data_of_the_sdk(sample: Sample) -> None:
    assert comparable(ours(sample)) == comparable(stock(sample))


def test_bookmarks_are_those_of_the_sdk() -> None:
    schema = {
        "properties": {
            "id": {"type": "integer"},
            "updated_at": {"type": ["string", "null"], "format": "date-time"},
        }
    }
    times = ["2026-01-02T00:00:00Z", STARTS_AT, "2026-01-03T00:00:00Z", "2026-01-02T12:00:00Z"]
    rows = [{"id": number, "updated_at": time} for number, time in enumerate(times)]
    sample = Sample("incremental", schema, ("id",), rows, replication_key="updated_at")
    written = comparable(ours(sample))
    assert written == comparable(stock(sample))
    assert b"2026-01-03T00:00:00Z" in written[-1]


def test_booleans_are_those_of_the_sdk() -> None:
    schema = {"properties": {"id": {"type": "integer"}, "lit": {"type": ["boolean", "null"]}}}
    rows = [{"id": number, "lit": lit} for number, lit in enumerate([0, 1, "x", "", None, True])]
    sample = Sample("booleans", schema, ("id",), rows)
    assert comparable(ours(sample)) == comparable(stock(sample))


@hypothesis_settings(max_examples=40, deadline=None)
@given(schemas, st.data())
def test_wild_streams(schema: dict[str, Any], data: st.DataObject) -> None:
    found = data.draw(st.lists(records(schema), max_size=4))
    rows = [{**record, "id": number} for number, record in enumerate(found)]
    # The SDK makes True of a list in a boolean column; the tap leaves it as it came.
    assume(not any(container_for_boolean(schema, row) for row in rows))
    sample = Sample("wild", json.loads(json.dumps(schema)), ("id",), rows)
    assert comparable(ours(sample)) == comparable(stock(sample))
