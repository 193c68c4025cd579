"""Rows that come inside the rows of a parent: their order, their keys, and what they cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tap_cloudapis.core.parts import PartStream
from tests.core.syncing import command, discover, selecting
from tests.core.toys import Shop, ToyStream, order, shape, toy_tap
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.tap import TapCloudAPIs
    from tests.core.syncing import Outcome, Record


class Boxes(ToyStream):
    """The parent: ``things`` are rows alone, ``tags`` are emitted as well."""

    name = "toy_boxes"
    path = "/boxes"
    schema: ClassVar[Any] = shape(
        "id", name="string", tags={"type": ["array", "null"], "items": shape("id")}
    )
    dropped_fields = frozenset({"things"})


class Things(PartStream, ToyStream):
    name = "toy_things"
    parent_stream_type = Boxes
    parts_field = "things"
    primary_keys = ("box_id", "id")
    context_columns: ClassVar[Mapping[str, str]] = {"box_id": "boxes_id"}
    schema: ClassVar[Any] = shape("box_id", "id", name="string")
    dropped_fields = frozenset({"pieces"})


class Pieces(PartStream, ToyStream):
    """Parts of a part."""

    name = "toy_pieces"
    parent_stream_type = Things
    parts_field = "pieces"
    primary_keys = ("box_id", "thing_id", "id")
    context_columns: ClassVar[Mapping[str, str]] = {"box_id": "boxes_id", "thing_id": "things_id"}
    schema: ClassVar[Any] = shape("box_id", "thing_id", "id")


class Tags(PartStream, ToyStream):
    """What the parent emits as well; here its passwords are wanted, and nothing undeclared."""

    name = "toy_tags"
    parent_stream_type = Boxes
    parts_field = "tags"
    primary_keys = ("box_id", "id")
    context_columns: ClassVar[Mapping[str, str]] = {"box_id": "boxes_id"}
    schema: ClassVar[Any] = {
        **shape("box_id", "id", lit="boolean", password="string", inner=shape("a")),  # noqa: S106
        "additionalProperties": False,
    }
    unscrubbed_fields = frozenset({"password"})


class Notes(ToyStream):
    """A child with requests of its own."""

    name = "toy_notes"
    path = "/boxes/{boxes_id}/notes"
    parent_stream_type = Boxes
    primary_keys = ("box_id", "id")
    context_columns: ClassVar[Mapping[str, str]] = {"box_id": "boxes_id"}
    schema: ClassVar[Any] = shape("box_id", "id")


TapToys = toy_tap(Boxes, Things, Pieces, Tags, Notes)

PARTS = ["toy_things", "toy_pieces"]
BOXES = [
    {
        "id": 1,
        "name": "red",
        "tags": [{"id": 5, "lit": 1, "password": "x", "inner": {"a": 1, "b": 2}, "more": [1]}],
        "things": [
            {"id": 1, "name": "car", "pieces": [{"id": 7}, {"id": 8}]},
            {"id": 2, "name": "doll", "pieces": None},
        ],
    },
    {"id": 2, "name": "blue", "tags": [], "things": []},
    {"id": 3, "name": "green", "things": [{"id": 1, "name": "ball", "pieces": [{"id": 7}]}]},
]


@pytest.fixture
def shop() -> Iterator[Shop]:
    notes = {f"/boxes/{number}/notes": [{"id": number * 10}] for number in (1, 2, 3)}
    shop = Shop(TapToys, {"/boxes": BOXES, **notes})
    with shop.server:
        yield shop


def keys(outcome: Outcome) -> list[tuple[Any, ...]]:
    return [
        (name, *filter(None, values))
        for name, *values in order(outcome.messages, "box_id", "thing_id", "id")
    ]


ROWS = [
    ("boxes", 1),
    ("things", 1, 1),
    ("pieces", 1, 1, 7),
    ("pieces", 1, 1, 8),
    ("things", 1, 2),
    ("tags", 1, 5),
    ("boxes", 2),
    ("boxes", 3),
    ("things", 3, 1),
    ("pieces", 3, 1, 7),
]


def test_parts_follow_right_behind_their_row_and_cost_no_request(shop: Shop) -> None:
    outcome = shop.sync(select=["toy_boxes", *PARTS, "toy_tags"])
    assert outcome.code == 0
    assert keys(outcome) == ROWS
    assert shop.asked() == ["/boxes"]
    assert [thing["name"] for thing in outcome.records("toy_things")] == ["car", "doll", "ball"]
    # Two levels below, and before the fields were dropped.
    assert not any("things" in box for box in outcome.records("toy_boxes"))
    assert not any("pieces" in thing for thing in outcome.records("toy_things"))


def test_a_child_with_requests_beside_them(shop: Shop) -> None:
    outcome = shop.sync()
    assert outcome.code == 0
    assert [row for row in keys(outcome) if row[0] != "notes"] == ROWS
    assert len(outcome.records("toy_notes")) == 3
    assert shop.asked() == ["/boxes", *(f"/boxes/{number}/notes" for number in (1, 2, 3))]


@pytest.mark.parametrize("stream", ["toy_things", "toy_pieces", "toy_tags"])
def test_the_request_of_the_parent_is_made_for_a_part_alone(stream: str, shop: Shop) -> None:
    outcome = shop.sync(select=[stream])
    assert outcome.code == 0
    assert list(outcome.schemas) == [stream]
    assert keys(outcome) == [row for row in ROWS if f"toy_{row[0]}" == stream]
    assert shop.asked() == ["/boxes"]
    assert {m["stream"] for m in outcome.messages if m["type"] == "RECORD"} == {stream}


def test_a_stream_between_is_left_out(shop: Shop) -> None:
    outcome = shop.sync(select=["toy_boxes", "toy_pieces"])
    assert keys(outcome) == [row for row in ROWS if row[0] in {"boxes", "pieces"}]


def test_what_is_emitted_and_exploded_is_whole_in_both(shop: Shop) -> None:
    outcome = shop.sync(catalog=all_but("toy_tags", "inner"))
    assert outcome.code == 0
    box = outcome.records("toy_boxes")[0]
    # The parent's own projection and scrubbing, and none of the child's.
    assert box["tags"] == [{"id": 5, "lit": 1, "inner": {"a": 1, "b": 2}, "more": [1]}]
    assert outcome.records("toy_tags") == [{"id": 5, "lit": True, "password": "x", "box_id": 1}]


def test_columns_that_the_parent_leaves_out_are_there_for_the_child(shop: Shop) -> None:
    outcome = shop.sync(catalog=all_but("toy_boxes", "tags"))
    assert not any("tags" in box for box in outcome.records("toy_boxes"))
    assert outcome.records("toy_tags")[0]["inner"] == {"a": 1, "b": 2}


def all_but(stream: str, column: str) -> Record:
    """A catalog that selects everything but one column."""
    catalog = discover(TapToys)
    names = [entry["tap_stream_id"] for entry in catalog["streams"]]
    return selecting(names, catalog, **{stream: [column]})


# Failures


def test_with_a_refused_parent_its_parts_are_skipped_without_a_word_more(shop: Shop) -> None:
    shop.answers["/boxes"] = Reply({"message": "no"}, status=403)
    outcome = shop.sync(select=["toy_boxes", *PARTS])
    assert outcome.code == 1, "nothing at all was read"
    assert len(outcome.logged("WARNING")) == 1
    assert outcome.logged("WARNING", "toy_boxes", "403")
    for name in PARTS:
        assert outcome.logged("INFO", name, " 0 rows", "skipped: answered 403 (as toy_boxes)")
    assert not outcome.logged("not read")


def test_of_a_parent_that_is_not_selected_the_refusal_is_told_as_well(shop: Shop) -> None:
    shop.answers["/boxes"] = Reply({"message": "no"}, status=403)
    outcome = shop.sync(select=["toy_pieces"])
    assert outcome.code == 1, "nothing at all was read"
    assert len(outcome.logged("WARNING")) == 1
    assert outcome.logged("INFO", "toy_pieces", "skipped")


@pytest.mark.parametrize("foreign", [{"id": None}, {"id": 4, "box_id": 99}, {"id": "x"}, {}])
def test_a_part_that_cannot_be_told_apart_is_left_out_and_counted(
    foreign: Record, shop: Shop
) -> None:
    shop.answers["/boxes"] = [{"id": 1, "things": [foreign, {"id": 2}]}, {"id": 2}]
    outcome = shop.sync(select=["toy_boxes", "toy_things"])
    assert outcome.code == 1
    assert keys(outcome) == [("boxes", 1), ("things", 1, 2), ("boxes", 2)]
    assert outcome.logged("INFO", "toy_things", "1 records left out")
    assert len(outcome.logged("ERROR")) == 1


def test_a_parent_that_is_left_out_has_no_parts(shop: Shop) -> None:
    shop.answers["/boxes"] = [{"id": None, "things": [{"id": 1}]}, BOXES[2]]
    outcome = shop.sync(select=["toy_boxes", "toy_things"])
    assert outcome.code == 1
    assert keys(outcome) == [("boxes", 3), ("things", 3, 1)]


@pytest.mark.parametrize("things", ["text", 7, {"id": 1}, [1], ["text"], [None, {"id": 2}]])
def test_parts_in_another_shape_take_nothing_away_from_the_parent(things: Any, shop: Shop) -> None:
    shop.answers["/boxes"] = [{"id": 1, "things": things}, BOXES[2]]
    outcome = shop.sync(select=["toy_boxes", *PARTS])
    assert outcome.code == 1
    assert [row for row in keys(outcome) if row[0] == "boxes"] == [("boxes", 1), ("boxes", 3)]
    assert ("pieces", 3, 1, 7) in keys(outcome)
    assert outcome.logged("ERROR", "toy_things")


def test_a_row_that_comes_twice_gives_its_parts_once(shop: Shop) -> None:
    shop.answers["/boxes"] = [BOXES[0], BOXES[0]]
    outcome = shop.sync(select=["toy_boxes", "toy_things"])
    assert outcome.code == 0
    assert keys(outcome) == [("boxes", 1), ("things", 1, 1), ("things", 1, 2)]


# Versions, filters, contexts


def activated(outcome: Outcome) -> set[str]:
    return {m["stream"] for m in outcome.messages if m["type"] == "ACTIVATE_VERSION"}


VERSIONED = {"emit_activate_version_messages": True}


def test_parts_of_a_whole_parent_are_whole(shop: Shop) -> None:
    outcome = shop.sync(config=VERSIONED)
    assert activated(outcome) == {"toy_boxes", *PARTS, "toy_tags", "toy_notes"}
    versions = {m["version"] for m in outcome.messages if m["type"] == "RECORD"}
    assert len(versions) == 1
    assert activated(shop.sync(config=VERSIONED, select=["toy_pieces"])) == {"toy_pieces"}


def test_parts_of_a_parent_without_rows_are_gone(shop: Shop) -> None:
    shop.answers["/boxes"] = []
    outcome = shop.sync(config=VERSIONED, select=PARTS)
    assert activated(outcome) == set(PARTS)
    assert set(outcome.schemas) == set(PARTS)


@pytest.mark.parametrize(
    "answer",
    [
        Reply({"message": "no"}, status=403),
        Reply({"message": "bad"}, status=400),
        [{"id": None, "things": [{"id": 1}]}, BOXES[2]],
        {"not": "a list"},
    ],
)
def test_parts_of_a_parent_that_is_not_whole_are_not_activated(answer: Any, shop: Shop) -> None:
    shop.answers["/boxes"] = answer
    assert activated(shop.sync(config=VERSIONED)) == set()


def test_parts_that_are_not_whole_leave_the_parent_its_version(shop: Shop) -> None:
    shop.answers["/boxes"] = [{"id": 1, "things": [{"id": None}]}]
    assert activated(shop.sync(config=VERSIONED, select=["toy_boxes", *PARTS])) == {"toy_boxes"}


def test_a_filter_of_the_settings_narrows_the_parts_too() -> None:
    tap_class = toy_tap(Boxes, Things, narrowing={"toy_names": {"toy_boxes"}})
    shop = Shop(tap_class, {"/boxes": BOXES})
    with shop.server:
        assert activated(shop.sync(config=VERSIONED)) == {"toy_boxes", "toy_things"}
        assert activated(shop.sync(config={**VERSIONED, "toy_names": ["red"]})) == set()


@pytest.mark.parametrize("select", [["toy_boxes", *PARTS], ["toy_boxes", "toy_pieces"]])
def test_a_row_that_is_filtered_out_has_no_parts(select: list[str], shop: Shop) -> None:
    kept: list[TapCloudAPIs] = []
    maps = {"toy_boxes": {"__filter__": "record['id'] != 1"}}
    outcome = shop.sync(config={"stream_maps": maps}, select=select, prepare=kept.append)
    assert outcome.code == 0, outcome.log
    expected = [row for row in ROWS if f"toy_{row[0]}" in select and row[1] != 1]
    assert keys(outcome) == expected
    # Nothing waits for a row that will never come.
    streams: dict[str, Any] = dict(kept[0].streams)
    assert all(streams[name]._handed_down == {} for name in PARTS)
    assert all(stream._behind_record == [] for stream in streams.values())


def test_a_part_that_is_filtered_out_has_no_parts(shop: Shop) -> None:
    maps = {"toy_things": {"__filter__": "record['name'] != 'car'"}, "toy_boxes": {"id": "id"}}
    outcome = shop.sync(config={"stream_maps": maps}, select=["toy_boxes", *PARTS])
    assert keys(outcome) == [
        *[("boxes", 1), ("things", 1, 2), ("boxes", 2)],
        *[("boxes", 3), ("things", 3, 1), ("pieces", 3, 1, 7)],
    ]


def test_rows_without_parts_cost_nothing(shop: Shop) -> None:
    shop.answers["/boxes"] = [{"id": number} for number in range(1, 200)]
    read: list[Context | None] = []

    def watch(tap: TapCloudAPIs) -> None:
        stream: Any = tap.streams["toy_things"]
        request_records = stream.request_records

        def watched(context: Context | None) -> Any:
            read.append(context)
            return request_records(context)

        stream.request_records = watched

    outcome = shop.sync(select=["toy_boxes", "toy_things"], prepare=watch)
    assert outcome.code == 0
    assert len(outcome.records("toy_boxes")) == 199
    assert [m["stream"] for m in outcome.messages if m["type"] == "SCHEMA"] == [
        "toy_boxes",
        "toy_things",
    ]
    assert len(read) == 1


def test_a_dry_run_shows_a_part(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(shop.config))
    outcome = command("--config", path, "--test=records", tap_class=TapToys)
    assert outcome.code == 0, outcome.log
    assert {name: row for name, *row in keys(outcome)} == {
        "boxes": [1],
        "things": [1, 1],
        "pieces": [1, 1, 7],
        "tags": [1, 5],
        "notes": [1, 10],
    }
    assert shop.asked() == ["/boxes", "/boxes/1/notes"]
    assert "The test has passed" in outcome.repeated[-1]
