"""Errors that come with the status of a success, and answers that leave open what is in a list.

Taken for an empty list, they would empty a table.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import family
from tests.core.test_activation import DBT, PULUMI, activated, read
from tests.core.test_keys import Lists
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from tests.core.syncing import Outcome

MEMBERS = "pulumi_organization_members"
FINE = {"code": 200, "is_success": True, "user_message": "Success!", "developer_message": ""}
NONE = {"pagination": {"count": 0, "total_count": 0}}
#: Of dbt, each with a word of the reason.
DBT_ERRORS: list[tuple[Any, str]] = [
    ({"status": {"code": 500, "user_message": "boom"}, "data": [], "extra": NONE}, "boom"),
    ({"status": {"code": 500}, "data": [{"id": 1}], "extra": NONE}, "code 500"),
    ({"status": {**FINE, "code": "404"}, "data": [], "extra": NONE}, "Success!"),
    ({"status": {**FINE, "is_success": 0}, "data": [], "extra": NONE}, "Success!"),
    ({"status": {**FINE, "is_success": "False"}, "data": [], "extra": NONE}, "Success!"),
    ({"status": {**FINE, "is_success": None}, "data": None}, "Success!"),
    ({"status": {"is_success": None, "user_message": "boom"}, "data": None}, "boom"),
    ({"status": {"is_success": False}, "data": None}, "no reason"),
    ({"status": FINE, "detail": "boom", "data": None}, "boom"),
    ({"detail": "boom", "data": None}, "boom"),
    ({"error": "boom", "data": []}, "boom"),
    ({"errors": ["boom", "bang"], "data": None}, "boom, bang"),
    ({"Errors": [{"message": "boom"}], "data": []}, "list: boom"),
    ({"error": {"code": 1}, "data": []}, "{'code': 1}"),
    ({"message": "boom"}, "boom"),
    ({"code": 500, "data": []}, "code 500"),
]
PULUMI_ERRORS: list[tuple[Any, str]] = [
    ({"code": 500, "message": "boom", "members": []}, "code 500: boom"),
    ({"code": 500, "message": "boom", "members": [{"role": "admin"}]}, "boom"),
    ({"error": "boom", "members": []}, "boom"),
    ({"errors": ["boom"], "members": None}, "boom"),
    ({"errors": [[[["boom"]]]]}, "boom"),
    ({"code": 404, "members": None}, "code 404"),
    ({"statusCode": "503", "members": []}, "code 503"),
    ({"Message": "boom", "members": None}, "boom"),
    ({"error_message": "boom"}, "boom"),
]
#: Not clear errors: the list counts as empty, or as whole, and no row is dropped for it.
DBT_DOUBTS: list[Any] = [
    {"status": FINE, "data": None, "extra": NONE},
    {"status": FINE, "data": []},
    {"status": FINE, "data": [], "extra": []},
    {"status": FINE, "data": [], "extra": {"pagination": {"total_count": -1}}},
    {"status": FINE, "data": [{"id": 1}], "extra": {"pagination": {"total_count": "many"}}},
    {"status": FINE, "data": [{"id": 1}], "extra": {"pagination": {"total_count": "9" * 5_000}}},
    Reply({"status": FINE, "data": [], "extra": NONE}, status=202),
    Reply({"status": FINE, "data": [], "extra": NONE}, status=206),
]
PULUMI_DOUBTS: list[Any] = [
    {},
    {"members": None},
    Reply(status=204),
    Reply({"members": []}, status=202),
]


def read_with(answer: Any, stream: str) -> Outcome:
    """A sync in which one list is answered so."""
    lists = Lists()
    service, _, name = stream.partition("_")
    name = name.removeprefix("organization_")

    def answered(path: str, query: dict[str, str]) -> Any:
        if path.rstrip("/").endswith(f"/{name}") and "is_system" not in query:
            return answer
        return lists(path, query)

    return read(answered, service)


def shown(value: Any) -> str:
    return json.dumps(getattr(value, "status", value))[:80] if value != "" else "nothing"


@pytest.mark.parametrize(
    ("answer", "reason", "stream"),
    [(*error, "dbt_jobs") for error in DBT_ERRORS] + [(*error, MEMBERS) for error in PULUMI_ERRORS],
    ids=shown,
)
def test_an_error_in_an_answer_of_success_is_one(answer: Any, reason: str, stream: str) -> None:
    outcome = read_with(answer, stream)
    assert outcome.code == 1
    assert not outcome.says("Traceback")
    assert outcome.logged("ERROR", stream, "answered an error in the place of the list", reason)
    assert stream not in activated(outcome)
    assert not outcome.records(stream)


@pytest.mark.parametrize(
    ("answer", "stream"),
    [(answer, "dbt_jobs") for answer in DBT_DOUBTS]
    + [(answer, MEMBERS) for answer in PULUMI_DOUBTS],
    ids=shown,
)
def test_no_row_is_dropped_where_an_answer_leaves_it_open(answer: Any, stream: str) -> None:
    outcome = read_with(answer, stream)
    assert outcome.code == 0, outcome.log
    assert activated(outcome) == (DBT if stream.startswith("dbt") else PULUMI) - family(stream)


@pytest.mark.parametrize("total", [0, "0", 0.0, None], ids=repr)
def test_an_empty_list_is_activated_where_the_answer_says_so(total: Any) -> None:
    pagination = {"total_count": total}
    answer = {"status": FINE, "data": [], "extra": {"pagination": pagination}}
    expected = DBT - family("dbt_jobs") if total is None else DBT
    assert activated(read_with(answer, "dbt_jobs")) == expected


def test_an_empty_list_without_a_total_is_activated_beside_an_empty_message() -> None:
    assert activated(read_with({"members": [], "code": 200, "message": ""}, MEMBERS)) == PULUMI


@pytest.mark.parametrize(
    "later",
    [{}, Reply(b"null"), Reply(status=204), {"members": None}, {"message": "boom", "members": []}],
    ids=["none", "null", "204", "no list", "an error"],
)
@pytest.mark.parametrize("name", ["members", "teams", "stacks"])
def test_a_continuation_without_the_list_is_an_error(name: str, later: Any) -> None:
    lists = Lists()

    def answered(path: str, query: dict[str, str]) -> Any:
        if path.endswith(f"/{name}"):
            if "continuationToken" in query:
                return later
            return {**lists(path, query), "continuationToken": "more"}
        return lists(path, query)

    stream = "pulumi_stacks" if name == "stacks" else f"pulumi_organization_{name}"
    outcome = read(answered, "pulumi")
    assert outcome.code == 1
    assert outcome.logged("ERROR", stream, "list")
    assert stream not in activated(outcome)
