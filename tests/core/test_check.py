"""A check: what can be read, what is lacking, what syncs will cost, in few requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.core.breaking import BreakingStream
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.core.owners import OwnerStream
from tap_cloudapis.core.paging import Page, PageLimit, TokenPages
from tap_cloudapis.core.parts import PartStream
from tests.core.checks import NOT_TRIED, READABLE, REFUSED, check
from tests.core.syncing import command, discover, selecting
from tests.core.toys import Shop, ToyStream, shape, toy_tap
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import Stream

    from tests.core.checks import Checked


class Kids(OwnerStream, ToyStream):
    name = "toy_kids"
    path = "/kids"
    schema = shape("id")
    owner = "kid"
    owner_key = "kids_id"
    scope = "kid {kids_id}"
    facts = Facts(row="a kid", requests="one")


class OfKids(ToyStream):
    parent_stream_type: type[Stream] | None = Kids
    owner = "kid"
    owner_key = "kids_id"
    scope = "kid {kids_id}"


class Balls(OfKids):
    """A list that tells how many rows there are."""

    name = "toy_balls"
    path = "/kids/{kids_id}/balls"
    schema = shape("id")
    tells_total = True
    grant = "Referee"
    facts = Facts(
        row="a ball", requests="one per 4 balls", permission="the permission to see balls"
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.limit = PageLimit("limit", 4)

    def new_paginator(self, context: Context | None) -> OffsetPages:  # noqa: ARG002
        return OffsetPages(limit=self.limit, what="balls")

    def read_page(self, body: Any) -> Page:
        return Page(rows=body["rows"], total=body["total"])


class Cards(OfKids):
    """A list that tells of no total, by tokens."""

    name = "toy_cards"
    path = "/kids/{kids_id}/cards"
    schema = shape("id")
    facts = Facts(row="a card", requests="one per 3 cards", plan="Big plans")

    def new_paginator(self, context: Context | None) -> TokenPages:  # noqa: ARG002
        return TokenPages(limit=PageLimit("limit", 3), what="cards")

    def read_page(self, body: Any) -> Page:
        return Page(rows=body["rows"], token=body.get("next"))


class Boxes(OfKids):
    name = "toy_boxes"
    path = "/kids/{kids_id}/boxes"
    schema = shape("id")
    facts = Facts(row="a box, open or shut", requests="one", unselected=Unselected.VOLUME)


class Things(BreakingStream, OfKids):
    name = "toy_things"
    path = "/kids/{kids_id}/boxes/{boxes_id}/things"
    schema = shape("id")
    parent_stream_type = Boxes
    facts = Facts(row="a thing", requests="one per box")


class Labels(PartStream, OfKids):
    name = "toy_labels"
    schema = shape("id")
    parent_stream_type = Boxes
    parts_field = "labels"
    facts = Facts(row="a label", requests="none: the boxes carry them")


TapKids = toy_tap(Kids, Balls, Cards, Boxes, Things, Labels)
NO = Reply({"message": "no"}, status=403)


def answers(kid: int) -> dict[str, Any]:
    return {
        f"/kids/{kid}/balls": lambda query: {
            "rows": [{"id": n} for n in range(9)][int(query["offset"]) :][: int(query["limit"])],
            "total": 9,
        },
        f"/kids/{kid}/cards": {"rows": [{"id": 1}, {"id": 2}, {"id": 3}], "next": "more"},
        f"/kids/{kid}/boxes": [
            {"id": 1, "labels": [{"id": 5}, {"id": 6}]},
            {"id": 2, "labels": [{"id": 7}]},
        ],
        f"/kids/{kid}/boxes/1/things": [{"id": 1}],
    }


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop(TapKids, {"/kids": [{"id": 1}, {"id": 2}], **answers(1), **answers(2)})
    with shop.server:
        yield shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def checked(shop: Shop, folder: Path, *arguments: Any, **more: Any) -> Checked:
    return check({**shop.config, **more}, folder, *arguments, tap_class=TapKids)


def table(shop: Shop, folder: Path) -> list[str]:
    path = folder / "config.json"
    path.write_text(json.dumps(shop.config))
    outcome = command("--config", path, "--check", tap_class=TapKids)
    return [line.decode() for line in outcome.lines]


def test_everything_can_be_read(shop: Shop, folder: Path) -> None:
    found = checked(shop, folder)
    assert found.outcome.code == 0
    assert found.told["ok"] is True
    assert found.others() == {}
    assert found.changes == []
    assert shop.asked() == sorted(
        ["/kids"]
        + [f"/kids/{kid}/{what}" for kid in (1, 2) for what in ("balls", "cards", "boxes")]
        + [f"/kids/{kid}/boxes/1/things" for kid in (1, 2)]
    ), "a request per stream and kid"


def test_a_row_is_enough_where_the_first_page_tells_the_total(shop: Shop, folder: Path) -> None:
    checked(shop, folder)
    limits = {r["path"]: r["query"].get("limit") for r in shop.server.requests}
    assert limits["/kids/1/balls"] == "1"
    assert limits["/kids/1/cards"] == "3", "a page tells at least how many there are"


def test_rows_and_requests_as_far_as_they_are_told(shop: Shop, folder: Path) -> None:
    streams = checked(shop, folder).streams
    # Two kids with nine balls each: pages of four, each of which begins with the last one's end.
    assert streams["toy_balls"]["rows"] == {"number": 18, "bound": "exact"}
    assert streams["toy_balls"]["first_sync"]["number"] == 6
    assert streams["toy_balls"]["first_sync"]["bound"] == "exact"
    # A token says that there is more.
    assert streams["toy_cards"]["rows"] == {"number": 6, "bound": "at least"}
    assert streams["toy_cards"]["first_sync"]["bound"] == "at least"
    assert streams["toy_cards"]["first_sync"]["number"] == 4
    assert streams["toy_labels"]["rows"] == {"number": 6, "bound": "exact"}
    assert streams["toy_labels"]["first_sync"]["number"] == 0
    # Two boxes each, of which one was looked into.
    assert streams["toy_things"]["rows"] == {"number": 2, "bound": "at least"}
    assert streams["toy_things"]["first_sync"]["number"] == 4
    real = shop.sync(select=["toy_balls"])
    assert real.logged("INFO", "toy_balls ", " 18 rows ", " 6 requests ")


def test_the_table_has_a_line_for_each_stream(shop: Shop, folder: Path) -> None:
    lines = table(shop, folder)
    (balls,) = (line for line in lines if line.startswith("toy_balls "))
    assert balls.split()[1:5] == ["yes", READABLE, "18", "6"]
    assert balls.endswith("Referee: see balls")
    (cards,) = (line for line in lines if line.startswith("toy_cards "))
    assert "at least 6" in cards
    assert cards.endswith("plan: Big plans")
    (formula,) = (line for line in lines if line.startswith("  toy_cards "))
    assert formula.endswith("one per 3 cards")
    assert lines[-1] == "Everything that is selected can be read"
    assert "This check: 9 requests" in lines


def test_what_is_refused_is_told_in_the_words_of_a_sync(shop: Shop, folder: Path) -> None:
    shop.answers.update({f"/kids/{kid}/balls": NO for kid in (1, 2)})
    found = checked(shop, folder)
    assert found.outcome.code == 1
    assert found.others() == {"toy_balls": REFUSED}
    (change,) = found.told["changes"]
    assert change["streams"] == ["toy_balls"]
    assert change["where"] == ["kid 1", "kid 2"]
    said, _, grant = change["text"].rpartition("; ")
    assert grant == "Referee has it"
    assert shop.sync(select=["toy_balls"]).logged("toy_balls", f"kid 1: {said}")
    lines = table(shop, folder)
    assert any(line.startswith("- toy_balls: kid 1 and kid 2: ") for line in lines)


def test_what_one_owner_refuses_is_told_of_that_one(shop: Shop, folder: Path) -> None:
    shop.answers["/kids/2/balls"] = NO
    found = checked(shop, folder)
    assert found.outcome.code == 1
    told = found.streams["toy_balls"]
    assert told["verdict"] == REFUSED
    assert [(kid["kid"], kid["verdict"]) for kid in told["owners"]] == [(1, READABLE), (2, REFUSED)]
    assert told["rows"] == {"number": 9, "bound": "at least"}
    (line,) = (line for line in table(shop, folder) if line.startswith("toy_balls "))
    assert "refused (kid 2)" in line


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply({"message": "needs an Enterprise subscription"}, status=400), "not in the plan"),
        (Reply({"message": "pay first"}, status=402), "not in the plan"),
        (Reply({"message": "not enabled for you"}, status=403), "not in the plan"),
        (Reply(b"404 page not found", status=404), "not there"),
        (Reply({"message": "no such toy"}, status=404), REFUSED),
        (Reply({"message": "teapot"}, status=418), "failed"),
        (Reply({"other": "shape"}), "failed"),
        (Reply({"message": "stranger"}, status=401), REFUSED),
    ],
    ids=lambda value: getattr(value, "status", None) and str(value.status),
)
def test_what_an_answer_means(reply: Reply, verdict: str, shop: Shop, folder: Path) -> None:
    shop.answers.update({f"/kids/{kid}/cards": reply for kid in (1, 2)})
    found = checked(shop, folder)
    assert found.outcome.code == 1
    assert found.verdicts["toy_cards"] == verdict
    assert found.changes


def test_a_route_that_is_missing_is_no_lack_of_permission(shop: Shop, folder: Path) -> None:
    shop.answers.update({f"/kids/{kid}/balls": Reply(b"nothing", status=404) for kid in (1, 2)})
    (text,) = checked(shop, folder).changes
    assert text.endswith("this server has no such route")
    assert shop.sync(select=["toy_balls"]).logged("toy_balls", "no such route")


def test_a_child_whose_parent_has_no_row_is_not_tried(shop: Shop, folder: Path) -> None:
    shop.answers.update({f"/kids/{kid}/boxes": [] for kid in (1, 2)})
    found = checked(shop, folder)
    assert found.outcome.code == 0, "there is nothing that could not be read"
    assert found.others() == {"toy_things": NOT_TRIED, "toy_labels": NOT_TRIED}
    assert found.streams["toy_things"]["why"] == ["no box"]
    (line,) = (line for line in table(shop, folder) if line.startswith("toy_things "))
    assert "not tried: no box " in line
    assert table(shop, folder)[-1].endswith("can be read, but 2 streams had no row to try")
    shop.asked()
    shop.answers["/kids/2/boxes"] = answers(2)["/kids/2/boxes"]
    assert checked(shop, folder).others() == {}, "one of the kids has boxes"


def test_a_child_of_what_is_refused_cannot_be_read(shop: Shop, folder: Path) -> None:
    shop.answers.update({f"/kids/{kid}/boxes": NO for kid in (1, 2)})
    found = checked(shop, folder)
    assert found.outcome.code == 1, "things and labels are selected"
    assert found.verdicts["toy_things"] == NOT_TRIED
    assert found.streams["toy_things"]["why"] == ["toy_boxes is refused"]
    assert found.verdicts["toy_labels"] == REFUSED, "a part shares the lot of its whole"
    assert len(found.changes) == 1


def test_only_what_is_selected_counts(shop: Shop, folder: Path) -> None:
    catalog = folder / "catalog.json"
    shop.answers.update({f"/kids/{kid}/boxes": NO for kid in (1, 2)})
    catalog.write_text(json.dumps(selecting(["toy_balls"], discover(TapKids))))
    found = checked(shop, folder, "--catalog", catalog)
    assert found.outcome.code == 0
    assert found.verdicts["toy_boxes"] == REFUSED
    assert found.changes == []
    assert [name for name, told in found.streams.items() if told["selected"]] == ["toy_balls"]
    catalog.write_text(json.dumps(selecting(["toy_things"], discover(TapKids))))
    needing = checked(shop, folder, "--catalog", catalog)
    assert needing.outcome.code == 1
    assert len(needing.changes) == 1, "what leads to it has to be read"


def test_an_owner_list_that_is_refused_leaves_nothing_to_try(shop: Shop, folder: Path) -> None:
    shop.answers["/kids"] = NO
    found = checked(shop, folder)
    assert found.outcome.code == 1
    assert found.verdicts.pop("toy_kids") == REFUSED
    assert set(found.others(REFUSED).values()) == {NOT_TRIED}
    assert len(found.changes) == 1
    assert shop.asked() == ["/kids"]


def test_nobody_who_owns_anything(shop: Shop, folder: Path) -> None:
    shop.answers["/kids"] = []
    found = checked(shop, folder)
    assert found.outcome.code == 0
    assert set(found.others().values()) == {NOT_TRIED}
    assert all(told["why"] == ["no kid"] for told in found.streams.values() if told["why"])


def test_a_rate_limit_is_waited_for_but_not_for_long(shop: Shop, folder: Path) -> None:
    shop.answers["/kids/1/balls"] = Reply({}, status=429, headers={"Retry-After": "21"})
    found = checked(shop, folder)
    assert found.outcome.code == 1
    assert any("asks for a wait of 21 s" in text for text in found.changes)
    assert any("the patience of a check is 20" in text for text in found.changes)
    patience = checked(shop, folder, rate_limit_patience_seconds=10)
    assert any("rate_limit_patience_seconds is 10" in text for text in patience.changes)


def test_no_message_and_no_state_is_written(shop: Shop, folder: Path) -> None:
    state = folder / "state.json"
    state.write_text("{}")
    found = checked(shop, folder, "--state", state)
    assert "type" not in found.told
    assert not any(line.startswith(b'{"type"') for line in found.outcome.lines)
    assert [line for line in table(shop, folder) if "RECORD" in line or "STATE" in line] == []


def test_the_token_is_in_neither_form(shop: Shop, folder: Path) -> None:
    leak = {"message": f"you are {shop.config['toy_token']}"}
    shop.answers.update({f"/kids/{kid}/balls": Reply(leak, status=403) for kid in (1, 2)})
    found = checked(shop, folder)
    text = json.dumps(found.told) + "\n".join(table(shop, folder)) + "\n".join(found.outcome.log)
    assert shop.config["toy_token"] not in text
