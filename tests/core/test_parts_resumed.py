"""Rows inside the rows of an incremental parent: none may be lost when its mark has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.parts import PartStream
from tests.core.syncing import every_state
from tests.core.toys import Shop, ToyStream, order, shape, toy_tap
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import Row
    from tests.core.syncing import Message, Record


class Events(MarkedStream, ToyStream):
    """An incremental parent: its mark is the last event that was written."""

    name = "toy_events"
    path = "/events"
    replication_key = "id"
    schema: ClassVar[Any] = shape("id")
    dropped_fields = frozenset({"marks"})

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        return [row for row in rows if row["id"] > self.stream_state.get("last", 0)]

    def _increment_stream_state(
        self,
        latest_record: dict[str, Any],
        *,
        context: Context | None = None,  # noqa: ARG002
    ) -> None:
        self.stream_state["last"] = latest_record["id"]


class EventMarks(PartStream, ToyStream):
    name = "toy_marks"
    parent_stream_type = Events
    parts_field = "marks"
    primary_keys = ("event_id", "id")
    context_columns: ClassVar[Mapping[str, str]] = {"event_id": "events_id"}
    schema: ClassVar[Any] = shape("event_id", "id")


class EventNotes(ToyStream):
    name = "toy_event_notes"
    path = "/events/{events_id}/notes"
    parent_stream_type = Events
    primary_keys = ("id",)
    schema: ClassVar[Any] = shape("id")


TapEvents = toy_tap(Events, EventMarks, EventNotes)


@pytest.fixture
def events() -> Iterator[Shop]:
    rows = [
        {"id": number, "marks": [{"id": mark} for mark in range(1, number % 4 + 1)]}
        for number in range(1, 8)
    ]
    notes: dict[str, Any] = {f"/events/{row['id']}/notes": [] for row in rows}
    shop = Shop(TapEvents, {"/events": rows, **notes})
    with shop.server:
        yield shop


EVENTS = ["toy_events", "toy_marks"]


def test_no_state_knows_of_a_row_before_its_parts(events: Shop) -> None:
    outcome = events.sync(select=EVENTS, prepare=every_state)
    written: dict[int, int] = {}
    for message in outcome.messages:
        if message["type"] == "RECORD" and message["stream"] == "toy_marks":
            written[message["record"]["event_id"]] += 1
        elif message["type"] == "RECORD":
            written[message["record"]["id"]] = 0
        elif message["type"] == "STATE":
            last = message["value"].get("bookmarks", {}).get("toy_events", {}).get("last", 0)
            assert all(written.get(event) == event % 4 for event in range(1, last + 1))
    assert len(outcome.states) > 7


def rows(messages: list[Message]) -> set[tuple[Any, ...]]:
    return set(order(messages, "event_id", "id"))


@pytest.mark.parametrize("select", [EVENTS, ["toy_marks"]])
def test_cut_at_every_record_and_resumed_it_is_the_same(select: list[str], events: Shop) -> None:
    whole = events.sync(select=select, prepare=every_state)
    everything = rows(whole.messages)
    assert len(everything) == (7 + 12 if len(select) == 2 else 12)
    states: list[Record | None] = [None]
    for number, message in enumerate(whole.messages):
        if message["type"] == "STATE":
            states.append(message["value"])
        elif message["type"] == "RECORD":
            resumed = events.sync(select=select, state=states[-1])
            assert resumed.code == 0
            assert rows(whole.messages[: number + 1]) | rows(resumed.messages) == everything


def test_parts_are_written_even_after_another_stream_was_locked_out(events: Shop) -> None:
    """The rows are here, and the mark of their parent moves."""
    events.answers["/events/1/notes"] = Reply({"message": "who?"}, status=401)
    outcome = events.sync()
    assert outcome.code == 1
    written = {row[2] for row in rows(outcome.messages) if row[0] == "events"}
    assert written
    last = outcome.state["bookmarks"]["toy_events"]["last"]
    marks = [row for row in rows(outcome.messages) if row[0] == "marks"]
    assert len(marks) == sum(event % 4 for event in range(1, last + 1))


def test_rows_of_earlier_parents_are_never_dropped(events: Shop) -> None:
    """A sync brings the parts of new events alone: a target must keep the others."""
    versioned = {"emit_activate_version_messages": True}
    for _ in range(2):
        outcome = events.sync(config=versioned)
        assert outcome.code == 0
        assert not any(message["type"] == "ACTIVATE_VERSION" for message in outcome.messages)
        assert not any("version" in m for m in outcome.messages if m["type"] == "RECORD")
