"""The streams of many tests: boxes with things and notes in them, and lids beside them."""

from __future__ import annotations

from typing import ClassVar

from tests.core.toys import ToyStream, shape


class Boxes(ToyStream):
    name = "toy_boxes"
    path = "/boxes"
    schema = shape("id")
    scope = "the boxes"


class BoxStream(ToyStream):
    """What is listed by box."""

    schema = shape("id", boxes_id="integer")
    primary_keys = ("boxes_id", "id")
    context_columns: ClassVar[dict[str, str]] = {"boxes_id": "boxes_id"}
    parent_stream_type = Boxes
    scope = "box {boxes_id}"


class Things(BoxStream):
    name = "toy_things"
    path = "/boxes/{boxes_id}/things"


class Notes(BoxStream):
    name = "toy_notes"
    path = "/boxes/{boxes_id}/notes"


class Lids(ToyStream):
    name = "toy_lids"
    path = "/lids"
    schema = shape("id")
