"""What streams say of themselves: to users, to the catalog and to the warning of a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.tap import SERVICES
from tests.core.syncing import discover
from tests.core.toys import FACTS, Shop, ToyStream, shape, toy_tap
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cloudapis.core.stream import CloudStream
    from tests.core.syncing import Record

STREAMS = [stream for service in SERVICES for stream in service.streams if stream.in_catalog]


class Books(ToyStream):
    name = "toy_books"
    path = "/books"
    schema = shape("id")
    facts = Facts(row="a book", requests="one", permission="the permission to read books")


class Diaries(ToyStream):
    name = "toy_diaries"
    path = "/diaries"
    schema = shape("id")
    facts = Facts(row="a day", requests="one", unselected=Unselected.PERSONAL)


class BooksForAll(Books):
    """Inherits facts with what they give."""

    name = "toy_books_for_all"


class OpenBooks(Books):
    """Has facts of its own, which say less."""

    name = "toy_open_books"
    facts = FACTS


TapBooks = toy_tap(Books, Diaries)


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop(TapBooks, {"/books": [{"id": 1}], "/diaries": [{"id": 2}]})
    with shop.server:
        yield shop


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_stream_has_facts_of_its_own(stream: type[CloudStream]) -> None:
    facts = vars(stream)["facts"]
    # As they complete a table and a warning.
    for text in (facts.row, facts.requests):
        assert text
        assert not text.endswith(".")
    assert facts.row.split()[0] in {"a", "an", "the"}
    assert not facts.permission or facts.permission.startswith("the ")
    assert not facts.permission.endswith(".")


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_facts_give_what_the_tap_goes_by(stream: type[CloudStream]) -> None:
    assert stream.permission == stream.facts.lacking
    assert stream.selected_by_default is (stream.facts.unselected is None)
    assert selected_by_default(discover())[stream.name] is stream.selected_by_default


def selected_by_default(catalog: Record) -> dict[str, bool]:
    return {
        entry["tap_stream_id"]: meta["metadata"].get("selected-by-default", False)
        for entry in catalog["streams"]
        for meta in entry["metadata"]
        if not meta["breadcrumb"]
    }


def test_facts_are_inherited_and_replaced_as_a_whole() -> None:
    assert BooksForAll.permission == "the permission to read books"
    assert OpenBooks.permission == ""
    assert OpenBooks.selected_by_default
    assert not Diaries.selected_by_default


def test_without_a_catalog_an_unselected_stream_is_not_read(shop: Shop) -> None:
    outcome = shop.sync()
    assert outcome.code == 0
    assert set(outcome.schemas) == {"toy_books"}
    assert shop.asked() == ["/books"]
    assert not outcome.logged("toy_diaries")


def test_a_catalog_as_it_was_discovered_changes_nothing(shop: Shop) -> None:
    assert selected_by_default(discover(TapBooks)) == {"toy_books": True, "toy_diaries": False}
    assert shop.sync(catalog=discover(TapBooks)).code == 0
    assert shop.asked() == ["/books"]


def test_with_a_catalog_that_selects_it_it_is_read(shop: Shop) -> None:
    outcome = shop.sync(select=["toy_diaries"])
    assert outcome.code == 0
    assert outcome.records("toy_diaries") == [{"id": 2}]
    assert shop.asked() == ["/diaries"]


def test_the_warning_of_a_refusal_names_the_permission(shop: Shop) -> None:
    refused = Reply({"message": "no"}, status=403)
    shop.answers = {"/books": refused, "/diaries": refused}
    outcome = shop.sync(select=["toy_books", "toy_diaries"])
    assert outcome.code == 1, "nothing at all was read"
    assert outcome.logged("toy_books", "the token probably lacks the permission to read books")
    assert outcome.logged("WARNING", "toy_diaries", "answered 403")
    assert not outcome.logged("toy_diaries", "probably lacks")


def test_streams_that_no_catalog_shows_have_a_title_for_the_log() -> None:
    hidden = [stream for service in SERVICES for stream in service.streams if not stream.in_catalog]
    assert hidden
    assert [stream.name for stream in hidden if not stream.title] == []
