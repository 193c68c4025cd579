"""Members: two lists of people that know each other by login, or by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.pulumi.lists import Organization, activated, only, pages, refused

if TYPE_CHECKING:
    from tests.core.syncing import Record

STREAM = "pulumi_organization_members"


def member(login: str | None, name: str = "", **more: Any) -> Record:
    user = {"name": name, **({"githubLogin": login} if login else {})}
    return {"user": user, "role": "member", **more}


def people(roster: Any, seats: Any) -> Organization:
    def answer(query: dict[str, str]) -> Any:
        given = seats if query["type"] == "frontend" else roster
        return given(query) if callable(given) else given

    return Organization({"members": answer})


def read(roster: Any, seats: Any, **settings: Any) -> dict[str, tuple[Any, ...]]:
    outcome = people(roster, seats).sync(STREAM, **settings)
    rows = outcome.records(STREAM)
    found = {r["user_login"]: only(r, "on_roster", "has_seat") for r in rows}
    assert len(found) == len(rows)
    return found


def test_both_lists_make_one_row_of_a_person() -> None:
    roster = [member("ana", "Ana", role="admin"), member("bo", "Bo"), member(None, "Cy")]
    seats = [member("Ana", "Other"), member("cy-1", "Cy"), member("dee", "Dee")]
    outcome = people({"members": roster}, {"members": seats}).sync(STREAM)
    found = {
        only(r, "user_login", "user_name", "on_roster", "has_seat", "role")
        for r in outcome.records(STREAM)
    }
    assert found == {
        ("ana", "Ana", True, True, "admin"),
        ("bo", "Bo", True, False, "member"),
        ("Cy", "Cy", True, True, "member"),
        ("dee", "Dee", False, True, "member"),
    }


@pytest.mark.parametrize(("number", "has_seat"), [(49, False), (50, None), (80, None)])
def test_a_list_of_seats_may_be_cut_off(number: int, has_seat: Any) -> None:
    seats = {"members": [member(f"p{n}") for n in range(number)]}
    roster = pages("members", [member("p0")], [member("q")])
    found = read(roster, seats)
    assert found["p0"] == (True, True)
    assert found["q"] == (True, has_seat)
    assert len(found) == number + 1


def test_a_list_of_seats_in_pages_is_whole() -> None:
    seats = pages("members", [member(f"p{n}") for n in range(50)], [member("last")])
    found = read({"members": [member("q"), member("last")]}, seats)
    assert found["q"] == (True, False)
    assert found["last"] == (True, True)


@pytest.mark.parametrize("seats", [refused(), refused(400, "invalid type"), {}], ids=str)
def test_without_a_list_of_seats_the_roster_is_all(seats: Any) -> None:
    organization = people({"members": [member("ana")]}, seats)
    outcome = organization.sync(STREAM, emit_activate_version_messages=True)
    (row,) = outcome.records(STREAM)
    assert only(row, "user_login", "on_roster", "has_seat") == ("ana", True, None)
    assert STREAM not in activated(outcome), "those who only have a seat may be in a target"
    assert outcome.says(STREAM, "has_seat is not known") is (seats != {})


def test_without_the_roster_there_is_nothing() -> None:
    outcome = people(refused(), {"members": [member("ana")]}).sync(STREAM, code=1)
    assert not outcome.records(STREAM)
    assert len(outcome.logged("WARNING", STREAM)) == 1
    assert not outcome.says("has_seat")


def test_the_role_has_its_id_beside_it() -> None:
    roster = [
        member("ana", fgaRole={"id": "r1", "name": "Admin"}),
        member("bo", fgaRole={"id": ""}),
    ]
    outcome = people({"members": roster}, {"members": roster}).sync(STREAM)
    assert [r["fga_role_id"] for r in outcome.records(STREAM)] == ["r1", None]
    assert [r["has_seat"] for r in outcome.records(STREAM)] == [True, True]


def test_seats_of_nobody_are_left_out_and_counted() -> None:
    seats = {"members": [member(None), member(None), member("ana")]}
    outcome = people({"members": [member("ana")]}, seats).sync(STREAM, code=1)
    assert len(outcome.records(STREAM)) == 1
    assert outcome.logged(STREAM, "2 records left out")
