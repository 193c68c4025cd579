"""What is refused is judged with its scope: a list, an owner of lists, or all of a service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.core.syncing import command
from tests.core.toys import TOKEN, Shop, ToyStream, shape, toy_tap
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.core.syncing import Outcome

REFUSED = Reply({"message": "not for you"}, status=403)
UNKNOWN = Reply({"message": "who is this?"}, status=401)
CHILDREN = (1, 2, 3)
BOXES = tuple(range(1, 31))


class Kids(ToyStream):
    """The children who own the toys, as accounts own lists."""

    name = "toy_kids"
    path = "/kids"
    schema = shape("id")
    owner = "child"
    owner_key = "kids_id"


class OfKid(ToyStream):
    """A list that each child has."""

    parent_stream_type: type[ToyStream] | None = Kids
    primary_keys = ("kids_id", "id")
    context_columns: ClassVar[Mapping[str, str]] = {"kids_id": "kids_id"}
    scope = "child {kids_id}"
    owner = "child"
    owner_key = "kids_id"
    schema = shape("kids_id", "id")


class Balls(OfKid):
    """Balls."""

    name = "toy_balls"
    path = "/kids/{kids_id}/balls"


class Boxes(OfKid):
    """Boxes."""

    name = "toy_boxes"
    path = "/kids/{kids_id}/boxes"


class Things(OfKid):
    """What is in a box."""

    name = "toy_things"
    path = "/boxes/{boxes_id}/things"
    parent_stream_type = Boxes
    scope = "box {boxes_id}"


TapKids = toy_tap(Kids, Balls, Boxes, Things, owner_setting="toy_names")


@pytest.fixture
def shop() -> Iterator[Shop]:
    answers: dict[str, Any] = {"/kids": [{"id": kid} for kid in CHILDREN]}
    for kid in CHILDREN:
        answers[f"/kids/{kid}/balls"] = [{"id": 1}]
        boxes = [box for box in BOXES if box % len(CHILDREN) == kid % len(CHILDREN)]
        answers[f"/kids/{kid}/boxes"] = [{"id": box} for box in boxes]
        answers.update({f"/boxes/{box}/things": [{"id": 1}] for box in boxes})
    shop = Shop(TapKids, answers)
    with shop.server:
        yield shop


def close(shop: Shop, kid: int, answer: Any) -> None:
    """Have all that belongs to a child answered so."""
    boxes = [box["id"] for box in shop.answers[f"/kids/{kid}/boxes"]]
    for path in [f"/kids/{kid}/balls", f"/kids/{kid}/boxes"]:
        shop.answers[path] = answer
    shop.answers.update({f"/boxes/{box}/things": answer for box in boxes})


def kids_of(outcome: Outcome, stream: str) -> set[int]:
    return {record["kids_id"] for record in outcome.records(stream)}


def total(outcome: Outcome) -> str:
    (line,) = outcome.logged("INFO total ")
    return line


# One list, some lists


def test_one_list_is_skipped_named_and_counted(shop: Shop) -> None:
    shop.answers["/kids/2/balls"] = REFUSED
    outcome = shop.sync()
    assert outcome.code == 0
    assert kids_of(outcome, "toy_balls") == {1, 3}
    (warning,) = outcome.logged("WARNING")
    assert all(word in warning for word in ("toy_balls", "child 2", "403", "not for you"))
    assert outcome.logged("INFO", "toy_balls", "[skipped: child 2: answered 403]")
    assert "[INCOMPLETE: 1 of 4 streams]" in total(outcome)
    (below,) = outcome.repeated
    assert below.startswith("WARNING INCOMPLETE: 1 of 4 streams (toy_balls: child 2: answered 403)")


def test_many_equal_refusals_are_a_line_with_a_count(shop: Shop) -> None:
    refused = [box for box in BOXES if box % 3]
    shop.answers.update({f"/boxes/{box}/things": REFUSED for box in refused})
    outcome = shop.sync()
    assert outcome.code == 0
    assert len(outcome.records("toy_things")) == len(BOXES) - len(refused)
    assert len(outcome.logged("WARNING", "toy_things: skipped, box ")) == 3
    assert outcome.logged("WARNING")[-1].endswith("further ones are only counted")
    assert outcome.logged("INFO", "toy_things ", "[skipped: box ", " and 17 more: answered 403]")


def test_each_reason_is_told_however_many_lists_have_another(shop: Shop) -> None:
    for box in BOXES[:8]:
        shop.answers[f"/boxes/{box}/things"] = REFUSED
    odd = Reply({"message": "quarantined by policy"}, status=403)
    shop.answers["/boxes/9/things"] = odd
    outcome = shop.sync()
    assert len(outcome.logged("WARNING", "not for you")) == 3
    assert outcome.logged("WARNING", "box 9: ", "quarantined by policy")
    assert outcome.logged("INFO", "toy_things ", " and 6 more: answered 403]")


def test_with_on_forbidden_every_owner_is_told(shop: Shop) -> None:
    gone = Reply({"message": "gone"}, status=404)
    for kid in (1, 2):
        close(shop, kid, gone)
    outcome = shop.sync(config={"on_forbidden": "fail"})
    assert outcome.code == 1
    for kid in (1, 2):
        assert outcome.logged("ERROR", "toy_balls", f"child {kid}")


def test_refusals_for_other_reasons_are_told_apart(shop: Shop) -> None:
    shop.answers["/boxes/4/things"] = REFUSED
    shop.answers["/boxes/5/things"] = Reply({"message": "gone"}, status=404)
    outcome = shop.sync()
    notes = outcome.logged("INFO", "toy_things ")[0]
    assert "[skipped: box 4: answered 403]" in notes
    assert "[skipped: box 5: answered 404]" in notes


# An owner


def test_a_401_of_one_owner_ends_that_one(shop: Shop) -> None:
    close(shop, 2, UNKNOWN)
    outcome = shop.sync()
    assert outcome.code == 1
    for stream in ("toy_balls", "toy_boxes", "toy_things"):
        assert kids_of(outcome, stream) == {1, 3}, stream
    (error,) = outcome.logged("ERROR")
    assert "child 2: " in error
    assert "who is this?" in error
    assert "check the token" not in error, "others accept it"
    asked = [path for path in shop.asked() if "/kids/2/" in path]
    assert len(asked) <= 2, "what was asked ahead"
    assert "not read to its end" in outcome.logged("INFO", "toy_boxes ")[0]
    assert any(error.removeprefix("ERROR ") in line for line in outcome.repeated)


def test_a_401_of_all_ends_the_service(shop: Shop) -> None:
    shop.answers = dict.fromkeys(shop.answers, UNKNOWN)
    outcome = shop.sync()
    assert outcome.code == 1
    (error,) = outcome.logged("ERROR")
    assert "does not accept the value of toy_token" in error
    assert shop.asked() == ["/kids"]


def test_a_token_that_dies_in_mid_sync_is_no_success(shop: Shop) -> None:
    for kid in CHILDREN:
        close(shop, kid, UNKNOWN)
    outcome = shop.sync()
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "not any more")) == len(CHILDREN)
    assert not outcome.records("toy_balls")


def test_an_owner_that_is_not_named_is_skipped(shop: Shop) -> None:
    close(shop, 3, REFUSED)
    outcome = shop.sync()
    assert outcome.code == 0
    assert kids_of(outcome, "toy_boxes") == {1, 2}
    assert "[INCOMPLETE: 2 of 4 streams]" in total(outcome)


def test_an_owner_that_the_settings_name_fails_if_nothing_of_it_is_read(shop: Shop) -> None:
    close(shop, 3, REFUSED)
    outcome = shop.sync(config={"toy_names": ["1", "3"]})
    assert outcome.code == 1
    (error,) = outcome.logged("ERROR")
    assert error.startswith("ERROR child 3 of toy_names: every list was refused (2 of 2)")
    assert kids_of(outcome, "toy_boxes") == {1, 2}


@pytest.mark.parametrize("spelled", [" 3 ", "03"])
def test_however_the_settings_spell_an_owner(spelled: str, shop: Shop) -> None:
    close(shop, 3, REFUSED)
    assert shop.sync(config={"toy_names": [spelled]}).code == 1


def test_an_owner_that_the_settings_name_may_lack_a_list(shop: Shop) -> None:
    shop.answers["/kids/3/balls"] = REFUSED
    assert shop.sync(config={"toy_names": ["3"]}).code == 0


# A service


def test_nothing_but_refusals_is_an_error(shop: Shop) -> None:
    for kid in CHILDREN:
        close(shop, kid, REFUSED)
    outcome = shop.sync()
    assert outcome.code == 1
    assert len(outcome.records("toy_kids")) == len(CHILDREN)
    (error,) = outcome.logged("ERROR")
    assert error.startswith("ERROR Toy Cloud: every list that was asked for was refused (6 of 6)")
    assert "FAILED" in total(outcome)
    assert error in outcome.repeated


def test_the_only_stream_that_is_selected_is_refused(shop: Shop) -> None:
    shop.answers.update({f"/kids/{kid}/balls": REFUSED for kid in CHILDREN})
    assert shop.sync(select=["toy_kids", "toy_balls"]).code == 1
    assert shop.sync(select=["toy_kids", "toy_balls", "toy_boxes"]).code == 0


def test_what_is_read_for_others_alone_does_not_count(shop: Shop) -> None:
    """The boxes can be read, and nobody wants them."""
    shop.answers.update({f"/boxes/{box}/things": REFUSED for box in BOXES})
    assert shop.sync(select=["toy_things"]).code == 1
    assert shop.sync(select=["toy_things", "toy_boxes"]).code == 0


def test_failures_that_differ_in_ids_alone_are_one(shop: Shop) -> None:
    for box in BOXES:
        body = {"message": f"no thing of box {box}, request 8f3a-{box}"}
        shop.answers[f"/boxes/{box}/things"] = Reply(body, status=410 if box == 8 else 418)
    outcome = shop.sync()
    assert outcome.code == 1
    assert len(outcome.logged("ERROR", "toy_things: box ", "answered 418")) == 3
    assert len(outcome.logged("ERROR", "toy_things: box 8: ", "answered 410")) == 1
    assert [line for line in outcome.repeated if " and 26 more: " in line]


# What was read before


def test_what_was_read_before_may_not_be_refused(shop: Shop) -> None:
    shop.sync()
    shop.answers["/kids/2/balls"] = REFUSED
    for _ in range(2):
        outcome = shop.sync()
        assert outcome.code == 1
        assert kids_of(outcome, "toy_balls") == {1, 3}
        assert outcome.logged("ERROR", "toy_balls: child 2", "read before", "deselect the stream")
    select = ["toy_kids", "toy_boxes", "toy_things"]
    assert shop.sync(select=select).code == 0
    outcome = shop.sync()
    assert outcome.code == 0, "it was deselected, and begins anew"
    assert outcome.logged("WARNING", "toy_balls: skipped, child 2")
    shop.answers["/kids/2/balls"] = [{"id": 1}]
    assert shop.sync().code == 0
    shop.answers["/kids/2/balls"] = REFUSED
    assert shop.sync().code == 1


def test_a_list_that_failed_was_not_read(shop: Shop) -> None:
    shop.answers["/kids/2/balls"] = Reply({}, status=418)
    assert shop.sync().code == 1
    shop.answers["/kids/2/balls"] = REFUSED
    assert shop.sync().code == 0


def test_a_new_list_below_one_that_was_read_may_be_refused(shop: Shop) -> None:
    shop.sync()
    shop.answers["/kids/1/boxes"] = [*shop.answers["/kids/1/boxes"], {"id": 99}]
    shop.answers["/boxes/99/things"] = REFUSED
    outcome = shop.sync()
    assert outcome.code == 0
    assert outcome.logged("WARNING", "toy_things: skipped, box 99")


def test_all_that_lies_below_one_that_was_read_may_not(shop: Shop) -> None:
    shop.sync()
    for box in shop.answers["/kids/2/boxes"]:
        shop.answers[f"/boxes/{box['id']}/things"] = REFUSED
    outcome = shop.sync()
    assert outcome.code == 1
    assert outcome.logged(
        "ERROR", "toy_things: child 2: 10 lists were refused, 0 were read, and they"
    )


@pytest.mark.parametrize("stored", [None, 7, "2", {"2": 1}, [[2]], [{"a": 1}]], ids=repr)
def test_whatever_the_state_says_of_it(stored: Any, shop: Shop) -> None:
    shop.sync()
    assert shop.state is not None
    shop.state["bookmarks"]["toy_balls"]["read_whole"] = stored
    shop.answers["/kids/2/balls"] = REFUSED
    outcome = shop.sync()
    assert outcome.code == 0
    assert not outcome.says("unexpected")


def test_the_only_list_below_one_that_was_read(shop: Shop) -> None:
    shop.answers["/kids/2/boxes"] = [{"id": 2}]
    shop.sync()
    shop.answers["/boxes/2/things"] = REFUSED
    outcome = shop.sync()
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_things: child 2: 1 lists were refused", "read before")


def test_a_parent_that_nobody_selects_is_remembered_for_its_children(shop: Shop) -> None:
    shop.sync(select=["toy_things"])
    shop.answers["/kids/2/boxes"] = REFUSED
    outcome = shop.sync(select=["toy_things"])
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_boxes: child 2", "read before")


# The reasons of what was not read


def test_what_was_not_read_says_why(shop: Shop) -> None:
    shop.answers.update({f"/kids/{kid}/boxes": REFUSED for kid in CHILDREN})
    outcome = shop.sync()
    assert "[not read: toy_boxes was skipped]" in outcome.logged("INFO", "toy_things ")[0]
    shop.answers.update({f"/kids/{kid}/boxes": [] for kid in CHILDREN})
    outcome = shop.sync()
    assert "[not read: toy_boxes has no row]" in outcome.logged("INFO", "toy_things ")[0]
    shop.answers.update({f"/kids/{kid}/boxes": Reply({}, status=418) for kid in CHILDREN})
    outcome = shop.sync()
    assert "[not read: toy_boxes failed]" in outcome.logged("INFO", "toy_things ")[0]


def test_what_is_lost_with_its_parent_is_counted(shop: Shop) -> None:
    shop.answers.update({f"/kids/{kid}/boxes": REFUSED for kid in CHILDREN})
    outcome = shop.sync()
    assert outcome.code == 0
    (line,) = outcome.repeated
    assert line.startswith("WARNING INCOMPLETE: 2 of 4 streams (toy_boxes: ")
    assert line.endswith("; toy_things: not read: toy_boxes was skipped)")
    alone = shop.sync(select=["toy_things"], config={"toy_names": []})
    assert alone.code == 1, "nothing at all was read"
    assert "INCOMPLETE: 1 of 1 streams (toy_things: " in alone.repeated[0]


# A dry run


def test_a_dry_run_never_passes_where_a_stream_was_refused(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"toy_token": TOKEN, "toy_url": shop.server.url}))
    passed = command("--config", path, "--test", tap_class=TapKids)
    assert passed.code == 0
    assert any("The test has passed" in line for line in passed.log)
    shop.answers["/kids/1/balls"] = REFUSED
    refused = command("--config", path, "--test", tap_class=TapKids)
    assert not any("passed" in line for line in refused.log)
    assert any("INCOMPLETE: 1 of 4 streams" in line for line in refused.log)
    assert refused.code == 0, "as a sync would end"
    for kid in CHILDREN:
        close(shop, kid, REFUSED)
    assert command("--config", path, "--test", tap_class=TapKids).code == 1
